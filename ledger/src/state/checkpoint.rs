//! How a replay gets past blocks whose bids were pruned.
//!
//! Without the bids of a round nobody can recompute its tally, nor therefore a state root while it lasts. Everything
//! else of a ledger stays in full: key events, changes of the validators, and the bids of rounds that are
//! active where full blocks begin again. So a [`Skeleton`] replays that, and a [`Checkpoint`] supplies the few numbers
//! that finished rounds have moved. The two together are a state, and its root is in the next header, which certificates
//! cover: a wrong checkpoint, or a round whose bids are missing, does not have that root (specification section 9.4).
//! Without a checkpoint the skeleton goes on to the ledger's end: rounds whose bids are there are recomputed all the
//! same, only state roots are not.

use super::effects::Effect;
use super::{FinishedRounds, MAX_ACTIVE_ROUNDS, State};
use crate::block::{Block, BlockHeader};
use crate::checks::structural;
use crate::hash::Hash;
use crate::params::{read_option, write_option};
use crate::pruned::{PrunedBlock, PrunedTransaction};
use crate::refusal::{BlockFault, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::transaction::Transaction;
use crate::verdicts::BidVerdicts;
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// What of a state can't be replayed when the bids of its finished rounds are pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Height of the state.
    pub height: u64,
    /// The last round that was opened or passed over.
    pub last_round_id: Option<u64>,
    /// End of the latest slot that is not traded again, Unix seconds.
    pub cleared_until_unix_s: Option<i64>,
    /// Finished rounds, with their digest.
    pub finished: FinishedRounds,
    /// Number of refused transactions.
    pub refused: u64,
    /// Running digest over them.
    pub refused_digest: Hash,
    /// The active rounds in rising order: all their bids are in full blocks.
    pub active: Vec<u64>,
}

/// Pruned blocks that can't be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SkeletonFault {
    /// "A checkpoint is of a block that follows."
    #[error("the checkpoint is of height {found}, and the ledger is at height {height} already")]
    Height {
        /// The checkpoint's.
        found: u64,
        /// The last block's.
        height: u64,
    },
    /// "A round that is active at the checkpoint keeps its bids."
    #[error("bids of round {round} are pruned, and the checkpoint says that it is active still")]
    BidsMissing {
        /// The round.
        round: u64,
    },
    /// "A ledger with money keeps its bids."
    #[error(
        "the ledger has money, and bids of it are pruned: what its accounts hold can't be recomputed without them; take a copy \
         that has its bids"
    )]
    Money,
    /// "Header and body of a pruned block hold."
    #[error("{0}")]
    Block(#[from] BlockFault),
}

impl Checkpoint {
    /// Whether a block can lose its bids when a replay is to get past it with this checkpoint: it is not above it, and
    /// none of its bids, accepted or refused, is for a round that is active there.
    pub fn may_prune(&self, block: &Block) -> bool {
        let needed = |transaction: &Transaction| match transaction {
            Transaction::Bids { round_id, .. } => self.active.contains(round_id),
            _ => false,
        };
        block.header.height <= self.height && !block.transactions.iter().any(needed)
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u64(self.height);
        write_option(&mut w, self.last_round_id.map(u64::to_le_bytes));
        write_option(&mut w, self.cleared_until_unix_s.map(i64::to_le_bytes));
        w.u64(self.finished.settled).u64(self.finished.voided).bytes(&self.finished.digest);
        w.u64(self.refused).bytes(&self.refused_digest).length(self.active.len());
        for round_id in &self.active {
            w.u64(*round_id);
        }
        w.finish()
    }

    /// Decodes a checkpoint; the root of the state that it leads to says whether it is true.
    ///
    /// # Errors
    /// Anything that is not the one canonical encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let height = r.u64("checkpoint height")?;
        let last_round_id = read_option(&mut r, "last round")?.map(u64::from_le_bytes);
        let cleared_until_unix_s = read_option(&mut r, "cleared slots")?.map(i64::from_le_bytes);
        let finished = FinishedRounds {
            settled: r.u64("settled rounds")?,
            voided: r.u64("void rounds")?,
            digest: r.array("digest of finished rounds")?,
        };
        let (refused, refused_digest) = (r.u64("refused transactions")?, r.array("digest of refusals")?);
        let count = r.length("active rounds", MAX_ACTIVE_ROUNDS, 8)?;
        let active = (0..count).map(|_| r.u64("active round")).collect::<Result<Vec<_>, _>>()?;
        if !active.is_sorted_by(|a, b| a < b) {
            return Err(WireError::Invalid { field: "active rounds", why: "they are not in rising order" });
        }
        r.finish()?;
        Ok(Self { height, last_round_id, cleared_until_unix_s, finished, refused, refused_digest, active })
    }
}

impl State {
    /// What a replay needs to get to this state when the bids of its finished rounds are pruned. Of the blocks up to here
    /// those may be pruned that [`State::may_prune`] allows.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            height: self.height,
            last_round_id: self.last_round_id,
            cleared_until_unix_s: self.cleared_until_unix_s,
            finished: self.finished,
            refused: self.network.refused,
            refused_digest: self.network.refused_digest,
            active: self.rounds.keys().copied().collect(),
        }
    }

    /// Whether a block at or below this state's height can lose its bids when a replay is to go on from this state's
    /// checkpoint: none of them, accepted or refused, is for a round that is active here. With money no block can: a
    /// checkpoint says nothing of accounts.
    pub fn may_prune(&self, block: &Block) -> bool {
        if self.accounts.is_some() {
            return false;
        }
        let active = |transaction: &Transaction| match transaction {
            Transaction::Bids { round_id, .. } => self.round(*round_id).is_some(),
            _ => false,
        };
        block.header.height <= self.height && !block.transactions.iter().any(active)
    }
}

impl State {
    /// A transaction opens this round, which is not recomputed: it was not passed over. What of the rules can be told
    /// without the rounds before it is checked; one that was refused because too many were active counts as opened.
    fn skip_to(&mut self, round_id: u64, opening: &Transaction) -> Result<(), Refusal> {
        structural::check(self.community.params(), opening)?;
        if let Transaction::OpenRound { slot_start_unix_s, .. } = opening {
            self.check_open_time(round_id, *slot_start_unix_s)?;
        }
        if let Some(last) = self.last_round_id.filter(|last| round_id <= *last) {
            return Err(Refusal::Rounds(RoundRefusal::RoundIdNotRising { round: round_id, last }));
        }
        self.last_round_id = Some(round_id);
        Ok(())
    }
}

/// The replay of blocks of which some are pruned: keys, validators, and every round whose bids are there. A checkpoint
/// excuses nobody from recomputing what can be recomputed: it only names the rounds that have to be there at its height.
///
/// Its state has no root that any header knows, so it is not handed out as one.
pub struct Skeleton {
    state: State,
    checkpoint: Option<Checkpoint>,
    /// Rounds that were not recomputed.
    lost: BTreeSet<u64>,
    /// Those of them that the block in hand has added.
    lost_now: Vec<u64>,
}

/// What a skeleton can tell about a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What its height and time did.
    pub at_start: Vec<Effect>,
    /// One entry a transaction; none for those of rounds that are not recomputed.
    pub effects: Vec<Option<Effect>>,
    /// Rounds that are not recomputed from this block on.
    pub lost: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Full(&'a Transaction),
    Missing { round_id: u64 },
}

impl Skeleton {
    /// Goes on from a full state with blocks of which some are pruned, to a checkpoint when there is one.
    ///
    /// # Errors
    /// [`SkeletonFault::Money`], [`SkeletonFault::Height`].
    pub fn new(state: State, checkpoint: Option<Checkpoint>) -> Result<Self, SkeletonFault> {
        // Costs are in bids, and snapshots of later rounds follow from them: no account would be what it is.
        if state.accounts.is_some() {
            return Err(SkeletonFault::Money);
        }
        let height = state.height;
        if let Some(found) = checkpoint.as_ref().map(|found| found.height).filter(|found| *found <= height) {
            return Err(SkeletonFault::Height { found, height });
        }
        Ok(Self { state, checkpoint, lost: BTreeSet::new(), lost_now: Vec::new() })
    }

    /// The rounds that were not recomputed so far, because bids of theirs are missing.
    pub fn lost_rounds(&self) -> &BTreeSet<u64> {
        &self.lost
    }

    /// The height of the checkpoint, when there is one and its block has not come yet.
    pub fn awaits(&self) -> Option<u64> {
        self.checkpoint.as_ref().map(|checkpoint| checkpoint.height)
    }

    /// The replay so far, for what does not depend on finished rounds: height, last block, validators, key sessions.
    /// Its root is no ledger's.
    pub fn partial(&self) -> &State {
        &self.state
    }

    /// Replays a block that was not pruned.
    ///
    /// # Errors
    /// [`SkeletonFault::Block`]; nothing has changed then.
    pub fn full(&mut self, block: &Block, verdicts: &mut dyn BidVerdicts) -> Result<Step, SkeletonFault> {
        self.state.check_link(&block.header)?;
        block.check_body()?;
        self.block(&block.header, block.transactions.iter().map(Content::Full), verdicts)
    }

    /// Replays a pruned block.
    ///
    /// # Errors
    /// [`SkeletonFault::Block`]; nothing has changed then. [`SkeletonFault::BidsMissing`]; the replay is over then.
    pub fn pruned(
        &mut self,
        block: &PrunedBlock,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Step, SkeletonFault> {
        self.state.check_link(&block.header)?;
        block.check_body()?;
        let contents = block.transactions.iter().map(|transaction| match transaction {
            PrunedTransaction::Full(transaction) => Content::Full(transaction),
            PrunedTransaction::Bids { round_id, .. } => Content::Missing { round_id: *round_id },
        });
        self.block(&block.header, contents, verdicts)
    }

    fn block<'a>(
        &mut self,
        header: &BlockHeader,
        contents: impl Iterator<Item = Content<'a>>,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Step, SkeletonFault> {
        let at_start = self.state.begin_block(header.time_unix_ms);
        let mut effects = Vec::new();
        for content in contents {
            effects.push(self.transaction(content, verdicts)?);
        }
        self.state.block_hash = header.hash();
        Ok(Step { at_start, effects, lost: core::mem::take(&mut self.lost_now) })
    }

    /// A round is not recomputed from here on.
    fn lose(&mut self, round_id: u64) {
        if self.lost.insert(round_id) {
            self.lost_now.push(round_id);
        }
    }

    fn transaction(
        &mut self,
        content: Content<'_>,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Option<Effect>, SkeletonFault> {
        let transaction = match content {
            Content::Full(transaction) => transaction,
            // Bids for a round that takes none were refused. Anybody can write such a transaction, at any time.
            Content::Missing { round_id } => {
                let missing = self.state.round(round_id).is_some_and(|round| round.takes_bids());
                if missing && self.needs(round_id) {
                    return Err(SkeletonFault::BidsMissing { round: round_id });
                }
                if missing {
                    self.state.rounds.remove(&round_id);
                    self.lose(round_id);
                }
                return Ok(None);
            }
        };
        if let Some(round_id) = transaction.round_id() {
            let opens = matches!(transaction, Transaction::OpenRound { .. });
            let full = self.checkpoint.is_some() && self.state.rounds.len() >= MAX_ACTIVE_ROUNDS;
            if opens && full && self.needs(round_id) {
                self.make_room();
            } else if opens && full {
                return Ok(match self.state.skip_to(round_id, transaction) {
                    Ok(()) => {
                        self.lose(round_id);
                        None
                    }
                    Err(refusal) => Some(Effect::Refused(Box::new(refusal))),
                });
            }
            if self.lost.contains(&round_id) {
                return Ok(None);
            }
        }
        let effect = self.state.apply_transaction(transaction, verdicts);
        Ok(Some(effect.unwrap_or_else(|refusal| Effect::Refused(Box::new(refusal)))))
    }

    /// Whether the checkpoint says that a round is active at it.
    fn needs(&self, round_id: u64) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.active.contains(&round_id))
    }

    /// Which openings were refused while rounds were lost can't be told. A round that stands here by such an opening
    /// never ends, and must not keep out one that the checkpoint needs.
    fn make_room(&mut self) {
        let ids = self.state.rounds.keys().copied();
        let others: Vec<u64> = ids.filter(|round_id| !self.needs(*round_id)).collect();
        for round_id in others {
            self.state.rounds.remove(&round_id);
            self.lose(round_id);
        }
    }

    /// The state after the checkpoint's block, and the rounds that were not recomputed; the skeleton comes back while
    /// that is ahead. Whoever relies on the state compares its root with the prior state root of a final block:
    /// [`State::apply_block`] refuses others.
    ///
    /// # Errors
    /// The skeleton itself.
    pub fn complete(self) -> Result<(State, BTreeSet<u64>), Box<Self>> {
        let Self { mut state, checkpoint, mut lost, lost_now } = self;
        let checkpoint = match checkpoint {
            Some(checkpoint) if checkpoint.height == state.height => checkpoint,
            ahead => return Err(Box::new(Self { state, checkpoint: ahead, lost, lost_now })),
        };
        lost.extend(state.rounds.keys().filter(|round_id| !checkpoint.active.contains(round_id)));
        state.rounds.retain(|round_id, _| checkpoint.active.contains(round_id));
        state.last_round_id = checkpoint.last_round_id;
        state.cleared_until_unix_s = checkpoint.cleared_until_unix_s;
        state.finished = checkpoint.finished;
        let network = Arc::make_mut(&mut state.network);
        (network.refused, network.refused_digest) = (checkpoint.refused, checkpoint.refused_digest);
        Ok((state, lost))
    }
}
