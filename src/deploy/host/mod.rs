//! What a machine says of itself, and how it is reached.

pub(in crate::deploy) mod endpoint;
mod state;
pub(in crate::deploy) mod store;

pub use endpoint::{Place, PlaceError, place_of};
pub(in crate::deploy) use state::{PARTS, glance};
pub use state::{Room, State, SurveyError, survey};
