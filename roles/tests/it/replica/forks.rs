//! Blocks that are executed ahead of the final one: children of one parent, ancestors, repeated and late deliveries.

use super::network::Network;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockFault;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::replica::{Proposal, Replica};

fn propose(replica: &mut Replica, parent: &Block, now_ms: u64) -> Option<Block> {
    match replica.propose(&parent.hash(), now_ms) {
        Proposal::Block(block) => Some(*block),
        Proposal::Wait { .. } => None,
    }
}

#[test]
fn of_two_children_the_final_one_stays() {
    let mut network = Network::open();
    let tip = network.tip().clone();
    let book = network.book(1);
    for replica in &mut network.replicas {
        replica.offer_bids(1, book.clone());
    }
    network.now_ms += 20;
    let now_ms = network.now_ms;
    // One child with the bids, a child of it, and another child without.
    let with = propose(&mut network.replicas[0], &tip, now_ms).expect("bids are there");
    assert_eq!(with.transactions.len(), 1);
    let without = network.any_block(&tip.hash(), now_ms, Vec::new());
    let replica = &mut network.replicas[1];
    assert_eq!(replica.check(&with, now_ms), Ok(()));
    assert_eq!(replica.check(&without, now_ms), Ok(()));
    // On the branch with the bids there is nothing to propose, on the other one there is.
    assert!(propose(replica, &with, now_ms).is_none());
    assert!(propose(replica, &with, now_ms + 500).is_none());
    let empty = propose(replica, &with, now_ms + 1_000).expect("an idle block");
    assert!(empty.transactions.is_empty());
    let again = propose(replica, &without, now_ms + 1_000).expect("bids");
    assert_eq!(again.transactions, with.transactions);
    assert_eq!(replica.summary().speculative_blocks, 4);

    assert!(matches!(replica.finalise(&without), Ok(Some(_))));
    assert!(replica.knows(&again.hash()) && replica.knows(&without.hash()));
    for gone in [&with, &empty, &tip] {
        assert!(!replica.knows(&gone.hash()));
    }
    // The bids of the branch that is gone were never out of the pool.
    assert_eq!(replica.summary().bids, 4);
    let effects = replica.finalise(&again).expect("final").expect("new");
    assert!(matches!(&effects.effects[..], [Effect::BidsAccepted { bids, .. }] if bids.len() == 4));
    assert_eq!(replica.summary().bids, 0);
    assert_eq!(replica.summary().speculative_blocks, 0);
}

/// A candidate's follower executes every block before the core gets it.
#[test]
fn what_this_process_has_executed_is_not_executed_again() {
    let mut network = Network::open();
    let (tip, book) = (network.tip().clone(), network.book(1));
    network.replicas[0].offer_bids(1, book);
    network.now_ms += 20;
    let block = propose(&mut network.replicas[0], &tip, network.now_ms).expect("bids are there");
    let mut state = network.replicas[1].state().clone();
    let effects = state.apply_block(&block, &mut VerifyAll).expect("sound");
    for (at, parent, verified) in [(1, tip.hash(), 0), (2, [9; 32], 4)] {
        let replica = &mut network.replicas[at];
        replica.take_executed(parent, state.clone(), effects.clone());
        assert_eq!(replica.finalise(&block), Ok(Some(effects.clone())));
        assert_eq!(replica.state().root(), state.root());
        assert_eq!(replica.summary().verdicts, verified, "bids that were looked at by replica {at}");
    }
}

#[test]
fn a_parent_from_the_future_does_not_stop_the_ledger() {
    let mut network = Network::open();
    let tip = network.tip().clone();
    let ahead = network.any_block(&tip.hash(), network.now_ms + 1_900, Vec::new());
    assert_eq!(network.replicas[1].check(&ahead, network.now_ms), Ok(()));
    let (mut now_ms, replica) = (network.now_ms, &mut network.replicas[1]);
    let start_ms = now_ms;
    let block = loop {
        if let Some(block) = propose(replica, &ahead, now_ms) {
            break block;
        }
        now_ms += 20;
    };
    assert_eq!(now_ms - start_ms, 1_000);
    assert_eq!(block.header.time_unix_ms, ahead.header.time_unix_ms);
}

#[test]
fn deliveries_may_repeat_and_must_not_skip() {
    let mut network = Network::open();
    let tip = network.tip().clone();
    let first = network.any_block(&tip.hash(), network.now_ms, Vec::new());
    let replica = &mut network.replicas[0];
    replica.learn(&first).expect("learnt");
    let second = network.any_block(&first.hash(), network.now_ms + 1, Vec::new());
    let replica = &mut network.replicas[2];
    // A node that was away: the ancestors come first, without the rule of the clock.
    assert!(replica.learn(&second).is_err());
    let (found, expected) = (second.header.height, first.header.height);
    let gap = replica.finalise(&second).expect_err("a gap");
    assert_eq!(gap.fault, BlockFault::Height { found, expected });
    assert_eq!(replica.learn(&first), Ok(()));
    assert_eq!(replica.learn(&first), Ok(()));
    assert_eq!(replica.learn(&second), Ok(()));
    assert!(matches!(replica.finalise(&first), Ok(Some(_))));
    assert!(matches!(replica.finalise(&first), Ok(None)));
    assert!(matches!(replica.finalise(&tip), Ok(None)));
    let root = replica.finalise(&second).expect("final").expect("new").state_root;
    assert!(matches!(replica.finalise(&first), Ok(None)));
    // One that executed nothing before comes to the same state.
    let late = &mut network.replicas[3];
    assert!(matches!(late.finalise(&first), Ok(Some(_))));
    assert_eq!(late.finalise(&second).expect("final").expect("new").state_root, root);
}

#[test]
fn executed_blocks_are_bounded_and_what_was_pushed_out_is_learnt_again() {
    let mut network = Network::open();
    let tip = network.tip().clone();
    let now_ms = network.now_ms;
    let children: Vec<Block> =
        (0..300).map(|at| network.any_block(&tip.hash(), now_ms + at, Vec::<Transaction>::new())).collect();
    let replica = &mut network.replicas[0];
    children.iter().for_each(|child| replica.learn(child).expect("learnt"));
    assert_eq!(replica.summary().speculative_blocks, 256);
    assert!(!replica.knows(&children[0].hash()) && replica.knows(&children[299].hash()));
    assert_eq!(replica.learn(&children[0]), Ok(()));
    assert!(matches!(replica.finalise(&children[1]), Ok(Some(_))));
    assert_eq!(replica.summary().speculative_blocks, 0);
}

#[test]
fn blocks_keep_a_gap() {
    let mut network = Network::open();
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    let tip = network.tip().clone();
    let parent_ms = tip.header.time_unix_ms;
    let replica = &mut network.replicas[0];
    assert!(propose(replica, &tip, parent_ms).is_none());
    assert!(propose(replica, &tip, parent_ms + 19).is_none());
    assert_eq!(propose(replica, &tip, parent_ms + 20).map(|block| block.transactions.len()), Some(1));
    assert!(propose(replica, &network.blocks[0], parent_ms + 20).is_none(), "not on what is not known");
}
