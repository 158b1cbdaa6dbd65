//! A host's SSH endpoint, and its state as a survey over SSH reports it.

pub(in crate::deploy) mod endpoint;
mod state;
pub(in crate::deploy) mod store;

pub use endpoint::{HostEndpoint, endpoint_of};
pub use state::{DiskSpace, HostState, SurveyError, survey};
pub(in crate::deploy) use state::{PARTS, ServiceState, brief_survey};
