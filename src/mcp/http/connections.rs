//! Limits the number of connections, and the time that each may take to send the head of a request.
//!
//! A connection takes a slot before its first request is known. A client that does not finish a head has a deadline. If
//! all slots are taken, the connection that has waited longest without a head is closed for a new one, so that unfinished
//! heads cannot block other clients. If every connection is being served, a few more slots are left for `/healthz`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longest time from the first byte of a request's head to its last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept, before its first request and between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Additional slots that are only for `/healthz`.
const HEALTH_SLOTS: usize = 8;

/// The slots for connections.
#[derive(Debug)]
pub struct ConnectionSlots {
    most: usize,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Arc<ConnectionSlot>>>,
}

/// The slot of one connection.
#[derive(Debug)]
pub struct ConnectionSlot {
    for_health: bool,
    phase: Mutex<ConnectionPhase>,
    changed: Notify,
    closed: CancellationToken,
}

/// The state of a connection.
#[derive(Clone, Copy, Debug)]
enum ConnectionPhase {
    /// It has been without a complete head `since` then; `begun` is the time of the first byte of one.
    Waiting { since: Instant, begun: Option<Instant> },
    /// Its request is being answered.
    Served,
}

/// A slot that is taken. Dropping it frees it.
#[derive(Debug)]
pub struct TakenSlot {
    slots: Arc<ConnectionSlots>,
    id: u64,
    slot: Arc<ConnectionSlot>,
}

impl Drop for TakenSlot {
    fn drop(&mut self) {
        self.slots.lock().remove(&self.id);
    }
}

impl TakenSlot {
    /// The slot.
    pub fn slot(&self) -> &Arc<ConnectionSlot> {
        &self.slot
    }
}

impl ConnectionSlots {
    /// `most` slots, and those for `/healthz`.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, next: AtomicU64::new(0), taken: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionSlot>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot, and closes another connection for it if necessary; `None` if all connections are being served.
    pub fn take(self: &Arc<Self>, now: Instant) -> Option<TakenSlot> {
        let mut taken = self.lock();
        let for_health =
            [(false, self.most), (true, HEALTH_SLOTS)].into_iter().find_map(|(for_health, most)| {
                let has_room = taken.values().filter(|slot| slot.for_health == for_health).count() < most;
                (has_room || make_room(&mut taken, for_health)).then_some(for_health)
            })?;
        let slot = Arc::new(ConnectionSlot {
            for_health,
            phase: Mutex::new(ConnectionPhase::Waiting { since: now, begun: None }),
            changed: Notify::new(),
            closed: CancellationToken::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        taken.insert(id, Arc::clone(&slot));
        drop(taken);
        Some(TakenSlot { slots: Arc::clone(self), id, slot })
    }
}

/// Closes the connection that has been longest without a head, among those of one kind; returns whether there was one.
fn make_room(taken: &mut HashMap<u64, Arc<ConnectionSlot>>, for_health: bool) -> bool {
    let waiting = taken.iter().filter(|(_, slot)| slot.for_health == for_health);
    let waiting = waiting.filter_map(|(id, slot)| match *slot.lock() {
        ConnectionPhase::Waiting { since, .. } => Some((since, *id)),
        ConnectionPhase::Served => None,
    });
    let Some((_, id)) = waiting.min() else { return false };
    if let Some(slot) = taken.remove(&id) {
        slot.closed.cancel();
    }
    true
}

impl ConnectionSlot {
    /// Whether the slot is only for `/healthz`.
    pub fn is_for_health(&self) -> bool {
        self.for_health
    }

    /// Whether its request is being answered.
    pub fn is_serving(&self) -> bool {
        matches!(*self.lock(), ConnectionPhase::Served)
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionPhase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_phase(&self, change: impl FnOnce(ConnectionPhase) -> Option<ConnectionPhase>) {
        let mut phase = self.lock();
        if let Some(changed) = change(*phase) {
            *phase = changed;
            drop(phase);
            self.changed.notify_one();
        }
    }

    /// Marks the request as being answered until the result is dropped.
    pub fn serve(self: &Arc<Self>) -> AnswerInProgress {
        self.change_phase(|_| Some(ConnectionPhase::Served));
        AnswerInProgress(Arc::clone(self))
    }

    fn note_read(&self, now: Instant) {
        self.change_phase(|phase| match phase {
            ConnectionPhase::Waiting { since, begun: None } => {
                Some(ConnectionPhase::Waiting { since, begun: Some(now) })
            }
            _ => None,
        });
    }

    /// Restarts the idle time: the end of an answer is still being written to a slow client.
    fn note_written(&self, now: Instant) {
        self.change_phase(|phase| match phase {
            ConnectionPhase::Waiting { begun: None, .. } => {
                Some(ConnectionPhase::Waiting { since: now, begun: None })
            }
            _ => None,
        });
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.lock() {
            ConnectionPhase::Waiting { begun: Some(begun), .. } => begun.checked_add(HEAD_TIMEOUT),
            ConnectionPhase::Waiting { since, begun: None } => since.checked_add(IDLE_TIMEOUT),
            ConnectionPhase::Served => None,
        }
    }

    /// Waits until the connection has to be closed, and returns the reason for the log.
    pub async fn closed(&self) -> &'static str {
        loop {
            let due = self.deadline();
            let late = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.closed.cancelled() => return "it made room for another",
                () = self.changed.notified() => {}
                // The deadline may have moved meanwhile.
                () = late => if self.deadline() == due { return "it sent no whole head in time" },
            }
        }
    }
}

/// An answer that is being sent. Dropping it makes the connection wait for the next request.
#[derive(Debug)]
pub struct AnswerInProgress(Arc<ConnectionSlot>);

impl Drop for AnswerInProgress {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.change_phase(|_| Some(ConnectionPhase::Waiting { since: now, begun: None }));
    }
}

/// A stream that reports reads and writes to its slot.
#[derive(Debug)]
pub struct MonitoredStream<S> {
    stream: S,
    slot: Arc<ConnectionSlot>,
}

impl<S> MonitoredStream<S> {
    /// Wraps the stream of the connection in `slot`.
    pub fn new(stream: S, slot: Arc<ConnectionSlot>) -> Self {
        Self { stream, slot }
    }

    fn note_written(&self, written: &Poll<std::io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.slot.note_written(Instant::now());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.slot.note_read(Instant::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_been_longest_without_a_head_makes_room() {
        let slots = ConnectionSlots::new(3);
        let begin = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let taken: Vec<TakenSlot> = (0..3).map(|second| slots.take(at(second)).unwrap()).collect();
        let is_closed = |place: usize| taken[place].slot().closed.is_cancelled();
        // An incomplete head does not count.
        taken[0].slot().note_read(at(3));
        let serving = taken[1].slot().serve();
        let fourth = slots.take(at(4)).unwrap();
        assert!(is_closed(0) && !is_closed(1) && !is_closed(2) && !fourth.slot().is_for_health());
        drop(slots.take(at(5)).unwrap());
        assert!(is_closed(2) && !is_closed(1));
        // A slot is free, so no connection is closed.
        let fifth = slots.take(at(6)).unwrap();
        assert!(!is_closed(1) && !fourth.slot().closed.is_cancelled() && !fifth.slot().is_for_health());
        // After its answer the connection waits again, as the newest one.
        drop(serving);
        drop(slots.take(at(7)).unwrap());
        assert!(fourth.slot().closed.is_cancelled() && !is_closed(1));
    }

    #[test]
    fn seats_are_kept_for_health() {
        let slots = ConnectionSlots::new(2);
        let now = Instant::now();
        let taken: Vec<TakenSlot> = (0..2).map(|_| slots.take(now).unwrap()).collect();
        let _serving: Vec<AnswerInProgress> = taken.iter().map(|taken| taken.slot().serve()).collect();
        let health: Vec<TakenSlot> = (0..HEALTH_SLOTS).map(|_| slots.take(now).unwrap()).collect();
        assert!(health.iter().all(|taken| taken.slot().is_for_health()));
        // The slots for `/healthz` are reused as well.
        assert!(slots.take(now).unwrap().slot().is_for_health());
        assert!(health[0].slot().closed.is_cancelled());
        let _answers: Vec<AnswerInProgress> = health.iter().map(|taken| taken.slot().serve()).collect();
        let _last = slots.take(now).map(|taken| (taken.slot().serve(), taken));
        assert!(slots.take(now).is_none());
        drop(taken);
        assert!(!slots.take(now).unwrap().slot().is_for_health());
    }

    #[test]
    fn a_head_has_a_deadline_from_its_first_byte() {
        let slots = ConnectionSlots::new(1);
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let taken = slots.take(begin).unwrap();
        let slot = taken.slot();
        assert_eq!(slot.deadline(), Some(begin + IDLE_TIMEOUT));
        slot.note_read(at(7));
        assert_eq!(slot.deadline(), Some(at(7) + HEAD_TIMEOUT));
        // More bytes do not extend the deadline.
        slot.note_read(at(8));
        slot.note_written(at(9));
        assert_eq!(slot.deadline(), Some(at(7) + HEAD_TIMEOUT));
        let serving = slot.serve();
        // Bytes of the request's body.
        slot.note_read(at(10));
        assert_eq!(slot.deadline(), None, "an answer may take long");
        drop(serving);
        assert!(slot.deadline().unwrap() >= begin + IDLE_TIMEOUT);
        slot.note_written(at(100));
        assert_eq!(slot.deadline(), Some(at(100) + IDLE_TIMEOUT), "the client still reads");
    }

    #[tokio::test]
    async fn who_waits_hears_what_changes() {
        let slots = ConnectionSlots::new(1);
        let begin = Instant::now().checked_sub(IDLE_TIMEOUT).unwrap();
        let taken = slots.take(begin).unwrap();
        let serving = taken.slot().serve();
        let over = taken.slot().closed();
        tokio::pin!(over);
        assert!(futures::poll!(over.as_mut()).is_pending());
        drop(serving);
        assert!(futures::poll!(over.as_mut()).is_pending(), "it waits again");
        drop(slots.take(Instant::now()).unwrap());
        assert!(over.await.contains("room"));
    }

    #[tokio::test]
    async fn a_connection_that_is_late_is_over() {
        let late = Instant::now().checked_sub(IDLE_TIMEOUT).unwrap();
        let taken = ConnectionSlots::new(1).take(late).unwrap();
        assert!(taken.slot().closed().await.contains("in time"));
    }
}
