//! Checks that need no state, in the two layers that come before the contextual rules of [`crate::state`].

pub mod semantic;
pub mod structural;

use crate::block::Block;
use crate::community::Community;
use crate::refusal::{BlockError, Refusal};
use crate::state::round::Slot;
use crate::transaction::Transaction;
use crate::verdicts::{BidVerdicts, BidsAsked};
use std::collections::BTreeSet;
use veilgrid_crypto::bid::{AccountTerms, RoundContext, SealedBid};

/// Tells the terms of bids of a round, or none where they are not known.
pub type TermsOf<'a> = &'a dyn Fn(u64, &[SealedBid]) -> Option<Vec<AccountTerms>>;

/// Bids of a round with their terms, with money.
type Asked<'a> = (RoundContext, &'a Vec<SealedBid>, Option<Vec<AccountTerms>>);

/// Checks everything of a later block that holds or fails whatever the state is: its body hash, the structure of its
/// transactions, the proofs of its bids. This is what a validator can check of a block whose parents are not final. Who
/// knows the state after its parent asks [`State::check_bidders`](crate::state::State::check_bidders) first, which costs
/// no proof.
///
/// Bids are bound to their round's slot. `slot_of` tells the slot of a round that an earlier block opens; rounds that
/// the block itself opens are known from it. With money they are bound to their account's terms too, which `terms_of` tells
/// after the parent. Proofs of bids for other rounds, and of bids on accounts that the block itself has moved before, are
/// left to the execution.
///
/// # Errors
/// The first rule that is broken.
pub fn check_without_state(
    community: &Community,
    block: &Block,
    slot_of: &dyn Fn(u64) -> Option<Slot>,
    terms_of: TermsOf<'_>,
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
    let has_money = community.params().money.is_some();
    let (mut debited, mut withdrawn) = (BTreeSet::new(), false);
    for (index, transaction) in block.transactions.iter().enumerate() {
        let terms = |round_id: u64, bids: &[SealedBid]| {
            let moved = withdrawn || bids.iter().any(|bid| debited.contains(&bid.account));
            if moved { None } else { terms_of(round_id, bids) }
        };
        let asked = match transaction {
            Transaction::Bids { round_id, bids } => slot(*round_id).and_then(|slot| {
                let context = community.round_context(*round_id, slot);
                let terms = if has_money { Some(terms(*round_id, bids)?) } else { None };
                Some((context, bids, terms))
            }),
            _ => None,
        };
        check_transaction(community, transaction, asked, verdicts).map_err(|refusal| BlockError {
            height,
            transaction: Some(index),
            fault: refusal.into(),
        })?;
        match transaction {
            Transaction::Bids { bids, .. } => debited.extend(bids.iter().map(|bid| bid.account)),
            Transaction::Withdraw(_) => withdrawn = true,
            _ => {}
        }
    }
    Ok(())
}

fn check_transaction(
    community: &Community,
    transaction: &Transaction,
    asked: Option<Asked<'_>>,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(), Refusal> {
    structural::check(community.params(), transaction)?;
    if let Some((round, bids, terms)) = asked {
        let asked = BidsAsked { round: &round, bids, terms: terms.as_deref() };
        semantic::check_all_bids(community, asked, verdicts)?;
    }
    Ok(())
}
