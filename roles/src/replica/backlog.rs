//! How many bids of a round may wait: as many as the blocks of its grace have room for.
//!
//! `CloseRound` is due after the grace whatever is in the pools, and a bid that was taken in was promised a place.

use super::Replica;
use super::error::{OfferRefusal, Offered};
use crate::intake::shape_of;
use veilgrid_crypto::bid::SealedBid;

/// What a block may hold besides bids while a round is in grace: header, lengths, what time makes due.
const BESIDES_BIDS_BYTES: usize = 512;

impl Replica {
    /// The bytes of a round's bids that fit into the blocks of its grace, should all of them be ordered then.
    pub(super) fn backlog_bytes(&self) -> usize {
        let honest_blocks = self.state.honest_grace_blocks();
        let bid_bytes = shape_of(self.state.community().params()).bid_bytes();
        grace_room(self.limits.max_block_bytes, bid_bytes, honest_blocks)
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

/// The bytes of bids that this many blocks have room for: those of a round's grace that honest validators propose, when
/// faulty ones propose as many as they can and leave all bids out.
fn grace_room(max_block_bytes: usize, bid_bytes: usize, honest_blocks: u64) -> usize {
    let honest = usize::try_from(honest_blocks).unwrap_or(usize::MAX);
    let room = max_block_bytes.saturating_sub(BESIDES_BIDS_BYTES);
    let in_one = room.checked_div(bid_bytes).unwrap_or(0);
    honest.saturating_mul(in_one).saturating_mul(bid_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::bid::BidShape;
    use veilgrid_crypto::keygen::Group;
    use veilgrid_ledger::timing::RoundTiming;

    /// The room when the validators stay the same.
    fn room(max_block_bytes: usize, bid_bytes: usize, grace_blocks: u32, validators: u16) -> usize {
        let timing = RoundTiming {
            first_open_unix_ms: 0,
            interval_ms: 2,
            bidding_ms: 1,
            grace_blocks,
            opening_deadline_ms: 1,
            suspend_after_ms: 1,
            first_slot_start_unix_s: 0,
            epoch_blocks: 100,
            keygen_phase_blocks: 8,
            max_clock_skew_ms: 1,
        };
        let group = Group::of(validators);
        grace_room(max_block_bytes, bid_bytes, timing.honest_grace_among(group, group))
    }

    #[test]
    fn a_round_may_wait_for_the_blocks_that_are_its_for_sure() {
        let room_of = |grace_blocks, validators| room(10_512, 1_000, grace_blocks, validators);
        // One of four validators is faulty, and proposes one block of each four; one more where an epoch ends, and then
        // there is one block more.
        assert_eq!(
            [1, 2, 3, 4, 5, 8].map(|blocks| room_of(blocks, 4)),
            [1, 1, 2, 3, 3, 6].map(|n| n * 10_000)
        );
        // Grace has f + 1 blocks whatever the market says.
        assert_eq!([1, 3, 4].map(|blocks| room_of(blocks, 7)), [1, 1, 2].map(|n| n * 10_000));
        // A bid that fits into no block is not taken.
        assert_eq!(room(1_000, 1_001, 3, 4), 0);
    }

    #[test]
    fn a_thousand_bids_at_64_prices_may_come_at_once() {
        let bid_bytes = BidShape { steps: 128, bits: 16, money: false }.bid_bytes();
        assert!(bid_bytes > 5_000);
        assert!(room(3 << 20, bid_bytes, 3, 4) >= 1_000 * bid_bytes);
    }
}
