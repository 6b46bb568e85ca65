//! The aggregator's intake: envelopes in, signed receipts out.
//!
//! The checks come in the order of their cost: envelope, form, round, membership, one bid a member, proof. Proofs are
//! verified in batches outside of this module ([`Intake::take_queue`], [`Intake::conclude`]), because a batch is many
//! times cheaper than one bid after another and must not block whoever receives.

use rand_core::CryptoRngCore;
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::bid::{BidFault, SealedBid};
use veilgrid_crypto::envelope::{EnvelopeError, EnvelopeKey, open_envelope};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::verdicts::BidVerdicts;

/// Different bids of one account that may wait for their verdict at once. An account that is not the sender's can be
/// written on any envelope, so one waiting bid must not lock out the others.
const MAX_WAITING_PER_ACCOUNT: usize = 4;

/// Why a bid gets no receipt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntakeError {
    /// The envelope does not open.
    #[error("envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// What was in it is no bid of this market.
    #[error("bid: {0}")]
    Malformed(#[from] WireError),
    /// Envelope and bid name different rounds.
    #[error("the envelope is for round {envelope}, the bid in it for round {bid}")]
    RoundMismatch {
        /// Round on the envelope.
        envelope: u64,
        /// Round in the bid.
        bid: u64,
    },
    /// The round does not take bids now.
    #[error("round {round_id} takes no bids now: it is not open, closed or finished")]
    NotOpen {
        /// The round.
        round_id: u64,
    },
    /// Nobody of this community has the account.
    #[error("the account {} is not a member's", hex8(.account))]
    NotAMember {
        /// The account.
        account: PointBytes,
    },
    /// The account has another bid in this round. Bids can't be replaced.
    #[error("account {} has another bid in round {round_id}: a bid can't be replaced", hex8(.account))]
    Conflict {
        /// The account.
        account: PointBytes,
        /// The round.
        round_id: u64,
    },
    /// Another member's bid of this round has the same R. Whoever seals honestly never repeats one.
    #[error("account {}: the bid's R is that of another bid in round {round_id}", hex8(.account))]
    HandleRepeated {
        /// The account.
        account: PointBytes,
        /// The round.
        round_id: u64,
    },
    /// Too many different bids under this account wait for their verdict.
    #[error("too many bids of account {} wait: send this one again later", hex8(.account))]
    Busy {
        /// The account.
        account: PointBytes,
    },
    /// Proof or signature is false.
    #[error("{0}")]
    Fault(#[from] BidFault),
}

fn hex8(account: &PointBytes) -> String {
    account[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The same bytes as before: the same receipt.
    Repeated(Receipt),
    /// The bid waits for its verdict under this digest.
    Waiting([u8; 32]),
}

/// The aggregator's side of a ledger.
pub struct Intake {
    envelope_key: EnvelopeKey,
    receipt_key: SigningKey,
    state: State,
    receipts: BTreeMap<(u64, PointBytes), Receipt>,
    /// R of each bid that has a receipt, by round: the ledger refuses a block in which one repeats.
    handles: BTreeMap<(u64, PointBytes), PointBytes>,
    waiting: BTreeMap<[u8; 32], SealedBid>,
    admitted: Vec<SealedBid>,
    sequence: u64,
}

impl Intake {
    /// An aggregator at a state of the ledger. `last_sequence` is the number of the last receipt that it has signed on
    /// this ledger, 0 on a new one: two receipts of one number would prove it a liar.
    pub fn new(envelope_key: EnvelopeKey, receipt_key: SigningKey, state: State, last_sequence: u64) -> Self {
        Self {
            envelope_key,
            receipt_key,
            state,
            receipts: BTreeMap::new(),
            handles: BTreeMap::new(),
            waiting: BTreeMap::new(),
            admitted: Vec::new(),
            sequence: last_sequence,
        }
    }

    /// The ledger as the aggregator sees it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Opens an envelope and runs every check but the proof's.
    ///
    /// # Errors
    /// [`IntakeError`]; nothing is kept of a refused envelope.
    pub fn receive(&mut self, envelope: &[u8]) -> Result<Received, IntakeError> {
        let community = self.state.community();
        let shape = community.bid_params().shape();
        let (round_id, plain) =
            open_envelope(&self.envelope_key, &community.ledger_id(), envelope, shape.bid_bytes())?;
        let bid = SealedBid::from_bytes(&plain, shape)?;
        if bid.round_id != round_id {
            return Err(IntakeError::RoundMismatch { envelope: round_id, bid: bid.round_id });
        }
        let (account, digest) = (bid.account, bid.digest());
        if !community.is_member(&account) {
            return Err(IntakeError::NotAMember { account });
        }
        if let Some(receipt) = self.known_receipt(round_id, account, digest)? {
            return Ok(Received::Repeated(receipt));
        }
        if !matches!(self.state.expected(round_id), Ok(Expected::Bids { .. })) {
            return Err(IntakeError::NotOpen { round_id });
        }
        let of_account = self.waiting.values().filter(|other| other.account == account).count();
        if of_account >= MAX_WAITING_PER_ACCOUNT && !self.waiting.contains_key(&digest) {
            return Err(IntakeError::Busy { account });
        }
        self.waiting.insert(digest, bid);
        Ok(Received::Waiting(digest))
    }

    /// Whether a bid waits for its verdict. It no longer does when its round has ended meanwhile.
    pub fn awaits(&self, digest: &[u8; 32]) -> bool {
        self.waiting.contains_key(digest)
    }

    /// The bids that wait for their verdict. They keep waiting until [`Intake::conclude`].
    pub fn take_queue(&self) -> Vec<SealedBid> {
        self.waiting.values().cloned().collect()
    }

    /// Takes the verdicts of a batch: a valid bid is admitted and gets a receipt, all others an error.
    pub fn conclude(
        &mut self,
        verdicts: Vec<(SealedBid, Result<(), BidFault>)>,
        rng: &mut impl CryptoRngCore,
    ) -> Vec<([u8; 32], Result<Receipt, IntakeError>)> {
        let mut answers = Vec::with_capacity(verdicts.len());
        for (bid, verdict) in verdicts {
            let digest = bid.digest();
            self.waiting.remove(&digest);
            answers.push((
                digest,
                verdict.map_err(IntakeError::from).and_then(|()| self.admit(bid, digest, rng)),
            ));
        }
        answers
    }

    /// The receipt of these very bytes; none when the account has no bid in the round yet.
    fn known_receipt(
        &self,
        round_id: u64,
        account: PointBytes,
        digest: [u8; 32],
    ) -> Result<Option<Receipt>, IntakeError> {
        let conflict = Err(IntakeError::Conflict { account, round_id });
        match self.receipts.get(&(round_id, account)) {
            Some(receipt) if receipt.bid_digest == digest => Ok(Some(receipt.clone())),
            Some(_) => conflict,
            // A bid on the ledger without a receipt here: it came before this aggregator was started again.
            None => match self.state.round(round_id).and_then(|round| round.bid_of(&account)) {
                Some(on_ledger) if on_ledger != digest => conflict,
                _ => Ok(None),
            },
        }
    }

    fn admit(
        &mut self,
        bid: SealedBid,
        digest: [u8; 32],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Receipt, IntakeError> {
        let (round_id, account) = (bid.round_id, bid.account);
        if let Some(receipt) = self.known_receipt(round_id, account, digest)? {
            return Ok(receipt);
        }
        // The round may have closed while the proof was verified; a receipt now would promise what can't be kept.
        if !matches!(self.state.expected(round_id), Ok(Expected::Bids { .. })) {
            return Err(IntakeError::NotOpen { round_id });
        }
        if self.handles.get(&(round_id, bid.r)).is_some_and(|owner| *owner != account) {
            return Err(IntakeError::HandleRepeated { account, round_id });
        }
        self.sequence += 1;
        let ledger_id = self.state.community().ledger_id();
        let receipt =
            Receipt::issue(&self.receipt_key, ledger_id, round_id, account, digest, self.sequence, rng);
        self.receipts.insert((round_id, account), receipt.clone());
        self.handles.insert((round_id, bid.r), account);
        let on_ledger = self.state.round(round_id).and_then(|round| round.bid_of(&account)).is_some();
        if !on_ledger {
            self.admitted.push(bid);
        }
        Ok(receipt)
    }

    /// Takes back the receipts of bids that no block took. They must not have been handed out; the same bytes may come
    /// again and are then a new bid.
    pub fn withdraw(&mut self, bids: &[SealedBid]) {
        for bid in bids {
            self.receipts.remove(&(bid.round_id, bid.account));
            self.handles.remove(&(bid.round_id, bid.r));
        }
    }

    /// The admitted bids that no block has yet; they are handed out once. Receipts go out when a block has the bids;
    /// when none takes them, [`Intake::withdraw`].
    pub fn take_admitted(&mut self) -> Vec<SealedBid> {
        std::mem::take(&mut self.admitted)
    }

    /// Follows the ledger.
    ///
    /// # Errors
    /// The rule that the block breaks.
    pub fn apply(
        &mut self,
        block: &Block,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<BlockEffects, BlockError> {
        let effects = self.state.apply_block(block, verdicts)?;
        for finished in effects.effects.iter().filter_map(crate::validator::finished_round) {
            self.receipts.retain(|(round_id, _), _| *round_id != finished);
            self.handles.retain(|(round_id, _), _| *round_id != finished);
            self.waiting.retain(|_, bid| bid.round_id != finished);
        }
        Ok(effects)
    }
}
