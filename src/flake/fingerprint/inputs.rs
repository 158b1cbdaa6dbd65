//! Inputs whose lock does not say what they hold: Nix goes by a hash of what they held as long as that is in the store,
//! and reads them anew where it is not.

use std::path::Path;

use serde_json::Value;

use super::FLAKE;
use crate::reading;

/// Whether the lock file names one content for each input (Nix manual, "Lock files"). The file itself is one of the
/// flake's. What Nix makes of one that cannot be read here is not known.
pub(super) fn are_pinned(folder: &Path) -> bool {
    match reading::bytes_if_there(&folder.join("flake.lock"), FLAKE) {
        Ok(text) => text.is_none_or(|text| pins(&text)),
        Err(_) => false,
    }
}

/// Whether this lock file names one content for each input.
pub(in crate::flake) fn pins(text: &[u8]) -> bool {
    unpinned(text).is_empty()
}

/// The inputs of this lock file that it names no one content for, as it calls them, in order. What Nix makes of a file
/// that is none it says itself.
pub(in crate::flake) fn unpinned(text: &[u8]) -> Vec<String> {
    let Ok(lock) = serde_json::from_slice::<Value>(text) else { return Vec::new() };
    let nodes = lock.get("nodes").and_then(Value::as_object);
    let mut names: Vec<String> = nodes
        .into_iter()
        .flatten()
        // A relative path is one in the tree of the input that names it.
        .filter(|(_, node)| node.get("parent").is_none() && !node.get("locked").is_none_or(is_pinned))
        .map(|(name, _)| name.clone())
        .collect();
    names.sort();
    names
}

/// A Git tree with uncommitted changes has the hash of what it was, and no revision.
fn is_pinned(locked: &Value) -> bool {
    let has = |key: &str| locked.get(key).is_some_and(Value::is_string);
    match locked.get("type").and_then(Value::as_str) {
        Some("git" | "hg") => has("rev"),
        _ => has("rev") || has("narHash"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_cannot_change_is_pinned() {
        for (locked, pinned) in [
            (json!({"type": "git", "url": "file:///a", "rev": "0"}), true),
            (json!({"type": "git", "url": "file:///a", "dirtyRev": "0-dirty", "narHash": "sha256-"}), false),
            (json!({"type": "path", "path": "/a", "narHash": "sha256-"}), true),
            (json!({"type": "path", "path": "/a"}), false),
            (json!({"type": "tarball", "url": "https://example.org/a"}), false),
            (json!({"type": "github", "owner": "a", "repo": "b", "rev": "0"}), true),
            (json!({"type": "indirect", "id": "nixpkgs"}), false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut lock = json!({"nodes": {"root": {}, "a": {"locked": locked}}});
            std::fs::write(folder.path().join("flake.lock"), lock.to_string()).unwrap();
            assert_eq!(are_pinned(folder.path()), pinned, "{lock}");
            let named: &[&str] = if pinned { &[] } else { &["a"] };
            assert_eq!(unpinned(lock.to_string().as_bytes()), named);
            lock["nodes"]["a"]["parent"] = json!([]);
            std::fs::write(folder.path().join("flake.lock"), lock.to_string()).unwrap();
            assert!(are_pinned(folder.path()));
        }
    }
}
