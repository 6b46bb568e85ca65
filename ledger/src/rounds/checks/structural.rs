//! Structural rules: what a transaction and the market's parameters alone decide. Lengths and encodings were checked
//! when it was decoded; a transaction made in memory passes here all the same.

use crate::params::MarketParams;
use crate::refusal::{Account, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::transaction::Transaction;
use veilgrid_crypto::bid::SealedBid;

/// Checks the structural rules.
///
/// # Errors
/// The rule that is broken.
pub fn check(params: &MarketParams, transaction: &Transaction) -> Result<(), Refusal> {
    match transaction {
        // "A genesis is the first transaction of block 0 and of no other."
        Transaction::Genesis(_) => Err(Refusal::GenesisRepeated),
        Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds } => {
            check_slot(params, *round_id, *slot_start_unix_s, *slot_seconds)
        }
        Transaction::Bids { round_id, bids } => check_bids(*round_id, bids),
        _ => Ok(()),
    }
}

/// "A slot has the market's length and its end is an instant."
fn check_slot(params: &MarketParams, round: u64, start_unix_s: i64, seconds: u32) -> Result<(), Refusal> {
    let market_seconds = params.slot_seconds;
    if seconds != market_seconds || start_unix_s.checked_add(i64::from(seconds)).is_none() {
        return Err(Refusal::Rounds(RoundRefusal::Slot { round, start_unix_s, seconds, market_seconds }));
    }
    Ok(())
}

fn check_bids(round: u64, bids: &[SealedBid]) -> Result<(), Refusal> {
    // "A bids transaction holds at least one bid."
    if bids.is_empty() {
        return Err(Refusal::Rounds(RoundRefusal::NoBids { round }));
    }
    // "All bids of a transaction are for its round."
    match bids.iter().find(|bid| bid.round_id != round) {
        Some(bid) => Err(Refusal::Rounds(RoundRefusal::BidOfOtherRound {
            round,
            bid_round: bid.round_id,
            account: Account(bid.account),
        })),
        None => Ok(()),
    }
}
