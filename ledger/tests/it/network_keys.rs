//! Key sessions and changes of the validators over a network's ledger.

use crate::world;
use crate::world::{EPOCH_BLOCKS, PHASE_BLOCKS, World};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use veilgrid_crypto::keygen::{Event, Refusal as SessionRefusal, Task, Verdict};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::key_roles::KeyRole::{
    Account, AggregatorEnvelopes, Envelopes, Receipts, Registrar, Signing,
};
use veilgrid_ledger::keys::refusal::KeyRefusal;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::roster::{Roster, RosterChange, RosterError, ValidatorEntry};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::Grid;

fn consensus(world: &World, who: &[usize]) -> Option<Vec<[u8; 32]>> {
    Some(who.iter().map(|who| world.validators[*who].entry.consensus_key).collect())
}

/// The sessions that were started, as (number, task).
fn started(world: &World) -> Vec<(u64, Task)> {
    let session = |effect: &Effect| match effect {
        Effect::SessionStarted { session, task } => Some((*session, *task)),
        _ => None,
    };
    world.all_effects().filter_map(session).collect()
}

fn agreed(world: &World, wanted: u64) -> (Vec<u16>, Vec<u16>) {
    let found = world.all_effects().find_map(|effect| match effect {
        Effect::KeysAgreed { session, excluded, lacking, .. } if *session == wanted => {
            Some((excluded.clone(), lacking.clone()))
        }
        _ => None,
    });
    found.expect("agreed")
}

#[test]
fn keys_are_generated_over_the_ledger() {
    let mut world = World::new(4);
    assert_eq!(
        world.state.session().map(|s| (s.context().session, s.context().task)),
        Some((1, Task::Generate))
    );
    assert!(world.state.is_busy());
    assert!(world.state.community().bid_params().is_none());
    while world.state.session().is_some_and(|session| session.outcome().is_none()) {
        world.step();
    }
    // The last verdict ended the session; the start of the next block says so, the one after puts the keys in force.
    assert_eq!((world.state.pending_keys(), world.state.sharing()), (None, None));
    assert!(world.state.is_busy());
    let ended = world.step();
    assert!(matches!(ended.at_start[..], [Effect::KeysAgreed { session: 1, task: Task::Generate, .. }]));
    assert_eq!((world.state.pending_keys(), world.state.sharing()), (Some(1), None));
    let in_force = world.step();
    assert_eq!(in_force.at_start, [Effect::KeysInForce { session: 1 }]);
    assert_eq!((world.state.pending_keys(), world.state.sharing()), (None, Some(1)));
    assert!(!world.state.is_busy());
    assert_eq!(world.holders(), [0, 1, 2, 3]);
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn a_session_that_ends_by_its_deadlines_ends_too() {
    let mut world = World::new(4);
    world.silent.insert(3);
    world.until_sharing(1);
    // The fourth announced nothing, dealt nothing: the phases of announcing and dealing took their whole time.
    assert_eq!(agreed(&world, 1), (vec![4], vec![4]));
    assert_eq!(world.holders(), [0, 1, 2]);
    assert!(world.state.height() > 2 * u64::from(PHASE_BLOCKS));
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn key_events_that_do_not_fit_are_refused() {
    let mut world = World::new(4);
    let events = world.key_events();
    let Transaction::KeyEvent { event, .. } = events[0].clone() else { panic!() };
    let of = |session: u64, event: Vec<u8>| Transaction::KeyEvent { session, event };
    for session in [0, 2, u64::MAX] {
        assert_eq!(
            world.try_next(of(session, event.clone())),
            Err(Refusal::Keys(KeyRefusal::NoSession { session }))
        );
    }
    let mut longer = event.clone();
    longer.push(0);
    for bytes in [vec![], vec![9], event[1..].to_vec(), event[..event.len() - 1].to_vec(), longer] {
        let result = world.try_next(of(1, bytes));
        assert!(
            matches!(result, Err(Refusal::Keys(KeyRefusal::KeyEventMalformed { session: 1, .. }))),
            "{result:?}"
        );
    }
    let mut forged = event.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    // Of another phase.
    let context = *world.state.session().expect("running").context();
    let key = world.validators[0].key.clone();
    let early = Event::Verdict(Verdict::sign(&context, 1, vec![], &key, &mut world.rng)).to_bytes();
    for (bytes, expected) in [(forged, "signature"), (early, "early")] {
        let Err(Refusal::Keys(KeyRefusal::KeyEvent { session: 1, refusal })) =
            world.try_next(of(1, bytes.clone()))
        else {
            panic!()
        };
        let found = match *refusal {
            SessionRefusal::Signature { .. } => "signature",
            SessionRefusal::Early { .. } => "early",
            other => panic!("{other}"),
        };
        assert_eq!(found, expected);
        let before = world.state.session().expect("running").digest();
        let effects = world.force(vec![of(1, bytes)]);
        assert!(matches!(effects.effects[..], [Effect::Refused(_)]));
        assert_eq!(world.state.session().expect("running").digest(), before, "no effect");
    }
    assert_eq!(world.state.refused(), 2);
    world.push(events.clone());
    let repeated = world.try_next(events[1].clone());
    assert!(
        matches!(repeated, Err(Refusal::Keys(KeyRefusal::KeyEvent { refusal, .. })) if matches!(*refusal, SessionRefusal::Late { .. }))
    );
    world.until_sharing(1);
    // A session that has ended takes nothing.
    assert_eq!(world.try_next(events[0].clone()), Err(Refusal::Keys(KeyRefusal::NoSession { session: 1 })));
}

#[test]
fn a_generation_without_enough_validators_starts_again_under_the_next_number() {
    let mut world = World::new(4);
    world.silent.extend([2, 3]);
    world.steps_until("an abort", |world| world.state.session().is_some_and(|s| s.context().session == 2));
    let aborted =
        |effect: &&Effect| matches!(effect, Effect::KeysAborted { session: 1, task: Task::Generate, .. });
    assert_eq!(world.all_effects().filter(aborted).count(), 1);
    // Announcements have the whole phase; nobody waits for more.
    assert_eq!(world.state.height(), u64::from(PHASE_BLOCKS) + 1);
    world.silent.clear();
    world.until_sharing(2);
    assert_eq!(started(&world), [(2, Task::Generate)]);
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn shares_are_refreshed_in_every_epoch_and_the_keys_stay() {
    let mut world = World::keyed(4);
    let keys = world.state.community().keys().expect("keys").clone();
    let old = world.validators[0].shares.clone().expect("shares").1;
    for (session, epoch) in [(2, 1), (3, 2)] {
        world.until_last_of_epoch();
        assert_eq!(world.state.sharing(), Some(session - 1));
        let first = world.step();
        assert_eq!(first.at_start, [Effect::SessionStarted { session, task: Task::Refresh }]);
        assert_eq!(world.state.height(), epoch * EPOCH_BLOCKS);
        world.until_sharing(session);
        assert_eq!(world.holders(), [0, 1, 2, 3]);
    }
    let fresh = world.state.community().keys().expect("keys");
    assert_eq!(fresh.keys(), keys.keys());
    assert!(keys.matches(&old) && !fresh.matches(&old));
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn who_missed_a_refresh_gets_shares_again_in_the_next_epoch() {
    let mut world = World::keyed(4);
    world.until_last_of_epoch();
    world.silent.insert(1);
    world.until_sharing(2);
    assert_eq!(world.holders(), [0, 2, 3]);
    assert_eq!(agreed(&world, 2).1, [2]);
    world.silent.clear();
    world.until_last_of_epoch();
    let first = world.step();
    assert_eq!(first.at_start, [Effect::SessionStarted { session: 3, task: Task::Reshare }]);
    assert_eq!(world.state.session_receivers(), world.state.roster());
    world.until_sharing(3);
    // The same validators: in force at once, in the middle of the epoch.
    assert!(!world.state.height().is_multiple_of(EPOCH_BLOCKS));
    assert_eq!(world.holders(), [0, 1, 2, 3]);
    assert!(!world.all_effects().any(|effect| matches!(effect, Effect::ValidatorsChanged { .. })));
    world.until_last_of_epoch();
    world.step();
    assert_eq!(started(&world).last(), Some(&(4, Task::Refresh)));
}

#[test]
fn a_change_needs_signatures_of_enough_validators_for_this_very_change() {
    let mut world = World::keyed(4);
    let others = [0, 1, 2, 4];
    let refusal =
        |world: &World, change| match world.try_next(Transaction::ChangeValidators(Box::new(change))) {
            Err(Refusal::Roster(error)) => error,
            other => panic!("{other:?}"),
        };
    let lacking = |valid| RosterError::Signatures { valid, needed: 3 };
    let sound = world.change(&others, &[1, 2, 4]);
    let few = world.change(&others, &[1, 2]);
    assert_eq!(refusal(&world, few), lacking(2));
    for signers in [&[2u16, 1, 4][..], &[1, 2, 2], &[1, 1, 1]] {
        let unsorted = world.change(&others, signers);
        assert_eq!(refusal(&world, unsorted), lacking(0), "{signers:?}");
    }
    // A signature under another number, of a number that nobody has, for another roster, of another ledger.
    for number in [3, 0, 5] {
        let mut foreign = sound.clone();
        foreign.endorsements[1].validator = number;
        foreign.endorsements.sort_by_key(|e| e.validator);
        assert_eq!(refusal(&world, foreign), lacking(2), "{number}");
    }
    let mut other_roster = sound.clone();
    other_roster.roster = world.roster_of(&[0, 1, 2, 5]);
    assert_eq!(refusal(&world, other_roster), lacking(0));
    let mut reordered = sound.clone();
    reordered.roster.validators.reverse();
    assert_eq!(refusal(&world, reordered), lacking(0));
    let mut elsewhere = World::with(4, RoundTiming { interval_ms: 2_000, ..world::timing() });
    elsewhere.until_sharing(1);
    assert_eq!(refusal(&elsewhere, sound.clone()), lacking(0));
    // Rosters that no network may have.
    let unchanged = world.change(&[0, 1, 2, 3], &[1, 2, 3]);
    assert_eq!(refusal(&world, unchanged), RosterError::Unchanged);
    let small = world.change(&[0, 1, 2], &[1, 2, 3]);
    assert_eq!(refusal(&world, small), RosterError::Size { validators: 3 });
    for key in ["signing", "consensus", "envelope"] {
        let mut twice = sound.clone();
        let (first, last) = (twice.roster.validators[0], &mut twice.roster.validators[3]);
        match key {
            "signing" => last.signing_key = first.signing_key,
            "consensus" => last.consensus_key = first.consensus_key,
            _ => last.envelope_key = first.envelope_key,
        }
        assert_eq!(refusal(&world, twice), RosterError::Key { validator: 4, key });
    }
    // A consensus key that the engine can't use would stop it when the validators come into force.
    let mut no_key = sound.clone();
    no_key.roster.validators[1].consensus_key = [2; 32];
    assert_eq!(refusal(&world, no_key), RosterError::Key { validator: 2, key: "consensus" });
    // Whoever comes later has keys of its own too: not the aggregator's, a member's, or one for two things.
    let genesis = world.genesis().clone();
    type Take = fn(&mut ValidatorEntry, &Genesis);
    let takes: [(Take, _); 5] = [
        (|new, genesis| new.signing_key = genesis.registrar_key, (Registrar, Signing)),
        (|new, genesis| new.signing_key = genesis.aggregator_receipt_key, (Receipts, Signing)),
        (|new, genesis| new.signing_key = genesis.members[0].account, (Account, Signing)),
        (|new, genesis| new.envelope_key = genesis.aggregator_envelope_key, (AggregatorEnvelopes, Envelopes)),
        (|new, _| new.envelope_key = new.signing_key, (Signing, Envelopes)),
    ];
    let rightful = world.validators[4].entry;
    for (take, (first, second)) in takes {
        take(&mut world.validators[4].entry, &genesis);
        let taken = world.change(&others, &[1, 2, 4]);
        world.validators[4].entry = rightful;
        match refusal(&world, taken) {
            RosterError::SharedKey(shared) => assert_eq!((shared.first, shared.second), (first, second)),
            other => panic!("{other}"),
        }
    }
    world.push(vec![Transaction::ChangeValidators(Box::new(sound.clone()))]);
    assert_eq!(world.state.pending_roster(), Some(&sound.roster));
    let another = world.change(&[0, 1, 2, 5], &[1, 2, 3]);
    assert_eq!(refusal(&world, another.clone()), RosterError::UnderWay);
    // Agreed on and not in force yet is under way too.
    world.steps_until("an agreement", |world| world.state.pending_keys().is_some());
    assert_eq!(refusal(&world, another), RosterError::UnderWay);
}

/// Threat: a change that t validators sign in good faith, after which no dealer could ever store or send what it deals.
#[test]
fn a_change_whose_key_sessions_fit_nowhere_is_refused() {
    let grid = Grid::new(10_000, 2, 4_096).expect("the largest grid");
    let params = MarketParams { grid, ..world::params(world::timing(), 3) };
    let mut world = World::of_market(4, params, 28);
    let all: Vec<usize> = (0..28).collect();
    let refusal = |world: &mut World, who: &[usize]| {
        let change = world.sound_change(who);
        match world.try_next(change) {
            Err(Refusal::Roster(error @ RosterError::Room { .. })) => Some(error),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    };
    let error = refusal(&mut world, &all[4..]).expect("24 newcomers do not fit");
    assert!(
        matches!(error, RosterError::Room { validators: 24, keys: 8_192, what: "a dealer's package", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("fewer validators"), "{error}");
    let error = refusal(&mut world, &all[..12]).expect("twelve do not fit");
    assert!(matches!(error, RosterError::Room { what: "a delivery of shares", .. }), "{error}");
    assert_eq!(refusal(&mut world, &all[..11]), None);
    // A refused change is not under way: the ledger goes on as it was.
    assert_eq!(world.state.pending_roster(), None);
}

/// An epoch that faulty validators can lead from its first block to its last leaves no grace an honest proposer.
#[test]
fn validators_of_whom_the_faulty_may_fill_an_epoch_are_refused() {
    let times = RoundTiming { epoch_blocks: 28, keygen_phase_blocks: 5, ..world::timing() };
    let mut world = World::with(4, times);
    world.until_sharing(1);
    let strangers: Vec<_> = (0..85).map(|_| world::entry(&SigningKey::generate(&mut world.rng))).collect();
    for (n, refused) in [(84usize, false), (85, true)] {
        let roster = Roster { validators: strangers[..n].to_vec() };
        let (ledger_id, current) = (world.state.community().ledger_id(), world.state.roster().clone());
        let since = world.state.roster_since();
        let sign = |validator: u16, rng: &mut _| {
            let key = &world.validators[usize::from(validator) - 1].key;
            RosterChange::endorse(&ledger_id, &current, since, &roster, validator, key, rng)
        };
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let endorsements = (1..=3).map(|validator| sign(validator, &mut rng)).collect();
        let change = RosterChange { roster, endorsements };
        let answer = world.try_next(Transaction::ChangeValidators(Box::new(change)));
        let epoch = RosterError::Epoch { faults: 28, epoch_blocks: 28 };
        assert_eq!(answer.err(), refused.then_some(Refusal::Roster(epoch)), "{n} validators");
    }
}

#[test]
fn a_change_is_good_once_even_when_the_validators_come_back() {
    let mut world = World::keyed(4);
    let (here, there) = ([0, 1, 2, 3], [0, 1, 2, 4]);
    let first = world.sound_change(&there);
    for (change, who) in [(Some(first.clone()), there), (None, here)] {
        let change = change.unwrap_or_else(|| world.sound_change(&who));
        world.push(vec![change]);
        let wanted = world.roster_of(&who);
        world.steps_until("a change", |world| world.state.roster() == &wanted);
    }
    let again = world.try_next(first);
    assert_eq!(again, Err(Refusal::Roster(RosterError::Signatures { valid: 0, needed: 3 })));
}

#[test]
fn validators_change_from_four_to_seven_and_back_at_epochs() {
    let mut world = World::keyed(4);
    let (four, seven) = ([0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]);
    let keys = world.state.community().keys().expect("keys").keys().to_vec();
    for (to, from, threshold, epoch) in [(&seven[..], &four[..], 5, 1), (&four, &seven, 3, 2)] {
        let change = world.sound_change(to);
        let effects = world.push(vec![change]);
        assert!(matches!(effects.effects[..], [Effect::ValidatorsProposed { .. }]));
        let wanted = world.roster_of(to);
        world.steps_until("a session for them", |world| world.state.session_receivers() == &wanted);
        world.steps_until("an agreement", |world| world.state.pending_keys().is_some());
        let before = world.state.sharing();
        while world.state.height() + 1 < epoch * EPOCH_BLOCKS {
            assert_eq!(world.state.consensus_keys(epoch), None, "not before this epoch's last block");
            assert_eq!(world.state.roster(), &world.roster_of(from));
            assert_eq!(world.state.sharing(), before);
            world.step();
        }
        // The last block of the epoch is executed: the next validators are known, and not in force.
        assert_eq!(world.state.consensus_keys(epoch), consensus(&world, to));
        assert_eq!(world.state.consensus_keys(epoch - 1), consensus(&world, from));
        assert_eq!(world.state.consensus_keys(epoch + 1), None);
        assert_eq!(world.state.roster(), &world.roster_of(from));
        let first = world.step();
        assert_eq!(world.state.height(), epoch * EPOCH_BLOCKS);
        let changed = Effect::ValidatorsChanged { epoch, validators: wanted.group().validators };
        assert!(first.at_start.contains(&changed), "{:?}", first.at_start);
        assert_eq!(world.state.roster(), &wanted);
        assert_eq!((world.state.roster_since(), world.state.epoch()), (epoch, epoch));
        assert_eq!(world.holders(), to);
        assert_eq!(world.state.community().threshold(), threshold);
        assert!(matches!(world.round(epoch), Effect::Settled(_)));
    }
    assert_eq!(world.state.community().keys().expect("keys").keys(), keys);
    let past: Vec<_> = (0..=3).map(|epoch| world.state.consensus_keys(epoch)).collect();
    assert_eq!(past, [consensus(&world, &four), consensus(&world, &seven), consensus(&world, &four), None]);
}

/// The session that gives a validator its shares back must not be taken for that of a change that came after it.
#[test]
fn a_change_that_comes_during_a_resharing_onto_the_same_validators_waits_for_its_own() {
    let mut world = World::keyed(4);
    world.until_last_of_epoch();
    world.silent.insert(1);
    world.until_sharing(2);
    world.silent.clear();
    world.until_last_of_epoch();
    world.step();
    let change = world.sound_change(&[0, 1, 2, 4]);
    world.push(vec![change]);
    assert_eq!(world.state.session_receivers(), &world.roster_of(&[0, 1, 2, 3]));
    world.until_sharing(3);
    assert_eq!(world.holders(), [0, 1, 2, 3]);
    let wanted = world.roster_of(&[0, 1, 2, 4]);
    assert_eq!(world.state.pending_roster(), Some(&wanted));
    world.until_sharing(4);
    assert_eq!(world.state.roster(), &wanted);
    assert_eq!(world.holders(), [0, 1, 2, 4]);
    let reshares = [(3, Task::Reshare), (4, Task::Reshare)];
    assert!(started(&world).windows(2).any(|pair| pair == reshares), "{:?}", started(&world));
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn a_change_whose_session_is_aborted_can_be_asked_for_again() {
    let mut world = World::keyed(4);
    let change = world.sound_change(&[3, 4, 5, 6]);
    // Too few of the new ones are there.
    world.silent.extend([5, 6]);
    world.push(vec![change.clone()]);
    let aborted =
        |effect: &Effect| matches!(effect, Effect::KeysAborted { session: 2, task: Task::Reshare, .. });
    world.steps_until("an abort", |world| world.all_effects().any(aborted));
    assert_eq!((world.state.pending_roster(), world.state.sharing()), (None, Some(1)));
    assert_eq!(world.holders(), [0, 1, 2, 3]);
    world.silent.clear();
    world.push(vec![change]);
    let wanted = world.roster_of(&[3, 4, 5, 6]);
    world.steps_until("the change", |world| world.state.roster() == &wanted);
    assert_eq!(world.holders(), [3, 4, 5, 6]);
    assert!(matches!(world.round(1), Effect::Settled(_)));
}

#[test]
fn shares_of_two_sharings_are_never_combined() {
    // Rounds before the end of the first epoch, and deadlines far behind it.
    let patient = RoundTiming { opening_deadline_ms: 60_000, ..world::timing() };
    for shares_before in [1, 3] {
        let mut world = World::with(4, patient);
        world.until_sharing(1);
        world.opening(1);
        let Expected::Shares(request) = world.state.expected(1).expect("expected") else { panic!() };
        let shares = world.shares(1, &request);
        world.push(shares[..shares_before].to_vec());
        world.until_sharing(2);
        let Ok(Expected::Shares(again)) = world.state.expected(1) else { panic!("the shares are dropped") };
        assert_eq!((again.have.len(), again.missing), (0, 3));
        assert_eq!((again.opens, &again.context), (request.opens, &request.context));
        // A share of before is none of now.
        let old = world.try_next(shares[0].clone());
        assert!(matches!(old, Err(Refusal::Rounds(RoundRefusal::ShareInvalid { round: 1, .. }))), "{old:?}");
        assert!(matches!(world.finish(1), Effect::Settled(_)));
    }
}

#[test]
fn a_round_goes_on_under_other_validators() {
    let patient = RoundTiming { opening_deadline_ms: 60_000, ..world::timing() };
    let mut world = World::with(4, patient);
    world.until_sharing(1);
    world.opening(1);
    let Expected::Shares(request) = world.state.expected(1).expect("expected") else { panic!() };
    let shares = world.shares(1, &request);
    world.push(shares[..2].to_vec());
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    world.push(vec![change]);
    world.steps_until("the change", |world| world.state.community().validators() == 7);
    let Ok(Expected::Shares(again)) = world.state.expected(1) else { panic!("the shares are dropped") };
    assert_eq!((again.have.len(), again.missing), (0, 5));
    assert!(matches!(world.finish(1), Effect::Settled(_)));
    let mut deciding = BTreeSet::new();
    deciding.extend(world.all_effects().filter_map(|effect| match effect {
        Effect::ShareAccepted { validator, .. } => Some(*validator),
        _ => None,
    }));
    assert_eq!(deciding, (1..=5).collect());
}
