//! The program on a host that activates another system, and goes back unless it is confirmed.

pub(in crate::deploy) mod client;
mod script;
mod state;

pub use client::{Latest, SuperviseError, latest_deployment};
pub(in crate::deploy) use client::{Orders, Signed, ending_time};
pub use script::SUPERVISOR_SCRIPT;
pub use state::{Step, Story};
