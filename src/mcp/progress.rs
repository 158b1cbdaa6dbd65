//! Progress notifications for a request that has a progress token.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::progress::{Progress, Update};

/// Shortest time between two notifications.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// How long the last notification may take once the answer is ready.
const LAST_NOTIFICATION: Duration = Duration::from_secs(1);

/// Takes the updates of a tool. The sender task sends the newest one at each interval.
pub struct ProgressPublisher(watch::Sender<Update>);

impl Progress for ProgressPublisher {
    fn report(&self, update: Update) {
        self.0.send_replace(update);
    }
}

/// The task that sends notifications.
pub struct ProgressSender {
    over: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl ProgressSender {
    /// Ends the task. No notification is sent after this returns, because the answer comes next.
    pub async fn end(mut self) {
        self.over.cancel();
        // A client that does not read would block this, as it would block the answer.
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

/// Starts the notifications of a request of `what`. If there is no new update for a `heartbeat`, the last message is sent
/// again with the time that the call has been running.
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

/// The message if there is no new update. The time comes first, because the end of a long message is cut off.
fn still_running(message: &str, runs: Duration) -> String {
    let seconds = runs.as_secs();
    let time = match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    };
    format!("running for {time}: {message}")
}

/// The notification of an update. `reached` is the last value sent, which MUST increase with each notification
/// (2025-11-25, "Progress").
#[expect(clippy::cast_precision_loss, reason = "2^53 of anything is beyond what is counted here")]
fn notification(token: ProgressToken, update: &Update, reached: &mut f64) -> ProgressNotificationParam {
    let done = update.done as f64;
    // If the amount is unchanged, the value increases by 0.001, or by the smallest step for large numbers.
    *reached = if done > *reached { done } else { (*reached + 1e-3).max(reached.next_up()) };
    let mut notification = ProgressNotificationParam::new(token, *reached);
    // A total below the value would be wrong.
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
