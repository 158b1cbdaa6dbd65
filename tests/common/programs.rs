//! What a package of nixpkgs puts on `PATH`, from the programs of this machine: `tests/fixtures/programs` names them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("../fixtures/programs");

/// Makes this folder the `bin` of a package: links to its programs, as far as this machine has them, and nothing else.
pub fn linked(package: &str, folder: &Path) -> PathBuf {
    let programs = LIST
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| line.strip_prefix(package)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("tests/fixtures/programs does not say which programs {package} has"));
    std::fs::create_dir_all(folder).unwrap();
    for program in programs.split(' ') {
        let (name, real) = program.split_once('=').unwrap_or((program, program));
        if let Some(found) = found(real) {
            symlink(found, folder.join(name)).unwrap();
        }
    }
    folder.to_owned()
}

/// Where this machine has a program.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
