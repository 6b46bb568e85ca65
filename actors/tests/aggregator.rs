//! The aggregator's actor by itself: when a receipt is given, and when not.

mod common;

use actix::{Actor, Addr, Context, Handler, ResponseFuture, System};
use rand_core::OsRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use veilgrid_actors::aggregator::{AggregatorActor, BidRefusal, SubmitEnvelope};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_actors::sequencer::{FollowBlock, Order, OrderError};
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wallet::{Wallet, WalletSeed};
use veilgrid_ledger::builder::{genesis_block, propose};
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::intake::{Intake, IntakeError};
use veilgrid_roles::local::{Founding, draft_genesis};
use veilgrid_roles::member::envelope_for;
use veilgrid_roles::validator::Candidate;

/// Makes a block when it is allowed to, or says that there is none.
struct FakeSequencer {
    state: State,
    allowed: Arc<Semaphore>,
    refuses: bool,
}

impl Actor for FakeSequencer {
    type Context = Context<Self>;
}

impl Handler<Order> for FakeSequencer {
    type Result = ResponseFuture<Result<Arc<BlockEffects>, OrderError>>;

    fn handle(&mut self, message: Order, _: &mut Self::Context) -> Self::Result {
        let (allowed, refuses) = (Arc::clone(&self.allowed), self.refuses);
        let effects = propose(&self.state, message.0, 0, &mut VerifyAll).expect("accepted").2;
        Box::pin(async move {
            allowed.acquire().await.expect("open").forget();
            if refuses { Err(OrderError::Halted) } else { Ok(Arc::new(effects)) }
        })
    }
}

struct Scene {
    aggregator: Addr<AggregatorActor>,
    allowed: Arc<Semaphore>,
    envelopes: Vec<Vec<u8>>,
    bids: Vec<SealedBid>,
    /// With round 1 open.
    state: State,
}

/// Two members, a market for two, round 1 open, a bid of each in an envelope.
fn scene(refuses: bool) -> Scene {
    let wallets = [(); 2].map(|()| Wallet::from_seed(&WalletSeed::generate(&mut OsRng)));
    let params = MarketParams { min_bidders: 2, max_members: 2, ..common::params() };
    let founding = Founding {
        params,
        validators: 4,
        members: wallets.iter().map(|wallet| wallet.account_key(1).verifying_key().to_bytes()).collect(),
        key_epoch: 1,
        time_unix_ms: 0,
    };
    let candidates: Vec<_> = (1..=4).map(|index| Candidate::generate(index, &mut OsRng)).collect();
    let roster: Vec<_> = candidates.iter().map(Candidate::verifying_key).collect();
    let (receipt_key, envelope_key) = (SigningKey::generate(&mut OsRng), EnvelopeKey::generate(&mut OsRng));
    let draft = draft_genesis(&founding, &roster, &receipt_key, &envelope_key.public(), &mut OsRng);
    let context = draft.keygen_context();
    let packages = candidates.iter().map(|one| one.deal(&context, &mut OsRng).expect("dealt").0).collect();
    let genesis = genesis_block(Genesis::new(draft, packages).expect("genesis"), 0);
    let state = State::from_genesis_block(&genesis).expect("genesis");
    let open = Transaction::OpenRound { round_id: 1, slot_start_unix_s: 900, slot_seconds: 900 };
    let state = propose(&state, vec![open], 0, &mut VerifyAll).expect("open").1;

    let community = state.community();
    let seal = |wallet: &Wallet| {
        let quantities = vec![5; community.params().steps()];
        seal_bid(
            community.bid_params(),
            &state.round_context(1).expect("open"),
            wallet,
            &quantities,
            &mut OsRng,
        )
    };
    let bids: Vec<_> = wallets.iter().map(|wallet| seal(wallet).expect("sealed")).collect();
    let (ledger_id, key) = (community.ledger_id(), envelope_key.public());
    let envelopes = bids.iter().map(|bid| envelope_for(&key, &ledger_id, bid, &mut OsRng)).collect();
    let allowed = Arc::new(Semaphore::new(0));
    let sequencer = FakeSequencer { state: state.clone(), allowed: Arc::clone(&allowed), refuses }.start();
    let intake = Intake::new(envelope_key, receipt_key, state.clone(), 0);
    let pool = ProofPool::new("test", None, CancelFlag::new()).expect("threads");
    let shell = AggregatorActor::new(intake, pool, SharedVerdicts::new(10), sequencer.recipient());
    Scene { aggregator: shell.start(), allowed, envelopes, bids, state }
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
        assert!(matches!(refusal, BidRefusal::NotOrdered(OrderError::Halted)), "{refusal}");
    });
}

#[test]
fn who_comes_when_as_many_wait_as_there_are_members_is_sent_away() {
    System::new().block_on(async {
        let scene = scene(false);
        let first = scene.submit(0);
        let second = scene.submit(1);
        let refusal = scene.submit(0).await.expect("there").expect_err("overloaded");
        assert!(matches!(refusal, BidRefusal::Overloaded { waiting: 2 }), "{refusal}");
        scene.allowed.add_permits(2);
        first.await.expect("there").expect("a receipt");
        second.await.expect("there").expect("a receipt");
        scene.submit(0).await.expect("there").expect("room again");
    });
}

#[test]
fn an_invalid_bid_is_refused_and_the_others_of_its_batch_are_not() {
    System::new().block_on(async {
        let mut scene = scene(false);
        scene.allowed.add_permits(2);
        let good = scene.submit(0);
        scene.envelopes[1][40] ^= 1;
        let refusal = scene.submit(1).await.expect("there").expect_err("damaged");
        assert!(matches!(refusal, BidRefusal::Intake(IntakeError::Envelope(_))), "{refusal}");
        good.await.expect("there").expect("a receipt");
    });
}

#[test]
fn a_bid_whose_round_ends_while_it_waits_is_answered_and_frees_its_place() {
    System::new().block_on(async {
        let scene = scene(false);
        let (first, second) = (scene.submit(0), scene.submit(1));
        // Both are in the mailbox now, and their batch begins after a while; the round is closed and void before.
        let end = vec![
            Transaction::CloseRound { round_id: 1 },
            Transaction::Void { round_id: 1, reason: VoidReason::TooFewBids },
        ];
        let block = propose(&scene.state, end, 0, &mut VerifyAll).expect("void").0;
        let followed = scene.aggregator.send(FollowBlock(Arc::new(block)));
        followed.await.expect("there").expect("a good block");
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
