//! Values of a configuration as text in Nix's notation, without secrets and of bounded length.

use serde_json::Value;

use crate::redact;
use crate::text;

/// The attribute by which the probe marks what JSON cannot hold.
const SHOWN: &str = "_shown";
/// Longest string within a value, in characters.
const STRING: usize = 400;
/// Length of the hash in a store path (Nix manual, "Store Path").
const HASH: usize = 32;
const STORE: &str = "/nix/store/";

/// Writes a value of the probe as text of about `length` characters at most. `name` is that of the attribute, by which a
/// secret is recognised.
pub(super) fn render(value: &Value, name: &str, length: usize) -> String {
    let mut out = String::new();
    write(&mut out, value, redact::has_secret_name(name), length);
    out
}

/// Whether the value says that the option is not set.
pub(super) fn is_unset(value: &Value) -> bool {
    kind(value) == Some("unset")
}

/// A value of the probe as JSON, if it is a scalar or a list of scalars.
pub(super) fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(value.clone()),
        Value::Object(fields) if kind(value) == Some("items") => {
            let items = fields.get("items")?.as_array()?;
            let whole = fields.get("size").and_then(Value::as_u64) == u64::try_from(items.len()).ok();
            let scalars = items.iter().all(|item| item.is_string() || item.is_number() || item.is_boolean());
            (whole && scalars && !items.is_empty()).then(|| Value::Array(items.clone()))
        }
        _ => None,
    }
}

fn kind(value: &Value) -> Option<&str> {
    value.get(SHOWN).and_then(Value::as_str)
}

fn write(out: &mut String, value: &Value, is_secret: bool, length: usize) {
    if out.len() >= length {
        out.push('…');
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::String(_) if is_secret => out.push_str(redact::REDACTED),
        Value::String(said) => {
            out.push('"');
            for character in text::bounded(&cleaned(said), STRING).chars() {
                match character {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\t' => out.push_str("\\t"),
                    _ => out.push(character),
                }
            }
            out.push('"');
        }
        Value::Array(_) => out.push('…'),
        Value::Object(fields) => {
            let said = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            let size = fields.get("size").and_then(Value::as_u64).unwrap_or_default();
            match kind(value).unwrap_or_default() {
                "package" => {
                    let (name, version) = (text::line(said("name"), 80), text::line(said("version"), 40));
                    let space = if version.is_empty() { "" } else { " " };
                    out.push_str(&format!("«{name}{space}{version}»"));
                }
                "attrs" => write_attributes(out, fields.get("attrs"), size, length),
                "items" => write_items(out, fields.get("items"), size, is_secret, length),
                "path" | "expression" if is_secret => out.push_str(redact::REDACTED),
                "path" | "expression" => out.push_str(&text::line(&cleaned(said("text")), STRING)),
                "property" => {
                    out.push_str(said("text"));
                    if let Some(inner) = fields.get("value").filter(|inner| !inner.is_null()) {
                        out.push(' ');
                        write(out, inner, is_secret, length);
                    }
                }
                "set" if size == 0 => out.push_str("{ }"),
                "set" => out.push_str(&format!("{{ … {size} attributes }}")),
                "list" if size == 0 => out.push_str("[ ]"),
                "list" => out.push_str(&format!("[ … {size} elements ]")),
                "throws" => out.push_str("«throws an error»"),
                other => out.push_str(&format!("«{}»", text::line(other, 40))),
            }
        }
    }
}

fn write_attributes(out: &mut String, attributes: Option<&Value>, size: u64, length: usize) {
    out.push_str("{ ");
    let mut written = 0;
    for attribute in attributes.and_then(Value::as_array).into_iter().flatten() {
        if out.len() >= length {
            break;
        }
        let name = attribute.get("name").and_then(Value::as_str).unwrap_or_default();
        out.push_str(&crate::names::OptionPath::new([text::line(name, 80)]).to_string());
        out.push_str(" = ");
        let value = attribute.get("value").unwrap_or(&Value::Null);
        write(out, value, redact::has_secret_name(name), length);
        out.push_str("; ");
        written += 1;
    }
    write_rest(out, size, written);
    out.push('}');
}

fn write_items(out: &mut String, items: Option<&Value>, size: u64, is_secret: bool, length: usize) {
    out.push_str("[ ");
    let mut written = 0;
    for item in items.and_then(Value::as_array).into_iter().flatten() {
        if out.len() >= length {
            break;
        }
        write(out, item, is_secret, length);
        out.push(' ');
        written += 1;
    }
    write_rest(out, size, written);
    out.push(']');
}

fn write_rest(out: &mut String, size: u64, written: u64) {
    if size > written {
        out.push_str(&format!("… {} more ", size - written));
    }
}

/// A text without secrets, control characters and the hashes of store paths.
fn cleaned(said: &str) -> String {
    let plain = redact::redacted(said);
    let mut out = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(at) = rest.find(STORE) {
        let (before, path) = rest.split_at(at + STORE.len());
        out.push_str(before);
        let hash = path.bytes().take_while(u8::is_ascii_alphanumeric).count();
        rest = if hash == HASH && path.as_bytes().get(HASH) == Some(&b'-') {
            out.push('…');
            path.get(HASH..).unwrap_or_default()
        } else {
            path
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attrs(fields: &[(&str, Value)]) -> Value {
        let attrs: Vec<_> =
            fields.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({"_shown": "attrs", "size": attrs.len(), "attrs": attrs})
    }

    #[test]
    fn values_are_written_as_in_nix() {
        let items = json!({"_shown": "items", "size": 3, "items": [22, "a\"b\n", null]});
        assert_eq!(render(&items, "x", 500), r#"[ 22 "a\"b\n" null ]"#);
        let package = json!({"_shown": "package", "name": "zsh", "version": "5.9"});
        let set = attrs(&[
            ("a.b", package),
            ("f", json!({"_shown": "function"})),
            ("t", json!({"_shown": "throws"})),
        ]);
        assert_eq!(
            render(&set, "x", 500),
            r#"{ "a.b" = «zsh 5.9»; f = «function»; t = «throws an error»; }"#
        );
        let property = json!({"_shown": "property", "text": "mkOverride 50", "value": true});
        assert_eq!(render(&property, "x", 500), "mkOverride 50 true");
        let path = json!(format!("exec {STORE}{}-nginx-1.2/bin/nginx", "0".repeat(HASH)));
        assert_eq!(render(&path, "x", 500), r#""exec /nix/store/…-nginx-1.2/bin/nginx""#);
    }

    #[test]
    fn secrets_are_hidden_by_name_and_by_form() {
        let secret = "hunter2hunter2hunter2";
        assert_eq!(render(&json!(secret), "hashedPassword", 500), "[redacted]");
        let inner = attrs(&[("password", json!(secret)), ("env", json!(format!("TOKEN={secret}")))]);
        let items = json!({"_shown": "items", "size": 1, "items": [secret]});
        let path = json!({"_shown": "path", "text": secret});
        let set = attrs(&[("inner", inner), ("apiKey", items), ("secret", path)]);
        let shown = render(&set, "x", 500);
        assert!(!shown.contains(secret) && shown.matches("[redacted]").count() == 4, "{shown}");
        assert!(!render(&json!(format!("$6$salt${secret}")), "x", 500).contains(secret));
    }

    #[test]
    fn a_value_is_bounded_and_says_what_is_left_out() {
        let items: Vec<_> = (0..1000).collect();
        let shown = render(&json!({"_shown": "items", "size": 5000, "items": items}), "x", 200);
        assert!(shown.len() < 240 && shown.ends_with(" more ]"), "{shown}");
        let long = attrs(&[("a", json!("x".repeat(5000))), ("b", json!("y"))]);
        let shown = render(&long, "x", 200);
        assert!(shown.chars().count() < 450 && shown.ends_with("… 1 more }"), "{shown}");
    }
}
