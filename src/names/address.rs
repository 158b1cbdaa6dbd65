//! Addresses of machines.

use super::name;

name!(
    /// The name or address of a machine for `ssh`: a DNS name, an alias of the user's configuration, an IPv4 address, or an IPv6
    /// address without brackets.
    Address, "an address", at most 253,
    "letters, digits, '.', ':', '_' and '-', starting with a letter, digit or ':'",
    "^[\\w:][\\w.:-]{0,252}$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b':');
        first && given.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b))
    }
);
