//! Where a validator's intake puts what it admits: into the journal, then into the pool.

use super::application::NodeApplication;
use crate::way::{Way, way_of};
use actix::{Actor, Context, Handler};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_actors::aggregator::{Confirm, Keep, KeepError, journal};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::Admitted;
use veilgrid_roles::replica::OfferRefusal;
use veilgrid_store::IntakeJournal;

/// Batches that may wait; the intake has one under way at a time.
const MAILBOX: usize = 16;

/// Journals and pools. It blocks on the disk, so it has a thread of its own.
pub(super) struct KeeperActor {
    journal: IntakeJournal,
    application: Arc<Mutex<NodeApplication>>,
    /// Journaled bids that are neither in the pool nor on the ledger, because that was behind or the pool full. They are
    /// offered again with every block.
    unpooled: BTreeMap<[u8; 32], SealedBid>,
    /// The same when it is too late for them: digest and round.
    too_late: BTreeMap<[u8; 32], u64>,
    /// The last round that was forgotten.
    forgotten: u64,
}

impl KeeperActor {
    /// `promised` are bids of the journal that the ledger does not have.
    pub(super) fn new(
        journal: IntakeJournal,
        application: Arc<Mutex<NodeApplication>>,
        promised: impl IntoIterator<Item = SealedBid>,
    ) -> Self {
        let unpooled = promised.into_iter().map(|bid| (bid.digest(), bid)).collect();
        let mut keeper = Self { journal, application, unpooled, too_late: BTreeMap::new(), forgotten: 0 };
        keeper.pool();
        keeper
    }

    fn keep(&mut self, admitted: Vec<Admitted>) -> Result<(), KeepError> {
        journal::record(&mut self.journal, &admitted)?;
        let bids = admitted.into_iter().filter(|one| !one.on_ledger).map(|one| one.bid);
        self.unpooled.extend(bids.map(|bid| (bid.digest(), bid)));
        self.pool();
        Ok(())
    }

    /// Offers journaled bids to the pool, from which they are gossiped.
    fn pool(&mut self) {
        let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
        for bid in std::mem::take(&mut self.unpooled).into_values() {
            rounds.entry(bid.round_id).or_default().push(bid);
        }
        for (round_id, bids) in rounds {
            let mut application = self.application.lock().unwrap_or_else(PoisonError::into_inner);
            let answers = application.core.offer_bids(round_id, bids.clone());
            let state = application.core.state();
            for (bid, answer) in bids.into_iter().zip(answers) {
                let Err(refusal) = answer else { continue };
                let digest = bid.digest();
                let ahead = way_of(state, round_id, &bid.account, &digest) == Way::Ahead;
                // Another bid, or another's R, is on the ledger or will be.
                let for_good = matches!(refusal, OfferRefusal::Ledger(_));
                if ahead && !for_good {
                    tracing::debug!(round_id, %refusal, "a journaled bid waits for its place in the pool");
                    self.unpooled.insert(digest, bid);
                } else {
                    tracing::warn!(round_id, %refusal, "a journaled bid does not enter the pool any more");
                    self.too_late.insert(digest, round_id);
                }
            }
        }
    }

    /// Whether a receipt may leave: its bid is in the pool or on the ledger.
    fn confirm(&mut self, receipt: &Receipt) -> Result<(), KeepError> {
        let digest = receipt.bid_digest;
        if self.unpooled.contains_key(&digest) {
            self.pool();
        }
        if self.too_late.contains_key(&digest) {
            return Err(KeepError::TooLate);
        }
        if self.unpooled.contains_key(&digest) {
            let why = "the pool is full, or this node's ledger is behind: send the same bytes again or to another node";
            return Err(KeepError::NoRoom { why: why.to_owned() });
        }
        Ok(())
    }
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

impl Handler<Confirm> for KeeperActor {
    type Result = Result<(), KeepError>;

    fn handle(&mut self, Confirm(receipt): Confirm, _: &mut Self::Context) -> Self::Result {
        self.confirm(&receipt)
    }
}

/// The ledger has gone on: rounds that are over need no journal.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Forget(pub(super) State);

impl Handler<Forget> for KeeperActor {
    type Result = ();

    fn handle(&mut self, message: Forget, _: &mut Self::Context) {
        if !self.unpooled.is_empty() {
            self.pool();
        }
        let over = journal::last_round_over(&message.0);
        let Some(over) = over.filter(|over| *over > self.forgotten) else { return };
        self.too_late.retain(|_, round_id| *round_id > over);
        match self.journal.forget_up_to(over) {
            Ok(()) => self.forgotten = over,
            Err(error) => tracing::error!(%error, "the intake's journal can't forget rounds that are over"),
        }
    }
}
