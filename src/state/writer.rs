//! A thread for writes that must reach the disk before a call continues.
//!
//! A slow disk, or a lock that another process holds, blocks the thread that waits for it. That must not be one of the
//! runtime's two worker threads, nor one of its blocking threads, which read standard input. Jobs run in the order in
//! which they were queued, also if their callers no longer wait.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::StateError;

/// Most jobs that wait in the queue. If it is full, callers wait until there is room.
const QUEUE_LENGTH: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

static QUEUE: OnceLock<Result<mpsc::Sender<Job>, std::io::ErrorKind>> = OnceLock::new();
/// The number of jobs that were queued and have not finished.
static PENDING: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` on the writer thread and returns its result. `work` gets the time at which it was queued, to count its own
/// timeouts from.
///
/// # Errors
/// The errors of `work`; [`StateError::Unwritten`] if it did not run.
pub async fn run<T, E>(work: impl FnOnce(Instant) -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: Display + From<StateError> + Send + 'static,
{
    let queue = match QUEUE.get_or_init(start_thread) {
        Ok(queue) => queue,
        Err(kind) => {
            return Err(
                StateError::Unwritten(format!("the writer thread could not be started: {kind}")).into()
            );
        }
    };
    let ended = |_| E::from(StateError::Unwritten("the writer thread has ended".to_owned()));
    let queued_at = Instant::now();
    let (result_sender, result_receiver) = oneshot::channel();
    let permit = queue.reserve().await.map_err(|_| ended(()))?;
    PENDING.fetch_add(1, Ordering::Relaxed);
    permit.send(Box::new(move || {
        let result = work(queued_at);
        if let Err(Err(error)) = result_sender.send(result) {
            tracing::error!(%error, "a write failed after its caller had stopped waiting");
        }
    }));
    result_receiver.await.map_err(|_| ended(()))?
}

fn start_thread() -> Result<mpsc::Sender<Job>, std::io::ErrorKind> {
    let (queue, mut jobs) = mpsc::channel::<Job>(QUEUE_LENGTH);
    let thread = std::thread::Builder::new().name("writer".to_owned());
    let begun = thread.spawn(move || {
        while let Some(work) = jobs.blocking_recv() {
            // If a job panics, its caller sees the channel closed, and the next jobs run.
            drop(std::panic::catch_unwind(AssertUnwindSafe(work)));
            PENDING.fetch_sub(1, Ordering::Relaxed);
        }
    });
    begun.map(|_| queue).map_err(|error| error.kind())
}

/// Waits until all queued jobs are done, at most for `patience`.
///
/// # Errors
/// The number of jobs that are not done.
pub async fn drain(patience: Duration) -> Result<(), usize> {
    let left = PENDING.load(Ordering::Relaxed);
    if left == 0 {
        return Ok(());
    }
    match tokio::time::timeout(patience, run(|_| Ok::<(), StateError>(()))).await {
        Ok(Ok(())) => Ok(()),
        // The empty job that was queued here does not count.
        Ok(Err(_)) | Err(_) => Err(left.min(PENDING.load(Ordering::Relaxed))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, mpsc as std_mpsc};

    /// Few enough to be queued even if other tests queue jobs meanwhile.
    const COUNT: usize = QUEUE_LENGTH / 4;

    #[tokio::test]
    async fn the_runtime_goes_on_and_the_order_is_kept() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let (release, held) = std_mpsc::channel::<()>();
        let first = run({
            let done = Arc::clone(&done);
            move |_| {
                held.recv().unwrap();
                done.lock().unwrap().push(0);
                Ok::<_, StateError>(())
            }
        });
        let mut first = Box::pin(first);
        assert!(futures::poll!(first.as_mut()).is_pending());
        let mut rest = Vec::new();
        for number in 1..COUNT {
            let done = Arc::clone(&done);
            let mut writing = Box::pin(run(move |_| {
                done.lock().unwrap().push(number);
                if number == 7 { Err(StateError::Unwritten("seven".into())) } else { Ok(()) }
            }));
            // Queued, in this order.
            assert!(futures::poll!(writing.as_mut()).is_pending());
            rest.push(writing);
        }
        // This thread is the whole runtime, and it is free.
        tokio::task::yield_now().await;
        assert!(drain(Duration::ZERO).await.is_err_and(|left| left >= COUNT));
        // Dropping a caller does not cancel its job.
        rest.pop();
        release.send(()).unwrap();
        first.await.unwrap();
        for (number, writing) in (1..).zip(rest) {
            assert_eq!(writing.await.is_err(), number == 7, "{number}");
        }
        drain(Duration::from_secs(20)).await.unwrap();
        assert_eq!(*done.lock().unwrap(), (0..COUNT).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_ends_nothing() {
        let panicked = run(|_| -> Result<(), StateError> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StateError::Unwritten(_))));
        assert_eq!(run(|_| Ok::<_, StateError>(1)).await.unwrap(), 1);
    }
}
