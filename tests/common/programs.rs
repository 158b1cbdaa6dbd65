//! The search paths that units and `package.nix` declare, made of this machine's programs by
//! `tests/services/store.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that replaces `/nix/store` for the units of `tests/fixtures/units`.
pub struct Store {
    /// The folder.
    pub folder: PathBuf,
}

impl Store {
    /// Makes it in this folder, and removes an older one.
    pub fn make(folder: &Path) -> Self {
        if folder.exists() {
            std::fs::remove_dir_all(folder).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/store.sh");
        let made = Command::new("bash").arg(script).arg(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { folder: folder.to_owned() }
    }

    /// The `bin` of a package.
    pub fn programs(&self, package: &str) -> PathBuf {
        let programs = self.folder.join(package).join("bin");
        assert!(programs.is_dir(), "tests/fixtures/programs does not say which programs {package} has");
        programs
    }

    /// The values of a key in a unit's file, such as `ExecStart`, with this store in place of Nix's.
    fn lines_of(&self, unit: &str, key: &str) -> Vec<String> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/units").join(unit);
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let here = format!("{}/", self.folder.display());
        text.lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim().replace("/nix/store/", &here))
            .collect()
    }

    /// The only command that a unit starts.
    pub fn starts(&self, unit: &str) -> String {
        let found = self.lines_of(unit, "ExecStart");
        assert_eq!(found.len(), 1, "{unit}: {found:?}");
        found[0].clone()
    }

    /// The search path of a unit.
    pub fn search_path(&self, unit: &str) -> String {
        self.lines_of(unit, "Environment")
            .iter()
            .find_map(|variable| Some(variable.trim_matches('"').strip_prefix("PATH=")?.to_owned()))
            .unwrap_or_else(|| panic!("{unit} has no search path"))
    }
}
