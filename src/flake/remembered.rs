//! Cached answers about the flake. One call at a time evaluates an answer; others wait for it.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheKey, Fingerprint, Flake, FlakeError, evaluate};
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
        let asked = Self { transient: Arc::default(), ..self.clone() };
        let answer = find(asked.clone()).await;
        let passes = asked.transient.load(Ordering::Relaxed);
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
                crate::disko::PROBE,
                identity,
                &self.reference(),
                question,
            ],
        )
    }
}
