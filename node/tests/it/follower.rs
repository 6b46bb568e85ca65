//! A follower against validators that serve, are silent, lie and fork.

#[path = "../follower_support/slow.rs"]
mod slow;
#[path = "../follower_support/sources.rs"]
mod sources;

use crate::follower_support::{Scripted, Stamps, bare, certified, chain, genesis, ledger, stamp};
use crate::world;
use crate::world::World;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use veilgrid_api::CertifiedBlock;
use veilgrid_client::follower::{
    Accepted, Fetch, Follower, FollowerError, FollowerOptions, Keeper, SourceFault,
};
use veilgrid_client::ledger::OpenError;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

fn heights(accepted: &[Accepted]) -> Vec<u64> {
    accepted.iter().map(|accepted| accepted.block.header.height).collect()
}

fn all_heights(world: &World) -> Vec<u64> {
    (1..=world.state.height()).collect()
}

#[test]
fn a_certificate_covers_the_blocks_before_it_and_none_after() {
    let mut world = World::new(4);
    (0..5).for_each(|_| drop(world.step()));
    let mut chain = chain(&world);
    let taken = chain.take(&[bare(&world, 1), bare(&world, 2)], &mut VerifyAll).expect("no end");
    assert_eq!((taken.accepted.len(), taken.uncovered, taken.fault), (0, 2, None));
    let run = [bare(&world, 1), certified(&world, 2), bare(&world, 3)];
    let taken = chain.take(&run, &mut VerifyAll).expect("no end");
    assert_eq!((heights(&taken.accepted), taken.uncovered, taken.fault), (vec![1, 2], 1, None));
    assert_eq!(chain.state().height(), 2);
    assert_eq!(taken.accepted[1].state.root(), world.effects[1].state_root);
    // The next run begins with the last accepted block or the one after it.
    let taken = chain.take(&[bare(&world, 2), certified(&world, 3)], &mut VerifyAll).expect("no end");
    assert_eq!(heights(&taken.accepted), [3]);
    let taken = chain.take(&[certified(&world, 4)], &mut VerifyAll).expect("no end");
    assert_eq!(heights(&taken.accepted), [4]);
}

/// What a chain at the genesis says about a run.
fn fault(world: &World, run: &[CertifiedBlock]) -> (Vec<u64>, Option<SourceFault>) {
    let taken = chain(world).take(run, &mut VerifyAll).expect("no end");
    (heights(&taken.accepted), taken.fault)
}

#[test]
fn each_lie_is_named_and_what_was_true_before_it_stays() {
    let mut world = World::new(4);
    (0..4).for_each(|_| drop(world.step()));
    let good = || vec![certified(&world, 1), certified(&world, 2), certified(&world, 3)];

    let mut forged = good();
    forged[1].certificate.as_mut().expect("one")[40] ^= 1;
    let why = "not the stamp".to_owned();
    assert_eq!(fault(&world, &forged), (vec![1], Some(SourceFault::Certificate { height: 2, why })));

    let mut swapped = good();
    swapped[1].certificate = swapped[2].certificate.clone();
    assert!(
        matches!(fault(&world, &swapped), (h, Some(SourceFault::Certificate { height: 2, .. })) if h == [1])
    );

    let hole = vec![certified(&world, 1), certified(&world, 3)];
    assert_eq!(fault(&world, &hole), (vec![1], Some(SourceFault::Hole { found: 3, expected: 2 })));
    assert_eq!(fault(&world, &good()[1..]), (vec![], Some(SourceFault::Hole { found: 2, expected: 1 })));

    let mut cut = good();
    cut[2].block.pop();
    assert!(
        matches!(fault(&world, &cut), (h, Some(SourceFault::Malformed { height: 3, .. })) if h == [1, 2])
    );

    let mut body = good();
    let context = world.state.community().decode_context();
    let mut block = Block::from_bytes(&body[1].block, &context).expect("decodes");
    block.transactions.push(Transaction::CloseRound { round_id: 3 });
    body[1].block = block.to_bytes();
    assert!(matches!(fault(&world, &body), (h, Some(SourceFault::Body { height: 2, .. })) if h == [1]));

    let mut orphan = world.blocks[2].clone();
    orphan.header.parent_hash[0] ^= 1;
    let orphan = CertifiedBlock { block: orphan.to_bytes(), certificate: None };
    assert_eq!(
        fault(&world, &[certified(&world, 1), orphan]),
        (vec![1], Some(SourceFault::Parent { height: 2 }))
    );
    assert_eq!(fault(&world, &good()), (vec![1, 2, 3], None));
}

/// The same ledger with other blocks from `height` on.
fn fork_of(world: &World, height: u64) -> World {
    let mut fork = World::new(4);
    while fork.state.height() < height - 1 {
        fork.step();
    }
    fork.at(fork.state.time_unix_ms() + 777, Vec::new());
    while fork.state.height() < world.state.height() {
        fork.step();
    }
    assert_eq!(fork.blocks[height as usize - 1].hash(), world.blocks[height as usize - 1].hash());
    assert_ne!(fork.blocks[height as usize].hash(), world.blocks[height as usize].hash());
    fork
}

#[test]
fn another_chain_is_a_lie_without_a_certificate_and_the_end_with_one() {
    let mut world = World::new(4);
    (0..6).for_each(|_| drop(world.step()));
    let fork = fork_of(&world, 3);
    let mut chain = chain(&world);
    let good: Vec<_> = (1..=4).map(|height| certified(&world, height)).collect();
    chain.take(&good, &mut VerifyAll).expect("accepted");

    // At the tip's own height, and after it.
    for run in [vec![bare(&fork, 4), bare(&fork, 5)], vec![bare(&fork, 5)]] {
        let taken = chain.take(&run, &mut VerifyAll).expect("a lie only");
        let height = if run.len() == 2 { 4 } else { 5 };
        assert_eq!(taken.fault, Some(SourceFault::OtherChain { height }));
    }
    for run in
        [vec![certified(&fork, 4)], vec![bare(&fork, 4), certified(&fork, 5)], vec![certified(&fork, 5)]]
    {
        let Err(FollowerError::Fork(evidence)) = chain.take(&run, &mut VerifyAll) else { panic!("a fork") };
        assert_eq!(evidence.ours.block_hash, hex::encode(world.blocks[4].hash()));
        assert!(evidence.ours.certificate.is_some());
        assert_eq!(evidence.theirs.len(), run.len());
        assert!(evidence.theirs.last().expect("one").certificate.is_some());
    }
    assert_eq!(chain.state().height(), 4, "nothing of it was taken");
}

#[test]
fn a_certified_block_that_breaks_a_rule_is_the_end() {
    let mut world = World::new(4);
    (0..3).for_each(|_| drop(world.step()));
    let mut header = world.blocks[2].header;
    header.prior_state_root[0] ^= 1;
    let block = Block { header, transactions: world.blocks[2].transactions.clone() };
    let keys = world.state.consensus_keys(0).expect("known");
    let certificate = Some(stamp(&world.state.community().ledger_id(), 0, &keys, &block.hash()));
    let run = [certified(&world, 1), CertifiedBlock { block: block.to_bytes(), certificate }];
    let end = chain(&world).take(&run, &mut VerifyAll);
    assert!(matches!(end, Err(FollowerError::CertifiedButRefused { height: 2, .. })));
}

#[test]
fn blocks_do_not_choose_who_certifies_them() {
    let mut world = World::keyed(4);
    let change = world.sound_change(&[0, 1, 2, 3, 4]);
    world.push(vec![change]);
    world.steps_until("the change", |world| {
        world.state.epoch() == 1 && world.state.height() % world::EPOCH_BLOCKS > 2
    });
    let last = world.state.height() as usize;
    let begin = world::EPOCH_BLOCKS as usize;
    assert_ne!(world.state.consensus_keys(0), world.state.consensus_keys(1), "the validators have changed");

    // Without a certificate of the old validators, the new ones' count for nothing yet.
    let mut run: Vec<_> = (1..begin).map(|height| bare(&world, height)).collect();
    run.extend((begin..=last).map(|height| certified(&world, height)));
    let taken = chain(&world).take(&run, &mut VerifyAll).expect("no end");
    assert_eq!((taken.accepted.len(), taken.uncovered, taken.fault), (0, last, None));
    // With one that covers the end of their epoch they do.
    run[begin - 2] = certified(&world, begin - 1);
    let taken = chain(&world).take(&run, &mut VerifyAll).expect("no end");
    assert_eq!(heights(&taken.accepted), all_heights(&world));
    // And the old ones do not count any more.
    let (keys, id) = (world.state.consensus_keys(0).expect("old"), world.state.community().ledger_id());
    run[begin - 1].certificate = Some(stamp(&id, 1, &keys, &world.blocks[begin].hash()));
    let taken = chain(&world).take(&run, &mut VerifyAll).expect("no end");
    assert!(matches!(taken.fault, Some(SourceFault::Certificate { height, .. }) if height == begin as u64));
}

fn options(world: &World, directory: &Path, sources: Vec<Arc<dyn Fetch>>) -> FollowerOptions<Stamps> {
    FollowerOptions {
        keeper: Keeper::open(&directory.join("ledger"), genesis(world)).expect("store"),
        evidence: directory.to_owned(),
        sources,
        first_source: 0,
        long_poll: Duration::from_millis(200),
        batch: 4,
        certificates: Stamps,
        verdicts: Box::new(VerifyAll),
    }
}

/// Follows until a height, or until the follower ends. Returns the blocks, the lies of each source, and the end.
fn follow(
    world: &World,
    directory: &Path,
    sources: Vec<Arc<dyn Fetch>>,
    until: u64,
) -> (Vec<Accepted>, Vec<u32>, Result<(), FollowerError>) {
    let mut seen = Vec::new();
    let follower = Follower::open(options(world, directory, sources), |block| {
        seen.push(block);
        true
    });
    let follower = follower.expect("opened").expect("not stopped");
    let thoughts = follower.sources();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let end = runtime.block_on(async {
        let (sink, mut blocks) = mpsc::channel(2);
        let shutdown = Shutdown::new();
        let following = tokio::spawn(follower.run(sink, shutdown.clone()));
        let collect = async {
            while seen.last().is_none_or(|last| last.block.header.height < until) {
                let Some(block) = blocks.recv().await else { break };
                seen.push(block);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), collect).await.expect("in time");
        shutdown.trigger();
        following.await.expect("no panic")
    });
    (seen, thoughts().iter().map(|source| source.lies).collect(), end)
}

#[test]
fn liars_and_silent_ones_are_passed_by_and_remembered() {
    let mut world = World::new(4);
    (0..12).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    let mut forged = ledger(&world);
    forged[3].certificate.as_mut().expect("one")[40] ^= 1;
    let mut bare = ledger(&world);
    bare.iter_mut().for_each(|block| block.certificate = None);
    let garbage = vec![CertifiedBlock { block: vec![7; 90], certificate: None }; 20];
    let repeating = ledger(&world)[1].clone();
    let sources: Vec<Arc<dyn Fetch>> = vec![
        Scripted::silent("silent"),
        Scripted::serving("forger", forged),
        Scripted::serving("without certificates", bare),
        Scripted::serving("garbage", garbage),
        Scripted::serving("stale", ledger(&world)[..1].to_vec()),
        Scripted::new("repeating", move |_, _| Ok(vec![repeating.clone()])),
        Scripted::serving("honest", ledger(&world)),
    ];
    let (blocks, lies, end) = follow(&world, directory.path(), sources, world.state.height());
    assert!(end.is_ok());
    assert_eq!(heights(&blocks), all_heights(&world));
    assert_eq!(blocks.last().expect("one").state.root(), world.state.root());
    assert_eq!((lies[0], lies[1], lies[2], lies[3], lies[4], lies[6]), (0, 1, 0, 1, 0, 0));
}

#[test]
fn a_fork_is_written_down_and_nothing_is_followed_after_it() {
    let mut world = World::new(4);
    (0..8).for_each(|_| drop(world.step()));
    let fork = fork_of(&world, 4);
    let directory = tempfile::tempdir().expect("directory");
    let sources: Vec<Arc<dyn Fetch>> = vec![
        Scripted::serving("ours", ledger(&world)[..=6].to_vec()),
        Scripted::serving("theirs", ledger(&fork)),
    ];
    let (blocks, _, end) = follow(&world, directory.path(), sources, 8);
    assert!(matches!(end, Err(FollowerError::Fork(_))));
    assert_eq!(heights(&blocks), [1, 2, 3, 4, 5, 6]);
    let evidence = std::fs::read_to_string(directory.path().join("fork-6.json")).expect("evidence");
    let evidence: serde_json::Value = serde_json::from_str(&evidence).expect("JSON");
    let hash_of = |value: &serde_json::Value| value["block_hash"].as_str().expect("a hash").to_owned();
    assert_eq!(hash_of(&evidence["ours"]), hex::encode(world.blocks[6].hash()));
    assert_eq!(hash_of(&evidence["theirs"][0]), hex::encode(fork.blocks[6].hash()));
    assert!(evidence["theirs"][0]["certificate"].is_string());
}

#[test]
fn a_restart_replays_and_goes_on_and_another_genesis_is_refused() {
    let mut world = World::keyed(4);
    world.round(1);
    let directory = tempfile::tempdir().expect("directory");
    let half = world.state.height() / 2;
    let source = || -> Vec<Arc<dyn Fetch>> { vec![Scripted::serving("honest", ledger(&world))] };
    let (first, ..) = follow(&world, directory.path(), source(), half);
    let stored = first.len() as u64;
    assert!(stored < world.state.height());
    let (second, _, end) = follow(&world, directory.path(), source(), world.state.height());
    assert!(end.is_ok());
    assert_eq!(heights(&second), all_heights(&world), "replayed from the store, then followed");
    let effects: Vec<_> = second.iter().map(|accepted| accepted.effects.as_ref().clone()).collect();
    assert_eq!(effects, world.effects);
    // All of it from the store.
    let mut replayed = 0;
    let opened = Follower::open(options(&world, directory.path(), vec![Scripted::silent("nobody")]), |_| {
        replayed += 1;
        true
    });
    assert_eq!(opened.expect("opened").expect("not stopped").state().root(), world.state.root());
    assert_eq!(replayed, world.state.height());

    let mut other = genesis(&world);
    other.header.time_unix_ms += 1;
    let refused = Keeper::open(&directory.path().join("ledger"), other);
    assert!(matches!(refused, Err(FollowerError::Open(OpenError::OtherLedger { .. }))));
}
