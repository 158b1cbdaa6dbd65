//! Converts the arguments of a call into the form that its tool reads.
//!
//! Clients in OpenAI's strict mode send every argument, with `null` for those that are not set. Others send `""`, or
//! lists, numbers and booleans as strings. A value is converted if the tool's schema allows only one meaning.
//! Everything else is an error with the argument, its value and the expected type. No argument gets a value that the
//! client did not send.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::{besides_null, unknown_keys};
use crate::text;

/// Longest client string in a message, in characters.
const ECHO_LIMIT: usize = 60;

/// Largest range of exact integers in a float: 2^53 (IEEE 754, binary64).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An argument is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    /// The path of the argument, such as `hosts[2]`; empty if the error is about the call as a whole.
    pub path: String,
    /// What is wrong and what is expected, with the argument's name.
    pub problem: String,
    /// Similar names that are valid.
    pub nearest: Vec<String>,
}

impl ArgumentError {
    fn new(path: &str, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into(), nearest: Vec::new() }
    }

    fn value(path: &str, given: &Value, schema: &Value) -> Self {
        Self::new(
            path,
            format!("`{path}` is {}; {} is expected", describe_value(given), describe_schema(schema)),
        )
    }
}

/// Converts the arguments of a call to the input of its tool.
///
/// # Errors
/// Every argument that is missing, unknown or wrong.
pub fn arguments<T: DeserializeOwned>(
    schema: &Map<String, Value>,
    given: Map<String, Value>,
) -> Result<T, Vec<ArgumentError>> {
    let given = Value::Object(given);
    let mut wrong: Vec<ArgumentError> = unknown_keys(schema, &given)
        .into_iter()
        .map(|key| ArgumentError {
            problem: format!("there is no argument `{}`", key.path),
            path: key.path,
            nearest: key.nearest,
        })
        .collect();
    let reader = ArgumentReader { definitions: schema.get("$defs").and_then(Value::as_object) };
    let Value::Object(mut read) = reader.object(&Value::Object(schema.clone()), given, "", &mut wrong) else {
        return Err(wrong);
    };
    // Arguments that have an error are removed. Errors of deserialisation are then found one at a time.
    let about = |wrong: &ArgumentError| argument_of(&wrong.path).to_owned();
    for said in wrong.iter().map(about).collect::<Vec<_>>() {
        read.remove(&said);
    }
    loop {
        match serde_path_to_error::deserialize::<_, T>(Value::Object(read.clone())) {
            Ok(input) if wrong.is_empty() => return Ok(input),
            Ok(_) => return Err(wrong),
            Err(error) => {
                let path = error.path().to_string();
                let of_call = read.remove(argument_of(&path)).is_none();
                // An error about the call as a whole repeats only that an argument above is missing.
                if !of_call || wrong.is_empty() {
                    let reason = text::line(&error.inner().to_string(), 300);
                    let problem = if of_call { reason } else { format!("`{path}`: {reason}") };
                    wrong.push(ArgumentError::new(if of_call { "" } else { &path }, problem));
                }
                if of_call {
                    return Err(wrong);
                }
            }
        }
    }
}

/// The arguments of a tool in one line, for a hint to a model that called it with wrong ones.
#[must_use]
pub fn outline(schema: &Map<String, Value>) -> String {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let whole = Value::Object(schema.clone());
    let all: Vec<String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let mark = if is_required(&whole, name) { "; required" } else { "" };
            format!("{name} ({}{mark})", describe_schema(besides_null(property, definitions)))
        })
        .collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

/// The argument that a path begins with.
fn argument_of(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|required| required == name))
}

fn schema_type(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ => "",
    }
}

struct ArgumentReader<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl ArgumentReader<'_> {
    /// Converts an object, without properties that are not set. Errors are added to `wrong`.
    fn object(&self, schema: &Value, given: Value, path: &str, wrong: &mut Vec<ArgumentError>) -> Value {
        let (Value::Object(given), Some(properties)) =
            (&given, schema.get("properties").and_then(Value::as_object))
        else {
            return given;
        };
        let mut read = Map::new();
        for (name, property) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let property = besides_null(property, self.definitions);
            let required = is_required(schema, name);
            match given.get(name) {
                None | Some(Value::Null) if required => wrong.push(ArgumentError::new(
                    &path,
                    format!("`{path}` is missing; {} is expected", describe_schema(property)),
                )),
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if !required && text.is_empty() && may_be_empty(name, property) => {
                }
                Some(Value::String(text))
                    if !required && text.is_empty() && schema_type(property) == "string" =>
                {
                    let problem = format!("`{path}` is empty; leave it out if it is not to be set");
                    wrong.push(ArgumentError::new(&path, problem));
                }
                Some(value) => {
                    if let Some(value) = self.value(property, value.clone(), &path, wrong) {
                        read.insert(name.clone(), value);
                    }
                }
            }
        }
        Value::Object(read)
    }

    /// Converts a value; `None` if it is wrong, with the error in `wrong`.
    fn value(
        &self,
        schema: &Value,
        given: Value,
        path: &str,
        wrong: &mut Vec<ArgumentError>,
    ) -> Option<Value> {
        let taken = match schema_type(schema) {
            "object" if given.is_object() => return Some(self.object(schema, given, path, wrong)),
            "array" => return self.list(schema, given, path, wrong),
            "boolean" => boolean(&given).map(Value::Bool),
            "integer" => return self.whole(schema, given, path, wrong),
            "number" => number(&given).map(Value::Number),
            "string" => given.as_str().map(|text| Value::String(named(schema, text).to_owned())),
            // A schema of several types: deserialisation decides.
            "" => Some(given.clone()),
            _ => None,
        };
        let Some(taken) = taken else {
            wrong.push(ArgumentError::value(path, &given, schema));
            return None;
        };
        if let Some(names) = schema.get("enum").and_then(Value::as_array)
            && !names.contains(&taken)
        {
            let near = taken.as_str().unwrap_or_default();
            let nearest = text::nearest(near, names.iter().filter_map(Value::as_str), 3);
            wrong.push(ArgumentError { nearest, ..ArgumentError::value(path, &taken, schema) });
            return None;
        }
        Some(taken)
    }

    fn list(
        &self,
        schema: &Value,
        given: Value,
        path: &str,
        wrong: &mut Vec<ArgumentError>,
    ) -> Option<Value> {
        let items = match &given {
            Value::Array(items) => items.clone(),
            Value::String(text) if text.trim_start().starts_with('[') => match serde_json::from_str(text) {
                Ok(Value::Array(items)) => items,
                _ => {
                    wrong.push(ArgumentError::value(path, &given, schema));
                    return None;
                }
            },
            Value::Null | Value::Object(_) => {
                wrong.push(ArgumentError::value(path, &given, schema));
                return None;
            }
            only => vec![only.clone()],
        };
        let of_items = schema.get("items").map(|items| besides_null(items, self.definitions));
        let Some(of_items) = of_items else { return Some(Value::Array(items)) };
        let before = wrong.len();
        let read: Vec<Value> = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, item)| self.value(of_items, item, &format!("{path}[{index}]"), wrong))
            .collect();
        // A list without its wrong items would have another meaning.
        (wrong.len() == before).then_some(Value::Array(read))
    }

    fn whole(
        &self,
        schema: &Value,
        given: Value,
        path: &str,
        wrong: &mut Vec<ArgumentError>,
    ) -> Option<Value> {
        let bound = |name| schema.get(name).and_then(number).and_then(|bound| whole(&bound));
        let taken = number(&given).and_then(|number| whole(&number)).filter(|number| {
            bound("minimum").is_none_or(|least| *number >= least)
                && bound("maximum").is_none_or(|most| *number <= most)
        });
        let taken = taken.and_then(|number| {
            let small = i64::try_from(number).map(Number::from);
            small.or_else(|_| u64::try_from(number).map(Number::from)).ok()
        });
        if taken.is_none() {
            wrong.push(ArgumentError::value(path, &given, schema));
        }
        taken.map(Value::Number)
    }
}

/// Optional arguments that select a part of an answer: `""` counts as not set. For other strings an empty value is an
/// error, because a call without them does something else (without `rev`, uncommitted files are deployed too).
const MAY_BE_EMPTY: [&str; 5] = ["cursor", "host", "package", "system", "tag"];

/// Whether `""` counts as not set.
fn may_be_empty(name: &str, schema: &Value) -> bool {
    schema_type(schema) == "array" || MAY_BE_EMPTY.contains(&name)
}

/// The string, trimmed if the schema has a pattern or an `enum`: names have no blanks around them.
fn named<'a>(schema: &Value, text: &'a str) -> &'a str {
    let is_name = schema.get("pattern").is_some() || schema.get("enum").is_some();
    if is_name { text.trim_ascii() } else { text }
}

fn boolean(given: &Value) -> Option<bool> {
    match given {
        Value::Bool(given) => Some(*given),
        // Python writes `True` and `False`.
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn number(given: &Value) -> Option<Number> {
    match given {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        _ => None,
    }
}

/// The integer value of a number such as `1`, `1.0` or `1e3`; `None` if it has a fraction or is not exact.
fn whole(number: &Number) -> Option<i128> {
    if let Some(small) = number.as_i64() {
        return Some(small.into());
    }
    if let Some(large) = number.as_u64() {
        return Some(large.into());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    format!("{float:.0}").parse().ok()
}

/// A client's value, as part of a sentence.
fn describe_value(given: &Value) -> String {
    match given {
        Value::Null => "null".to_owned(),
        Value::Bool(given) => given.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string \"{}\"", text::exact(text, ECHO_LIMIT)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The type that a schema expects, as part of a sentence.
fn describe_schema(schema: &Value) -> String {
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", names.join(", "));
    }
    match schema_type(schema) {
        "boolean" => "true or false".to_owned(),
        "integer" => {
            let bound = |name| schema.get(name).map(Value::to_string);
            match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
                (Some(least), None) => format!("a whole number from {least}"),
                (None, Some(most)) => format!("a whole number up to {most}"),
                (None, None) => "a whole number".to_owned(),
            }
        }
        "number" => "a number".to_owned(),
        "string" => "a string".to_owned(),
        "array" => match schema.get("items") {
            Some(items) if items.get("enum").is_some() => format!("a list, each {}", describe_schema(items)),
            Some(items) if schema_type(items) == "string" => "a list of strings".to_owned(),
            _ => "a list".to_owned(),
        },
        "object" => "an object".to_owned(),
        _ => "another value".to_owned(),
    }
}

#[cfg(test)]
mod tests;
