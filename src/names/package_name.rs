//! Names of packages, as they are in store paths.

use super::name;

name!(
    /// The name of a package in its store path, without hash and version, such as `nginx`.
    ///
    /// The alphabet and the length limit are those of the name of a store path (Nix manual, "Store Path").
    PackageName, "a package's name", at most 211,
    "letters, digits and +-._?=",
    "^[\\w+.?=-]+$",
    |given| given.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=".contains(&b))
);
