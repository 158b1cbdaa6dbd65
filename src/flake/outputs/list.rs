//! Lists the elements of a flake's outputs. A set that cannot be listed hides nothing beside it.

use serde_json::Value;

use super::{Leaf, RULES, Rule, Shape};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::evaluate::{Answers, AskOptions};
use crate::flake::hosts::names;
use crate::flake::{Answer, Flake, FlakeError, Instantiate, Question};
use crate::names::AttrPath;
use crate::progress::Call;

/// Options for listing outputs.
#[derive(Clone, Copy)]
pub struct ListOptions<'a> {
    /// Whether derivations are written to the store.
    pub instantiate: Instantiate,
    /// Called with the attribute that is being listed and a warning that Nix prints meanwhile.
    pub on_warning: &'a (dyn Fn(&str, &str) + Send + Sync),
    /// The call, for progress and cancellation.
    pub call: &'a Call,
}

impl ListOptions<'_> {
    /// Asks questions and forwards warnings with the attribute of their question.
    async fn ask(
        &self,
        flake: &Flake,
        what: &str,
        questions: Vec<Question>,
        instantiate: Instantiate,
    ) -> Result<Answers, FlakeError> {
        let attrs: Vec<String> = questions
            .iter()
            .map(|question| AttrPath::new(question.path.iter().cloned()).to_string())
            .collect();
        let on_warning = |index: usize, said: String| {
            if let Some(attr) = attrs.get(index) {
                (self.on_warning)(attr, &said);
            }
        };
        let options = AskOptions { on_warning: Some(&on_warning), ..AskOptions::new(what, instantiate) };
        Ok(flake.ask_with(&options, questions, self.call).await?.answers)
    }
}

impl Flake {
    /// All elements of the outputs whose rules are `wanted`, in the order of [`RULES`].
    ///
    /// A set that cannot be listed becomes one leaf with an error, and does not affect other sets.
    ///
    /// # Errors
    /// See [`FlakeError`]. It is also an error if the names of the outputs cannot be listed.
    pub async fn leaves(
        &self,
        wanted: impl Fn(Rule) -> bool,
        listing: ListOptions<'_>,
    ) -> Result<Vec<Leaf>, FlakeError> {
        let ListOptions { instantiate, call, .. } = listing;
        call.report_message("evaluating the flake");
        let top = self.ask_one("flake", Question::new::<&str>([], "names"), instantiate, call).await?;
        let mut top: Vec<(String, Rule)> =
            names(&top).into_iter().map(|name| (name.clone(), Rule::of(&name))).collect();
        top.retain(|(_, rule)| wanted(*rule));
        let rank =
            |rule: &Rule| RULES.iter().position(|other| other.output == rule.output).unwrap_or(RULES.len());
        top.sort_by_key(|(_, rule)| rank(rule));

        let question = |path: Vec<String>, shape: Shape| match shape {
            Shape::PerSystemNamed => Some(Question::new(path, "outline")),
            Shape::Named | Shape::PerSystem | Shape::Systems => Some(Question::new(path, "names")),
            Shape::Single | Shape::Opaque | Shape::Nested => None,
        };
        let questions: Vec<Question> =
            top.iter().filter_map(|(name, rule)| question(vec![name.clone()], rule.shape)).collect();
        let mut answers = listing.ask(self, "outputs", questions, instantiate).await?.into_iter();

        let mut leaves = Vec::new();
        let mut unlisted = Vec::new();
        for (name, rule) in top {
            let answer = match rule.shape {
                Shape::Single | Shape::Opaque => {
                    leaves.push(Leaf { path: vec![name], rule, system: None, error: None });
                    continue;
                }
                Shape::Nested => {
                    leaves.extend(self.jobs(name, rule, listing).await?);
                    continue;
                }
                _ => answers.next().unwrap_or_else(|| Ok(Answer::default())).map(|answer| answer.value),
            };
            match (answer, rule.shape) {
                (Ok(value), Shape::PerSystemNamed) => {
                    for (system, below) in value.as_object().into_iter().flatten() {
                        leaves.extend(system_leaf(&name, rule, system));
                        leaves.extend(named_leaves(&name, rule, system, &names(below)));
                    }
                }
                (Ok(value), Shape::Named) => {
                    leaves.extend(names(&value).into_iter().map(|below| Leaf {
                        path: vec![name.clone(), below],
                        rule,
                        system: None,
                        error: None,
                    }));
                }
                (Ok(value), _) => leaves.extend(names(&value).into_iter().map(|system| {
                    system_leaf(&name, rule, &system).unwrap_or_else(|| Leaf {
                        path: vec![name.clone(), system.clone()],
                        rule,
                        system: Some(system),
                        error: None,
                    })
                })),
                // It may be that only one system fails: list each separately.
                (Err(_), Shape::PerSystemNamed) => unlisted.push((name, rule)),
                (Err(error), _) => {
                    leaves.push(Leaf { path: vec![name], rule, system: None, error: Some(error) });
                }
            }
        }
        for (name, rule) in unlisted {
            leaves.extend(self.leaves_by_system(&name, rule, listing).await?);
        }
        leaves.sort_by_key(|leaf| rank(&leaf.rule));
        Ok(leaves)
    }

    /// Lists an output, which cannot be listed as a whole, system by system.
    async fn leaves_by_system(
        &self,
        name: &str,
        rule: Rule,
        listing: ListOptions<'_>,
    ) -> Result<Vec<Leaf>, FlakeError> {
        let broken = |path: Vec<String>, system: Option<String>, error| Leaf {
            path,
            rule,
            system,
            error: Some(error),
        };
        let instantiate = listing.instantiate;
        let question = Question::new([name], "names");
        let systems = match listing.ask(self, "outputs", vec![question], instantiate).await?.pop() {
            Some(Ok(systems)) => names(&systems.value),
            Some(Err(error)) => return Ok(vec![broken(vec![name.to_owned()], None, error)]),
            None => return Ok(Vec::new()),
        };
        let questions = systems.iter().map(|system| Question::new([name, system], "names")).collect();
        let answers = listing.ask(self, "outputs", questions, instantiate).await?;
        let mut leaves = Vec::new();
        for (system, answer) in systems.into_iter().zip(answers) {
            match answer {
                Ok(below) => {
                    leaves.extend(system_leaf(name, rule, &system));
                    leaves.extend(named_leaves(name, rule, &system, &names(&below.value)));
                }
                Err(error) => {
                    leaves.push(broken(vec![name.to_owned(), system.clone()], Some(system), error));
                }
            }
        }
        Ok(leaves)
    }
}

impl Flake {
    /// All jobs below an output, at any depth. A set that cannot be listed does not affect other sets.
    async fn jobs(
        &self,
        output: String,
        rule: Rule,
        listing: ListOptions<'_>,
    ) -> Result<Vec<Leaf>, FlakeError> {
        let instantiate = listing.instantiate.for_jobs();
        let mut leaves = Vec::new();
        let mut sets = vec![vec![output]];
        while !sets.is_empty() {
            let questions = |probe| sets.iter().map(|path| Question::new(path.clone(), probe)).collect();
            let answers = listing.ask(self, "jobs", questions("jobs"), instantiate).await?;
            let mut broken = Vec::new();
            for (path, answer) in std::mem::take(&mut sets).into_iter().zip(answers) {
                match answer {
                    Ok(answer) => collect_jobs(path, &answer.value, rule, &mut leaves),
                    Err(error) => broken.push((path, error)),
                }
            }
            // An error in a set is also one of the sets around it, so only the innermost set reports it.
            let questions = broken.iter().map(|(path, _)| Question::new(path.clone(), "names")).collect();
            let answers = listing.ask(self, "jobs", questions, instantiate).await?;
            for ((path, error), answer) in broken.into_iter().zip(answers) {
                let below = answer.map(|answer| names(&answer.value)).unwrap_or_default();
                if below.is_empty() || path.len() > JOBS_DEPTH || sets.len() + below.len() > JOBS_SETS {
                    leaves.push(Leaf { path, rule, system: None, error: Some(error) });
                    continue;
                }
                sets.extend(below.into_iter().map(|name| [path.clone(), vec![name]].concat()));
            }
        }
        Ok(leaves)
    }
}

/// Greatest depth of a set of jobs that is listed part by part.
const JOBS_DEPTH: usize = 8;
/// Most sets of jobs that are listed part by part at once.
const JOBS_SETS: usize = 500;

fn collect_jobs(path: Vec<String>, value: &Value, rule: Rule, leaves: &mut Vec<Leaf>) {
    let Some(below) = value.as_object() else {
        let error = (path.len() == 1).then(|| {
            Diagnostic::new(Code::TypeMismatch, "this is a job, but a set of jobs is expected here")
                .with_hint("give it a name: `hydraJobs.NAME = …;`")
        });
        leaves.push(Leaf { path, rule, system: None, error });
        return;
    };
    for (name, value) in below {
        collect_jobs([path.clone(), vec![name.clone()]].concat(), value, rule, leaves);
    }
}

/// The error if a name is no system (`checkSystemName` in `src/nix/flake.cc`); `None` if it is one.
fn no_system(name: &str) -> Option<Diagnostic> {
    (!name.contains('-')).then(|| {
        let name = crate::text::bounded(name, 200);
        Diagnostic::new(
            Code::TypeMismatch,
            format!(
                "`{}` is not a system, but the name of a system is expected here",
                crate::text::word(&name)
            ),
        )
        .with_hint(
            "this output has an attribute for each system: put the value below one, such as x86_64-linux",
        )
    })
}

/// The leaf with the error for a name that is no system; `None` if it is one.
fn system_leaf(output: &str, rule: Rule, system: &str) -> Option<Leaf> {
    let error = Some(no_system(system)?);
    Some(Leaf { path: vec![output.to_owned(), system.to_owned()], rule, system: None, error })
}

fn named_leaves<'a>(
    output: &'a str,
    rule: Rule,
    system: &'a str,
    below: &'a [String],
) -> impl Iterator<Item = Leaf> + use<'a> {
    below.iter().map(move |name| Leaf {
        path: vec![output.to_owned(), system.to_owned(), name.clone()],
        rule,
        system: Some(system.to_owned()),
        error: None,
    })
}
