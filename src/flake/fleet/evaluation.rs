//! One evaluation of the fleet at a time, which calls start or wait for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::flake::hosts::Host;
use crate::flake::{Fingerprint, FlakeError};
use crate::nix::NixError;
use crate::process::ProcessError;
use crate::progress::{Call, ImportedDerivations, Update};

/// Most evaluations kept: one for the flake's folder, and one for each commit.
const STATES: usize = 4;

/// The running or last evaluation of the fleet for each flake reference, the newest last.
#[derive(Debug, Default)]
pub(in crate::flake) struct FleetEvaluations(Mutex<Vec<Arc<FleetEvaluation>>>);

/// One evaluation of the hosts whose facts were not known.
#[derive(Debug)]
pub struct FleetEvaluation {
    /// The state of the flake.
    pub(super) of: FlakeState,
    pub(super) names: Vec<String>,
    pub(super) began: Instant,
    found: Mutex<HashMap<String, Host>>,
    progress: watch::Sender<FleetProgress>,
    /// Derivations that were built for it.
    pub(super) imported: ImportedDerivations,
    /// Cancelled when the flake has changed.
    pub(super) outdated: CancellationToken,
}

/// A state of the flake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FlakeState {
    pub(super) reference: String,
    pub(super) fingerprint: Fingerprint,
}

impl FlakeState {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.fingerprint.as_str(), self.reference)
    }
}

/// The progress of an evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FleetProgress {
    pub(super) done: usize,
    pub(super) ended: Option<Instant>,
}

/// Who evaluates the fleet.
pub(super) enum Claim {
    /// This call, with a new evaluation.
    New(Arc<FleetEvaluation>),
    /// Another call, with an evaluation that is running.
    Running(Arc<FleetEvaluation>),
}

impl FleetEvaluation {
    pub(super) fn found(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn progress(&self) -> FleetProgress {
        *self.progress.borrow()
    }

    pub(super) fn add_hosts(&self, hosts: impl IntoIterator<Item = Host>) {
        let mut found = self.found();
        found.extend(hosts.into_iter().map(|host| (host.name.clone(), host)));
        let done = found.len();
        drop(found);
        self.progress.send_modify(|progress| progress.done = done);
    }

    /// Waits for its end and reports its progress meanwhile.
    pub(super) async fn wait(&self, call: &Call) -> Result<(), FlakeError> {
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

/// Marks an evaluation as ended when this is dropped, also if its call was cancelled.
pub(super) struct EndGuard(pub(super) Arc<FleetEvaluation>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.progress.send_modify(|progress| progress.ended = Some(Instant::now()));
    }
}

impl FleetEvaluations {
    fn current(&self) -> MutexGuard<'_, Vec<Arc<FleetEvaluation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running evaluation of this state, or a new one for these hosts.
    pub(super) fn claim(&self, of: &FlakeState, names: Vec<String>) -> Claim {
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

    /// The last evaluation of this state, if it is running or ended after `since`; `None` for `since` means any time.
    pub(super) fn last(&self, of: &FlakeState, since: Option<Instant>) -> Option<Arc<FleetEvaluation>> {
        let current = self.current();
        let last = current.iter().find(|evaluation| {
            let ended = evaluation.progress().ended;
            evaluation.of == *of && ended.is_none_or(|ended| since.is_none_or(|since| ended >= since))
        });
        last.map(Arc::clone)
    }
}
