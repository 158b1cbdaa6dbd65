//! The protocol surface: one handler for both protocol eras, and the transports it is served over.
//!
//! rmcp tells the eras apart by each request's own metadata; what is left to branch on is in
//! [`handler`], so that no tool ever asks which era it serves.

mod approver;
mod channel;
pub mod handler;
pub mod http;
mod ids;
mod json;
mod log_page;
mod progress;
mod running;
pub mod stdio;
