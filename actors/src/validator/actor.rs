//! The validator's actor.

use super::journal::{Journal, JournalError, Kept, replay};
use super::messages::{
    Acknowledgement, CastVote, Finalise, Gossip, Gossiped, Identify, Join, OfferBids, OfferTransaction,
    Propose, Tip, ValidatorFault,
};
use actix::{Actor, ActorContext, Context, Handler, MessageResult, Supervised};
use rand_core::OsRng;
use std::sync::Arc;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::Vote;
use veilgrid_ledger::roster::ValidatorEntry;
use veilgrid_ledger::state::State;
use veilgrid_roles::committee::{FinaliseFault, Keys, LastVote, Voter};
use veilgrid_roles::core::ValidatorCore;
use veilgrid_roles::keyholder::KeyHolder;
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered, Proposal};

/// Messages that may wait. The orderer has one of each kind under way at a time.
const MAILBOX: usize = 64;

type Core = Voter<Kept, OsRng>;

/// A validator. It blocks while it executes and flushes, so each has a thread of its own.
pub struct ValidatorActor {
    index: u16,
    keys: Keys,
    kept: Kept,
    limits: Limits,
    /// In memory, as the secrets are: a restart forgets neither.
    last_vote: Option<LastVote>,
    phase: Phase,
}

enum Phase {
    /// Before the ledger begins.
    Candidate,
    /// A validator of a running ledger, at the last block of its store.
    Member(Box<Core>),
    /// Its store failed; it is about to be restarted.
    Stopped,
    /// It can't go on.
    Down(String),
}

impl ValidatorActor {
    /// Validator `index` (from 1) before the ledger begins, with fresh keys and an empty journal.
    pub fn candidate(index: u16, journal: Box<dyn Journal>, limits: Limits) -> Self {
        Self::with_keys(index, Keys::generate(&mut OsRng), journal, limits)
    }

    /// The same with keys that it is given.
    pub fn with_keys(index: u16, keys: Keys, journal: Box<dyn Journal>, limits: Limits) -> Self {
        Self { index, keys, kept: Kept::new(journal), limits, last_vote: None, phase: Phase::Candidate }
    }

    fn member(&mut self) -> Result<&mut Core, ValidatorFault> {
        let validator = self.index;
        match &mut self.phase {
            Phase::Member(core) => Ok(core),
            Phase::Candidate => Err(wrong_time(validator, "it has not joined the ledger yet")),
            Phase::Stopped => Err(wrong_time(validator, "it is restarting")),
            Phase::Down(reason) => Err(ValidatorFault::Down { validator, reason: reason.clone() }),
        }
    }

    fn store_fault(&self, source: JournalError) -> ValidatorFault {
        tracing::error!(validator = self.index, error = %source, "the store fails");
        ValidatorFault::Store { validator: self.index, source: Arc::new(source) }
    }

    /// A core at a state, with the secrets that were kept.
    fn core(&self, genesis: Block, state: State) -> Result<Core, String> {
        let holder = match self.kept.secrets() {
            None => KeyHolder::new(self.keys.signing.clone()),
            Some(secrets) => KeyHolder::restore(self.keys.signing.clone(), secrets.expose())
                .map_err(|error| error.to_string())?,
        };
        let (kept, limits) = (self.kept.clone(), self.limits);
        let core = ValidatorCore::new(genesis, state, holder, kept, OsRng, limits);
        let (core, key) = (core.map_err(|error| error.to_string())?, self.keys.consensus.clone());
        Ok(Voter::new(core, key, self.last_vote))
    }

    fn join(&mut self, genesis: &Block) -> Result<Acknowledgement, ValidatorFault> {
        let validator = self.index;
        let Phase::Candidate = &self.phase else {
            return Err(wrong_time(validator, "it has joined a ledger already"));
        };
        let state = State::from_genesis_block(genesis)
            .map_err(|source| ValidatorFault::Genesis { validator, source })?;
        // The journal was found empty when the actor started; opening it again would hide what came in between.
        let stored = self.kept.blocks(|blocks| blocks.append(genesis, None));
        stored.map_err(|source| self.store_fault(source))?;
        let acknowledgement = Acknowledgement::of(validator, &state);
        let core = self.core(genesis.clone(), state);
        self.phase = Phase::Member(Box::new(core.map_err(|why| ValidatorFault::Stopped { validator, why })?));
        Ok(acknowledgement)
    }

    /// Execute, append and flush, acknowledge: in this order.
    fn finalise(
        &mut self,
        message: &Finalise,
        ctx: &mut Context<Self>,
    ) -> Result<Acknowledgement, ValidatorFault> {
        let validator = self.index;
        let voter = self.member()?;
        match voter.finalise(&message.block, &message.certificate) {
            Ok(()) => {}
            Err(source @ FinaliseFault::Certificate { .. }) => {
                return Err(ValidatorFault::NotFinal { validator, source });
            }
            Err(FinaliseFault::Stopped(why)) => {
                // The state may be ahead of the disk now: it goes, and comes back from the disk.
                self.phase = Phase::Stopped;
                ctx.stop();
                return Err(ValidatorFault::Stopped { validator, why: why.to_string() });
            }
        }
        // What it did, the conductor hears from the orderer.
        voter.core_mut().take_applied();
        let acknowledgement = Acknowledgement::of(validator, voter.core().state());
        tracing::debug!(validator, height = acknowledgement.height, "block flushed");
        Ok(acknowledgement)
    }
}

fn wrong_time(validator: u16, why: &'static str) -> ValidatorFault {
    ValidatorFault::WrongTime { validator, why }
}

impl Actor for ValidatorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Supervised for ValidatorActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        let Phase::Stopped = self.phase else { return };
        let stored = self.kept.blocks(replay).map_err(|error| error.to_string());
        self.phase = match stored.and_then(|(genesis, state)| self.core(genesis, state)) {
            Ok(core) => {
                let height = core.core().height();
                tracing::warn!(validator = self.index, height, "restarted from its store");
                Phase::Member(Box::new(core))
            }
            Err(reason) => Phase::Down(reason),
        };
    }
}

impl Handler<Identify> for ValidatorActor {
    type Result = MessageResult<Identify>;

    fn handle(&mut self, _: Identify, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.identify())
    }
}

impl ValidatorActor {
    fn identify(&self) -> Result<ValidatorEntry, ValidatorFault> {
        let Phase::Candidate = &self.phase else {
            return Err(wrong_time(self.index, "it has joined a ledger already"));
        };
        self.kept.blocks(|blocks| blocks.open_empty()).map_err(|source| self.store_fault(source))?;
        Ok(self.keys.entry())
    }
}

impl Handler<Join> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, message: Join, _: &mut Self::Context) -> Self::Result {
        self.join(&message.genesis)
    }
}

impl Handler<OfferBids> for ValidatorActor {
    type Result = Result<Vec<Result<Offered, OfferRefusal>>, ValidatorFault>;

    fn handle(&mut self, message: OfferBids, _: &mut Self::Context) -> Self::Result {
        let bids = message.bids.as_ref().clone();
        Ok(self.member()?.core_mut().offer_bids(message.round_id, bids))
    }
}

impl Handler<OfferTransaction> for ValidatorActor {
    type Result = Result<Result<Offered, OfferRefusal>, ValidatorFault>;

    fn handle(&mut self, message: OfferTransaction, _: &mut Self::Context) -> Self::Result {
        Ok(self.member()?.core_mut().offer_transaction(&message.0))
    }
}

impl Handler<Gossip> for ValidatorActor {
    type Result = Result<Gossiped, ValidatorFault>;

    fn handle(&mut self, message: Gossip, _: &mut Self::Context) -> Self::Result {
        let core = self.member()?.core_mut();
        message.0.iter().for_each(|(from, bytes)| core.receive(from, bytes));
        Ok(Gossiped { messages: core.take_gossip(), faults: core.take_faults() })
    }
}

impl Handler<Propose> for ValidatorActor {
    type Result = Result<Proposal, ValidatorFault>;

    fn handle(&mut self, message: Propose, _: &mut Self::Context) -> Self::Result {
        Ok(self.member()?.core_mut().propose(&message.parent, message.now_unix_ms))
    }
}

impl Handler<CastVote> for ValidatorActor {
    type Result = Result<Vote, ValidatorFault>;

    fn handle(&mut self, message: CastVote, _: &mut Self::Context) -> Self::Result {
        let validator = self.index;
        let voter = self.member()?;
        let vote = voter.vote(&message.block, &message.ballot, message.now_unix_ms);
        self.last_vote = voter.last_vote();
        vote.map_err(|source| ValidatorFault::NoVote { validator, source })
    }
}

impl Handler<Finalise> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, message: Finalise, ctx: &mut Self::Context) -> Self::Result {
        self.finalise(&message, ctx)
    }
}

impl Handler<Tip> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, _: Tip, _: &mut Self::Context) -> Self::Result {
        let index = self.index;
        self.member().map(|core| Acknowledgement::of(index, core.core().state()))
    }
}
