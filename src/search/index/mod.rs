//! Indexes of packages and options that answer searches in milliseconds.

mod build;
mod database;
mod entry;
mod nearest;
mod option;
mod package;
mod paths;
mod query;
mod source;
mod spelling;
mod store;
mod walk;
mod walk_progress;
mod words;

pub use build::{PackageSets, thrown_package};
pub use database::{Fact, Index, IndexError, OtherState};
pub use entry::IndexEntry;
pub use package::Package;
pub use query::{Match, Query, Rank, path_parts};
pub use source::{ContentId, HostOptionsSource, IndexSource, PackageSource};
pub use spelling::Spelling;
pub use store::{IndexFile, IndexStore, NotKept};
pub use walk_progress::seconds_left;
