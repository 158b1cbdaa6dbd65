//! The facts of all hosts. Calls share one evaluation, and each host is cached separately.
//!
//! Evaluating a fleet takes minutes, a single host seconds. So at most one evaluation of the fleet runs at a time: a call that
//! needs all facts starts it or waits for it, and a call that must not wait gets the facts that are known.

mod evaluation;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::evaluate::is_cacheable;
use super::hosts::{FactsState, HOSTS, Host};
use super::{Answer, AskOptions, Fingerprint, Flake, FlakeError, Instantiate, Question};
use crate::diagnostic::Diagnostic;
use crate::names::HostName;
use crate::nix::{NixError, program};
use crate::process::ProcessError;
use crate::progress::{Call, NoProgress};

use evaluation::{Claim, EndGuard, FlakeState};

pub use evaluation::FleetEvaluation;
pub(super) use evaluation::FleetEvaluations;

/// How long results that are not cached stay valid after their evaluation: transient failures, and the facts of a flake whose
/// fingerprint is not [whole](Fingerprint::is_whole).
const KEPT: Duration = Duration::from_secs(30);
/// Most evaluations in a row, until the flake does not change during one.
const ATTEMPTS: usize = 3;
/// Most hosts cached after one check that the flake has not changed.
const BATCH: usize = 32;

fn question_about(name: &str) -> String {
    format!("facts of host {name}")
}

/// All hosts, with the facts that are known.
#[derive(Debug)]
pub struct Fleet {
    /// Every host, sorted by name.
    pub hosts: Vec<Host>,
    /// Time since the evaluation began, if later changes may have gone unnoticed; `None` if every change is noticed.
    pub unnoticed: Option<Duration>,
    /// The state of the flake.
    of: FlakeState,
}

impl Fleet {
    /// The state of the flake, as an opaque text.
    #[must_use]
    pub fn state(&self) -> String {
        self.of.name()
    }

    fn pending(&self) -> Vec<String> {
        let pending = self.hosts.iter().filter(|host| host.facts == FactsState::Pending);
        pending.map(|host| host.name.clone()).collect()
    }
}

impl Flake {
    /// All hosts with their facts. A host that fails to evaluate has its error instead.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn hosts(&self, call: &Call) -> Result<Vec<Host>, FlakeError> {
        Ok(self.hosts_of_state(call).await?.0)
    }

    /// As [`Flake::hosts`], with the state of the flake; `None` if it cannot be determined.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn hosts_of_state(&self, call: &Call) -> Result<(Vec<Host>, Option<String>), FlakeError> {
        self.require()?;
        let began = Instant::now();
        for _ in 0..ATTEMPTS {
            // Without a whole fingerprint, no evaluation can be shared.
            let Some(fingerprint) = self.fingerprint().await else { break };
            let mut fleet = self.fleet_since(Some(began), fingerprint, call).await?;
            let pending = fleet.pending();
            let state = Some(fleet.state());
            if pending.is_empty() {
                return Ok((fleet.hosts, state));
            }
            match self.fleet_evaluations.claim(&fleet.of, pending) {
                Claim::New(evaluation) => {
                    let _ending = EndGuard(Arc::clone(&evaluation));
                    let found = tokio::select! {
                        found = self.evaluate_fleet(&evaluation, call) => found?,
                        () = evaluation.outdated.cancelled() => continue,
                    };
                    // Some hosts were evaluated before the flake changed, others after.
                    if evaluation.outdated.is_cancelled() {
                        continue;
                    }
                    for host in &mut fleet.hosts {
                        if let Some(known) = found.get(&host.name) {
                            *host = self.filled(known.clone());
                        }
                    }
                    return Ok((fleet.hosts, state));
                }
                Claim::Running(evaluation) => evaluation.wait(call).await?,
            }
        }
        // Nothing can be shared for a flake that keeps changing either.
        let names = self.host_names(call).await?;
        let answers = self.ask("hosts", questions(&names), Instantiate::No, call).await?;
        let described = names.iter().zip(answers).map(|(name, answer)| Host::from_answer(name, answer));
        Ok((described.map(|host| self.filled(host)).collect(), None))
    }

    /// All hosts, with the facts that are known without evaluating any; `None` if the state of the flake cannot be
    /// determined.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn fleet(&self, call: &Call) -> Result<Option<Fleet>, FlakeError> {
        self.require()?;
        let Some(fingerprint) = self.outer_fingerprint().await else { return Ok(None) };
        self.fleet_since(Instant::now().checked_sub(KEPT), fingerprint, call).await.map(Some)
    }

    /// The fleet in this state, with the results of an evaluation that ended after `since`, or of one that is running. If the
    /// flake has changed meanwhile, the next evaluation notices.
    async fn fleet_since(
        &self,
        since: Option<Instant>,
        fingerprint: Fingerprint,
        call: &Call,
    ) -> Result<Fleet, FlakeError> {
        let names = self.host_names(call).await?;
        let of = FlakeState { reference: self.reference(), fingerprint };
        let identity = program::identity(self.nix.find().await?);
        let last = self.fleet_evaluations.last(&of, since);
        if let Some(evaluation) = &last {
            call.imported.add_all(&evaluation.imported);
        }
        let mut found = last.as_ref().map(|evaluation| evaluation.found().clone()).unwrap_or_default();
        let unnoticed =
            last.filter(|_| !of.fingerprint.is_whole()).map(|evaluation| evaluation.began.elapsed());
        let hosts = names.into_iter().map(|name| {
            let known =
                found.remove(&name).or_else(|| self.remembered_host(&identity, &of.fingerprint, &name));
            known.map_or_else(|| Host::without_facts(&name, FactsState::Pending), |host| self.filled(host))
        });
        let hosts = hosts.collect();
        Ok(Fleet { hosts, unnoticed, of })
    }

    /// Returns a future that evaluates the facts missing in `fleet`; `None` if none is missing or they are being evaluated.
    #[must_use]
    pub fn complete(
        &self,
        fleet: &Fleet,
        stop: &CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let pending = fleet.pending();
        if pending.is_empty() {
            return None;
        }
        let Claim::New(evaluation) = self.fleet_evaluations.claim(&fleet.of, pending) else { return None };
        let (flake, stop) = (self.clone(), stop.child_token());
        // Created outside of the future, so that the evaluation ends even if the future never runs.
        let ending = EndGuard(Arc::clone(&evaluation));
        Some(async move {
            let _ending = ending;
            let call = Call::new(Arc::new(NoProgress), stop);
            let evaluated = async {
                match flake.evaluate_fleet(&evaluation, &call).await {
                    // The hosts were added as they were evaluated.
                    Ok(_) | Err(FlakeError::Nix(NixError::Process(ProcessError::Cancelled))) => {}
                    Err(error) => {
                        let error = Diagnostic::from(&error);
                        let mut left = evaluation.names.clone();
                        left.retain(|name| !evaluation.found().contains_key(name));
                        evaluation
                            .add_hosts(left.iter().map(|name| Host::from_answer(name, Err(error.clone()))));
                    }
                }
            };
            tokio::select! {
                () = evaluated => {}
                () = evaluation.outdated.cancelled() => {}
            }
        })
    }

    /// The facts of one host.
    ///
    /// # Errors
    /// See [`FlakeError`], among them [`FlakeError::UnknownHost`].
    pub async fn host(&self, name: &HostName, call: &Call) -> Result<Host, FlakeError> {
        self.require_host(name, call).await?;
        let question = question_about(name.as_str());
        let found = self.remembered(&question, call, |flake| async move {
            call.report_message(format!("evaluating {name}"));
            let question = Question::new([HOSTS, name.as_str()], "host_facts");
            let answer = flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop();
            Ok(Host::from_answer(name.as_str(), answer.unwrap_or_else(|| Ok(Answer::default()))))
        });
        Ok(self.filled(found.await?))
    }

    /// Runs an evaluation. Each host is published and cached as soon as it is evaluated.
    async fn evaluate_fleet(
        &self,
        evaluation: &FleetEvaluation,
        call: &Call,
    ) -> Result<HashMap<String, Host>, FlakeError> {
        // The previous evaluation may still be ending.
        let _turn = self.wait_for_turn(&format!("{} facts of all hosts", self.reference()), call).await?;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let evaluated = async move {
            let names = &evaluation.names;
            let on_answer = move |index: usize, answer: &Result<Answer, Diagnostic>| {
                if let Some(name) = names.get(index) {
                    // If the receiver is gone, the answer is still in the result.
                    drop(sender.send((Host::from_answer(name, answer.clone()), is_cacheable(answer))));
                }
            };
            let options =
                AskOptions { on_answer: Some(&on_answer), ..AskOptions::new("hosts", Instantiate::No) };
            let call = Call { imported: evaluation.imported.clone(), ..call.clone() };
            self.ask_with(&options, questions(names), &call).await
        };
        let remembered = async {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, BATCH).await > 0 {
                let found = std::mem::take(&mut batch);
                if !evaluation.outdated.is_cancelled() && !self.publish(evaluation, found).await {
                    evaluation.outdated.cancel();
                }
            }
        };
        let (round, ()) = futures::future::join(evaluated, remembered).await;
        call.imported.add_all(&evaluation.imported);
        let names = evaluation.names.iter();
        let described = names.zip(round?.answers).map(|(name, answer)| Host::from_answer(name, answer));
        Ok(described.map(|host| (host.name.clone(), host)).collect())
    }

    /// Publishes and caches hosts, unless the flake has changed; returns whether it did so. Each host comes with whether it may
    /// be cached.
    async fn publish(&self, evaluation: &FleetEvaluation, found: Vec<(Host, bool)>) -> bool {
        let Ok(program) = self.nix.find().await else { return false };
        let fingerprint = &evaluation.of.fingerprint;
        if !self.is_untouched_since(fingerprint).await {
            return false;
        }
        let identity = program::identity(program);
        for (host, _) in found.iter().filter(|(_, is_cacheable)| fingerprint.is_whole() && *is_cacheable) {
            self.cache.put(&self.key(&identity, fingerprint, &question_about(&host.name)), host);
        }
        evaluation.add_hosts(found.into_iter().map(|(host, _)| host));
        true
    }

    fn remembered_host(&self, identity: &str, of: &Fingerprint, name: &str) -> Option<Host> {
        if !of.is_whole() {
            return None;
        }
        self.cache.get(&self.key(identity, of, &question_about(name)))
    }

    /// The host, completed by the settings.
    fn filled(&self, mut host: Host) -> Host {
        let name = host.name.parse::<HostName>().ok();
        if let Some(set) = name.and_then(|name| self.settings.hosts.get(&name)) {
            host.fill(set);
        }
        host
    }
}

fn questions(names: &[String]) -> Vec<Question> {
    names.iter().map(|name| Question::new([HOSTS, name.as_str()], "host_facts")).collect()
}
