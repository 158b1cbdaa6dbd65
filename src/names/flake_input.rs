//! Inputs of a flake, and the flake references that replace them.

use super::name;

name!(
    /// An input of a flake: its name, or `a/b` for the input `b` of the input `a` (`nix flake lock --help`,
    /// "--override-input").
    InputName, "an input", at most 200,
    "names of letters, digits, '_' and '-', joined by '/' for the inputs of an input",
    "^[A-Za-z_][\\w-]*(/[A-Za-z_][\\w-]*)*$",
    |given| given.split('/').all(|name| {
        name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
);

name!(
    /// A flake reference that means the same everywhere: a URL, or an absolute path (`nix flake --help`, "Flake references").
    /// A relative path depends on the working folder, and a name in a registry on the machine.
    InputReference, "a flake reference", at most 1000,
    "a URL such as github:OWNER/REPO/REV, or an absolute path, without blanks and `#`",
    "^(/|[a-z][a-z0-9+]*:)[^\\s#]+$",
    |given| {
        let is_plain = given.bytes().all(|b| b.is_ascii_graphic() && !b"#\"'`\\<>|^{}$".contains(&b));
        let scheme = given.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
        let is_url = scheme.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'+')
            && scheme != "flake";
        let is_relative = given.strip_prefix("path:").is_some_and(|path| !path.starts_with('/'));
        is_plain && (given.starts_with('/') || is_url && !is_relative)
    }
);

impl InputReference {
    /// The commit in the reference; `None` if it names none.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        let (location, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let in_query = query.split('&').find_map(|part| part.strip_prefix("rev="));
        let is_forge = ["github:", "gitlab:", "sourcehut:"].iter().any(|forge| location.starts_with(forge));
        let in_path = location.split('/').nth(2).filter(|_| is_forge);
        let is_commit =
            |text: &&str| [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        in_query.or(in_path).filter(is_commit)
    }

    /// Whether it always means the same content, because it names a commit or a hash.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        let query = self.0.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let has_hash = query
            .split('&')
            .filter_map(|part| part.strip_prefix("narHash="))
            .any(|hash| hash.starts_with("sha256-") && hash.len() > 40);
        has_hash || self.commit().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_mean_the_same_everywhere() {
        let commit = "320ac2af5698c9315c1927ecf0107ce65bbbacfe";
        let pinned = [
            format!("github:NixOS/nixpkgs/{commit}"),
            format!("git+file:///srv/nixpkgs?ref=main&rev={commit}"),
            "path:/srv/x?narHash=sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        ];
        let open = [
            "github:NixOS/nixpkgs/nixos-25.05",
            "/srv/nixpkgs",
            "path:/srv/nixpkgs",
            "git+ssh://git@example.org/x.git?ref=main",
            "https://example.org/x.tar.gz",
        ];
        let parsed = |text: &str| text.parse::<InputReference>().unwrap();
        assert!(pinned.iter().all(|text| parsed(text).is_pinned()));
        assert!(open.iter().all(|text| !parsed(text).is_pinned()));
        assert_eq!(parsed(&pinned[0]).commit(), Some(commit));
        for refused in [
            "",
            "nixpkgs",
            "nixpkgs/nixos-25.05",
            "flake:nixpkgs",
            ".",
            "./x",
            "../x",
            "path:./x",
            "path:x",
            "github:a/b#c",
            "github:a b",
            "-rf",
            "--x:y",
            "a\nb:c",
            "$HOME",
            "git+file:///$(id)",
        ] {
            assert!(refused.parse::<InputReference>().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn inputs_are_names() {
        for given in ["nixpkgs", "home-manager/nixpkgs", "_x", "a_b-c"] {
            assert!(given.parse::<InputName>().is_ok(), "{given:?}");
        }
        for given in ["", "-x", "a/", "/a", "a//b", "a=b", "a b", "1a", "a.b", "a\nb"] {
            assert!(given.parse::<InputName>().is_err(), "{given:?}");
        }
    }
}
