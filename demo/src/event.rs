//! What a day tells while it runs: enough for progress bars, nothing that the ledger does not publish.

use std::sync::Arc;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::{Outcome, SumRequest};
use veilgrid_roles::committee::FalseShare;

/// Hears the events. It is called from several threads and must return quickly.
pub type Observer = Arc<dyn Fn(DayEvent) + Send + Sync>;

/// An event of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayEvent {
    /// The validators generate the keys.
    KeyGenerationStarted {
        /// Number of validators.
        validators: u16,
        /// Shares that open a sum.
        threshold: u16,
        /// Number of keys, one a step.
        keys: usize,
    },
    /// The keys are in force on the ledger.
    KeyGenerationFinished {
        /// The ledger's identity.
        ledger_id: Hash,
        /// Hash of block 0, which auditors have to trust.
        genesis_hash: Hash,
    },
    /// Bids may come.
    RoundOpened {
        /// The round.
        round_id: u64,
        /// Start of its slot, seconds since 1970 UTC.
        slot_start_unix_s: i64,
    },
    /// A member has sealed its bid.
    BidSealed {
        /// The round.
        round_id: u64,
        /// Sealed so far.
        count: usize,
        /// Members that bid.
        total: usize,
    },
    /// Verified bids are on the ledger.
    BidsVerified {
        /// The round.
        round_id: u64,
        /// How many more.
        count: usize,
    },
    /// The set of bids is frozen.
    Closed {
        /// The round.
        round_id: u64,
        /// Bids in it.
        bids: u64,
    },
    /// A sum is open.
    ValueOpened {
        /// The round.
        round_id: u64,
        /// Number of the opening, from 0.
        opening_index: u32,
        /// Which sum.
        request: SumRequest,
        /// Its value, Wh.
        value_wh: i64,
    },
    /// A validator's share is false; the opening goes on with the others'.
    FalseShare(FalseShare),
    /// The outcome is on the ledger.
    Cleared {
        /// The round.
        round_id: u64,
        /// The outcome.
        outcome: Outcome,
    },
    /// The settlement points are on the ledger.
    Settled {
        /// The round.
        round_id: u64,
    },
    /// The round ends without a result.
    RoundVoid {
        /// The round.
        round_id: u64,
        /// Why.
        reason: VoidReason,
        /// Bids that had come.
        bids: u64,
    },
    /// The day ends early, as somebody asked for.
    Cancelled,
}

impl DayEvent {
    /// The event of a ledger's effect; none for what a day does not tell.
    pub(crate) fn of_effect(effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::RoundOpened { round_id, slot } => {
                Self::RoundOpened { round_id: *round_id, slot_start_unix_s: slot.start_unix_s }
            }
            Effect::BidsAccepted { round_id, bids } => {
                Self::BidsVerified { round_id: *round_id, count: bids.len() }
            }
            Effect::RoundClosed { round_id, bids, .. } => Self::Closed { round_id: *round_id, bids: *bids },
            Effect::ValueOpened { round_id, opening_index, request, value_wh } => Self::ValueOpened {
                round_id: *round_id,
                opening_index: *opening_index,
                request: *request,
                value_wh: *value_wh,
            },
            Effect::Cleared { round_id, outcome } => Self::Cleared { round_id: *round_id, outcome: *outcome },
            Effect::Settled(settled) => Self::Settled { round_id: settled.round_id },
            Effect::Voided { round_id, reason, bids } => {
                Self::RoundVoid { round_id: *round_id, reason: *reason, bids: *bids }
            }
            // The rest is told by the ledger to whoever asks.
            _ => return None,
        })
    }
}
