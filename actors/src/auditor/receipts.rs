//! Receipts that come in while the ledger grows.

use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{ReceiptFinding, ReceiptVerdict};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;

/// Receipts with what the ledger says about them. A receipt is looked up after every block until its round decides.
#[derive(Debug, Default)]
pub struct ReceiptBook {
    open: Vec<Receipt>,
    decided: Vec<ReceiptFinding>,
}

impl ReceiptBook {
    /// Adds a receipt of a round that is not finished; a finished round is no longer in the state.
    pub fn expect(&mut self, receipt: Receipt) {
        self.open.push(receipt);
    }

    /// Looks the open receipts up in the state after a block.
    pub fn look_up(&mut self, state: &State) {
        for receipt in std::mem::take(&mut self.open) {
            match judge(state, &receipt) {
                ReceiptVerdict::RoundOpen | ReceiptVerdict::RoundUnknown => self.open.push(receipt),
                verdict => self.decided.push(finding(&receipt, verdict)),
            }
        }
    }

    /// All findings at the end of the ledger.
    pub fn findings(&self, state: &State) -> Vec<ReceiptFinding> {
        let open = self.open.iter().map(|receipt| finding(receipt, judge(state, receipt)));
        self.decided.iter().copied().chain(open).collect()
    }
}

fn finding(receipt: &Receipt, verdict: ReceiptVerdict) -> ReceiptFinding {
    let Receipt { round_id, account, bid_digest, sequence, .. } = *receipt;
    ReceiptFinding { round_id, account, bid_digest, sequence, verdict }
}

fn judge(state: &State, receipt: &Receipt) -> ReceiptVerdict {
    let community = state.community();
    let ours = receipt.ledger_id == community.ledger_id();
    if !ours || receipt.verify(community.receipt_key()).is_err() {
        return ReceiptVerdict::Worthless;
    }
    let Some(round) = state.round(receipt.round_id) else { return ReceiptVerdict::RoundUnknown };
    match round.bid_of(&receipt.account) {
        Some(digest) if digest == receipt.bid_digest => ReceiptVerdict::Included,
        Some(_) => ReceiptVerdict::OtherBid,
        None if matches!(state.expected(receipt.round_id), Ok(Expected::Bids { .. })) => {
            ReceiptVerdict::RoundOpen
        }
        None => ReceiptVerdict::Missing,
    }
}
