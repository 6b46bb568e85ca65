//! Why a day ends with an error.

use crate::config::ConfigError;
use crate::orderer::OrderError;
use thiserror::Error;
use veilgrid_actors::follow::FollowFault;
use veilgrid_actors::validator::ValidatorFault;
use veilgrid_ledger::genesis::GenesisError;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_market::MappingError;
use veilgrid_roles::member::DeskError;
use veilgrid_scenario::behaviour::{BehaviourError, GainError, TermsError};

/// Who stopped a day, and why.
#[derive(Debug, Error)]
pub enum DayError {
    /// The day can't begin.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Tariffs and grid do not fit.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The genesis breaks a rule.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Block 0 breaks a rule.
    #[error(transparent)]
    GenesisBlock(#[from] BlockError),
    /// The validators generate no keys.
    #[error("the validators generate no keys: {why}")]
    NoKeys {
        /// Why.
        why: String,
    },
    /// A validator refuses or fails.
    #[error(transparent)]
    Validator(#[from] ValidatorFault),
    /// There is no next block.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A model can't play a member's owner.
    #[error("member {id}: {source}")]
    Model {
        /// The member.
        id: String,
        /// Why.
        source: BehaviourError,
    },
    /// A member has no bid on the ledger.
    #[error("member {id}: {why}")]
    Bid {
        /// The member.
        id: String,
        /// Why.
        why: String,
    },
    /// The day's money does not add up.
    #[error("money: {what}")]
    Money {
        /// What is wrong.
        what: String,
    },
    /// A member can't go on.
    #[error("member {id}: {source}")]
    Member {
        /// The member.
        id: String,
        /// Why.
        source: DeskError,
    },
    /// A member does not accept the result.
    #[error("member {id}: round {round_id} {what}")]
    Result {
        /// The member.
        id: String,
        /// The round.
        round_id: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The simulation's own book does not map to the grid.
    #[error(transparent)]
    Book(#[from] MappingError),
    /// Gains do not add up.
    #[error(transparent)]
    Gains(#[from] GainError),
    /// Validators end with different ledgers.
    #[error(
        "validator {validator} ends at block {height} with another state than the others: \
         compare the audits of the validators' ledgers"
    )]
    Disagreement {
        /// Who.
        validator: u16,
        /// Where it ends.
        height: u64,
    },
    /// The audit does not pass or does not end where the validators do.
    #[error(transparent)]
    Audit(#[from] FollowFault),
    /// The auditor ends at another state than the validators.
    #[error("the auditor ends at block {height} with another state than the validators")]
    AuditDisagreement {
        /// Where it ends.
        height: u64,
    },
    /// An actor is gone, by a panic.
    #[error("{who} is gone: this is a bug, please report it")]
    ActorLost {
        /// Who.
        who: String,
    },
    /// The system refuses threads.
    #[error("starting threads: {source}")]
    Threads {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The day's own thread panicked.
    #[error("the day ended in a panic: this is a bug, please report it")]
    Panicked,
}

impl DayError {
    /// For an answer that never came.
    pub(crate) fn lost(who: impl ToString) -> impl FnOnce(actix::MailboxError) -> Self {
        let who = who.to_string();
        move |_| Self::ActorLost { who }
    }
}
