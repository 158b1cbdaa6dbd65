//! Which wave a host is in, and which waves may copy and activate.

use super::stop::Stop;
use crate::deploy::plan::Plan;

/// Progress of a rollout by wave.
#[derive(Clone, Debug)]
pub(super) struct WaveProgress {
    /// Number of hosts in each wave whose copy is not finished.
    pub(super) unprepared: Vec<usize>,
    /// Number of hosts in each wave without an outcome.
    pub(super) unfinished: Vec<usize>,
    /// Why no further host may start; `None` while the rollout continues.
    pub(super) stopped: Option<Stop>,
}

impl WaveProgress {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut sizes: Vec<usize> = Vec::new();
        for place in 0..plan.hosts.len() {
            let wave = wave(plan, place);
            sizes.resize(sizes.len().max(wave + 1), 0);
            if let Some(size) = sizes.get_mut(wave) {
                *size += 1;
            }
        }
        Self { unprepared: sizes.clone(), unfinished: sizes, stopped: None }
    }

    /// Whether the copies of all earlier waves are finished.
    pub(super) fn may_prepare(&self, wave: usize) -> bool {
        self.stopped.is_some() || self.unprepared.iter().take(wave).all(|left| *left == 0)
    }

    pub(super) fn may_activate(&self, wave: usize) -> bool {
        self.stopped.is_some() || self.unfinished.iter().take(wave).all(|left| *left == 0)
    }

    pub(super) fn count(left: &mut [usize], wave: usize) {
        if let Some(left) = left.get_mut(wave) {
            *left = left.saturating_sub(1);
        }
    }
}

/// The wave of the host at this place in the plan; canaries are the first one.
pub(super) fn wave(plan: &Plan, place: usize) -> usize {
    let (canary, size) = (plan.canary as usize, (plan.wave as usize).max(1));
    if place < canary { 0 } else { (place - canary) / size + usize::from(canary > 0) }
}
