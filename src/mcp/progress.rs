//! Progress notifications, for a client that asked for them.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::progress::{Progress, Update};

/// The shortest time between two notifications: ten a second at most.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// How long the last notification may take once the answer is there.
const LAST_NOTIFICATION: Duration = Duration::from_secs(1);

/// Where a tool leaves its newest update; the sender picks it up when it is time.
pub struct ProgressPublisher(watch::Sender<Update>);

impl Progress for ProgressPublisher {
    fn report(&self, update: Update) {
        self.0.send_replace(update);
    }
}

/// The task that sends.
pub struct ProgressSender {
    over: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl ProgressSender {
    /// Ends it. Nothing is sent any more once this returns: a notification after the answer would be about nothing.
    pub async fn end(mut self) {
        self.over.cancel();
        // One that is on its way to a client that takes nothing holds up no more than the answer would.
        if tokio::time::timeout(LAST_NOTIFICATION, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for ProgressSender {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// A publisher for a request of `what`, and the task that sends what it is given: at least once in a `heartbeat`, with
/// what was said last and for how long the call runs, where there is nothing new.
pub fn publish(
    peer: Peer<RoleServer>,
    token: ProgressToken,
    what: impl Into<String>,
    heartbeat: Duration,
) -> (ProgressPublisher, ProgressSender) {
    let (sender, receiver) = watch::channel(Update::with_message(what));
    let over = CancellationToken::new();
    let task = tokio::spawn(send(peer, token, receiver, heartbeat, over.clone()));
    (ProgressPublisher(sender), ProgressSender { over, task })
}

async fn send(
    peer: Peer<RoleServer>,
    token: ProgressToken,
    mut updates: watch::Receiver<Update>,
    heartbeat: Duration,
    over: CancellationToken,
) {
    let mut reached = 0.0;
    let begun = Instant::now();
    loop {
        let started = Instant::now();
        let is_new = tokio::select! {
            biased;
            () = over.cancelled() => return,
            changed = updates.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            () = tokio::time::sleep_until(started + heartbeat) => false,
        };
        let mut update = updates.borrow_and_update().clone();
        if !is_new {
            update.message = still_running(&update.message, begun.elapsed());
        }
        let sent = Instant::now();
        let notification = notification(token.clone(), &update, &mut reached);
        if peer.notify_progress(notification).await.is_err() {
            return;
        }
        if over.run_until_cancelled(tokio::time::sleep_until(sent + MIN_INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// What to say when nothing is new. How long comes first: the end of a long message is cut off.
fn still_running(message: &str, runs: Duration) -> String {
    let seconds = runs.as_secs();
    let time = match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    };
    format!("running for {time}: {message}")
}

/// The notification of an update. `reached` only ever grows, as the specification demands
/// (2025-11-25, "Progress": the value MUST increase with each notification).
#[expect(clippy::cast_precision_loss, reason = "2^53 of anything is beyond what is counted here")]
fn notification(token: ProgressToken, update: &Update, reached: &mut f64) -> ProgressNotificationParam {
    let done = update.done as f64;
    // Another message about the same amount still moves on, by less than would ever show.
    // Where that is too little to tell numbers so large apart, by the least that does.
    *reached = if done > *reached { done } else { (*reached + 1e-3).max(reached.next_up()) };
    let mut notification = ProgressNotificationParam::new(token, *reached);
    // A total that was overtaken says nothing any more.
    notification.total = update.total.map(|total| total as f64).filter(|total| *total >= *reached);
    notification.message = Some(crate::text::bounded(&update.message, 300));
    notification
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::NumberOrString;

    #[test]
    fn how_long_it_runs_is_said() {
        for (seconds, expected) in [
            (8, "running for 8 s: x"),
            (75, "running for 1 min 15 s: x"),
            (3_600, "running for 1 h 0 min: x"),
            (90_061, "running for 25 h 1 min: x"),
        ] {
            assert_eq!(still_running("x", Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn progress_always_increases() {
        let mut reached = 0.0;
        let mut last = 0.0;
        for done in [0, 0, 3, 3, 1, 10, 1 << 45, 1 << 45, 1 << 53, 0, u64::MAX, u64::MAX] {
            let update = Update { message: "x".into(), done, total: Some(10) };
            let sent = notification(ProgressToken(NumberOrString::Number(1)), &update, &mut reached);
            assert!(sent.progress > last);
            assert!(sent.total.is_none_or(|total| total >= sent.progress));
            last = sent.progress;
        }
    }
}
