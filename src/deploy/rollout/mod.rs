//! Carries out an approved plan on its hosts, and reports the outcome of each.

mod binding;
mod copy;
mod health;
mod outcome;
mod settling;
mod stop;
mod task;
mod watch;
mod wave_progress;
mod waves;

pub use outcome::Outcome;
pub use waves::Rollout;
