//! `flake_inputs`: lists the flake's inputs, their locked revisions, and which follow others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::PageInput;
use super::{Context, Effect, Reach, Tool, ToolError};
use crate::flake::DeclaredInput;
use crate::flake::lock::{Lock, LockedInput, Reference, override_of, shown_reference};
use crate::names::{InputName, InputReference};
use crate::text;
use crate::time::Timestamp;

/// The tool `flake_inputs`.
pub struct FlakeInputs;

/// Seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The name in `follows` of an input that follows the flake itself; no input has this name.
const SELF_INPUT: &str = "self";

/// The arguments of `flake_inputs`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `flake_inputs`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Inputs with a problem first.
    inputs: Vec<FlakeInput>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An input of the flake, or of one of its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlakeInput {
    /// The path of the input, such as `home-manager/nixpkgs` for an input of an input.
    name: String,
    /// The source in flake.nix, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The locked commit, or the hash of the content if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Days since the content was last changed; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_days: Option<u64>,
    /// The input whose content it has; `self` is the flake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows: Option<String>,
    /// The reference that the settings have instead (`--override-input`, `nix.override_inputs`): its own, or that of the input
    /// that it follows or belongs to. `revision` is that of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overridden_by: Option<String>,
    /// Absent if none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<LockProblem>,
}

/// What is wrong with the lock of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LockProblem {
    /// flake.nix declares it, but flake.lock does not have it.
    NotLocked,
    /// Git does not track flake.lock, so Nix does not see it.
    LockUntracked,
    /// flake.lock has another source than flake.nix declares.
    Outdated,
    /// flake.lock has it, but flake.nix does not declare it.
    NotDeclared,
    /// The lock does not pin the content, such as for a Git tree with uncommitted changes.
    Unpinned,
    /// It follows an input that does not exist, or itself, or leads through too many others.
    FollowsNothing,
}

impl LockProblem {
    /// The problem and how to fix it.
    const fn explain(self) -> &'static str {
        match self {
            Self::NotLocked => "missing from flake.lock; lock it with `nix flake lock`",
            Self::LockUntracked => {
                "Git does not track flake.lock, so Nix does not see it; run `git add flake.lock`"
            }
            Self::Outdated => {
                "flake.nix declares another source than flake.lock; lock it again with `nix flake lock`"
            }
            Self::NotDeclared => {
                "in flake.lock, but flake.nix does not declare it; `nix flake lock` removes it"
            }
            Self::Unpinned => {
                "not locked to one content; commit its source, and lock it again with `nix flake update`"
            }
            Self::FollowsNothing => {
                "it follows an input that does not exist, or itself, or leads through too many others; correct `follows` in flake.nix"
            }
        }
    }
}

impl Tool for FlakeInputs {
    const NAME: &'static str = "flake_inputs";
    const TITLE: &'static str = "List flake inputs";
    const DESCRIPTION: &'static str = "Lists the flake's inputs and theirs: source, locked revision, age, which follow others, which \
        are missing from flake.lock.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let lock = context.flake().lock()?;
        let declared = context.flake().declared_inputs(&context.call).await?;
        let mut inputs = list_inputs(lock.as_ref(), &declared, Timestamp::now());
        override_inputs(&mut inputs, &context.flake().settings().override_inputs);
        if context.flake().has_untracked_lock() {
            let missing = inputs.iter_mut().filter(|input| input.problem == Some(LockProblem::NotLocked));
            missing.for_each(|input| input.problem = Some(LockProblem::LockUntracked));
        }
        inputs.sort_by_key(|input| (input.problem.is_none(), input.problem));
        let total = inputs.len();
        let page = input.page.select(inputs, 100)?;
        Ok(Output { inputs: page.entries, total, next_cursor: page.next_cursor })
    }

    fn render(output: &Output) -> String {
        if output.total == 0 {
            return "The flake has no inputs.".to_owned();
        }
        let mut lines = vec![format!("{} inputs, including inputs of inputs:", output.total)];
        lines.extend(output.inputs.iter().map(FlakeInput::line));
        if output.next_cursor.is_some() {
            lines.push("… call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}

impl FlakeInput {
    fn line(&self) -> String {
        let mark = if self.problem.is_some() { "✗" } else { "•" };
        let parts = [
            self.follows.as_deref().map(|follows| format!("follows {}", text::word(follows))),
            self.url.as_deref().map(|url| text::word(url).to_owned()),
            self.revision.as_deref().map(|revision| text::bounded(text::word(revision), 20)),
            self.age_days.map(|days| match days {
                1 => "1 day old".to_owned(),
                days => format!("{days} days old"),
            }),
            self.overridden_by
                .as_deref()
                .map(|reference| format!("overridden by the settings, which have {}", text::word(reference))),
            self.problem.map(|problem| problem.explain().to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{mark} {}: {}", text::word(&self.name), parts.join(", "))
    }
}

/// All inputs, each before its own inputs.
fn list_inputs(
    lock: Option<&Lock>,
    declared: &BTreeMap<String, DeclaredInput>,
    now: Timestamp,
) -> Vec<FlakeInput> {
    let locked = lock.map(Lock::inputs).unwrap_or_default();
    let mut found: Vec<FlakeInput> = locked.iter().map(|input| from_lock(input, declared, now)).collect();
    let is_locked = |name: &str| locked.iter().any(|input| input.path == [name]);
    let missing = declared.iter().filter(|(name, _)| !is_locked(name));
    found.extend(missing.map(|(name, declared)| FlakeInput {
        name: name.clone(),
        url: declared.reference.as_ref().map(Reference::url),
        revision: None,
        age_days: None,
        follows: declared.follows.as_deref().map(join_path),
        overridden_by: None,
        problem: Some(LockProblem::NotLocked),
    }));
    found
}

fn from_lock(
    input: &LockedInput<'_>,
    declared: &BTreeMap<String, DeclaredInput>,
    now: Timestamp,
) -> FlakeInput {
    let (locked, original) = input.node.map(|node| (&node.locked, &node.original)).unwrap_or((&None, &None));
    let modified = locked.as_ref().and_then(Reference::last_modified).and_then(Timestamp::from_unix);
    FlakeInput {
        name: input.path.join("/"),
        url: original.as_ref().or(locked.as_ref()).map(Reference::url),
        revision: locked.as_ref().and_then(|locked| locked.commit().or(locked.hash())).map(str::to_owned),
        age_days: modified.map(|modified| now.since(modified).as_secs() / DAY_SECONDS),
        follows: input.follows.map(join_path),
        overridden_by: None,
        problem: find_problem(input, declared),
    }
}

/// Tells which inputs have other contents than the locked ones. What a reference has is not known, because nothing is fetched: an
/// input of an input that is overridden has no revision.
fn override_inputs(inputs: &mut Vec<FlakeInput>, overrides: &BTreeMap<InputName, InputReference>) {
    let follows: BTreeMap<String, String> =
        inputs.iter().filter_map(|input| Some((input.name.clone(), input.follows.clone()?))).collect();
    for input in inputs.iter_mut() {
        let Some(replaced) = override_of(&input.name, &follows, overrides) else { continue };
        input.overridden_by = Some(shown_reference(replaced.reference));
        input.revision = replaced.reference.commit().filter(|_| replaced.is_whole()).map(str::to_owned);
        (input.age_days, input.problem) = (None, None);
    }
    let known = |name: &str| inputs.iter().any(|input| input.name == name);
    let more: Vec<FlakeInput> = overrides
        .iter()
        .filter(|(name, _)| !known(name.as_str()))
        .map(|(name, reference)| FlakeInput {
            name: name.to_string(),
            url: None,
            revision: reference.commit().map(str::to_owned),
            age_days: None,
            follows: None,
            overridden_by: Some(shown_reference(reference)),
            problem: None,
        })
        .collect();
    inputs.extend(more);
}

fn join_path(names: &[String]) -> String {
    if names.is_empty() { SELF_INPUT.to_owned() } else { names.join("/") }
}

/// The problem of an input that is in flake.lock; `None` if its lock is correct.
fn find_problem(input: &LockedInput<'_>, declared: &BTreeMap<String, DeclaredInput>) -> Option<LockProblem> {
    let mut names = input.path.iter();
    let mut declaration = names.next().and_then(|name| declared.get(*name));
    if declaration.is_none() {
        return (input.path.len() == 1).then_some(LockProblem::NotDeclared);
    }
    for name in names {
        declaration = declaration.and_then(|declaration| declaration.inputs.get(*name));
    }
    let is_outdated =
        declaration.is_some_and(|declaration| match (&declaration.follows, &declaration.reference) {
            (Some(follows), _) => input.follows != Some(follows),
            (None, Some(reference)) => {
                let original = input.node.and_then(|node| node.original.as_ref());
                input.follows.is_some() || original.is_none_or(|original| !original.is_same_source(reference))
            }
            (None, None) => false,
        }) || is_leftover_override(input, declaration);
    match (input.follows, input.node) {
        _ if is_outdated => Some(LockProblem::Outdated),
        (Some([_, ..]), None) => Some(LockProblem::FollowsNothing),
        (None, Some(node)) if !node.is_pinned() => Some(LockProblem::Unpinned),
        _ => None,
    }
}

/// Whether the lock file has an override that flake.nix no longer declares: the input of an input leads out of that
/// input, which only a `follows` in flake.nix can cause, and flake.nix has none.
fn is_leftover_override(input: &LockedInput<'_>, declaration: Option<&DeclaredInput>) -> bool {
    let is_declared =
        declaration.is_some_and(|declared| declared.follows.is_some() || declared.reference.is_some());
    !is_declared
        && input.path.len() > 1
        && input
            .follows
            .is_some_and(|follows| follows.first().map(String::as_str) != input.path.first().copied())
}
