//! A member's view of the ledger: which rounds wait for its bid, which promises were kept, what it traded, and what is to be
//! done next.
//!
//! Everything but archive and results is rebuilt when the ledger is replayed, and those are written once a round, so that a
//! crash at any moment loses nothing and repeats nothing.

mod bidding;
mod money;
mod outcome;

use super::delivery::{Delivery, Target};
use super::ports::{ArchiveFailure, BidArchive, ResultBook, ResultsFailure};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::state::round::{Round, Slot};
use veilgrid_ledger::transaction::Transaction;

/// Why a member can't go on: what it has to keep is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeskError {
    /// Bids, receipts or evidence.
    #[error(transparent)]
    Archive(#[from] ArchiveFailure),
    /// Results.
    #[error(transparent)]
    Results(#[from] ResultsFailure),
}

/// How often what has happened since the process began, replayed rounds included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Own bids that were seen on the ledger.
    pub bids_on_ledger: u64,
    /// Receipts that were checked and kept by this process.
    pub receipts: u64,
    /// Rounds with an own bid that were settled with its fill.
    pub settled: u64,
    /// Rounds with an own bid that ended void.
    pub voided: u64,
    /// Rounds in which nobody could bid, because no block opened them in their time.
    pub passed_over: u64,
    /// Promises that were not kept.
    pub broken_promises: u64,
    /// Settlement points that do not hold the member's own fill.
    pub wrong_settlements: u64,
}

/// A bid under way.
pub struct Active {
    /// The bid as it is sent, every time.
    pub bid: Arc<SealedBid>,
    /// Its digest.
    pub digest: Hash,
    /// Who has it.
    pub delivery: Delivery,
}

/// A round that waits for this member's bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The round.
    pub round_id: u64,
    /// What it trades.
    pub slot: Slot,
    /// When its bidding began and ends, Unix milliseconds.
    pub bidding_ms: (u64, u64),
}

/// What a member does next.
pub enum Action {
    /// Make its bid of a round: [`Desk::seal_task`], then [`Desk::sealed`].
    Seal {
        /// The round.
        wanted: Wanted,
        /// Without orders: they could not be used in time, and absence would be seen by everybody.
        without_orders: bool,
    },
    /// Send a bid that is kept, then [`Desk::posted`].
    Send {
        /// The round.
        round_id: u64,
        /// To whom.
        to: Target,
        /// The bid.
        bid: Arc<SealedBid>,
    },
}

/// The making of a round's bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    UnderWay,
    /// It failed: not again before this time, Unix milliseconds.
    After {
        unix_ms: u64,
    },
}

/// The desk of one member, with its archive and its results.
pub struct Desk<A, R> {
    keyring: Arc<Keyring>,
    key_epoch: u64,
    account: PointBytes,
    archive: A,
    results: R,
    state: State,
    /// Slots of the rounds that are not finished.
    slots: BTreeMap<u64, Slot>,
    /// Digest of this account's bid on the ledger.
    on_ledger: BTreeMap<u64, Hash>,
    active: BTreeMap<u64, Active>,
    sealing: BTreeMap<u64, Sealing>,
    counts: Counts,
    /// With money.
    purse: Option<money::Purse>,
}

impl<A: BidArchive, R: ResultBook> Desk<A, R> {
    /// A desk at the genesis state of its ledger.
    pub fn new(keyring: Arc<Keyring>, state: State, archive: A, results: R) -> Self {
        let key_epoch = state.community().genesis().key_epoch;
        let account = keyring.account_key(key_epoch).verifying_key().to_bytes();
        let (slots, on_ledger, active, sealing) = Default::default();
        let counts = Counts::default();
        let purse = money::Purse::new(&keyring, &state);
        Self {
            purse,
            keyring,
            key_epoch,
            account,
            archive,
            results,
            state,
            slots,
            on_ledger,
            active,
            sealing,
            counts,
        }
    }

    /// The pseudonym.
    pub fn account(&self) -> PointBytes {
        self.account
    }
    /// The ledger as it was followed.
    pub fn state(&self) -> &State {
        &self.state
    }
    /// What it keeps.
    pub fn archive(&self) -> &A {
        &self.archive
    }
    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
    /// Bids under way.
    pub fn active(&self) -> impl Iterator<Item = (u64, &Active)> {
        self.active.iter().map(|(round_id, active)| (*round_id, active))
    }
    /// Bids under way, for turning their clocks.
    pub fn active_mut(&mut self) -> impl Iterator<Item = (u64, &mut Active)> {
        self.active.iter_mut().map(|(round_id, active)| (*round_id, active))
    }

    /// Takes the next block: the state after it, its transactions, and what it did, in order.
    ///
    /// # Errors
    /// [`DeskError`]: the member's own records. What the network does wrong is written down and no error.
    pub fn observe<'a>(
        &mut self,
        state: &State,
        transactions: &[Transaction],
        effects: impl IntoIterator<Item = &'a Effect, IntoIter: Clone>,
    ) -> Result<(), DeskError> {
        self.state = state.clone();
        let effects = effects.into_iter();
        self.follow_money(transactions, effects.clone());
        for effect in effects {
            match effect {
                Effect::PassedOver(passed) => {
                    self.counts.passed_over = self.counts.passed_over.saturating_add(passed.count());
                    let (first, last) = (passed.first_round_id, passed.last_round_id);
                    tracing::info!(first, last, "rounds are void: {}", passed.reason);
                    self.passed_over(first, last)?;
                }
                Effect::RoundOpened { round_id, slot } => {
                    self.slots.insert(*round_id, *slot);
                    if let Err(refusal) = state.check_may_bid(*round_id, &self.account) {
                        tracing::warn!(round_id, %refusal, "this member does not bid in the round");
                    }
                }
                Effect::BidsAccepted { round_id, bids } => self.look_for_own(*round_id, bids),
                Effect::RoundClosed { round_id, .. } => self.check_promises(*round_id)?,
                Effect::Settled(settled) => self.settle(settled)?,
                Effect::Voided { round_id, reason, .. } => self.voided(*round_id, &reason.to_string())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The rounds for which a bid has to be sealed, or read back from before a restart.
    pub fn wanted(&self, now_unix_ms: u64) -> Vec<Wanted> {
        let timing = self.state.timing();
        let takes_bids = |round_id| matches!(self.state.expected(round_id), Ok(Expected::Bids { .. }));
        let wanted = |round: &Round| {
            let (round_id, slot) = (round.round_id(), round.slot());
            let bidding_ms = (timing.open_ms(round_id)?, timing.last_promise_ms(round_id)?);
            let waits = now_unix_ms < bidding_ms.1
                && takes_bids(round_id)
                && round.bidders().get(&self.account).is_some()
                && !self.active.contains_key(&round_id)
                && self.may_seal(round_id)
                && round.bid_of(&self.account).is_none();
            waits.then_some(Wanted { round_id, slot, bidding_ms })
        };
        self.state.rounds().filter_map(wanted).collect()
    }

    fn finished(&mut self, round_id: u64) {
        self.slots.remove(&round_id);
        self.on_ledger.remove(&round_id);
        self.active.remove(&round_id);
        self.sealing.remove(&round_id);
    }
}
