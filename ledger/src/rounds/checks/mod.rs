//! Checks that need no state, in the two layers that come before the contextual rules of [`crate::state`].

pub mod semantic;
pub mod structural;

use crate::block::Block;
use crate::community::Community;
use crate::refusal::{BlockError, Refusal};
use crate::state::round::Slot;
use crate::transaction::Transaction;
use crate::verdicts::BidVerdicts;

/// Checks everything of a later block that holds or fails whatever the state is: its body hash, the structure of its
/// transactions, the proofs of its bids. This is what a validator can check of a block whose parents are not final. Who
/// knows the state after its parent asks [`State::check_bidders`](crate::state::State::check_bidders) first, which costs
/// no proof.
///
/// Bids are bound to their round's slot. `slot_of` tells the slot of a round that an earlier block opens; rounds that
/// the block itself opens are known from it. Proofs of bids for other rounds are left to the execution.
///
/// # Errors
/// The first rule that is broken.
pub fn check_without_state(
    community: &Community,
    block: &Block,
    slot_of: &dyn Fn(u64) -> Option<Slot>,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), BlockError> {
    let height = block.header.height;
    block.check_body().map_err(|fault| BlockError { height, transaction: None, fault })?;
    let opened_here = |wanted: u64| {
        block.transactions.iter().find_map(|transaction| match transaction {
            Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds } if *round_id == wanted => {
                Some(Slot { start_unix_s: *slot_start_unix_s, seconds: *slot_seconds })
            }
            _ => None,
        })
    };
    let slot = |round_id: u64| slot_of(round_id).or_else(|| opened_here(round_id));
    for (index, transaction) in block.transactions.iter().enumerate() {
        check_transaction(community, transaction, &slot, verdicts).map_err(|refusal| BlockError {
            height,
            transaction: Some(index),
            fault: refusal.into(),
        })?;
    }
    Ok(())
}

fn check_transaction(
    community: &Community,
    transaction: &Transaction,
    slot: &dyn Fn(u64) -> Option<Slot>,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), Refusal> {
    structural::check(community.params(), transaction)?;
    if let Transaction::Bids { round_id, bids } = transaction
        && let Some(slot) = slot(*round_id)
    {
        semantic::check_all_bids(community, &community.round_context(*round_id, slot), bids, verdicts)?;
    }
    Ok(())
}
