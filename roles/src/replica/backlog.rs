//! How many bids of a round may wait: as many as the blocks of its grace have room for.
//!
//! `CloseRound` is due after the grace whatever is in the pools, and a bid that was taken in was promised a place.

use super::Replica;
use super::error::{OfferRefusal, Offered};
use crate::intake::shape_of;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::keygen::Group;

/// What a block may hold besides bids while a round is in grace: header, lengths, what time makes due.
const BESIDES_BIDS_BYTES: usize = 512;

impl Replica {
    /// The bytes of a round's bids that fit into the blocks of its grace, should all of them be ordered then.
    pub(super) fn backlog_bytes(&self) -> usize {
        let (Some(timing), Some(roster)) = (self.state.timing(), self.state.roster()) else {
            return usize::MAX;
        };
        let bid_bytes = shape_of(self.state.community().params()).bid_bytes();
        grace_room(self.limits.max_block_bytes, bid_bytes, timing.grace_blocks, roster.group())
    }

    /// Refuses the new bids for which the round's blocks may have no room, before their proofs are verified.
    pub(super) fn check_backlog(
        &self,
        round_id: u64,
        bids: &[SealedBid],
        answers: &mut [Result<Offered, OfferRefusal>],
        bound: usize,
    ) {
        let mut bytes = self.pool.bids.bytes_of_round(round_id);
        let new = bids.iter().zip(answers).filter(|(_, answer)| **answer == Ok(Offered::New));
        for (bid, answer) in new {
            let with_it = bytes.saturating_add(bid.to_bytes().len());
            if with_it > bound {
                *answer = Err(OfferRefusal::Backlog { round_id, bytes, bound });
            } else {
                bytes = with_it;
            }
        }
    }
}

/// The bytes of bids that the blocks of a round's grace have room for when faulty validators propose as many of them as
/// they can and leave all bids out. Leaders take turns, so that of n blocks in a row they propose f.
fn grace_room(max_block_bytes: usize, bid_bytes: usize, grace_blocks: u32, group: Group) -> usize {
    let (validators, faults) = (u32::from(group.validators).max(1), u32::from(group.faults()));
    let blocks = grace_blocks.max(faults.saturating_add(1));
    let whole_turns = blocks.checked_div(validators).unwrap_or(0);
    let rest = blocks.checked_rem(validators).unwrap_or(0);
    let lost = whole_turns.saturating_mul(faults).saturating_add(rest.min(faults));
    let honest = usize::try_from(blocks.saturating_sub(lost).max(1)).unwrap_or(usize::MAX);
    let room = max_block_bytes.saturating_sub(BESIDES_BIDS_BYTES);
    let in_one = room.checked_div(bid_bytes).unwrap_or(0);
    honest.saturating_mul(in_one).saturating_mul(bid_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::bid::BidShape;

    #[test]
    fn a_round_may_wait_for_the_blocks_that_are_its_for_sure() {
        let room = |grace_blocks, validators| grace_room(10_512, 1_000, grace_blocks, Group::of(validators));
        // One of four validators is faulty, and proposes one block of each four.
        assert_eq!([1, 2, 3, 4, 5, 8].map(|blocks| room(blocks, 4)), [1, 1, 2, 3, 3, 6].map(|n| n * 10_000));
        // Grace has f + 1 blocks whatever the market says.
        assert_eq!([1, 3, 4].map(|blocks| room(blocks, 7)), [1, 1, 2].map(|n| n * 10_000));
        // A bid that fits into no block is not taken.
        assert_eq!(grace_room(1_000, 1_001, 3, Group::of(4)), 0);
    }

    #[test]
    fn a_thousand_bids_at_64_prices_may_come_at_once() {
        let bid_bytes = BidShape { steps: 128, bits: 16 }.bid_bytes();
        assert!(bid_bytes > 5_000);
        assert!(grace_room(3 << 20, bid_bytes, 3, Group::of(4)) >= 1_000 * bid_bytes);
    }
}
