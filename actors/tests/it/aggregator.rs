//! The aggregator's actor by itself: when a receipt is given, and when not.

use actix::{Actor, Addr, Context, Handler, ResponseFuture, System};
use rand_core::OsRng;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use veilgrid_actors::aggregator::{
    Advance, AggregatorActor, BidRefusal, Confirm, Keep, KeepError, Keeper, MAX_SENDERS_PER_BID, SubmitBids,
    SubmitEnvelope,
};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::follow::FollowBlock;
use veilgrid_actors::pool::ProofPool;
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::{Grid, Rule};
use veilgrid_roles::committee::{Founding, one_process_timing};
use veilgrid_roles::intake::{Admitted, Intake, IntakeError};
use veilgrid_roles::local::{LocalCommunity, RoundEnd};
use veilgrid_roles::member::envelope_for;

const SLOT_SECONDS: u32 = 900;

/// Makes a block when it is allowed to, or says that there is none.
struct FakeOrderer {
    allowed: Arc<Semaphore>,
    refuses: bool,
}

impl Actor for FakeOrderer {
    type Context = Context<Self>;
}

impl Handler<Keep> for FakeOrderer {
    type Result = ResponseFuture<Result<(), KeepError>>;

    fn handle(&mut self, message: Keep, _: &mut Self::Context) -> Self::Result {
        let (allowed, refuses) = (Arc::clone(&self.allowed), self.refuses);
        assert!(!message.0.is_empty() && message.0.iter().all(|one| one.bid.round_id == 1));
        Box::pin(async move {
            allowed.acquire().await.expect("open").forget();
            if refuses { Err(KeepError::NotOrdered { why: "the day has ended".into() }) } else { Ok(()) }
        })
    }
}

struct Scene {
    aggregator: Addr<AggregatorActor>,
    allowed: Arc<Semaphore>,
    envelopes: Vec<Vec<u8>>,
    bids: Vec<SealedBid>,
    /// With round 1 open.
    local: LocalCommunity,
}

/// Two members, a market for two, round 1 open, a bid of each in an envelope.
fn scene(refuses: bool) -> Scene {
    scene_with(refuses, None)
}

/// The same with a journal instead of the orderer.
fn scene_with(refuses: bool, journal: Option<Keeper>) -> Scene {
    let keyrings = [(); 2].map(|()| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng)));
    let timing = one_process_timing(1_000_000, 9_000, SLOT_SECONDS);
    let params = MarketParams {
        grid: Grid::new(8_000, 3_000, 8).expect("grid"),
        bits: 16,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 2,
        slot_seconds: SLOT_SECONDS,
        threshold: 3,
        timing,
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
    };
    let founding = Founding {
        params,
        validators: 4,
        members: keyrings.iter().map(|keyring| keyring.account_key(1).verifying_key().to_bytes()).collect(),
        key_epoch: 1,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    let mut local = LocalCommunity::found(&founding, &mut OsRng).expect("founded");
    local.open_round().expect("open");
    let (state, now_unix_ms) = (local.state().clone(), local.now_unix_ms());
    let (receipt_key, envelope_key) = (SigningKey::generate(&mut OsRng), EnvelopeKey::generate(&mut OsRng));

    let community = state.community();
    let seal = |keyring: &Keyring| {
        let quantities = vec![5; community.params().steps()];
        seal_bid(
            community.bid_params().expect("keys"),
            &state.round_context(1).expect("open"),
            keyring,
            &quantities,
            &mut OsRng,
        )
    };
    let bids: Vec<_> = keyrings.iter().map(|keyring| seal(keyring).expect("sealed")).collect();
    let (ledger_id, key) = (community.ledger_id(), envelope_key.public());
    let envelopes = bids.iter().map(|bid| envelope_for(&key, &ledger_id, bid, &mut OsRng)).collect();
    let allowed = Arc::new(Semaphore::new(0));
    let orderer = FakeOrderer { allowed: Arc::clone(&allowed), refuses }.start();
    let keeper = journal.unwrap_or_else(|| Keeper::ledger(orderer.recipient()));
    let intake = Intake::new(envelope_key, receipt_key, state.clone(), 0);
    let pool = ProofPool::new("test", None, CancelFlag::new()).expect("threads");
    let shell =
        AggregatorActor::new(intake, pool, SharedVerdicts::new(10), keeper, Arc::new(move || now_unix_ms));
    Scene { aggregator: shell.start(), allowed, envelopes, bids, local }
}

impl Scene {
    fn submit(&self, bid: usize) -> actix::dev::Request<AggregatorActor, SubmitEnvelope> {
        self.aggregator.send(SubmitEnvelope(self.envelopes[bid].clone()))
    }
}

const A_WHILE: Duration = Duration::from_millis(700);

#[test]
fn a_receipt_comes_after_the_block_and_the_same_bytes_get_it_again() {
    System::new().block_on(async {
        let scene = scene(false);
        let mut waiting = Box::pin(scene.submit(0));
        assert!(tokio::time::timeout(A_WHILE, &mut waiting).await.is_err(), "the block is not made yet");
        scene.allowed.add_permits(1);
        let receipt = waiting.await.expect("there").expect("a receipt");
        assert_eq!(receipt.bid_digest, scene.bids[0].digest());
        assert_eq!(scene.submit(0).await.expect("there").expect("the same"), receipt);
    });
}

#[test]
fn without_a_block_there_is_no_receipt() {
    System::new().block_on(async {
        let scene = scene(true);
        scene.allowed.add_permits(1);
        let refusal = scene.submit(0).await.expect("there").expect_err("no block");
        assert!(matches!(refusal, BidRefusal::NotOrdered { .. }), "{refusal}");
    });
}

/// One member that sends its bid again and again takes up no place of another one.
#[test]
fn senders_of_one_bid_are_bounded_and_those_of_others_are_not_held_up() {
    System::new().block_on(async {
        let scene = scene(false);
        let first: Vec<_> = (0..MAX_SENDERS_PER_BID).map(|_| scene.submit(0)).collect();
        let other = scene.submit(1);
        let refusal = scene.submit(0).await.expect("there").expect_err("overloaded");
        assert!(matches!(refusal, BidRefusal::Overloaded { waiting: MAX_SENDERS_PER_BID }), "{refusal}");
        scene.allowed.add_permits(2);
        for request in first {
            request.await.expect("there").expect("a receipt");
        }
        other.await.expect("there").expect("a receipt");
        scene.submit(0).await.expect("there").expect("room again");
    });
}

/// While the journal writes, a receipt is signed and must not leave by a repetition either.
#[test]
fn a_repetition_gets_no_receipt_before_it_is_durable() {
    System::new().block_on(async {
        let scene = scene(true);
        let first = scene.submit(0);
        tokio::time::sleep(A_WHILE).await;
        let mut again = Box::pin(scene.submit(0));
        let early = tokio::time::timeout(A_WHILE, &mut again).await;
        assert!(early.is_err(), "signed, and not durable yet: {early:?}");
        scene.allowed.add_permits(1);
        for request in [first.await, again.await] {
            let refusal = request.expect("there").expect_err("no block");
            assert!(matches!(refusal, BidRefusal::NotOrdered { .. }), "{refusal}");
        }
    });
}

/// Keeps nothing, or everything; lets every receipt leave but those in `held`.
#[derive(Clone, Default)]
struct FakeJournal {
    kept: Arc<Mutex<Vec<Admitted>>>,
    held: Arc<Mutex<Vec<[u8; 32]>>>,
    asked: Arc<Mutex<usize>>,
    full: bool,
}

impl FakeJournal {
    fn keeper(self) -> Keeper {
        let journal = self.start();
        Keeper::journal(journal.clone().recipient(), journal.recipient())
    }
}

impl Actor for FakeJournal {
    type Context = Context<Self>;
}

impl Handler<Keep> for FakeJournal {
    type Result = Result<(), KeepError>;

    fn handle(&mut self, message: Keep, _: &mut Self::Context) -> Self::Result {
        if self.full {
            return Err(KeepError::NotDurable { why: "the disk is full".into() });
        }
        self.kept.lock().expect("kept").extend(message.0);
        Ok(())
    }
}

impl Handler<Confirm> for FakeJournal {
    type Result = ResponseFuture<Result<(), KeepError>>;

    fn handle(&mut self, Confirm(receipt): Confirm, _: &mut Self::Context) -> Self::Result {
        *self.asked.lock().expect("asked") += 1;
        let held = self.held.lock().expect("held").contains(&receipt.bid_digest);
        Box::pin(async move {
            if held {
                tokio::time::sleep(A_WHILE).await;
                return Err(KeepError::NoRoom { why: "nobody else has it".into() });
            }
            Ok(())
        })
    }
}

/// A member whom the validators refuse would otherwise take everybody else's receipts away.
#[test]
fn a_bid_that_nobody_takes_holds_up_no_other_receipt_and_is_journaled_once() {
    System::new().block_on(async {
        let journal = FakeJournal::default();
        let scene = scene_with(false, Some(journal.clone().keeper()));
        journal.held.lock().expect("held").push(scene.bids[0].digest());
        let (held, other) = (scene.submit(0), scene.submit(1));
        let began = tokio::time::Instant::now();
        other.await.expect("there").expect("a receipt");
        assert!(began.elapsed() < A_WHILE, "of the same batch, and not held up");
        let refusal = held.await.expect("there").expect_err("nobody has it");
        assert!(matches!(refusal, BidRefusal::NotKept(KeepError::NoRoom { .. })), "{refusal}");
        // The same bytes ask again, under the receipt that is in the journal already.
        journal.held.lock().expect("held").clear();
        let receipt = scene.submit(0).await.expect("there").expect("a receipt");
        let kept = journal.kept.lock().expect("kept");
        assert_eq!(kept.iter().filter(|one| one.bid == scene.bids[0]).count(), 1);
        assert!(kept.iter().any(|one| one.receipt == receipt));
    });
}

/// Also a receipt that was signed before a restart: whether it may leave is asked anew.
#[test]
fn no_receipt_leaves_unasked() {
    System::new().block_on(async {
        let journal = FakeJournal::default();
        let scene = scene_with(false, Some(journal.clone().keeper()));
        for times in 1..=3 {
            scene.submit(0).await.expect("there").expect("a receipt");
            assert_eq!(*journal.asked.lock().expect("asked"), times);
        }
    });
}

#[test]
fn a_node_keeps_bids_with_their_receipts_and_answers_each_of_a_batch() {
    System::new().block_on(async {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let journal = FakeJournal { kept: Arc::clone(&kept), ..FakeJournal::default() };
        let scene = scene_with(false, Some(journal.keeper()));
        let mut forged = scene.bids[1].clone();
        forged.note[0] ^= 1;
        let bids = vec![scene.bids[0].clone(), forged, scene.bids[1].clone()];
        let answers = scene.aggregator.send(SubmitBids(bids)).await.expect("there");
        let fault = answers[1].as_ref().expect_err("forged");
        assert!(matches!(fault, BidRefusal::Intake(IntakeError::Fault(_))), "{fault}");
        let receipts: Vec<_> =
            [&answers[0], &answers[2]].map(|one| one.as_ref().expect("valid").clone()).into();
        let mut kept = kept.lock().expect("kept").clone();
        kept.sort_by_key(|one| one.receipt.sequence);
        assert_eq!(kept.iter().map(|one| one.receipt.clone()).collect::<Vec<_>>(), receipts);
        assert_eq!(kept.iter().map(|one| one.bid.clone()).collect::<Vec<_>>(), scene.bids);
    });
}

#[test]
fn what_the_journal_does_not_take_gets_no_receipt() {
    System::new().block_on(async {
        let journal = FakeJournal { full: true, ..FakeJournal::default() };
        let scene = scene_with(false, Some(journal.keeper()));
        for _ in 0..2 {
            let refusal = scene.submit(0).await.expect("there").expect_err("not durable");
            assert!(matches!(refusal, BidRefusal::NotKept(KeepError::NotDurable { .. })), "{refusal}");
        }
    });
}

#[test]
fn a_state_that_was_executed_elsewhere_ends_the_round_too() {
    System::new().block_on(async {
        let mut scene = scene(false);
        let waiting = scene.submit(0);
        assert!(matches!(scene.local.finish_round(1), Ok(RoundEnd::Voided(VoidReason::TooFewBids))));
        scene.aggregator.send(Advance(scene.local.state().clone())).await.expect("there");
        let refusal = waiting.await.expect("there").expect_err("too late");
        assert!(matches!(refusal, BidRefusal::RoundOver), "{refusal}");
    });
}

#[test]
fn an_invalid_bid_is_refused_and_the_others_of_its_batch_are_not() {
    System::new().block_on(async {
        let mut scene = scene(false);
        scene.allowed.add_permits(2);
        let good = scene.submit(0);
        scene.envelopes[1][60] ^= 1;
        let refusal = scene.submit(1).await.expect("there").expect_err("damaged");
        assert!(matches!(refusal, BidRefusal::Intake(IntakeError::Envelope(_))), "{refusal}");
        good.await.expect("there").expect("a receipt");
    });
}

#[test]
fn a_bid_whose_round_ends_while_it_waits_is_answered_and_frees_its_place() {
    System::new().block_on(async {
        let mut scene = scene(false);
        let (first, second) = (scene.submit(0), scene.submit(1));
        // Both are in the mailbox now, and their batch begins after a while; the round is closed and void before.
        let known = scene.local.ledger().len();
        assert!(matches!(scene.local.finish_round(1), Ok(RoundEnd::Voided(VoidReason::TooFewBids))));
        for (block, certificate) in &scene.local.ledger()[known..] {
            let certificate = certificate.clone().map(Arc::new);
            let block = FollowBlock { block: Arc::new(block.clone()), certificate };
            scene.aggregator.send(block).await.expect("there").expect("a good block");
        }
        for request in [first, second] {
            let answer = tokio::time::timeout(A_WHILE, request).await.expect("an answer");
            let refusal = answer.expect("there").expect_err("too late");
            assert!(matches!(refusal, BidRefusal::RoundOver), "{refusal}");
        }
        // Two places, both free again: the refusal is about the round.
        let refusal = scene.submit(0).await.expect("there").expect_err("the round is over");
        assert!(matches!(refusal, BidRefusal::Intake(IntakeError::NotOpen { round_id: 1 })), "{refusal}");
    });
}
