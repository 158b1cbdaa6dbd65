//! Names of users.

use super::name;

name!(
    /// The name of a user on another machine.
    ///
    /// The rules are those of useradd(8): `NAME_REGEX` in its default form.
    UserName, "a user name", at most 32,
    "small letters, digits, '_' and '-', starting with a letter or '_'",
    "^[a-z_][a-z0-9_-]{0,31}$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        first && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    }
);
