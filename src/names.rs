//! Types for names from outside. A value of such a type is always valid.
//!
//! Each has a private field and one constructor, [`FromStr`](std::str::FromStr), which `Deserialize` uses too.

mod address;
mod attr_path;
mod error;
mod flake_input;
mod host_name;
mod option_path;
mod package_name;
mod plan_id;
mod rev;
mod store_path;
mod system_name;
mod user_name;

use crate::text;
pub use address::Address;
pub use attr_path::AttrPath;
pub use error::NameError;
pub use flake_input::{InputName, InputReference};
pub use host_name::HostName;
pub use option_path::OptionPath;
pub use package_name::{PackageName, PackagePattern};
pub use plan_id::PlanId;
pub use rev::Rev;
pub use store_path::{DrvPath, STORE_FOLDER, StorePath};
pub use system_name::SystemName;
pub use user_name::UserName;

fn checked(
    given: &str,
    what: &'static str,
    limit: usize,
    rule: &'static str,
    holds: impl FnOnce(&str) -> bool,
) -> Result<String, NameError> {
    if given.is_empty() {
        return Err(NameError::Empty { what });
    }
    if given.len() > limit {
        return Err(NameError::TooLong { what, length: given.len(), limit });
    }
    if !holds(given) {
        return Err(NameError::Malformed { what, given: text::exact(given, 80), rule });
    }
    Ok(given.to_owned())
}

/// Declares a name: its type, what it is in an error, its maximum length in bytes, the rule in words, as a regular expression for
/// the schema, and as a function.
macro_rules! name {
    (
        $(#[$documentation:meta])*
        $name:ident, $what:literal, at most $limit:literal, $rule:literal, $pattern:literal, $holds:expr
    ) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::names::NameError;

            fn from_str(given: &str) -> Result<Self, $crate::names::NameError> {
                $crate::names::checked(given, $what, $limit, $rule, $holds).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::names::NameError;

            fn try_from(given: String) -> Result<Self, $crate::names::NameError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    };
}

use name;
