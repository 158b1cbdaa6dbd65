//! Fixtures and clients that the integration tests share.

pub mod catalogue;
pub mod daemon;
pub mod deploying;
pub mod faulty;
pub mod files;
pub mod fleet;
pub mod golden;
pub mod http;
pub mod mcp;
pub mod node;
pub mod option_fleet;
pub mod plan;
pub mod programs;
pub mod served;
pub mod site;
pub mod slow;
pub mod target;
pub mod terminal;
pub mod wait;
