//! What a deployment would do to a host: its new system, what changes, and what could go wrong.

mod closure;
mod contents;
mod error;
mod facts;
mod forward;
mod proposal;
mod risks;
mod rollback;
mod units;

pub(in crate::deploy) use forward::bracketed;
pub use forward::{Intent, propose_deployment};
pub use rollback::propose_rollback;
