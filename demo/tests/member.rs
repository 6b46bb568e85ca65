//! A member's actor by itself: a bid that has to be sent again is the same bid.

mod common;

use actix::{Actor, Context, Handler, System};
use common::{blocks, config, replayed, run_quietly};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use veilgrid_actors::aggregator::{BidRefusal, SubmitEnvelope};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::member::{Market, MemberActor, PlaceBid, PlacingError};
use veilgrid_actors::pool::{PoolError, ProofPool};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::{EnvelopeKey, open_envelope};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wallet::{Wallet, WalletSeed};
use veilgrid_demo::SimulatedOwner;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_roles::member::Member;
use veilgrid_scenario::behaviour::seed::seeded_rng;
use veilgrid_scenario::behaviour::{Consumer, MarketTerms};

/// Loses the first answer, and signs the second with a key that is not the aggregator's.
struct Lossy {
    key: EnvelopeKey,
    state: State,
    seen: Arc<Mutex<Vec<SealedBid>>>,
}

impl Actor for Lossy {
    type Context = Context<Self>;
}

impl Handler<SubmitEnvelope> for Lossy {
    type Result = Result<Receipt, BidRefusal>;

    fn handle(&mut self, message: SubmitEnvelope, _: &mut Self::Context) -> Self::Result {
        let community = self.state.community();
        let (ledger_id, shape) = (community.ledger_id(), community.bid_shape());
        let opened =
            open_envelope(&self.key, &ledger_id, &message.0, shape.bid_bytes()).expect("an envelope");
        let bid = SealedBid::from_bytes(&opened.1, shape).expect("a bid");
        let mut seen = self.seen.lock().expect("seen");
        seen.push(bid.clone());
        if seen.len() == 1 {
            return Err(BidRefusal::Gone);
        }
        let mut rng = rand_core::OsRng;
        let stranger = SigningKey::generate(&mut rng);
        Ok(Receipt::issue(&stranger, ledger_id, bid.round_id, bid.account, bid.digest(), 1, &mut rng))
    }
}

#[test]
fn a_bid_is_sent_again_unchanged_and_a_foreign_receipt_is_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let config = config(dir.path());
    let (report, _) = run_quietly(config.clone());
    let state = replayed(&blocks(&report.store_dirs[0]));
    System::new().block_on(async {
        let key = EnvelopeKey::generate(&mut rand_core::OsRng);
        let (envelope_key, seen) = (key.public(), Arc::default());
        let aggregator = Lossy { key, state: state.clone(), seen: Arc::clone(&seen) }.start();
        let cancel = CancelFlag::new();
        let pool = ProofPool::new("test", None, cancel.clone()).expect("threads");
        let market = Arc::new(Market { state, aggregator: aggregator.recipient(), envelope_key, pool });
        let terms = MarketTerms::new(&config.params.grid, 16, config.tariffs).expect("terms");
        let consumer = Consumer::new(terms, seeded_rng(1, "home", "consumer"));
        let wallet = Wallet::from_seed(&WalletSeed::generate(&mut rand_core::OsRng));
        let energy = config.participants[0].energy.clone();
        let owner = SimulatedOwner::new(Box::new(consumer), energy, &config.slots);
        let member = Member::new("home".into(), wallet, 1, owner);
        let actor = MemberActor::new(member, market).start();

        let sealed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sealed);
        let on_sealed = Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let slot = |index: usize| Slot { start_unix_s: config.slots[index].start_unix_s, seconds: 900 };
        let place = PlaceBid { slot: slot(0), round_id: 1, on_sealed };
        let lost = actor.send(place.clone()).await.expect("there").expect_err("lost");
        assert!(matches!(lost, PlacingError::Refused(BidRefusal::Gone)), "{lost}");
        let foreign = actor.send(place.clone()).await.expect("there").expect_err("not the aggregator's");
        assert!(matches!(foreign, PlacingError::Receipt(_)), "{foreign}");
        {
            let seen = seen.lock().expect("seen");
            assert!(seen.len() == 2 && seen[0] == seen[1], "the same bytes");
        }
        assert_eq!(sealed.load(Ordering::Relaxed), 1, "one proof");

        cancel.cancel();
        let next = PlaceBid { round_id: 2, slot: slot(1), ..place };
        let refused = actor.send(next).await.expect("there").expect_err("not bid for");
        // The model waits for the first slot's result; no second bid is formed before.
        assert!(matches!(refused, PlacingError::Member(_)), "{refused}");
        assert!(PlacingError::Pool(PoolError::Cancelled).is_cancellation());
    });
}

#[test]
fn a_cancelled_pool_begins_no_job_and_a_panic_is_told() {
    System::new().block_on(async {
        let cancel = CancelFlag::new();
        let pool = ProofPool::new("test", None, cancel.clone()).expect("threads");
        assert_eq!(pool.run(|| 7).await, Ok(7));
        assert_eq!(pool.run(|| -> u8 { panic!("a mistake") }).await, Err(PoolError::Panicked));
        assert_eq!(pool.run(|| 8).await, Ok(8), "the pool goes on");
        cancel.cancel();
        assert_eq!(pool.run(|| 9).await, Err(PoolError::Cancelled));
    });
}
