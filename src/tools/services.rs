//! The state that all calls share, and the context of one call.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::ToolError;
use super::background::BackgroundTasks;
use super::in_force::SettingsInForce;
use super::indexes::{INDEX_WAIT, Indexes};
use super::rollouts::ActiveRollouts;
use crate::config::{ConfigError, Settings};
use crate::deploy::{ApprovalAnswer, ApprovalRequest, Approver, Requester};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::metrics::Metrics;
use crate::names::{DrvPath, PlanId};
use crate::nix::{NixError, build_log as log};
use crate::process::ProcessError;
use crate::progress::{Call, HEARTBEAT};

/// Maximum number of failed builds whose logs are listed.
const LOGS: usize = 50;

/// The queue of waiting calls is full; the number is its limit.
#[derive(Debug, thiserror::Error)]
#[error("{0} calls are already waiting")]
struct BusyError(usize);

impl From<&BusyError> for Diagnostic {
    fn from(error: &BusyError) -> Self {
        Self::new(Code::Busy, error.to_string())
            .with_hint("wait until one has ended, or raise `limits.waiting_calls` in your settings")
    }
}

/// The state that all calls share.
#[derive(Debug)]
pub struct Services {
    /// The settings at the start, for objects that are created only once. Calls use [`Context::in_force`].
    pub at_start: Arc<Settings>,
    /// The settings in force at the latest call.
    in_force: Mutex<Arc<SettingsInForce>>,
    /// The metrics of this process.
    pub metrics: Metrics,
    /// The rollouts that are running.
    pub rollouts: ActiveRollouts,
    /// Tasks that continue between calls.
    pub background: BackgroundTasks,
    /// Interval of progress notifications of a running call: [`crate::progress::HEARTBEAT`], shorter in tests.
    pub heartbeat: Duration,
    /// The search indexes.
    pub indexes: Indexes,
    /// Longest time that a call waits for a search index: [`INDEX_WAIT`], shorter in tests.
    pub index_wait: Duration,
    waiting: AtomicUsize,
    /// The latest failed builds, newest first, with the last log lines that were seen.
    failed_builds: Mutex<VecDeque<(DrvPath, String)>>,
}

/// A page of a build log, as an MCP resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRef {
    /// The derivation.
    pub drv: DrvPath,
    /// Which page of its log.
    pub place: log::LogPosition,
}

impl LogRef {
    /// The prefix of the URIs; the base name of the derivation and the position of the page follow.
    pub const PREFIX: &'static str = "pantheros://log/";

    /// The first page of the log.
    #[must_use]
    pub fn of(drv: DrvPath) -> Self {
        Self { drv, place: log::LogPosition::From(0) }
    }

    /// Another page of the same log.
    #[must_use]
    pub fn at(&self, place: log::LogPosition) -> Self {
        Self { drv: self.drv.clone(), place }
    }

    /// The URI of the page.
    #[must_use]
    pub fn uri(&self) -> String {
        let place = match self.place {
            log::LogPosition::From(0) => String::new(),
            log::LogPosition::From(from) => format!("?from={from}"),
            log::LogPosition::Until(until) => format!("?until={until}"),
            log::LogPosition::End => "?until=end".to_owned(),
        };
        format!("{}{}{place}", Self::PREFIX, self.drv.base_name())
    }

    /// The page a URI names; `None` for any other URI.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let (base_name, place) = match uri.strip_prefix(Self::PREFIX)?.split_once('?') {
            None => (uri.strip_prefix(Self::PREFIX)?, log::LogPosition::From(0)),
            Some((base_name, "until=end")) => (base_name, log::LogPosition::End),
            Some((base_name, place)) => match place.split_once('=')? {
                ("from", from) => (base_name, log::LogPosition::From(from.parse().ok()?)),
                ("until", until) => (base_name, log::LogPosition::Until(until.parse().ok()?)),
                _ => return None,
            },
        };
        let drv = format!("{}{base_name}", crate::names::STORE_FOLDER).parse().ok()?;
        Some(Self { drv, place })
    }
}

impl Services {
    /// The services for these settings; starts no program.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let in_force = SettingsInForce::new(settings);
        Self {
            at_start: Arc::clone(&in_force.settings),
            in_force: Mutex::new(Arc::new(in_force)),
            metrics: Metrics::default(),
            rollouts: ActiveRollouts::default(),
            background: BackgroundTasks::default(),
            heartbeat: HEARTBEAT,
            indexes: Indexes::default(),
            index_wait: INDEX_WAIT,
            waiting: AtomicUsize::new(0),
            failed_builds: Mutex::default(),
        }
    }

    /// As [`Self::new`] for a server, which can run background tasks.
    #[must_use]
    pub fn for_server(settings: Settings) -> Self {
        Self { background: BackgroundTasks::for_server(), ..Self::new(settings) }
    }

    /// The settings in force at the latest call.
    #[must_use]
    pub fn in_force(&self) -> Arc<SettingsInForce> {
        Arc::clone(&self.in_force.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the settings again if they have changed, and returns those for a call that starts now.
    ///
    /// # Errors
    /// If the changed settings cannot be read or contradict one another.
    pub async fn reload_settings(&self) -> Result<Arc<SettingsInForce>, ConfigError> {
        let before = self.in_force();
        let Some(now) = before.reloaded().await? else { return Ok(before) };
        let now = Arc::new(now);
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&now);
        Ok(now)
    }

    /// Records a failed build, so that its log is listed. `last_lines` are kept because the local store has no log if a
    /// remote builder built the derivation.
    pub fn record_failed_build(&self, derivation: &DrvPath, last_lines: String) {
        let mut logs = self.lock_failed_builds();
        logs.retain(|(known, _)| known != derivation);
        logs.push_front((derivation.clone(), last_lines));
        logs.truncate(LOGS);
    }

    /// The logs of the latest failed builds, newest first.
    #[must_use]
    pub fn failed_build_logs(&self) -> Vec<LogRef> {
        self.lock_failed_builds().iter().map(|(derivation, _)| LogRef::of(derivation.clone())).collect()
    }

    /// The recorded last log lines of a failed build; `None` if there are none.
    #[must_use]
    pub fn last_lines(&self, derivation: &DrvPath) -> Option<String> {
        let logs = self.lock_failed_builds();
        let (_, lines) = logs.iter().find(|(known, lines)| known == derivation && !lines.is_empty())?;
        Some(lines.clone())
    }

    /// Waits for a call slot, which is released when the permit is dropped.
    ///
    /// # Errors
    /// [`Code::Busy`] if too many calls are waiting, or [`Code::Cancelled`] if the call is cancelled.
    pub async fn acquire_slot(
        &self,
        in_force: &SettingsInForce,
        call: &Call,
    ) -> Result<OwnedSemaphorePermit, ToolError> {
        if let Ok(permit) = Arc::clone(&in_force.call_slots).try_acquire_owned() {
            return Ok(permit);
        }
        let _position = QueuePosition::join(&self.waiting, in_force.settings.waiting_calls)?;
        call.report_message("waiting for another call to end");
        tokio::select! {
            permit = Arc::clone(&in_force.call_slots).acquire_owned() => {
                Ok(permit.map_err(|_| NixError::from(ProcessError::Cancelled))?)
            }
            () = call.cancel.cancelled() => Err(NixError::from(ProcessError::Cancelled).into()),
        }
    }

    /// Reads a page of a log; `None` if the store has no log. It takes a call slot, because the whole log is read to find its
    /// last page.
    ///
    /// # Errors
    /// As for [`Self::acquire_slot`], or if the log cannot be read.
    pub async fn build_log(
        &self,
        log: &LogRef,
        in_force: &SettingsInForce,
        call: &Call,
    ) -> Result<Option<log::LogPage>, ToolError> {
        let _slot = self.acquire_slot(in_force, call).await?;
        Ok(in_force.flake.nix().build_log(&log.drv, log.place, call).await?)
    }

    fn lock_failed_builds(&self) -> MutexGuard<'_, VecDeque<(DrvPath, String)>> {
        self.failed_builds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call of a tool.
#[derive(Clone)]
pub struct Context {
    /// The state that all calls share.
    pub services: Arc<Services>,
    /// The settings that this call uses.
    pub in_force: Arc<SettingsInForce>,
    /// The progress reports and the cancellation of this call.
    pub call: Call,
    /// How to ask the person behind the call for an approval.
    pub approver: Arc<dyn Approver>,
    /// The name that the client gave itself, or `terminal`.
    pub client: String,
    /// The slot that this call holds while it runs.
    pub slot: CallSlot,
}

/// The slot of a call among `limits.concurrent_calls`; empty while the call waits.
#[derive(Clone, Debug, Default)]
pub struct CallSlot(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl CallSlot {
    fn replace(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

impl Context {
    /// The flake that this call uses.
    #[must_use]
    pub fn flake(&self) -> &Flake {
        &self.in_force.flake
    }

    /// The settings that this call uses.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.in_force.settings
    }

    /// The client and the user that a plan records as its requester.
    #[must_use]
    pub fn requester(&self) -> Requester {
        Requester { client: self.client.clone(), user: crate::user::current() }
    }

    /// Waits for a call slot.
    ///
    /// # Errors
    /// [`Code::Busy`] if too many calls are waiting, or [`Code::Cancelled`] if the call is cancelled.
    pub(super) async fn acquire_slot(&self) -> Result<(), ToolError> {
        self.slot.replace(Some(self.services.acquire_slot(&self.in_force, &self.call).await?));
        Ok(())
    }

    /// Releases the call slot.
    pub(super) fn release_slot(&self) {
        self.slot.replace(None);
    }
}

/// Releases the call slot while a person is asked, so that other calls can run.
pub(super) struct SlotReleasingApprover<'a>(pub &'a Context);

impl Approver for SlotReleasingApprover<'_> {
    fn ask<'a>(
        &'a self,
        question: &'a ApprovalRequest,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>> {
        Box::pin(async move {
            let Self(context) = self;
            context.release_slot();
            let answer = context.approver.ask(question, call).await;
            // Bypasses the limit of the queue: a call whose approval was answered must not fail with `busy`.
            tokio::select! {
                permit = Arc::clone(&context.in_force.call_slots).acquire_owned() => context.slot.replace(permit.ok()),
                () = call.cancel.cancelled() => {}
            }
            // The settings may no longer let this person approve, so an approval under old settings is void. A refusal
            // still counts.
            match answer {
                ApprovalAnswer::Given { .. } if !context.in_force.is_current().await => {
                    ApprovalAnswer::Overtaken
                }
                answer => answer,
            }
        })
    }

    fn shows_form(&self) -> bool {
        self.0.approver.shows_form()
    }

    fn answers(&self) -> Option<PlanId> {
        self.0.approver.answers()
    }
}

/// A position in the queue of waiting calls, released when it is dropped.
struct QueuePosition<'a>(&'a AtomicUsize);

impl<'a> QueuePosition<'a> {
    fn join(queue: &'a AtomicUsize, most: usize) -> Result<Self, BusyError> {
        let position = Self(queue);
        if queue.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(BusyError(most));
        }
        Ok(position)
    }
}

impl Drop for QueuePosition<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::ssh::{SshError, SshTarget};

    #[tokio::test]
    async fn without_a_token_no_host_is_reached_whatever_a_tool_declares() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::load(Some(folder.path()), &Overrides::default(), &[]).unwrap();
        settings.policy.without_token = true;
        let target = SshTarget {
            address: "localhost".parse().unwrap(),
            user: "root".parse().unwrap(),
            port: 22.try_into().unwrap(),
        };
        let refused = Services::new(settings).in_force().hosts.session(&target, &Call::unattended()).await;
        assert!(matches!(refused, Err(SshError::Disabled { .. })));
    }

    #[test]
    fn only_a_derivation_has_a_log() {
        let drv = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv";
        let log = LogRef::of(drv.parse().unwrap());
        for place in [
            log::LogPosition::From(0),
            log::LogPosition::From(9),
            log::LogPosition::Until(7),
            log::LogPosition::End,
        ] {
            let page = log.at(place);
            assert_eq!(LogRef::from_uri(&page.uri()), Some(page));
        }
        for uri in [
            "pantheros://log/../../etc/passwd",
            "pantheros://log/",
            "pantheros://log/-flag.drv",
            "pantheros://log/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv?from=-1",
            "pantheros://log/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv?from=1&until=2",
            "pantheros://log/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-web.drv?page=2",
            "file:///etc/passwd",
        ] {
            assert_eq!(LogRef::from_uri(uri), None, "{uri}");
        }
    }
}
