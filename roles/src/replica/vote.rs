//! Executing blocks of others, and the rule of the vote.
//!
//! The rule is stricter than the ledger's. A block that others finalise is executed whatever it holds, and a
//! transaction that breaks a rule is recorded there as refused. A vote asks for more: near block time, bounded size,
//! everything that is due in front, and no refused transaction at all. An honest proposer can always keep it, since it
//! executes its block on the same state and puts in only what was accepted. So blocks that break it come from faulty
//! proposers only and there is no case in which one has to be voted for.

use super::Replica;
use super::error::VoteRefusal;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::checks::check_without_state;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;

impl Replica {
    /// Executes a block on the state after its parent, without the rules of the vote: an ancestor of a proposal, which
    /// others have voted for.
    ///
    /// # Errors
    /// [`VoteRefusal::UnknownParent`], [`VoteRefusal::Block`] for a header that does not fit.
    pub fn learn(&mut self, block: &Block) -> Result<(), VoteRefusal> {
        let learnt = self.executed_or_refused(block);
        self.noted(learnt)
    }

    /// Checks a block for the vote and executes it.
    ///
    /// # Errors
    /// The first rule that it breaks. It may be known afterwards all the same: others may finalise it.
    pub fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), VoteRefusal> {
        let checked = self.checked(block, now_unix_ms);
        self.noted(checked)
    }

    fn noted(&mut self, outcome: Result<(), VoteRefusal>) -> Result<(), VoteRefusal> {
        if let Err(refusal) = &outcome {
            self.note_refusal(refusal);
        }
        outcome
    }

    fn checked(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), VoteRefusal> {
        self.check_time(block, now_unix_ms)?;
        self.check_size(block)?;
        let parent = self.parent_of(block)?.clone();
        check_due(&parent, block)?;
        self.check_alone(&parent, block)?;
        self.executed_or_refused(block)?;
        self.check_accepted(block)
    }

    /// "Block time is near to the voters' clocks."
    fn check_time(&self, block: &Block, now_unix_ms: u64) -> Result<(), VoteRefusal> {
        let (height, block_unix_ms) = (block.header.height, block.header.time_unix_ms);
        let skew_ms = self.max_clock_skew_ms();
        if block_unix_ms.abs_diff(now_unix_ms) > skew_ms {
            return Err(VoteRefusal::Clock { height, block_unix_ms, now_unix_ms, skew_ms });
        }
        Ok(())
    }

    /// "A block fits the network's bound."
    fn check_size(&self, block: &Block) -> Result<(), VoteRefusal> {
        let (bytes, bound) = (block.to_bytes().len(), self.limits.max_block_bytes);
        if bytes > bound {
            return Err(VoteRefusal::TooLarge { height: block.header.height, bytes, bound });
        }
        Ok(())
    }

    /// "Header, body, structure and proofs are right": before the execution, whose verdicts are then remembered. Who may
    /// bid comes before the proofs, and of these it is asked only whether all hold: what a false leader can make a voter
    /// verify is one batch.
    fn check_alone(&mut self, parent: &State, block: &Block) -> Result<(), VoteRefusal> {
        if self.knows(&block.hash()) {
            return Ok(());
        }
        parent.check_bidders(&block.transactions).map_err(|(position, refusal)| {
            let (height, refusal) = (block.header.height, Box::new(refusal));
            VoteRefusal::Refused { height, position, refusal }
        })?;
        let slot_of = |round_id| parent.round(round_id).map(|round| round.slot());
        let terms_of = |round_id, bids: &[SealedBid]| parent.terms_of(round_id, bids).ok().flatten();
        Ok(check_without_state(parent.community(), block, &slot_of, &terms_of, &mut self.verdicts)?)
    }

    /// "No transaction of a block is refused."
    fn check_accepted(&self, block: &Block) -> Result<(), VoteRefusal> {
        let refused = self.ahead.get(&block.hash()).and_then(|executed| executed.first_refusal());
        match refused {
            Some((position, refusal)) => {
                let (height, refusal) = (block.header.height, Box::new(refusal.clone()));
                Err(VoteRefusal::Refused { height, position, refusal })
            }
            None => Ok(()),
        }
    }

    fn parent_of(&self, block: &Block) -> Result<&State, VoteRefusal> {
        let (height, parent) = (block.header.height, block.header.parent_hash);
        self.state_after(&parent).ok_or(VoteRefusal::UnknownParent { height, parent })
    }

    fn executed_or_refused(&mut self, block: &Block) -> Result<(), VoteRefusal> {
        if self.knows(&block.hash()) {
            // The hash covers the header alone; the body that comes with it has to be the one that was executed.
            let height = block.header.height;
            let refused = |fault| BlockError { height, transaction: None, fault };
            return Ok(block.check_body().map_err(refused)?);
        }
        let parent = self.parent_of(block)?.clone();
        let executed = self.execute(&parent, block)?;
        self.ahead.insert(executed);
        Ok(())
    }
}

/// "A block begins with what its time makes due", so that nobody keeps a round open by leaving its close out.
fn check_due(parent: &State, block: &Block) -> Result<(), VoteRefusal> {
    for (position, due) in parent.due(block.header.time_unix_ms).into_iter().enumerate() {
        if block.transactions.get(position) != Some(&due) {
            let (height, missing) = (block.header.height, due.kind());
            return Err(VoteRefusal::DueMissing { height, position, missing });
        }
    }
    Ok(())
}
