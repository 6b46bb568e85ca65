//! Where a bid stands by the ledger: what a receipt may promise depends on it.

use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;

/// Where a bid stands by the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It may still come there.
    Ahead,
    /// It is there.
    OnLedger,
    /// It is not there and can't come there any more.
    Over,
}

/// Where a bid stands in this state.
pub(crate) fn way_of(state: &State, round_id: u64, account: &PointBytes, digest: &[u8; 32]) -> Way {
    // Also after the close: the round that is being opened has it.
    if state.round(round_id).and_then(|round| round.bid_of(account)) == Some(*digest) {
        return Way::OnLedger;
    }
    match state.expected(round_id) {
        // Not open yet in this state: it lags behind the one under which the bid was taken.
        Ok(Expected::NotOpened | Expected::Bids { .. }) => Way::Ahead,
        _ => Way::Over,
    }
}
