//! Where a validator's intake puts what it admits: into the journal, then into the pool.

use super::application::NodeApplication;
use actix::{Actor, Context, Handler};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_actors::aggregator::{Keep, KeepError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::Admitted;
use veilgrid_roles::replica::OfferRefusal;
use veilgrid_store::{IntakeEntry, IntakeJournal};

/// Batches that may wait; the intake has one under way at a time.
const MAILBOX: usize = 16;

/// Bids of a write to the journal: those of the largest grid are 300 KB each, and a write has a bound.
const ENTRIES_A_WRITE: usize = 64;

/// Journals and pools. It blocks on the disk, so it has a thread of its own.
pub(super) struct KeeperActor {
    journal: IntakeJournal,
    application: Arc<Mutex<NodeApplication>>,
    /// The last round that was forgotten.
    forgotten: u64,
}

impl KeeperActor {
    pub(super) fn new(journal: IntakeJournal, application: Arc<Mutex<NodeApplication>>) -> Self {
        Self { journal, application, forgotten: 0 }
    }

    fn keep(&mut self, admitted: Vec<Admitted>) -> Result<(), KeepError> {
        let entries: Vec<IntakeEntry> = admitted
            .iter()
            .map(|one| IntakeEntry { bid: one.bid.to_bytes(), receipt: one.receipt.to_bytes() })
            .collect();
        let not_durable =
            |error: veilgrid_store::IntakeError| KeepError::NotDurable { why: error.to_string() };
        for entries in entries.chunks(ENTRIES_A_WRITE) {
            self.journal.record(entries).map_err(not_durable)?;
        }
        let bids = admitted.into_iter().filter(|one| !one.on_ledger).map(|one| one.bid);
        pool(&self.application, bids)
    }
}

/// Offers journaled bids to the pool, from which they are gossiped.
///
/// # Errors
/// [`KeepError::NoRoom`] when the pool is full: the sender comes back or goes to another validator.
pub(super) fn pool(
    application: &Mutex<NodeApplication>,
    bids: impl IntoIterator<Item = SealedBid>,
) -> Result<(), KeepError> {
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for bid in bids {
        rounds.entry(bid.round_id).or_default().push(bid);
    }
    for (round_id, bids) in rounds {
        let mut application = application.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in application.core.offer_bids(round_id, bids).into_iter().filter_map(Result::err) {
            if let OfferRefusal::PoolFull { .. } = &refusal {
                return Err(KeepError::NoRoom { why: refusal.to_string() });
            }
            // The round closed meanwhile, or another bid of the account came by another way. The receipt stands: it is
            // evidence of what was promised, and the ledger of what became of it.
            tracing::warn!(round_id, %refusal, "an admitted bid does not enter the pool");
        }
    }
    Ok(())
}

impl Actor for KeeperActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Keep> for KeeperActor {
    type Result = Result<(), KeepError>;

    fn handle(&mut self, message: Keep, _: &mut Self::Context) -> Self::Result {
        self.keep(message.0)
    }
}

/// The ledger has gone on: rounds that are over need no journal.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Forget(pub(super) State);

impl Handler<Forget> for KeeperActor {
    type Result = ();

    fn handle(&mut self, message: Forget, _: &mut Self::Context) {
        let state = message.0;
        let first_active = state.rounds().map(|round| round.round_id()).next();
        let last = state.last_round_id().unwrap_or(0);
        let over = first_active.map_or(last, |round_id| round_id.saturating_sub(1));
        if over <= self.forgotten {
            return;
        }
        match self.journal.forget_up_to(over) {
            Ok(()) => self.forgotten = over,
            Err(error) => tracing::error!(%error, "the intake's journal can't forget rounds that are over"),
        }
    }
}
