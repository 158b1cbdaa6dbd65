//! Cached answers about the flake. One call at a time evaluates an answer; others wait for it.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheKey, Fingerprint, Flake, FlakeError, evaluate, explain, isolation, set_values, view};
use crate::nix::{self, NixError};
use crate::progress::Call;

impl Flake {
    /// Waits until no other call holds the turn with this name. The turn ends when the result is dropped.
    ///
    /// # Errors
    /// [`ProcessError::Cancelled`](crate::process::ProcessError::Cancelled) if the call is cancelled while it waits.
    pub async fn wait_for_turn(
        &self,
        name: &str,
        call: &Call,
    ) -> Result<tokio::sync::OwnedMutexGuard<()>, FlakeError> {
        let turns = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.retain(|_, turns| turns.strong_count() > 0);
            match under_way.get(name).and_then(Weak::upgrade) {
                Some(turns) => turns,
                None => {
                    let turns = Arc::new(tokio::sync::Mutex::new(()));
                    under_way.insert(name.to_owned(), Arc::downgrade(&turns));
                    turns
                }
            }
        };
        if let Ok(turn) = Arc::clone(&turns).try_lock_owned() {
            return Ok(turn);
        }
        call.report_message("waiting for another call that does the same");
        tokio::select! {
            turn = turns.lock_owned() => Ok(turn),
            () = call.cancel.cancelled() => Err(NixError::from(crate::process::ProcessError::Cancelled).into()),
        }
    }

    /// Returns the answer to `question` about the flake as it is now: from the cache, or by calling `find`, which must ask the
    /// flake that it is given.
    ///
    /// The answer is not cached if `find` met a [transient](Self::mark_transient) failure, or if the flake changed meanwhile.
    ///
    /// # Errors
    /// Those of `find`.
    pub async fn remembered<T, F>(
        &self,
        question: &str,
        call: &Call,
        find: impl FnOnce(Self) -> F,
    ) -> Result<T, FlakeError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, FlakeError>>,
    {
        self.require()?;
        if !self.cache.is_enabled() {
            return find(self.clone()).await;
        }
        // One call at a time, so that the second finds the first one's answer in the cache.
        let _turn = self.wait_for_turn(&format!("{} {question}", self.reference()), call).await?;
        let (found, before) = futures::future::join(self.nix.find(), self.fingerprint()).await;
        let identity = nix::program::identity(found?);
        let key = |fingerprint: &Fingerprint| self.key(&identity, fingerprint, question);
        let Some(before) = before else { return find(self.clone()).await };
        if let Some(answer) = self.cache.get(&key(&before)) {
            return Ok(answer);
        }
        let asked = self.watching_failures();
        let answer = find(asked.clone()).await;
        let passes = asked.has_met_transient_failure();
        if passes {
            self.mark_transient();
        }
        let answer = answer?;
        if passes {
            return Ok(answer);
        }
        if self.is_untouched_since(&before).await {
            self.cache.put(&key(&before), &answer);
        }
        Ok(answer)
    }

    /// Marks the answer that is being evaluated as one that may differ next time although the flake is the same.
    ///
    /// [`Flake::ask`] does so for every error that is not cacheable (`Code::is_cacheable`). Its callers do so
    /// for failures that it cannot see.
    pub fn mark_transient(&self) {
        self.transient.store(true, Ordering::Relaxed);
    }

    /// Caches an answer to `question` that was found while another one was evaluated, unless the flake has changed since
    /// `before`. `None` means that the state of the flake is not known: nothing is cached.
    ///
    /// # Errors
    /// [`FlakeError::Nix`] if `nix` is not found.
    pub async fn remember<T: Serialize>(
        &self,
        question: &str,
        before: Option<&Fingerprint>,
        answer: &T,
    ) -> Result<(), FlakeError> {
        if let Some(before) = before
            && self.cache.is_enabled()
            && self.is_untouched_since(before).await
        {
            let identity = nix::program::identity(self.nix.find().await?);
            self.cache.put(&self.key(&identity, before, question), answer);
        }
        Ok(())
    }

    pub(super) fn key(&self, identity: &str, fingerprint: &Fingerprint, question: &str) -> CacheKey {
        CacheKey::of(
            fingerprint.as_str(),
            &[
                env!("CARGO_PKG_VERSION"),
                evaluate::PROBES,
                evaluate::FACTS,
                isolation::ISOLATED,
                explain::EXPLAIN,
                set_values::SET_VALUES,
                view::VIEW,
                view::SERVICES,
                crate::disko::PROBE,
                crate::disko::PLACES,
                identity,
                &self.reference(),
                question,
            ],
        )
    }
}

/// A question about a state of the flake.
#[derive(Clone, Debug)]
pub struct StateKey {
    key: CacheKey,
    before: Fingerprint,
}

impl StateKey {
    /// The key of the answer, in hexadecimal.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_str()
    }
}

impl Flake {
    /// The key of the answer to `question` about the flake as it is now, for a large answer that is kept elsewhere than in the
    /// cache; `None` if the state of the flake is not known.
    ///
    /// # Errors
    /// [`FlakeError::Nix`] if `nix` is not found, and those of [`Flake::require`].
    pub async fn state_key(&self, question: &str) -> Result<Option<StateKey>, FlakeError> {
        self.require()?;
        let (found, before) = futures::future::join(self.nix.find(), self.fingerprint()).await;
        let identity = nix::program::identity(found?);
        Ok(before.map(|before| StateKey { key: self.key(&identity, &before, question), before }))
    }

    /// Whether nothing that an evaluation depends on was written since this key was taken.
    pub async fn is_in(&self, state: &StateKey) -> bool {
        self.is_untouched_since(&state.before).await
    }

    /// The same flake, which notes [transient](Self::mark_transient) failures of its own.
    #[must_use]
    pub fn watching_failures(&self) -> Self {
        Self { transient: Arc::default(), ..self.clone() }
    }

    /// Whether a failure was [transient](Self::mark_transient) since [`Self::watching_failures`].
    #[must_use]
    pub fn has_met_transient_failure(&self) -> bool {
        self.transient.load(Ordering::Relaxed)
    }
}
