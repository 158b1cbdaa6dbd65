//! A value as the probe reads it, level by level, and the part of it that fits in an answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::secrets::Secrets;
use super::{ShownValue, path_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::UnreadPart;
use crate::names::AttrPath;
use crate::text;

/// Least bytes of a text that are shown, so that a short one is never cut.
const SHORT: usize = 200;
/// Bytes of JSON around each node.
const AROUND: usize = 4;
/// The name, in a set, of the number of attributes that are left out of it.
const MORE: &str = "…";

/// A part of a value that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// The path from the value to a set, a list or a text.
    pub attr: String,
    /// The number of its attributes, entries or bytes that are left out.
    pub left_out: u64,
}

/// A level of the probe's answer.
#[derive(Deserialize)]
struct Level {
    share: usize,
    nodes: Vec<ProbedNode>,
}

/// A node of the probe's answer.
#[derive(Deserialize)]
struct ProbedNode {
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    marker: Option<String>,
    set: Option<usize>,
    list: Option<usize>,
    /// The length of a text that the probe cut.
    bytes: Option<u64>,
    position: Option<Position>,
    #[serde(default)]
    unread: bool,
}

/// A value that is `null` is there.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[derive(Deserialize)]
struct Position {
    file: String,
    line: u32,
}

/// A value. Each node comes after the one that holds it.
pub struct Tree(Vec<Node>);

struct Node {
    /// The index of the node that holds it; `None` for the value itself.
    parent: Option<usize>,
    step: Step,
    content: Content,
    position: Option<Position>,
}

enum Step {
    Name(String),
    Index(usize),
}

enum Content {
    Text {
        shown: String,
        /// Length of the whole text, in bytes.
        bytes: u64,
    },
    Data(Value),
    Marker(String),
    Set(usize),
    List(usize),
}

impl Tree {
    /// The tree in the answer of the probe.
    ///
    /// # Errors
    /// If the answer has another form.
    pub fn from_probe(
        answer: Value,
        unread: &[UnreadPart],
        secrets: &Secrets<'_>,
    ) -> Result<Self, Diagnostic> {
        let levels: Vec<Level> = serde_json::from_value(answer).map_err(|error| {
            Diagnostic::new(Code::NixFailed, "the value could not be read").with_said(&error.to_string())
        })?;
        let mut tree = Self(Vec::new());
        // The places in the next level, in its order.
        let mut places = vec![(None, Step::Name(String::new()))];
        for level in levels {
            let begin = tree.0.len();
            for (probed, (parent, step)) in level.nodes.into_iter().zip(places) {
                let step = match (step, probed.name.as_deref()) {
                    (Step::Name(_), Some(name)) => Step::Name(crate::redact::without_secrets(name)),
                    (step, _) => step,
                };
                tree.0.push(Node { parent, step, content: Content::Marker(String::new()), position: None });
                let content = tree.content(tree.0.len() - 1, &probed, unread, secrets);
                if let Some(node) = tree.0.last_mut() {
                    (node.content, node.position) = (content, probed.position);
                }
            }
            places = Vec::new();
            for (index, node) in tree.0.iter().enumerate().skip(begin) {
                let (count, is_set) = match node.content {
                    Content::Set(count) => (count, true),
                    Content::List(count) => (count, false),
                    _ => continue,
                };
                let below = (0..count.min(level.share)).map(|position| {
                    (Some(index), if is_set { Step::Name(String::new()) } else { Step::Index(position) })
                });
                places.extend(below);
            }
        }
        Ok(tree)
    }

    fn content(
        &self,
        index: usize,
        probed: &ProbedNode,
        unread: &[UnreadPart],
        secrets: &Secrets<'_>,
    ) -> Content {
        match probed {
            ProbedNode { unread: true, .. } => {
                let path = self.path(index);
                let part = unread.iter().find(|part| path_of(part) == path && !part.rest);
                Content::Marker(match part.map(|part| serde_json::to_value(part.error.code)) {
                    Some(Ok(Value::String(code))) => format!("«fails: {code}»"),
                    _ => "«not read»".to_owned(),
                })
            }
            ProbedNode { set: Some(count), .. } => Content::Set(*count),
            ProbedNode { list: Some(count), .. } => Content::List(*count),
            ProbedNode { value: Some(Value::String(text)), .. } => {
                let bytes = probed.bytes.unwrap_or(text.len() as u64);
                Content::Text { shown: self.hide(index, text, secrets), bytes }
            }
            ProbedNode { value: Some(value), .. } => Content::Data(value.clone()),
            ProbedNode { marker, .. } => {
                Content::Marker(text::line(marker.as_deref().unwrap_or("«unknown»"), SHORT))
            }
        }
    }

    /// A text at this index without secrets.
    fn hide(&self, index: usize, text: &str, secrets: &Secrets<'_>) -> String {
        let names = self.names(index);
        let mut path: Vec<&str> = names.iter().filter_map(|step| step.name()).collect();
        // In a pair of a name and a value, the name is data.
        if path.last() == Some(&"value")
            && let Some(name) = self.beside(index, "name")
        {
            path.pop();
            path.push(name);
        }
        let follows_key = matches!(names.last(), Some(Step::Index(_)))
            && self.before(index).is_some_and(|before| secrets.announces(before));
        if follows_key { crate::redact::REDACTED.to_owned() } else { secrets.hide(text, &path) }
    }

    /// The text in the same set with this name, if it comes before.
    fn beside(&self, index: usize, name: &str) -> Option<&str> {
        let parent = self.0.get(index)?.parent;
        let siblings = self.0.get(..index)?.iter().rev().take_while(|node| node.parent == parent);
        siblings.filter(|node| node.step.name() == Some(name)).find_map(Node::text)
    }

    /// The text before this one in a list.
    fn before(&self, index: usize) -> Option<&str> {
        let before = self.0.get(index.checked_sub(1)?)?;
        before.text().filter(|_| before.parent == self.0.get(index).and_then(|node| node.parent))
    }

    /// The steps from the value to the node.
    fn names(&self, index: usize) -> Vec<&Step> {
        let mut steps = Vec::new();
        let mut at = self.0.get(index);
        while let Some(node) = at
            && let Some(parent) = node.parent
        {
            steps.push(&node.step);
            at = self.0.get(parent);
        }
        steps.reverse();
        steps
    }

    /// The path from the value to the node.
    fn path(&self, index: usize) -> String {
        AttrPath::new(self.names(index).into_iter().map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        }))
        .to_string()
    }

    /// What fits in `bytes` of JSON, the nearest levels first.
    pub fn show(mut self, bytes: usize) -> ShownValue {
        let mut shown = ShownValue::default();
        let mut left = bytes;
        let mut kept = 0;
        let mut cut_texts = Vec::new();
        for (index, node) in self.0.iter_mut().enumerate() {
            let around = AROUND + node.step.name().map_or(0, |name| name.len() + AROUND);
            let length = match &mut node.content {
                Content::Text { shown, bytes } => {
                    let longest = SHORT.max(left / 2);
                    if shown.len() > longest {
                        *shown = cut(shown, longest);
                        cut_texts.push((index, bytes.saturating_sub(shown.len() as u64)));
                    } else if *bytes > shown.len() as u64 && shown.ends_with('…') {
                        cut_texts.push((index, *bytes - shown.len() as u64));
                    }
                    shown.len()
                }
                Content::Data(value) => value.to_string().len(),
                Content::Marker(marker) => marker.len(),
                Content::Set(_) | Content::List(_) => AROUND,
            };
            let position = node.position.as_ref().map_or(0, |position| position.file.len() + 2 * around);
            match left.checked_sub(around + length + position) {
                Some(rest) => left = rest,
                None if index == 0 => left = 0,
                None => break,
            }
            kept = index + 1;
        }
        let mut below = vec![0_usize; kept];
        for node in self.0.iter().take(kept) {
            if let Some(count) = node.parent.and_then(|parent| below.get_mut(parent)) {
                *count += 1;
            }
        }
        for (index, node) in self.0.iter().enumerate().take(kept) {
            if let Content::Set(count) | Content::List(count) = node.content {
                let left_out = count - below.get(index).copied().unwrap_or_default().min(count);
                if left_out > 0 {
                    shown.cuts.push(Cut { attr: self.path(index), left_out: left_out as u64 });
                }
            }
            if let Some((_, left_out)) = cut_texts.iter().find(|(cut, _)| *cut == index) {
                shown.cuts.push(Cut { attr: self.path(index), left_out: *left_out });
            }
            if let Some(position) = &node.position {
                shown.positions.insert(self.path(index), format!("{}:{}", position.file, position.line));
            }
        }
        shown.value = self.into_json(kept);
        shown
    }

    /// The JSON of the first `kept` nodes.
    fn into_json(self, kept: usize) -> Value {
        // Those after a node are complete before it.
        let mut inside: BTreeMap<usize, Vec<(Step, Value)>> = BTreeMap::new();
        let mut whole = Value::Null;
        for (index, node) in self.0.into_iter().enumerate().take(kept).collect::<Vec<_>>().into_iter().rev() {
            let mut below = inside.remove(&index).unwrap_or_default();
            below.reverse();
            let value = node.content.into_json(below);
            match node.parent {
                Some(parent) => inside.entry(parent).or_default().push((node.step, value)),
                None => whole = value,
            }
        }
        whole
    }
}

impl Node {
    fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { shown, .. } => Some(shown),
            _ => None,
        }
    }
}

impl Step {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

impl Content {
    fn into_json(self, below: Vec<(Step, Value)>) -> Value {
        let count = match &self {
            Self::Set(count) | Self::List(count) => *count,
            _ => 0,
        };
        let more = count.saturating_sub(below.len());
        match self {
            Self::Text { shown, .. } => Value::String(shown),
            Self::Data(value) => value,
            Self::Marker(marker) => Value::String(marker),
            Self::Set(_) if below.is_empty() && more > 0 => format!("«set of {more}»").into(),
            Self::List(_) if below.is_empty() && more > 0 => format!("«list of {more}»").into(),
            Self::Set(_) => {
                let mut set = Map::new();
                for (step, value) in below {
                    if let Step::Name(name) = step {
                        set.insert(name, value);
                    }
                }
                if more > 0 {
                    set.insert(MORE.to_owned(), format!("«{more} more»").into());
                }
                set.into()
            }
            Self::List(_) => {
                let mut list: Vec<Value> = below.into_iter().map(|(_, value)| value).collect();
                if more > 0 {
                    list.push(format!("«{more} more»").into());
                }
                list.into()
            }
        }
    }
}

/// The beginning of a text, at most `most` bytes of it.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}
