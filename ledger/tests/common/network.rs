//! A ledger in memory: four members, validators that act on the state, and one hand that makes the blocks.
#![allow(dead_code, reason = "each test file uses a part")]

#[allow(unused_imports, reason = "each test file uses a part")]
pub use super::common::{EPOCH_BLOCKS, PHASE_BLOCKS, timing};

use super::common::{BOOK, EPOCH, START_MS, account, export};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keygen::{KeyShares, OneTimeKey, Opened};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::opening::{OpeningShare, release_share};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::{BlockDraft, genesis_block, propose};
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::offices::{KeyReplacement, NewKeys};
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::{BlockError, BlockFault, Refusal};
use veilgrid_ledger::roster::{Roster, RosterChange, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::Rule;

#[path = "network_rounds.rs"]
mod rounds;
#[path = "network_sessions.rs"]
mod sessions;

/// From one block to the next one when a test says nothing else.
pub const BLOCK_MS: u64 = 10;

pub fn params(timing: RoundTiming, threshold: u16) -> MarketParams {
    MarketParams { timing, threshold, ..super::common::params(Rule::Uniform, true) }
}

/// Somebody who is a validator or may become one.
pub struct Validator {
    pub key: SigningKey,
    pub entry: ValidatorEntry,
    /// With the number of the session that they come from.
    pub shares: Option<(u64, KeyShares)>,
    /// Of a session that has ended and is not in force yet.
    next: Option<(u64, KeyShares)>,
    running: Option<Running>,
}

#[derive(Default)]
struct Running {
    session: u64,
    one_time: Option<OneTimeKey>,
    opened: Option<Opened>,
}

pub struct World {
    pub rng: ChaCha20Rng,
    pub validators: Vec<Validator>,
    pub keyrings: Vec<Keyring>,
    pub state: State,
    /// Executes every block from its bytes, each after a restart from its own saved state.
    replica: State,
    pub blocks: Vec<Block>,
    pub effects: Vec<BlockEffects>,
    /// Who takes no part in key sessions.
    pub silent: BTreeSet<usize>,
}

/// An Ed25519 key that belongs to a signing key; nobody signs with it.
pub fn consensus_key(signing_key: &[u8; 32]) -> [u8; 32] {
    EdwardsPoint::mul_base(&Scalar::from_bytes_mod_order(*signing_key)).compress().to_bytes()
}

pub fn entry(key: &SigningKey) -> ValidatorEntry {
    let signing_key = key.verifying_key().to_bytes();
    ValidatorEntry {
        signing_key,
        consensus_key: consensus_key(&signing_key),
        envelope_key: EnvelopeKey::from_bytes(&signing_key).public().to_bytes(),
    }
}

/// The aggregator's receipt key, which is nobody else's.
pub fn receipt_key() -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(77))
}

/// The registrar's key, which is nobody else's.
pub fn registrar_key() -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(78))
}

pub fn genesis(params: MarketParams, entries: &[ValidatorEntry], keyrings: &[Keyring]) -> Genesis {
    Genesis {
        format_version: FORMAT_VERSION,
        nonce: [9; 32],
        params: params.clone(),
        roster: Roster { validators: entries.to_vec() },
        aggregator_receipt_key: receipt_key().verifying_key().to_bytes(),
        aggregator_envelope_key: [3; 32],
        registrar_key: registrar_key().verifying_key().to_bytes(),
        members: Certificate::of_accounts(&params, EPOCH, keyrings.iter().map(account)),
        key_epoch: EPOCH,
        first_session: 1,
    }
}

impl World {
    /// Seven people of whom the first n are validators, at height 0.
    pub fn new(n: u16) -> Self {
        Self::with(n, timing())
    }

    pub fn with(n: u16, timing: RoundTiming) -> Self {
        Self::of_market(n, params(timing, n - (n - 1) / 3), 7)
    }

    /// With this many people, of whom the first n are validators.
    pub fn of_market(n: u16, params: MarketParams, people: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let validators: Vec<_> = (0..people)
            .map(|_| {
                let key = SigningKey::generate(&mut rng);
                Validator { entry: entry(&key), key, shares: None, next: None, running: None }
            })
            .collect();
        let mut keyrings: Vec<_> =
            (0..BOOK.len()).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        keyrings.sort_by_key(account);
        let entries: Vec<_> = validators[..n.into()].iter().map(|v| v.entry).collect();
        let genesis = genesis(params, &entries, &keyrings);
        let block = genesis_block(genesis.checked().expect("sound"), START_MS);
        let state = State::from_genesis_block(&block).expect("genesis");
        let replica = state.clone();
        let (blocks, effects, silent) = (vec![block], Vec::new(), BTreeSet::new());
        Self { rng, validators, keyrings, replica, state, blocks, effects, silent }
    }

    /// The same with keys in force.
    pub fn keyed(n: u16) -> Self {
        Self::new(n).with_keys()
    }

    pub fn with_keys(mut self) -> Self {
        self.until_sharing(1);
        self
    }

    /// Four validators have settled a round of [`BOOK`].
    pub fn finished() -> Self {
        let mut world = Self::keyed(4);
        world.round(1);
        world
    }

    pub fn timing(&self) -> RoundTiming {
        *self.state.timing()
    }

    /// The next block with exactly these transactions, refused or not; a replica gets its bytes.
    pub fn force_at(&mut self, time_unix_ms: u64, transactions: Vec<Transaction>) -> BlockEffects {
        let (height, parent) = (self.state.height() + 1, self.state.block_hash());
        let time_unix_ms = time_unix_ms.max(self.state.time_unix_ms());
        let block = Block::new(height, parent, time_unix_ms, self.state.root(), transactions);
        let effects = self.state.apply_block(&block, &mut VerifyAll).expect("a sound header");
        let decoded = Block::from_bytes(&block.to_bytes(), &self.replica.community().decode_context());
        // The replica starts again before every block.
        let (bytes, root) = (self.replica.save(), self.replica.root());
        let whole = &mut |height: u64| self.blocks.get(height as usize).cloned();
        self.replica = State::restore(&self.blocks[0], &bytes, &root, whole).expect("its own saved state");
        assert_eq!(self.replica.save(), bytes, "the state before height {height}");
        let again = self.replica.apply_block(&decoded.expect("canonical"), &mut VerifyAll).expect("the same");
        assert_eq!(again, effects, "two replicas differ at height {height}");
        assert_eq!(effects.state_root, self.state.root());
        assert_eq!(self.replica.save(), self.state.save());
        self.blocks.push(block);
        self.effects.push(effects.clone());
        self.take_shares();
        effects
    }

    pub fn force(&mut self, transactions: Vec<Transaction>) -> BlockEffects {
        self.force_at(self.state.time_unix_ms() + BLOCK_MS, transactions)
    }

    /// The next block; every transaction has to be accepted, and a builder has to make the same block.
    pub fn at(&mut self, time_unix_ms: u64, transactions: Vec<Transaction>) -> BlockEffects {
        let parent = self.state.clone();
        let built = propose(&parent, transactions.clone(), time_unix_ms, &mut VerifyAll).expect("accepted");
        let effects = self.force_at(time_unix_ms, transactions);
        assert_eq!(built.2, effects, "the builder's block is another one");
        effects
    }

    pub fn push(&mut self, transactions: Vec<Transaction>) -> BlockEffects {
        self.at(self.state.time_unix_ms() + BLOCK_MS, transactions)
    }

    /// What a transaction would do as the first one of a block of this time.
    pub fn try_at(&self, time_unix_ms: u64, transaction: Transaction) -> Result<Effect, Refusal> {
        BlockDraft::begin(&self.state, time_unix_ms).try_push(transaction, &mut VerifyAll).cloned()
    }

    /// The refusal of a transaction in the next block. A builder names it, a block records it, and it has no other effect.
    pub fn refusal(&self, transaction: Transaction) -> Refusal {
        let (mut next, time_unix_ms) = (self.state.clone(), self.state.time_unix_ms());
        next.begin_block(time_unix_ms);
        let before = next.root();
        let single = next.apply_transaction(&transaction, &mut VerifyAll).expect_err("refused");
        assert_eq!(next.root(), before, "a refused transaction has an effect");
        let transactions = vec![transaction];
        let error = propose(&self.state, transactions.clone(), time_unix_ms, &mut VerifyAll).err();
        let fault = BlockFault::from(single.clone());
        let height = self.state.height() + 1;
        assert_eq!(error, Some(BlockError { height, transaction: Some(0), fault }));
        let (parent, root) = (self.state.block_hash(), self.state.root());
        let block = Block::new(height, parent, time_unix_ms, root, transactions);
        let effects = self.state.clone().apply_block(&block, &mut VerifyAll).expect("a sound header").effects;
        assert_eq!(effects, [Effect::Refused(Box::new(single.clone()))]);
        single
    }

    pub fn export(&self) -> Vec<u8> {
        export(&self.blocks, self.state.root())
    }

    pub fn genesis(&self) -> &Genesis {
        self.state.community().genesis()
    }

    pub fn try_next(&self, transaction: Transaction) -> Result<Effect, Refusal> {
        self.try_at(self.state.time_unix_ms() + BLOCK_MS, transaction)
    }

    /// A block with what its time makes due.
    pub fn due_at(&mut self, time_unix_ms: u64) -> BlockEffects {
        self.at(time_unix_ms, self.state.due(time_unix_ms))
    }

    /// A block with the key events of everybody who is not silent.
    pub fn step(&mut self) -> BlockEffects {
        let events = self.key_events();
        self.push(events)
    }

    pub fn steps_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..3 * EPOCH_BLOCKS {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("{what}: not in three epochs");
    }

    pub fn until_sharing(&mut self, session: u64) {
        self.steps_until("shares in force", |world| world.state.sharing() == Some(session));
    }

    /// Steps to the block before the next epoch.
    pub fn until_last_of_epoch(&mut self) {
        self.steps_until("the end of an epoch", |world| (world.state.height() + 1) % EPOCH_BLOCKS == 0);
    }

    /// What follows from a height or a transaction, of all blocks so far.
    pub fn all_effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().flat_map(|block| block.all())
    }

    pub fn roster_of(&self, who: &[usize]) -> Roster {
        Roster { validators: who.iter().map(|who| self.validators[*who].entry).collect() }
    }

    /// A change to these people, signed by the validators with these numbers.
    pub fn change(&mut self, who: &[usize], signers: &[u16]) -> RosterChange {
        let roster = self.roster_of(who);
        let current = self.state.roster().clone();
        let since = self.state.roster_since();
        let ledger_id = self.state.community().ledger_id();
        let endorsements = signers
            .iter()
            .map(|number| {
                let wanted = current.validators[usize::from(*number) - 1].signing_key;
                let signer = self.validators.iter().find(|v| v.entry.signing_key == wanted).expect("known");
                RosterChange::endorse(
                    &ledger_id,
                    &current,
                    since,
                    &roster,
                    *number,
                    &signer.key,
                    &mut self.rng,
                )
            })
            .collect();
        RosterChange { roster, endorsements }
    }

    /// A change that is signed by just enough.
    pub fn sound_change(&mut self, who: &[usize]) -> Transaction {
        let signers: Vec<u16> = (1..=self.state.community().threshold()).collect();
        Transaction::ChangeValidators(Box::new(self.change(who, &signers)))
    }
}
