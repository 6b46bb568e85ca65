//! Makes blocks from transactions. This stands where the BFT engine will be: it decides the order, nothing else.

use crate::block::Block;
use crate::genesis::Genesis;
use crate::refusal::BlockError;
use crate::state::State;
use crate::state::effects::BlockEffects;
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
    let height = state.height().saturating_add(1);
    let time_unix_ms = time_unix_ms.max(state.time_unix_ms());
    let block = Block::new(height, state.block_hash(), time_unix_ms, state.root(), transactions);
    let mut next = state.clone();
    let effects = next.apply_block(&block, verdicts)?;
    Ok((block, next, effects))
}

/// A ledger that one process extends.
pub struct BlockBuilder {
    state: State,
}

impl BlockBuilder {
    /// Extends the ledger from this state on.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// The state after the last committed block.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// [`propose`]s a block on the current state, without taking it over.
    ///
    /// # Errors
    /// As [`propose`].
    pub fn propose(
        &self,
        transactions: Vec<Transaction>,
        time_unix_ms: u64,
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Proposal, BlockError> {
        let (block, state, effects) = propose(&self.state, transactions, time_unix_ms, verdicts)?;
        Ok(Proposal { block, effects, state })
    }

    /// Takes a proposal over, once its block is stored. A proposal on another state is handed back.
    pub fn commit(&mut self, proposal: Proposal) -> Result<(Block, BlockEffects), Box<Proposal>> {
        if proposal.block.header.parent_hash != self.state.block_hash() {
            return Err(Box::new(proposal));
        }
        self.state = proposal.state;
        Ok((proposal.block, proposal.effects))
    }
}

/// A block that was executed and is not committed yet: it is stored first.
pub struct Proposal {
    /// The block.
    pub block: Block,
    /// What it does.
    pub effects: BlockEffects,
    state: State,
}
