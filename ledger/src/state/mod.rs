//! The state machine: what a ledger's blocks do, one transaction after another.
//!
//! Deterministic: the block's time is the only clock, there is no randomness, no unordered map, no float. The round's
//! life is one file per stage: `bidding`, `opening`, `clearing`; [`expected`] says what a round waits for,
//! `root` digests the state.
//!
//! # Security
//! A validator releases a share only for what [`State::expected`] asks for: [`expected::Expected::Shares`]. Nothing
//! else of a round is ever opened.

pub mod checkpoint;
pub mod effects;
mod refused;
mod root;
pub mod saved;

pub use crate::rounds::{expected, round};

use crate::block::{Block, BlockHeader};
use crate::checks::structural;
use crate::community::Community;
use crate::genesis::GenesisError;
use crate::hash::Hash;
use crate::keys::sessions::Network;
use crate::members::register::Register;
use crate::money::accounts::Accounts;
use crate::refusal::{BlockError, BlockFault, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::transaction::{Transaction, TransactionKind};
use crate::verdicts::BidVerdicts;
use effects::{BlockEffects, Effect};
use round::Round;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::bid::RoundContext;
use veilgrid_crypto::keygen::KeyGenError;

/// Most rounds that are active at once; bounds the memory of a node.
pub const MAX_ACTIVE_ROUNDS: usize = 8;

/// Finished rounds, folded: the cost of the state does not grow with the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FinishedRounds {
    /// Rounds that were settled.
    pub settled: u64,
    /// Rounds that were voided.
    pub voided: u64,
    /// Running digest over all finished rounds in the order in which they ended.
    pub digest: Hash,
}

/// The state after a block. Cloning is cheap: rounds are shared until they change.
#[derive(Clone)]
pub struct State {
    pub(crate) community: Arc<Community>,
    pub(crate) height: u64,
    pub(crate) block_hash: Hash,
    pub(crate) time_unix_ms: u64,
    pub(crate) last_round_id: Option<u64>,
    /// End of the latest slot that was cleared or of which sums may have been opened, Unix seconds.
    pub(crate) cleared_until_unix_s: Option<i64>,
    pub(crate) finished: FinishedRounds,
    pub(crate) rounds: BTreeMap<u64, Arc<Round>>,
    /// Validators, key sessions and refusals.
    pub(crate) network: Arc<Network>,
    /// Who is a member.
    pub(crate) members: Arc<Register>,
    /// Balances, with money.
    pub(crate) accounts: Option<Arc<Accounts>>,
}

impl State {
    /// The state after block 0, with every check of the genesis.
    ///
    /// # Errors
    /// [`BlockError`] with the rule that block 0 breaks.
    pub fn from_genesis_block(block: &Block) -> Result<Self, BlockError> {
        let refuse = |fault| BlockError { height: block.header.height, transaction: None, fault };
        let [Transaction::Genesis(genesis)] = block.transactions.as_slice() else {
            return Err(refuse(BlockFault::NotAGenesis));
        };
        let header = &block.header;
        if header.height != 0 {
            return Err(refuse(BlockFault::Height { found: header.height, expected: 0 }));
        }
        if header.parent_hash != [0; 32] {
            return Err(refuse(BlockFault::Parent { found: header.parent_hash, expected: [0; 32] }));
        }
        if header.prior_state_root != [0; 32] {
            let found = header.prior_state_root;
            return Err(refuse(BlockFault::PriorStateRoot { found, expected: [0; 32] }));
        }
        block.check_body().map_err(refuse)?;
        let community = Community::verify((**genesis).clone()).map_err(|error| BlockError {
            height: 0,
            transaction: Some(0),
            fault: BlockFault::Genesis(error),
        })?;
        let network = first_network(&community).map_err(|error| BlockError {
            height: 0,
            transaction: Some(0),
            fault: BlockFault::Genesis(error.into()),
        })?;
        let members =
            Register::of_genesis(community.genesis()).map_err(|(position, refusal)| BlockError {
                height: 0,
                transaction: Some(0),
                fault: BlockFault::Genesis(GenesisError::Member { position, refusal: Box::new(refusal) }),
            })?;
        let money = community.params().money;
        Ok(Self {
            accounts: money.map(|rules| Arc::new(Accounts::of_genesis(&rules, &members))),
            members: Arc::new(members),
            network: Arc::new(network),
            community: Arc::new(community),
            height: 0,
            block_hash: block.hash(),
            time_unix_ms: header.time_unix_ms,
            last_round_id: None,
            cleared_until_unix_s: None,
            finished: FinishedRounds::default(),
            rounds: BTreeMap::new(),
        })
    }

    /// Executes a block.
    ///
    /// A transaction that breaks a rule has no effect and is recorded as refused; the block stands.
    ///
    /// # Errors
    /// [`BlockError`] with the height and the rule of blocks that it breaks; the state is unchanged.
    pub fn apply_block(
        &mut self,
        block: &Block,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<BlockEffects, BlockError> {
        let height = block.header.height;
        self.check_header(block).map_err(|fault| BlockError { height, transaction: None, fault })?;
        let mut next = self.clone();
        let at_start = next.begin_block(block.header.time_unix_ms);
        let mut effects = Vec::with_capacity(block.transactions.len());
        for transaction in &block.transactions {
            let effect = next.apply_transaction(transaction, verdicts);
            effects.push(effect.unwrap_or_else(|refusal| {
                next.record_refusal(transaction);
                Effect::Refused(Box::new(refusal))
            }));
        }
        *self = next;
        Ok(self.end_block(block.hash(), at_start, effects))
    }

    /// Takes the block's hash over; the state is then that after the block.
    pub(crate) fn end_block(
        &mut self,
        hash: Hash,
        at_start: Vec<Effect>,
        effects: Vec<Effect>,
    ) -> BlockEffects {
        self.block_hash = hash;
        BlockEffects { height: self.height, block_hash: hash, state_root: self.root(), at_start, effects }
    }

    /// The rules about a block as such: height, parent, time, prior state root, body hash.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_header(&self, block: &Block) -> Result<(), BlockFault> {
        let header = &block.header;
        self.check_link(header)?;
        // "A block carries the state root after its parent."
        let expected = self.root();
        if header.prior_state_root != expected {
            return Err(BlockFault::PriorStateRoot { found: header.prior_state_root, expected });
        }
        block.check_body()
    }

    /// The rules that need nothing but the last block's header.
    fn check_link(&self, header: &BlockHeader) -> Result<(), BlockFault> {
        // "Heights follow each other."
        let expected = self.height.saturating_add(1);
        if header.height != expected {
            return Err(BlockFault::Height { found: header.height, expected });
        }
        // "A block names its parent."
        if header.parent_hash != self.block_hash {
            return Err(BlockFault::Parent { found: header.parent_hash, expected: self.block_hash });
        }
        // "Block time does not run backwards."
        if header.time_unix_ms < self.time_unix_ms {
            let (found_ms, parent_ms) = (header.time_unix_ms, self.time_unix_ms);
            return Err(BlockFault::Time { found_ms, parent_ms });
        }
        Ok(())
    }

    /// Executes one transaction: its whole effect, or none when it is refused.
    ///
    /// [`State::apply_block`] is the way to a state that has a root; this is for an engine that records refused
    /// transactions and for a builder that tries them.
    ///
    /// # Errors
    /// The rule that the transaction breaks.
    pub fn apply_transaction(
        &mut self,
        transaction: &Transaction,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Effect, Refusal> {
        structural::check(self.community.params(), transaction)?;
        match transaction {
            Transaction::Genesis(_) => Err(Refusal::GenesisRepeated),
            Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds } => {
                self.open_round(*round_id, *slot_start_unix_s, *slot_seconds)
            }
            Transaction::Bids { round_id, bids } => self.take_bids(*round_id, bids, verdicts),
            Transaction::CloseRound { round_id } => self.close_round(*round_id),
            Transaction::OpeningShare { round_id, opening_index, share } => {
                self.take_share(*round_id, *opening_index, share)
            }
            Transaction::OpenedValue { round_id, opening_index, value_wh } => {
                self.take_value(*round_id, *opening_index, *value_wh)
            }
            Transaction::Clear { round_id, outcome } => self.clear(*round_id, outcome),
            Transaction::Settle { round_id, points } => self.settle(*round_id, points),
            Transaction::Void { round_id, reason } => self.void(*round_id, *reason),
            Transaction::KeyEvent { session, event } => self.take_key_event(*session, event),
            Transaction::ChangeValidators(change) => self.take_roster_change(change),
            Transaction::Registrar(order) => self.take_order(order),
            Transaction::ReplaceKeys(replacement) => self.take_replacement(replacement),
            Transaction::Treasury(order) => self.take_treasury_order(order),
            Transaction::Withdraw(withdrawal) => self.take_withdrawal(withdrawal),
            Transaction::Claims(claims) => self.take_claims(claims),
        }
    }

    /// What is fixed for the ledger's life, and the keys in force.
    pub fn community(&self) -> &Community {
        &self.community
    }
    /// Height of the last block.
    pub fn height(&self) -> u64 {
        self.height
    }
    /// Hash of the last block.
    pub fn block_hash(&self) -> Hash {
        self.block_hash
    }
    /// Time of the last block, milliseconds since 1970 UTC.
    pub fn time_unix_ms(&self) -> u64 {
        self.time_unix_ms
    }
    /// The last round that was opened or passed over ([`Effect::PassedOver`]).
    pub fn last_round_id(&self) -> Option<u64> {
        self.last_round_id
    }
    /// The finished rounds.
    pub fn finished(&self) -> &FinishedRounds {
        &self.finished
    }
    /// An active round.
    pub fn round(&self, round_id: u64) -> Option<&Round> {
        self.rounds.get(&round_id).map(Arc::as_ref)
    }
    /// The context that bids of an active round are bound to.
    pub fn round_context(&self, round_id: u64) -> Option<RoundContext> {
        self.round(round_id).map(|round| self.community.round_context(round_id, round.slot()))
    }
    /// The active rounds in rising order of their ids.
    pub fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.rounds.values().map(Arc::as_ref)
    }

    /// The round that a transaction is about. "A transaction is about an active round."
    pub(crate) fn active(&self, round_id: u64) -> Result<&Round, Refusal> {
        self.round(round_id).ok_or(Refusal::Rounds(RoundRefusal::RoundNotActive { round: round_id }))
    }

    /// The same for writing. Called after all checks of a transaction, so that a refused one has no effect.
    pub(crate) fn active_mut(&mut self, round_id: u64) -> Result<&mut Round, Refusal> {
        let round = self
            .rounds
            .get_mut(&round_id)
            .ok_or(Refusal::Rounds(RoundRefusal::RoundNotActive { round: round_id }))?;
        Ok(Arc::make_mut(round))
    }
}

/// The validators of a genesis, their first key session begun.
fn first_network(community: &Community) -> Result<Network, KeyGenError> {
    let genesis = community.genesis();
    Network::new(genesis.roster.clone(), &genesis.params.timing, genesis.first_session())
}

/// "A round's transactions come in the order of its life."
pub(crate) fn out_of_order(round: &Round, threshold: u16, found: TransactionKind) -> Refusal {
    Refusal::Rounds(RoundRefusal::OutOfOrder {
        round: round.round_id(),
        waits: round.waits(threshold),
        found,
    })
}
