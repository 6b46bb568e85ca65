//! A whole community in one thread: the same roles as the actors', called one after another.
//!
//! Rounds from a file, tests, vectors and benches use it. Nothing is left out: validators generate the keys over the
//! ledger, bids travel in envelopes, every validator checks and signs every block. Time is simulated: it goes on as far as
//! the next thing that waits for it.

use crate::committee::{
    FalseShare, FinaliseFault, Founding, Keys, Orderer, VoteFault, Voter, bids_at_once, found_genesis, named,
    simulated_pace,
};
use crate::core::{CoreError, Journal, JournalError, ValidatorCore};
use crate::intake::{Intake, IntakeError, Received};
use crate::keyholder::KeyHolder;
use crate::member::envelope_for;
use crate::replica::{OfferRefusal, Proposal};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::{EnvelopeKey, EnvelopePublicKey};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::finality::ValidatorSetFault;
use veilgrid_ledger::genesis::GenesisError;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerdictCache};

/// Bids whose verdicts the aggregator's process remembers.
const REMEMBERED_BIDS: usize = 20_000;

/// Why a community can't be founded or a round can't go on.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The genesis breaks a rule.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Block 0 breaks a rule, or the aggregator refuses a block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A validator stops.
    #[error(transparent)]
    Validator(#[from] CoreError),
    /// The aggregator refuses a bid.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The validators refuse a bid.
    #[error(transparent)]
    Offer(#[from] OfferRefusal),
    /// The consensus keys are none.
    #[error(transparent)]
    Validators(#[from] ValidatorSetFault),
    /// Too few validators vote for a block.
    #[error("block {height} is not final: {why}")]
    NotFinal {
        /// Its height.
        height: u64,
        /// The first refusal.
        why: VoteFault,
    },
    /// A validator does not take over what the others have made final.
    #[error("a validator refuses a final block: {0}")]
    Refused(#[from] FinaliseFault),
    /// The validators do not come to an end with their keys.
    #[error("the validators generate no keys: {0}")]
    NoKeys(String),
    /// No further round is in the calendar.
    #[error("no round opens after round {0}")]
    NoRound(u64),
    /// Fewer validators than the threshold send true shares.
    #[error("round {round_id} waits for shares that do not come; false ones: {}", named(.false_shares))]
    Stalled {
        /// The round.
        round_id: u64,
        /// What was false.
        false_shares: Vec<FalseShare>,
    },
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    /// With a result.
    Settled(SettledRound),
    /// Without one.
    Voided(VoidReason),
}

/// The journal of a validator that ends with its process: nothing of it is ever read again.
struct Forgetful;

impl Journal for Forgetful {
    fn append(&mut self, _: &Block, _: Option<&[u8]>) -> Result<(), JournalError> {
        Ok(())
    }
    fn certificate(&mut self, _: u64, _: &[u8]) -> Result<(), JournalError> {
        Ok(())
    }
    fn save_secrets(&mut self, _: &Secret<Vec<u8>>) -> Result<(), JournalError> {
        Ok(())
    }
}

type LocalVoter = Voter<Forgetful, ChaCha20Rng>;

/// A community whose roles are called one after another.
pub struct LocalCommunity {
    validators: Vec<LocalVoter>,
    orderer: Orderer,
    intake: Intake,
    envelope_public: EnvelopePublicKey,
    verdicts: VerdictCache,
    /// Block 0, and the final ones with their certificates.
    ledger: Vec<(Block, Option<Vec<u8>>)>,
    now_unix_ms: u64,
    false_shares: Vec<FalseShare>,
    /// Changes messages of validator i (from 0) on their way: for tests.
    wire: Option<Wire>,
}

/// Changes a message of a validator (from 0).
pub type Wire = Box<dyn FnMut(usize, &mut Vec<u8>)>;

impl LocalCommunity {
    /// Founds a community: the genesis block is made, every validator starts from it, and they generate the keys over the
    /// ledger.
    ///
    /// # Errors
    /// The rule of the genesis that is broken.
    pub fn found(founding: &Founding, rng: &mut impl CryptoRngCore) -> Result<Self, LocalError> {
        let keys: Vec<Keys> = (0..founding.validators).map(|_| Keys::generate(rng)).collect();
        let entries: Vec<_> = keys.iter().map(Keys::entry).collect();
        let (receipt_key, envelope_key) = (SigningKey::generate(rng), EnvelopeKey::generate(rng));
        let registrar = SigningKey::generate(rng);
        let genesis =
            found_genesis(founding, &entries, &registrar, &receipt_key, &envelope_key.public(), rng);
        let genesis = genesis_block(genesis.checked()?, founding.time_unix_ms);
        let state = State::from_genesis_block(&genesis)?;
        let validators = keys.into_iter().map(|keys| start(&genesis, &state, keys, rng));
        let mut community = Self {
            validators: validators.collect::<Result<_, _>>()?,
            orderer: Orderer::new(state.community().ledger_id()),
            envelope_public: envelope_key.public(),
            intake: Intake::new(envelope_key, receipt_key, state, 0),
            verdicts: VerdictCache::new(REMEMBERED_BIDS),
            ledger: vec![(genesis, None)],
            now_unix_ms: founding.time_unix_ms,
            false_shares: Vec::new(),
            wire: None,
        };
        community.generate_keys()?;
        Ok(community)
    }

    fn generate_keys(&mut self) -> Result<(), LocalError> {
        loop {
            let effects = self.step()?;
            let aborted = effects.into_iter().find_map(|effect| match effect {
                Effect::KeysAborted { reason, .. } => Some(reason),
                _ => None,
            });
            if let Some(reason) = aborted {
                return Err(LocalError::NoKeys(reason));
            }
            if self.state().sharing().is_some() {
                return Ok(());
            }
        }
    }

    /// The ledger so far with its certificates, genesis first.
    pub fn ledger(&self) -> &[(Block, Option<Vec<u8>>)] {
        &self.ledger
    }
    /// Its blocks.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.ledger.iter().map(|(block, _)| block)
    }
    /// The state after the last block.
    pub fn state(&self) -> &State {
        self.intake.state()
    }
    /// The simulated time, Unix milliseconds.
    pub fn now_unix_ms(&self) -> u64 {
        self.now_unix_ms
    }
    /// The false shares that validators have sent so far.
    pub fn false_shares(&self) -> &[FalseShare] {
        &self.false_shares
    }
    /// Lets messages of validators be changed on their way.
    pub fn tamper(&mut self, wire: Wire) {
        self.wire = Some(wire);
    }

    /// The round that takes bids now, or the next one when that is opened.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn open_round(&mut self) -> Result<u64, LocalError> {
        loop {
            if let Some(round_id) = self.round_that_takes_bids() {
                return Ok(round_id);
            }
            let last = self.state().last_round_id().unwrap_or(0);
            let opens_ms = self.state().timing().open_ms(last.saturating_add(1));
            self.now_unix_ms = self.now_unix_ms.max(opens_ms.ok_or(LocalError::NoRound(last))?);
            self.step()?;
        }
    }

    fn round_that_takes_bids(&self) -> Option<u64> {
        let round_id = self.state().timing().round_at(self.now_unix_ms)?;
        self.state().round(round_id).filter(|round| round.takes_bids()).map(|_| round_id)
    }

    /// Sends bids through the aggregator to the validators and onto the ledger; the receipts come back in the bids' order.
    ///
    /// # Errors
    /// The first refused bid.
    pub fn submit(
        &mut self,
        round_id: u64,
        bids: &[SealedBid],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<Receipt>, LocalError> {
        let ledger_id = self.state().community().ledger_id();
        for bid in bids {
            let envelope = envelope_for(&self.envelope_public, &ledger_id, bid, rng);
            let _: Received = self.intake.receive(&envelope, self.now_unix_ms)?;
        }
        let mut receipts = BTreeMap::new();
        let mut admitted: Vec<SealedBid> = Vec::new();
        loop {
            let queue = self.intake.batch(usize::MAX);
            if queue.is_empty() {
                break;
            }
            let state = self.intake.state();
            let round = state.round_context(round_id).ok_or(IntakeError::NotOpen { round_id })?;
            let params = state.community().bid_params().ok_or(IntakeError::NotOpen { round_id })?;
            let terms = state.terms_of(round_id, &queue).map_err(IntakeError::from)?;
            let asked = BidsAsked { round: &round, bids: &queue, terms: terms.as_deref() };
            let verdicts = self.verdicts.verify(params, asked);
            let verdicts = verdicts.into_iter().map(|verdict| verdict.map(|_| ()));
            let verdicts = queue.into_iter().zip(verdicts).collect();
            let concluded = self.intake.conclude(verdicts, self.now_unix_ms, rng);
            for (digest, answer) in concluded.answers {
                receipts.insert(digest, answer?);
            }
            admitted.extend(concluded.admitted.into_iter().filter(|one| !one.on_ledger).map(|one| one.bid));
        }
        for bids in admitted.chunks(bids_at_once(self.state())) {
            self.order(round_id, bids)?;
        }
        Ok(bids.iter().filter_map(|bid| receipts.remove(&bid.digest())).collect())
    }

    /// Hands bids to all validators and waits until the ledger has them.
    fn order(&mut self, round_id: u64, bids: &[SealedBid]) -> Result<(), LocalError> {
        for validator in &mut self.validators {
            let answers = validator.core_mut().offer_bids(round_id, bids.to_vec());
            answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        let has = |state: &State, bid: &SealedBid| {
            state.round(round_id).is_some_and(|round| round.bid_of(&bid.account) == Some(bid.digest()))
        };
        while !bids.iter().all(|bid| has(self.state(), bid)) {
            if !matches!(self.state().expected(round_id), Ok(Expected::Bids { .. })) {
                return Err(OfferRefusal::NotOpen { round_id }.into());
            }
            self.step()?;
        }
        Ok(())
    }

    /// Hands a transaction from outside to all validators; the next block has it unless the ledger refuses it.
    ///
    /// # Errors
    /// The first validator's refusal.
    pub fn offer(&mut self, transaction: &Transaction) -> Result<Vec<Effect>, LocalError> {
        for validator in &mut self.validators {
            validator.core_mut().offer_transaction(transaction)?;
        }
        self.step()
    }

    /// Waits for a round's close and drives it to its end: openings, clearing, settlement, or the voiding.
    ///
    /// # Errors
    /// The rule that is broken, or [`LocalError::Stalled`] when too few true shares come.
    pub fn finish_round(&mut self, round_id: u64) -> Result<RoundEnd, LocalError> {
        let close_ms = self.state().timing().close_ms(round_id);
        self.now_unix_ms = self.now_unix_ms.max(close_ms.ok_or(LocalError::NoRound(round_id))?);
        loop {
            if let Some(end) = self.step()?.into_iter().find_map(|effect| round_end(round_id, effect)) {
                return Ok(end);
            }
            let waits = matches!(self.state().expected(round_id), Ok(Expected::Shares(_)));
            if waits && self.state().is_suspended(round_id) {
                let false_shares = self.false_shares.clone();
                return Err(LocalError::Stalled { round_id, false_shares });
            }
        }
    }

    /// The next final block, after as much time as it takes; what it did.
    ///
    /// # Errors
    /// Who does not vote, or stops.
    pub fn step(&mut self) -> Result<Vec<Effect>, LocalError> {
        loop {
            self.gossip();
            let parent = self.intake.state();
            let epoch = parent.timing().epoch_of(parent.height().saturating_add(1));
            let leader = self.orderer.leader(epoch, self.validators.len());
            let (hash, now_unix_ms) = (parent.block_hash(), self.now_unix_ms);
            let Some(leader) = self.validators.get_mut(leader) else { return Ok(Vec::new()) };
            match leader.core_mut().propose(&hash, now_unix_ms) {
                Proposal::Wait { ms } => self.now_unix_ms = self.now_unix_ms.saturating_add(ms),
                Proposal::Block(block) => return self.decide(*block),
            }
        }
    }

    /// Everybody's messages reach everybody else.
    fn gossip(&mut self) {
        for from in 0..self.validators.len() {
            let sender = self.validators[from].consensus_key();
            for mut message in self.validators[from].core_mut().take_gossip() {
                if let Some(wire) = &mut self.wire {
                    wire(from, &mut message);
                }
                for (to, validator) in self.validators.iter_mut().enumerate() {
                    if to != from {
                        validator.core_mut().receive(&sender, &message);
                    }
                }
            }
        }
        for validator in &mut self.validators {
            for share in
                validator.core_mut().take_faults().iter().filter_map(|(_, fault)| FalseShare::of(fault))
            {
                if !self.false_shares.contains(&share) {
                    self.false_shares.push(share);
                }
            }
        }
    }

    /// The vote on a block; it is final when more than two thirds have signed it.
    fn decide(&mut self, block: Block) -> Result<Vec<Effect>, LocalError> {
        let (ballot, mut votes) = self.orderer.ballot(&block, self.intake.state())?;
        let mut refusal = None;
        for validator in &mut self.validators {
            match validator.vote(&block, &ballot, self.now_unix_ms) {
                Ok(vote) => {
                    votes.add(&vote);
                }
                Err(fault) => refusal = refusal.or(Some(fault)),
            }
        }
        let Some(certificate) = votes.certificate() else {
            let why = refusal.unwrap_or(VoteFault::OtherBallot);
            return Err(LocalError::NotFinal { height: block.header.height, why });
        };
        for validator in &mut self.validators {
            validator.finalise(&block, &certificate)?;
            // Nobody asks for it later.
            validator.core_mut().take_applied();
        }
        let effects = self.intake.apply(&block, &mut self.verdicts)?;
        self.ledger.push((block, Some(certificate)));
        self.orderer.decided();
        Ok(effects.into_all().collect())
    }
}

/// A validator at block 0. Its random source is its own.
fn start(
    genesis: &Block,
    state: &State,
    keys: Keys,
    rng: &mut impl CryptoRngCore,
) -> Result<LocalVoter, LocalError> {
    let mut seed = Secret::new([0u8; 32]);
    rng.fill_bytes(seed.expose_mut());
    let limits = simulated_pace();
    let (holder, rng) = (KeyHolder::new(keys.signing), ChaCha20Rng::from_seed(*seed.expose()));
    let core = ValidatorCore::new(genesis.clone(), state.clone(), holder, Forgetful, rng, limits)?;
    Ok(Voter::new(core, keys.consensus, None))
}

fn round_end(round_id: u64, effect: Effect) -> Option<RoundEnd> {
    match effect {
        Effect::Settled(settled) if settled.round_id == round_id => Some(RoundEnd::Settled(settled)),
        Effect::Voided { round_id: voided, reason, .. } if voided == round_id => {
            Some(RoundEnd::Voided(reason))
        }
        _ => None,
    }
}
