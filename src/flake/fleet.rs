//! The facts of all hosts: evaluated once for all who ask, each host remembered on its own.
//!
//! A fleet takes minutes where a host takes seconds. So there is at most one evaluation of it at a time; whoever
//! wants all facts begins it or waits for the one under way, and whoever does not want to wait has what is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::evaluate::is_cacheable;
use super::hosts::{FactsState, HOSTS, Host};
use super::{Answer, AskOptions, Fingerprint, Flake, FlakeError, Instantiate, Question};
use crate::diagnostic::Diagnostic;
use crate::names::HostName;
use crate::nix::{NixError, program};
use crate::process::ProcessError;
use crate::progress::{Call, ImportedDerivations, NoProgress, Update};

/// How long what is not remembered is told after its evaluation: a failure that is no property of the flake, and the
/// facts of a flake that reads more than is known of it.
const KEPT: Duration = Duration::from_secs(30);
/// Evaluations that are waited for or made, one after the other, until one is of a flake that did not change meanwhile.
const ATTEMPTS: usize = 3;
/// Most states of the flake, as it lies in its folder and as its commits have it, whose evaluations are known.
const STATES: usize = 4;
/// Most answers remembered after one look at the flake.
const BATCH: usize = 32;

fn question_about(name: &str) -> String {
    format!("facts of host {name}")
}

/// The evaluations of the fleet that are under way, or were the last: one as the flake lies in its folder, and one for
/// each commit, the newest last.
#[derive(Debug, Default)]
pub(super) struct FleetEvaluations(Mutex<Vec<Arc<FleetEvaluation>>>);

/// One evaluation of the facts that were not known.
#[derive(Debug)]
pub struct FleetEvaluation {
    /// The flake as it was.
    of: FlakeState,
    names: Vec<String>,
    began: Instant,
    found: Mutex<HashMap<String, Host>>,
    progress: watch::Sender<FleetProgress>,
    /// What was built for it.
    imported: ImportedDerivations,
    /// Cancelled when nobody can want it any more.
    outdated: CancellationToken,
}

/// A flake as it was at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FlakeState {
    reference: String,
    fingerprint: Fingerprint,
}

impl FlakeState {
    fn name(&self) -> String {
        format!("{} {}", self.fingerprint.as_str(), self.reference)
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default)]
struct FleetProgress {
    done: usize,
    ended: Option<Instant>,
}

/// The fleet with the facts that are known.
#[derive(Debug)]
pub struct Fleet {
    /// Every host, sorted by name.
    pub hosts: Vec<Host>,
    /// How long ago their evaluation began, if not every change since then would be noticed.
    pub unnoticed: Option<Duration>,
    /// The flake they are of.
    of: FlakeState,
}

impl Fleet {
    /// The state of the flake they are of.
    #[must_use]
    pub fn state(&self) -> String {
        self.of.name()
    }

    fn pending(&self) -> Vec<String> {
        let pending = self.hosts.iter().filter(|host| host.facts == FactsState::Pending);
        pending.map(|host| host.name.clone()).collect()
    }
}

/// Whose turn it is to evaluate.
enum Claim {
    /// Ours.
    New(Arc<FleetEvaluation>),
    /// Somebody else's, who is at it.
    Running(Arc<FleetEvaluation>),
}

impl FleetEvaluation {
    fn found(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> FleetProgress {
        *self.progress.borrow()
    }

    fn add_hosts(&self, hosts: impl IntoIterator<Item = Host>) {
        let mut found = self.found();
        found.extend(hosts.into_iter().map(|host| (host.name.clone(), host)));
        let done = found.len();
        drop(found);
        self.progress.send_modify(|progress| progress.done = done);
    }

    /// Waits for its end, and tells how far it is.
    async fn wait(&self, call: &Call) -> Result<(), FlakeError> {
        let mut progress = self.progress.subscribe();
        loop {
            let FleetProgress { done, ended } = *progress.borrow_and_update();
            if ended.is_some() {
                return Ok(());
            }
            let total = self.names.len();
            call.progress.report(Update {
                message: format!("evaluated {done} of {total} hosts"),
                done: done as u64,
                total: Some(total as u64),
            });
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { return Ok(()) },
                () = call.cancel.cancelled() => {
                    return Err(NixError::from(ProcessError::Cancelled).into());
                }
            }
        }
    }
}

/// Says that an evaluation ended, however it did.
struct EndGuard(Arc<FleetEvaluation>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.progress.send_modify(|progress| progress.ended = Some(Instant::now()));
    }
}

impl FleetEvaluations {
    fn current(&self) -> MutexGuard<'_, Vec<Arc<FleetEvaluation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one under way for the flake as it is, or a new one for these hosts.
    fn claim(&self, of: &FlakeState, names: Vec<String>) -> Claim {
        let mut current = self.current();
        if let Some(place) = current.iter().position(|evaluation| evaluation.of.reference == of.reference) {
            let evaluation = current.remove(place);
            if evaluation.of == *of && evaluation.progress().ended.is_none() {
                current.push(Arc::clone(&evaluation));
                return Claim::Running(evaluation);
            }
            evaluation.outdated.cancel();
        }
        let evaluation = Arc::new(FleetEvaluation {
            of: of.clone(),
            names,
            began: Instant::now(),
            found: Mutex::default(),
            progress: watch::Sender::new(FleetProgress::default()),
            imported: ImportedDerivations::default(),
            outdated: CancellationToken::new(),
        });
        current.push(Arc::clone(&evaluation));
        if current.len() > STATES {
            current.remove(0);
        }
        Claim::New(evaluation)
    }

    /// The last one of this flake, if that ended after `since` or is still under way.
    fn last(&self, of: &FlakeState, since: Option<Instant>) -> Option<Arc<FleetEvaluation>> {
        let current = self.current();
        let last = current.iter().find(|evaluation| {
            let ended = evaluation.progress().ended;
            evaluation.of == *of && ended.is_none_or(|ended| since.is_none_or(|since| ended >= since))
        });
        last.map(Arc::clone)
    }
}

impl Flake {
    /// Every host with its facts; one that does not evaluate has its error in their place.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn hosts(&self, call: &Call) -> Result<Vec<Host>, FlakeError> {
        Ok(self.hosts_of_state(call).await?.0)
    }

    /// The same, with the state of the flake they are of, where that can be told.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn hosts_of_state(&self, call: &Call) -> Result<(Vec<Host>, Option<String>), FlakeError> {
        self.require()?;
        let began = Instant::now();
        for _ in 0..ATTEMPTS {
            // Of a flake that reads more than is known of it, nothing can be shared.
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
                    // Some were evaluated before the flake changed, and some after.
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
        // Nor can it of one that changes all the time.
        let names = self.host_names(call).await?;
        let answers = self.ask("hosts", questions(&names), Instantiate::No, call).await?;
        let described = names.iter().zip(answers).map(|(name, answer)| Host::described(name, answer));
        Ok((described.map(|host| self.filled(host)).collect(), None))
    }

    /// Every host, with the facts that are known without evaluating any; `None` if it cannot be told whether the flake
    /// changed.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn fleet(&self, call: &Call) -> Result<Option<Fleet>, FlakeError> {
        self.require()?;
        let Some(fingerprint) = self.outer_fingerprint().await else { return Ok(None) };
        self.fleet_since(Instant::now().checked_sub(KEPT), fingerprint, call).await.map(Some)
    }

    /// The fleet of this state, with what an evaluation that ended after `since` found. If the flake has changed by now,
    /// whoever evaluates the rest finds out.
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
            let known = found.remove(&name).or_else(|| self.recalled(&identity, &of.fingerprint, &name));
            known.map_or_else(|| Host::without_facts(&name, FactsState::Pending), |host| self.filled(host))
        });
        let hosts = hosts.collect();
        Ok(Fleet { hosts, unnoticed, of })
    }

    /// Has the facts that `fleet` lacks evaluated, where nobody is at it already: what to run for that.
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
        // Made here, so that it has ended even where it is never run.
        let ending = EndGuard(Arc::clone(&evaluation));
        Some(async move {
            let _ending = ending;
            let call = Call::new(Arc::new(NoProgress), stop);
            let evaluated = async {
                match flake.evaluate_fleet(&evaluation, &call).await {
                    // All of it was told on the way.
                    Ok(_) | Err(FlakeError::Nix(NixError::Process(ProcessError::Cancelled))) => {}
                    Err(error) => {
                        let error = Diagnostic::from(&error);
                        let mut left = evaluation.names.clone();
                        left.retain(|name| !evaluation.found().contains_key(name));
                        evaluation
                            .add_hosts(left.iter().map(|name| Host::described(name, Err(error.clone()))));
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
    /// See [`FlakeError`]; that there is no such host is one.
    pub async fn host(&self, name: &HostName, call: &Call) -> Result<Host, FlakeError> {
        self.require_host(name, call).await?;
        let question = question_about(name.as_str());
        let found = self.remembered(&question, call, |flake| async move {
            call.report_message(format!("evaluating {name}"));
            let question = Question::new([HOSTS, name.as_str()], "host_facts");
            let answer = flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop();
            Ok(Host::described(name.as_str(), answer.unwrap_or_else(|| Ok(Answer::default()))))
        });
        Ok(self.filled(found.await?))
    }

    /// Evaluates what the survey is about; each host is told and remembered as soon as it is there.
    async fn evaluate_fleet(
        &self,
        evaluation: &FleetEvaluation,
        call: &Call,
    ) -> Result<HashMap<String, Host>, FlakeError> {
        // The one before may still be at its end.
        let _turn = self.wait_for_turn(&format!("{} facts of all hosts", self.reference()), call).await?;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let evaluated = async move {
            let names = &evaluation.names;
            let on_answer = move |index: usize, answer: &Result<Answer, Diagnostic>| {
                if let Some(name) = names.get(index) {
                    // Nobody takes it any more: it is in the answers as well.
                    drop(sender.send((Host::described(name, answer.clone()), is_cacheable(answer))));
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
        let described = names.zip(round?.answers).map(|(name, answer)| Host::described(name, answer));
        Ok(described.map(|host| (host.name.clone(), host)).collect())
    }

    /// Remembers and tells what was found, if the flake is still as it was.
    ///
    /// With each host comes whether it is the same until the flake changes.
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

    fn recalled(&self, identity: &str, of: &Fingerprint, name: &str) -> Option<Host> {
        if !of.is_whole() {
            return None;
        }
        self.cache.get(&self.key(identity, of, &question_about(name)))
    }

    /// With what the settings say of it.
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
