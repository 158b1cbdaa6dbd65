//! What a deployment would do to a host: its new system, what changes, and what could go wrong.

mod closure;
mod contents;
mod error;
mod facts;
mod forward;
mod proposal;
mod risks;
pub mod rollback;
mod units;

pub use error::ProposeError;
pub(in crate::deploy) use forward::bracketed;
pub use forward::{Intent, propose};
