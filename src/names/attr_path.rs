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

    /// Reads a path as Nix takes it in an installable: components separated by dots, in double quotes if they have dots.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut components, mut component, mut quoted, mut was_quoted) =
            (Vec::new(), String::new(), false, false);
        for character in text.trim().chars().chain(['.']) {
            match character {
                '"' => (quoted, was_quoted) = (!quoted, true),
                '.' if !quoted => {
                    if component.is_empty() && !was_quoted {
                        return Err("a name between two dots is empty");
                    }
                    components.push(std::mem::take(&mut component));
                    was_quoted = false;
                }
                _ => component.push(character),
            }
        }
        if quoted { Err("a quotation mark is not closed") } else { Ok(Self(components)) }
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
    fn attribute_paths_are_read_as_they_are_written() {
        let read = |text: &str| AttrPath::parse(text).map(|path| path.components().join("|"));
        assert_eq!(read(" config.services ").as_deref(), Ok("config|services"));
        assert_eq!(read("users.\"a.b\".x").as_deref(), Ok("users|a.b|x"));
        assert_eq!(read("fileSystems.\"/\"").as_deref(), Ok("fileSystems|/"));
        assert_eq!(read("a.\"\"").as_deref(), Ok("a|"));
        for wrong in ["", "a..b", ".a", "a.", "a.\"b", "\"a.b"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let path = AttrPath::new(["users", "a.b", "x"]);
        assert_eq!(AttrPath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn attribute_paths_quote_what_nix_would_misread() {
        let path = AttrPath::new(["nixosConfigurations", "web.example.org", "config"]);
        assert_eq!(path.to_string(), "nixosConfigurations.\"web.example.org\".config");
    }
}
