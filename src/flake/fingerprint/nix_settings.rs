//! The settings of Nix, on which evaluation depends: files and environment variables.
//!
//! The files are hashed as text, because running Nix takes a process. All settings count, because plugins, experimental
//! features, limits and permissions of evaluation are among them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::hasher::FingerprintHasher;
use super::{add_bytes, add_file};

/// Most levels of included settings files.
const DEPTH: usize = 8;
/// Most settings files.
const FILES: usize = 100;
/// Variables that builders and shells set and Nix does not read; some differ from shell to shell.
const NOT_SETTINGS: [&str; 5] =
    ["NIX_BUILD_CORES", "NIX_BUILD_TOP", "NIX_ENFORCE_PURITY", "NIX_LOG_FD", "NIX_SSL_CERT_FILE"];

/// Adds these files, those they include, and the environment variables that Nix reads; `None` if a file cannot be read.
pub(super) fn add(hasher: &mut FingerprintHasher, files: &[PathBuf]) -> Option<()> {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| {
            name.as_bytes().starts_with(b"NIX_") && !NOT_SETTINGS.iter().any(|other| name == other)
        })
        .collect();
    variables.sort();
    for (name, value) in variables {
        add_bytes(hasher, name.as_bytes());
        add_bytes(hasher, value.as_bytes());
    }
    let mut room = FILES;
    files.iter().try_for_each(|file| add_with_included(hasher, file, DEPTH, &mut room))
}

/// Adds a file and those it includes (Nix manual, "nix.conf", "File format").
fn add_with_included(
    hasher: &mut FingerprintHasher,
    file: &Path,
    depth: usize,
    room: &mut usize,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    *room = room.checked_sub(1)?;
    let Some(text) = add_file(hasher, file)? else { return Some(()) };
    for line in text.split(|byte| *byte == b'\n') {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        if let (Some(b"include" | b"!include"), Some(name)) = (words.next(), words.next()) {
            let name = Path::new(std::ffi::OsStr::from_bytes(name));
            add_with_included(hasher, &file.parent()?.join(name), depth, room)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_includes_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("nix.conf");
        std::fs::write(&file, "max-jobs = 1\n\t!include  more.conf \n").unwrap();
        let state = || {
            let mut hasher = FingerprintHasher::default();
            add(&mut hasher, std::slice::from_ref(&file)).map(|()| hasher.finish().0)
        };
        let before = state().unwrap();
        std::fs::write(scratch.path().join("more.conf"), "restrict-eval = true\n").unwrap();
        assert_ne!(state().unwrap(), before);
        std::fs::write(scratch.path().join("more.conf"), "include nix.conf\n").unwrap();
        assert_eq!(state(), None, "files that include one another");
    }
}
