//! Parses a line of `nix`'s standard error into an [`Event`].

use serde_json::{Map, Value};

use super::kinds::{ActivityKind, Level, ResultKind};
use super::{TEXT_LIMIT, truncated};
use crate::text::{bounded, plain};

/// Prefix of a machine-readable line (`JSONLogger::write`).
const PREFIX: &[u8] = b"@nix ";
/// Stands for the cause of an error if its line was truncated before the cause.
const CUT: &str = "Nix's error is too long, and its cause was cut off";
/// Longest name, phase or field kept, in characters.
const FIELD_LIMIT: usize = 4 * 1024;
/// Most fields kept; Nix sends at most four.
const FIELDS: usize = 8;
/// Most frames kept at the inner end of a trace, which names the cause.
const INNER_FRAMES: usize = 256;
/// Most frames kept at the outer end of a trace, which names the evaluated attribute.
const OUTER_FRAMES: usize = 64;
/// Longest name of a file kept, in characters.
const FILE_LIMIT: usize = 1_024;
/// Longest message of one frame, in characters.
const FRAME_LIMIT: usize = 300;

/// A field of an activity or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A count.
    Number(u64),
    /// A path, a log line, a phase.
    Text(String),
}

impl Field {
    /// The number; `None` for a text, which Nix's progress bar ignores too.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }

    /// The text; `None` for a number.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }
}

/// A position in a Nix file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file as Nix names it: an absolute path, or a name such as `«string»`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if Nix gives none.
    pub column: u32,
}

/// A step of the evaluation that led to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFrame {
    /// What Nix was doing, such as `while calling …`.
    pub message: String,
    /// Position in a Nix file; `None` if Nix gives none.
    pub position: Option<Position>,
}

/// What `JSONLogger::logEI` adds to the message of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetail {
    /// The innermost cause, without `error:`, trace and code.
    pub cause: String,
    /// Position in a Nix file; `None` if Nix gives none.
    pub position: Option<Position>,
    /// Steps of the evaluation, the innermost first; empty without `--show-trace`.
    pub trace: Vec<TraceFrame>,
}

/// A line of standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An activity starts.
    Start {
        /// Number of the activity, unique within the log.
        id: u64,
        /// The activity it belongs to, or 0.
        parent: u64,
        /// Verbosity.
        level: Level,
        /// Kind of the activity.
        kind: ActivityKind,
        /// Description for people; often empty.
        text: String,
        /// Fields; their meaning depends on the kind.
        fields: Vec<Field>,
    },
    /// An activity stops. Nix does not report whether it succeeded.
    Stop {
        /// Number of the activity.
        id: u64,
    },
    /// An activity reports a result.
    Result {
        /// Number of the activity.
        id: u64,
        /// Kind of the result.
        kind: ResultKind,
        /// Fields; their meaning depends on the kind.
        fields: Vec<Field>,
    },
    /// A message for people.
    Message {
        /// Verbosity.
        level: Level,
        /// The printed text, cut to [`TEXT_LIMIT`]. Of an error the end is kept, since the cause is printed last.
        text: String,
        /// Cause, position and trace of an error; `None` for other messages.
        detail: Option<Box<ErrorDetail>>,
    },
    /// A line that is no message of Nix: a program that it ran printed it, or `nix` failed early.
    Plain(String),
}

impl Event {
    /// Parses a line without its line feed. A line that is no message of Nix becomes [`Event::Plain`].
    ///
    /// Of a line that was truncated (see [`crate::process::LINE_LIMIT`]) the beginning is read. Nix sorts the keys, so
    /// a long error keeps its printed text (`msg`) and may lose its cause (`raw_msg`) and trace.
    #[must_use]
    pub fn parse(line: &[u8]) -> Self {
        let Some(json) = line.strip_prefix(PREFIX) else { return Self::words(line) };
        let event = match serde_json::from_slice(json) {
            Ok(Value::Object(object)) => Self::from_object(&object),
            Ok(_) => None,
            Err(_) => truncated::complete_truncated(json).and_then(|mut object| {
                // Only errors have the key `line`, which sorts before `raw_msg`: the cause was cut off.
                if object.contains_key("line") {
                    object.entry("raw_msg").or_insert_with(|| CUT.into());
                }
                Self::from_object(&object)
            }),
        };
        event.unwrap_or_else(|| Self::words(line))
    }

    fn words(line: &[u8]) -> Self {
        Self::Plain(bounded(&plain(&String::from_utf8_lossy(line)), TEXT_LIMIT))
    }

    fn from_object(object: &Map<String, Value>) -> Option<Self> {
        Some(match object.get("action")?.as_str()? {
            "start" => Self::Start {
                id: number(object, "id"),
                parent: number(object, "parent"),
                level: Level(number(object, "level")),
                kind: number(object, "type").into(),
                text: text(object, "text", FIELD_LIMIT),
                fields: fields(object),
            },
            "stop" => Self::Stop { id: number(object, "id") },
            "result" => Self::Result {
                id: number(object, "id"),
                kind: number(object, "type").into(),
                fields: fields(object),
            },
            "msg" => Self::message(object),
            _ => return None,
        })
    }

    fn message(object: &Map<String, Value>) -> Self {
        let level = Level(number(object, "level"));
        let detail = object.get("raw_msg").and_then(Value::as_str).map(|cause| {
            Box::new(ErrorDetail {
                cause: bounded(&plain(cause), TEXT_LIMIT),
                position: position(object),
                trace: trace(object),
            })
        });
        let whole = plain(object.get("msg").and_then(Value::as_str).unwrap_or_default());
        let text =
            if level == Level::ERROR { ending(&whole, TEXT_LIMIT) } else { bounded(&whole, TEXT_LIMIT) };
        Self::Message { level, text, detail }
    }
}

/// The last `limit` characters of a text: Nix prints an error's cause after its trace.
fn ending(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let mut out = String::from("…");
    out.extend(text.chars().skip(count - limit + 1));
    out
}

fn number(object: &Map<String, Value>, key: &str) -> u64 {
    object.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn text(object: &Map<String, Value>, key: &str, limit: usize) -> String {
    bounded(&plain(object.get(key).and_then(Value::as_str).unwrap_or_default()), limit)
}

fn fields(object: &Map<String, Value>) -> Vec<Field> {
    let Some(Value::Array(items)) = object.get("fields") else { return Vec::new() };
    items
        .iter()
        .take(FIELDS)
        .map(|item| match item {
            Value::String(text) => Field::Text(bounded(&plain(text), FIELD_LIMIT)),
            other => Field::Number(other.as_u64().unwrap_or_default()),
        })
        .collect()
}

/// Nix gives `file` as `path:line:column` beside `line` and `column`; an unknown position is `null` or `«none»:0`
/// (`to_json` and `Pos::print`).
fn position(object: &Map<String, Value>) -> Option<Position> {
    let line = u32::try_from(number(object, "line")).ok().filter(|line| *line > 0)?;
    let column = u32::try_from(number(object, "column")).unwrap_or_default();
    let printed = text(object, "file", FILE_LIMIT);
    let file = printed.strip_suffix(&format!(":{column}")).unwrap_or(&printed);
    let file = file.strip_suffix(&format!(":{line}")).unwrap_or(file);
    (!file.is_empty()).then(|| Position { file: file.to_owned(), line, column })
}

fn trace(object: &Map<String, Value>) -> Vec<TraceFrame> {
    let Some(Value::Array(frames)) = object.get("trace") else { return Vec::new() };
    let outer = frames.len().saturating_sub(OUTER_FRAMES).max(INNER_FRAMES);
    frames
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < INNER_FRAMES || *index >= outer)
        .filter_map(|(_, frame)| frame.as_object())
        .map(|frame| TraceFrame { message: text(frame, "raw_msg", FRAME_LIMIT), position: position(frame) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(json: &str) -> Event {
        Event::parse(format!("@nix {json}").as_bytes())
    }

    #[test]
    fn activities_are_read() {
        let event = parse(
            r#"{"action":"start","fields":["/nix/store/x.drv","",1,1],"id":7,"level":3,"parent":2,"text":"building 'x'","type":105}"#,
        );
        let Event::Start { id: 7, parent: 2, level: Level::INFO, kind: ActivityKind::Build, text, fields } =
            event
        else {
            panic!("{event:?}")
        };
        assert_eq!(text, "building 'x'");
        assert_eq!(fields.first().and_then(Field::text), Some("/nix/store/x.drv"));
        assert_eq!(fields.get(2).and_then(Field::number), Some(1));
    }

    #[test]
    fn what_is_unknown_or_missing_does_no_harm() {
        let event = parse(r#"{"action":"start","id":1,"type":4711,"new":{"field":[]}}"#);
        assert!(
            matches!(event, Event::Start { kind: ActivityKind::Other(4711), parent: 0, .. }),
            "{event:?}"
        );
        let event = parse(r#"{"action":"result","id":-1,"type":"x","fields":[null,{},-3]}"#);
        assert!(matches!(event, Event::Result { id: 0, kind: ResultKind::Other(0), .. }), "{event:?}");
        assert!(matches!(parse(r#"{"action":"dance"}"#), Event::Plain(_)));
        assert!(matches!(parse("[]"), Event::Plain(_)));
        assert!(matches!(parse(""), Event::Plain(_)));
    }

    #[test]
    fn errors_keep_their_place() {
        let event = parse(
            r#"{"action":"msg","column":8,"file":"/a:b/x.nix:4:8","level":0,"line":4,"msg":"\u001b[31;1merror:\u001b[0m no","raw_msg":"no","trace":[{"column":0,"file":"«none»:0","line":0,"raw_msg":"while"}]}"#,
        );
        let Event::Message { text, detail: Some(detail), .. } = event else { panic!("{event:?}") };
        assert_eq!(text, "error: no");
        assert_eq!(detail.position, Some(Position { file: "/a:b/x.nix".into(), line: 4, column: 8 }));
        assert_eq!(detail.trace, [TraceFrame { message: "while".into(), position: None }]);
    }

    #[test]
    fn an_error_cut_in_its_trace_is_still_an_error() {
        let whole = r#"@nix {"action":"msg","column":8,"file":"x.nix:4:8","level":0,"line":4,"msg":"error: no","raw_msg":"no","trace":[{"column":1,"file":"y.nix:1:1","line":1,"raw_msg":"while"},{"column":1,"file":"z"#;
        let Event::Message { detail: Some(detail), .. } = Event::parse(whole.as_bytes()) else { panic!() };
        assert_eq!((detail.cause.as_str(), detail.trace.len()), ("no", 2));
        let event = Event::parse(&whole.as_bytes()[..70]);
        assert!(matches!(event, Event::Message { level: Level::ERROR, .. }), "{event:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event(bytes in proptest::collection::vec(any::<u8>(), 0..400), prefix: bool) {
            let line = if prefix { [PREFIX, &bytes].concat() } else { bytes };
            let _ = Event::parse(&line);
        }

        #[test]
        fn any_cut_is_an_event(end in 0_usize..400) {
            let whole = r#"@nix {"action":"msg","column":8,"file":"x.nix:4:8","level":0,"line":4,"msg":"error: ä\u001b[31m\"no\"","raw_msg":"\u00e4\\no","trace":[{"column":1,"file":"y.nix:1:1","line":1,"raw_msg":"while"},{}]}"#.as_bytes();
            let event = Event::parse(&whole[..end.min(whole.len())]);
            // Once the level is in the text, an error stays an error.
            if end > 60 {
                let is_error = matches!(event, Event::Message { level: Level::ERROR, .. });
                prop_assert!(is_error, "{:?}", event);
            }
        }
    }
}
