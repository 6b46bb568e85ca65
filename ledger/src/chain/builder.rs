//! Makes blocks from transactions: what a proposer does before others vote, or a single process before it stores.

use crate::block::{Block, HEADER_BYTES};
use crate::genesis::Genesis;
use crate::refusal::{BlockError, Refusal};
use crate::state::State;
use crate::state::effects::{BlockEffects, Effect};
use crate::transaction::Transaction;
use crate::verdicts::BidVerdicts;

/// Block 0 of a ledger.
pub fn genesis_block(genesis: Genesis, time_unix_ms: u64) -> Block {
    Block::new(0, [0; 32], time_unix_ms, [0; 32], vec![Transaction::Genesis(Box::new(genesis))])
}

/// The block after `state` with these transactions in this order, and the state after it. Nothing is proposed that
/// was not executed. A time before the parent's becomes the parent's, as block time does not run backwards.
///
/// # Errors
/// [`BlockError`] with the position of the first transaction that is refused.
pub fn propose(
    state: &State,
    transactions: Vec<Transaction>,
    time_unix_ms: u64,
    verdicts: &mut dyn BidVerdicts,
) -> Result<(Block, State, BlockEffects), BlockError> {
    let mut draft = BlockDraft::begin(state, time_unix_ms);
    let height = draft.state().height();
    for (index, transaction) in transactions.into_iter().enumerate() {
        let fault = |refusal: Refusal| BlockError { height, transaction: Some(index), fault: refusal.into() };
        draft.try_push(transaction, verdicts).map_err(fault)?;
    }
    Ok(draft.finish())
}

/// A block in the making: transactions are executed as they are put in, and those that are refused stay out.
pub struct BlockDraft<'a> {
    parent: &'a State,
    scratch: State,
    at_start: Vec<Effect>,
    transactions: Vec<Transaction>,
    effects: Vec<Effect>,
    bytes: usize,
}

impl<'a> BlockDraft<'a> {
    /// The next block after `parent` at this time, or at the parent's when that is later.
    pub fn begin(parent: &'a State, time_unix_ms: u64) -> Self {
        let mut scratch = parent.clone();
        let at_start = scratch.begin_block(time_unix_ms.max(parent.time_unix_ms()));
        let bytes = HEADER_BYTES + 4;
        Self { parent, scratch, at_start, transactions: Vec::new(), effects: Vec::new(), bytes }
    }

    /// Executes a transaction and puts it in.
    ///
    /// # Errors
    /// The rule that it breaks; the draft is unchanged.
    pub fn try_push(
        &mut self,
        transaction: Transaction,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<&Effect, Refusal> {
        let effect = self.scratch.apply_transaction(&transaction, verdicts)?;
        self.bytes = self.bytes.saturating_add(4).saturating_add(transaction.to_bytes().len());
        self.transactions.push(transaction);
        self.effects.push(effect);
        Ok(&self.effects[self.effects.len() - 1])
    }

    /// The transactions that the draft's time makes due.
    pub fn due(&self) -> Vec<Transaction> {
        self.parent.due(self.scratch.time_unix_ms())
    }

    /// The state after what is in the draft so far. It has no hash of this block yet and no root.
    pub fn state(&self) -> &State {
        &self.scratch
    }

    /// Bytes of the encoded block so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of transactions so far.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether nothing is in it yet.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The block, the state after it, and what it does.
    pub fn finish(self) -> (Block, State, BlockEffects) {
        let Self { parent, scratch: mut state, at_start, transactions, effects, .. } = self;
        let (height, time_unix_ms) = (state.height(), state.time_unix_ms());
        let block = Block::new(height, parent.block_hash(), time_unix_ms, parent.root(), transactions);
        let effects = state.end_block(block.hash(), at_start, effects);
        (block, state, effects)
    }
}
