//! Plans for one host: the new system, the changes, and the risks.

mod closure;
mod contents;
mod effects;
mod error;
mod facts;
mod forward;
mod proposal;
mod risks;
mod rollback;
mod settling;
mod units;

pub use contents::{closure_of, difference};
pub use error::ProposeError;
pub(in crate::deploy) use forward::bracketed;
pub use forward::{Intent, propose_deployment};
pub use rollback::{Rollback, propose_rollback};
