//! The flake's hosts: `nixosConfigurations`, and the few facts of each host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Fingerprint, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::config::HostFile;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName, StorePath};
use crate::nix::diagnostics;
use crate::progress::Call;
use crate::text;

/// The output with the hosts.
pub const HOSTS: &str = "nixosConfigurations";

fn toplevel_question(name: &HostName) -> String {
    format!("toplevel {name}")
}

/// Whether a host's facts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactsState {
    /// All are known; the configuration does not set those that are absent.
    Known,
    /// They are not evaluated yet.
    Pending,
    /// Some or all could not be evaluated; `error` has the reason.
    Failed,
}

/// A host as its configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Its name in the flake.
    pub name: String,
    /// Whether the facts below are known.
    pub facts: FactsState,
    /// Its system, such as `x86_64-linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// `networking.hostName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// `system.stateVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_version: Option<String>,
    /// The address to deploy to: `pantheros.deploy.targetHost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its tags: `pantheros.deploy.tags`, and `tags` in the settings.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Why all or some facts could not be evaluated; `None` if all could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// The names of the facts that could not be evaluated; empty if none could.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// The errors of those facts in `unread` that failed for another reason than `error`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, Diagnostic>,
}

/// The disk layout of a host, as disko's probe returns it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DiskoFacts {
    /// The result of the probe.
    pub value: Value,
    /// The parts that failed to evaluate; they are marked in `value`.
    pub unread: Vec<UnreadPart>,
}

/// The names of the facts in the probe's result.
const FACTS: [&str; 5] = ["system", "host_name", "state_version", "target", "tags"];

impl Host {
    pub(super) fn without_facts(name: &str, facts: FactsState) -> Self {
        Self {
            name: name.to_owned(),
            facts,
            system: None,
            host_name: None,
            state_version: None,
            target: None,
            tags: Vec::new(),
            error: None,
            unread: Vec::new(),
            reasons: BTreeMap::new(),
        }
    }

    /// The error because of which its tags are not known; `None` if they are known.
    #[must_use]
    pub fn tags_error(&self) -> Option<&Diagnostic> {
        let concerned = self.unread.is_empty() || self.unread.iter().any(|fact| fact == "tags");
        self.reasons.get("tags").or(self.error.as_ref()).filter(|_| concerned)
    }

    /// The host from the answer of its probe.
    pub(super) fn from_answer(name: &str, answer: Result<Answer, Diagnostic>) -> Self {
        let mut host = Self::without_facts(name, FactsState::Known);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                host.facts = FactsState::Failed;
                host.error = Some(error);
                return host;
            }
        };
        for fact in FACTS {
            if let Some(part) = answer.unread.iter().find(|part| part.covers([fact])) {
                host.add_gap(fact, part.error.clone());
            }
        }
        for fact in FACTS {
            let value = answer.value.get(fact).cloned().unwrap_or_default();
            if let Err(error) = host.set(fact, value) {
                let attr = AttrPath::new([HOSTS, name, "config"]).to_string();
                let error =
                    Diagnostic::new(Code::TypeMismatch, format!("the host's {fact} has an unexpected type"))
                        .with_said(&error.to_string())
                        .with_attr(attr);
                host.add_gap(fact, error);
            }
        }
        host
    }

    fn set(&mut self, fact: &str, value: Value) -> Result<(), serde_json::Error> {
        match fact {
            "system" => self.system = serde_json::from_value(value)?,
            "host_name" => self.host_name = serde_json::from_value(value)?,
            "state_version" => self.state_version = serde_json::from_value(value)?,
            "target" => self.target = serde_json::from_value(value)?,
            _ => self.tags = serde_json::from_value::<Option<_>>(value)?.unwrap_or_default(),
        }
        Ok(())
    }

    fn add_gap(&mut self, fact: &str, error: Diagnostic) {
        self.facts = FactsState::Failed;
        self.unread.push(fact.to_owned());
        let first = self.error.get_or_insert_with(|| error.clone());
        if *first != error {
            self.reasons.insert(fact.to_owned(), error);
        }
    }

    /// Adds from the settings what the configuration does not define.
    pub(super) fn fill(&mut self, set: &HostFile) {
        if self.target.is_none() {
            self.target = set.target_host.as_ref().map(ToString::to_string);
        }
        // Tags of both are joined: a selection by a tag must not miss a host because the other source lacks the tag.
        for tag in &set.tags {
            if !self.tags.contains(tag) {
                self.tags.push(tag.clone());
            }
        }
    }
}

impl Flake {
    /// The names of all hosts, sorted. A flake without any has an empty list.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn host_names(&self, call: &Call) -> Result<Vec<String>, FlakeError> {
        self.ask_function("flake", "outputs: builtins.attrNames (outputs.nixosConfigurations or { })", call)
            .await
    }

    /// Requires that the flake has this host.
    ///
    /// # Errors
    /// [`FlakeError::UnknownHost`] with similar names, and those of [`Flake::host_names`].
    pub async fn require_host(&self, name: &HostName, call: &Call) -> Result<(), FlakeError> {
        let names = self.host_names(call).await?;
        if names.iter().any(|known| known == name.as_str()) {
            return Ok(());
        }
        Err(FlakeError::UnknownHost {
            name: name.to_string(),
            nearest: text::nearest(name.as_str(), names.iter().map(String::as_str), 3),
            count: names.len(),
        })
    }

    /// Turns the failure of an evaluation of a host into an error: that the host does not exist, if that is the cause.
    ///
    /// This is checked after the failure, so that a call about an existing host costs one evaluation, not two.
    ///
    /// # Errors
    /// Always: [`FlakeError::UnknownHost`], or [`FlakeError::Evaluation`] with `diagnostic`.
    pub async fn explain<T>(
        &self,
        name: &HostName,
        diagnostic: Diagnostic,
        call: &Call,
    ) -> Result<T, FlakeError> {
        if matches!(diagnostic.code, Code::MissingAttribute | Code::UnknownOutput) {
            self.require_host(name, call).await?;
        }
        Err(FlakeError::Evaluation(Box::new(self.explain_lock(diagnostic))))
    }

    /// The disk layouts of these hosts, each with its own error.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn disko_facts(
        &self,
        hosts: &[HostName],
        call: &Call,
    ) -> Result<Vec<Result<DiskoFacts, FlakeError>>, FlakeError> {
        let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
        // One process evaluates several hosts, which share nixpkgs.
        let answers = self
            .remembered(&format!("disko {}", names.join(" ")), call, |flake| async move {
                call.report_message(match hosts {
                    [only] => format!("evaluating {only}"),
                    several => format!("evaluating the disks of {} hosts", several.len()),
                });
                let question = |host: &HostName| Question::new([HOSTS, host.as_str()], "disko");
                let questions = hosts.iter().map(question).collect();
                let mut answers = flake.ask("hosts", questions, Instantiate::No, call).await?;
                for answer in answers.iter_mut().flatten() {
                    flake.show_places(&mut answer.value);
                }
                Ok(answers)
            })
            .await?;
        let mut facts = Vec::new();
        for (host, answer) in hosts.iter().zip(answers) {
            facts.push(match answer {
                Ok(Answer { value, unread }) => Ok(DiskoFacts { value, unread }),
                Err(diagnostic) => self.explain(host, diagnostic, call).await,
            });
        }
        Ok(facts)
    }

    /// Makes the files of the places in the result of disko's probe relative to the flake.
    fn show_places(&self, value: &mut Value) {
        let source = self.source();
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        for place in value.get_mut("places").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::String(file)) = place.get_mut("file") {
                let known =
                    shown.entry(file.clone()).or_insert_with(|| diagnostics::shown_file(file, &source));
                file.clone_from(known);
            }
        }
    }

    /// The store path of a host's toplevel. Nothing is built.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn toplevel_of(&self, name: &HostName, call: &Call) -> Result<StorePath, FlakeError> {
        self.remembered(&toplevel_question(name), call, |flake| async move {
            call.report_message(format!("evaluating {name}"));
            let question = Question::new([HOSTS, name.as_str()], "toplevel");
            let answer = match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
                Some(Ok(answer)) => answer.value,
                Some(Err(diagnostic)) => return flake.explain(name, diagnostic, call).await,
                None => Value::Null,
            };
            toplevel(name, &answer)
        })
        .await
    }

    /// Caches the toplevel of a host that was built, unless the flake has changed since `before`.
    ///
    /// # Errors
    /// See [`Flake::remember`].
    pub async fn learn_toplevel(
        &self,
        name: &HostName,
        before: Option<&Fingerprint>,
        toplevel: &StorePath,
    ) -> Result<(), FlakeError> {
        self.remember(&toplevel_question(name), before, toplevel).await
    }

    /// The store path of the derivation at `attr`; `None` if the attribute is none.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn derivation_of(&self, attr: &AttrPath, call: &Call) -> Result<Option<String>, FlakeError> {
        let question = Question::new(attr.components().iter().cloned(), "derivation");
        let answer = self.ask_one("hosts", question, Instantiate::No, call).await?;
        Ok(answer.get("drv_path").and_then(Value::as_str).map(str::to_owned))
    }
}

/// The toplevel of a host from the result of its probe.
///
/// # Errors
/// [`FlakeError::Evaluation`] if the result is no store path.
pub fn toplevel(name: &HostName, answer: &Value) -> Result<StorePath, FlakeError> {
    answer.as_str().and_then(|path| path.parse().ok()).ok_or_else(|| {
        let attr = AttrPath::new([HOSTS, name.as_str(), "config", "system", "build", "toplevel"]);
        FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, "the host's toplevel is not a store path")
                .with_said(&text::bounded(&answer.to_string(), 200))
                .with_attr(attr.to_string()),
        ))
    })
}

/// The strings of a JSON list.
pub(super) fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::is_cacheable;
    use super::*;

    #[test]
    fn tags_behind_what_was_given_up_are_not_known() {
        let error = || Diagnostic::new(Code::TimedOut, "too long");
        let of = |rest: bool| {
            let unread = vec![UnreadPart { rest, ..UnreadPart::new(["host_name"], error()) }];
            Host::from_answer("web", Ok(Answer { value: Value::Null, unread }))
        };
        assert_eq!(of(false).unread, ["host_name"]);
        assert!(of(false).tags_error().is_none());
        assert_eq!(of(true).unread, ["system", "host_name", "state_version", "target", "tags"]);
        assert!(of(true).tags_error().is_some());
    }

    #[test]
    fn each_fact_has_its_own_reason() {
        let part = |name: &str, said: &str| UnreadPart::new([name], Diagnostic::new(Code::Throw, said));
        let unread = vec![part("host_name", "one"), part("tags", "another"), part("target", "one")];
        let mut answer = Ok(Answer { value: Value::Null, unread });
        let host = Host::from_answer("web", answer.clone());
        assert_eq!(host.error.as_ref().map(|error| &*error.message), Some("one"));
        assert_eq!(host.tags_error().map(|error| &*error.message), Some("another"));
        assert_eq!(host.reasons.keys().collect::<Vec<_>>(), ["tags"]);
        // An error that may disappear by itself is evaluated again.
        assert!(is_cacheable(&answer));
        answer.as_mut().unwrap().unread[1].error.transient = true;
        assert!(!is_cacheable(&answer));
    }
}
