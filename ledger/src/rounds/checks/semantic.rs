//! Semantic rules: proofs and signatures that can be checked from the genesis and the transaction alone.
//!
//! Opening shares are proved against a round's tally, so their check is in [`crate::state`].

use crate::community::Community;
use crate::refusal::{Account, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::verdicts::{BidVerdicts, BidsAsked};
use std::sync::Arc;
use veilgrid_crypto::bid::VerifiedBid;

/// The same rule as a question of yes or no: it names nobody, and false bids cost no more than true ones.
///
/// # Errors
/// [`RoundRefusal::BidsInvalid`]; [`RoundRefusal::NoKeys`] before keys were generated.
pub fn check_all_bids(
    community: &Community,
    asked: BidsAsked<'_>,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), Refusal> {
    let (round, count) = (asked.round.round_id, asked.bids.len());
    let params = community.bid_params().ok_or(Refusal::Rounds(RoundRefusal::NoKeys { round }))?;
    let hold = verdicts.all_hold(params, asked);
    if hold { Ok(()) } else { Err(Refusal::Rounds(RoundRefusal::BidsInvalid { round, count })) }
}

/// "Proof and signature of a bid hold for this ledger, epoch, round and slot." All bids, or the first fault.
///
/// # Errors
/// [`RoundRefusal::BidInvalid`] with the bidder; [`RoundRefusal::NoKeys`] before keys were generated.
pub fn verified_bids(
    community: &Community,
    asked: BidsAsked<'_>,
    verdicts: &mut dyn BidVerdicts,
) -> Result<Vec<Arc<VerifiedBid>>, Refusal> {
    let round = asked.round.round_id;
    let params = community.bid_params().ok_or(Refusal::Rounds(RoundRefusal::NoKeys { round }))?;
    verdicts
        .verify(params, asked)
        .into_iter()
        .zip(asked.bids)
        .map(|(verdict, bid)| {
            verdict.map_err(|fault| {
                Refusal::Rounds(RoundRefusal::BidInvalid { round, account: Account(bid.account), fault })
            })
        })
        .collect()
}
