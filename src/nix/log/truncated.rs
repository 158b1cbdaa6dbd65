//! Reads the beginning of a JSON line that was truncated.

use serde_json::{Map, Value};

/// Deepest nesting followed; Nix needs three levels.
const DEPTH: usize = 32;

/// Completes the truncated JSON of an object: closes an open string at the end, then every open list and object, and
/// drops a key without a value. Returns `None` if that gives no object.
pub(super) fn complete_truncated(json: &[u8]) -> Option<Map<String, Value>> {
    let text = String::from_utf8_lossy(json);
    let text = text.trim_end_matches('\u{fffd}');
    let mut open: Vec<u8> = Vec::new();
    // The last position where the text can be completed, the brackets open there, and whether a string is open.
    let mut good: Option<(usize, Vec<u8>, bool)> = None;
    let mut value_next = true;
    let mut bytes = text.bytes().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                if open.len() == DEPTH {
                    break;
                }
                open.push(byte);
                value_next = byte == b'[';
                good = Some((index + 1, open.clone(), false));
            }
            b'}' | b']' => {
                open.pop();
                value_next = false;
                good = Some((index + 1, open.clone(), false));
            }
            b':' => value_next = true,
            b',' => {
                // A number, or a word such as null, ends before the comma.
                good = Some((index, open.clone(), false));
                value_next = open.last() == Some(&b'[');
            }
            b'"' => match string_end(text, index + 1) {
                Some(end) => {
                    while bytes.next().is_some_and(|(at, _)| at < end) {}
                    if value_next {
                        good = Some((end + 1, open.clone(), false));
                    }
                }
                None => {
                    if value_next {
                        good = Some((whole_escapes(text, index + 1), open.clone(), true));
                    }
                    break;
                }
            },
            _ => {}
        }
    }
    let (end, open, in_string) = good?;
    let mut mended = text.get(..end)?.to_owned();
    if in_string {
        mended.push('"');
    }
    mended.extend(open.iter().rev().map(|bracket| if *bracket == b'{' { '}' } else { ']' }));
    match serde_json::from_str(&mended) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Position of the closing quote of the string that begins at `start`; `None` if it was cut.
fn string_end(text: &str, start: usize) -> Option<usize> {
    let mut escaped = false;
    let rest = text.as_bytes().get(start..)?;
    let length = rest.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    })?;
    Some(start + length)
}

/// The last position in the string at `start` that is not inside an escape.
fn whole_escapes(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut index = start;
    while let Some(byte) = bytes.get(index) {
        let length = match (byte, bytes.get(index + 1)) {
            (b'\\', Some(b'u')) => 6,
            (b'\\', _) => 2,
            _ => 1,
        };
        if index + length > bytes.len() {
            return index;
        }
        index += length;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_whole_is_kept() {
        let json = r#"{"a":1,"b":["x",2,"yz\u0041"],"c":{"d":"e"}}"#;
        for (end, keys) in [(1, 0), (4, 0), (6, 0), (7, 1), (12, 2), (30, 2), (json.len(), 3)] {
            let object = complete_truncated(json.get(..end).unwrap().as_bytes()).unwrap();
            assert_eq!(object.len(), keys, "{end}: {object:?}");
        }
        assert_eq!(complete_truncated(br#"{"a":"x\u00"#).unwrap()["a"], "x");
        assert_eq!(complete_truncated("{\"a\":\"xä".as_bytes().split_last().unwrap().1).unwrap()["a"], "x");
        assert!(complete_truncated(b"").is_none());
        assert!(complete_truncated("[".repeat(100_000).as_bytes()).is_none());
        assert!(complete_truncated(b"}}}}]]").is_none());
    }

    #[test]
    fn surrogates_cut_in_half_are_dropped_with_the_text() {
        assert!(complete_truncated(br#"{"a":1,"b":"\ud83d"#).is_none_or(|object| object["a"] == 1));
    }
}
