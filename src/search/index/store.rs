//! The index files in the cache folder.
//!
//! A file is written aside and renamed when it is complete, so a build that is killed leaves nothing half-done. One process
//! builds an index at a time; another waits for it and uses the result.

mod files;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;

pub use self::files::IndexFile;
use self::files::{COMPLETE, LOCK, PARTIAL, complete_files, remove_if_there, sweep};
use super::build::BuildError;
use super::database::{Fact, Index, IndexWriter};
use super::package::Package;
use super::source::{ContentId, IndexSource};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::{Flake, FlakeError};
use crate::progress::Call;
use crate::state::{StateError, StateFolder};

/// The folder of the indexes in the cache folder.
const FOLDER: &str = "index";
/// Interval at which a use of an index is noted in the time of its file.
const NOTE_USE: Duration = Duration::from_secs(3600);
/// Pause between two looks at a build of another process.
const PAUSE: Duration = Duration::from_millis(200);

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be opened, locked, renamed or removed.
    #[error("the search index {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    /// It could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<FlakeError> for StoreError {
    fn from(error: FlakeError) -> Self {
        Self::Build(error.into())
    }
}

impl From<&StoreError> for Diagnostic {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Build(BuildError::Flake(error)) => error.into(),
            StoreError::Cancelled => Self::new(Code::Cancelled, error.to_string()),
            StoreError::Build(BuildError::TooMany) => Self::new(Code::OutputTooLarge, error.to_string()),
            StoreError::Build(BuildError::Index(_)) | StoreError::Io { .. } => Self::new(
                Code::StateUnusable,
                error.to_string(),
            )
            .with_hint(
                "the cache folder must belong to this user and have space; its folder `index` can be removed",
            ),
        }
    }
}

/// An index, and how it was obtained.
pub struct Obtained<E> {
    pub index: Index<E>,
    /// Whether it was there.
    pub was_there: bool,
    /// Why it is not kept for the next call; `None` if it is kept.
    pub not_kept: Option<NotKept>,
}

/// Why an index is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept {
    /// In words.
    pub reason: String,
    /// Whether the index is right, and only lacks a place on disk.
    pub is_right: bool,
}

impl NotKept {
    fn unsure(reason: &str) -> Self {
        Self { reason: reason.to_owned(), is_right: false }
    }

    fn without_place(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_right: true }
    }
}

/// The indexes on disk.
pub struct IndexStore {
    folder: Option<StateFolder>,
    /// Why there is no folder.
    problem: Option<StateError>,
}

impl IndexStore {
    /// The store in the cache folder of the flake's settings. Without a usable folder, every index is built in memory.
    #[must_use]
    pub fn new(flake: &Flake) -> Self {
        let settings = &flake.settings().cache;
        let Some(place) = settings.folder.as_ref().filter(|_| settings.enabled) else {
            return Self { folder: None, problem: None };
        };
        match StateFolder::open(place).and_then(|folder| folder.folder(FOLDER)) {
            Ok(folder) => Self { folder: Some(folder), problem: None },
            Err(problem) => Self { folder: None, problem: Some(problem) },
        }
    }

    /// The complete index with this content; `None` if there is none, or it is damaged and has to be built again.
    #[must_use]
    pub fn open<S: IndexSource>(&self, _: &S, content: &ContentId) -> Option<Index<S::Entry>> {
        open(&self.file(content)?)
    }

    /// The file of the complete index with this content; `None` if there is none.
    #[must_use]
    pub fn complete_file(&self, content: &ContentId) -> Option<IndexFile> {
        IndexFile::at(self.file(content)?)
    }

    /// The index of this kind that was used last for this flake, whatever its content; `None` if there is none.
    #[must_use]
    pub fn latest<S: IndexSource>(&self, flake: &Flake) -> Option<Index<S::Entry>> {
        let mut files = complete_files(self.folder.as_ref()?.path(), S::PREFIX);
        files.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        let of_this = flake_fact(flake);
        files.into_iter().find_map(|(_, file)| {
            let index = Index::open(&file).ok()?;
            (index.fact(Fact::Flake).ok()??.as_str() == of_this).then_some(index)
        })
    }

    /// The index of this source, which is built if it is not there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn obtain<S: IndexSource>(
        &self,
        source: &S,
        flake: &Flake,
        call: &Call,
    ) -> Result<Obtained<S::Entry>, StoreError> {
        let content = source.identify(flake).await?;
        let Some(content) = content else {
            let reason = NotKept::unsure("the flake has parts without a fixed content");
            return in_memory(source, flake, call, reason).await;
        };
        let Some(file) = self.file(&content) else {
            let reason = match &self.problem {
                Some(problem) => problem.to_string(),
                None => "the cache is disabled, or has no folder".to_owned(),
            };
            return in_memory(source, flake, call, NotKept::without_place(reason)).await;
        };
        if let Some(index) = open(&file) {
            return Ok(Obtained { index, was_there: true, not_kept: None });
        }
        let _lock = match wait_for_lock(&file.with_extension(LOCK), call).await {
            Ok(lock) => lock,
            Err(StoreError::Io { path, cause }) => {
                let reason = NotKept::without_place(format!("{}: {cause}", path.display()));
                return in_memory(source, flake, call, reason).await;
            }
            Err(error) => return Err(error),
        };
        // Another process may have built it while this one waited.
        if let Some(index) = open(&file) {
            return Ok(Obtained { index, was_there: true, not_kept: None });
        }
        match on_disk(source, flake, &content, &file, call).await {
            // The disk is full or cannot be written.
            Err(error @ (StoreError::Io { .. } | StoreError::Build(BuildError::Index(_)))) => {
                in_memory(source, flake, call, NotKept::without_place(error.to_string())).await
            }
            obtained => obtained,
        }
    }

    /// The size of the index with this content in bytes, and the time at which it was built; `None` if it is not kept.
    #[must_use]
    pub fn size_and_time(&self, content: &ContentId) -> Option<(u64, SystemTime)> {
        let file = self.file(content)?;
        let index: Index<Package> = Index::open(&file).ok()?;
        let built: u64 = index.fact(Fact::Built).ok()??.parse().ok()?;
        let size = fs::metadata(&file).ok()?.len();
        Some((size, SystemTime::UNIX_EPOCH + Duration::from_secs(built)))
    }

    /// Removes a damaged index, so that it is built again.
    pub fn discard(&self, content: &ContentId) {
        let Some(file) = self.file(content) else { return };
        match remove_if_there(&file) {
            Ok(()) => tracing::warn!(file = %file.display(), "a damaged search index was removed"),
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "a damaged search index was not removed")
            }
        }
    }

    fn file(&self, content: &ContentId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.path().join(&content.file_name).with_extension(COMPLETE))
    }
}

/// The flake as indexes name it.
fn flake_fact(flake: &Flake) -> String {
    flake.settings().flake.display().to_string()
}

/// Builds an index in memory, which serves one call.
async fn in_memory<S: IndexSource>(
    source: &S,
    flake: &Flake,
    call: &Call,
    not_kept: NotKept,
) -> Result<Obtained<S::Entry>, StoreError> {
    tracing::debug!(reason = %not_kept.reason, "the search index is built in memory");
    let mut writer = IndexWriter::create(None).map_err(BuildError::from)?;
    source.write(&mut writer, flake, call).await?;
    Ok(Obtained {
        index: writer.finish().map_err(BuildError::from)?,
        was_there: false,
        not_kept: Some(not_kept),
    })
}

/// Builds an index aside, and renames it when it is complete and still right.
async fn on_disk<S: IndexSource>(
    source: &S,
    flake: &Flake,
    content: &ContentId,
    file: &Path,
    call: &Call,
) -> Result<Obtained<S::Entry>, StoreError> {
    let partial = file.with_extension(PARTIAL);
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |cause| StoreError::Io { path, cause }
    };
    remove_if_there(&partial).map_err(io_error(&partial))?;
    let asked = flake.watching_failures();
    let built = async {
        let mut writer = IndexWriter::create(Some(&partial)).map_err(BuildError::from)?;
        writer.set_fact(Fact::Flake, &flake_fact(flake)).map_err(BuildError::from)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        writer.set_fact(Fact::Built, &now.as_secs().to_string()).map_err(BuildError::from)?;
        let has_fetched = source.write(&mut writer, &asked, call).await?;
        Ok::<_, BuildError>((writer.finish()?, has_fetched))
    };
    let (index, has_fetched) = match built.await {
        Ok(built) => built,
        Err(error) => {
            remove_if_there(&partial).map_err(io_error(&partial))?;
            return Err(error.into());
        }
    };
    let not_kept = if has_fetched {
        Some(NotKept::unsure(
            "Nix fetched something meanwhile, and something else may have failed to download",
        ))
    } else if asked.has_met_transient_failure() && !source.is_kept_with_gaps() {
        Some(NotKept::unsure("some parts failed in a way that another try may mend"))
    } else if !content.is_current(flake).await {
        Some(NotKept::unsure("the flake changed meanwhile"))
    } else {
        None
    };
    if not_kept.is_some() {
        // The open index still has the content of the removed file.
        remove_if_there(&partial).map_err(io_error(&partial))?;
    } else {
        fs::rename(&partial, file).map_err(io_error(file))?;
        if let Some(folder) = file.parent() {
            sweep(folder, S::PREFIX, file);
        }
    }
    Ok(Obtained { index, was_there: false, not_kept })
}

/// Opens a complete index, and notes its use; `None` if there is none, or it is damaged and has to be built again.
fn open<E: super::entry::IndexEntry>(file: &Path) -> Option<Index<E>> {
    match Index::open(file) {
        Ok(index) => {
            note_use(file);
            Some(index)
        }
        Err(error) => {
            if file.exists() {
                tracing::warn!(%error, file = %file.display(), "the search index is built again");
            }
            None
        }
    }
}

/// Sets the time of a file to now, at most once in [`NOTE_USE`]: `sweep` removes the ones that were not used for longest, and
/// many file systems do not note reads.
fn note_use(file: &Path) {
    let noted = || -> io::Result<()> {
        let modified = fs::metadata(file)?.modified()?;
        if modified.elapsed().is_ok_and(|age| age > NOTE_USE) {
            File::options().append(true).open(file)?.set_modified(SystemTime::now())?;
        }
        Ok(())
    };
    if let Err(error) = noted() {
        tracing::debug!(%error, file = %file.display(), "the use of a search index was not noted");
    }
}

/// Holds the lock for building an index until it is dropped.
async fn wait_for_lock(path: &Path, call: &Call) -> Result<File, StoreError> {
    let failed = |cause: io::Error| StoreError::Io { path: path.to_owned(), cause };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                call.report_message("another process builds the search index");
            }
            Err(error) => return Err(failed(error.into())),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = call.cancel.cancelled() => return Err(StoreError::Cancelled),
        }
    }
}
