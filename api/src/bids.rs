//! `POST /v1/bids`, `/v1/relay`, `/v1/transactions`: what comes back for what was handed in.

use crate::problem::Kind;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::hash::Hex32;

/// Most bytes of a transaction from outside: the largest message of a key session is below.
pub const MAX_TRANSACTION_BYTES: usize = 8 << 20;

/// A receipt for people and scripts; programs take its octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptBody {
    /// The ledger.
    pub ledger_id: Hex32,
    /// The round.
    pub round_id: u64,
    /// Whose bid it is for.
    pub account: Hex32,
    /// The bid.
    pub bid_digest: Hex32,
    /// The number that the signer gave it.
    pub sequence: u64,
    /// Signature of the intake, hexadecimal.
    pub signature: String,
}

impl From<&Receipt> for ReceiptBody {
    fn from(receipt: &Receipt) -> Self {
        Self {
            ledger_id: Hex32(receipt.ledger_id),
            round_id: receipt.round_id,
            account: Hex32(receipt.account),
            bid_digest: Hex32(receipt.bid_digest),
            sequence: receipt.sequence,
            signature: hex::encode(receipt.signature),
        }
    }
}

/// What became of each bid of a batch, in the batch's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayAnswer {
    /// The bids.
    pub bids: Vec<RelayedBid>,
}

/// What a validator did with a relayed bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedBid {
    /// The bid.
    pub bid_digest: Hex32,
    /// The validator's own receipt, hexadecimal.
    #[serde(default)]
    pub receipt: Option<String>,
    /// The name of the [`Kind`] of its refusal.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The refusal in words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A validator's answer holds no receipt where it says that there is one.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoReceipt {
    /// It is not written in hexadecimal digits.
    #[error("a receipt that is not hexadecimal: {0}")]
    Hex(#[from] hex::FromHexError),
    /// Its bytes are none.
    #[error("a receipt that can't be read: {0}")]
    Wire(#[from] WireError),
}

impl RelayedBid {
    /// A bid that was taken.
    pub fn taken(bid_digest: [u8; 32], receipt: &Receipt) -> Self {
        let receipt = Some(hex::encode(receipt.to_bytes()));
        Self { bid_digest: Hex32(bid_digest), receipt, refusal: None, detail: None }
    }

    /// A bid that was not.
    pub fn refused(bid_digest: [u8; 32], kind: Kind, detail: String) -> Self {
        let refusal = Some(kind.slug().to_owned());
        Self { bid_digest: Hex32(bid_digest), receipt: None, refusal, detail: Some(detail) }
    }

    /// The receipt, when the bid was taken. Its signature and content are the reader's to check.
    ///
    /// # Errors
    /// [`NoReceipt`].
    pub fn receipt(&self) -> Result<Option<Receipt>, NoReceipt> {
        let Some(text) = &self.receipt else { return Ok(None) };
        Ok(Some(Receipt::from_bytes(&hex::decode(text)?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        let (ledger_id, account, bid_digest, signature) = ([1; 32], [2; 32], [3; 32], [4; 64]);
        Receipt { ledger_id, round_id: 7, account, bid_digest, sequence: 5, signature }
    }

    #[test]
    fn what_became_of_a_bid_is_read_as_it_was_written() {
        let bids = vec![
            RelayedBid::taken([3; 32], &receipt()),
            RelayedBid::refused([9; 32], Kind::Conflict, "another".to_owned()),
        ];
        let text = serde_json::to_string(&RelayAnswer { bids: bids.clone() }).expect("JSON");
        assert!(text.contains(r#""refusal":"conflict","detail":"another""#), "{text}");
        let read: RelayAnswer = serde_json::from_str(&text).expect("read");
        assert_eq!(read.bids, bids);
        assert_eq!(read.bids[0].receipt(), Ok(Some(receipt())));
        assert_eq!(read.bids[1].receipt(), Ok(None));
    }

    #[test]
    fn a_receipt_that_is_none_is_refused() {
        let with = |text: &str| RelayedBid {
            receipt: Some(text.to_owned()),
            ..RelayedBid::refused([0; 32], Kind::Conflict, String::new())
        };
        assert!(matches!(with("xy").receipt(), Err(NoReceipt::Hex(_))));
        assert!(matches!(with("00").receipt(), Err(NoReceipt::Wire(_))));
    }

    #[test]
    fn a_receipt_for_people_names_everything_that_is_signed() {
        let text = serde_json::to_value(ReceiptBody::from(&receipt())).expect("JSON");
        assert_eq!(text["account"], "02".repeat(32));
        assert_eq!((&text["round_id"], &text["sequence"]), (&7.into(), &5.into()));
        assert_eq!(text["signature"], "04".repeat(64));
    }
}
