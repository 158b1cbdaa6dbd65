//! The program on a host that activates another system, and goes back unless it is confirmed.

pub(in crate::deploy) mod client;
mod latest;
mod script;
mod state;

pub use client::SuperviseError;
pub(in crate::deploy) use client::{DeploymentSpec, Signed, ending_time};
pub use latest::{LatestDeployment, latest_deployment};
pub use script::SUPERVISOR_SCRIPT;
pub use state::{DeploymentStep, SupervisorReport};
