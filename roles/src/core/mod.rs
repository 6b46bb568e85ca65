//! One validator as the consensus engine sees it: a [`Replica`] that executes and votes, a [`KeyHolder`] with the
//! secrets, and a [`Journal`] in which everything is durable before anybody else can rely on it.
//!
//! ```text
//! finalise:  execute --> journal: block --> key holder acts --> journal: secrets --> own transactions into the pool
//! ```
//!
//! A process may be killed between any two of these. After the restart [`ValidatorCore::new`] acts once more on the
//! last stored block, and the key holder repeats what it has made to the bit.
//!
//! The methods have the names of the engine's application; the engine calls them one at a time. Pure: blocks, messages
//! and time are passed in, disk is behind the journal.

mod journal;
mod memory;
mod mute;

pub use journal::{Journal, JournalError};
pub use memory::{Failure, MemoryJournal};
pub use mute::MUTED_MS;

use crate::keyholder::{Actions, Holding, KeyHolder, Notice, Owed};
use crate::replica::{
    CheckedGossip, GossipClass, GossipFault, GossipJob, Limits, OfferRefusal, Offered, Proposal, Replica,
    SharedVerdicts, Summary, VoteRefusal,
};
use mute::Muted;
use rand_core::CryptoRngCore;
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

/// Final blocks that wait for [`ValidatorCore::take_applied`]; beyond them the oldest are dropped.
const MAX_APPLIED: usize = 1_024;
/// The same of notices and of peers' faults.
const MAX_REPORTED: usize = 256;
/// Every so many blocks, those of its own transactions that the ledger does not have are offered again: the pool may have been
/// full, or have dropped what came too early.
const REOFFER_BLOCKS: u64 = 8;
/// How long a validator that has stopped lets the engine wait, in milliseconds.
const STOPPED_WAIT_MS: u64 = 20;

/// A block that was finalised here, and what it did.
#[derive(Clone)]
pub struct Applied {
    /// The block.
    pub block: Arc<Block>,
    /// What it did.
    pub effects: Arc<BlockEffects>,
}

/// Why a validator stops. It has to be started again, once what is named here has been put right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CoreError {
    /// "What is final is executed." The others have signed a block that this validator refuses.
    #[error(
        "a final block is refused: {0}; compare the programs' versions and the ledgers of the validators"
    )]
    Block(#[from] BlockError),
    /// "A height has one final block."
    #[error("block {height} is final here with another hash than the engine delivers: the ledger has forked")]
    Fork {
        /// The height.
        height: u64,
    },
    /// "What others rely on is durable."
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// It has stopped before.
    #[error("the validator has stopped: {0}")]
    Stopped(Box<CoreError>),
}

/// Why a block is not executed, or gets no vote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckError {
    /// The rule that the block breaks.
    #[error("{0}")]
    Refused(#[from] VoteRefusal),
    /// The validator executes nothing any more.
    #[error("{0}")]
    Core(#[from] CoreError),
}

/// A validator.
pub struct ValidatorCore<J, R> {
    genesis: Block,
    replica: Replica,
    holder: KeyHolder,
    journal: J,
    rng: R,
    /// Height of the last block in the journal.
    height: u64,
    applied: VecDeque<Applied>,
    notices: VecDeque<Notice>,
    faults: VecDeque<([u8; 32], GossipFault)>,
    muted: Muted,
    /// Whose faults are in the log, and until when further ones are not.
    named: Muted,
    stopped: Option<CoreError>,
}

impl<J: Journal, R: CryptoRngCore> ValidatorCore<J, R> {
    /// A validator at the state after the journal's last block, with the secrets that the journal has. It acts on that
    /// state at once: it may have been killed before it had.
    ///
    /// # Errors
    /// [`CoreError::Journal`].
    pub fn new(
        genesis: Block,
        state: State,
        holder: KeyHolder,
        journal: J,
        rng: R,
        limits: Limits,
    ) -> Result<Self, CoreError> {
        let height = state.height();
        let mut core = Self {
            genesis,
            replica: Replica::new(state, limits),
            holder,
            journal,
            rng,
            height,
            applied: VecDeque::new(),
            notices: VecDeque::new(),
            faults: VecDeque::new(),
            muted: Muted::default(),
            named: Muted::default(),
            stopped: None,
        };
        core.act()?;
        Ok(core)
    }

    /// Uses a table of small logarithms that was built elsewhere; see [`Replica::use_log`].
    pub fn use_log(&mut self, log: Arc<SmallLog>) {
        self.replica.use_log(log);
    }

    /// Block 0.
    pub fn genesis(&self) -> Block {
        self.genesis.clone()
    }

    /// Height of the last block that is durable.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Whether the block was executed, final or not.
    pub fn knows(&self, block: &Hash) -> bool {
        self.replica.knows(block)
    }

    /// Executes an ancestor of a proposal, whose parent is known.
    ///
    /// # Errors
    /// Why it cannot be executed.
    pub fn learn(&mut self, block: &Block) -> Result<(), CheckError> {
        self.check_running()?;
        Ok(self.replica.learn(block)?)
    }

    /// The next block on a known parent, at this time (Unix milliseconds).
    pub fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        match self.stopped {
            Some(_) => Proposal::Wait { ms: STOPPED_WAIT_MS },
            None => self.replica.propose(parent, now_unix_ms),
        }
    }

    /// Checks and executes a block before the vote, at this time (Unix milliseconds).
    ///
    /// # Errors
    /// Why it gets no vote.
    pub fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), CheckError> {
        self.check_running()?;
        Ok(self.replica.check(block, now_unix_ms)?)
    }

    /// Applies the next final block; it is durable, and so are the secrets that follow from it, when this returns. A
    /// block that was applied before is ignored.
    ///
    /// # Errors
    /// Why the validator stops.
    pub fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), CoreError> {
        self.check_running()?;
        self.finalised(block, certificate).inspect_err(|error| self.stop(error))
    }

    /// As [`Self::finalise`], of a block that this process has executed already, with the state after it and what it did.
    /// See [`Replica::take_executed`].
    ///
    /// # Errors
    /// Why the validator stops.
    pub fn finalise_executed(
        &mut self,
        block: &Block,
        certificate: Option<&[u8]>,
        state: State,
        effects: BlockEffects,
    ) -> Result<(), CoreError> {
        self.check_running()?;
        self.replica.take_executed(block.header.parent_hash, state, effects);
        self.finalise(block, certificate)
    }

    fn finalised(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), CoreError> {
        let height = block.header.height;
        if height == self.height && block.hash() != self.replica.state().block_hash() {
            return Err(CoreError::Fork { height });
        }
        let Some(effects) = self.replica.finalise(block)? else { return Ok(()) };
        self.journal.append(block, certificate)?;
        self.height = height;
        if self.applied.len() >= MAX_APPLIED {
            self.applied.pop_front();
        }
        self.applied.push_back(Applied { block: Arc::new(block.clone()), effects: Arc::new(effects) });
        self.act()?;
        if height.is_multiple_of(REOFFER_BLOCKS) {
            let pending = self.holder.pending(self.replica.state());
            self.offer_own(pending);
        }
        Ok(())
    }

    /// Lets the key holder act on the final state. Nothing that it made leaves before its secrets are durable.
    fn act(&mut self) -> Result<(), CoreError> {
        let Actions { secrets_changed, owed, release_guard, notices } =
            self.holder.act(self.replica.state(), &mut self.rng);
        notices.into_iter().for_each(|notice| self.report(notice));
        if secrets_changed {
            self.journal.save_secrets(&self.holder.to_bytes())?;
        }
        for (round_id, slot_start_unix_s, bid_set) in release_guard {
            let bid_set: String = bid_set.iter().map(|byte| format!("{byte:02x}")).collect();
            tracing::info!(round_id, slot_start_unix_s, bid_set, "the slot's set of bids is fixed here");
        }
        self.offer_own(owed);
        Ok(())
    }

    fn report(&mut self, notice: Notice) {
        if notice.is_alarm() {
            tracing::error!("{notice}");
        } else if matches!(notice, Notice::InForce { .. }) {
            tracing::info!("{notice}");
        } else {
            tracing::warn!("{notice}");
        }
        if self.notices.len() >= MAX_REPORTED {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    fn offer_own(&mut self, owed: Vec<Owed>) {
        for one in owed {
            let (kind, offered) = match one {
                Owed::Share { round_id, opening_index, share } => {
                    let offered = self.replica.offer_share(round_id, opening_index, share);
                    (TransactionKind::OpeningShare, offered)
                }
                Owed::KeyEvent { session, event } => {
                    (TransactionKind::KeyEvent, self.replica.offer_key_event(session, &event))
                }
            };
            if let Err(refusal) = offered {
                tracing::debug!(%kind, %refusal, "an own transaction waits");
            }
        }
    }

    /// Takes a certificate that came after its block. One that can't be stored stops the validator.
    pub fn certified(&mut self, height: u64, certificate: &[u8]) {
        if self.stopped.is_some() || height == 0 || height > self.height {
            return;
        }
        if let Err(error) = self.journal.certificate(height, certificate) {
            self.stop(&error.into());
        }
    }

    /// Takes a gossip message of the validator with this consensus key, or says what has to be checked outside of
    /// whatever lock the core is behind; [`Self::conclude`] takes that. Who is muted gets no proofs verified.
    pub fn begin(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipJob> {
        let is_heavy = GossipClass::of(message) == GossipClass::Heavy;
        if self.stopped.is_some() || is_heavy && self.muted.has(from, self.state().time_unix_ms()) {
            return None;
        }
        let begun = self.replica.begin(from, message);
        begun.unwrap_or_else(|fault| {
            self.blame(from, fault);
            None
        })
    }

    /// Takes the bids of a job of this validator's message that was run.
    pub fn conclude(&mut self, from: &[u8; 32], checked: CheckedGossip) {
        if self.stopped.is_some() {
            return;
        }
        if let Err(fault) = self.replica.conclude(checked) {
            self.blame(from, fault);
        }
    }

    /// [`Self::begin`], what is to be checked, and [`Self::conclude`], one after another on this thread.
    pub fn receive(&mut self, from: &[u8; 32], message: &[u8]) {
        if let Some(job) = self.begin(from, message) {
            self.conclude(from, job.run());
        }
    }

    fn blame(&mut self, from: &[u8; 32], fault: GossipFault) {
        let now_unix_ms = self.replica.state().time_unix_ms();
        // Its shares and key events are still read, so it could fill the log with them.
        if self.named.has(from, now_unix_ms) {
            tracing::debug!(peer = hex_prefix(from), %fault, "a validator has sent something false again");
        } else {
            self.named.mute(from, now_unix_ms);
            let quiet_s = MUTED_MS / 1_000;
            tracing::warn!(peer = hex_prefix(from), %fault, quiet_s, "a validator has sent something false");
        }
        if fault.mutes() {
            self.muted.mute(from, now_unix_ms);
        }
        if self.faults.len() >= MAX_REPORTED {
            self.faults.pop_front();
        }
        self.faults.push_back((*from, fault));
    }

    /// The gossip messages for all other validators.
    pub fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        if self.stopped.is_some() { Vec::new() } else { self.replica.take_gossip() }
    }

    /// The validators' consensus keys in an epoch of the engine; none when they are not known yet.
    pub fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        self.replica.state().consensus_keys(epoch)
    }

    /// Offers bids from outside; one answer per bid, in order.
    pub fn offer_bids(&mut self, round_id: u64, bids: Vec<SealedBid>) -> Vec<Result<Offered, OfferRefusal>> {
        self.replica.offer_bids(round_id, bids)
    }

    /// Offers a key event, a change of validators, an order of registrar or treasury, a replacement of keys, a withdrawal or
    /// claims from outside.
    ///
    /// # Errors
    /// Why it is not taken; [`OfferRefusal::Kind`] for any other transaction.
    pub fn offer_transaction(&mut self, transaction: &Transaction) -> Result<Offered, OfferRefusal> {
        match transaction {
            Transaction::ChangeValidators(change) => self.replica.offer_roster_change(change),
            Transaction::KeyEvent { session, event } => self.replica.offer_key_event(*session, event),
            Transaction::Registrar(order) => self.replica.offer_order(order),
            Transaction::ReplaceKeys(replacement) => self.replica.offer_replacement(replacement),
            Transaction::Treasury(order) => self.replica.offer_treasury_order(order),
            Transaction::Withdraw(withdrawal) => self.replica.offer_withdrawal(withdrawal),
            Transaction::Claims(claims) => self.replica.offer_claims(claims),
            other => Err(OfferRefusal::Kind { found: other.kind() }),
        }
    }

    /// This validator's transactions that the ledger takes at the final state and does not have, for a validator that no gossip
    /// reaches: [`ValidatorCore::take_gossip`] is the usual way.
    pub fn pending(&self) -> Vec<Transaction> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        self.holder.pending(self.replica.state()).into_iter().map(Transaction::from).collect()
    }

    /// The state after the last final block.
    pub fn state(&self) -> &State {
        self.replica.state()
    }

    /// The replica's verdicts on bids, for the intake beside it.
    pub fn verdicts(&self) -> SharedVerdicts {
        self.replica.verdicts()
    }

    /// What the replica has, for a status page.
    pub fn summary(&self) -> Summary {
        self.replica.summary()
    }

    /// Whether this validator holds shares, for a status page.
    pub fn holding(&self) -> Holding {
        self.holder.holding(self.replica.state())
    }

    /// The blocks that were finalised since the last call, oldest first. A gap in the heights says that the caller was
    /// too slow; the blocks are in the journal.
    pub fn take_applied(&mut self) -> Vec<Applied> {
        self.applied.drain(..).collect()
    }

    /// What an operator should hear of, since the last call. It was logged.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.drain(..).collect()
    }

    /// What validators have sent that is false, since the last call, with their consensus keys. The log names each
    /// validator once in [`MUTED_MS`].
    pub fn take_faults(&mut self) -> Vec<([u8; 32], GossipFault)> {
        self.faults.drain(..).collect()
    }

    /// Why the validator has stopped, if it has.
    pub fn stopped(&self) -> Option<&CoreError> {
        self.stopped.as_ref()
    }

    /// The journal.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    fn check_running(&self) -> Result<(), CoreError> {
        match &self.stopped {
            Some(why) => Err(CoreError::Stopped(Box::new(why.clone()))),
            None => Ok(()),
        }
    }

    /// From here on nothing is executed, stored or sent.
    fn stop(&mut self, error: &CoreError) {
        tracing::error!(%error, "the validator stops");
        self.stopped.get_or_insert_with(|| error.clone());
    }
}

fn hex_prefix(bytes: &[u8; 32]) -> String {
    bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
