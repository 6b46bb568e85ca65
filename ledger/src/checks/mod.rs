//! Checks that need no state, in the two layers that come before the contextual rules of [`crate::state`].

pub mod semantic;
pub mod structural;

use crate::block::Block;
use crate::community::Community;
use crate::refusal::{BlockError, Refusal};
use crate::transaction::Transaction;
use crate::verdicts::BidVerdicts;

/// Checks everything of a later block that holds or fails whatever the state is: its body hash, the structure of its
/// transactions, the proofs of its bids. This is what a validator can check of a block whose parents are not final.
///
/// # Errors
/// The first rule that is broken.
pub fn check_without_state(
    community: &Community,
    block: &Block,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), BlockError> {
    let height = block.header.height;
    block.check_body().map_err(|fault| BlockError { height, transaction: None, fault })?;
    for (index, transaction) in block.transactions.iter().enumerate() {
        check_transaction(community, transaction, verdicts).map_err(|refusal| BlockError {
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
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), Refusal> {
    structural::check(community.params(), transaction)?;
    if let Transaction::Bids { round_id, bids } = transaction {
        semantic::verified_bids(community, *round_id, bids, verdicts)?;
    }
    Ok(())
}
