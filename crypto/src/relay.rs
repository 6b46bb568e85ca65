//! What the aggregator sends on to the validators: bids that it has taken in, signed by its receipt key.
//!
//! The signature keeps strangers from making validators decode batches; it lends the bids no trust. A validator checks
//! each of them as one of its own intake, so an aggregator can't use up a member's quota either. A batch that is sent
//! again does nothing.
//!
//! ```text
//! ledger id 32 | round id 8 | number of bids 4 | bids, each of the market's length | signature 64
//! ```

use crate::bid::{BidShape, SealedBid};
use crate::labels;
use crate::schnorr::{SignatureBytes, SignatureInvalid, SigningKey, VerifyingKey};
use crate::wire::{Reader, WireError, Writer};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// Most bids of a batch.
pub const MAX_RELAYED_BIDS: usize = 256;

/// Bytes of a batch beside its bids.
const FRAME_BYTES: usize = 32 + 8 + 4 + 64;

/// Bids of one round that the aggregator sends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedBids {
    ledger_id: [u8; 32],
    round_id: u64,
    bids: Vec<SealedBid>,
    signature: SignatureBytes,
}

/// Why a validator does not look at a batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RelayError {
    /// No batch of this market.
    #[error("relayed bids: {0}")]
    Malformed(#[from] WireError),
    /// A batch for another ledger.
    #[error("the relayed bids are for another ledger: check the validator's address")]
    OtherLedger,
    /// A bid of another round than the batch's.
    #[error("a relayed bid is for round {bid}, its batch for round {batch}")]
    Round {
        /// Round of the bid.
        bid: u64,
        /// Round of the batch.
        batch: u64,
    },
    /// Not the aggregator's.
    #[error("the relayed bids are not signed by this ledger's aggregator")]
    Signature,
}

impl RelayedBids {
    /// Signs a batch. `bids` are [`MAX_RELAYED_BIDS`] at most and all of this round: whoever gets another batch
    /// refuses it.
    pub fn sign(
        key: &SigningKey,
        ledger_id: [u8; 32],
        round_id: u64,
        bids: Vec<SealedBid>,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let mut batch = Self { ledger_id, round_id, bids, signature: [0; 64] };
        batch.signature = key.sign(&mut batch.transcript(), rng);
        batch
    }

    /// Most bytes of a batch of a market with bids of this shape.
    pub fn max_bytes(shape: BidShape) -> usize {
        MAX_RELAYED_BIDS.saturating_mul(shape.bid_bytes()).saturating_add(FRAME_BYTES)
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.ledger_id).u64(self.round_id).length(self.bids.len());
        for bid in &self.bids {
            w.bytes(&bid.to_bytes());
        }
        w.bytes(&self.signature);
        w.finish()
    }

    /// Decodes a batch for the ledger `ledger_id` and checks that `aggregator` has signed it; the bids come out
    /// unchecked.
    ///
    /// # Errors
    /// [`RelayError`] with the rule that is broken.
    pub fn open(
        bytes: &[u8],
        shape: BidShape,
        ledger_id: &[u8; 32],
        aggregator: &VerifyingKey,
    ) -> Result<Vec<SealedBid>, RelayError> {
        let mut r = Reader::new(bytes);
        let (for_ledger, round_id) = (r.array("ledger id")?, r.u64("round id")?);
        if for_ledger != *ledger_id {
            return Err(RelayError::OtherLedger);
        }
        let count = r.length("relayed bids", MAX_RELAYED_BIDS, shape.bid_bytes())?;
        let bids = (0..count).map(|_| SealedBid::read(&mut r, shape)).collect::<Result<Vec<_>, _>>()?;
        let batch = Self { ledger_id: for_ledger, round_id, bids, signature: r.array("signature")? };
        r.finish()?;
        if let Some(other) = batch.bids.iter().find(|bid| bid.round_id != round_id) {
            return Err(RelayError::Round { bid: other.round_id, batch: round_id });
        }
        aggregator
            .verify(&mut batch.transcript(), &batch.signature)
            .map_err(|SignatureInvalid| RelayError::Signature)?;
        Ok(batch.bids)
    }

    fn transcript(&self) -> Transcript {
        let mut t = Transcript::new(labels::RELAY);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"ledger", &self.ledger_id);
        t.append_u64(b"round", self.round_id);
        t.append_u64(b"bids", self.bids.len() as u64);
        for bid in &self.bids {
            t.append_message(b"bid", &bid.digest());
        }
        t
    }
}
