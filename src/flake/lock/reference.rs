//! Flake references as attributes, as in lock files. Their meaning depends on the attribute `type`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::names::InputReference;
use crate::text;

/// Longest URL that is shown, in characters.
const URL: usize = 500;
/// Replaces a part of a URL that may be a secret.
const HIDDEN: &str = "[redacted]";
/// Parameters of flake references (Nix manual, "nix flake", "Types"): none of their values is a secret.
const PARAMETERS: [&str; 15] = [
    "allRefs",
    "dir",
    "exportIgnore",
    "host",
    "lastModified",
    "lfs",
    "name",
    "narHash",
    "ref",
    "rev",
    "revCount",
    "shallow",
    "submodules",
    "unpack",
    "verifyCommit",
];
/// Attributes of a Git or Mercurial reference that are parameters of its URL in `flake.nix`.
const OF_REPOSITORIES: [&str; 6] = ["dir", "ref", "rev", "shallow", "submodules", "allRefs"];
/// The modification time of every file in the store, which says nothing about its age.
const OF_THE_STORE: u64 = 1;

/// A flake reference: a source, or a locked content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(BTreeMap<String, Attribute>);

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Attribute {
    Text(String),
    Number(u64),
    Flag(bool),
}

impl Reference {
    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Attribute::Text(text) => Some(text),
            Attribute::Number(_) | Attribute::Flag(_) => None,
        }
    }

    fn kind(&self) -> Option<&str> {
        self.text("type")
    }

    /// The length of its longest value, in bytes.
    pub(super) fn longest_value(&self) -> usize {
        let length = |value: &Attribute| match value {
            Attribute::Text(text) => text.len(),
            Attribute::Number(_) | Attribute::Flag(_) => 0,
        };
        self.0.values().map(length).max().unwrap_or_default()
    }

    /// The commit; `None` if the reference has none.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.text("rev")
    }

    /// The hash of the content (`narHash`).
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        self.text("narHash")
    }

    /// When the content was last changed, in seconds since 1970; `None` if that is not known.
    #[must_use]
    pub fn last_modified(&self) -> Option<u64> {
        match self.0.get("lastModified")? {
            Attribute::Number(seconds) => Some(*seconds).filter(|seconds| *seconds > OF_THE_STORE),
            Attribute::Text(_) | Attribute::Flag(_) => None,
        }
    }

    /// Whether it is pinned to one content. A Git tree with uncommitted changes has a hash and no commit, and is not pinned.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        match self.kind() {
            Some("git" | "hg") => self.commit().is_some(),
            _ => self.commit().is_some() || self.hash().is_some(),
        }
    }

    /// Whether this reference of a lock file is the one that `flake.nix` declares, as far as that is known without the flake's
    /// folder.
    #[must_use]
    pub fn is_same_source(&self, declared: &Self) -> bool {
        let (url, has_url) = (self.text("url"), self.text("url") == declared.text("url"));
        match (self.kind(), declared.kind()) {
            // Nix turns a path into a Git repository into a reference to that repository.
            (Some("git"), Some("path")) => {
                let path = declared.text("path").unwrap_or_default();
                url.and_then(|url| url.strip_prefix("file://")).is_some_and(|repository| {
                    // A relative path begins at the flake's folder, which is not known here.
                    !path.starts_with('/') || Path::new(path).starts_with(repository)
                })
            }
            // Nix uses `tarball` or `file` depending on whether the input is a flake.
            (Some("tarball" | "file"), Some("tarball" | "file")) => has_url,
            _ => self == declared,
        }
    }

    /// The reference as a URL, as in `flake.nix`, without passwords, tokens and control characters, up to `URL` characters.
    #[must_use]
    pub fn url(&self) -> String {
        let kind = self.kind().unwrap_or("?");
        let part = |name: &str| self.text(name).unwrap_or("?");
        let parameters = |names: &[&str]| -> String {
            let given = names.iter().filter_map(|name| {
                let value = match self.0.get(*name)? {
                    Attribute::Text(text) => text.clone(),
                    Attribute::Number(number) => number.to_string(),
                    Attribute::Flag(flag) => u8::from(*flag).to_string(),
                };
                Some(format!("{name}={value}"))
            });
            let given: Vec<String> = given.collect();
            if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
        };
        let at = self.text("ref").or(self.commit()).map(|at| format!("/{at}")).unwrap_or_default();
        let url = match kind {
            "github" | "gitlab" | "sourcehut" => {
                format!("{kind}:{}/{}{at}{}", part("owner"), part("repo"), parameters(&["host", "dir"]))
            }
            "indirect" => format!("flake:{}{at}", part("id")),
            "path" => format!("path:{}{}", part("path"), parameters(&["dir"])),
            "git" | "hg" => {
                let url = part("url");
                let scheme = if url.starts_with("git://") { "" } else { &format!("{kind}+") };
                let mut given = parameters(&OF_REPOSITORIES);
                if url.contains('?') {
                    given = given.replacen('?', "&", 1);
                }
                format!("{scheme}{}{given}", without_secrets(url))
            }
            _ => self.text("url").or(self.text("path")).map_or_else(|| kind.to_owned(), without_secrets),
        };
        shown(&url)
    }
}

/// A flake reference as it is shown: without passwords, tokens and control characters, up to `URL` characters.
#[must_use]
pub fn shown_reference(reference: &InputReference) -> String {
    shown(&without_secrets(reference.as_str()))
}

fn shown(url: &str) -> String {
    text::bounded(&text::joined(url), URL)
}

/// Removes the password from a URL, the user unless the scheme is SSH (a user may be a token), and the values of parameters that
/// are not those of flake references (they may be signatures or tokens).
fn without_secrets(url: &str) -> String {
    let (whole, fragment) = url.split_once('#').map_or((url, None), |(url, of)| (url, Some(of)));
    let (place, parameters) = whole.split_once('?').map_or((whole, None), |(url, of)| (url, Some(of)));
    let (scheme, rest) = place.split_once("://").map_or(("", place), |(scheme, rest)| (scheme, rest));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) if (scheme.is_empty() || scheme.ends_with("ssh")) && !user.contains(':') => {
            format!("{user}@{host}")
        }
        Some((_, host)) => host.to_owned(),
        None => authority.to_owned(),
    };
    let parameters = parameters.map(|parameters| {
        let cleaned = parameters.split('&').map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if PARAMETERS.contains(&name) => parameter.to_owned(),
            Some((name, _)) if !name.is_empty() => format!("{name}={HIDDEN}"),
            None if parameter.is_empty() => String::new(),
            // A parameter without a name may be the secret itself.
            _ => HIDDEN.to_owned(),
        });
        format!("?{}", cleaned.collect::<Vec<_>>().join("&"))
    });
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let fragment = fragment.map(|fragment| format!("#{fragment}"));
    [scheme, authority, path.to_owned(), parameters.unwrap_or_default(), fragment.unwrap_or_default()]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reference(attributes: Value) -> Reference {
        serde_json::from_value(attributes).unwrap()
    }

    #[test]
    fn a_reference_is_told_as_people_write_it() {
        for (attributes, url) in [
            (
                json!({"type": "github", "owner": "NixOS", "repo": "nixpkgs", "ref": "nixos-unstable"}),
                "github:NixOS/nixpkgs/nixos-unstable",
            ),
            (json!({"type": "github", "owner": "a", "repo": "b", "rev": "0a1b"}), "github:a/b/0a1b"),
            (
                json!({"type": "gitlab", "owner": "a", "repo": "b", "host": "git.example.org", "dir": "nix"}),
                "gitlab:a/b?host=git.example.org&dir=nix",
            ),
            (json!({"type": "indirect", "id": "nixpkgs", "ref": "24.05"}), "flake:nixpkgs/24.05"),
            (json!({"type": "path", "path": "./parts"}), "path:./parts"),
            (
                json!({"type": "git", "url": "ssh://git@example.org/a", "ref": "main", "submodules": true}),
                "git+ssh://git@example.org/a?ref=main&submodules=1",
            ),
            (json!({"type": "git", "url": "git://example.org/a"}), "git://example.org/a"),
            (
                json!({"type": "git", "url": "https://example.org/a?rev=0", "ref": "main", "dir": "in"}),
                "git+https://example.org/a?rev=0&dir=in&ref=main",
            ),
            (
                json!({"type": "tarball", "url": "https://example.org/a.tar.gz?rev=0"}),
                "https://example.org/a.tar.gz?rev=0",
            ),
            (json!({"type": "new", "url": "https://example.org/"}), "https://example.org/"),
            (json!({}), "?"),
        ] {
            assert_eq!(reference(attributes).url(), url);
        }
    }

    #[test]
    fn a_source_is_told_from_another() {
        let path = |path: &str| json!({"type": "path", "path": path});
        let url = |kind: &str, url: &str| json!({"type": kind, "url": url});
        for (locked, declared, same) in [
            (path("./a"), path("./a"), true),
            (path("./a"), path("./b"), false),
            (url("git", "file:///a"), path("/a"), true),
            (url("git", "https://example.org/a"), path("/a"), false),
            (url("git", "file:///a"), path("/a/in"), true),
            (url("git", "file:///a"), path("/ab"), false),
            (url("git", "file:///a"), path("./b"), true),
            (url("file", "https://example.org/a"), url("tarball", "https://example.org/a"), true),
            (url("tarball", "https://example.org/a"), url("tarball", "https://example.org/b"), false),
            (
                json!({"type": "indirect", "id": "a"}),
                json!({"type": "indirect", "id": "a", "ref": "b"}),
                false,
            ),
        ] {
            assert_eq!(reference(locked.clone()).is_same_source(&reference(declared)), same, "{locked}");
        }
    }

    #[test]
    fn no_secret_of_a_url_is_told() {
        for (url, expected) in [
            ("https://user:hunter2@example.org/a", "https://example.org/a"),
            ("https://ghp_0123456789@github.com/a/b", "https://github.com/a/b"),
            ("https://a:b@c:d@example.org", "https://example.org"),
            ("ssh://git:hunter2@example.org:22/a", "ssh://example.org:22/a"),
            ("ssh://git@example.org/a@b", "ssh://git@example.org/a@b"),
            ("git@example.org:a/b", "git@example.org:a/b"),
            (
                "https://example.org/a.tar.gz?ref=main&access_token=hunter2&sig=hunter2#frag",
                "https://example.org/a.tar.gz?ref=main&access_token=[redacted]&sig=[redacted]#frag",
            ),
            ("https://u:hunter2@example.org?hunter2", "https://example.org?[redacted]"),
            ("https://example.org/a?", "https://example.org/a?"),
            ("https://example.org/?=hunter2&ref=a", "https://example.org/?[redacted]&ref=a"),
        ] {
            assert_eq!(without_secrets(url), expected);
            let git = reference(json!({"type": "git", "url": url})).url();
            assert_eq!(git, format!("git+{expected}"));
        }
    }

    #[test]
    fn a_url_steers_no_terminal() {
        let long = format!("path:/a\u{1b}[2J b\n{}", "x".repeat(1_000));
        let url = shown(&long);
        assert!(url.starts_with("path:/a\\040b\\040x") && url.chars().count() == URL, "{url}");
    }

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
            assert_eq!(reference(locked.clone()).is_pinned(), pinned, "{locked}");
        }
    }
}
