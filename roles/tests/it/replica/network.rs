//! Four validators in memory: a replica and a key holder each, gossip that is delivered or not, a proposer that
//! rotates, and an engine that makes every block final that all have voted for.

use crate::common::{BOOK, SLOT_SECONDS, params};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::Arc;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::keyholder::{KeyHolder, Owed};
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered, Proposal, Replica};

pub const VALIDATORS: u16 = 4;
pub const KEY_EPOCH: u64 = 5;
pub const START_MS: u64 = 1_700_000_000_000;

/// What a validator's key holder has made goes to its own replica.
pub fn offer(replica: &mut Replica, owed: Owed) -> Result<Offered, OfferRefusal> {
    match owed {
        Owed::Share { round_id, opening_index, share } => replica.offer_share(round_id, opening_index, share),
        Owed::KeyEvent { session, event } => replica.offer_key_event(session, &event),
    }
}

pub struct Network {
    pub rng: ChaCha20Rng,
    pub keyrings: Vec<Keyring>,
    pub replicas: Vec<Replica>,
    pub holders: Vec<KeyHolder>,
    pub now_ms: u64,
    pub blocks: Vec<Block>,
    /// Validators (from 0) whose key holders say nothing.
    pub silent: Vec<usize>,
}

pub fn timing() -> RoundTiming {
    RoundTiming {
        first_open_unix_ms: START_MS + 3_000,
        interval_ms: 30_000,
        bidding_ms: 10_000,
        grace_blocks: 2,
        opening_deadline_ms: 8_000,
        suspend_after_ms: 3_000,
        first_slot_start_unix_s: 1_700_000_100,
        epoch_blocks: 1_000,
        keygen_phase_blocks: 20,
        max_clock_skew_ms: 2_000,
    }
}

/// Rounds every 3 s and renewed shares every 28 blocks: they meet.
pub fn fast() -> RoundTiming {
    RoundTiming {
        interval_ms: 3_000,
        bidding_ms: 1_000,
        epoch_blocks: 28,
        keygen_phase_blocks: 5,
        max_clock_skew_ms: 400,
        ..timing()
    }
}

/// The consensus key of a validator (from 0).
pub fn consensus_key(at: usize) -> [u8; 32] {
    EdwardsPoint::mul_base(&Scalar::from(at as u64 + 1)).compress().to_bytes()
}

/// The signing key of a validator (from 0), the same each time.
pub fn signing_key(at: u16) -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(100 + u64::from(at)))
}

fn account(keyring: &Keyring) -> [u8; 32] {
    keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()
}

/// The registrar's, which is nobody else's.
pub fn registrar_key() -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(78))
}

impl Network {
    /// A network at its genesis, its replicas with these limits, its rounds with these times.
    pub fn founded(limits: Limits, timing: RoundTiming) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let signing_keys: Vec<SigningKey> = (0..VALIDATORS).map(signing_key).collect();
        let mut keyrings: Vec<Keyring> =
            (0..12).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        keyrings.sort_by_key(account);
        let entries = signing_keys.iter().enumerate().map(|(at, key)| ValidatorEntry {
            signing_key: key.verifying_key().to_bytes(),
            consensus_key: consensus_key(at),
            envelope_key: EnvelopeKey::generate(&mut rng).public().to_bytes(),
        });
        let validators = entries.collect();
        let params = MarketParams { max_members: 64, ..params(timing, 3) };
        let genesis = Genesis {
            format_version: FORMAT_VERSION,
            nonce: [9; 32],
            params: params.clone(),
            roster: Roster { validators },
            aggregator_receipt_key: SigningKey::generate(&mut rng).verifying_key().to_bytes(),
            aggregator_envelope_key: EnvelopeKey::generate(&mut rng).public().to_bytes(),
            registrar_key: registrar_key().verifying_key().to_bytes(),
            members: Certificate::of_accounts(&params, KEY_EPOCH, keyrings.iter().map(account)),
            key_epoch: KEY_EPOCH,
            first_session: 1,
        };
        let genesis = genesis_block(genesis.checked().expect("genesis"), START_MS);
        let state = State::from_genesis_block(&genesis).expect("state");
        let holders = (0..VALIDATORS).map(|at| KeyHolder::new(signing_key(at))).collect();
        // One validator has its table from elsewhere, the others build it.
        let mut replicas: Vec<Replica> =
            (0..VALIDATORS).map(|_| Replica::new(state.clone(), limits)).collect();
        replicas[0].use_log(Arc::new(SmallLog::new(1 << 12)));
        Self { rng, keyrings, replicas, holders, now_ms: START_MS, blocks: vec![genesis], silent: Vec::new() }
    }

    /// A network that has keys.
    pub fn keyed() -> Self {
        Self::keyed_with(Limits::default())
    }

    pub fn keyed_with(limits: Limits) -> Self {
        let mut network = Self::founded(limits, timing());
        network.run_until(2_900, |effect| matches!(effect, Effect::KeysInForce { .. }));
        network
    }

    /// A network with keys whose first round takes bids.
    pub fn open() -> Self {
        Self::open_with(Limits::default())
    }

    pub fn open_with(limits: Limits) -> Self {
        let mut network = Self::keyed_with(limits);
        network.run_until(3_500, |effect| matches!(effect, Effect::RoundOpened { round_id: 1, .. }));
        network
    }

    pub fn state(&self) -> &State {
        self.replicas[0].state()
    }

    pub fn tip(&self) -> &Block {
        self.blocks.last().expect("a ledger has a block")
    }

    pub fn bid(&mut self, round_id: u64, member: usize, quantities_wh: &[u64]) -> SealedBid {
        let state = self.replicas[0].state();
        let (community, t) = (state.community(), *state.timing());
        let slot = Slot {
            start_unix_s: t.slot_start_unix_s(round_id, SLOT_SECONDS).expect("slot"),
            seconds: SLOT_SECONDS,
        };
        let context = community.round_context(round_id, slot);
        let params = community.bid_params().expect("keys");
        seal_bid(params, &context, &self.keyrings[member], quantities_wh, &mut self.rng).expect("bid")
    }

    /// The bids of [`BOOK`], by the members 0 to 3.
    pub fn book(&mut self, round_id: u64) -> Vec<SealedBid> {
        BOOK.iter().enumerate().map(|(member, wh)| self.bid(round_id, member, wh)).collect()
    }

    /// Delivers all gossip to everybody. Returns the number of messages.
    pub fn gossip(&mut self) -> usize {
        let mut count = 0;
        for from in 0..self.replicas.len() {
            for message in self.replicas[from].take_gossip() {
                count += 1;
                for to in (0..self.replicas.len()).filter(|to| *to != from) {
                    self.replicas[to].receive(&consensus_key(from), &message).expect("honest gossip");
                }
            }
        }
        count
    }

    /// What the key holders do at the final state goes to their own replicas.
    pub fn hold_keys(&mut self) {
        for (at, holder) in self.holders.iter_mut().enumerate() {
            let replica = &mut self.replicas[at];
            let actions = holder.act(replica.state(), &mut self.rng);
            if self.silent.contains(&at) {
                continue;
            }
            for one in actions.owed {
                offer(replica, one).expect("an honest validator's own transaction");
            }
        }
    }

    /// The proposer's block on the final tip, if it is time for one; the clock moves on when it is not.
    pub fn proposal(&mut self) -> Option<Block> {
        let (proposer, tip) = (self.blocks.len() % self.replicas.len(), self.tip().hash());
        match self.replicas[proposer].propose(&tip, self.now_ms) {
            Proposal::Block(block) => Some(*block),
            Proposal::Wait { ms } => {
                assert!((1..=20).contains(&ms), "waits {ms} ms");
                self.now_ms += ms;
                None
            }
        }
    }

    /// Everybody votes for the block and it becomes final.
    pub fn commit(&mut self, block: Block) -> BlockEffects {
        let now_ms = self.now_ms;
        let mut effects = Vec::new();
        for replica in &mut self.replicas {
            replica.check(&block, now_ms).expect("an honest proposal gets every vote");
            effects.push(replica.finalise(&block).expect("final").expect("new"));
        }
        assert!(effects.iter().all(|other| *other == effects[0]), "the replicas differ");
        self.blocks.push(block);
        self.hold_keys();
        effects.swap_remove(0)
    }

    /// One block, or a wait.
    pub fn step(&mut self) -> Option<BlockEffects> {
        if self.blocks.len() == 1 {
            self.hold_keys();
        }
        self.gossip();
        let block = self.proposal()?;
        Some(self.commit(block))
    }

    /// One block, however long it takes.
    pub fn next_block(&mut self) -> BlockEffects {
        (0..1_000).find_map(|_| self.step()).expect("a block within 20 s")
    }

    /// Runs until an effect; the effects of its block. The clock may not go beyond the start by more than `until_ms`.
    pub fn run_until(&mut self, until_ms: u64, wanted: impl Fn(&Effect) -> bool) -> BlockEffects {
        while self.now_ms <= START_MS + until_ms {
            let Some(effects) = self.step() else { continue };
            assert!(!effects.effects.iter().any(|effect| matches!(effect, Effect::Refused(_))));
            if effects.all().any(&wanted) {
                return effects;
            }
        }
        panic!("it did not happen within {until_ms} ms: {:?}", self.replicas[0].summary());
    }

    /// A block of these transactions on a state, made by somebody who does not care about rules.
    pub fn any_block(&self, parent: &Hash, time_unix_ms: u64, transactions: Vec<Transaction>) -> Block {
        let state = self.replicas[0].state_after(parent).expect("known parent");
        Block::new(state.height() + 1, *parent, time_unix_ms, state.root(), transactions)
    }
}
