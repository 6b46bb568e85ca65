//! A validator that votes: its core, and the key that signs what the core has checked.

use crate::core::{Journal, ValidatorCore};
use rand_core::CryptoRngCore;
use thiserror::Error;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::{
    self, Ballot, CertificateFault, ConsensusKey, ConsensusKeyBytes, View, Vote,
};

/// Why there is no vote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VoteFault {
    /// The block breaks a rule, or the validator has stopped.
    #[error("{0}")]
    Refused(String),
    /// "A validator votes once in a view, and never again in an earlier one."
    #[error("a vote in view {} of epoch {} was asked for after one in view {} of epoch {}", asked.1, asked.0, last.1, last.0)]
    Voted {
        /// Epoch and view that were asked for.
        asked: View,
        /// Those of the last vote.
        last: View,
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
    Stopped(String),
}

/// A validator.
pub struct Voter<J, R> {
    core: ValidatorCore<J, R>,
    key: ConsensusKey,
    last: Option<View>,
}

impl<J: Journal, R: CryptoRngCore> Voter<J, R> {
    /// A validator that has not voted yet. Votes are not journaled: whoever starts one again over the same ledger has to
    /// start its orderer in a later view.
    pub fn new(core: ValidatorCore<J, R>, key: ConsensusKey) -> Self {
        Self { core, key, last: None }
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
        let ledger_id = self.core.state().community().ledger_id();
        if (ballot.ledger_id, ballot.block_hash) != (ledger_id, block.hash()) {
            return Err(VoteFault::OtherBallot);
        }
        let asked = (ballot.epoch, ballot.view);
        if let Some(last) = self.last.filter(|last| *last >= asked) {
            return Err(VoteFault::Voted { asked, last });
        }
        self.core.check(block, now_unix_ms).map_err(VoteFault::Refused)?;
        self.last = Some(asked);
        Ok(self.key.vote(ballot))
    }

    /// Takes the next final block over, with the certificate that shows it. A block at or below the own height is known and
    /// changes nothing.
    ///
    /// # Errors
    /// [`FinaliseFault::Certificate`] changes nothing; after [`FinaliseFault::Stopped`] the validator has to be started
    /// again.
    pub fn finalise(&mut self, block: &Block, certificate: &[u8]) -> Result<(), FinaliseFault> {
        let (height, state) = (block.header.height, self.core.state());
        if height > state.height() {
            let epoch = state.timing().map_or(0, |timing| timing.epoch_of(height));
            let (ledger_id, validators) =
                (state.community().ledger_id(), state.consensus_keys(epoch).unwrap_or_default());
            finality::verify(&ledger_id, epoch, &validators, &block.hash(), certificate)
                .map_err(|fault| FinaliseFault::Certificate { height, fault })?;
        }
        self.core.finalise(block, Some(certificate)).map_err(FinaliseFault::Stopped)
    }
}
