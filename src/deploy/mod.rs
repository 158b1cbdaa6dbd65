//! Deploying: what a machine runs, what would change, and how it is changed without losing it.

pub mod host;
pub mod place;
