//! Nix literals. The only place that turns text into Nix source.

use serde_json::Value;

/// Escapes `text` as a Nix string literal (Nix manual, "String literal": `\`, `"` and `${` are escaped).
#[must_use]
pub fn string(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            // Escaping every dollar sign covers `${` and is still the same string.
            '$' => literal.push_str("\\$"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            // Neither a Nix string nor a program argument can hold a zero byte.
            '\0' => literal.push('\u{fffd}'),
            _ => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// A Nix expression that evaluates to `value`.
#[must_use]
pub fn json(value: &Value) -> String {
    format!("(builtins.fromJSON {})", string(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_interpolated() {
        assert_eq!(string("a\"b\\c${d}\n"), r#""a\"b\\c\${d}\n""#);
    }

    proptest! {
        #[test]
        fn a_literal_never_ends_early(text in any::<String>()) {
            let literal = string(&text);
            let inner = &literal[1..literal.len() - 1];
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                match character {
                    '\\' => { prop_assert!(characters.next().is_some()); }
                    '"' | '$' => prop_assert!(false, "unescaped {character} in {literal}"),
                    _ => {}
                }
            }
        }
    }
}
