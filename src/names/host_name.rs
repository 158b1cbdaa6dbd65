//! Names of hosts.

use super::name;

name!(
    /// The name of a host: an attribute of the flake's `nixosConfigurations`.
    ///
    /// A flake may use any attribute name. Allowed here are names that need no quoting in Nix attribute paths, shells and SSH, with
    /// dots within them (`web.example.org`).
    HostName, "a host name", at most 128,
    "letters, digits, '_', '-' and single dots within, starting with a letter, digit or '_'",
    "^\\w[\\w.-]*$",
    |given| is_word(given) && !given.contains(['+', '\'']) && !given.ends_with('.')
);

fn is_word(given: &str) -> bool {
    let mut characters = given.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '\''))
        && !given.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_host_names_are_refused() {
        for given in [
            "", "-rf", "a b", "a\nb", "a\"b", "a'b", "${x}", "..", "a..b", ".a", "a.", "a/b", "a#b", "a\0b",
            "ü", "$(id)", "a;b", "a+b",
        ] {
            assert!(given.parse::<HostName>().is_err(), "{given:?} was accepted");
        }
        assert!("x".repeat(10_000).parse::<HostName>().is_err());
        for given in ["web", "ovh-cloud", "web.example.org", "_a", "0a", "A1"] {
            assert!(given.parse::<HostName>().is_ok(), "{given:?} was refused");
        }
    }

    #[test]
    fn a_long_name_is_not_repeated_in_full() {
        let error = format!("{}!", "x".repeat(100)).parse::<HostName>().unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
    }

    proptest! {
        #[test]
        fn every_accepted_name_is_safe_as_an_argument(given in any::<String>()) {
            if let Ok(name) = given.parse::<HostName>() {
                prop_assert!(!name.as_str().starts_with('-'));
                prop_assert!(!name.as_str().contains(['"', '\'', '$', '\\', '/', '\n', ' ', '#', '^']));
            }
        }
    }
}
