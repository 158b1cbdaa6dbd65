//! Advice on errors: what to do with this program's tools, commands and settings.
//!
//! A domain module names the [`Remedy`]; this module has the text of the hint: tools for a model, commands for a person at a
//! terminal ([`Reader`]). The domain therefore does not depend on tool names, the command line or the settings file.

mod hint;
mod reader;
mod remedy;

pub use hint::Hint;
pub use reader::{Reader, set_reader};
pub use remedy::{NAME_FLAKE, Remedy};
