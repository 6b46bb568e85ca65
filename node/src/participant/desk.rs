//! A participant's view of the ledger: which rounds wait for its bid, which promises were kept, what it traded.
//!
//! Everything but the files is rebuilt when the ledger is replayed, and the files are written once a round, so that a
//! crash at any moment loses nothing and repeats nothing.

use super::archive::{Archive, ArchiveError, Evidence, name_of};
use super::delivery::{Answer, Delivery, Target, Terms};
use super::results::{Results, RoundResult};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_client::follower::Accepted;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wallet::Wallet;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{AcceptedBid, Effect, SettledRound};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::state::round::Slot;
use veilgrid_roles::member::{FillFault, OwnBid};

/// A node that has not answered for so long counts as silent, in milliseconds.
const SILENCE_MS: u64 = 2000;
/// First and longest pause before the same node is asked again, in milliseconds.
const PAUSES_MS: (u64, u64) = (500, 4000);

/// Why a participant can't go on: its files.
#[derive(Debug, Error)]
pub enum DeskError {
    /// Bids, receipts or evidence.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Results.
    #[error("the results can't be written: {0}")]
    Results(#[from] io::Error),
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
    /// Settlement points that do not hold the own fill.
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

/// The desk of one member.
pub struct Desk {
    wallet: Arc<Wallet>,
    key_epoch: u64,
    account: PointBytes,
    archive: Archive,
    results: Results,
    state: State,
    /// Slots of the rounds that are not finished.
    slots: BTreeMap<u64, Slot>,
    /// Digest of this account's bid on the ledger.
    on_ledger: BTreeMap<u64, Hash>,
    active: BTreeMap<u64, Active>,
    counts: Counts,
}

impl Desk {
    /// A desk at the genesis state of its ledger.
    pub fn new(wallet: Arc<Wallet>, state: State, archive: Archive, results: Results) -> Self {
        let key_epoch = state.community().genesis().key_epoch;
        let account = wallet.account_key(key_epoch).verifying_key().to_bytes();
        let (slots, on_ledger, active) = Default::default();
        let counts = Counts::default();
        Self { wallet, key_epoch, account, archive, results, state, slots, on_ledger, active, counts }
    }

    /// The pseudonym.
    pub fn account(&self) -> PointBytes {
        self.account
    }
    /// The wallet.
    pub(super) fn wallet(&self) -> Arc<Wallet> {
        Arc::clone(&self.wallet)
    }
    /// The ledger as it was followed.
    pub fn state(&self) -> &State {
        &self.state
    }
    /// The files.
    pub fn archive(&self) -> &Archive {
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

    /// Takes the next block.
    ///
    /// # Errors
    /// [`DeskError`]: the participant's own files. What the network does wrong is written down and no error.
    pub fn observe(&mut self, block: &Accepted) -> Result<(), DeskError> {
        self.state = block.state.clone();
        for effect in block.effects.all() {
            match effect {
                Effect::PassedOver(passed) => {
                    self.counts.passed_over = self.counts.passed_over.saturating_add(passed.count());
                    let (first, last) = (passed.first_round_id, passed.last_round_id);
                    tracing::info!(first, last, "rounds are void: {}", passed.reason);
                    self.passed_over(first, last)?;
                }
                Effect::RoundOpened { round_id, slot } => {
                    self.slots.insert(*round_id, *slot);
                }
                Effect::BidsAccepted { round_id, bids } => self.look_for_own(*round_id, bids),
                Effect::RoundClosed { round_id, .. } => self.check_promises(*round_id, block)?,
                Effect::Settled(settled) => self.settle(settled, block)?,
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
        let wanted = |round: &veilgrid_ledger::state::round::Round| {
            let (round_id, slot) = (round.round_id(), round.slot());
            let bidding_ms = (timing.open_ms(round_id)?, timing.last_promise_ms(round_id)?);
            let waits = now_unix_ms < bidding_ms.1
                && takes_bids(round_id)
                && !self.active.contains_key(&round_id)
                && round.bid_of(&self.account).is_none();
            waits.then_some(Wanted { round_id, slot, bidding_ms })
        };
        self.state.rounds().filter_map(wanted).collect()
    }

    /// Begins to deliver a bid that is on disk. Receipts from before a restart count.
    pub fn begin(&mut self, bid: SealedBid, now_unix_ms: u64) {
        let round_id = bid.round_id;
        let Some(last_promise_unix_ms) = self.state.timing().last_promise_ms(round_id) else { return };
        let (validators, threshold) = group(&self.state);
        let mut delivery = Delivery::new(Terms {
            validators,
            needed: one_honest(validators, threshold),
            first_validator: first_validator(&self.account, round_id, validators),
            last_promise_unix_ms,
            silence_ms: SILENCE_MS,
            pause_ms: PAUSES_MS.0,
            longest_pause_ms: PAUSES_MS.1,
        });
        let digest = bid.digest();
        for (from, receipt) in self.archive.receipts(round_id, validators) {
            if receipt.bid_digest == digest {
                delivery.answered(from, Answer::Receipt, now_unix_ms);
            }
        }
        if self.on_ledger.get(&round_id) == Some(&digest) {
            delivery.seen_on_ledger();
        }
        self.active.insert(round_id, Active { bid: Arc::new(bid), digest, delivery });
    }

    /// Takes a receipt: checks that this node has signed it for this bid, and keeps it.
    ///
    /// # Errors
    /// The archive's. A false receipt is no error: the answer says what the node did.
    pub fn receipt(&mut self, from: Target, receipt: &Receipt) -> Result<Answer, DeskError> {
        let round_id = receipt.round_id;
        let named = (receipt.ledger_id, receipt.account, receipt.bid_digest);
        let ours = self.active.get(&round_id).map(|active| active.digest);
        let right =
            ours.is_some_and(|digest| named == (self.state.community().ledger_id(), self.account, digest));
        let signed = self.key_of(from).is_some_and(|key| receipt.verify(&key).is_ok());
        if !right || !signed {
            tracing::warn!(
                round_id,
                from = name_of(from),
                "a receipt is not what was asked for: it is ignored"
            );
            return Ok(Answer::Refused);
        }
        self.archive.keep_receipt(from, receipt)?;
        self.counts.receipts = self.counts.receipts.saturating_add(1);
        Ok(Answer::Receipt)
    }

    /// Notes what came of sending a round's bid to somebody.
    pub fn answered(&mut self, round_id: u64, from: Target, answer: Answer, now_unix_ms: u64) {
        if let Some(active) = self.active.get_mut(&round_id) {
            active.delivery.answered(from, answer, now_unix_ms);
        }
    }

    fn key_of(&self, from: Target) -> Option<VerifyingKey> {
        match from {
            Target::Aggregator => Some(*self.state.community().receipt_key()),
            Target::Validator(number) => {
                let entry = self.state.roster().validators.get(usize::from(number.checked_sub(1)?))?;
                VerifyingKey::from_bytes(&entry.signing_key).ok()
            }
        }
    }

    fn look_for_own(&mut self, round_id: u64, bids: &[AcceptedBid]) {
        let Some(own) = bids.iter().find(|bid| bid.account == self.account) else { return };
        self.on_ledger.insert(round_id, own.bid_digest);
        self.counts.bids_on_ledger = self.counts.bids_on_ledger.saturating_add(1);
        let Some(active) = self.active.get_mut(&round_id) else { return };
        if active.digest == own.bid_digest {
            active.delivery.seen_on_ledger();
        } else {
            tracing::error!(
                round_id,
                "another bid of this account is on the ledger: is the wallet used twice?"
            );
        }
    }

    /// At the close: what somebody has signed a receipt for has to be among the bids.
    fn check_promises(&mut self, round_id: u64, block: &Accepted) -> Result<(), DeskError> {
        let shape = self.state.community().bid_shape();
        let (validators, threshold) = group(&self.state);
        let Some(bid) = self.archive.past_bid(round_id, shape) else { return Ok(()) };
        let digest = bid.digest();
        if self.on_ledger.get(&round_id) == Some(&digest) {
            return Ok(());
        }
        let receipts = self.archive.receipts(round_id, validators);
        if receipts.is_empty() {
            tracing::warn!(
                round_id,
                "the round has closed without this member's bid; nobody had promised it a place"
            );
            return Ok(());
        }
        // One validator alone may be cut off; f+1 of them or the aggregator promise a place.
        let by_aggregator = receipts.contains_key(&Target::Aggregator);
        let by_validators = receipts.len().saturating_sub(usize::from(by_aggregator));
        let needed = usize::from(one_honest(validators, threshold));
        let what = match (by_aggregator, by_validators >= needed) {
            (_, true) => "f+1 validators have signed receipts for this bid, and the round closed without it",
            (true, false) => {
                "the aggregator has signed a receipt for this bid, and the round closed without it"
            }
            (false, false) => {
                "too few validators for a promise have signed receipts, and the round closed without the bid"
            }
        };
        self.counts.broken_promises = self.counts.broken_promises.saturating_add(1);
        let evidence = self.archive.keep_evidence(&Evidence {
            ledger_id: hex::encode(self.state.community().ledger_id()),
            round_id,
            height: block.block.header.height,
            block_hash: hex::encode(block.block.hash()),
            what,
            bid_digest: hex::encode(digest),
            bid: hex::encode(bid.to_bytes()),
            receipts: receipts
                .iter()
                .map(|(from, receipt)| (name_of(*from), hex::encode(receipt.to_bytes())))
                .collect(),
        })?;
        tracing::error!(round_id, evidence = %evidence.display(), "CENSORED: {what}");
        Ok(())
    }

    /// Writes down how a settled round ended for this member.
    fn settle(&mut self, settled: &SettledRound, block: &Accepted) -> Result<(), DeskError> {
        let round_id = settled.round_id;
        let result = self.result_of(settled, block);
        self.results.write(round_id, settled.slot, result)?;
        self.finished(round_id);
        Ok(())
    }

    fn result_of(&mut self, settled: &SettledRound, block: &Accepted) -> RoundResult {
        let round_id = settled.round_id;
        let community = block.state.community();
        let Some(bid) = self.archive.past_bid(round_id, community.bid_shape()) else {
            let own = settled.bids.iter().any(|bid| bid.account == self.account);
            // A file that is there and can't be read, or one that is gone.
            let unreadable = own || self.archive.has_bid(round_id);
            return if unreadable { RoundResult::Unreadable } else { RoundResult::NoBid };
        };
        let round = community.round_context(round_id, settled.slot);
        let Some(params) = community.bid_params() else { return RoundResult::Unreadable };
        let own = match OwnBid::open(&self.wallet, params, &round, &bid) {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(round_id, %error, "the stored bid is not this wallet's");
                return RoundResult::Unreadable;
            }
        };
        match own.fill(&self.wallet, self.key_epoch, community, settled) {
            Ok(fill) => {
                self.counts.settled = self.counts.settled.saturating_add(1);
                tracing::info!(round_id, "settled: the settlement point holds this member's fill");
                RoundResult::Settled(fill)
            }
            Err(fault @ (FillFault::Missing | FillFault::OtherBid | FillFault::NoKeys)) => {
                tracing::warn!(round_id, %fault, "no result for this member");
                RoundResult::Missing
            }
            Err(fault @ FillFault::WrongPoint) => {
                self.counts.wrong_settlements = self.counts.wrong_settlements.saturating_add(1);
                tracing::error!(round_id, %fault, "WRONG SETTLEMENT: keep the ledger and run the audit");
                RoundResult::Wrong
            }
        }
    }

    fn voided(&mut self, round_id: u64, why: &str) -> Result<(), DeskError> {
        let shape = self.state.community().bid_shape();
        if self.archive.past_bid(round_id, shape).is_some() {
            tracing::info!(round_id, why, "the round is void: nothing is traded");
            self.counts.voided = self.counts.voided.saturating_add(1);
        }
        if let Some(slot) = self.slots.get(&round_id) {
            self.results.write(round_id, *slot, RoundResult::Void)?;
        }
        self.finished(round_id);
        Ok(())
    }

    /// Rounds in which nobody could bid have their lines too.
    fn passed_over(&mut self, first: u64, last: u64) -> Result<(), DeskError> {
        let params = self.state.community().params();
        let (timing, seconds) = (params.timing, params.slot_seconds);
        let slot_of = |round_id| {
            let start_unix_s = timing.slot_start_unix_s(round_id, seconds)?;
            Some(Slot { start_unix_s, seconds })
        };
        Ok(self.results.write_not_opened(first..=last, slot_of)?)
    }

    fn finished(&mut self, round_id: u64) {
        self.slots.remove(&round_id);
        self.on_ledger.remove(&round_id);
        self.active.remove(&round_id);
    }
}

/// Number of validators in force and the threshold.
fn group(state: &State) -> (u16, u16) {
    let group = state.roster().group();
    (group.validators, group.threshold)
}

/// Validators of which at least one is honest: f+1, where the threshold is n − f.
fn one_honest(validators: u16, threshold: u16) -> u16 {
    validators.saturating_sub(threshold).saturating_add(1)
}

/// The validator that a member asks first: members and rounds spread over all of them.
fn first_validator(account: &PointBytes, round_id: u64, validators: u16) -> u16 {
    let spread = account
        .iter()
        .take(2)
        .fold(round_id, |spread, byte| spread.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let index = spread.checked_rem(u64::from(validators)).unwrap_or(0);
    u16::try_from(index).unwrap_or(0).saturating_add(1)
}
