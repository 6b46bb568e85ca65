//! A validator that votes: its core, and the key that signs what the core has checked.

use crate::core::{CheckError, CoreError, Journal, ValidatorCore};
use rand_core::CryptoRngCore;
use thiserror::Error;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::{
    self, Ballot, CertificateFault, ConsensusKey, ConsensusKeyBytes, View, Vote,
};
use veilgrid_ledger::hash::Hash;

/// Why there is no vote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VoteFault {
    /// The block breaks a rule, or the validator has stopped.
    #[error("{0}")]
    Refused(CheckError),
    /// "A validator votes once in a view, and never again in an earlier one."
    #[error("a vote in view {} of epoch {} was asked for after one in view {} of epoch {}", asked.1, asked.0, last.1, last.0)]
    Voted {
        /// Epoch and view that were asked for.
        asked: View,
        /// Those of the last vote.
        last: View,
    },
    /// "A height gets one vote": with the rule before and honest restarts, no two blocks of one height have a certificate
    /// while at most f validators lie, whatever the orderer does.
    #[error("another block than the one that was voted for at height {height}")]
    Another {
        /// The height of the earlier vote.
        height: u64,
    },
    /// "A vote is for the block after the last final one."
    #[error("block {height} does not follow block {last}, the last final one here")]
    NotNext {
        /// The block's height.
        height: u64,
        /// That of the last final one.
        last: u64,
    },
    /// The ballot is not for this block or not for this ledger.
    #[error("the ballot is for another block or ledger")]
    OtherBallot,
}

/// Why a validator does not take a block over as final.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FinaliseFault {
    /// "What is final has a certificate of the validators in force." Key shares open what follows from final blocks, so
    /// nobody is taken at their word here.
    #[error("block {height} is said to be final: {fault}")]
    Certificate {
        /// The block's height.
        height: u64,
        /// What is wrong with its certificate.
        fault: CertificateFault,
    },
    /// The validator stops, or had stopped before.
    #[error("{0}")]
    Stopped(CoreError),
}

/// What a validator has voted for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastVote {
    view: View,
    height: u64,
    block_hash: Hash,
}

/// A validator.
pub struct Voter<J, R> {
    core: ValidatorCore<J, R>,
    key: ConsensusKey,
    last: Option<LastVote>,
}

impl<J: Journal, R: CryptoRngCore> Voter<J, R> {
    /// A validator that has voted last for what [`Self::last_vote`] said before it was started again; none at first.
    pub fn new(core: ValidatorCore<J, R>, key: ConsensusKey, last: Option<LastVote>) -> Self {
        Self { core, key, last }
    }

    /// What it has voted for last. Whoever starts it again hands this over: a validator that forgets may sign two blocks
    /// of one height.
    pub fn last_vote(&self) -> Option<LastVote> {
        self.last
    }

    /// The validator between blocks and rules.
    pub fn core(&self) -> &ValidatorCore<J, R> {
        &self.core
    }

    /// The same, to propose, to offer, and to finalise.
    pub fn core_mut(&mut self) -> &mut ValidatorCore<J, R> {
        &mut self.core
    }

    /// Its name among the voters.
    pub fn consensus_key(&self) -> ConsensusKeyBytes {
        self.key.public()
    }

    /// Checks a block, executes it and signs the ballot.
    ///
    /// # Errors
    /// [`VoteFault`]. Whoever gives no vote loses nothing: what the others make final is executed all the same.
    pub fn vote(&mut self, block: &Block, ballot: &Ballot, now_unix_ms: u64) -> Result<Vote, VoteFault> {
        let (state, height, block_hash) = (self.core.state(), block.header.height, block.hash());
        if (ballot.ledger_id, ballot.block_hash) != (state.community().ledger_id(), block_hash) {
            return Err(VoteFault::OtherBallot);
        }
        let follows = state.height().checked_add(1) == Some(height);
        if !follows || block.header.parent_hash != state.block_hash() {
            return Err(VoteFault::NotNext { height, last: state.height() });
        }
        let vote = LastVote { view: (ballot.epoch, ballot.view), height, block_hash };
        self.last.map_or(Ok(()), |last| may_follow(&last, &vote))?;
        self.core.check(block, now_unix_ms).map_err(VoteFault::Refused)?;
        self.last = Some(vote);
        Ok(self.key.vote(ballot))
    }

    /// Takes the next final block over, with the certificate that shows it. The block at its own height and those below it
    /// are known and change nothing; another one at its own height stops the validator if it has a certificate.
    ///
    /// # Errors
    /// [`FinaliseFault::Certificate`] changes nothing; after [`FinaliseFault::Stopped`] the validator has to be started
    /// again.
    pub fn finalise(&mut self, block: &Block, certificate: &[u8]) -> Result<(), FinaliseFault> {
        let (height, state) = (block.header.height, self.core.state());
        let is_other = height == state.height() && block.hash() != state.block_hash();
        if height > state.height() || is_other {
            let epoch = state.timing().epoch_of(height);
            let (ledger_id, validators) =
                (state.community().ledger_id(), state.consensus_keys(epoch).unwrap_or_default());
            finality::verify(&ledger_id, epoch, &validators, &block.hash(), certificate)
                .map_err(|fault| FinaliseFault::Certificate { height, fault })?;
        }
        self.core.finalise(block, Some(certificate)).map_err(FinaliseFault::Stopped)
    }
}

/// "A validator votes once in a view, never again in an earlier one, and for one block of a height."
fn may_follow(last: &LastVote, vote: &LastVote) -> Result<(), VoteFault> {
    if last.view >= vote.view {
        return Err(VoteFault::Voted { asked: vote.view, last: last.view });
    }
    // The same block may be asked for again in a later view.
    if last.height > vote.height || last.height == vote.height && last.block_hash != vote.block_hash {
        return Err(VoteFault::Another { height: last.height });
    }
    Ok(())
}
