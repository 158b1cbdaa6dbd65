//! Progress notifications, for a client that asked for them.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::progress::{Progress, Update};

/// The shortest time between two notifications: ten a second at most.
const INTERVAL: Duration = Duration::from_millis(100);

/// Where a tool leaves its newest update; the sender picks it up when it is time.
pub struct Publisher(watch::Sender<Update>);

impl Progress for Publisher {
    fn report(&self, update: Update) {
        self.0.send_replace(update);
    }
}

/// A publisher, and the task that sends what it is given until the publisher is dropped.
pub fn publish(peer: Peer<RoleServer>, token: ProgressToken) -> (Publisher, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = watch::channel(Update::default());
    (Publisher(sender), tokio::spawn(send(peer, token, receiver)))
}

async fn send(peer: Peer<RoleServer>, token: ProgressToken, mut updates: watch::Receiver<Update>) {
    let mut reached = 0.0;
    while updates.changed().await.is_ok() {
        let started = Instant::now();
        let update = updates.borrow_and_update().clone();
        let notification = notification(token.clone(), &update, &mut reached);
        if peer.notify_progress(notification).await.is_err() {
            return;
        }
        tokio::time::sleep_until(started + INTERVAL).await;
    }
}

/// The notification of an update. `reached` only ever grows, as the specification demands
/// (2025-11-25, "Progress": the value MUST increase with each notification).
#[expect(clippy::cast_precision_loss, reason = "2^53 of anything is beyond what is counted here")]
fn notification(token: ProgressToken, update: &Update, reached: &mut f64) -> ProgressNotificationParam {
    let done = update.done as f64;
    // Another message about the same amount still moves on, by less than would ever show.
    *reached = if done > *reached { done } else { *reached + 1e-3 };
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
    fn progress_always_increases() {
        let mut reached = 0.0;
        let mut last = 0.0;
        for done in [0, 0, 3, 3, 1, 10] {
            let update = Update { message: "x".into(), done, total: Some(10) };
            let sent = notification(ProgressToken(NumberOrString::Number(1)), &update, &mut reached);
            assert!(sent.progress > last);
            assert!(sent.total.is_none_or(|total| total >= sent.progress));
            last = sent.progress;
        }
    }
}
