//! The search indexes that calls use, and those that are being built.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Context, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::flake::options::HostOption;
use crate::progress::{Call, Progress, Update};
use crate::search::commands::ProgramPaths;
use crate::search::index::{ContentId, Index, IndexFile, IndexSource, IndexStore, NotKept, Package};

/// Longest time that a call to a server waits for an index before it answers without it.
pub const INDEX_WAIT: Duration = Duration::from_secs(20);

/// The search indexes of a process.
#[derive(Debug, Default)]
pub struct Indexes {
    pub packages: IndexesOf<Package>,
    pub options: IndexesOf<HostOption>,
    /// What is built on this machine.
    pub program_paths: Arc<ProgramPaths>,
}

/// The indexes of one kind.
#[derive(Debug)]
pub struct IndexesOf<E> {
    /// The builds by the name of their file.
    builds: Arc<Mutex<HashMap<String, Build<E>>>>,
    /// The last index for which there was no place on disk, with the name of its file.
    in_memory: Arc<Mutex<Option<InMemory<E>>>>,
    /// The open index files, the one that was used last at the end: opening one takes longer than a query.
    open: Arc<Mutex<Vec<OpenIndex<E>>>>,
}

/// An open index file.
#[derive(Debug)]
struct OpenIndex<E> {
    file: IndexFile,
    index: SharedIndex<E>,
}

/// Most open index files of a kind.
const OPEN: usize = 4;

/// An index with the name that its file would have.
type InMemory<E> = (String, SharedIndex<E>);

impl<E> Default for IndexesOf<E> {
    fn default() -> Self {
        Self { builds: Arc::default(), in_memory: Arc::default(), open: Arc::default() }
    }
}

/// A build that is running.
#[derive(Debug)]
struct Build<E> {
    progress: Arc<BuildProgress>,
    /// What it ended with; `None` while it is running, or if it was stopped.
    outcome: watch::Receiver<Outcome<E>>,
}

impl<E> Clone for Build<E> {
    fn clone(&self) -> Self {
        Self { progress: Arc::clone(&self.progress), outcome: self.outcome.clone() }
    }
}

type Outcome<E> = Option<Result<SharedIndex<E>, Box<Diagnostic>>>;

/// The latest progress of a build.
#[derive(Debug)]
struct BuildProgress {
    begun: Instant,
    latest: Mutex<Update>,
}

impl Progress for BuildProgress {
    fn report(&self, update: Update) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = update;
    }
}

impl BuildProgress {
    fn latest(&self) -> Update {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An index that several calls use.
pub struct SharedIndex<E> {
    index: Arc<Mutex<Index<E>>>,
    /// Why it is not kept for the next call; `None` if it is kept.
    pub not_kept: Option<Arc<NotKept>>,
}

impl<E> Clone for SharedIndex<E> {
    fn clone(&self) -> Self {
        Self { index: Arc::clone(&self.index), not_kept: self.not_kept.clone() }
    }
}

impl<E> std::fmt::Debug for SharedIndex<E> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("SharedIndex")
    }
}

impl<E> SharedIndex<E> {
    fn new(index: Index<E>, not_kept: Option<NotKept>) -> Self {
        Self { index: Arc::new(Mutex::new(index)), not_kept: not_kept.map(Arc::new) }
    }

    /// The index, for a query of a few milliseconds.
    pub fn lock(&self) -> MutexGuard<'_, Index<E>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An index for a call, or the state of its build.
pub enum Available<E> {
    /// The index.
    Ready(SharedIndex<E>),
    /// It is being built.
    Building {
        /// The parts that are done, and of how many.
        progress: Update,
        begun: Instant,
        /// The index of the previous content.
        previous: Option<SharedIndex<E>>,
    },
}

impl<E: Send + 'static> IndexesOf<E> {
    /// The index of `source` for a call. A server builds it in the background, and a call waits for it a while; another process
    /// builds it before it answers.
    ///
    /// # Errors
    /// See [`IndexStore::obtain`].
    pub async fn available<S>(&self, context: &Context, source: &S) -> Result<Available<E>, ToolError>
    where
        S: IndexSource<Entry = E>,
        E: crate::search::index::IndexEntry,
    {
        let flake = context.flake();
        let store = IndexStore::new(flake);
        let content = source.identify(flake).await?;
        if let Some(content) = &content {
            if let Some(index) = self.opened(&store, source, content) {
                return Ok(Available::Ready(index));
            }
            let in_memory = self.in_memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, index)) = in_memory.as_ref().filter(|(name, _)| *name == content.file_name) {
                return Ok(Available::Ready(index.clone()));
            }
        }
        let background = &context.services.background;
        let Some(content) = content.filter(|_| background.is_enabled()) else {
            let built = store.obtain(source, flake, &context.call).await?;
            return Ok(Available::Ready(SharedIndex::new(built.index, built.not_kept)));
        };
        let mut build = self.join(context, source, &content.file_name);
        let ended = tokio::select! {
            ended = build.outcome.wait_for(Option::is_some) => ended.map(|outcome| outcome.clone()).unwrap_or_default(),
            () = forward(&build.progress, &context.call) => None,
            () = tokio::time::sleep(context.services.index_wait) => None,
            () = context.call.cancel.cancelled() => {
                return Err(Diagnostic::new(Code::Cancelled, "the call was cancelled").into());
            }
        };
        match ended {
            Some(Ok(index)) => Ok(Available::Ready(index)),
            Some(Err(error)) => Err((*error).into()),
            None => Ok(Available::Building {
                progress: build.progress.latest(),
                begun: build.progress.begun,
                previous: store.latest::<S>(flake).map(|index| SharedIndex::new(index, None)),
            }),
        }
    }

    /// The complete index with this content, if it is on disk.
    fn opened<S>(&self, store: &IndexStore, source: &S, content: &ContentId) -> Option<SharedIndex<E>>
    where
        S: IndexSource<Entry = E>,
    {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = store.complete_file(content);
        if let Some(file) = &file
            && let Some(at) = open.iter().position(|known| known.file == *file)
        {
            let known = open.remove(at);
            let index = known.index.clone();
            open.push(known);
            return Some(index);
        }
        let index = SharedIndex::new(store.open(source, content)?, None);
        // Opening it may have noted the use in the time of the file.
        let file = store.complete_file(content)?;
        open.retain(|known| known.file.path != file.path);
        if open.len() >= OPEN {
            open.remove(0);
        }
        open.push(OpenIndex { file, index: index.clone() });
        Some(index)
    }

    /// Removes a damaged index, so that the next call builds it again.
    ///
    /// # Errors
    /// See [`crate::flake::FlakeError`].
    pub async fn discard<S>(&self, context: &Context, source: &S) -> Result<(), ToolError>
    where
        S: IndexSource<Entry = E>,
    {
        if let Some(content) = source.identify(context.flake()).await? {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
            IndexStore::new(context.flake()).discard(&content);
        }
        Ok(())
    }

    /// The running build of this content, which is started if there is none.
    fn join<S>(&self, context: &Context, source: &S, file_name: &str) -> Build<E>
    where
        S: IndexSource<Entry = E>,
    {
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(build) = builds.get(file_name) {
            return build.clone();
        }
        let progress = Arc::new(BuildProgress { begun: Instant::now(), latest: Mutex::default() });
        let (done, outcome) = watch::channel(None);
        let build = Build { progress: Arc::clone(&progress), outcome };
        builds.insert(file_name.to_owned(), build.clone());
        let background = &context.services.background;
        let call = Call::new(progress, background.stop_token().clone());
        let (all, in_memory) = (Arc::clone(&self.builds), Arc::clone(&self.in_memory));
        let (flake, source, name): (Flake, S, String) =
            (context.flake().clone(), source.clone(), file_name.to_owned());
        background.spawn(async move {
            let built = IndexStore::new(&flake).obtain(&source, &flake, &call).await;
            let outcome = match built {
                Ok(built) => {
                    let lacks_place = built.not_kept.as_ref().is_some_and(|not_kept| not_kept.is_right);
                    let index = SharedIndex::new(built.index, built.not_kept);
                    if lacks_place {
                        let mut in_memory = in_memory.lock().unwrap_or_else(PoisonError::into_inner);
                        *in_memory = Some((name.clone(), index.clone()));
                    }
                    Ok(index)
                }
                Err(error) => {
                    let error = Diagnostic::from(&error);
                    tracing::warn!(error = %error.message, "the search index was not built");
                    Err(Box::new(error))
                }
            };
            // A call that comes now finds the file.
            all.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            done.send_replace(Some(outcome));
        });
        build
    }
}

/// Reports the progress of a build to a call that waits for it. Never ends.
async fn forward(progress: &BuildProgress, call: &Call) {
    let mut told = Update::default();
    loop {
        let latest = progress.latest();
        if latest != told {
            call.progress.report(latest.clone());
            told = latest;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
