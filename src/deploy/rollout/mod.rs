//! Carrying an approved plan out: host after host, and what becomes of each.

mod binding;
mod copy;
mod health;
mod outcome;
mod stop;
mod task;
mod watch;
mod waves;

pub use outcome::Outcome;
pub use waves::Rollout;
