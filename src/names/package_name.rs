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

name!(
    /// A pattern of package names. Without `*`, a name matches that contains it, in letters of either case; with `*`, which
    /// stands for any characters, the whole name has to match.
    PackagePattern, "a pattern of packages", at most 211,
    "letters, digits and +-._?=, and * for any characters",
    "^[\\w+.?=*-]+$",
    |given| given.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=*".contains(&b))
);

impl PackagePattern {
    /// Whether the name of a package matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.to_ascii_lowercase(), name.to_ascii_lowercase());
        let mut parts = pattern.split('*');
        let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else {
            return name.contains(&pattern);
        };
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        for part in parts {
            // The first occurrence leaves most for the parts after it.
            let Some((_, after)) = rest.split_once(part).filter(|_| !part.is_empty()) else {
                if part.is_empty() {
                    continue;
                }
                return false;
            };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let matches = |pattern: &str, name: &str| pattern.parse::<PackagePattern>().unwrap().matches(name);
        for (pattern, name) in [
            ("ssl", "openssl"),
            ("OpenSSL", "openssl"),
            ("openssl*", "openssl"),
            ("*", "anything"),
            ("python*-requests", "python3.13-requests"),
            ("*a*b*", "xaxbx"),
            ("a**b", "ab"),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} and {name}");
        }
        for (pattern, name) in
            [("ssl*", "openssl"), ("*open", "openssl"), ("a*a", "a"), ("*a*b*", "ba"), ("x.y", "x-y")]
        {
            assert!(!matches(pattern, name), "{pattern} and {name}");
        }
        assert!("".parse::<PackagePattern>().is_err() && "a b".parse::<PackagePattern>().is_err());
    }
}
