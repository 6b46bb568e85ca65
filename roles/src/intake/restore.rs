//! An intake after a restart: every promise of the journal is kept.

use super::{Admitted, Intake, is_finished};
use crate::bidder::bid_on_ledger;
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::receipt::{Receipt, ReceiptInvalid};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::state::State;

/// Why a journal is not this intake's. A node must not take bids with it: it could break promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// A receipt of another key, or a damaged one.
    #[error("the journal is not of this receipt key, or damaged: {0}")]
    Signature(#[from] ReceiptInvalid),
    /// A receipt beside a bid that it was not signed for.
    #[error("the journal is damaged: receipt {sequence} stands beside a bid that it was not signed for")]
    OtherBid {
        /// Number of the receipt.
        sequence: u64,
    },
    /// A receipt of another ledger.
    #[error("the journal is of another ledger: receipt {sequence} names it")]
    OtherLedger {
        /// Number of the receipt.
        sequence: u64,
    },
    /// Two receipts with one number.
    #[error("the journal holds two receipts with the number {sequence}: it was mixed from two")]
    NumberRepeated {
        /// The number.
        sequence: u64,
    },
}

impl Intake {
    /// The intake of a node that was started again. `journaled` are the bids and receipts that it has made durable, in
    /// any order, those of finished rounds or not; `last_sequence` is a number below which the journal may have been
    /// pruned, otherwise 0. Also returned: the promises that the ledger has not kept yet, to be ordered again.
    ///
    /// Of two receipts for one account and round the later one counts: the earlier was withdrawn before it left.
    ///
    /// # Errors
    /// [`RestoreError`] when the journal is another node's or damaged.
    pub fn restore(
        envelope_key: EnvelopeKey,
        receipt_key: SigningKey,
        state: State,
        last_sequence: u64,
        journaled: impl IntoIterator<Item = (SealedBid, Receipt)>,
    ) -> Result<(Self, Vec<Admitted>), RestoreError> {
        let mut intake = Self::new(envelope_key, receipt_key, state, last_sequence);
        let mut by_number = BTreeMap::new();
        for (bid, receipt) in journaled {
            intake.check_journaled(&bid, &receipt)?;
            let sequence = receipt.sequence;
            let digest = receipt.bid_digest;
            if let Some((_, other)) = by_number.insert(sequence, (bid, receipt))
                && other.bid_digest != digest
            {
                return Err(RestoreError::NumberRepeated { sequence });
            }
        }
        let mut latest = BTreeMap::new();
        for (sequence, (bid, receipt)) in by_number {
            intake.sequence = intake.sequence.max(sequence);
            // Its proof was true, or it would have no receipt.
            intake.queue.count_success(bid.account);
            if !is_finished(&intake.state, bid.round_id) {
                latest.insert((bid.round_id, bid.account), (bid, receipt));
            }
        }
        let mut promised = Vec::new();
        for (key, (bid, receipt)) in latest {
            intake.handles.insert((bid.round_id, bid.r), bid.account);
            intake.receipts.insert(key, receipt.clone());
            if bid_on_ledger(&intake.state, bid.round_id, &bid.account).is_none() {
                promised.push(Admitted { bid, receipt, on_ledger: false });
            }
        }
        Ok((intake, promised))
    }

    fn check_journaled(&self, bid: &SealedBid, receipt: &Receipt) -> Result<(), RestoreError> {
        let sequence = receipt.sequence;
        receipt.verify(&self.receipt_key.verifying_key())?;
        if receipt.ledger_id != self.state.community().ledger_id() {
            return Err(RestoreError::OtherLedger { sequence });
        }
        let named = (receipt.round_id, receipt.account, receipt.bid_digest);
        if named != (bid.round_id, bid.account, bid.digest()) {
            return Err(RestoreError::OtherBid { sequence });
        }
        Ok(())
    }
}
