//! A validator is killed at every write, its disk fails, the engine repeats itself or forks.

use super::net::{CERTIFICATE, Net, start};
use std::sync::Arc;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::core::{Applied, CheckError, CoreError, Failure, MemoryJournal};
use veilgrid_roles::replica::{OfferRefusal, Proposal, VoteRefusal};

/// Validator 0 dies at every write of its life, before or after it. Nobody else notices.
#[test]
fn a_validator_that_is_killed_at_every_write_says_nothing_twice() {
    let mut net = Net::new(4, 0, 31);
    net.lives = Some(0);
    net.restart();
    net.until_sharing(1);
    assert_eq!(net.agreed(), (vec![], vec![]), "it takes part in full");
    assert_eq!(net.who_holds(), [0, 1, 2, 3]);
    net.until_sharing(2);
    assert_eq!(net.agreed(), (vec![], vec![]));
    assert_eq!(net.who_holds(), [0, 1, 2, 3]);
    net.round();
    assert!(net.lives.is_some_and(|lives| lives > 50), "it did not die often enough: {:?}", net.lives);
    for core in &mut net.cores {
        assert_eq!(core.take_faults(), []);
    }
    // 4 announcements, packages, deliveries and verdicts for each of two sessions, and no more.
    let blocks = net.cores[1].journal().blocks();
    let events = blocks.iter().flat_map(|(block, _)| &block.transactions);
    assert_eq!(events.filter(|one| matches!(one, Transaction::KeyEvent { .. })).count(), 2 * 16);
}

#[test]
fn nothing_is_sent_when_the_secrets_are_not_durable() {
    let net = Net::new(4, 0, 32);
    let journal = MemoryJournal::new();
    journal.fail_after(0, Failure::Before);
    let failed = start(&net.genesis, &net.keys[0], journal, 1);
    assert!(matches!(failed.err(), Some(CoreError::Journal(_))));

    // Dealing: the block is stored, the secrets are not.
    let mut net = Net::new(4, 0, 33);
    let journal = net.cores[0].journal().clone();
    let mut failed = None;
    while failed.is_none() {
        net.gossip();
        let parent = net.cores[1].state().block_hash();
        let Proposal::Block(block) = net.cores[1].propose(&parent, net.now_ms) else {
            net.now_ms += 5;
            continue;
        };
        net.now_ms += 5;
        for core in &mut net.cores[1..] {
            core.finalise(&block, None).expect("a sound journal");
        }
        journal.reopen();
        journal.fail_after(1, Failure::Before);
        failed = net.cores[0].finalise(&block, None).err();
    }
    let why = failed.expect("failed");
    assert!(matches!(&why, CoreError::Journal(error) if error.what.contains("secrets")), "{why}");
    let core = &mut net.cores[0];
    assert_eq!(core.stopped(), Some(&why));
    assert!(core.take_gossip().is_empty());
    let parent = core.state().block_hash();
    assert!(matches!(core.propose(&parent, net.now_ms + 10_000), Proposal::Wait { .. }));
    let next = Block::new(core.height() + 1, parent, net.now_ms, core.state().root(), vec![]);
    let stopped = CoreError::Stopped(Box::new(why));
    assert_eq!(core.check(&next, net.now_ms), Err(CheckError::Core(stopped.clone())));
    assert_eq!(core.learn(&next), Err(CheckError::Core(stopped.clone())));
    assert_eq!(core.finalise(&next, None), Err(stopped));
}

#[test]
fn a_block_that_is_not_durable_is_not_final_here() {
    let mut net = Net::new(4, 0, 34);
    net.until(5, "some blocks", |net| net.state().height() == 2);
    net.cores[0].take_applied();
    let (parent, height) = (net.state().block_hash(), net.state().height());
    net.cores[0].journal().fail_after(0, Failure::Before);
    let block = Block::new(height + 1, parent, net.now_ms, net.state().root(), vec![]);
    assert!(net.cores[0].finalise(&block, None).is_err());
    assert_eq!(net.cores[0].height(), height);
    assert_eq!(net.cores[0].journal().blocks().len() as u64, height);
    assert!(net.cores[0].take_applied().is_empty());
}

#[test]
fn the_engine_may_repeat_itself_and_may_not_fork() {
    let mut net = Net::new(4, 0, 35);
    net.until(5, "some blocks", |net| net.state().height() == 3);
    net.cores[0].take_applied();
    let stored = net.cores[0].journal().blocks();
    let writes = net.cores[0].journal().writes();
    for (block, _) in &stored {
        assert_eq!(net.cores[0].finalise(block, Some(CERTIFICATE)), Ok(()));
    }
    assert_eq!(net.cores[0].finalise(&net.genesis, None), Ok(()));
    assert_eq!(net.cores[0].journal().writes(), writes, "nothing is stored twice");
    assert!(net.cores[0].take_applied().is_empty());

    let tip = &stored[2].0;
    let mut other = tip.clone();
    other.header.time_unix_ms += 1;
    let forked = net.cores[0].finalise(&other, None).expect_err("a fork");
    assert_eq!(forked, CoreError::Fork { height: 3 });
    assert!(net.cores[0].finalise(tip, None).is_err(), "it has stopped");
}

#[test]
fn certificates_may_come_later_and_blocks_are_handed_out_once() {
    let mut net = Net::new(4, 0, 36);
    let block = loop {
        let parent = net.state().block_hash();
        net.gossip();
        match net.cores[0].propose(&parent, net.now_ms) {
            Proposal::Wait { ms } => net.now_ms += ms,
            Proposal::Block(block) => break block,
        }
    };
    net.cores[0].finalise(&block, None).expect("final");
    let height = block.header.height;
    let applied: Vec<Applied> = net.cores[0].take_applied();
    let heights: Vec<u64> = applied.iter().map(|applied| applied.effects.height).collect();
    assert_eq!(heights, [height]);
    assert_eq!(applied[0].block, Arc::new(*block));
    assert!(net.cores[0].take_applied().is_empty());
    let at = usize::try_from(height).expect("small") - 1;
    assert_eq!(net.cores[0].journal().blocks()[at].1, None);
    // Of a block that is not here, or block 0: nothing happens.
    net.cores[0].certified(height + 1, CERTIFICATE);
    net.cores[0].certified(0, CERTIFICATE);
    net.cores[0].certified(height, CERTIFICATE);
    assert_eq!(net.cores[0].journal().blocks()[at].1.as_deref(), Some(CERTIFICATE));
    assert_eq!(net.cores[0].stopped(), None);
    net.cores[0].journal().fail_after(0, Failure::Before);
    net.cores[0].certified(height, CERTIFICATE);
    assert!(net.cores[0].stopped().is_some());
}

#[test]
fn the_engine_hears_which_rule_a_block_breaks() {
    let mut net = Net::new(4, 0, 37);
    net.until(5, "some blocks", |net| net.state().height() == 2);
    let (parent, root, now_ms) = (net.state().block_hash(), net.state().root(), net.now_ms);
    let core = &mut net.cores[0];
    let from_the_future = Block::new(3, parent, now_ms + 3_600_000, root, vec![]);
    let refused = core.check(&from_the_future, now_ms);
    let by_clock = CheckError::Refused(VoteRefusal::Clock {
        height: 3,
        block_unix_ms: now_ms + 3_600_000,
        now_unix_ms: now_ms,
        skew_ms: core.state().timing().max_clock_skew_ms,
    });
    assert_eq!(refused, Err(by_clock));
    let orphan = Block::new(9, [9; 32], now_ms, root, vec![]);
    let unknown = VoteRefusal::UnknownParent { height: 9, parent: [9; 32] };
    assert_eq!(core.learn(&orphan), Err(CheckError::Refused(unknown)));
    assert_eq!(core.stopped(), None);
}

#[test]
fn nothing_but_key_events_and_changes_of_validators_is_offered_from_outside() {
    let mut net = Net::new(4, 0, 38);
    let share = OpeningShare { validator: 1, point: [7; 32], challenge: [1; 32], response: [1; 32] };
    for other in [
        Transaction::CloseRound { round_id: 1 },
        Transaction::OpeningShare { round_id: 1, opening_index: 0, share },
    ] {
        let refused = net.cores[0].offer_transaction(&other);
        assert_eq!(refused, Err(OfferRefusal::Kind { found: other.kind() }));
    }
    let event = Transaction::KeyEvent { session: 7, event: Vec::new() };
    assert_eq!(net.cores[0].offer_transaction(&event), Err(OfferRefusal::NoSession { session: 7 }));
}
