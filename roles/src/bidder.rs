//! Who may bid: the ledger's rules, asked before a block is, with what a node knows besides the ledger.
//!
//! Intake, pool and ledger refuse for the same rules in the same words ([`Refusal`]); only what counts as the account's
//! first bid, and as the first use of an R, differs: a promise, an entry of the pool, a block.

use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;

/// Whether the account may bid in the round: it was among those who may when the round opened, or, of a round that is not
/// open yet, is among them as things stand.
pub(crate) fn check_member(state: &State, bid: &SealedBid) -> Result<(), Refusal> {
    Ok(state.check_may_bid(bid.round_id, &bid.account)?)
}

/// The digest of the account's bid on the ledger.
pub(crate) fn bid_on_ledger(state: &State, round_id: u64, account: &PointBytes) -> Option<Hash> {
    state.round(round_id)?.bid_of(account)
}

/// "One bid per account and round." `first` is the digest of the one that counts, if there is one; the same bid again is no
/// second one.
pub(crate) fn check_first(bid: &SealedBid, digest: &Hash, first: Option<Hash>) -> Result<(), Refusal> {
    match first {
        Some(first) if first != *digest => Err(Refusal::Rounds(RoundRefusal::SecondBid {
            round: bid.round_id,
            account: Account(bid.account),
        })),
        _ => Ok(()),
    }
}

/// "No R occurs twice in a round." `known` is the account under whose bid the node itself has the R, if it has; otherwise
/// the ledger tells.
pub(crate) fn check_handle(state: &State, bid: &SealedBid, known: Option<PointBytes>) -> Result<(), Refusal> {
    let owner = known.or_else(|| state.round(bid.round_id)?.owner_of(&bid.r));
    match owner {
        Some(first) if first != bid.account => {
            let (account, first) = (Account(bid.account), Account(first));
            Err(Refusal::Rounds(RoundRefusal::HandleRepeated { round: bid.round_id, account, first }))
        }
        _ => Ok(()),
    }
}
