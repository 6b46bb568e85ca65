//! Keys are generated, renewed and handed on over the ledger.

use super::world::{EPOCH_BLOCKS, PHASE_BLOCKS, SHARES_ONLY, World, contains, share_scalars};
use rand_core::SeedableRng;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keygen::{Event, Phase, Task};
use veilgrid_ledger::keys::refusal::KeyRefusal;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::keyholder::{Holding, KeyHolder, Notice};

/// The event of a transaction of the session in progress.
fn event_of(transaction: &Transaction, state: &State) -> Option<Event> {
    let Transaction::KeyEvent { event, .. } = transaction else { return None };
    Event::from_bytes(event, state.session()?.context()).ok()
}

fn key_event(state: &State, event: &Event) -> Transaction {
    let session = state.session().expect("a session").context().session;
    Transaction::KeyEvent { session, event: event.to_bytes() }
}

fn tasks(world: &World) -> Vec<Task> {
    let started = |effect: &Effect| match effect {
        Effect::SessionStarted { task, .. } => Some(*task),
        _ => None,
    };
    world.effects.iter().filter_map(started).collect()
}

#[test]
fn keys_are_generated_renewed_and_old_shares_are_gone() {
    let mut world = World::new(4, 0, 1);
    assert_eq!(world.holding(0), Holding::NoKeys);
    world.until_sharing(1);
    // Nobody waits for a deadline when everybody is there.
    assert!(world.state.height() < u64::from(PHASE_BLOCKS) * 4, "{}", world.state.height());
    assert_eq!(world.agreed(), (vec![], vec![]));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();

    let keys = world.state.community().keys().expect("keys").clone();
    let old: Vec<_> = world.holders.iter().map(share_scalars).collect();
    assert!(contains(&world.holders[0], &old[0][0]), "this is how shares are found");
    world.until_sharing(2);
    assert_eq!(tasks(&world), [Task::Refresh]);
    assert_eq!(world.state.community().keys().expect("keys").keys(), keys.keys());
    assert_ne!(world.state.community().keys(), Some(&keys), "other share keys");
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    for (holder, old) in world.holders.iter().zip(&old) {
        assert!(old.iter().all(|share| !contains(holder, share)), "an old share is still there");
    }
    world.round();
}

/// Whether the secret half of validator 1's announced one-time key is among its secrets.
fn has_one_time_key(world: &World) -> bool {
    let announced = world.state.session().expect("a session").announced();
    let (_, public) = announced.into_iter().find(|(receiver, _)| *receiver == 1).expect("announced");
    let bytes = world.holders[0].to_bytes();
    let mut windows = bytes.expose().windows(32).map(|window| window.try_into().expect("32 bytes"));
    windows.any(|window| EnvelopeKey::from_bytes(window).public() == public)
}

#[test]
fn one_time_keys_and_dealt_shares_are_erased_when_they_have_served() {
    let mut world = World::new(4, 0, 13);
    let phase = |w: &World| w.state.session().expect("a session").phase();
    world.until(20, "dealing", |w| phase(w) == Phase::Dealing);
    assert!(has_one_time_key(&world));
    world.until(20, "judging", |w| phase(w) == Phase::Judging);
    assert!(has_one_time_key(&world));
    world.act(0);
    assert!(!has_one_time_key(&world), "the shares are opened");
    world.until_sharing(1);
    for holder in &world.holders {
        assert_eq!(holder.to_bytes().expose().len(), SHARES_ONLY, "more is left than the shares");
    }
}

#[test]
fn a_validator_that_never_deals_is_named_and_gets_shares() {
    for n in [4u16, 7, 16] {
        let mut world = World::new(n, 0, u64::from(n));
        let silent = usize::from(n) - 1;
        let keep = |one: Transaction, state: &State| {
            let announces = matches!(event_of(&one, state), Some(Event::Announcement(_)));
            if announces { vec![one] } else { vec![] }
        };
        world.tampers.insert(silent, Box::new(keep));
        world.until_sharing(1);
        // It dealt nothing, and it did not say whether it has its shares; it has them nevertheless.
        assert_eq!(world.agreed(), (vec![n], vec![n]));
        assert_eq!(world.who_holds().len(), usize::from(n));
        world.tampers.clear();
        world.round();
    }
}

#[test]
fn a_validator_that_was_away_has_no_share_until_the_resharing_of_the_next_epoch() {
    let mut world = World::new(4, 0, 2);
    world.down.insert(2);
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![3], vec![3]));
    world.down.clear();
    world.step();
    assert_eq!(world.holding(2), Holding::Missing { session: 1 });
    world.round();
    assert_eq!(world.holding(2), Holding::Missing { session: 1 });

    world.until_sharing(2);
    assert_eq!(tasks(&world), [Task::Reshare], "among the same validators");
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.down.insert(0);
    world.round();
}

#[test]
fn a_validator_that_left_after_its_announcement_finds_its_shares_when_it_is_back() {
    let mut world = World::new(4, 0, 3);
    world.step();
    world.step();
    world.down.insert(1);
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![2], vec![2]));
    assert_eq!(world.who_holds(), [0, 2, 3]);
    world.down.clear();
    world.step();
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.down.insert(0);
    world.round();
}

#[test]
fn a_validator_that_left_in_a_refresh_finds_its_new_shares_when_it_is_back() {
    let mut world = World::new(4, 0, 12);
    world.until_sharing(1);
    let phase = |w: &World| w.state.session().map(|s| (s.context().session, s.phase()));
    world.until(EPOCH_BLOCKS, "the refresh", |w| phase(w) == Some((2, Phase::Dealing)));
    world.down.insert(1);
    world.until_sharing(2);
    assert_eq!(world.who_holds(), [0, 2, 3]);
    world.down.clear();
    world.step();
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
}

#[test]
fn a_validator_without_shares_deals_in_a_refresh_and_does_not_count_as_a_holder() {
    let mut world = World::new(4, 0, 4);
    world.until_sharing(1);
    // Its secrets are lost between the sessions; the ledger can't know and starts a refresh.
    world.holders[3] = KeyHolder::new(world.keys[3].clone());
    world.until_sharing(2);
    assert_eq!(tasks(&world), [Task::Refresh]);
    assert_eq!(world.agreed(), (vec![], vec![4]));
    assert_eq!(world.holding(3), Holding::Missing { session: 2 });
    world.round();
    world.until_sharing(3);
    assert_eq!(tasks(&world), [Task::Refresh, Task::Reshare]);
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();
}

#[test]
fn an_aborted_session_leaves_nothing_and_another_one_follows() {
    let mut world = World::new(4, 0, 5);
    world.down.extend([2, 3]);
    let aborted = |w: &World| w.effects.iter().any(|effect| matches!(effect, Effect::KeysAborted { .. }));
    world.until(u64::from(PHASE_BLOCKS) * 4, "the abort", aborted);
    assert!(world.state.sharing().is_none());
    world.down.clear();
    world.until_sharing(2);
    assert_eq!(world.agreed(), (vec![], vec![]));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();
}

/// Flips a bit of what validator `dealer` sealed for each of `victims`.
fn spoil(world: &World, dealer: usize, victims: &'static [u16]) -> super::world::Tamper {
    let key = world.keys[dealer].clone();
    Box::new(move |one, state| {
        let Some(Event::Delivery(mut delivery)) = event_of(&one, state) else { return vec![one] };
        for (receiver, sealed) in &mut delivery.sealed {
            if victims.contains(receiver) {
                sealed[40] ^= 1;
            }
        }
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        delivery.sign(state.session().expect("a session").context(), &key, &mut rng);
        vec![key_event(state, &Event::Delivery(delivery))]
    })
}
#[test]
fn a_dealer_that_is_false_to_many_is_excluded() {
    let mut world = World::new(4, 0, 6);
    let tamper = spoil(&world, 1, &[1, 3]);
    world.tampers.insert(1, tamper);
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![2], vec![]));
    let false_dealer = |n: &(usize, Notice)| matches!(n.1, Notice::FalseDealer { session: 1, .. });
    let who: Vec<usize> = world.notices.iter().filter(|n| false_dealer(n)).map(|n| n.0).collect();
    assert_eq!(who, [0, 2], "exactly the receivers that were cheated");
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();
}

#[test]
fn a_complaint_is_answered_in_public_and_the_answer_is_used() {
    let mut world = World::new(4, 0, 7);
    let tamper = spoil(&world, 1, &[3]);
    world.tampers.insert(1, tamper);
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![], vec![]));
    let answered = Notice::ComplaintAnswered { session: 1, dealer: 2, receiver: 3 };
    assert!(world.notices.contains(&(1, answered)));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
    world.round();
}

#[test]
fn a_dealer_that_leaves_a_complaint_unanswered_is_excluded() {
    let mut world = World::new(4, 0, 8);
    let mut spoiled = spoil(&world, 1, &[3]);
    world.tampers.insert(
        1,
        Box::new(move |one, state| match event_of(&one, state) {
            Some(Event::Answer(_)) => vec![],
            _ => spoiled(one, state),
        }),
    );
    world.until_sharing(1);
    assert_eq!(world.agreed(), (vec![2], vec![]));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
}

#[test]
fn of_two_packages_of_one_dealer_the_first_counts() {
    let mut world = World::new(4, 0, 9);
    // The other face of validator 1: the same signing key, other secrets.
    let mut twin = KeyHolder::new(world.keys[0].clone());
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([8; 32]);
    let mut packages = 0;
    world.tampers.insert(
        0,
        Box::new(move |one, state| {
            let Some(Event::Package(_)) = event_of(&one, state) else { return vec![one] };
            let theirs = twin.act(state, &mut rng).owed;
            let theirs: Vec<_> = theirs.into_iter().map(Transaction::from).collect();
            packages += 1;
            assert_eq!((packages, theirs.len()), (1, 1));
            assert_ne!(theirs[0], one);
            vec![one, theirs[0].clone()]
        }),
    );
    world.until_sharing(1);
    let repeated = |refusal: &Refusal| match refusal {
        Refusal::Keys(KeyRefusal::KeyEvent { refusal, .. }) => {
            matches!(**refusal, veilgrid_crypto::keygen::Refusal::Repeated { .. })
        }
        _ => false,
    };
    assert_eq!(world.refused.len(), 1);
    assert!(repeated(&world.refused[0]), "{:?}", world.refused);
    assert_eq!(world.agreed(), (vec![], vec![]));
    assert_eq!(world.who_holds(), [0, 1, 2, 3]);
}

#[test]
fn other_validators_take_over_with_the_same_keys() {
    let mut world = World::new(4, 3, 10);
    world.until_sharing(1);
    let keys = world.state.community().keys().expect("keys").keys().to_vec();
    let old: Vec<_> = world.holders[..4].iter().map(share_scalars).collect();
    assert_eq!(world.holding(5), Holding::NoValidator);

    world.change_to(&[6, 5, 4, 3, 2, 1, 0]);
    world.until(3 * EPOCH_BLOCKS, "seven validators", |w| w.validators() == 7);
    world.until_sharing(2);
    assert_eq!(world.who_holds(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(world.state.community().keys().expect("keys").keys(), keys);
    world.round();
    for (holder, old) in world.holders.iter().zip(&old) {
        assert!(old.iter().all(|share| !contains(holder, share)), "an old share is still there");
    }

    let former = share_scalars(&world.holders[1]);
    assert!(contains(&world.holders[1], &former[0]), "this is how shares are found");
    world.change_to(&[0, 2, 4, 6]);
    world.until(3 * EPOCH_BLOCKS, "four validators", |w| w.validators() == 4);
    world.step();
    assert_eq!(world.who_holds(), [0, 2, 4, 6]);
    assert_eq!(world.holding(1), Holding::NoValidator);
    assert!(former.iter().all(|share| !contains(&world.holders[1], share)), "a former validator has shares");
    assert_eq!(world.state.community().keys().expect("keys").keys(), keys);
    world.round();
}
