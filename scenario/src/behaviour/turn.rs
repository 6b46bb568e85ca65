//! The order of calls: each slot is planned once, rising, and settled before the next.

use super::BehaviourError;

/// A planned slot `P` waiting for its result.
#[derive(Clone, Debug)]
pub(super) struct Turns<P> {
    last: Option<usize>,
    pending: Option<(usize, P)>,
}

impl<P> Turns<P> {
    pub(super) fn new() -> Self {
        Self { last: None, pending: None }
    }

    /// Whether `slot` may be planned now.
    pub(super) fn check(&self, slot: usize) -> Result<(), BehaviourError> {
        if let Some((pending, _)) = self.pending {
            return Err(BehaviourError::Unsettled { pending });
        }
        match self.last {
            Some(last) if slot <= last => Err(BehaviourError::SlotOrder { slot, last }),
            _ => Ok(()),
        }
    }

    pub(super) fn planned(&mut self, slot: usize, plan: P) {
        self.last = Some(slot);
        self.pending = Some((slot, plan));
    }

    /// What was planned for the slot that a result is for.
    pub(super) fn pending(&self, slot: usize) -> Result<&P, BehaviourError> {
        match &self.pending {
            Some((pending, plan)) if *pending == slot => Ok(plan),
            _ => Err(BehaviourError::NotPlanned { slot }),
        }
    }

    /// What is planned and not settled.
    pub(super) fn open(&self) -> Option<&P> {
        self.pending.as_ref().map(|(_, plan)| plan)
    }

    pub(super) fn settled(&mut self) {
        self.pending = None;
    }
}
