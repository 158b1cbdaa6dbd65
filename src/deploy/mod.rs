//! Deployment: what a machine runs, what would change, who said yes to it, and bringing it there.
//!
//! Knows nothing of MCP: it takes a [`crate::progress::Call`] and returns its own types and errors.

pub mod apply;
pub mod approval;
pub mod binding;
pub mod closure;
pub mod copy;
pub mod facts;
pub mod health;
pub mod host;
pub mod outcome;
pub mod place;
pub mod plan;
pub mod previous;
mod proposal;
pub mod propose;
pub mod remote;
pub mod risks;
pub mod rollout;
pub mod show;
pub mod signature;
mod stop;
pub mod storage;
pub mod story;
pub mod supervise;
pub mod units;
