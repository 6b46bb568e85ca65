//! What receipts are judged by: blocks that are final. The last blocks of a ledger may be without a certificate, and
//! whoever copied it could have written them: they prove nothing against anybody.

use super::receipts::{ReceiptCheck, ReceiptFinding};
use crate::hash::Hash;
use crate::state::State;
use crate::state::effects::Effect;
use std::collections::BTreeSet;
use veilgrid_crypto::receipt::Receipt;

/// Something that a block shows about receipts.
enum Observed {
    Term(u64, State),
    Effect(Effect),
    Digests(u64, Vec<Hash>),
    Lost(Vec<u64>),
    Finished(BTreeSet<u64>),
}

/// Holds back what blocks show about receipts until a certificate covers them.
pub(super) struct FinalReceipts {
    check: ReceiptCheck,
    /// Of blocks that are not known to be final, in their order; nothing when no receipts are asked about.
    waiting: Vec<Observed>,
    asked: bool,
    /// After the last block that is final.
    state: Option<State>,
}

impl FinalReceipts {
    pub(super) fn new(receipts: Vec<Receipt>) -> Self {
        let asked = !receipts.is_empty();
        Self { check: ReceiptCheck::new(receipts), waiting: Vec::new(), asked, state: None }
    }

    /// See [`ReceiptCheck::observe_term`].
    pub(super) fn observe_term(&mut self, round_id: u64, state: &State) {
        if self.asked {
            self.waiting.push(Observed::Term(round_id, state.clone()));
        }
    }

    /// See [`ReceiptCheck::observe`].
    pub(super) fn observe(&mut self, effect: &Effect) {
        let matters = matches!(
            effect,
            Effect::RoundOpened { .. }
                | Effect::RoundClosed { .. }
                | Effect::BidsAccepted { .. }
                | Effect::Withdrawn { .. }
        );
        if self.asked && matters {
            self.waiting.push(Observed::Effect(effect.clone()));
        }
    }

    /// See [`ReceiptCheck::observe_digests`].
    pub(super) fn observe_digests(&mut self, round_id: u64, digests: &[Hash]) {
        if self.asked {
            self.waiting.push(Observed::Digests(round_id, digests.to_vec()));
        }
    }

    /// Rounds that are not recomputed from a block on; see [`ReceiptCheck::observe_lost`].
    pub(super) fn observe_lost(&mut self, rounds: &[u64]) {
        if self.asked && !rounds.is_empty() {
            self.waiting.push(Observed::Lost(rounds.to_vec()));
        }
    }

    /// A checkpoint says that these rounds, which were not recomputed, are finished; see
    /// [`ReceiptCheck::observe_finished`]. It is confirmed by the next block.
    pub(super) fn observe_finished(&mut self, rounds: &BTreeSet<u64>) {
        if self.asked {
            self.waiting.push(Observed::Finished(rounds.clone()));
        }
    }

    /// Everything up to this state is final.
    pub(super) fn settle(&mut self, state: &State) {
        if !self.asked {
            return;
        }
        for observed in self.waiting.drain(..) {
            match observed {
                Observed::Term(round_id, state) => self.check.observe_term(round_id, &state),
                Observed::Effect(effect) => self.check.observe(&effect),
                Observed::Digests(round_id, digests) => self.check.observe_digests(round_id, &digests),
                Observed::Lost(rounds) => self.check.observe_lost(&rounds),
                Observed::Finished(rounds) => self.check.observe_finished(&rounds),
            }
        }
        self.state = Some(state.clone());
    }

    /// What the final blocks say.
    pub(super) fn findings(&self) -> Vec<ReceiptFinding> {
        self.state.as_ref().map(|state| self.check.findings(state)).unwrap_or_default()
    }
}
