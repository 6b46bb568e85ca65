//! Opening shares: for what the ledger asks for, once, for one set of bids per slot.

use super::world::{World, genesis};
use crate::common::BOOK;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::keyholder::{KeyHolder, Notice, Owed};

fn waits_for_shares(world: &World, round_id: u64) -> bool {
    matches!(world.state.expected(round_id), Ok(Expected::Shares(_)))
}

/// A world whose round waits for the shares of its first opening; nobody has acted on that state.
fn asked(seed: u64) -> (World, u64) {
    let mut world = World::new(4, 0, seed);
    world.until_sharing(1);
    let round_id = world.bid();
    world.until(20, "the opening", |w| waits_for_shares(w, round_id));
    (world, round_id)
}

#[test]
fn a_share_is_released_once_and_repeated_to_the_bit() {
    let (mut world, round_id) = asked(21);
    let actions = world.holders[0].act(&world.state, &mut world.rng);
    assert!(actions.secrets_changed, "the release is kept before it is sent");
    let [Owed::Share { round_id: released, opening_index: 0, share }] = &actions.owed[..] else {
        panic!("one share, not {:?}", actions.owed);
    };
    assert_eq!((*released, share.validator), (round_id, 1));
    let round = world.state.round(round_id).expect("active");
    assert_eq!(actions.release_guard, [(round_id, round.slot().start_unix_s, round.tally().bid_set())]);
    let again = world.holders[0].act(&world.state, &mut world.rng);
    assert!(!again.secrets_changed && again.owed.is_empty() && again.release_guard.is_empty());
    assert_eq!(world.holders[0].pending(&world.state), actions.owed);
}

#[test]
fn nothing_is_released_before_the_close_or_without_shares() {
    let mut world = World::new(4, 0, 22);
    world.until_sharing(1);
    let round_id = world.bid();
    world.step();
    assert!(matches!(world.state.expected(round_id), Ok(Expected::Bids { have: 4 })));
    assert!(world.holders[0].act(&world.state, &mut world.rng).owed.is_empty());
    world.until(20, "the opening", |w| waits_for_shares(w, round_id));
    let mut empty = KeyHolder::new(world.keys[0].clone());
    assert!(empty.act(&world.state, &mut world.rng).owed.is_empty());
    // Shares of another session than the one in force, as after a restored backup of another history.
    let mut stale = world.holders[0].to_bytes().expose().clone();
    let session_at = 1 + 32 + 33 + 8 + 1;
    assert_eq!(stale[session_at], 1);
    stale[session_at] = 9;
    let mut stale = KeyHolder::restore(world.keys[0].clone(), &stale).expect("decodes");
    let actions = stale.act(&world.state, &mut world.rng);
    assert!(actions.owed.is_empty() && !actions.secrets_changed);
}

#[test]
fn a_slot_is_opened_for_one_set_of_bids() {
    let mut world = World::new(4, 0, 23);
    world.until_sharing(1);
    let round_id = world.bid();
    let fork = world.state.clone();
    world.until(20, "the opening", |w| waits_for_shares(w, round_id));
    let honest = world.holders[0].act(&world.state, &mut world.rng);
    assert_eq!(honest.owed.len(), 1);

    // Another history of the same ledger: the last bid is missing.
    world.state = fork;
    world.pool.clear();
    let bids = world.bids(round_id, &BOOK[..3]);
    world.pool.push(Transaction::Bids { round_id, bids });
    world.block();
    while !waits_for_shares(&world, round_id) {
        world.block();
    }
    for restarted in [false, true] {
        if restarted {
            let bytes = world.holders[0].to_bytes();
            world.holders[0] = KeyHolder::restore(world.keys[0].clone(), bytes.expose()).expect("its own");
        }
        let actions = world.holders[0].act(&world.state, &mut world.rng);
        assert!(actions.owed.is_empty() && !actions.secrets_changed);
        assert!(matches!(&actions.notices[..], [Notice::SecondBidSet { .. }]), "{:?}", actions.notices);
        assert!(actions.notices[0].is_alarm());
        assert!(world.holders[0].pending(&world.state).is_empty());
        // Loud, and not at every block.
        assert!(world.holders[0].act(&world.state, &mut world.rng).notices.is_empty());
    }
    // One that has released nothing would have answered here.
    assert_eq!(world.holders[1].act(&world.state, &mut world.rng).owed.len(), 1);
}

#[test]
fn a_ledger_that_is_behind_the_secrets_gets_nothing() {
    let mut world = World::new(4, 0, 24);
    world.until_sharing(1);
    let round_id = world.bid();
    world.until(20, "the opening", |w| waits_for_shares(w, round_id));
    let before = world.state.clone();
    let height = before.height();
    world.step();
    world.step();
    assert!(
        world.holders[0].act(&world.state, &mut world.rng).secrets_changed || world.state.height() > height
    );
    let actions = world.holders[0].act(&before, &mut world.rng);
    assert!(actions.owed.is_empty() && !actions.secrets_changed);
    assert!(
        matches!(actions.notices[..], [Notice::LedgerBehind { secrets_height }] if secrets_height > height)
    );
    assert!(world.holders[0].pending(&before).is_empty());
}

#[test]
fn secrets_of_another_ledger_are_not_used() {
    let mut world = World::new(4, 0, 25);
    world.step();
    let other = genesis(&world.keys, &world.keyrings, 3, 77);
    let other = genesis_block(other.checked().expect("sound"), 0);
    let other = State::from_genesis_block(&other).expect("genesis");
    let actions = world.holders[0].act(&other, &mut world.rng);
    assert!(actions.owed.is_empty() && !actions.secrets_changed);
    assert_eq!(actions.notices, [Notice::OtherLedger]);
}

#[test]
fn a_false_share_is_named_and_the_round_clears_without_it() {
    let mut world = World::new(4, 0, 26);
    world.until_sharing(1);
    world.tampers.insert(
        0,
        Box::new(|one, _| match one {
            Transaction::OpeningShare { round_id, opening_index, mut share } => {
                share.response[0] ^= 1;
                vec![Transaction::OpeningShare { round_id, opening_index, share }]
            }
            other => vec![other],
        }),
    );
    let round_id = world.bid();
    world.until(20, "the opening", |w| waits_for_shares(w, round_id));
    world.act(0);
    let Transaction::OpeningShare { opening_index, share, .. } = world.pool[0] else {
        panic!("a share, not {:?}", world.pool[0]);
    };
    let refusal = world.proposer.offer_share(&world.state, round_id, opening_index, share);
    assert!(refusal.expect_err("false").to_string().contains("validator 1"));
    let settled = |w: &World| w.state.round(round_id).is_none();
    world.until(20, "the round clears", settled);
    assert_eq!(world.state.finished().settled, 1);
}
