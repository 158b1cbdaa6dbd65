//! The supervisor on real machines: whatever goes wrong, a machine ends on the new system or the old.
mod machine;

mod commands;
mod deaths;
mod disk;
mod neighbours;
mod outcomes;
mod refusals;
mod shells;
mod signatures;
mod starts;
mod versions;
