//! The aggregator's receipt: a signed promise that a bid was taken in (specification section 4, transport).
//!
//! A receipt, the bid valid at the close and a round without any bid of that account together prove censorship, so a
//! receipt names the ledger, the round, the account and the digest of the bid, and every byte of it is signed.

use crate::group::PointBytes;
use crate::labels;
use crate::schnorr::{SignatureBytes, SignatureInvalid, SigningKey, VerifyingKey};
use crate::wire::{Reader, WireError, Writer};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// Length of an encoded receipt.
pub const RECEIPT_BYTES: usize = 32 + 8 + 32 + 32 + 8 + 64;

/// The receipt was not signed by the aggregator's key as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "receipt {sequence} of round {round_id} is not signed by this aggregator: ask for it again or send the bid to a validator"
)]
pub struct ReceiptInvalid {
    /// The round that the receipt names.
    pub round_id: u64,
    /// The aggregator's running number in the receipt.
    pub sequence: u64,
}

/// What the aggregator answers to a bid that it took in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ledger that the bid is for.
    pub ledger_id: [u8; 32],
    /// The round that the bid is for.
    pub round_id: u64,
    /// The account that made the bid.
    pub account: PointBytes,
    /// Digest of the bid's bytes.
    pub bid_digest: [u8; 32],
    /// The aggregator's running number; two bids with one number prove that it lied.
    pub sequence: u64,
    /// The aggregator's signature over all of the above.
    pub signature: SignatureBytes,
}

impl Receipt {
    /// Signs a receipt with the aggregator's key.
    pub fn issue(
        key: &SigningKey,
        ledger_id: [u8; 32],
        round_id: u64,
        account: PointBytes,
        bid_digest: [u8; 32],
        sequence: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let mut receipt = Self { ledger_id, round_id, account, bid_digest, sequence, signature: [0; 64] };
        receipt.signature = key.sign(&mut receipt.transcript(), rng);
        receipt
    }

    /// Checks the signature. The caller compares account, round and digest with its own bid: a true receipt for
    /// another bid is worth nothing to it.
    ///
    /// # Errors
    /// [`ReceiptInvalid`] when the key or any byte is another than the one signed.
    pub fn verify(&self, aggregator: &VerifyingKey) -> Result<(), ReceiptInvalid> {
        aggregator
            .verify(&mut self.transcript(), &self.signature)
            .map_err(|SignatureInvalid| ReceiptInvalid { round_id: self.round_id, sequence: self.sequence })
    }

    /// Canonical encoding, [`RECEIPT_BYTES`] long.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.ledger_id).u64(self.round_id).bytes(&self.account);
        w.bytes(&self.bid_digest).u64(self.sequence).bytes(&self.signature);
        w.finish()
    }

    /// Decodes a receipt; the signature is not checked here.
    ///
    /// # Errors
    /// [`WireError`] when the length is not [`RECEIPT_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let receipt = Self {
            ledger_id: r.array("ledger id")?,
            round_id: r.u64("round id")?,
            account: r.array("account")?,
            bid_digest: r.array("bid digest")?,
            sequence: r.u64("sequence")?,
            signature: r.array("signature")?,
        };
        r.finish()?;
        Ok(receipt)
    }

    fn transcript(&self) -> Transcript {
        let mut t = Transcript::new(labels::RECEIPT);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"ledger", &self.ledger_id);
        t.append_u64(b"round", self.round_id);
        t.append_message(b"account", &self.account);
        t.append_message(b"bid", &self.bid_digest);
        t.append_u64(b"sequence", self.sequence);
        t
    }
}
