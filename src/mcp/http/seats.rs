//! The connections there are: how many, and how long each may take to say what it wants.
//!
//! Whoever connects takes a seat before it is known what for. A client that sends no head, or half of one, has a
//! deadline; and where all seats are taken, the one that has been longest without a head makes room, so that no number
//! of half-sent heads keeps others out. Where every connection is being served, a few seats more are there for
//! whoever asks how we are.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take from its first byte.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection is kept that sends nothing: at its beginning, and between two requests.
const SILENT: Duration = Duration::from_secs(10);
/// Seats for `/healthz` alone, besides the others.
const FOR_HEALTH: usize = 8;

/// All seats.
#[derive(Debug)]
pub struct Seats {
    most: usize,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
}

/// The seat of one connection.
#[derive(Debug)]
pub struct Seat {
    for_health: bool,
    phase: Mutex<Phase>,
    changed: Notify,
    closed: CancellationToken,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It has sent no head since then, and if it began with one, when.
    Waiting { since: Instant, begun: Option<Instant> },
    /// Its request is being answered.
    Served,
}

/// A seat that is taken; dropping it gives it back.
#[derive(Debug)]
pub struct Taken {
    seats: Arc<Seats>,
    id: u64,
    seat: Arc<Seat>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.lock().remove(&self.id);
    }
}

impl Taken {
    /// The seat.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Seats {
    /// So many, besides those for health.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, next: AtomicU64::new(0), taken: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, for which another connection may have to go; none where all are being served.
    pub fn take(self: &Arc<Self>, now: Instant) -> Option<Taken> {
        let mut taken = self.lock();
        let for_health =
            [(false, self.most), (true, FOR_HEALTH)].into_iter().find_map(|(for_health, most)| {
                let has_room = taken.values().filter(|seat| seat.for_health == for_health).count() < most;
                (has_room || make_room(&mut taken, for_health)).then_some(for_health)
            })?;
        let seat = Arc::new(Seat {
            for_health,
            phase: Mutex::new(Phase::Waiting { since: now, begun: None }),
            changed: Notify::new(),
            closed: CancellationToken::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        taken.insert(id, Arc::clone(&seat));
        drop(taken);
        Some(Taken { seats: Arc::clone(self), id, seat })
    }
}

/// Has the connection go that has been longest without a head, among those of one kind; whether there is one.
fn make_room(taken: &mut HashMap<u64, Arc<Seat>>, for_health: bool) -> bool {
    let waiting = taken.iter().filter(|(_, seat)| seat.for_health == for_health);
    let waiting = waiting.filter_map(|(id, seat)| match *seat.lock() {
        Phase::Waiting { since, .. } => Some((since, *id)),
        Phase::Served => None,
    });
    let Some((_, id)) = waiting.min() else { return false };
    if let Some(seat) = taken.remove(&id) {
        seat.closed.cancel();
    }
    true
}

impl Seat {
    /// Whether it is one for `/healthz` alone.
    pub fn is_for_health(&self) -> bool {
        self.for_health
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(Phase) -> Option<Phase>) {
        let mut phase = self.lock();
        if let Some(changed) = change(*phase) {
            *phase = changed;
            drop(phase);
            self.changed.notify_one();
        }
    }

    /// A head is complete; the answer to it is under way until what is given back is dropped.
    pub fn serve(self: &Arc<Self>) -> Serving {
        self.set(|_| Some(Phase::Served));
        Serving(Arc::clone(self))
    }

    fn heard(&self, now: Instant) {
        self.set(|phase| match phase {
            Phase::Waiting { since, begun: None } => Some(Phase::Waiting { since, begun: Some(now) }),
            _ => None,
        });
    }

    /// The end of an answer is still on its way to a client that reads slowly.
    fn told(&self, now: Instant) {
        self.set(|phase| match phase {
            Phase::Waiting { begun: None, .. } => Some(Phase::Waiting { since: now, begun: None }),
            _ => None,
        });
    }

    fn due(&self) -> Option<Instant> {
        match *self.lock() {
            Phase::Waiting { begun: Some(begun), .. } => begun.checked_add(HEAD),
            Phase::Waiting { since, begun: None } => since.checked_add(SILENT),
            Phase::Served => None,
        }
    }

    /// Waits until its connection is to be closed, and says why.
    pub async fn over(&self) -> &'static str {
        loop {
            let due = self.due();
            let late = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.closed.cancelled() => return "it made room for another",
                () = self.changed.notified() => {}
                // What changed meanwhile counts.
                () = late => if self.due() == due { return "it sent no whole head in time" },
            }
        }
    }
}

/// An answer that is under way.
#[derive(Debug)]
pub struct Serving(Arc<Seat>);

impl Drop for Serving {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.set(|_| Some(Phase::Waiting { since: now, begun: None }));
    }
}

/// A connection whose seat hears of what comes and goes.
#[derive(Debug)]
pub struct Heard<S> {
    stream: S,
    seat: Arc<Seat>,
}

impl<S> Heard<S> {
    /// The connection on this seat.
    pub fn new(stream: S, seat: Arc<Seat>) -> Self {
        Self { stream, seat }
    }

    fn told(&self, written: &Poll<std::io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.seat.told(Instant::now());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.seat.heard(Instant::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.told(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.told(&written);
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
        let seats = Seats::new(3);
        let begin = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let taken: Vec<Taken> = (0..3).map(|second| seats.take(at(second)).unwrap()).collect();
        let is_closed = |place: usize| taken[place].seat().closed.is_cancelled();
        // Half a head is no head.
        taken[0].seat().heard(at(3));
        let serving = taken[1].seat().serve();
        let fourth = seats.take(at(4)).unwrap();
        assert!(is_closed(0) && !is_closed(1) && !is_closed(2) && !fourth.seat().is_for_health());
        drop(seats.take(at(5)).unwrap());
        assert!(is_closed(2) && !is_closed(1));
        // There is room, so nobody has to go.
        let fifth = seats.take(at(6)).unwrap();
        assert!(!is_closed(1) && !fourth.seat().closed.is_cancelled() && !fifth.seat().is_for_health());
        // After its answer it waits anew: it is the last in the row.
        drop(serving);
        drop(seats.take(at(7)).unwrap());
        assert!(fourth.seat().closed.is_cancelled() && !is_closed(1));
    }

    #[test]
    fn seats_are_kept_for_health() {
        let seats = Seats::new(2);
        let now = Instant::now();
        let taken: Vec<Taken> = (0..2).map(|_| seats.take(now).unwrap()).collect();
        let _serving: Vec<Serving> = taken.iter().map(|taken| taken.seat().serve()).collect();
        let health: Vec<Taken> = (0..FOR_HEALTH).map(|_| seats.take(now).unwrap()).collect();
        assert!(health.iter().all(|taken| taken.seat().is_for_health()));
        // They are not for keeping either.
        assert!(seats.take(now).unwrap().seat().is_for_health());
        assert!(health[0].seat().closed.is_cancelled());
        let _answers: Vec<Serving> = health.iter().map(|taken| taken.seat().serve()).collect();
        let _last = seats.take(now).map(|taken| (taken.seat().serve(), taken));
        assert!(seats.take(now).is_none());
        drop(taken);
        assert!(!seats.take(now).unwrap().seat().is_for_health());
    }

    #[test]
    fn a_head_has_a_deadline_from_its_first_byte() {
        let seats = Seats::new(1);
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let taken = seats.take(begin).unwrap();
        let seat = taken.seat();
        assert_eq!(seat.due(), Some(begin + SILENT));
        seat.heard(at(7));
        assert_eq!(seat.due(), Some(at(7) + HEAD));
        // More bytes do not make it later.
        seat.heard(at(8));
        seat.told(at(9));
        assert_eq!(seat.due(), Some(at(7) + HEAD));
        let serving = seat.serve();
        // Of the request's own body.
        seat.heard(at(10));
        assert_eq!(seat.due(), None, "an answer may take long");
        drop(serving);
        assert!(seat.due().unwrap() >= begin + SILENT);
        seat.told(at(100));
        assert_eq!(seat.due(), Some(at(100) + SILENT), "somebody still reads");
    }

    #[tokio::test]
    async fn who_waits_hears_what_changes() {
        let seats = Seats::new(1);
        let begin = Instant::now().checked_sub(SILENT).unwrap();
        let taken = seats.take(begin).unwrap();
        let serving = taken.seat().serve();
        let over = taken.seat().over();
        tokio::pin!(over);
        assert!(futures::poll!(over.as_mut()).is_pending());
        drop(serving);
        assert!(futures::poll!(over.as_mut()).is_pending(), "it begins to wait anew");
        drop(seats.take(Instant::now()).unwrap());
        assert!(over.await.contains("room"));
    }

    #[tokio::test]
    async fn a_connection_that_is_late_is_over() {
        let late = Instant::now().checked_sub(SILENT).unwrap();
        let taken = Seats::new(1).take(late).unwrap();
        assert!(taken.seat().over().await.contains("in time"));
    }
}
