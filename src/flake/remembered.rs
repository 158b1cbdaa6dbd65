//! Answers that are remembered as long as the flake stays the same, each found by one call at a time.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheKey, Fingerprint, Flake, FlakeError, evaluate};
use crate::nix::{self, NixError};
use crate::progress::Call;

impl Flake {
    /// Lets one call at a time do what `name` says; the next waits for its turn.
    ///
    /// # Errors
    /// That the call was cancelled while it waited.
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

    /// The answer to `question` about the flake as it is now: remembered, or found by asking the flake that `find` is
    /// given.
    ///
    /// An answer on the way to which anything failed that [may pass](Self::mark_transient) is not remembered, whether or not it
    /// tells of that. One about a flake that changed while it was evaluated is not remembered either.
    ///
    /// # Errors
    /// Whatever `find` gives.
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
        // One after the other, so that the second finds the first one's answer.
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

    /// Says that what is being found may be otherwise the next time, though the flake is the same.
    ///
    /// [`Flake::ask`] says so of every failure that is no property of the flake; whoever asks says so of what it does not
    /// see.
    pub fn mark_transient(&self) {
        self.transient.store(true, Ordering::Relaxed);
    }

    /// Remembers an answer to `question` that was found on the way to another one, where the flake is still
    /// as it was `before` that.
    ///
    /// # Errors
    /// That there is no `nix`.
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
