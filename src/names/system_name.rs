//! Names of Nix systems.

use super::name;

name!(
    /// A Nix system, such as `x86_64-linux`.
    SystemName, "a system", at most 64,
    "an architecture and an operating system, such as x86_64-linux",
    "^\\w+-\\w+$",
    |given| {
        let part = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        given.split_once('-').is_some_and(|(machine, system)| part(machine) && part(system))
    }
);
