//! The supervisor on real machines: whatever fails, a machine ends on the new system or on the old one.
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
