//! The program on a host that activates another system, and goes back unless it is confirmed.

pub(in crate::deploy) mod client;
mod script;
mod state;

pub(in crate::deploy) use client::{DeploymentSpec, Signed, ending_time};
pub use client::{LatestDeployment, SuperviseError, latest_deployment};
pub use script::SUPERVISOR_SCRIPT;
pub use state::{DeploymentStep, SupervisorReport};
