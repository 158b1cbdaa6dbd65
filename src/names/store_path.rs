//! Paths in the Nix store.

use super::name;

name!(
    /// A path in the Nix store: the folder, a 32-character hash and a name.
    ///
    /// The alphabet and the length limit of 211 are those of the Nix manual, "Store Path".
    StorePath, "a store path", at most 300,
    "/nix/store/, 32 characters of hash, '-' and a name",
    "^/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+$",
    is_store_path
);

name!(
    /// The store path of a derivation, ending in `.drv`.
    DrvPath, "a derivation's store path", at most 300,
    "a store path that ends in .drv",
    "^/nix/store/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+\\.drv$",
    |given| given.ends_with(".drv") && is_store_path(given)
);

/// The folder of the store; stores in other folders are not supported.
pub const STORE_FOLDER: &str = "/nix/store/";

fn is_store_path(given: &str) -> bool {
    let Some(base) = given.strip_prefix(STORE_FOLDER) else { return false };
    let Some((hash, name)) = base.split_once('-') else { return false };
    hash.len() == 32
        && hash.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() && !b"eotu".contains(&b))
        && !name.is_empty()
        && name.len() <= 211
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=".contains(&b))
}

impl StorePath {
    /// The name without folder and hash.
    #[must_use]
    pub fn name(&self) -> &str {
        store_name(&self.0)
    }
}

impl DrvPath {
    /// The name without folder, hash and `.drv`.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = store_name(&self.0);
        name.strip_suffix(".drv").unwrap_or(name)
    }

    /// The last component: hash and name.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.0.strip_prefix(STORE_FOLDER).unwrap_or(&self.0)
    }
}

fn store_name(path: &str) -> &str {
    path.get(STORE_FOLDER.len() + 33..).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn store_paths_follow_the_manual() {
        let path = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web.drv";
        assert!("/nix/store/short-x".parse::<StorePath>().is_err());
        assert!("/nix/store/eqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-x".parse::<StorePath>().is_err());
        assert!(format!("{path}/../../etc").parse::<DrvPath>().is_err());
        let path: DrvPath = path.parse().unwrap();
        assert_eq!(path.name(), "nixos-system-web");
        assert_eq!(path.base_name(), "xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web.drv");
    }

    proptest! {
        #[test]
        fn store_paths_never_panic(given in any::<String>()) {
            if let Ok(path) = given.parse::<DrvPath>() {
                let _ = path.name();
            }
        }
    }
}
