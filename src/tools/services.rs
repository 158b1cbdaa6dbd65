//! What tools work with, and what each call of one has of its own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::ToolError;
use super::background::BackgroundTasks;
use super::in_force::SettingsInForce;
use super::rollouts::ActiveRollouts;
use crate::config::{ConfigError, Settings};
use crate::deploy::{Answer, Approver, Question, Requester};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::metrics::Metrics;
use crate::names::{DrvPath, PlanId};
use crate::nix::{NixError, build_log as log};
use crate::process::ProcessError;
use crate::progress::{Call, HEARTBEAT};

/// Most failed builds whose logs are listed.
const LOGS: usize = 50;

/// Too many calls are waiting already.
#[derive(Debug, thiserror::Error)]
#[error("{0} calls are waiting already")]
struct BusyError(usize);

impl From<&BusyError> for Diagnostic {
    fn from(error: &BusyError) -> Self {
        Self::new(Code::Busy, error.to_string())
            .with_hint("wait for one to end, or raise `limits.waiting_calls` in your settings")
    }
}

/// What all calls share.
#[derive(Debug)]
pub struct Services {
    /// The settings of the start: for what is set up once. A call goes by [`Context::in_force`].
    pub at_start: Arc<Settings>,
    /// What was in force for the latest call.
    in_force: Mutex<Arc<SettingsInForce>>,
    /// What is counted.
    pub metrics: Metrics,
    /// Deployments under way.
    pub rollouts: ActiveRollouts,
    /// What goes on between calls.
    pub background: BackgroundTasks,
    /// How often a call that runs gives a sign of life: [`crate::progress::HEARTBEAT`].
    pub heartbeat: Duration,
    waiting: AtomicUsize,
    /// Of builds that failed lately, with the last lines that were seen, newest first.
    failed_builds: Mutex<VecDeque<(DrvPath, String)>>,
}

/// A page of the build log of a derivation, as a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRef {
    /// The derivation.
    pub drv: DrvPath,
    /// Which page of its log.
    pub place: log::LogPosition,
}

impl LogRef {
    /// What every such URI begins with; the derivation's base name follows, and where the page is.
    pub const PREFIX: &'static str = "pantheros://log/";

    /// The beginning of the log.
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
    /// What the settings ask for; nothing is run yet.
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
            waiting: AtomicUsize::new(0),
            failed_builds: Mutex::default(),
        }
    }

    /// The same for a server, which outlives its calls.
    #[must_use]
    pub fn for_server(settings: Settings) -> Self {
        Self { background: BackgroundTasks::for_server(), ..Self::new(settings) }
    }

    /// What was in force for the latest call.
    #[must_use]
    pub fn in_force(&self) -> Arc<SettingsInForce> {
        Arc::clone(&self.in_force.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is in force for a call that begins now.
    ///
    /// # Errors
    /// That the settings were changed to what cannot be read, or what contradicts itself.
    pub async fn reload_settings(&self) -> Result<Arc<SettingsInForce>, ConfigError> {
        let before = self.in_force();
        let Some(now) = before.reloaded().await? else { return Ok(before) };
        let now = Arc::new(now);
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&now);
        Ok(now)
    }

    /// Remembers that this derivation failed, so that its log is listed, and the last lines of it: the store of this
    /// machine may have none, where another machine built.
    pub fn record_failed_build(&self, derivation: &DrvPath, last_lines: String) {
        let mut logs = self.lock_failed_builds();
        logs.retain(|(known, _)| known != derivation);
        logs.push_front((derivation.clone(), last_lines));
        logs.truncate(LOGS);
    }

    /// The logs of builds that failed lately, newest first.
    #[must_use]
    pub fn failed_build_logs(&self) -> Vec<LogRef> {
        self.lock_failed_builds().iter().map(|(derivation, _)| LogRef::of(derivation.clone())).collect()
    }

    /// The last lines seen of the log of a build that failed lately.
    #[must_use]
    pub fn last_lines(&self, derivation: &DrvPath) -> Option<String> {
        let logs = self.lock_failed_builds();
        let (_, lines) = logs.iter().find(|(known, lines)| known == derivation && !lines.is_empty())?;
        Some(lines.clone())
    }

    /// Waits for a place among the calls that run at once; it is given back when it is dropped.
    ///
    /// # Errors
    /// [`Code::Busy`] if too many wait already, or that the call was cancelled.
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

    /// A page of a log; `None` where the store has none. It takes a place like a call of a tool: a log is read to its end
    /// for its last page.
    ///
    /// # Errors
    /// As [`Self::acquire_slot`], and what reading it gives.
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
    /// What all calls share.
    pub services: Arc<Services>,
    /// The settings that it goes by, and what follows them.
    pub in_force: Arc<SettingsInForce>,
    /// Who wants to know where this one is, and when it is to stop.
    pub call: Call,
    /// How to reach the person behind it.
    pub approver: Arc<dyn Approver>,
    /// The client it came through, by its own word, or `terminal`.
    pub client: String,
    /// Its place among the calls that run at once.
    pub slot: CallSlot,
}

/// A call's place among those that run at once, while it has one.
#[derive(Clone, Debug, Default)]
pub struct CallSlot(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl CallSlot {
    fn replace(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

impl Context {
    /// The flake.
    #[must_use]
    pub fn flake(&self) -> &Flake {
        &self.in_force.flake
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.in_force.settings
    }

    /// Who asks for what this call does.
    #[must_use]
    pub fn requester(&self) -> Requester {
        Requester { client: self.client.clone(), user: crate::user::current() }
    }

    /// Waits for a place among the calls that run at once.
    ///
    /// # Errors
    /// [`Code::Busy`] if too many wait already, or that the call was cancelled.
    pub(super) async fn acquire_slot(&self) -> Result<(), ToolError> {
        self.slot.replace(Some(self.services.acquire_slot(&self.in_force, &self.call).await?));
        Ok(())
    }

    /// Gives the place back.
    pub(super) fn release_slot(&self) {
        self.slot.replace(None);
    }
}

/// The person behind a call, who may take long to answer: others run meanwhile.
pub(super) struct SlotReleasingApprover<'a>(pub &'a Context);

impl Approver for SlotReleasingApprover<'_> {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
        call: &'a Call,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            let Self(context) = self;
            context.release_slot();
            let answer = context.approver.ask(question, call).await;
            // Who was asked is not turned away for others having come meanwhile.
            tokio::select! {
                permit = Arc::clone(&context.in_force.call_slots).acquire_owned() => context.slot.replace(permit.ok()),
                () = call.cancel.cancelled() => {}
            }
            // Who may say yes, and to what, may be another matter by now. A no counts all the same.
            match answer {
                Answer::Given { .. } if !context.in_force.is_current().await => Answer::Overtaken,
                answer => answer,
            }
        })
    }

    fn shows(&self) -> bool {
        self.0.approver.shows()
    }

    fn answers(&self) -> Option<PlanId> {
        self.0.approver.answers()
    }
}

/// A place in the queue, given back when it is dropped.
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
