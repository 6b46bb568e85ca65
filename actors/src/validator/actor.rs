//! The validator's actor.

use super::journal::{Journal, JournalError, replay};
use super::messages::{
    Acknowledgement, BlockFinal, Deal, DeliverBlock, Identify, Join, TakeShares, Tip, ValidatorFault,
};
use actix::{Actor, ActorContext, Context, Handler, ResponseFuture, Supervised};
use rand_core::OsRng;
use std::sync::Arc;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{DealerPackage, DealtShares, KeyGenContext, KeyShares};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::validator::{Candidate, Validator};

/// Messages that may wait. The sequencer has one block under way at a time, dealers one message each.
const MAILBOX: usize = 64;

/// A validator. It blocks while it executes and flushes, so each has a thread of its own.
pub struct ValidatorActor {
    index: u16,
    journal: Box<dyn Journal + Send>,
    phase: Phase,
}

enum Phase {
    /// Before the ledger begins.
    Candidate { candidate: Box<Candidate>, inbox: Vec<DealtShares> },
    /// A validator of a running ledger, at the last block of its store.
    Member(Box<Validator>),
    /// Its store failed; it is about to be restarted.
    Stopped(KeyShares),
    /// It can't go on.
    Down(String),
}

impl ValidatorActor {
    /// Validator `index` (from 1) before the ledger begins, with a fresh signing key and an empty journal.
    pub fn candidate(index: u16, journal: Box<dyn Journal + Send>) -> Self {
        let candidate = Box::new(Candidate::generate(index, &mut OsRng));
        Self { index, journal, phase: Phase::Candidate { candidate, inbox: Vec::new() } }
    }

    /// A validator of a stored ledger, which is replayed.
    ///
    /// # Errors
    /// Why the journal does not open or replay.
    pub fn resume(shares: KeyShares, mut journal: Box<dyn Journal + Send>) -> Result<Self, JournalError> {
        let state = replay(journal.as_mut())?;
        let index = shares.index();
        Ok(Self { index, journal, phase: Phase::Member(Box::new(Validator::new(shares, state))) })
    }

    fn member(&mut self) -> Result<&mut Validator, ValidatorFault> {
        let validator = self.index;
        match &mut self.phase {
            Phase::Member(core) => Ok(core),
            Phase::Candidate { .. } => Err(wrong_time(validator, "it has not joined the ledger yet")),
            Phase::Stopped(_) => Err(wrong_time(validator, "it is restarting")),
            Phase::Down(reason) => Err(ValidatorFault::Down { validator, reason: reason.clone() }),
        }
    }

    fn store_fault(&self, source: JournalError) -> ValidatorFault {
        tracing::error!(validator = self.index, error = %source, "the store fails");
        ValidatorFault::Store { validator: self.index, source: Arc::new(source) }
    }

    fn deal(&mut self, context: &KeyGenContext) -> Result<(DealerPackage, Vec<DealtShares>), ValidatorFault> {
        let Phase::Candidate { candidate, inbox } = &mut self.phase else {
            return Err(wrong_time(self.index, "it deals before it joins a ledger only"));
        };
        let (package, mut dealt) = candidate.deal(context, &mut OsRng)?;
        let own = dealt.iter().position(|shares| shares.receiver == self.index);
        inbox.extend(own.map(|position| dealt.remove(position)));
        Ok((package, dealt))
    }

    fn join(&mut self, message: &Join) -> Result<Acknowledgement, ValidatorFault> {
        let Phase::Candidate { candidate, inbox } = &self.phase else {
            return Err(wrong_time(self.index, "it has joined a ledger already"));
        };
        let core = candidate.join(&message.genesis, inbox)?;
        // The journal was found empty when the actor started; opening it again would hide what came in between.
        if let Err(source) = self.journal.append(&message.genesis) {
            return Err(self.store_fault(source));
        }
        let acknowledgement = Acknowledgement::of(self.index, core.state());
        // Signing key and dealt shares of the key generation are not needed any more; dropping wipes them.
        self.phase = Phase::Member(Box::new(core));
        Ok(acknowledgement)
    }

    /// Execute, append and flush, acknowledge: in this order.
    fn deliver(
        &mut self,
        message: &DeliverBlock,
        ctx: &mut Context<Self>,
    ) -> Result<Acknowledgement, ValidatorFault> {
        let index = self.index;
        let core = self.member()?;
        core.apply(&message.0)?;
        let acknowledgement = Acknowledgement::of(index, core.state());
        if let Err(source) = self.journal.append(&message.0) {
            // The state is ahead of the disk now: it goes, and comes back from the disk.
            let shares = self.member()?.key_shares().clone();
            self.phase = Phase::Stopped(shares);
            ctx.stop();
            return Err(self.store_fault(source));
        }
        tracing::debug!(validator = index, height = acknowledgement.height, "block flushed");
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
        let stopped = std::mem::replace(&mut self.phase, Phase::Down("it stopped before it joined".into()));
        let Phase::Stopped(shares) = stopped else {
            self.phase = stopped;
            return;
        };
        self.phase = match replay(self.journal.as_mut()) {
            Ok(state) => {
                tracing::warn!(validator = self.index, height = state.height(), "restarted from its store");
                Phase::Member(Box::new(Validator::new(shares, state)))
            }
            Err(error) => Phase::Down(error.to_string()),
        };
    }
}

impl Handler<Identify> for ValidatorActor {
    type Result = Result<PointBytes, ValidatorFault>;

    /// Opens the journal too, so that a directory that can't be used shows before keys are generated.
    fn handle(&mut self, _: Identify, _: &mut Self::Context) -> Self::Result {
        let Phase::Candidate { candidate, .. } = &self.phase else {
            return Err(wrong_time(self.index, "it has joined a ledger already"));
        };
        let key = candidate.verifying_key();
        self.journal.open_empty().map_err(|source| self.store_fault(source))?;
        Ok(key)
    }
}

impl Handler<Deal> for ValidatorActor {
    type Result = ResponseFuture<Result<DealerPackage, ValidatorFault>>;

    fn handle(&mut self, message: Deal, _: &mut Self::Context) -> Self::Result {
        let validator = self.index;
        let dealt = self.deal(&message.context);
        Box::pin(async move {
            let (package, dealt) = dealt?;
            let fault = |peer: usize, why: String| ValidatorFault::Peer { validator, peer, why };
            for shares in dealt {
                let peer = usize::from(shares.receiver);
                let recipient = peer
                    .checked_sub(1)
                    .and_then(|place| message.peers.get(place))
                    .ok_or_else(|| fault(peer, "it is not on the list".into()))?;
                let taken = recipient.send(TakeShares(shares)).await;
                taken.map_err(|error| fault(peer, error.to_string()))??;
            }
            Ok(package)
        })
    }
}

impl Handler<TakeShares> for ValidatorActor {
    type Result = Result<(), ValidatorFault>;

    /// Collects; whether they are true is checked against the genesis ([`Join`]).
    fn handle(&mut self, message: TakeShares, _: &mut Self::Context) -> Self::Result {
        let Phase::Candidate { inbox, .. } = &mut self.phase else {
            return Err(wrong_time(self.index, "it takes shares before it joins a ledger only"));
        };
        // More than one set a dealer is found and named by the check; here it only must not fill the memory.
        if inbox.len() > usize::from(veilgrid_crypto::keygen::MAX_VALIDATORS) {
            return Err(wrong_time(self.index, "it was sent more shares than a ledger has validators"));
        }
        inbox.push(message.0);
        Ok(())
    }
}

impl Handler<Join> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, message: Join, _: &mut Self::Context) -> Self::Result {
        self.join(&message)
    }
}

impl Handler<DeliverBlock> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, message: DeliverBlock, ctx: &mut Self::Context) -> Self::Result {
        self.deliver(&message, ctx)
    }
}

impl Handler<BlockFinal> for ValidatorActor {
    type Result = Result<Vec<Transaction>, ValidatorFault>;

    fn handle(&mut self, message: BlockFinal, _: &mut Self::Context) -> Self::Result {
        let validator = self.index;
        let core = self.member()?;
        let (last, hash) = (core.state().height(), core.state().block_hash());
        if (last, hash) != (message.height, message.block_hash) {
            return Err(ValidatorFault::NotItsTip { validator, announced: message.height, last });
        }
        Ok(core.release(&mut OsRng))
    }
}

impl Handler<Tip> for ValidatorActor {
    type Result = Result<Acknowledgement, ValidatorFault>;

    fn handle(&mut self, _: Tip, _: &mut Self::Context) -> Self::Result {
        let index = self.index;
        self.member().map(|core| Acknowledgement::of(index, core.state()))
    }
}
