//! Validators around one ledger without an engine: a block holds whatever is due or was sent, everybody acts after it.

use super::proposer::Proposer;
use crate::common::{BOOK, params};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::builder::{BlockDraft, genesis_block};
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::roster::{Roster, RosterChange, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::keyholder::{Holding, KeyHolder, Notice};

pub const KEY_EPOCH: u64 = 5;
pub const START_MS: u64 = 1_700_000_000_000;
pub const BLOCK_MS: u64 = 100;
pub const PHASE_BLOCKS: u32 = 6;
pub const EPOCH_BLOCKS: u64 = 48;

/// What a validator does to what it sends.
pub type Tamper = Box<dyn FnMut(Transaction, &State) -> Vec<Transaction>>;

pub struct World {
    pub rng: ChaCha20Rng,
    /// Of the validators and then of those that may become some.
    pub keys: Vec<SigningKey>,
    pub holders: Vec<KeyHolder>,
    pub state: State,
    pub keyrings: Vec<Keyring>,
    pub pool: Vec<Transaction>,
    pub effects: Vec<Effect>,
    pub refused: Vec<Refusal>,
    pub notices: Vec<(usize, Notice)>,
    /// Validators that are switched off.
    pub down: BTreeSet<usize>,
    pub tampers: BTreeMap<usize, Tamper>,
    /// Every validator is killed and started again after each time that it acts.
    pub restarts: bool,
    pub proposer: Proposer,
}

pub fn timing() -> RoundTiming {
    RoundTiming {
        first_open_unix_ms: START_MS + 3_000,
        interval_ms: 2_000,
        bidding_ms: 500,
        grace_blocks: 2,
        opening_deadline_ms: 1_400,
        suspend_after_ms: 1_000,
        first_slot_start_unix_s: 1_700_000_100,
        epoch_blocks: EPOCH_BLOCKS,
        keygen_phase_blocks: PHASE_BLOCKS,
        max_clock_skew_ms: 200,
    }
}

pub fn genesis(keys: &[SigningKey], keyrings: &[Keyring], threshold: u16, nonce: u8) -> Genesis {
    let params = params(timing(), threshold);
    Genesis {
        format_version: FORMAT_VERSION,
        nonce: [nonce; 32],
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
    }
}

/// A validator's public keys, all made from its signing key.
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

impl World {
    /// n validators, and `more` that are none yet.
    pub fn new(n: u16, more: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let keys: Vec<_> = (0..usize::from(n) + more).map(|_| SigningKey::generate(&mut rng)).collect();
        let mut keyrings: Vec<_> =
            (0..BOOK.len()).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        keyrings.sort_by_key(account);
        let genesis = genesis(&keys[..usize::from(n)], &keyrings, Group::of(n).threshold, 9);
        let genesis = genesis_block(genesis.checked().expect("sound"), START_MS);
        Self {
            rng,
            holders: keys.iter().cloned().map(KeyHolder::new).collect(),
            keys,
            state: State::from_genesis_block(&genesis).expect("genesis"),
            keyrings,
            pool: Vec::new(),
            effects: Vec::new(),
            refused: Vec::new(),
            notices: Vec::new(),
            down: BTreeSet::new(),
            tampers: BTreeMap::new(),
            restarts: false,
            proposer: Proposer::new(),
        }
    }

    /// Everybody acts on the state, then there is a block with all that follows.
    pub fn step(&mut self) {
        for who in 0..self.holders.len() {
            if !self.down.contains(&who) {
                self.act(who);
            }
        }
        self.block();
    }

    pub fn act(&mut self, who: usize) {
        let actions = self.holders[who].act(&self.state, &mut self.rng);
        self.notices.extend(actions.notices.into_iter().map(|notice| (who, notice)));
        let mut sent = actions.owed;
        if self.restarts {
            let before = self.holders[who].to_bytes();
            let mut again = KeyHolder::restore(self.keys[who].clone(), before.expose()).expect("its own");
            assert_eq!(again.to_bytes().expose(), before.expose(), "one encoding");
            let repeated = again.act(&self.state, &mut self.rng);
            let phase = self.state.session().map(|s| (s.context().session, s.context().task, s.phase()));
            assert!(
                !repeated.secrets_changed,
                "validator {who} makes something anew after a restart: {phase:?} {repeated:?}"
            );
            assert_eq!(repeated.owed, self.holders[who].pending(&self.state));
            assert!(sent.iter().all(|one| repeated.owed.contains(one)), "the same bytes");
            sent = repeated.owed;
            self.holders[who] = again;
        }
        for transaction in sent.into_iter().map(Transaction::from) {
            let sent = match self.tampers.get_mut(&who) {
                Some(tamper) => tamper(transaction, &self.state),
                None => vec![transaction],
            };
            let fresh: Vec<_> = sent.into_iter().filter(|one| !self.pool.contains(one)).collect();
            self.pool.extend(fresh);
        }
    }

    /// A block of what is due, of all that was sent, and of what follows from it.
    pub fn block(&mut self) {
        let time_unix_ms = self.state.time_unix_ms() + BLOCK_MS;
        let mut draft = BlockDraft::begin(&self.state, time_unix_ms);
        for due in draft.due() {
            draft.try_push(due, &mut VerifyAll).expect("due");
        }
        for transaction in std::mem::take(&mut self.pool) {
            match transaction {
                Transaction::OpeningShare { round_id, opening_index, share } => {
                    let _ = self.proposer.offer_share(draft.state(), round_id, opening_index, share);
                }
                other => self.refused.extend(draft.try_push(other, &mut VerifyAll).err()),
            }
        }
        let closed: Vec<u64> = draft.state().rounds().map(|round| round.round_id()).collect();
        for round_id in closed {
            for next in self.proposer.next_transactions(draft.state(), round_id).expect("sound") {
                // Closing is for `due` to decide.
                draft.try_push(next, &mut VerifyAll).expect("expected");
            }
        }
        let (_, state, effects) = draft.finish();
        self.state = state;
        self.effects.extend(effects.all().cloned());
    }

    /// Steps until `done`, for at most `blocks` blocks.
    pub fn until(&mut self, blocks: u64, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..blocks {
            if done(self) {
                return;
            }
            self.step();
        }
        assert!(
            done(self),
            "{what}: not within {blocks} blocks; {:?} {:?}",
            self.notices.iter().rev().take(8).collect::<Vec<_>>(),
            self.refused
        );
    }

    /// Until the shares of a session after `session` are in force, and everybody has seen it.
    pub fn until_sharing(&mut self, session: u64) {
        self.until(3 * EPOCH_BLOCKS, "keys in force", |w| w.state.sharing().is_some_and(|s| s >= session));
        (0..self.holders.len())
            .filter(|who| !self.down.contains(who))
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|who| self.act(who));
    }

    /// Validators of the roster in force.
    pub fn validators(&self) -> u16 {
        self.state.roster().group().validators
    }

    pub fn holding(&self, who: usize) -> Holding {
        self.holders[who].holding(&self.state)
    }

    /// The validators with the shares in force.
    pub fn who_holds(&self) -> Vec<usize> {
        (0..self.holders.len()).filter(|who| matches!(self.holding(*who), Holding::Holds { .. })).collect()
    }

    /// The faults of the latest agreement: excluded dealers, receivers without shares.
    pub fn agreed(&self) -> (Vec<u16>, Vec<u16>) {
        let agreed = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::KeysAgreed { excluded, lacking, .. } => Some((excluded.clone(), lacking.clone())),
            _ => None,
        });
        agreed.expect("an agreement")
    }

    pub fn bids(&mut self, round_id: u64, book: &[[u64; 8]]) -> Vec<SealedBid> {
        let community = self.state.community();
        let round = self.state.round_context(round_id).expect("an open round");
        let params = community.bid_params().expect("keys");
        let pairs = self.keyrings.iter().zip(book);
        pairs.map(|(w, order)| seal_bid(params, &round, w, order, &mut self.rng).expect("bid")).collect()
    }

    /// Waits for the next round and bids in it; returns its id.
    pub fn bid(&mut self) -> u64 {
        let last = self.state.last_round_id();
        self.until(60, "a round opens", |w| w.state.last_round_id() > last);
        let round_id = self.state.last_round_id().expect("opened");
        let bids = self.bids(round_id, &BOOK);
        self.pool.push(Transaction::Bids { round_id, bids });
        round_id
    }

    /// A whole round, which has to clear.
    pub fn round(&mut self) {
        let round_id = self.bid();
        let settled = |effect: &Effect| matches!(effect, Effect::Settled(s) if s.round_id == round_id);
        self.until(25, "the round clears", |w| w.effects.iter().any(settled));
    }

    /// A change of the validators to those with these keys, signed by the first t.
    pub fn change_to(&mut self, who: &[usize]) {
        let current = self.state.roster().clone();
        let roster = Roster { validators: who.iter().map(|w| entry(&self.keys[*w])).collect() };
        let ledger_id = self.state.community().ledger_id();
        let since_epoch = self.state.roster_since();
        let mut endorsements = Vec::new();
        for number in 1..=current.group().threshold {
            let signing_key = current.validators[usize::from(number) - 1].signing_key;
            let key =
                self.keys.iter().find(|key| key.verifying_key().to_bytes() == signing_key).expect("known");
            endorsements.push(RosterChange::endorse(
                &ledger_id,
                &current,
                since_epoch,
                &roster,
                number,
                key,
                &mut self.rng,
            ));
        }
        self.pool.push(Transaction::ChangeValidators(Box::new(RosterChange { roster, endorsements })));
    }
}

/// Bytes before the shares in force in a holder's secrets: version, signing key, ledger, height, flag, session, length.
pub const BEFORE_SHARES: usize = 1 + 32 + 33 + 8 + 1 + 8 + 4;

/// Length of the secrets of a holder that has shares in force and nothing else: validator, number, shares; then no next
/// shares, no session, no slot forgotten and none guarded.
pub const SHARES_ONLY: usize = BEFORE_SHARES + 2 + 4 + 8 * 32 + 1 + 1 + 1 + 4;

/// The scalars of the shares in force, from a holder's secrets.
pub fn share_scalars(holder: &KeyHolder) -> Vec<[u8; 32]> {
    let bytes = holder.to_bytes();
    let shares = &bytes.expose()[BEFORE_SHARES + 2 + 4..];
    shares.chunks_exact(32).take(BOOK[0].len()).map(|s| s.try_into().expect("32 bytes")).collect()
}

pub fn contains(holder: &KeyHolder, needle: &[u8; 32]) -> bool {
    holder.to_bytes().expose().windows(32).any(|window| window == needle)
}
