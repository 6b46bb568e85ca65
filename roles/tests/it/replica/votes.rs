//! What gets no vote, one test per rule; what others finalise all the same.

use super::network::{Network, START_MS, timing};
use crate::common::{BOOK, SLOT_SECONDS};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::{BlockFault, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_roles::replica::{Limits, VoteRefusal};

fn fault(refusal: VoteRefusal) -> BlockFault {
    match refusal {
        VoteRefusal::Block(error) => error.fault,
        other => panic!("{other}"),
    }
}

/// A block that has everything right, and the next time at which one is due.
fn right_block(network: &mut Network) -> Block {
    loop {
        if let Some(block) = network.proposal() {
            return block;
        }
    }
}

#[test]
fn time_has_to_be_near_the_clock() {
    let mut network = Network::open();
    let block = right_block(&mut network);
    let (time_ms, skew_ms) = (block.header.time_unix_ms, timing().max_clock_skew_ms);
    for at in [time_ms - skew_ms - 1, time_ms + skew_ms + 1] {
        let refusal = network.replicas[1].check(&block, at).expect_err("a vote");
        assert!(matches!(refusal, VoteRefusal::Clock { now_unix_ms, .. } if now_unix_ms == at));
    }
    assert_eq!(network.replicas[1].check(&block, time_ms - skew_ms), Ok(()));
    assert_eq!(network.replicas[2].check(&block, time_ms + skew_ms), Ok(()));
    // Time does not run backwards, however near it is.
    let early = network.any_block(&network.tip().hash(), network.tip().header.time_unix_ms - 1, Vec::new());
    let refusal = network.replicas[1].check(&early, network.now_ms).expect_err("a vote");
    assert!(matches!(fault(refusal), BlockFault::Time { .. }));
}

#[test]
fn header_and_body_have_to_be_right() {
    let mut network = Network::open();
    let block = right_block(&mut network);
    let now_ms = network.now_ms;
    let mut refuse = |change: fn(&mut Block)| {
        let mut wrong = block.clone();
        change(&mut wrong);
        network.replicas[1].check(&wrong, now_ms).expect_err("a vote")
    };
    assert!(matches!(
        fault(refuse(|block| block.header.prior_state_root[0] ^= 1)),
        BlockFault::PriorStateRoot { .. }
    ));
    assert!(matches!(fault(refuse(|block| block.header.height += 1)), BlockFault::Height { .. }));
    assert!(matches!(refuse(|block| block.header.parent_hash[0] ^= 1), VoteRefusal::UnknownParent { .. }));
    let swap: fn(&mut Block) = |block| block.transactions.push(Transaction::CloseRound { round_id: 1 });
    assert_eq!(fault(refuse(swap)), BlockFault::Body);
    assert_eq!(network.replicas[1].check(&block, now_ms), Ok(()));
    // The header of a block that is known, with another body.
    let mut wrong = block.clone();
    swap(&mut wrong);
    assert_eq!(fault(network.replicas[1].check(&wrong, now_ms).expect_err("a vote")), BlockFault::Body);
    assert_eq!(network.replicas[1].finalise(&wrong).expect_err("final").fault, BlockFault::Body);
    assert_eq!(network.replicas[1].check(&block, now_ms), Ok(()));
}

#[test]
fn proofs_have_to_hold() {
    let mut network = Network::open();
    let mut bids = network.book(1);
    bids[2].proof[40] ^= 1;
    let block = network.any_block(
        &network.tip().hash(),
        network.now_ms,
        vec![Transaction::Bids { round_id: 1, bids: bids.clone() }],
    );
    let refusal = network.replicas[1].check(&block, network.now_ms).expect_err("a vote");
    let BlockFault::Refused(refusal) = fault(refusal) else { panic!("another fault") };
    // A yes or no: nobody looks for the one that is false.
    assert_eq!(*refusal, Refusal::Rounds(RoundRefusal::BidsInvalid { round: 1, count: 4 }));
    assert!(!network.replicas[1].knows(&block.hash()), "it was not even executed");
}

/// Threat: a leader fills its block with bids that nobody may place, so that voters verify them under the engine's lock.
#[test]
fn bids_that_nobody_may_place_cost_a_voter_no_verification() {
    let mut network = Network::open();
    let stranger = Keyring::from_seed(&KeyringSeed::generate(&mut network.rng));
    network.keyrings.push(stranger);
    let by_stranger = network.bid(1, 12, &BOOK[0]);
    let (first, second) = (network.bid(1, 0, &BOOK[0]), network.bid(1, 0, &BOOK[1]));
    let early = network.bid(2, 1, &BOOK[1]);
    let bids = |round_id, bids| Transaction::Bids { round_id, bids };
    for (transactions, says) in [
        (vec![bids(1, vec![by_stranger])], "NotAMember"),
        (vec![bids(1, vec![first]), bids(1, vec![second])], "SecondBid"),
        (vec![bids(2, vec![early])], "RoundNotActive"),
    ] {
        let block = network.any_block(&network.tip().hash(), network.now_ms, transactions);
        let replica = &mut network.replicas[1];
        let refusal = replica.check(&block, network.now_ms).expect_err("a vote");
        assert!(matches!(refusal, VoteRefusal::Refused { .. }), "{refusal}");
        assert!(format!("{refusal:?}").contains(says), "{refusal:?}");
        // Each proof holds, so that whoever has verified it has remembered it.
        assert_eq!(replica.summary().verdicts, 0, "{says}");
        assert!(!replica.knows(&block.hash()));
    }
}

#[test]
fn a_block_has_to_fit() {
    let bound = 3_000;
    let mut network = Network::open_with(Limits { max_block_bytes: bound, ..Limits::default() });
    let bids = network.book(1);
    let block = network.any_block(
        &network.tip().hash(),
        network.now_ms,
        vec![Transaction::Bids { round_id: 1, bids }],
    );
    let bytes = block.to_bytes().len();
    assert!(bytes > bound);
    let refusal = network.replicas[1].check(&block, network.now_ms).expect_err("a vote");
    assert_eq!(refusal, VoteRefusal::TooLarge { height: block.header.height, bytes, bound });
}

#[test]
fn what_is_due_has_to_be_there() {
    let mut network = Network::keyed();
    network.now_ms = timing().first_open_unix_ms;
    let without = network.any_block(&network.tip().hash(), network.now_ms, Vec::new());
    let refusal = network.replicas[1].check(&without, network.now_ms).expect_err("a vote");
    let (height, missing) = (without.header.height, TransactionKind::OpenRound);
    assert_eq!(refusal, VoteRefusal::DueMissing { height, position: 0, missing });
    // At a time at which nothing is due the same block is right.
    let before = network.any_block(&network.tip().hash(), network.now_ms - 1, Vec::new());
    assert_eq!(network.replicas[1].check(&before, network.now_ms), Ok(()));
}

#[test]
fn a_refused_transaction_gets_no_vote_and_is_recorded_when_others_finalise_it() {
    let mut network = Network::open();
    let twice = Transaction::OpenRound {
        round_id: 1,
        slot_start_unix_s: timing().first_slot_start_unix_s,
        slot_seconds: SLOT_SECONDS,
    };
    let block = network.any_block(&network.tip().hash(), network.now_ms, vec![twice]);
    let refusal = network.replicas[1].check(&block, network.now_ms).expect_err("a vote");
    let VoteRefusal::Refused { position: 0, refusal, .. } = refusal else { panic!("{refusal}") };
    assert!(matches!(*refusal, Refusal::Rounds(RoundRefusal::RoundIdNotRising { .. })));
    // It was learnt: still no vote, and its children can be executed.
    assert!(network.replicas[1].learn(&block).is_ok());
    assert!(network.replicas[1].check(&block, network.now_ms).is_err());
    assert!(network.replicas[1].summary().last_refusals.iter().any(|text| text.contains("ids rise")));
    for replica in &mut network.replicas {
        let effects = replica.finalise(&block).expect("final").expect("new");
        assert!(matches!(&effects.effects[..], [Effect::Refused(_)]));
    }
    network.blocks.push(block);
    network.next_block();
    assert!(network.now_ms > START_MS);
}
