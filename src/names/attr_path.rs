//! Paths of attributes.

use std::fmt;

/// The path of an attribute within a flake's outputs, such as `nixosConfigurations.web.config`.
///
/// Components may be any text. [`Display`](fmt::Display) quotes them as `nix` requires in an installable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttrPath(Vec<String>);

impl AttrPath {
    /// The path of these components.
    pub fn new<S: Into<String>>(components: impl IntoIterator<Item = S>) -> Self {
        Self(components.into_iter().map(Into::into).collect())
    }

    /// This path and one more component.
    #[must_use]
    pub fn join(&self, component: impl Into<String>) -> Self {
        let mut components = self.0.clone();
        components.push(component.into());
        Self(components)
    }

    /// The components, outermost first.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, component) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let plain = !component.is_empty()
                && component
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'\'' | b'+'));
            if plain {
                f.write_str(component)?;
            } else {
                write!(f, "\"{component}\"")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_paths_quote_what_nix_would_misread() {
        let path = AttrPath::new(["nixosConfigurations", "web.example.org", "config"]);
        assert_eq!(path.to_string(), "nixosConfigurations.\"web.example.org\".config");
    }
}
