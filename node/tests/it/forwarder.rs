//! The aggregator's forwarder: what a promise needs before it leaves, and how long bids are sent again.

use crate::common;
use crate::world;
use crate::world::World;
use actix::{Actor, Addr};
use rand_core::OsRng;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veilgrid_actors::aggregator::{Confirm, Keep, KeepError};
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_client::ClientError;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::aggregator::{
    Acknowledgement, Forwarder, ForwarderOptions, Journaled, Ledger, Relay, Relayed,
};
use veilgrid_roles::intake::Admitted;
use veilgrid_store::IntakeJournal;

/// A validator that signs receipts with some key, if it is up.
struct Validator {
    key: SigningKey,
    up: AtomicBool,
    state: State,
    batches: AtomicUsize,
    seen: Mutex<Vec<[u8; 32]>>,
    /// Signs for another bid than it was sent.
    lies: bool,
    /// Gives no receipt for this bid.
    refuses: Option<[u8; 32]>,
    /// Who answers at its address once it has left.
    heir: Mutex<Option<SigningKey>>,
}

impl Relay for Validator {
    fn name(&self) -> &str {
        "validator"
    }

    fn relay(&self, batch: Vec<u8>) -> Relayed {
        if !self.up.load(Ordering::SeqCst) {
            return Box::pin(async {
                Err(ClientError::Unreachable { node: "validator".into(), why: "down".into() })
            });
        }
        self.batches.fetch_add(1, Ordering::SeqCst);
        let community = self.state.community();
        let ledger_id = community.ledger_id();
        let bids = RelayedBids::open(&batch, community.bid_shape(), &ledger_id, community.receipt_key())
            .expect("signed");
        let answers = bids.iter().map(|bid| {
            let digest = bid.digest();
            self.seen.lock().expect("seen").push(digest);
            let signed = if self.lies { [0; 32] } else { digest };
            let heir = self.heir.lock().expect("heir");
            let key = heir.as_ref().unwrap_or(&self.key);
            let receipt = Receipt::issue(key, ledger_id, bid.round_id, bid.account, signed, 1, &mut OsRng);
            Acknowledgement { digest, receipt: (self.refuses != Some(digest)).then_some(receipt) }
        });
        let answers: Vec<_> = answers.collect();
        Box::pin(async { Ok(answers) })
    }
}

/// Round 1 of a network takes bids, none of which is on the ledger.
fn bidding() -> (World, Vec<Admitted>) {
    bidding_in(World::new(4))
}

fn bidding_in(mut world: World) -> (World, Vec<Admitted>) {
    world.until_sharing(1);
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    world.due_at(open_ms);
    let Transaction::Bids { bids, .. } = world.bids(1, &common::BOOK) else { panic!("bids") };
    let admit = |(number, bid): (usize, SealedBid)| {
        let (key, ledger_id) = (&world::receipt_key(), world.state.community().ledger_id());
        let sequence = number as u64 + 1;
        let receipt = Receipt::issue(key, ledger_id, 1, bid.account, bid.digest(), sequence, &mut OsRng);
        Admitted { bid, receipt, on_ledger: false }
    };
    let admitted = bids.into_iter().enumerate().map(admit).collect();
    (world, admitted)
}

fn validator(world: &World, key: usize, up: bool) -> Arc<Validator> {
    Arc::new(Validator {
        key: world.validators[key].key.clone(),
        up: AtomicBool::new(up),
        state: world.state.clone(),
        batches: AtomicUsize::new(0),
        seen: Mutex::default(),
        lies: false,
        refuses: None,
        heir: Mutex::default(),
    })
}

fn forwarder(world: &World, journal: &Path, validators: &[Arc<Validator>]) -> Forwarder {
    Forwarder::new(options(world, journal, validators))
}

fn options(world: &World, journal: &Path, validators: &[Arc<Validator>]) -> ForwarderOptions {
    ForwarderOptions {
        key: world::receipt_key(),
        journal: IntakeJournal::open(journal).expect("journal"),
        validators: validators.iter().map(|validator| Arc::clone(validator) as Arc<dyn Relay>).collect(),
        state: world.state.clone(),
        promised: Vec::new(),
    }
}

/// Keeps bids and asks whether each of their receipts may leave.
async fn keep(forwarder: &Addr<Forwarder>, admitted: Vec<Admitted>) -> Vec<Result<(), KeepError>> {
    let receipts: Vec<Receipt> = admitted.iter().map(|one| one.receipt.clone()).collect();
    forwarder.send(Keep(admitted)).await.expect("alive").expect("durable");
    let mut asked: Vec<_> = receipts.into_iter().map(|receipt| forwarder.send(Confirm(receipt))).collect();
    let mut verdicts = Vec::new();
    for verdict in asked.drain(..) {
        verdicts.push(verdict.await.expect("alive"));
    }
    verdicts
}

fn journaled(path: &Path) -> usize {
    IntakeJournal::open(path).expect("journal").load().expect("loads").values().map(Vec::len).sum()
}

#[test]
fn a_promise_leaves_with_two_of_four_validators_and_the_journal_behind_it() {
    let (world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let validators: Vec<_> = (0..4).map(|at| validator(&world, at, at < 2)).collect();
    let bids = admitted.len();
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        assert_eq!(keep(&forwarder, admitted).await, vec![Ok(()); bids]);
        // Those that were down get them later.
        validators[3].up.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(validators[3].seen.lock().expect("seen").len(), bids);
        assert_eq!(validators[0].batches.load(Ordering::SeqCst), 1, "whoever has them is left alone");
    });
    assert_eq!(journaled(directory.path()), bids);
}

#[test]
fn one_validator_is_not_enough_whatever_it_says_and_how_often() {
    let (world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    // The same validator at two addresses, one that signs something else, and a key of nobody in the roster.
    let lying =
        Arc::new(Validator { lies: true, ..Arc::into_inner(validator(&world, 2, true)).expect("one") });
    let validators =
        [validator(&world, 1, true), validator(&world, 1, true), lying, validator(&world, 6, true)];
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        // All at once: each waits as long as senders are asked to.
        let one = admitted[..1].to_vec();
        let kept = keep(&forwarder, one).await;
        assert!(matches!(kept[..], [Err(KeepError::NoRoom { .. })]), "{kept:?}");
    });
    assert!(journaled(directory.path()) > 0, "they are sent again after a restart");
}

/// One bid is refused by all but one validator; the receipts of the others leave at once.
#[test]
fn a_bid_that_validators_refuse_takes_no_other_promise_away() {
    let (world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let refused = admitted[0].receipt.bid_digest;
    let refusing = |at| {
        let validator = Arc::into_inner(validator(&world, at, true)).expect("one");
        Arc::new(Validator { refuses: Some(refused), ..validator })
    };
    let validators: Vec<_> =
        (0..4).map(|at| if at == 0 { validator(&world, 0, true) } else { refusing(at) }).collect();
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        let began = Stopwatch::start();
        let others = keep(&forwarder, admitted).await;
        assert!(matches!(others[0], Err(KeepError::NoRoom { .. })), "{:?}", others[0]);
        assert!(others[1..].iter().all(Result::is_ok), "{others:?}");
        assert!(began.elapsed() < Duration::from_secs(8));
    });
}

/// Two of the four had the bid; then one of the two gave its place to another, who has its number and not the bid.
#[test]
fn what_a_validator_acknowledged_that_has_left_counts_no_longer() {
    let patient = RoundTiming { interval_ms: 20_000, bidding_ms: 15_000, ..world::timing() };
    let (mut world, admitted) = bidding_in(World::with(4, patient));
    let directory = tempfile::tempdir().expect("directory");
    let validators: Vec<_> = (0..4).map(|at| validator(&world, at, at >= 2)).collect();
    let receipt = admitted[0].receipt.clone();
    let change = world.sound_change(&[0, 1, 2, 4]);
    world.push(vec![change]);
    let before = world.state.clone();
    let changed = |world: &World| world.state.roster() != before.roster();
    world.steps_until("the change", changed);
    assert!(world.state.round(1).is_some_and(|round| round.takes_bids()));
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        forwarder.send(Ledger(before)).await.expect("alive");
        forwarder.send(Journaled(admitted)).await.expect("alive");
        assert_eq!(forwarder.send(Confirm(receipt.clone())).await.expect("alive"), Ok(()));
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
        let verdict = forwarder.send(Confirm(receipt.clone())).await.expect("alive");
        assert!(matches!(verdict, Err(KeepError::NoRoom { .. })), "{verdict:?}");
        // The new one runs at the old one's address: it gets the bid, and is one more of those in force.
        *validators[3].heir.lock().expect("heir") = Some(world.validators[4].key.clone());
        assert_eq!(forwarder.send(Confirm(receipt)).await.expect("alive"), Ok(()));
    });
}

/// Two of seven have the bid, too few; once they are two of four, whoever waits is told.
#[test]
fn a_receipt_leaves_when_fewer_validators_are_enough() {
    let patient = RoundTiming { interval_ms: 20_000, bidding_ms: 15_000, ..world::timing() };
    let (mut world, admitted) = bidding_in(World::with(7, patient));
    let directory = tempfile::tempdir().expect("directory");
    let validators: Vec<_> = (0..7).map(|at| validator(&world, at, at < 2)).collect();
    let receipt = admitted[0].receipt.clone();
    let change = world.sound_change(&[0, 1, 2, 3]);
    world.push(vec![change]);
    let before = world.state.clone();
    world.steps_until("the change", |world| world.state.roster() != before.roster());
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        forwarder.send(Ledger(before)).await.expect("alive");
        forwarder.send(Journaled(admitted)).await.expect("alive");
        let waiting = actix_rt::spawn(forwarder.send(Confirm(receipt)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!waiting.is_finished(), "two of seven are not f + 1");
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
        assert_eq!(waiting.await.expect("polled").expect("alive"), Ok(()));
    });
}

/// Every validator was too late for the bid: a receipt now would prove a lie.
#[test]
fn a_round_that_closes_without_a_bid_leaves_no_receipt_for_it() {
    let (mut world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let validators: Vec<_> = (0..4).map(|at| validator(&world, at, false)).collect();
    let (on_ledger, late) = (admitted[0].clone(), admitted[1].clone());
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        forwarder.send(Keep(vec![on_ledger.clone(), late.clone()])).await.expect("alive").expect("durable");
        let waiting = actix_rt::spawn(forwarder.send(Confirm(late.receipt.clone())));
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.push(vec![Transaction::Bids { round_id: 1, bids: vec![on_ledger.bid.clone()] }]);
        let close_ms = world.ms(RoundTiming::close_ms, 1);
        while world.state.round(1).is_some_and(|round| round.takes_bids()) {
            world.due_at(close_ms);
        }
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
        assert_eq!(waiting.await.expect("polled").expect("alive"), Err(KeepError::TooLate));
        let asked = |receipt: Receipt| forwarder.send(Confirm(receipt));
        assert_eq!(asked(late.receipt).await.expect("alive"), Err(KeepError::TooLate), "and again");
        assert_eq!(asked(on_ledger.receipt).await.expect("alive"), Ok(()), "the ledger has it");
    });
}

#[test]
fn promises_from_before_a_restart_are_sent_until_the_ledger_has_them() {
    let (mut world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let validators = [validator(&world, 0, true), validator(&world, 1, false)];
    let bids: Vec<SealedBid> = admitted.iter().map(|one| one.bid.clone()).collect();
    actix::System::new().block_on(async {
        let options = options(&world, directory.path(), &validators);
        let forwarder = Forwarder::new(ForwarderOptions { promised: admitted, ..options }).start();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(validators[0].seen.lock().expect("seen").len(), bids.len());
        world.push(vec![Transaction::Bids { round_id: 1, bids }]);
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
        validators[1].up.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(validators[1].batches.load(Ordering::SeqCst), 0, "the ledger has them all");
    });
}

#[test]
fn the_journal_forgets_what_is_over() {
    let (mut world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let validators: Vec<_> = (0..2).map(|at| validator(&world, at, true)).collect();
    let bids: Vec<SealedBid> = admitted.iter().map(|one| one.bid.clone()).collect();
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        let verdicts = keep(&forwarder, admitted).await;
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
        world.push(vec![Transaction::Bids { round_id: 1, bids }]);
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
        let close_ms = world.ms(RoundTiming::close_ms, 1);
        while world.state.round(1).is_some_and(|round| round.takes_bids()) {
            world.due_at(close_ms);
        }
        world.finish(1);
        forwarder.send(Ledger(world.state.clone())).await.expect("alive");
    });
    assert_eq!(journaled(directory.path()), 0);
}
