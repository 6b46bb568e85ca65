//! Validators without an engine: proposers take turns, everybody checks, what all have checked is final.

use crate::common::{BOOK, params};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use veilgrid_crypto::bid::seal_bid;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::roster::{Roster, RosterChange, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::core::{CoreError, Failure, MemoryJournal, ValidatorCore};
use veilgrid_roles::keyholder::{Holding, KeyHolder};
use veilgrid_roles::replica::{Limits, Offered, Proposal};

pub const KEY_EPOCH: u64 = 5;
pub const START_MS: u64 = 1_700_000_000_000;
pub const EPOCH_BLOCKS: u64 = 60;
pub const CERTIFICATE: &[u8] = b"certificate";

pub type Core = ValidatorCore<MemoryJournal, ChaCha20Rng>;
/// Changes or drops a message of a validator: its number in the net, the message.
pub type Wire = Box<dyn FnMut(usize, Vec<u8>) -> Option<Vec<u8>>>;

pub struct Net {
    pub rng: ChaCha20Rng,
    /// Of the validators and then of those that may become some.
    pub keys: Vec<SigningKey>,
    pub cores: Vec<Core>,
    pub genesis: Block,
    pub keyrings: Vec<Keyring>,
    pub now_ms: u64,
    pub turn: usize,
    /// Validators that follow and say nothing.
    pub mute: BTreeSet<usize>,
    pub wire: Option<Wire>,
    /// What the blocks did.
    pub effects: Vec<Effect>,
    /// Times that validator 0 was started again; none when it lives on.
    pub lives: Option<u64>,
}

fn timing() -> RoundTiming {
    RoundTiming {
        first_open_unix_ms: START_MS + 4_000,
        interval_ms: 6_000,
        bidding_ms: 1_000,
        grace_blocks: 2,
        opening_deadline_ms: 4_500,
        suspend_after_ms: 3_000,
        first_slot_start_unix_s: 1_700_000_100,
        epoch_blocks: EPOCH_BLOCKS,
        keygen_phase_blocks: 8,
        max_clock_skew_ms: 450,
    }
}

pub fn entry(key: &SigningKey) -> ValidatorEntry {
    let signing_key = key.verifying_key().to_bytes();
    ValidatorEntry {
        signing_key,
        consensus_key: EdwardsPoint::mul_base(&Scalar::from_bytes_mod_order(signing_key))
            .compress()
            .to_bytes(),
        envelope_key: EnvelopeKey::from_bytes(&signing_key).public().to_bytes(),
    }
}

fn account(keyring: &Keyring) -> [u8; 32] {
    keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()
}

fn genesis(keys: &[SigningKey], keyrings: &[Keyring]) -> Block {
    let n = u16::try_from(keys.len()).expect("small");
    let params = params(timing(), Group::of(n).threshold);
    let genesis = Genesis {
        format_version: FORMAT_VERSION,
        nonce: [9; 32],
        params: params.clone(),
        roster: Roster { validators: keys.iter().map(entry).collect() },
        aggregator_receipt_key: SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(77))
            .verifying_key()
            .to_bytes(),
        aggregator_envelope_key: [3; 32],
        registrar_key: SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(78)).verifying_key().to_bytes(),
        members: Certificate::of_accounts(&params, KEY_EPOCH, keyrings.iter().map(account)),
        key_epoch: KEY_EPOCH,
        first_session: 1,
    };
    genesis_block(genesis.checked().expect("sound"), START_MS)
}

/// A validator from what its journal has.
pub fn start(
    genesis: &Block,
    key: &SigningKey,
    journal: MemoryJournal,
    seed: u64,
) -> Result<Core, CoreError> {
    let mut state = State::from_genesis_block(genesis).expect("genesis");
    for (block, _) in journal.blocks() {
        state.apply_block(&block, &mut VerifyAll).expect("a stored block");
    }
    let holder = match journal.secrets() {
        Some(secrets) => KeyHolder::restore(key.clone(), secrets.expose()).expect("its own"),
        None => KeyHolder::new(key.clone()),
    };
    let rng = ChaCha20Rng::seed_from_u64(seed);
    ValidatorCore::new(genesis.clone(), state, holder, journal, rng, Limits::default())
}

impl Net {
    /// n validators, and `more` that follow.
    pub fn new(n: usize, more: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let keys: Vec<_> = (0..n + more).map(|_| SigningKey::generate(&mut rng)).collect();
        let mut keyrings: Vec<_> =
            (0..BOOK.len()).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        keyrings.sort_by_key(account);
        let genesis = genesis(&keys[..n], &keyrings);
        let cores = (0u64..).zip(&keys).map(|(at, key)| {
            start(&genesis, key, MemoryJournal::new(), 1_000 * seed + at).expect("a sound journal")
        });
        Self {
            rng,
            cores: cores.collect(),
            keys,
            genesis,
            keyrings,
            now_ms: START_MS,
            turn: 0,
            mute: BTreeSet::new(),
            wire: None,
            effects: Vec::new(),
            lives: None,
        }
    }

    pub fn state(&self) -> &State {
        self.cores[0].state()
    }

    /// Everybody's messages reach everybody else.
    pub fn gossip(&mut self) {
        for from in 0..self.cores.len() {
            let messages = self.cores[from].take_gossip();
            if self.mute.contains(&from) {
                continue;
            }
            for message in messages {
                let message = match &mut self.wire {
                    Some(wire) => wire(from, message),
                    None => Some(message),
                };
                let Some(message) = message else { continue };
                let sender = entry(&self.keys[from]).consensus_key;
                let others = (0..self.cores.len()).filter(|to| *to != from);
                others.for_each(|to| self.cores[to].receive(&sender, &message));
            }
        }
    }

    /// One turn: a block that all validators check and take over, or some milliseconds.
    pub fn step(&mut self) {
        self.gossip();
        let parent = self.state().block_hash();
        let roster = self.cores[0].consensus_keys(self.state().epoch()).expect("known");
        let validators: Vec<usize> = (0..self.cores.len())
            .filter(|who| roster.contains(&entry(&self.keys[*who]).consensus_key) && !self.mute.contains(who))
            .collect();
        let proposer = validators[self.turn % validators.len()];
        let block = match self.cores[proposer].propose(&parent, self.now_ms) {
            Proposal::Wait { ms } => {
                self.now_ms += ms;
                return;
            }
            Proposal::Block(block) => *block,
        };
        self.turn += 1;
        self.now_ms += 5;
        for who in validators {
            self.cores[who].check(&block, self.now_ms).expect("an honest block");
        }
        self.finalise(&block);
    }

    pub fn finalise(&mut self, block: &Block) {
        for who in 0..self.cores.len() {
            while self.cores[who].height() < block.header.height {
                if let Err(why) = self.cores[who].finalise(block, Some(CERTIFICATE)) {
                    assert!(who == 0 && self.lives.is_some(), "{why}");
                    self.restart();
                }
            }
        }
        let root = self.state().root();
        assert!(self.cores.iter().all(|core| core.state().root() == root), "the states differ");
        for applied in self.cores[1].take_applied() {
            self.effects.extend(applied.effects.all().cloned());
        }
    }

    /// Starts validator 0 from its journal, again and again if need be: its lives end after 0, 0, 1, 1, 2, 2, 0, ..
    /// writes, before and after the write in turn.
    pub fn restart(&mut self) {
        let journal = self.cores[0].journal().clone();
        loop {
            journal.reopen();
            let lives = self.lives.get_or_insert(0);
            let failure = if lives.is_multiple_of(2) { Failure::Before } else { Failure::After };
            journal.fail_after(*lives / 2 % 3, failure);
            *lives += 1;
            match start(&self.genesis, &self.keys[0], journal.clone(), *lives) {
                Ok(core) => {
                    self.cores[0] = core;
                    return;
                }
                Err(CoreError::Journal(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Steps until `done`, for at most `blocks` blocks.
    pub fn until(&mut self, blocks: u64, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let last = self.state().height() + blocks;
        while !done(self) {
            assert!(self.state().height() < last, "{what}: not within {blocks} blocks");
            self.step();
        }
    }

    /// Until the shares of a session after `session` are in force.
    pub fn until_sharing(&mut self, session: u64) {
        self.until(3 * EPOCH_BLOCKS, "keys in force", |net| {
            net.state().sharing().is_some_and(|s| s >= session)
        });
    }

    pub fn who_holds(&self) -> Vec<usize> {
        let holds = |core: &Core| matches!(core.holding(), Holding::Holds { .. });
        (0..self.cores.len()).filter(|who| holds(&self.cores[*who])).collect()
    }

    /// The faults of the latest agreement: excluded dealers, receivers without shares.
    pub fn agreed(&self) -> (Vec<u16>, Vec<u16>) {
        let agreed = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::KeysAgreed { excluded, lacking, .. } => Some((excluded.clone(), lacking.clone())),
            _ => None,
        });
        agreed.expect("an agreement")
    }

    /// Bids in the next round, at one validator.
    pub fn bid(&mut self) -> u64 {
        let last = self.state().last_round_id();
        self.until(3 * EPOCH_BLOCKS, "a round opens", |net| net.state().last_round_id() > last);
        let round_id = self.state().last_round_id().expect("opened");
        let state = self.cores[1].state();
        let round = state.round_context(round_id).expect("open");
        let params = state.community().bid_params().expect("keys");
        let bids: Vec<_> = (self.keyrings.iter().zip(&BOOK))
            .map(|(keyring, order)| seal_bid(params, &round, keyring, order, &mut self.rng).expect("bid"))
            .collect();
        let answers = self.cores[1].offer_bids(round_id, bids);
        assert!(answers.iter().all(|answer| *answer == Ok(Offered::New)), "{answers:?}");
        round_id
    }

    /// A whole round, which has to clear.
    pub fn round(&mut self) {
        let settled = self.state().finished().settled;
        let round_id = self.bid();
        self.until(3 * EPOCH_BLOCKS, "the round ends", |net| net.state().round(round_id).is_none());
        assert_eq!(self.state().finished().settled, settled + 1, "round {round_id} is void");
    }

    /// Hands one validator a change of the validators to these, signed by the first t.
    pub fn change_to(&mut self, who: &[usize]) {
        let state = self.cores[0].state();
        let (current, since) = (state.roster().clone(), state.roster_since());
        let roster = Roster { validators: who.iter().map(|w| entry(&self.keys[*w])).collect() };
        let ledger_id = state.community().ledger_id();
        let mut endorsements = Vec::new();
        for number in 1..=current.group().threshold {
            let signing_key = current.validators[usize::from(number) - 1].signing_key;
            let key =
                self.keys.iter().find(|key| key.verifying_key().to_bytes() == signing_key).expect("known");
            let rng = &mut self.rng;
            endorsements.push(RosterChange::endorse(&ledger_id, &current, since, &roster, number, key, rng));
        }
        let change = Transaction::ChangeValidators(Box::new(RosterChange { roster, endorsements }));
        assert_eq!(self.cores[1].offer_transaction(&change), Ok(Offered::New));
    }
}
