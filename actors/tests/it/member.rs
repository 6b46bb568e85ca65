//! A member's actor by itself: a bid that has to be sent again is the same bid.

use actix::{Actor, Addr, System};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::member::{
    Around, MemberActor, News, NoReceipt, Observe, Post, Posted, Submitted, Turn, Watch,
};
use veilgrid_actors::pool::{PoolError, ProofPool};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::{EnvelopeKey, open_envelope};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Grid, Order, Rule, Side};
use veilgrid_roles::committee::{Founding, Keys, one_process_timing};
use veilgrid_roles::local::LocalCommunity;
use veilgrid_roles::member::{
    Answer, BidArchive, Desk, Fallback, MemoryArchive, OrderSource, ResultBook, ResultsFailure, RoundResult,
    Target,
};

const SLOT_SECONDS: u32 = 900;
const VALIDATORS: u16 = 4;

/// A community with round 1 open, and the keys of its aggregator.
struct World {
    state: State,
    now_unix_ms: u64,
    keyring: Keyring,
    receipt_key: SigningKey,
    envelope_key: EnvelopeKey,
}

fn world() -> World {
    let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut OsRng));
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
    let account = |keyring: &Keyring| keyring.account_key(1).verifying_key().to_bytes();
    let other = Keyring::from_seed(&KeyringSeed::generate(&mut OsRng));
    let founding = Founding {
        params,
        validators: VALIDATORS,
        members: vec![account(&keyring), account(&other)],
        key_epoch: 1,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    // A community draws its validators' keys first and its aggregator's then.
    let (mut rng, mut twin) = (ChaCha20Rng::seed_from_u64(7), ChaCha20Rng::seed_from_u64(7));
    let mut local = LocalCommunity::found(&founding, &mut rng).expect("founded");
    (0..VALIDATORS).for_each(|_| drop(Keys::generate(&mut twin)));
    let (receipt_key, envelope_key) = (SigningKey::generate(&mut twin), EnvelopeKey::generate(&mut twin));
    local.open_round().expect("open");
    let (state, now_unix_ms) = (local.state().clone(), local.now_unix_ms());
    assert_eq!(
        state.community().genesis().aggregator_envelope_key,
        envelope_key.public().to_bytes(),
        "the twin's keys"
    );
    World { state, now_unix_ms, keyring, receipt_key, envelope_key }
}

/// Sells, and wants to know nothing.
struct Seller;

impl OrderSource for Seller {
    fn orders(&self, _: Slot) -> Result<Vec<Order>, String> {
        Ok(vec![Order { side: Side::Sell, limit_mct_per_kwh: 8_000, energy_wh: 40 }])
    }
}

impl ResultBook for Seller {
    fn write(&mut self, _: u64, _: Slot, _: RoundResult) -> Result<(), ResultsFailure> {
        Ok(())
    }

    fn write_not_opened(
        &mut self,
        _: RangeInclusive<u64>,
        _: &dyn Fn(u64) -> Option<Slot>,
    ) -> Result<(), ResultsFailure> {
        Ok(())
    }
}

/// An aggregator that loses its first answer, signs the second with a key that is not its own and takes the third; validators
/// are away.
struct Lossy {
    world: Arc<World>,
    seen: Arc<Mutex<Vec<SealedBid>>>,
}

impl Post for Lossy {
    fn post(&self, to: Target, envelope: Vec<u8>) -> Posted<'_> {
        let away = || NoReceipt { answer: Answer::Failed, why: "gone".into() };
        if to != Target::Aggregator {
            return Box::pin(async move { Err(away()) });
        }
        let community = self.world.state.community();
        let (ledger_id, shape) = (community.ledger_id(), community.bid_shape());
        let opened = open_envelope(&self.world.envelope_key, &ledger_id, &envelope, shape.bid_bytes());
        let bid = SealedBid::from_bytes(&opened.expect("an envelope").1, shape).expect("a bid");
        let mut seen = self.seen.lock().expect("seen");
        seen.push(bid.clone());
        let stranger = SigningKey::generate(&mut OsRng);
        let key = match seen.len() {
            1 => return Box::pin(async move { Err(away()) }),
            2 => &stranger,
            _ => &self.world.receipt_key,
        };
        let (account, digest) = (bid.account, bid.digest());
        let receipt = Receipt::issue(key, ledger_id, bid.round_id, account, digest, 1, &mut OsRng);
        Box::pin(async move { Ok(receipt) })
    }

    fn submit(&self, _: Transaction) -> Submitted<'_> {
        Box::pin(async { Err("no money here".to_owned()) })
    }
}

/// What its process hears of the member.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<String>, Option<Fallback>)>>);

impl Watch<MemoryArchive, Seller> for Heard {
    fn hear(&mut self, round_id: u64, news: News<'_>) {
        assert_eq!(round_id, 1);
        let what = match news {
            News::Sealed => "sealed".to_owned(),
            News::NotSealed(failure) => format!("not sealed: {failure}"),
            News::Promised(from, _) => format!("promised by {from}"),
            News::NotPromised(Target::Aggregator, why) => format!("not promised: {why}"),
            News::NotPromised(..) => return,
        };
        self.0.lock().expect("heard").0.push(what);
    }

    fn look(&mut self, desk: &Desk<MemoryArchive, Seller>) {
        self.0.lock().expect("heard").1 = desk.active().next().and_then(|(_, one)| one.delivery.fallback());
    }
}

impl Heard {
    /// Waits until the member has said so much.
    async fn until(&self, count: usize) -> Vec<String> {
        loop {
            let heard = self.0.lock().expect("heard").0.clone();
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

struct Scene {
    member: Addr<MemberActor<MemoryArchive, Seller>>,
    archive: MemoryArchive,
    clock: Arc<AtomicU64>,
    heard: Heard,
    cancel: CancelFlag,
}

fn scene(world: &Arc<World>, post: Lossy) -> Scene {
    let (archive, heard, cancel) = (MemoryArchive::new(), Heard::default(), CancelFlag::new());
    let clock = Arc::new(AtomicU64::new(world.now_unix_ms));
    let now = Arc::clone(&clock);
    let around = Around {
        orders: Arc::new(Seller),
        post: Arc::new(post),
        pool: ProofPool::new("test", None, cancel.clone()).expect("threads"),
        clock: Arc::new(move || now.load(Ordering::Relaxed)),
        watch: Box::new(heard.clone()),
    };
    let desk = Desk::new(Arc::new(world.keyring.clone()), world.state.clone(), archive.clone(), Seller);
    let member = MemberActor::new(desk, around).start();
    Scene { member, archive, clock, heard, cancel }
}

impl Scene {
    async fn turn_after(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
        self.member.send(Turn).await.expect("there").expect("it goes on");
    }
}

#[test]
fn a_bid_is_sent_again_unchanged_and_a_foreign_receipt_is_refused() {
    let world = Arc::new(world());
    System::new().block_on(async {
        let seen = Arc::default();
        let scene = scene(&world, Lossy { world: Arc::clone(&world), seen: Arc::clone(&seen) });
        scene.turn_after(0).await;
        assert_eq!(scene.heard.until(2).await, ["sealed", "not promised: gone"]);
        // It is asked again after a while, with the same bytes in a fresh envelope.
        scene.turn_after(10).await;
        assert_eq!(seen.lock().expect("seen").len(), 1);
        scene.turn_after(500).await;
        let heard = scene.heard.until(3).await;
        assert_eq!(heard[2..], ["not promised: the receipt is not what was asked for"]);
        {
            let seen = seen.lock().expect("seen");
            assert!(seen.len() == 2 && seen[0] == seen[1], "the same bytes");
            let kept = scene.archive.past_bid(1, world.state.community().bid_shape());
            assert_eq!(kept.as_ref(), Some(&seen[0]), "and those that are kept");
        }
        // Whoever signs falsely is asked no more: the bid goes to validators.
        scene.turn_after(60).await;
        assert!(scene.archive.receipts(1, VALIDATORS).is_empty());
        assert_eq!(scene.heard.0.lock().expect("heard").1, Some(Fallback::NotTaken));
        assert_eq!(seen.lock().expect("seen").len(), 2);
    });
}

#[test]
fn a_promise_is_kept_and_a_cancelled_member_makes_no_bid() {
    let world = Arc::new(world());
    System::new().block_on(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let scene = scene(&world, Lossy { world: Arc::clone(&world), seen: Arc::clone(&seen) });
        // Two tries that nobody remembers: the third one is answered well.
        let none = |salt| SealedBid {
            round_id: 0,
            account: [0; 32],
            salt: [salt; 32],
            r: [0; 32],
            c: Vec::new(),
            money: None,
            proof: Vec::new(),
            note: Vec::new(),
            signature: [0; 64],
        };
        seen.lock().expect("seen").extend([none(1), none(2)]);
        scene.turn_after(0).await;
        assert_eq!(scene.heard.until(2).await, ["sealed", "promised by aggregator"]);
        assert_eq!(scene.archive.receipts(1, VALIDATORS).len(), 1);
        // Blocks change nothing of it as long as they say nothing of it.
        let effects = BlockEffects {
            height: world.state.height(),
            block_hash: world.state.block_hash(),
            state_root: world.state.root(),
            at_start: Vec::new(),
            effects: Vec::new(),
        };
        let empty = Block::new(world.state.height(), [0; 32], 0, [0; 32], Vec::new());
        let (state, effects) = (world.state.clone(), Arc::new(effects));
        let block = Observe { block: Arc::new(empty), state, effects };
        scene.member.send(block).await.expect("there").expect("it goes on");
        scene.turn_after(10).await;
        assert_eq!(seen.lock().expect("seen").len(), 3, "it is not sent again");
    });
    System::new().block_on(async {
        let scene = scene(&world, Lossy { world: Arc::clone(&world), seen: Arc::default() });
        scene.cancel.cancel();
        scene.turn_after(0).await;
        assert_eq!(scene.heard.until(1).await, ["not sealed: the process is ending: no bid is made"]);
        assert!(!scene.archive.has_bid(1));
        // Nor does it try again, as it does when orders can't be used.
        scene.turn_after(1_000).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(scene.heard.until(1).await.len(), 1);
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
