//! A participant's desk over a network's ledger: bids, promises, restarts, results.

#[path = "../participant_support/settlement.rs"]
mod settlement;

use crate::common;
use crate::follower_support;
use crate::follower_support::{certified, genesis};
use crate::world;
use crate::world::World;
use rand_core::OsRng;
use std::path::Path;
use std::sync::Arc;
use veilgrid_client::follower::Chain;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Order, Side};
use veilgrid_node::participant::{Archive, MemberDesk, MemberOrders, Results, Status};
use veilgrid_roles::member::{Answer, Fallback, OrderSource, SealFailure, SealTask, Target};

/// Member 0 sells at the lowest price, as the book of the tests has it.
struct Orders(Result<Vec<Order>, String>);

impl OrderSource for Orders {
    fn orders(&self, _: Slot) -> Result<Vec<Order>, String> {
        self.0.clone()
    }
}

fn sells(energy_wh: u64) -> Arc<dyn OrderSource> {
    let order = Order { side: Side::Sell, limit_mct_per_kwh: 10_000, energy_wh };
    Arc::new(Orders(Ok(vec![order])))
}

/// A desk of member 0 that follows a world.
struct Member {
    desk: MemberDesk,
    chain: Chain<follower_support::Stamps>,
}

impl Member {
    fn at(world: &World, directory: &Path) -> Self {
        let archive = Archive::open(directory).expect("archive");
        let results = Results::open(&directory.join("results.csv")).expect("results");
        let state = State::from_genesis_block(&genesis(world)).expect("genesis");
        let keyring = Arc::new(world.keyrings[0].clone());
        Self {
            desk: MemberDesk::new(keyring, state, archive, results),
            chain: follower_support::chain(world),
        }
    }

    fn follow(&mut self, world: &World) {
        while self.chain.state().height() < world.state.height() {
            let next = self.chain.state().height() as usize + 1;
            let taken = self.chain.take(&[certified(world, next)], &mut VerifyAll).expect("no end");
            for block in &taken.accepted {
                self.desk
                    .observe(&block.state, &block.block.transactions, block.effects.all())
                    .expect("observed");
            }
        }
    }

    fn seal(&self, world: &World, orders: Option<Arc<dyn OrderSource>>) -> Result<SealedBid, SealFailure> {
        let wanted = self.desk.wanted(world.ms(RoundTiming::open_ms, 1));
        let [wanted] = wanted.as_slice() else { panic!("one round: {wanted:?}") };
        SealTask {
            keyring: Arc::new(world.keyrings[0].clone()),
            state: self.desk.state().clone(),
            round_id: wanted.round_id,
            slot: wanted.slot,
            orders,
            means: None,
            archive: self.desk.archive().clone(),
        }
        .run(&mut OsRng)
    }

    fn due(&mut self, now_ms: u64) -> Vec<Target> {
        self.desk.active_mut().flat_map(|(_, active)| active.delivery.due(now_ms)).collect()
    }
}

/// A world with round 1 open and a member that has seen it.
fn open_round(directory: &Path) -> (World, Member) {
    let mut world = World::keyed(4);
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    world.due_at(open_ms);
    let mut member = Member::at(&world, directory);
    member.follow(&world);
    (world, member)
}

fn receipt(world: &World, key: &SigningKey, bid: &SealedBid) -> Receipt {
    let ledger_id = world.state.community().ledger_id();
    Receipt::issue(key, ledger_id, bid.round_id, bid.account, bid.digest(), 1, &mut OsRng)
}

/// All others bid as in the book, and the round comes to its close.
fn close(world: &mut World, own: Option<SealedBid>) {
    let Transaction::Bids { round_id, mut bids } = world.bids(1, &common::BOOK) else { panic!("bids") };
    bids.remove(0);
    bids.extend(own);
    world.push(vec![Transaction::Bids { round_id, bids }]);
    let close_ms = world.ms(RoundTiming::close_ms, 1);
    world.due_at(close_ms);
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
}

#[test]
fn a_round_from_orders_to_results() {
    let directory = tempfile::tempdir().expect("directory");
    let (mut world, mut member) = open_round(directory.path());
    let now_ms = world.ms(RoundTiming::open_ms, 1);
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    member.desk.begin(bid.clone(), now_ms);
    assert_eq!(member.desk.wanted(now_ms), [], "one bid a round");
    assert_eq!(member.due(now_ms), [Target::Aggregator]);
    let promise = receipt(&world, &world::receipt_key(), &bid);
    assert_eq!(member.desk.receipt(Target::Aggregator, &promise).expect("kept"), Answer::Receipt);
    close(&mut world, Some(bid));
    let Effect::Settled(settled) = world.finish(1) else { panic!("settled") };
    assert!(settled.outcome.traded());
    member.follow(&world);
    let counts = member.desk.counts();
    assert_eq!((counts.settled, counts.broken_promises, counts.wrong_settlements), (1, 0, 0));
    let results = std::fs::read_to_string(directory.path().join("results.csv")).expect("results");
    let line = results.lines().nth(1).expect("a line");
    let fields: Vec<&str> = line.split(',').collect();
    assert_eq!(&fields[..1], ["1"]);
    assert_eq!(&fields[2..6], ["900", "settled", "0", "0.04"], "{line}");
    // A restart replays the whole ledger and writes nothing twice.
    Member::at(&world, directory.path()).follow(&world);
    assert_eq!(std::fs::read_to_string(directory.path().join("results.csv")).expect("results"), results);
}

#[test]
fn after_a_restart_the_same_bytes_are_sent_whatever_the_orders_say_now() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, member) = open_round(directory.path());
    let now_ms = world.ms(RoundTiming::open_ms, 1);
    let first = member.seal(&world, Some(sells(40))).expect("sealed");
    drop(member);
    let mut member = Member::at(&world, directory.path());
    member.follow(&world);
    for orders in [Some(sells(77)), None, Some(Arc::new(Orders(Err("gone".into()))) as Arc<dyn OrderSource>)]
    {
        assert_eq!(member.seal(&world, orders).expect("the same").to_bytes(), first.to_bytes());
    }
    // Receipts from before count: only the watch is left.
    let promise = receipt(&world, &world::receipt_key(), &first);
    member.desk.archive().keep_receipt(Target::Aggregator, &promise).expect("kept");
    member.desk.begin(first, now_ms);
    assert_eq!(member.due(now_ms), []);
    let last_promise_ms = world.ms(RoundTiming::last_promise_ms, 1);
    let half_ms = now_ms + (last_promise_ms - now_ms) / 2;
    assert_eq!(member.due(half_ms - 1), []);
    assert_eq!(
        member.due(half_ms).len(),
        2,
        "half of the time for promises is over and the bid is not on the ledger"
    );
    assert_eq!(member.desk.active().next().expect("one").1.delivery.fallback(), Some(Fallback::NotOnLedger));
}

#[test]
fn what_is_wrong_with_the_orders_is_in_the_status() {
    let directory = tempfile::tempdir().expect("directory");
    let (_world, member) = open_round(directory.path());
    let params = member.desk.state().community().params().clone();
    let path = directory.path().join("orders.csv");
    let head = "slot,side,price_ct_per_kwh,quantity_kwh\n";
    // Prices go from 10 to 13 ct/kWh.
    let rows = "*,sell,10,0.040\n*,buy,2.125,0.333\n8:45,buy,11,0.2\n*,sell,11.5,0.001\n";
    std::fs::write(&path, format!("{head}{rows}")).expect("written");
    let orders = MemberOrders::new(path.clone(), params);
    assert!(Status::of(&member.desk, orders.note()).orders.is_none(), "they were not read yet");
    let slot = Slot { start_unix_s: 1_800_000_000, seconds: 900 };
    let bid = orders.orders(slot).expect("the sound rows");
    assert_eq!(
        bid.iter().map(|order| order.energy_wh).collect::<Vec<_>>(),
        [40, 1],
        "one bad row silences no other"
    );
    let status = serde_json::to_value(Status::of(&member.desk, orders.note())).expect("JSON");
    let noted = &status["orders"];
    assert_eq!((&noted["unreadable"], &noted["sound_rows"]), (&serde_json::Value::Null, &2.into()));
    let lines: Vec<&serde_json::Value> =
        noted["faults"].as_array().expect("faults").iter().map(|fault| &fault["lines"][0]).collect();
    assert_eq!((lines, &noted["moved_lines"]), (vec![&3.into(), &4.into()], &serde_json::json!([5])));
    assert!(
        noted["faults"][0]["reason"].as_str().expect("text").contains("10.00 to 13.00 ct/kWh"),
        "{noted}"
    );
    assert!(!noted.to_string().contains("2.125") && !noted.to_string().contains("333"), "{noted}");
    // A file that is no table is said too, and nothing of it; mended, all is well.
    std::fs::write(&path, "*,sell,10,0.040\n").expect("written");
    assert!(orders.orders(slot).is_err());
    let unreadable = orders.note().and_then(|note| note.unreadable).expect("said");
    assert!(unreadable.contains("first line") && !unreadable.contains("0.040"), "{unreadable}");
    std::fs::write(&path, format!("{head}*,sell,10,0.040\n")).expect("written");
    orders.orders(slot).expect("mended");
    let note = orders.note().expect("read");
    assert!(note.unreadable.is_none() && note.faults.is_empty() && note.moved_lines.is_empty());
}

#[test]
fn a_bid_that_can_t_be_kept_is_not_sent() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, member) = open_round(directory.path());
    let bids = directory.path().join("bids");
    std::fs::remove_dir(&bids).expect("empty");
    std::fs::write(&bids, b"a file where the folder was").expect("written");
    assert!(matches!(member.seal(&world, Some(sells(40))), Err(SealFailure::Archive(_))));
    std::fs::remove_file(&bids).expect("removed");
    std::fs::create_dir(&bids).expect("made");
    assert!(matches!(
        member.seal(&world, Some(Arc::new(Orders(Err("x".into()))))),
        Err(SealFailure::Orders(_))
    ));
    assert!(matches!(member.seal(&world, Some(sells(256))), Err(SealFailure::Mapping(_))));
    assert_eq!(std::fs::read_dir(&bids).expect("list").count(), 0);
    // Without orders a bid over zero is made, and it is kept like any other.
    let zero = member.seal(&world, None).expect("sealed");
    assert_eq!(member.seal(&world, Some(sells(40))).expect("kept"), zero);
}

#[test]
fn a_broken_promise_is_written_down_with_everything_that_proves_it() {
    let directory = tempfile::tempdir().expect("directory");
    let (mut world, mut member) = open_round(directory.path());
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    member.desk.begin(bid.clone(), world.ms(RoundTiming::open_ms, 1));
    let promise = receipt(&world, &world::receipt_key(), &bid);
    assert_eq!(member.desk.receipt(Target::Aggregator, &promise).expect("kept"), Answer::Receipt);
    close(&mut world, None);
    member.follow(&world);
    assert_eq!(member.desk.counts().broken_promises, 1);
    let text = std::fs::read_to_string(directory.path().join("evidence/round-1.json")).expect("evidence");
    let evidence: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(evidence["bid"], hex::encode(bid.to_bytes()));
    assert_eq!(evidence["receipts"]["aggregator"], hex::encode(promise.to_bytes()));
    assert_eq!(evidence["height"], member.desk.state().height());
    world.finish(1);
    member.follow(&world);
    let results = std::fs::read_to_string(directory.path().join("results.csv")).expect("results");
    assert!(results.lines().nth(1).expect("a line").contains("bid missing"));
}

#[test]
fn damaged_files_of_rounds_that_are_over_stop_nobody() {
    let directory = tempfile::tempdir().expect("directory");
    let (mut world, mut member) = open_round(directory.path());
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    member.desk.begin(bid.clone(), world.ms(RoundTiming::open_ms, 1));
    let promise = receipt(&world, &world::receipt_key(), &bid);
    assert_eq!(member.desk.receipt(Target::Aggregator, &promise).expect("kept"), Answer::Receipt);
    close(&mut world, None);
    world.finish(1);
    let file = |name: &str| directory.path().join(name);
    let results = || std::fs::read_to_string(file("results.csv")).expect("results");

    std::fs::write(file("receipts/round-1-aggregator.receipt"), b"zz").expect("written");
    let mut again = Member::at(&world, directory.path());
    again.follow(&world);
    assert_eq!(again.desk.counts().broken_promises, 0, "nothing is left that proves it");
    assert!(results().lines().nth(1).expect("a line").contains("bid missing"), "the bid is there");

    std::fs::write(file("bids/round-1.bid"), b"half").expect("written");
    std::fs::remove_file(file("results.csv")).expect("removed");
    let mut again = Member::at(&world, directory.path());
    again.follow(&world);
    assert_eq!(again.desk.state().height(), world.state.height());
    assert!(results().lines().nth(1).expect("a line").contains("bid unreadable"), "nothing else is claimed");
    // Restored, it is known again.
    std::fs::write(file("bids/round-1.bid"), bid.to_bytes()).expect("written");
    Member::at(&world, directory.path()).follow(&world);
    assert_eq!(results().lines().count(), 2);
    assert!(results().lines().nth(1).expect("a line").contains("bid missing"));
}

#[test]
fn every_round_has_a_line_also_without_a_bid_of_this_member() {
    let directory = tempfile::tempdir().expect("directory");
    let (mut world, member) = open_round(directory.path());
    drop(member);
    // Round 1 is settled without this member, round 2 has too few bids, and none opens round 3.
    close(&mut world, None);
    let Effect::Settled(_) = world.finish(1) else { panic!("settled") };
    let open_ms = world.ms(RoundTiming::open_ms, 2);
    world.due_at(open_ms);
    let close_ms = world.ms(RoundTiming::close_ms, 2);
    world.due_at(close_ms);
    while world.state.round(2).is_some() {
        world.due_at(world.state.time_unix_ms());
    }
    let after_ms = world.ms(RoundTiming::close_ms, 3);
    world.due_at(after_ms);
    let mut member = Member::at(&world, directory.path());
    member.follow(&world);
    let results = || std::fs::read_to_string(directory.path().join("results.csv")).expect("results");
    let text = results();
    let lines: Vec<(&str, &str)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[0], fields[3])
        })
        .collect();
    assert_eq!(lines, [("1", "no bid"), ("2", "void"), ("3", "not opened")]);
    Member::at(&world, directory.path()).follow(&world);
    assert_eq!(results(), text, "a replay writes nothing twice");
}

#[test]
fn a_damaged_bid_of_the_open_round_is_not_replaced_by_another() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, member) = open_round(directory.path());
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    let file = directory.path().join("bids/round-1.bid");
    std::fs::write(&file, &bid.to_bytes()[..50]).expect("written");
    let mut again = Member::at(&world, directory.path());
    again.follow(&world);
    assert!(matches!(again.seal(&world, Some(sells(40))), Err(SealFailure::Archive(_))));
    assert_eq!(std::fs::read(&file).expect("there").len(), 50);
}

#[test]
fn false_receipts_are_not_kept() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, mut member) = open_round(directory.path());
    let now_ms = world.ms(RoundTiming::open_ms, 1);
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    member.desk.begin(bid.clone(), now_ms);
    let keys: Vec<SigningKey> = world.validators.iter().map(|validator| validator.key.clone()).collect();
    let other = SealedBid { salt: [9; 32], ..bid.clone() };
    let false_ones = [
        // Another node's key, another bid, a changed number.
        (Target::Aggregator, receipt(&world, &keys[1], &bid)),
        (Target::Validator(2), receipt(&world, &keys[2], &bid)),
        (Target::Validator(5), receipt(&world, &keys[4], &bid)),
        (Target::Aggregator, receipt(&world, &world::receipt_key(), &other)),
        (Target::Aggregator, Receipt { sequence: 2, ..receipt(&world, &world::receipt_key(), &bid) }),
    ];
    for (number, (from, receipt)) in false_ones.iter().enumerate() {
        assert_eq!(member.desk.receipt(*from, receipt).expect("read"), Answer::Refused, "case {number}");
    }
    assert_eq!(member.desk.archive().receipts(1, 7).len(), 0);
    let true_one = receipt(&world, &keys[1], &bid);
    assert_eq!(member.desk.receipt(Target::Validator(2), &true_one).expect("kept"), Answer::Receipt);
    assert_eq!(member.desk.archive().receipts(1, 7).len(), 1);
}
