//! The error of a name that is not valid.

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("{what} must not be empty")]
    Empty {
        /// The kind of name that was expected.
        what: &'static str,
    },
    /// The name is longer than allowed.
    #[error("{what} is {length} bytes long; at most {limit} are allowed")]
    TooLong {
        /// The kind of name that was expected.
        what: &'static str,
        /// The name's length, in bytes.
        length: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The name contains or starts with a character that is not allowed.
    #[error("\"{given}\" is not {what}: {rule}")]
    Malformed {
        /// The kind of name that was expected.
        what: &'static str,
        /// The name, cut short.
        given: String,
        /// The rule for such names.
        rule: &'static str,
    },
}
