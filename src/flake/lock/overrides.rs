//! Which inputs `--override-input` replaces.

use std::collections::BTreeMap;

use super::{LOOKUPS, Lock};
use crate::names::{InputName, InputReference};

/// The reference that replaces an input.
#[derive(Clone, Debug)]
pub struct Override<'a> {
    /// The path of the input, or of the one that it follows.
    pub path: String,
    /// The input that is replaced: the one at `path`, or one that it belongs to.
    pub input: &'a InputName,
    pub reference: &'a InputReference,
}

impl Override<'_> {
    /// Whether the input itself is replaced. If not, its new content is not known without fetching the reference.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.path == self.input.as_str()
    }
}

/// The reference that replaces an input, the input that it follows, or the nearest input that it belongs to; `None` if none does.
/// `follows` has the path of each input that follows another, and the path of that one.
#[must_use]
pub fn override_of<'a>(
    path: &str,
    follows: &BTreeMap<String, String>,
    overrides: &'a BTreeMap<InputName, InputReference>,
) -> Option<Override<'a>> {
    let mut path = path.to_owned();
    'followed: for _ in 0..LOOKUPS {
        let mut above = path.as_str();
        loop {
            if let Some((input, reference)) = overrides.iter().find(|(name, _)| name.as_str() == above) {
                return Some(Override { path, input, reference });
            }
            if let Some(target) = follows.get(above) {
                path = format!("{target}{}", path.get(above.len()..)?);
                continue 'followed;
            }
            (above, _) = above.rsplit_once('/')?;
        }
    }
    None
}

impl Lock {
    /// The reference that replaces the content of an input; see [`override_of`].
    #[must_use]
    pub fn override_of<'a>(
        &self,
        path: &str,
        overrides: &'a BTreeMap<InputName, InputReference>,
    ) -> Option<Override<'a>> {
        let follows = self.inputs().into_iter().filter_map(|input| {
            let target = input.follows.filter(|target| !target.is_empty())?;
            Some((input.path.join("/"), target.join("/")))
        });
        override_of(path, &follows.collect(), overrides)
    }
}
