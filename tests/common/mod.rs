//! What the integration tests share.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod daemon;
pub mod faulty;
pub mod files;
pub mod fleet;
pub mod mcp;
pub mod node;
pub mod plan;
pub mod programs;
pub mod served;
pub mod site;
pub mod slow;
pub mod target;
pub mod terminal;
