//! The ways to the validators, and who of them is behind.

use actix::{Addr, Message, Recipient};
use std::collections::VecDeque;
use std::time::Duration;
use veilgrid_actors::validator::{
    Acknowledgement, CastVote, Finalise, Gossip, OfferBids, OfferTransaction, Propose, ValidatorActor,
    ValidatorFault,
};
use veilgrid_ledger::finality::ConsensusKeyBytes;

/// Longest time that a validator may take for an answer. Generous: it is there for validators that hang, and a verdict on
/// a thousand bids takes seconds on a slow machine.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Times in a row that a validator does not take a final block until it is left behind for good: each time it has started
/// again from its store.
const MAX_FAULTS: u32 = 3;

/// The way to a validator.
#[derive(Clone)]
pub struct ValidatorLink {
    /// Its number, from 1.
    pub validator: u16,
    /// Its name among the voters.
    pub consensus_key: ConsensusKeyBytes,
    /// Takes bids.
    pub offer: Recipient<OfferBids>,
    /// Takes other transactions from outside.
    pub submit: Recipient<OfferTransaction>,
    /// Takes the others' messages and gives its own.
    pub gossip: Recipient<Gossip>,
    /// Makes blocks.
    pub propose: Recipient<Propose>,
    /// Votes.
    pub vote: Recipient<CastVote>,
    /// Takes final blocks.
    pub finalise: Recipient<Finalise>,
}

impl ValidatorLink {
    /// The direct way.
    pub fn to(validator: u16, consensus_key: ConsensusKeyBytes, address: &Addr<ValidatorActor>) -> Self {
        Self {
            validator,
            consensus_key,
            offer: address.clone().recipient(),
            submit: address.clone().recipient(),
            gossip: address.clone().recipient(),
            propose: address.clone().recipient(),
            vote: address.clone().recipient(),
            finalise: address.clone().recipient(),
        }
    }
}

/// A validator as the orderer sees it.
pub(super) struct Peer {
    pub(super) link: ValidatorLink,
    /// Messages of the others that it has not been sent.
    pub(super) unheard: Vec<veilgrid_actors::validator::GossipMessage>,
    /// Final blocks that it does not have, the oldest first.
    lacking: VecDeque<Finalise>,
    /// Why it lacks them, the latest reason.
    fault: Option<String>,
    /// Faults in a row.
    faults: u32,
    lost: bool,
}

impl Peer {
    pub(super) fn new(link: ValidatorLink) -> Self {
        Self { link, unheard: Vec::new(), lacking: VecDeque::new(), fault: None, faults: 0, lost: false }
    }

    /// Whether it has every final block, so that it may lead and vote.
    pub(super) fn in_step(&self) -> bool {
        !self.lost && self.lacking.is_empty()
    }

    /// Whether it is left behind for good.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether it may come back to where the others are.
    pub(super) fn may_come_back(&self) -> bool {
        !self.lost && !self.lacking.is_empty()
    }

    /// Leaves a validator behind for good that does not answer: waiting for it again would hold the others up each time.
    pub(super) fn leave(&mut self, fault: &ValidatorFault) {
        self.lost = true;
        self.fault.get_or_insert_with(|| fault.to_string());
    }

    /// Why it is behind, if it is.
    pub(super) fn behind(&self) -> Option<(u16, String)> {
        let why = || self.fault.clone().unwrap_or_else(|| "it does not answer".to_owned());
        (!self.in_step()).then(|| (self.link.validator, why()))
    }

    /// Owes it one more final block.
    pub(super) fn owe(&mut self, block: Finalise) {
        if !self.lost {
            self.lacking.push_back(block);
        }
    }

    /// Hands it what it lacks. A validator that does not take it is tried again with the next block; one that comes to
    /// another state never is.
    pub(super) async fn catch_up(&mut self, wanted: impl Fn(&Finalise) -> Option<Acknowledgement>) {
        while let Some(next) = self.lacking.front().filter(|_| !self.lost) {
            match ask(&self.link.finalise, next.clone(), self.link.validator).await {
                Ok(found) => {
                    let other = wanted(next).is_some_and(|wanted| {
                        found != Acknowledgement { validator: found.validator, ..wanted }
                    });
                    if other {
                        self.lost = true;
                        let (validator, height) = (self.link.validator, found.height);
                        self.fault = Some(format!(
                            "validator {validator} has another state after block {height}: run the audit on its ledger and \
                             another's"
                        ));
                        return;
                    }
                    self.lacking.pop_front();
                    self.faults = 0;
                }
                Err(fault @ ValidatorFault::Silent { .. }) => return self.leave(&fault),
                Err(fault) => {
                    tracing::warn!(%fault, "a validator is behind");
                    self.faults = self.faults.saturating_add(1);
                    self.lost = self.faults >= MAX_FAULTS;
                    // The first one is the reason; later ones may only say that it has not recovered.
                    self.fault.get_or_insert_with(|| fault.to_string());
                    return;
                }
            }
        }
    }
}

/// Sends a message and waits for the answer, but not for ever.
pub(super) async fn ask<M, T>(to: &Recipient<M>, message: M, validator: u16) -> Result<T, ValidatorFault>
where
    M: Message<Result = Result<T, ValidatorFault>> + Send + 'static,
    T: Send + 'static,
{
    let silent = |why: String| Err(ValidatorFault::Silent { validator, why });
    match tokio::time::timeout(ANSWER_TIMEOUT, to.send(message)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => silent(error.to_string()),
        Err(_) => silent("too late".into()),
    }
}
