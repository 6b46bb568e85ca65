//! Members by the ledger: who joins and leaves, who may bid, and each order of the registrar that is refused.

use crate::common::*;
use crate::world::{self, World, receipt_key, registrar_key};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::{BidFault, SealedBid, seal_bid};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::key_roles::{KeyRole, SharedKey};
use veilgrid_ledger::members::certificate::{Certificate, CertificateFault, Rights};
use veilgrid_ledger::members::offices::{AggregatorKeys, NewKeys};
use veilgrid_ledger::members::order::{Action, MAX_ACCOUNTS_PER_ORDER, RegistrarOrder};
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};

fn registrar(order: RegistrarOrder) -> Transaction {
    Transaction::Registrar(Box::new(order))
}

/// Why the registrar's next order is refused.
fn refused(world: &mut World, action: Action) -> MembersRefusal {
    let order = world.ordered(action);
    members_refusal(world, order)
}

fn members_refusal(world: &mut World, transaction: Transaction) -> MembersRefusal {
    match world.refusal(transaction) {
        Refusal::Members(refusal) => refusal,
        other => panic!("{other}"),
    }
}

fn certificate(world: &World, member: usize) -> Certificate {
    world.state.members().member_of(&world.account(member)).expect("a member").certificate.clone()
}

fn bid_of(world: &mut World, round_id: u64, keyring: &Keyring, quantities_wh: &[u64]) -> SealedBid {
    let community = world.state.community();
    let round = world.state.round_context(round_id).expect("an open round");
    let params = community.bid_params().expect("keys");
    seal_bid(params, &round, keyring, quantities_wh, &mut world.rng).expect("bid")
}

fn one(round_id: u64, bid: SealedBid) -> Transaction {
    Transaction::Bids { round_id, bids: vec![bid] }
}

fn may_not(world: &mut World, round_id: u64, bid: &SealedBid) -> RoundRefusal {
    let transaction = one(round_id, bid.clone());
    let before = world.state.check_bidders(std::slice::from_ref(&transaction)).expect_err("before execution");
    match world.refusal(transaction) {
        Refusal::Rounds(refusal) => {
            assert_eq!(before, (0, Refusal::Rounds(refusal.clone())), "both say the same");
            refusal
        }
        other => panic!("{other}"),
    }
}

/// The whole life of a member: it joins while a round takes bids and may bid in the next one; suspended, it may in the
/// round that is open and not in the next; updated, it may again; it leaves and is a stranger.
#[test]
fn a_member_joins_is_suspended_comes_back_and_leaves() {
    let mut world = World::keyed(4);
    world.open_round(1);
    let (keyring, certificate) = world.newcomer(200);
    let account = Account(certificate.account);
    let enrol = world.ordered(Action::Enrol(vec![certificate.clone()]));
    let effects = world.push(vec![enrol]).effects;
    let joined = Effect::MembersChanged { sequence: 0, kind: TransactionKind::Enrol, accounts: vec![5] };
    assert_eq!(effects, [joined]);
    let early = bid_of(&mut world, 1, &keyring, &BOOK[0]);
    assert_eq!(may_not(&mut world, 1, &early), RoundRefusal::JoinedLater { round: 1, account });
    let bids = world.bids(1, &BOOK);
    world.push(vec![bids]);
    world.close(1);
    assert!(
        matches!(world.finish(1), Effect::Settled(_)),
        "nothing about it changes for those who were there"
    );

    world.open_round(2);
    let capacity = world.state.bidders(2).expect("open").get(&account.0).copied().expect("it may bid");
    assert_eq!((capacity.number, capacity.import_wh, capacity.point), (5, 250_000, [200; 32]));
    let suspend = world.ordered(Action::Suspend(vec![5]));
    world.push(vec![suspend]);
    let bid = bid_of(&mut world, 2, &keyring, &BOOK[0]);
    let bids = world.bids(2, &BOOK[..3]);
    world.push(vec![one(2, bid), bids]);
    world.close(2);
    assert!(matches!(world.finish(2), Effect::Settled(_)));

    world.open_round(3);
    let bid = bid_of(&mut world, 3, &keyring, &BOOK[0]);
    assert_eq!(may_not(&mut world, 3, &bid), RoundRefusal::Suspended { round: 3, account });
    assert_eq!(refused(&mut world, Action::Suspend(vec![5])), MembersRefusal::Suspended { number: 5 });
    let update = world.ordered(Action::Update(vec![(5, certificate)]));
    world.push(vec![update]);
    let bid = bid_of(&mut world, 3, &keyring, &BOOK[0]);
    assert_eq!(may_not(&mut world, 3, &bid), RoundRefusal::JoinedLater { round: 3, account });
    let leave = world.ordered(Action::Leave(vec![5]));
    world.push(vec![leave]);
    assert_eq!(may_not(&mut world, 3, &bid), RoundRefusal::HasLeft { round: 3, account });
    assert_eq!((world.state.members().len(), world.state.members().ever_enrolled()), (4, 5));
}

#[test]
fn a_certificate_counts_for_the_slots_of_its_dates() {
    let mut world = World::keyed(4);
    let start = |world: &World, round| world.timing().slot_start_unix_s(round, SLOT_SECONDS).expect("a slot");
    let mut dated = certificate(&world, 0);
    (dated.from_unix_s, dated.to_unix_s) = (start(&world, 2), Some(start(&world, 3)));
    let update = world.ordered(Action::Update(vec![(1, dated)]));
    world.push(vec![update]);
    let account = Account(world.account(0));
    for (round, covered) in [(1, false), (2, true), (3, false)] {
        world.open_round(round);
        let bid = world.bid(round, 0, &BOOK[0]);
        if covered {
            world.push(vec![one(round, bid)]);
        } else {
            assert_eq!(may_not(&mut world, round, &bid), RoundRefusal::CertificateDates { round, account });
        }
    }
}

/// Who bids under another's certificate has to sign for its account.
#[test]
fn a_bid_under_anothers_certificate() {
    let mut world = World::keyed(4);
    world.open_round(1);
    let mut bid = world.bid(1, 0, &BOOK[0]);
    bid.account = world.account(1);
    let refusal = world.refusal(one(1, bid));
    let account = Account(world.account(1));
    let expected = RoundRefusal::BidInvalid { round: 1, account, fault: BidFault::Signature };
    assert!(
        matches!(&refusal, Refusal::Rounds(RoundRefusal::BidInvalid { account: of, .. }) if *of == account),
        "{refusal} instead of {expected}"
    );
}

/// A round of one connection point is void, however many it is under: the minimum counts points.
#[test]
fn the_minimum_counts_connection_points() {
    let mut world = World::keyed(4);
    world.open_round(1);
    let bid = world.bid(1, 0, &BOOK[0]);
    world.push(vec![one(1, bid)]);
    world.close(1);
    let effect = world.finish(1);
    assert_eq!(effect, Effect::Voided { round_id: 1, reason: VoidReason::TooFewBids, bids: 1 });
}

#[test]
fn orders_that_the_registrar_did_not_give_here_and_now() {
    let mut world = World::new(4);
    let (_, certificate) = world.newcomer(200);
    let action = Action::Enrol(vec![certificate]);
    let order = world.order(action.clone());
    let id = world.state.community().ledger_id();
    let stranger = SigningKey::generate(&mut world.rng);
    let sign = |id, sequence, key: &SigningKey, rng: &mut _| {
        registrar(RegistrarOrder::sign(id, sequence, action.clone(), key, rng))
    };
    let by_stranger = sign(&id, 0, &stranger, &mut world.rng);
    assert_eq!(members_refusal(&mut world, by_stranger), MembersRefusal::Signature);
    let of_another_ledger = sign(&[7; 32], 0, &registrar_key(), &mut world.rng);
    assert_eq!(members_refusal(&mut world, of_another_ledger), MembersRefusal::Signature);
    let mut changed = order.clone();
    let Action::Enrol(certificates) = &mut changed.action else { panic!() };
    certificates[0].import_class = 0;
    assert_eq!(members_refusal(&mut world, registrar(changed)), MembersRefusal::Signature);
    let early = sign(&id, 1, &registrar_key(), &mut world.rng);
    let sequence = MembersRefusal::Sequence { found: 1, expected: 0 };
    assert_eq!(members_refusal(&mut world, early), sequence);
    world.push(vec![registrar(order.clone())]);
    let again = MembersRefusal::Sequence { found: 0, expected: 1 };
    assert_eq!(members_refusal(&mut world, registrar(order)), again, "a replay");
}

#[test]
fn accounts_points_and_keys_that_are_taken() {
    let mut world = World::new(4);
    let members = world.state.members().len();
    let (_, fresh) = world.newcomer(200);
    let account = Account(fresh.account);
    let first = Account(world.account(0));
    let enrol = |certificate: Certificate| Action::Enrol(vec![certificate]);
    // An account twice: of the genesis, within an order, after it has left.
    let twice = MembersRefusal::AccountTwice { account: first, number: 1 };
    let mut old = certificate(&world, 0);
    old.point = [99; 32];
    assert_eq!(refused(&mut world, enrol(old.clone())), twice);
    let both = Action::Enrol(vec![fresh.clone(), Certificate { point: [201; 32], ..fresh.clone() }]);
    assert_eq!(refused(&mut world, both), MembersRefusal::AccountTwice { account, number: 5 });
    let leave = world.ordered(Action::Leave(vec![1]));
    world.push(vec![leave]);
    assert_eq!(refused(&mut world, enrol(old)), twice);
    // A point twice, by enrolment and by update; the point of one that has left is free.
    let second = certificate(&world, 1);
    let taken = Certificate { point: second.point, ..fresh.clone() };
    assert_eq!(refused(&mut world, enrol(taken.clone())), MembersRefusal::PointTwice { account, number: 2 });
    let moved = Action::Update(vec![(3, Certificate { point: second.point, ..certificate(&world, 2) })]);
    let third = Account(world.account(2));
    assert_eq!(refused(&mut world, moved), MembersRefusal::PointTwice { account: third, number: 2 });
    // Keys that stand for something else.
    let entry = world.validators[0].entry;
    for (key, first) in [
        (entry.signing_key, KeyRole::Signing),
        (receipt_key().verifying_key().to_bytes(), KeyRole::Receipts),
        (registrar_key().verifying_key().to_bytes(), KeyRole::Registrar),
    ] {
        let shared = SharedKey { key, first, second: KeyRole::Account };
        let refusal = refused(&mut world, enrol(Certificate { account: key, ..fresh.clone() }));
        assert_eq!(refusal, MembersRefusal::SharedKey(shared));
    }
    // Unknown numbers, and another's account.
    assert_eq!(refused(&mut world, Action::Leave(vec![9])), MembersRefusal::Unknown { number: 9 });
    assert_eq!(refused(&mut world, Action::Leave(vec![1])), MembersRefusal::Unknown { number: 1 });
    assert_eq!(refused(&mut world, Action::Leave(vec![2, 2])), MembersRefusal::Unknown { number: 2 });
    assert_eq!(refused(&mut world, Action::Suspend(vec![0])), MembersRefusal::Unknown { number: 0 });
    let other = MembersRefusal::OtherAccount { number: 3, found: Account(second.account), expected: third };
    assert_eq!(refused(&mut world, Action::Update(vec![(3, second)])), other);
    assert_eq!(refused(&mut world, Action::Leave(vec![])), MembersRefusal::Accounts { accounts: 0 });
    let many = vec![2; MAX_ACCOUNTS_PER_ORDER + 1];
    assert_eq!(refused(&mut world, Action::Leave(many)), MembersRefusal::Accounts { accounts: 1_001 });
    assert_eq!(world.state.members().len(), members - 1, "nothing that was refused has an effect");
    let enrolled = world.ordered(enrol(fresh));
    world.push(vec![enrolled]);
    assert_eq!(world.state.members().number_of(&account.0), Some(5), "numbers are not given twice");
}

#[test]
fn certificates_that_are_not_sound() {
    let mut world = World::new(4);
    let (_, sound) = world.newcomer(200);
    let mut fault = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = sound.clone();
        change(&mut certificate);
        match refused(&mut world, Action::Enrol(vec![certificate])) {
            MembersRefusal::Certificate { fault, .. } => fault,
            other => panic!("{other}"),
        }
    };
    use CertificateFault as F;
    assert_eq!(fault(&|c| c.account = [0; 32]), F::AccountKey);
    assert_eq!(fault(&|c| c.key_epoch += 1), F::KeyEpoch { found: EPOCH + 1, expected: EPOCH });
    assert_eq!(fault(&|c| c.rights = Rights { buy: false, sell: false }), F::NoRights);
    let class = |direction| F::CapacityClass { direction, class: 10, last: 9 };
    assert_eq!(fault(&|c| c.import_class = 10), class("import"));
    assert_eq!(fault(&|c| c.export_class = 10), class("export"));
    assert_eq!(fault(&|c| c.credit_line = Some([1; 32])), F::NoMoney);
    assert_eq!(fault(&|c| c.import_source = Some([1; 32])), F::Source { direction: "import" });
    assert_eq!(fault(&|c| c.export_source = Some([1; 32])), F::Source { direction: "export" });
    assert_eq!(fault(&|c| c.participation_per_mille = 0), F::Participation { per_mille: 0 });
    assert_eq!(fault(&|c| c.participation_per_mille = 1_001), F::Participation { per_mille: 1_001 });
    assert_eq!(fault(&|c| c.to_unix_s = Some(0)), F::Dates { from_unix_s: 0, to_unix_s: 0 });
}

/// Rule 26: the capacities of all members stay within what can be opened; a direction without a right has none.
#[test]
fn capacities_are_bounded_and_follow_the_rights() {
    let mut params = world::params(timing(), 3);
    let most = veilgrid_ledger::capacity::MAX_CAPACITY_WH;
    params.capacity_classes =
        veilgrid_ledger::capacity::CapacityClasses::new(vec![0, 5, most / 4]).expect("sound");
    let mut world = World::of_market(4, params, 7);
    let (_, mut certificate) = world.newcomer(200);
    certificate.import_class = 1;
    let full = MembersRefusal::CapacitySum { direction: "import" };
    assert_eq!(refused(&mut world, Action::Enrol(vec![certificate.clone()])), full);
    certificate.rights.buy = false;
    let full = MembersRefusal::CapacitySum { direction: "export" };
    assert_eq!(refused(&mut world, Action::Enrol(vec![certificate.clone()])), full);
    certificate.export_class = 0;
    let enrol = world.ordered(Action::Enrol(vec![certificate.clone()]));
    world.push(vec![enrol]);
    let mut world = world.with_keys();
    world.open_round(1);
    let bidder = *world.state.bidders(1).expect("open").get(&certificate.account).expect("a member");
    assert_eq!((bidder.import_wh, bidder.export_wh), (0, 0));
}

#[test]
fn t_validators_replace_the_registrar() {
    let mut world = World::new(4);
    let next = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(500));
    let keys = NewKeys::Registrar(next.verifying_key().to_bytes());
    let replace = |replacement| Transaction::ReplaceKeys(Box::new(replacement));
    for signers in [&[1, 2][..], &[1, 2, 2], &[3, 2, 1]] {
        let replacement = world.replacement(keys, signers);
        let refusal = members_refusal(&mut world, replace(replacement));
        assert!(matches!(refusal, MembersRefusal::Endorsements { needed: 3, .. }), "{refusal}");
    }
    let account = world.account(2);
    let shared = world.replacement(NewKeys::Registrar(account), &[1, 2, 3]);
    assert!(matches!(members_refusal(&mut world, replace(shared)), MembersRefusal::SharedKey(_)));
    let none = world.replacement(NewKeys::Registrar([0xff; 32]), &[1, 2, 3]);
    let refusal = MembersRefusal::OfficeKey { key: "registrar's key" };
    assert_eq!(members_refusal(&mut world, replace(none)), refusal);
    let replacement = world.replacement(keys, &[1, 2, 4]);
    let effects = world.push(vec![replace(replacement.clone())]).effects;
    assert_eq!(effects, [Effect::KeysReplaced { kind: TransactionKind::ReplaceRegistrar }]);
    // What the old key signs does not count any more, what the new one signs does; nothing is replaced twice by one
    // transaction, and no key comes back.
    let old = world.ordered(Action::Suspend(vec![1]));
    assert_eq!(members_refusal(&mut world, old), MembersRefusal::Signature);
    let id = world.state.community().ledger_id();
    let order = RegistrarOrder::sign(&id, 0, Action::Suspend(vec![1]), &next, &mut world.rng);
    world.push(vec![registrar(order)]);
    assert_eq!(world.state.members().suspended(), 1);
    let again = members_refusal(&mut world, replace(replacement));
    assert!(matches!(again, MembersRefusal::Endorsements { valid: 0, .. }), "{again}");
    let back = NewKeys::Registrar(registrar_key().verifying_key().to_bytes());
    let back = world.replacement(back, &[1, 2, 3]);
    assert!(matches!(members_refusal(&mut world, replace(back)), MembersRefusal::SharedKey(_)));
}

#[test]
fn t_validators_replace_the_aggregator() {
    let mut world = World::new(4);
    let receipt = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(501)).verifying_key().to_bytes();
    let keys = AggregatorKeys { receipt, envelope: [9; 32] };
    let same = NewKeys::Aggregator(AggregatorKeys { receipt, envelope: receipt });
    let same = world.replacement(same, &[1, 2, 3]);
    let refusal = members_refusal(&mut world, Transaction::ReplaceKeys(Box::new(same)));
    assert!(matches!(refusal, MembersRefusal::SharedKey(_)), "{refusal}");
    let replacement = world.replacement(NewKeys::Aggregator(keys), &[2, 3, 4]);
    world.push(vec![Transaction::ReplaceKeys(Box::new(replacement))]);
    assert_eq!(world.state.offices().aggregator(), &keys);
    assert_eq!(world.state.community().receipt_key().to_bytes(), receipt);
    assert_eq!(world.state.community().envelope_key(), [9; 32]);
    // It holds when other keys come in force.
    let world = world.with_keys();
    assert_eq!(world.state.community().receipt_key().to_bytes(), receipt);
}

/// Members are part of what a state root covers: a ledger in which one thing is another has another root.
#[test]
fn the_state_root_covers_members_and_offices() {
    let roots: std::collections::BTreeSet<[u8; 32]> = [0u8, 1, 2]
        .into_iter()
        .map(|class| {
            let mut world = World::new(4);
            let (_, mut certificate) = world.newcomer(200);
            certificate.import_class = class;
            let order = world.order(Action::Enrol(vec![certificate]));
            let mut state = world.state.clone();
            // Without a block, so that nothing but the members differs.
            let verdicts = &mut veilgrid_ledger::verdicts::VerifyAll;
            state.apply_transaction(&registrar(order), verdicts).expect("taken");
            state.root()
        })
        .collect();
    assert_eq!(roots.len(), 3);
    let mut world = World::new(4);
    let before = world.state.root();
    let keys = NewKeys::Registrar(SigningKey::generate(&mut world.rng).verifying_key().to_bytes());
    let replacement = Transaction::ReplaceKeys(Box::new(world.replacement(keys, &[1, 2, 3])));
    let mut state = world.state.clone();
    state.apply_transaction(&replacement, &mut veilgrid_ledger::verdicts::VerifyAll).expect("taken");
    assert_ne!(state.root(), before);
}

/// An order and the opening of a round in one block: the order that comes first counts for the round.
#[test]
fn an_order_before_an_opening_counts_for_it() {
    let mut world = World::keyed(4);
    let (keyring, certificate) = world.newcomer(200);
    let enrol = world.ordered(Action::Enrol(vec![certificate]));
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    let open = world.open(1);
    let bid = {
        let mut ahead = world.state.clone();
        let block = veilgrid_ledger::builder::propose(
            &ahead,
            vec![open.clone()],
            open_ms,
            &mut veilgrid_ledger::verdicts::VerifyAll,
        );
        ahead = block.expect("it opens").1;
        let round = ahead.round_context(1).expect("open");
        let params = ahead.community().bid_params().expect("keys");
        seal_bid(params, &round, &keyring, &BOOK[0], &mut world.rng).expect("bid")
    };
    let body = vec![enrol, open, one(1, bid)];
    assert_eq!(world.state.check_bidders(&body), Ok(()));
    let effects = world.at(open_ms, body.clone()).effects;
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::Refused(_))));
    assert!(matches!(world.state.check_bidders(&body[2..]), Err((0, _))));
}
