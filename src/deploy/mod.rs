//! Deployment: what a machine runs, what would change, who said yes to it, and bringing it there.
//!
//! Knows nothing of MCP: it takes a [`crate::progress::Call`] and returns its own types and errors.

pub mod approval;
pub mod host;
pub mod plan;
pub mod propose;
pub mod rollout;
pub mod supervisor;
