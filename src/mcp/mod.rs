//! MCP: one handler for both protocol eras, and the transports.
//!
//! rmcp distinguishes the eras by the metadata of each request. The differences that remain are in [`handler`] and
//! `approver`, so that no tool depends on the era.

mod approver;
mod channel;
pub mod handler;
pub mod http;
mod ids;
mod json;
mod log_page;
mod message;
mod progress;
mod running;
pub mod stdio;
