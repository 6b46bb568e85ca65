//! The aggregator's forwarder: what a promise needs before it leaves, and how long bids are sent again.

#[path = "../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../ledger/tests/common/network.rs"]
mod world;

use actix::Actor;
use rand_core::OsRng;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veilgrid_actors::aggregator::{Keep, KeepError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::aggregator::{
    Acknowledgement, Forwarder, ForwarderOptions, Ledger, Relay, Relayed, Restored,
};
use veilgrid_node::client::ClientError;
use veilgrid_roles::intake::Admitted;
use veilgrid_store::IntakeJournal;
use world::World;

/// A validator that signs receipts with some key, if it is up.
struct Validator {
    key: SigningKey,
    up: AtomicBool,
    state: State,
    batches: AtomicUsize,
    seen: Mutex<Vec<[u8; 32]>>,
    /// Signs for another bid than it was sent.
    lies: bool,
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
            let receipt =
                Receipt::issue(&self.key, ledger_id, bid.round_id, bid.account, signed, 1, &mut OsRng);
            Acknowledgement { digest, receipt: Some(receipt) }
        });
        let answers: Vec<_> = answers.collect();
        Box::pin(async { Ok(answers) })
    }
}

/// Round 1 of a network takes bids, none of which is on the ledger.
fn bidding() -> (World, Vec<Admitted>) {
    let mut world = World::keyed(4);
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    world.due_at(open_ms);
    let Transaction::Bids { bids, .. } = world.bids(1, &common::BOOK) else { panic!("bids") };
    let admit = |(number, bid): (usize, SealedBid)| {
        let (key, ledger_id) = (&world.validators[0].key, world.state.community().ledger_id());
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
    })
}

fn forwarder(world: &World, journal: &Path, validators: &[Arc<Validator>]) -> Forwarder {
    Forwarder::new(ForwarderOptions {
        key: world.validators[0].key.clone(),
        journal: IntakeJournal::open(journal).expect("journal"),
        validators: validators.iter().map(|validator| Arc::clone(validator) as Arc<dyn Relay>).collect(),
        state: world.state.clone(),
    })
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
        let kept = forwarder.send(Keep(admitted)).await.expect("alive");
        assert_eq!(kept, Ok(()));
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
        let kept = forwarder.send(Keep(admitted)).await.expect("alive");
        assert!(matches!(kept, Err(KeepError::NoRoom { .. })), "{kept:?}");
    });
    assert!(journaled(directory.path()) > 0, "they are sent again after a restart");
}

#[test]
fn promises_from_before_a_restart_are_sent_until_the_ledger_has_them() {
    let (mut world, admitted) = bidding();
    let directory = tempfile::tempdir().expect("directory");
    let validators = [validator(&world, 0, true), validator(&world, 1, false)];
    let bids: Vec<SealedBid> = admitted.iter().map(|one| one.bid.clone()).collect();
    actix::System::new().block_on(async {
        let forwarder = forwarder(&world, directory.path(), &validators).start();
        forwarder.send(Restored(admitted)).await.expect("alive");
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
        forwarder.send(Keep(admitted)).await.expect("alive").expect("kept");
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
