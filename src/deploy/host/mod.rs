//! What a machine says of itself, and how it is reached.

pub mod endpoint;
mod state;
pub(in crate::deploy) mod store;

pub(in crate::deploy) use state::PARTS;
pub use state::{Generation, Room, State, SurveyError, glance, survey};
