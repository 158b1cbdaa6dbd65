//! Address, user and port of a machine.

use std::fmt;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::names::{Address, UserName};

/// Where and as whom `ssh` logs in to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SshTarget {
    /// Name or address; a name may be an alias from the user's `ssh` configuration.
    pub address: Address,
    /// User to log in as.
    pub user: UserName,
    /// TCP port.
    pub port: NonZeroU16,
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.address)?;
        match self.port.get() {
            22 => Ok(()),
            port => write!(f, " port {port}"),
        }
    }
}
