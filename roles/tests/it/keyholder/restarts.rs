//! A validator is killed at any point and goes on from its secrets, or from old ones.

use super::world::{BEFORE_SHARES, World};
use veilgrid_crypto::keygen::{Phase, Task};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_roles::keyholder::{Holding, KeyHolder, Notice, SecretsError};

/// `World::act` kills and restarts everybody each time, and compares.
#[test]
fn restarts_after_every_act_change_nothing() {
    let mut world = World::new(4, 3, 31);
    world.restarts = true;
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![], vec![]));
    assert!(world.refused.is_empty(), "nothing is sent twice: {:?}", world.refused);
    world.round();
    world.until_sharing(2);
    world.round();
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.change_to(&[0, 1, 2, 3, 4, 5, 6]);
    world.until(150, "seven validators", |w| w.validators() == 7);
    world.step();
    assert_eq!(world.who_holds(), [0, 1, 2, 3, 4, 5, 6]);
    world.round();
    assert!(world.refused.is_empty(), "nothing is sent twice: {:?}", world.refused);
}

/// Restored to a backup from before its package, a dealer does not make a second one.
#[test]
fn a_restored_backup_makes_nothing_a_second_time() {
    let mut world = World::new(4, 0, 32);
    let phase = |w: &World| w.state.session().expect("a session").phase();
    let fresh = world.holders[0].to_bytes();
    world.until(20, "dealing", |w| phase(w) == Phase::Dealing);
    let announced = world.holders[0].to_bytes();
    world.until(20, "its package", |w| w.state.session().expect("a session").has_package(1));
    for (backup, notices) in [
        (&announced, vec![Notice::DealingLost { session: 1, dealer: 1 }]),
        (&fresh, vec![Notice::DealingLost { session: 1, dealer: 1 }]),
    ] {
        let mut holder = KeyHolder::restore(world.keys[0].clone(), backup.expose()).expect("its own");
        let actions = holder.act(&world.state, &mut world.rng);
        assert!(actions.owed.is_empty() && !actions.secrets_changed, "{:?}", actions.owed);
        assert_eq!(actions.notices, notices);
    }
}

#[test]
fn a_lost_one_time_key_is_not_announced_again() {
    let mut world = World::new(4, 0, 33);
    let fresh = world.holders[0].to_bytes();
    world.down.extend([2, 3]);
    world.until(20, "its announcement", |w| !w.state.session().expect("a session").announced().is_empty());
    world.holders[0] = KeyHolder::restore(world.keys[0].clone(), fresh.expose()).expect("its own");
    let actions = world.holders[0].act(&world.state, &mut world.rng);
    assert!(actions.owed.is_empty() && !actions.secrets_changed);
    assert_eq!(actions.notices, [Notice::OneTimeKeyLost { session: 1, receiver: 1 }]);
    world.down.clear();
    world.until_sharing(1);
    // It deals, and has nothing to judge.
    assert_eq!(world.agreed(), (vec![], vec![1]));
    assert_eq!(world.holding(0), Holding::Missing { session: 1 });
    world.round();
}

#[test]
fn stored_secrets_are_checked() {
    let mut world = World::new(4, 0, 34);
    world.until_sharing(1);
    world.round();
    let bytes = world.holders[0].to_bytes();
    let bytes = bytes.expose();
    let restore = |who: usize, bytes: &[u8]| KeyHolder::restore(world.keys[who].clone(), bytes).err();
    assert_eq!(restore(0, bytes), None);
    assert_eq!(restore(1, bytes), Some(SecretsError::OtherValidator));
    let mut newer = bytes.clone();
    newer[0] = 2;
    assert_eq!(restore(0, &newer), Some(SecretsError::Version { found: 2 }));
    for length in 0..bytes.len() {
        assert!(restore(0, &bytes[..length]).is_some(), "{length} bytes decode");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(restore(0, &longer), Some(SecretsError::Encoding(_))));
    // Whatever decodes has one encoding.
    for at in 33..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(holder) = KeyHolder::restore(world.keys[0].clone(), &changed) {
            assert_eq!(holder.to_bytes().expose(), &changed, "byte {at}");
        }
    }
}

/// Shares that are not the ledger's any more would be found false by all receivers. Their holder knows, and deals none.
#[test]
fn shares_that_are_not_the_ledgers_are_not_dealt() {
    let mut world = World::new(4, 1, 34);
    world.until_sharing(1);
    let mut secrets = world.holders[0].to_bytes();
    // The lowest byte of its share of the first key: number and count stand before it.
    secrets.expose_mut()[BEFORE_SHARES + 2 + 4] ^= 1;
    world.holders[0] = KeyHolder::restore(world.keys[0].clone(), secrets.expose()).expect("its own");
    world.change_to(&[0, 1, 2, 3, 4]);
    world.until(150, "five validators", |w| w.validators() == 5);
    let not_dealt =
        |(who, notice): &(usize, Notice)| *who == 0 && matches!(notice, Notice::NotDealt { dealer: 1, .. });
    assert!(world.notices.iter().any(not_dealt), "{:?}", world.notices);
    let blamed = world.notices.iter().find(|(_, notice)| matches!(notice, Notice::FalseDealer { .. }));
    assert_eq!(blamed, None);
    // It was silent, and nothing else; it has shares of the new sharing.
    let excluded: Vec<u16> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::KeysAgreed { task: Task::Reshare, excluded, .. } => Some(excluded.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(excluded, [1]);
}

/// A validator whose shares are not the ledger's, for whatever reason, does not count as a holder after a refresh: only
/// then does the ledger see that it has none, and hands it new ones.
#[test]
fn shares_that_are_not_the_ledgers_are_not_answered_for() {
    let mut world = World::new(5, 0, 37);
    world.until_sharing(1);
    let mut bytes = world.holders[0].to_bytes().expose().clone();
    bytes[BEFORE_SHARES + 6] ^= 1;
    world.holders[0] = KeyHolder::restore(world.keys[0].clone(), &bytes).expect("it decodes");
    assert_eq!(world.holding(0), Holding::Missing { session: 1 });
    world.until_sharing(2);
    assert_eq!(world.state.session().expect("a session").context().task, Task::Refresh);
    assert_eq!(world.agreed(), (vec![], vec![1]));
    world.round();
    world.until_sharing(3);
    assert_eq!(world.state.session().expect("a session").context().task, Task::Reshare);
    assert_eq!(world.who_holds(), [0, 1, 2, 3, 4]);
}

/// The newcomers of a change never answer: its session fails, and the keys that are there go on opening.
#[test]
fn a_change_that_fails_leaves_the_old_keys_working() {
    let mut world = World::new(4, 3, 38);
    world.until_sharing(1);
    world.down.extend([4, 5, 6]);
    world.change_to(&[0, 4, 5, 6]);
    let aborted = |w: &World| {
        w.state.session().and_then(|session| session.outcome()).is_some_and(|outcome| outcome.is_err())
    };
    world.until(150, "an abort", aborted);
    world.step();
    assert_eq!((world.state.pending_roster(), world.state.sharing()), (None, Some(1)));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();
}
