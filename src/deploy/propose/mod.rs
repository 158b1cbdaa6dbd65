//! What a deployment would do to a host: its new system, what changes, and what could go wrong.

mod closure;
pub(in crate::deploy) mod facts;
mod forward;
mod proposal;
mod risks;
pub mod rollback;
pub(in crate::deploy) mod units;

pub(in crate::deploy) use closure::Closure;
pub(in crate::deploy) use facts::Facts;
pub(in crate::deploy) use forward::bracketed;
pub use forward::{Intent, ProposeError, propose};
pub(in crate::deploy) use units::Units;
