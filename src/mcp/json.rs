//! A JSON parser that refuses repeated keys in objects.
//!
//! Some programs use the first of two equal keys and some the last (RFC 8259, section 4), so two programs could read two
//! different calls from one message.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The bytes are not JSON with unique keys.
#[derive(Debug)]
pub enum JsonError {
    /// They are not JSON.
    Syntax(serde_json::Error),
    /// An object repeats a key.
    Repeated {
        /// The path of the key: keys and indices, separated by dots.
        path: String,
        /// The value as `serde_json` reads it, to find the id of the message.
        value: Value,
    },
}

/// Parses one value.
///
/// # Errors
/// See [`JsonError`].
pub fn parse_unique_keys(bytes: &[u8]) -> Result<Value, JsonError> {
    let repeated = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = UniqueKeys(&repeated)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    let error = match read {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut path = repeated.into_inner();
    if path.is_empty() {
        return Err(JsonError::Syntax(error));
    }
    path.reverse();
    let value = serde_json::from_slice(bytes).map_err(JsonError::Syntax)?;
    Err(JsonError::Repeated { path: path.join("."), value })
}

/// Deserialises a value with unique keys. If a key is repeated, its path is left here, innermost first.
struct UniqueKeys<'a>(&'a RefCell<Vec<String>>);

impl UniqueKeys<'_> {
    /// Adds a step to the path of the repeated key, if there is one.
    fn extend_path<T, E>(&self, read: Result<T, E>, step: impl FnOnce() -> String) -> Result<T, E> {
        if read.is_err() {
            let mut path = self.0.borrow_mut();
            if !path.is_empty() {
                path.push(step());
            }
        }
        read
    }
}

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) =
            self.extend_path(sequence.next_element_seed(UniqueKeys(self.0)), || values.len().to_string())?
        {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                let error = A::Error::custom("a key is repeated");
                self.0.borrow_mut().push(key);
                return Err(error);
            }
            let value = self.extend_path(map.next_value_seed(UniqueKeys(self.0)), || key.clone())?;
            values.insert(key, value);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn repeated(text: &str) -> Option<String> {
        match parse_unique_keys(text.as_bytes()) {
            Err(JsonError::Repeated { path, .. }) => Some(path),
            Err(JsonError::Syntax(error)) => panic!("{error}: {text}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_named() {
        for (text, path) in [
            (r#"{"id":1,"id":2}"#, "id"),
            (r#"{"a":{"b":[1,{"c":1,"d":2,"c":1}]}}"#, "a.b.1.c"),
            // The same key, written in two ways.
            (r#"{"a":1,"\u0061":2}"#, "a"),
        ] {
            assert_eq!(repeated(text).as_deref(), Some(path), "{text}");
        }
        assert_eq!(repeated(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#), None);
        assert!(matches!(parse_unique_keys(br#"{"a":1,"a":2"#), Err(JsonError::Syntax(_))));
        assert!(matches!(parse_unique_keys(b"{} {}"), Err(JsonError::Syntax(_))));
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(parse_unique_keys(&bytes).is_ok(), serde_json::from_slice::<Value>(&bytes).is_ok());
        }

        #[test]
        fn values_stay_the_same(number in any::<f64>(), whole in any::<i64>(), text in any::<String>()) {
            let value = serde_json::json!({"a": [number, whole, null, true], "b": {"c": text}});
            let read = parse_unique_keys(value.to_string().as_bytes()).map_err(|_| "refused").unwrap();
            prop_assert_eq!(read, serde_json::from_str::<Value>(&value.to_string()).unwrap());
        }
    }
}
