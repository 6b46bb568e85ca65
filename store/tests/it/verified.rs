//! A process that executes all blocks at its start verifies no proof a second time, and no false bid gets in that way.
#![allow(clippy::disallowed_types, reason = "a measurement has a clock")]

use crate::saved::{append, community, key, ledger, states};
use std::ops::ControlFlow;
use std::time::Instant;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::{BidVerdicts, VerifiedBefore, VerifyAll};
use veilgrid_store::{Checks, ReplayError, Replayed, Store, Unsaved};

/// The ledger up to its first bids, one of them with a false proof, and a block behind them that names the state to which these
/// verdicts lead. The state after the bids comes back too.
fn with_a_false_bid(verdicts: &mut dyn BidVerdicts) -> (Vec<Block>, State) {
    let has_bids = |block: &Block| block.transactions.iter().any(|tx| matches!(tx, Transaction::Bids { .. }));
    let at = ledger().iter().position(|(block, _)| has_bids(block)).expect("bids");
    let mut blocks: Vec<Block> = ledger()[..at].iter().map(|(block, _)| block.clone()).collect();
    let mut state = states(ledger())[at - 1].clone();
    let original = &ledger()[at].0;
    let mut transactions = original.transactions.clone();
    for transaction in &mut transactions {
        if let Transaction::Bids { bids, .. } = transaction {
            bids[0].salt[0] ^= 1;
        }
    }
    let time = original.header.time_unix_ms;
    let block = Block::new(at as u64, state.block_hash(), time, state.root(), transactions);
    state.apply_block(&block, verdicts).expect("a sound header");
    blocks.push(block);
    blocks.push(Block::new(at as u64 + 1, state.block_hash(), time, state.root(), Vec::new()));
    (blocks, state)
}

fn replayed(blocks: &[Block], verified: Option<&State>) -> Result<State, ReplayError> {
    let directory = tempfile::tempdir().expect("directory");
    let mut store = Store::open(directory.path()).expect("a new store");
    append(&mut store, &blocks.iter().map(|block| (block.clone(), None)).collect::<Vec<_>>());
    if let Some(state) = verified {
        store.save_state(&key(), Unsaved::verdicts(state)).expect("written").expect("of this store");
    }
    drop(store);
    let store = Store::open_checking(directory.path(), Checks::AllButProofs(&key())).expect("whole");
    let mut heights = 0;
    let state = store.replay(&mut VerifyAll, &mut |step: Replayed<'_>| {
        heights += 1;
        assert_eq!(step.height(), heights, "each block once, in order");
        ControlFlow::Continue(())
    })?;
    Ok(state.expect("not broken off"))
}

#[test]
fn proofs_that_were_verified_are_not_verified_again() {
    let (blocks, verified) = with_a_false_bid(&mut VerifiedBefore);
    assert!(replayed(&blocks, None).is_err(), "the proof is false");
    let state = replayed(&blocks, Some(&verified)).expect("its proofs are not looked at");
    assert_eq!(state.height(), verified.height() + 1);
}

#[test]
fn a_bid_that_was_refused_is_refused_again_without_its_proof_being_known() {
    let (blocks, verified) = with_a_false_bid(&mut VerifyAll);
    assert_eq!(verified.refused(), 1);
    let (plain, known) =
        (replayed(&blocks, None).expect("true"), replayed(&blocks, Some(&verified)).expect("true"));
    assert_eq!(known.save(), plain.save());
    assert_eq!(known.refused(), 1);
}

/// All of a ledger, with as much of it verified as there is.
#[test]
fn a_replay_comes_to_the_same_state_whatever_was_verified() {
    let blocks: Vec<Block> = ledger().iter().map(|(block, _)| block.clone()).collect();
    let states = states(ledger());
    for at in [0, 1, blocks.len() / 2, blocks.len() - 2] {
        let state = replayed(&blocks, Some(&states[at])).expect("true");
        assert_eq!(state.save(), states[blocks.len() - 1].save(), "verified up to {at}");
    }
}

/// What a restart costs below twenty times the history; by hand, on a quiet machine (`veilgrid bench restart` has larger bids):
///
/// ```text
/// cargo test --release -p veilgrid-store --test it -- --ignored --nocapture how_long_a_restart_takes
/// ```
#[test]
#[ignore = "it measures"]
fn how_long_a_restart_takes() {
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let mut restarts = Vec::new();
    for rounds in [10, 100] {
        let ledger = community(100, rounds);
        let states = states(&ledger);
        let directory = tempfile::tempdir().expect("directory");
        let mut store = Store::open(directory.path()).expect("a new store");
        append(&mut store, &ledger);
        let unsaved = Unsaved::new(&states[ledger.len() - 2], Vec::new());
        let bytes = store.save_state(&key(), unsaved).expect("written").expect("saved");
        drop(store);
        let timed = |checks: Checks<'_>| {
            let since = Instant::now();
            let mut store = Store::open_checking(directory.path(), checks).expect("opened");
            let open_s = since.elapsed().as_secs_f64();
            let go_on = &mut |_: Replayed<'_>| ControlFlow::Continue(());
            let state = match store.resume().expect("readable") {
                Some(resumed) => store.replay_from(resumed.state, &mut VerifyAll, go_on),
                None => store.replay(&mut VerifyAll, go_on),
            };
            let state = state.expect("true").expect("not broken off");
            assert_eq!(state.root(), states[ledger.len() - 1].root());
            (open_s, since.elapsed().as_secs_f64())
        };
        let resumed: Vec<(f64, f64)> = (0..9).map(|_| timed(Checks::SinceSaved(&key()))).collect();
        let all: Vec<(f64, f64)> = (0..3).map(|_| timed(Checks::All)).collect();
        let part = |times: &[(f64, f64)]| {
            (median(times.iter().map(|t| t.0).collect()), median(times.iter().map(|t| t.1).collect()))
        };
        let (bids, blocks) = (100 * rounds, ledger.len());
        println!(
            "{bids} bids, {blocks} blocks, {bytes} bytes: restart (opening, all) {:?} s",
            part(&resumed)
        );
        println!("    with everything {:?} s", part(&all));
        restarts.push(part(&resumed).1);
    }
    println!("ten times the history: {:.2} times as long", restarts[1] / restarts[0]);
}
