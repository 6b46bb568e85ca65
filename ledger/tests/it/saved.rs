//! A saved state comes back byte for byte, at every height of ledgers with all kinds of transactions, and goes on as the state did
//! that executed every block. Whatever is wrong with it, no other state comes back.

use std::collections::BTreeSet;
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{Exported, LedgerReader};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::saved::SavedFault;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

/// The whole blocks of a file of the kit, up to the first that can't be read.
fn blocks_of(name: &str) -> Vec<Block> {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/conformance");
    let bytes = std::fs::read(kit.join(name)).expect("a file of the kit");
    let mut reader = LedgerReader::new(bytes.as_slice()).expect("a ledger");
    let block = |exported| match exported {
        Ok(Exported::Block(block, _)) => Some(block),
        _ => None,
    };
    reader.exported().map_while(block).collect()
}

fn restored(blocks: &[Block], state: &State, bytes: &[u8]) -> Result<State, SavedFault> {
    let whole = &mut |height: u64| blocks.get(height as usize).cloned();
    State::restore(&blocks[0], bytes, &state.root(), whole)
}

/// Saves and restores the state at every height, and lets both go on. Returns how many states came back, and what kinds of
/// rounds, sessions and accounts they had.
fn at_every_height(name: &str, blocks: &[Block]) -> (usize, BTreeSet<String>) {
    let mut state = State::from_genesis_block(&blocks[0]).expect("a genesis");
    let mut seen = BTreeSet::new();
    for (at, block) in blocks.iter().enumerate().skip(1) {
        let bytes = state.save();
        let mut other = restored(blocks, &state, &bytes).unwrap_or_else(|e| panic!("{name}, {at}: {e}"));
        assert_eq!(other.save(), bytes, "{name}, {at}");
        seen.extend(state.rounds().map(|round| format!("{:?}", state.expected(round.round_id()))).map(kind));
        seen.extend(
            state.session().map(|session| format!("{:?} {:?}", session.context().task, session.phase())),
        );
        if let Some(accounts) = state.accounts() {
            seen.extend(
                accounts.unclaimed().map(|one| format!("shares of claims: {}", !one.shares().is_empty())),
            );
            seen.extend(accounts.unpaid().map(|_| "unpaid".to_owned()));
        }
        let effects = state.apply_block(block, &mut VerifyAll);
        assert_eq!(other.apply_block(block, &mut VerifyAll), effects, "{name}, {at}");
        assert_eq!(other.save(), state.save(), "{name}, {at}: one block later");
        if effects.is_err() {
            return (at, seen);
        }
    }
    (blocks.len(), seen)
}

fn kind(expected: String) -> String {
    expected.split(|c: char| !c.is_alphanumeric()).take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_state_of_the_kit_comes_back_and_goes_on_as_it_did() {
    let mut seen = BTreeSet::new();
    for name in ["network/honest.vgl", "network/members.vgl", "network/left-out.vgl", "money/honest.vgl"] {
        let blocks = blocks_of(name);
        let (states, kinds) = at_every_height(name, &blocks);
        assert_eq!(states, blocks.len(), "{name}");
        seen.extend(kinds);
    }
    // Other tests of this crate restart their replica before every block (`World::force_at`): refreshes, resharings, aborts,
    // claims by validators.
    for kind in ["Ok Bids", "Ok Shares", "Ok Value", "Ok Clear", "Ok Settle", "Generate Judging", "unpaid"] {
        assert!(seen.contains(kind), "{kind} of {seen:?}");
    }
}

#[test]
fn no_changed_byte_leads_to_a_state_with_another_root() {
    let blocks = blocks_of("money/honest.vgl");
    let mut state = State::from_genesis_block(&blocks[0]).expect("a genesis");
    let mut refused = 0;
    for (at, block) in blocks.iter().enumerate().skip(1) {
        if at % 23 == 0 {
            let bytes = state.save();
            for place in (0..bytes.len()).step_by(7) {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << (place % 8);
                match restored(&blocks, &state, &changed) {
                    Ok(other) => assert_eq!(other.root(), state.root()),
                    Err(_) => refused += 1,
                }
                assert!(restored(&blocks, &state, &bytes[..place]).is_err(), "cut at {place}");
            }
        }
        state.apply_block(block, &mut VerifyAll).expect("honest");
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_is_missing_or_foreign_is_named() {
    let blocks = blocks_of("network/honest.vgl");
    let mut state = State::from_genesis_block(&blocks[0]).expect("a genesis");
    let mut bidding = None;
    for block in &blocks[1..] {
        state.apply_block(block, &mut VerifyAll).expect("honest");
        if state.rounds().any(|round| round.bids().len() > 0) {
            bidding = Some(state.clone());
            break;
        }
    }
    let state = bidding.expect("a round with bids");
    let (bytes, root) = (state.save(), state.root());
    let restore = |genesis: &Block, bytes: &[u8], root: &[u8; 32], blocks: &[Block]| {
        State::restore(genesis, bytes, root, &mut |height| blocks.get(height as usize).cloned()).map(|_| ())
    };
    assert_eq!(restore(&blocks[0], &bytes, &root, &blocks), Ok(()));
    let found = restore(&blocks[0], &bytes, &[7; 32], &blocks);
    assert_eq!(found, Err(SavedFault::Root { next: state.height() + 1 }));
    assert!(matches!(restore(&blocks[0], &bytes, &root, &[]), Err(SavedFault::Block { .. })));
    let other = blocks_of("money/honest.vgl");
    assert_eq!(restore(&other[0], &bytes, &root, &blocks), Err(SavedFault::OtherLedger));
    let later = [&[bytes[0] + 1], &bytes[1..]].concat();
    assert!(matches!(restore(&blocks[0], &later, &root, &blocks), Err(SavedFault::Format { .. })));
    // A block of the same height without one of its bids, as no true disk gives.
    let mut others = blocks.clone();
    let height = state.height() as usize;
    for transaction in &mut others[height].transactions {
        if let Transaction::Bids { bids, .. } = transaction {
            bids.pop();
        }
    }
    let found = restore(&blocks[0], &bytes, &root, &others);
    assert!(matches!(found, Err(SavedFault::Bids { .. })), "{found:?}");
}
