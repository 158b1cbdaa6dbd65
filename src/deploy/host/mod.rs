//! What a machine says of itself, and how it is reached.

pub(in crate::deploy) mod endpoint;
mod state;
pub(in crate::deploy) mod store;

pub use endpoint::{HostEndpoint, endpoint_of};
pub use state::{DiskSpace, HostState, SurveyError, survey};
pub(in crate::deploy) use state::{PARTS, glance};
