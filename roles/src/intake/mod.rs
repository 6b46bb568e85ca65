//! The intake of an aggregator or a validator: envelopes in, signed receipts out.
//!
//! The checks come in the order of their cost: size, envelope, form, round, membership, one bid per member, quota, the
//! account's signature, proof. Proofs are verified in batches outside of this module ([`Intake::batch`],
//! [`Intake::conclude`]), because a batch is many times cheaper than one bid after another and must not block whoever
//! receives.
//!
//! # Security
//! Nothing is kept and nothing is counted for an account before its key has signed the bid, so no stranger can take a
//! member's places or use up its quota. The owner itself can make a node verify at most [`MAX_FAILED_PROOFS`] false
//! proofs per round.
//!
//! # Durability
//! A receipt is a promise. The caller makes every [`Admitted`] bid durable with its receipt before any receipt leaves,
//! and hands the journal to [`Intake::restore`] after a restart: the same bytes get the same receipt, and no number is
//! used for two receipts.

mod error;
mod queue;
mod quota;
mod restore;

pub use error::IntakeError;
pub use quota::{MAX_FAILED_PROOFS, MAX_WAITING_PER_ACCOUNT};
pub use restore::RestoreError;

use crate::bidder::{bid_on_ledger, check_first, check_handle, check_member};
use queue::Queue;
use rand_core::CryptoRngCore;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::{BidFault, BidShape, SealedBid, check_signature, check_signature_with_money};
use veilgrid_crypto::envelope::{ENVELOPE_OVERHEAD, EnvelopeKey, open_envelope};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::{BlockError, Refusal};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::verdicts::BidVerdicts;

/// What became of a bid that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The same bytes as before: the same receipt.
    Repeated(Receipt),
    /// The bid waits for its verdict under this digest.
    Waiting([u8; 32]),
}

/// A bid that was admitted, with the promise that was signed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The bid.
    pub bid: SealedBid,
    /// Its receipt.
    pub receipt: Receipt,
    /// The ledger has the bid already, by another way: it is journaled and not ordered again.
    pub on_ledger: bool,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Concluded {
    /// New promises. They are durable before any receipt among `answers` leaves; when they can't be made durable,
    /// [`Intake::withdraw`].
    pub admitted: Vec<Admitted>,
    /// One answer per bid, under the bid's digest.
    pub answers: Vec<([u8; 32], Result<Receipt, IntakeError>)>,
}

/// One node's intake for a ledger.
pub struct Intake {
    envelope_key: EnvelopeKey,
    receipt_key: SigningKey,
    state: State,
    receipts: BTreeMap<(u64, PointBytes), Receipt>,
    /// R of each bid that has a receipt, by round: the ledger refuses bids in which one repeats.
    handles: BTreeMap<(u64, PointBytes), PointBytes>,
    queue: Queue,
    sequence: u64,
}

/// Bytes of the one envelope length of a market.
pub fn envelope_bytes(params: &MarketParams) -> usize {
    ENVELOPE_OVERHEAD + shape_of(params).bid_bytes()
}

/// The lengths of a market's bids, known before its keys are.
pub fn shape_of(params: &MarketParams) -> BidShape {
    params.bid_shape()
}

impl Intake {
    /// The intake of a node that has not signed receipts in the active rounds. `receipt_key` is the aggregator's
    /// receipt key or the validator's signing key; `last_sequence` the number of the last receipt that the node has
    /// signed on this ledger, 0 on a new one: two receipts of one number would prove it a liar.
    pub fn new(envelope_key: EnvelopeKey, receipt_key: SigningKey, state: State, last_sequence: u64) -> Self {
        Self {
            envelope_key,
            receipt_key,
            state,
            receipts: BTreeMap::new(),
            handles: BTreeMap::new(),
            queue: Queue::default(),
            sequence: last_sequence,
        }
    }

    /// The ledger as the node sees it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Number of the last receipt.
    pub fn last_sequence(&self) -> u64 {
        self.sequence
    }

    /// Opens an envelope and runs every check but the proof's. `now_unix_ms` is the node's clock, Unix milliseconds.
    ///
    /// # Errors
    /// [`IntakeError`]; nothing is kept of a refused envelope.
    pub fn receive(&mut self, envelope: &[u8], now_unix_ms: u64) -> Result<Received, IntakeError> {
        let community = self.state.community();
        // Before keys there is no bid, so no round is open either: nothing is decrypted for one.
        if community.bid_params().is_none() {
            return Err(IntakeError::KeysNotReady);
        }
        let shape = shape_of(community.params());
        let (found, expected) = (envelope.len(), envelope_bytes(community.params()));
        if found != expected {
            return Err(IntakeError::Size { found, expected });
        }
        let (round_id, plain) =
            open_envelope(&self.envelope_key, &community.ledger_id(), envelope, shape.bid_bytes())?;
        let bid = SealedBid::from_bytes(&plain, shape)?;
        if bid.round_id != round_id {
            return Err(IntakeError::RoundMismatch { envelope: round_id, bid: bid.round_id });
        }
        self.receive_bid(bid, now_unix_ms)
    }

    /// The same for a bid that came without an envelope, from the aggregator. It is trusted no more than one in an
    /// envelope.
    ///
    /// # Errors
    /// [`IntakeError`]; nothing is kept of a refused bid.
    pub fn receive_bid(&mut self, bid: SealedBid, now_unix_ms: u64) -> Result<Received, IntakeError> {
        let (round_id, account, digest) = (bid.round_id, bid.account, bid.digest());
        // Before the round's check: whoever has lost the answer asks again, maybe after the close.
        if let Some(receipt) =
            self.receipts.get(&(round_id, account)).filter(|receipt| receipt.bid_digest == digest)
        {
            return Ok(Received::Repeated(receipt.clone()));
        }
        let params = self.state.community().bid_params().ok_or(IntakeError::KeysNotReady)?;
        self.check_open(round_id, now_unix_ms)?;
        check_member(&self.state, &bid)?;
        self.check_conflict(&bid, &digest)?;
        if self.queue.contains(&digest) {
            return Ok(Received::Waiting(digest));
        }
        self.queue.check_quota(round_id, account)?;
        let round = self.state.round_context(round_id).ok_or(IntakeError::NotOpen { round_id })?;
        let terms = self.state.terms_of(round_id, std::slice::from_ref(&bid))?;
        match terms.as_deref() {
            Some([terms]) => check_signature_with_money(params, &round, &bid, terms)?,
            _ => check_signature(params, &round, &bid)?,
        }
        self.queue.push(bid, digest);
        Ok(Received::Waiting(digest))
    }

    /// Whether a bid waits for its verdict. It no longer does when its round has ended meanwhile.
    pub fn awaits(&self, digest: &[u8; 32]) -> bool {
        self.queue.contains(digest)
    }

    /// At most `most` bids that wait for their verdict, in the order in which they came. Those of accounts whose last
    /// proof was true go first and alone, those of accounts without a history after them and not too many at once, those
    /// of accounts whose last proof was false at the end: so whoever has sent one can't make others' batches fail
    /// again. The bids keep waiting until [`Intake::conclude`] or [`Intake::forget`]; what is left is the next batch.
    pub fn batch(&self, most: usize) -> Vec<SealedBid> {
        self.queue.batch(most)
    }

    /// Drops waiting bids whose batch has no verdict. They count as neither true nor false.
    pub fn forget(&mut self, digests: &[[u8; 32]]) {
        for digest in digests {
            self.queue.remove(digest);
        }
    }

    /// Takes the verdicts of a batch: a valid bid is admitted and gets a receipt, all others an error.
    pub fn conclude(
        &mut self,
        verdicts: Vec<(SealedBid, Result<(), BidFault>)>,
        now_unix_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Concluded {
        // The round's end is not the sender's fault, and an account that has moved on meanwhile has sent nothing false.
        let is_false = |verdict: &Result<(), BidFault>| matches!(verdict, Err(fault) if !matches!(fault, BidFault::Round { .. } | BidFault::Sequence { .. }));
        let accounts: Vec<PointBytes> = verdicts.iter().map(|(bid, _)| bid.account).collect();
        self.queue.learn_from_batch(&accounts, verdicts.iter().any(|(_, verdict)| is_false(verdict)));
        let mut concluded = Concluded::default();
        for (bid, verdict) in verdicts {
            let digest = bid.digest();
            self.queue.remove(&digest);
            if is_false(&verdict) {
                self.queue.count_failure(bid.round_id, bid.account);
            } else if verdict.is_ok() {
                self.queue.count_success(bid.account);
            }
            let answer = match verdict {
                Ok(()) => self.admit(bid, digest, now_unix_ms, &mut concluded.admitted, rng),
                Err(fault) => Err(fault.into()),
            };
            concluded.answers.push((digest, answer));
        }
        concluded
    }

    fn admit(
        &mut self,
        bid: SealedBid,
        digest: [u8; 32],
        now_unix_ms: u64,
        admitted: &mut Vec<Admitted>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Receipt, IntakeError> {
        let (round_id, account) = (bid.round_id, bid.account);
        self.check_conflict(&bid, &digest)?;
        if let Some(receipt) = self.receipts.get(&(round_id, account)) {
            return Ok(receipt.clone());
        }
        // It may have become too late while the proof was verified. A promise is signed in time or never: only then all
        // of the grace is left to keep it.
        self.check_open(round_id, now_unix_ms)?;
        // Where the ledger has this R under another account it will refuse the bid: a receipt would make a broken
        // promise out of two members that share an R.
        check_handle(&self.state, &bid, self.handles.get(&(round_id, bid.r)).copied())?;
        self.sequence = self.sequence.checked_add(1).ok_or(IntakeError::NumbersExhausted)?;
        let ledger_id = self.state.community().ledger_id();
        let receipt =
            Receipt::issue(&self.receipt_key, ledger_id, round_id, account, digest, self.sequence, rng);
        self.receipts.insert((round_id, account), receipt.clone());
        self.handles.insert((round_id, bid.r), account);
        let on_ledger = bid_on_ledger(&self.state, round_id, &account).is_some();
        admitted.push(Admitted { bid, receipt: receipt.clone(), on_ledger });
        Ok(receipt)
    }

    /// Takes back the receipts of bids that could not be made durable or ordered. They must not have been handed out;
    /// the same bytes may come again and are then a new bid.
    pub fn withdraw(&mut self, admitted: &[Admitted]) {
        for Admitted { bid, .. } in admitted {
            self.receipts.remove(&(bid.round_id, bid.account));
            self.handles.remove(&(bid.round_id, bid.r));
        }
    }

    /// Follows the ledger by executing its next block.
    ///
    /// # Errors
    /// The rule that the block breaks.
    pub fn apply(
        &mut self,
        block: &Block,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<BlockEffects, BlockError> {
        let effects = self.state.apply_block(block, verdicts)?;
        self.drop_finished_rounds();
        Ok(effects)
    }

    /// Follows the ledger by a state that the node has come to elsewhere. An older one is ignored.
    pub fn advance(&mut self, state: State) {
        if state.height() >= self.state.height() {
            self.state = state;
            self.drop_finished_rounds();
        }
    }

    fn drop_finished_rounds(&mut self) {
        let state = &self.state;
        let goes_on = |round_id: u64| !is_finished(state, round_id);
        self.receipts.retain(|(round_id, _), _| goes_on(*round_id));
        self.handles.retain(|(round_id, _), _| goes_on(*round_id));
        self.queue.retain_rounds(goes_on);
    }

    fn check_open(&self, round_id: u64, now_unix_ms: u64) -> Result<(), IntakeError> {
        check_open(&self.state, round_id, now_unix_ms)
    }

    /// "One bid per account and round", by the receipts of this node and by the ledger: a bid may be there without a
    /// receipt here when another node took it in.
    fn check_conflict(&self, bid: &SealedBid, digest: &[u8; 32]) -> Result<(), Refusal> {
        let promised = self.receipts.get(&(bid.round_id, bid.account)).map(|receipt| receipt.bid_digest);
        let first = promised.or_else(|| bid_on_ledger(&self.state, bid.round_id, &bid.account));
        check_first(bid, digest, first)
    }
}

/// "Nothing is promised once a block of the grace may have been voted for": by the ledger's time, which begins the grace,
/// and by the node's clock ([`RoundTiming::last_promise_ms`]), whichever comes first. `now_unix_ms` is that clock, Unix
/// milliseconds.
///
/// # Errors
/// [`IntakeError::NotYetOpen`], [`IntakeError::NotOpen`], [`IntakeError::TooLate`].
pub fn check_open(state: &State, round_id: u64, now_unix_ms: u64) -> Result<(), IntakeError> {
    match state.expected(round_id) {
        Ok(Expected::Bids { .. }) => {}
        Ok(Expected::NotOpened) => return Err(IntakeError::NotYetOpen { round_id }),
        _ => return Err(IntakeError::NotOpen { round_id }),
    }
    let timing = state.timing();
    if state.round(round_id).is_some_and(|round| round.grace_from().is_some()) {
        return Err(IntakeError::NotOpen { round_id });
    }
    let early_ms = timing.max_clock_skew_ms.saturating_mul(2);
    if is_over(timing, round_id, now_unix_ms) {
        Err(IntakeError::TooLate { round_id, early_ms })
    } else {
        Ok(())
    }
}

/// Whether it is too late for a promise by the clock.
fn is_over(timing: &RoundTiming, round_id: u64, now_unix_ms: u64) -> bool {
    timing.last_promise_ms(round_id).is_none_or(|last_ms| now_unix_ms >= last_ms)
}

/// Whether nothing of a round can matter any more. A round that is yet to open is not finished.
fn is_finished(state: &State, round_id: u64) -> bool {
    matches!(state.expected(round_id), Ok(Expected::Done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intake_stops_two_skews_before_the_close_and_never_opens_for_a_round_without_one() {
        let timing = RoundTiming {
            first_open_unix_ms: 1_000,
            interval_ms: 300,
            bidding_ms: 200,
            grace_blocks: 2,
            opening_deadline_ms: 1_000,
            suspend_after_ms: 100,
            first_slot_start_unix_s: 0,
            epoch_blocks: 100,
            keygen_phase_blocks: 4,
            max_clock_skew_ms: 50,
        };
        let over = |round_id, now_unix_ms| is_over(&timing, round_id, now_unix_ms);
        assert_eq!([over(2, 1_399), over(2, 1_400), over(2, u64::MAX)], [false, true, true]);
        assert!(over(0, 0) && over(u64::MAX, 0));
    }
}
