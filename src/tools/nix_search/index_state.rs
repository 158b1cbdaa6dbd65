//! What limits an answer of `nix_search` while an index is being built, or cannot be kept.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::progress::Update;
use crate::search::index::{Fact, IndexEntry, seconds_left};
use crate::text;
use crate::tools::indexes::SharedIndex;

/// Longest reason why an index is not kept, in characters.
const REASON: usize = 400;

/// What limits an answer while an index is being built, or cannot be kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
// The schema leaves out its fields to save bytes: it is rare, and the names of the fields explain them.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct IndexState {
    /// Whether it is being built: ask again later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub building: bool,
    /// Parts that are done; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Parts that are known so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Seconds since the build began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Seconds that are left, estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// What was searched instead: the previous revision, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<String>,
    /// Why the index is built again at the next search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

impl IndexState {
    /// The state of an index that was searched; `None` unless a fault of the disk keeps it from being used again.
    pub(super) fn of_ready<E>(index: &SharedIndex<E>) -> Option<Self> {
        let not_kept = index.not_kept.as_ref().filter(|not_kept| not_kept.is_right)?;
        Some(Self { not_kept: Some(text::line(&not_kept.reason, REASON)), ..Self::default() })
    }

    /// The state of an index that is being built.
    pub(super) fn of_build<E: IndexEntry>(
        progress: &Update,
        begun: Instant,
        previous: Option<&SharedIndex<E>>,
    ) -> Self {
        let searched = previous.map(|previous| match previous.lock().fact(Fact::Revision) {
            Ok(Some(revision)) => format!("the index of the previous nixpkgs {revision}"),
            Ok(None) | Err(_) => "the index of an earlier state of the flake".to_owned(),
        });
        Self {
            building: true,
            done: progress.total.map(|_| progress.done),
            total: progress.total,
            seconds: Some(begun.elapsed().as_secs()),
            seconds_left: progress
                .total
                .and_then(|total| seconds_left(begun.elapsed().as_secs(), progress.done, total)),
            searched,
            not_kept: None,
        }
    }

    pub(super) fn render(&self) -> String {
        match (&self.not_kept, &self.searched) {
            (Some(reason), _) => format!("The search index is not kept: {}", text::line(reason, 200)),
            (None, searched) => {
                let progress = match (self.done, self.total) {
                    (Some(done), Some(total)) => format!(" ({done} of {total} parts so far)"),
                    _ => String::new(),
                };
                let left =
                    self.seconds_left.map(|seconds| format!(", about {seconds} s left")).unwrap_or_default();
                let searched = searched.as_deref().unwrap_or("nothing");
                format!(
                    "The search index is being built{progress}{left}; searched: {}. Ask again later.",
                    text::line(searched, 120)
                )
            }
        }
    }
}
