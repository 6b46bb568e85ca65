//! A validator: deals its part of the keys, follows the ledger, verifies bids at intake and releases its share of
//! exactly the sum that the ledger asks for next.

use rand_core::CryptoRngCore;
use std::collections::BTreeSet;
use thiserror::Error;
use veilgrid_crypto::bid::{BidFault, SealedBid};
use veilgrid_crypto::keygen::{
    DealerPackage, DealtShares, KeyGenContext, KeyGenError, KeyShares, deal, receive,
};
use veilgrid_crypto::opening::release_share;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::{BidVerdicts, VerdictCache};

/// Bids whose verdicts a validator remembers between intake and block.
const REMEMBERED_BIDS: usize = 20_000;

/// A validator before the ledger begins: it has a signing key and deals.
pub struct Candidate {
    index: u16,
    signing_key: SigningKey,
}

/// Why a validator can't take part or can't go on.
#[derive(Debug, Error)]
pub enum ValidatorError {
    /// Shares that were dealt to it, or the packages of the genesis, are false.
    #[error("validator {validator} can't join: {source}")]
    KeyGeneration {
        /// Who found it.
        validator: u16,
        /// Whose package or share is false.
        source: KeyGenError,
    },
    /// Block 0 or a later block breaks a rule.
    #[error("validator {validator} refuses a block: {source}")]
    Block {
        /// Who refuses.
        validator: u16,
        /// The rule.
        source: BlockError,
    },
}

impl Candidate {
    /// Validator `index` (from 1) with a fresh signing key.
    pub fn generate(index: u16, rng: &mut impl CryptoRngCore) -> Self {
        Self { index, signing_key: SigningKey::generate(rng) }
    }

    /// Its number, from 1.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// Its public signing key, for the roster.
    pub fn verifying_key(&self) -> [u8; 32] {
        self.signing_key.verifying_key().to_bytes()
    }

    /// Deals its part of every key: the package for everybody, the shares for each receiver.
    ///
    /// # Errors
    /// A context outside of the protocol's bounds.
    pub fn deal(
        &self,
        context: &KeyGenContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(DealerPackage, Vec<DealtShares>), ValidatorError> {
        deal(context, &self.signing_key, self.index, rng)
            .map_err(|source| ValidatorError::KeyGeneration { validator: self.index, source })
    }

    /// Joins a ledger with the shares that all dealers have dealt to it, after checking them against the genesis.
    ///
    /// # Errors
    /// The dealer whose share is false, or the rule that block 0 breaks.
    pub fn join(&self, genesis: &Block, dealt: &[DealtShares]) -> Result<Validator, ValidatorError> {
        let validator = self.index;
        let state = State::from_genesis_block(genesis)
            .map_err(|source| ValidatorError::Block { validator, source })?;
        let genesis = state.community().genesis();
        let shares = receive(&genesis.draft.keygen_context(), &genesis.packages, dealt, validator)
            .map_err(|source| ValidatorError::KeyGeneration { validator, source })?;
        Ok(Validator::new(shares, state))
    }
}

/// A validator of a running ledger.
pub struct Validator {
    shares: KeyShares,
    state: State,
    verdicts: VerdictCache,
    released: BTreeSet<(u64, u32)>,
}

impl Validator {
    /// A validator with its key shares at a state, for example after a restart.
    pub fn new(shares: KeyShares, state: State) -> Self {
        Self { shares, state, verdicts: VerdictCache::new(REMEMBERED_BIDS), released: BTreeSet::new() }
    }

    /// Its number, from 1.
    pub fn index(&self) -> u16 {
        self.shares.index()
    }

    /// The ledger as it sees it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its key shares, to persist them.
    pub fn key_shares(&self) -> &KeyShares {
        &self.shares
    }

    /// Verifies bids before they come in a block. The verdicts are remembered, so that the block costs nothing more.
    pub fn admit(&mut self, round_id: u64, bids: &[SealedBid]) -> Vec<Result<(), BidFault>> {
        let (Some(round), Some(params)) =
            (self.state.round_context(round_id), self.state.community().bid_params())
        else {
            let last = self.state.last_round_id().unwrap_or(0);
            return bids.iter().map(|_| Err(BidFault::Round { bid: round_id, round: last })).collect();
        };
        let verdicts = self.verdicts.verify(params, &round, bids);
        verdicts.into_iter().map(|verdict| verdict.map(|_| ())).collect()
    }

    /// Checks and executes the next block.
    ///
    /// # Errors
    /// The rule that the block breaks; the state is then unchanged.
    pub fn apply(&mut self, block: &Block) -> Result<BlockEffects, ValidatorError> {
        let effects = self
            .state
            .apply_block(block, &mut self.verdicts)
            .map_err(|source| ValidatorError::Block { validator: self.shares.index(), source })?;
        for effect in &effects.effects {
            if let Some(finished) = finished_round(effect) {
                self.verdicts.forget_up_to(finished);
                self.released.retain(|(round_id, _)| *round_id != finished);
            }
        }
        Ok(effects)
    }

    /// The shares that it owes now: one for each round that waits for shares, unless it has released it before.
    ///
    /// # Security
    /// This is the only place where a key share is used. What is opened follows from the executed blocks alone: no
    /// request from outside names a sum.
    pub fn release(&mut self, rng: &mut impl CryptoRngCore) -> Vec<Transaction> {
        let round_ids: Vec<u64> = self.state.rounds().map(|round| round.round_id()).collect();
        round_ids.into_iter().filter_map(|round_id| self.release_for(round_id, rng)).collect()
    }

    fn release_for(&mut self, round_id: u64, rng: &mut impl CryptoRngCore) -> Option<Transaction> {
        let Ok(Expected::Shares(request)) = self.state.expected(round_id) else { return None };
        let opening_index = request.context.opening_index;
        if request.have.contains(&self.index()) || self.released.contains(&(round_id, opening_index)) {
            return None;
        }
        let keys = self.state.community().keys()?;
        let share =
            release_share(&request.context, &request.weights, &self.shares, keys, &request.r_total, rng)
                .ok()?;
        self.released.insert((round_id, opening_index));
        Some(Transaction::OpeningShare { round_id, opening_index, share })
    }
}

/// The round that an effect ends.
pub(crate) fn finished_round(effect: &Effect) -> Option<u64> {
    match effect {
        Effect::Settled(settled) => Some(settled.round_id),
        Effect::Voided { round_id, .. } => Some(*round_id),
        _ => None,
    }
}
