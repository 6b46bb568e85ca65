//! The member's actor.

use super::messages::{Observe, Turn};
use super::surroundings::{News, NoReceipt, Post, Watch};
use crate::clock::Clock;
use crate::pool::{PoolError, ProofPool};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use rand_core::OsRng;
use std::sync::Arc;
use tracing::Instrument;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::member::{
    Action, Answer, BidArchive, Desk, DeskError, OrderSource, ResultBook, SealFailure, Target, Wanted,
    envelope_to,
};

/// Messages that may wait: blocks and the clock.
const MAILBOX: usize = 16;

/// What a member has beside its desk.
pub struct Around<A, R> {
    /// Where its orders come from.
    pub orders: Arc<dyn OrderSource>,
    /// The way to the nodes.
    pub post: Arc<dyn Post>,
    /// Where proofs are made.
    pub pool: ProofPool,
    /// The time it goes by.
    pub clock: Clock,
    /// Who watches it.
    pub watch: Box<dyn Watch<A, R>>,
}

/// A member. It holds the desk; sealing and sending happen elsewhere and come back.
pub struct MemberActor<A, R> {
    desk: Desk<A, R>,
    around: Around<A, R>,
    /// Why it can't go on: the next message is answered by it.
    failed: Option<DeskError>,
}

impl<A: BidArchive + Unpin, R: ResultBook + Unpin> MemberActor<A, R> {
    /// A member at its desk.
    pub fn new(desk: Desk<A, R>, around: Around<A, R>) -> Self {
        Self { desk, around, failed: None }
    }

    fn now_unix_ms(&self) -> u64 {
        (self.around.clock)()
    }

    /// Begins what is due.
    fn turn(&mut self, ctx: &mut Context<Self>) {
        for action in self.desk.turn(self.now_unix_ms()) {
            match action {
                Action::Seal { wanted, without_orders } => self.seal(wanted, without_orders, ctx),
                Action::Send { round_id, to, bid } => self.send(round_id, to, &bid, ctx),
            }
        }
        self.claim(ctx);
    }

    /// Claims what fills of settled rounds are worth.
    fn claim(&mut self, ctx: &mut Context<Self>) {
        for round_id in self.desk.claims_due(self.now_unix_ms()) {
            let Some(claims) = self.desk.claim(round_id, &mut OsRng) else { continue };
            let post = Arc::clone(&self.around.post);
            let sent = async move {
                if let Err(why) = post.submit(Transaction::Claims(claims)).await {
                    tracing::warn!(round_id, why, "the claim is not taken yet");
                }
            };
            ctx.spawn(sent.instrument(tracing::info_span!("claim", round_id)).into_actor(self));
        }
    }

    fn seal(&self, wanted: Wanted, without_orders: bool, ctx: &mut Context<Self>) {
        let round_id = wanted.round_id;
        let orders = (!without_orders).then(|| Arc::clone(&self.around.orders));
        let (task, pool) = (self.desk.seal_task(wanted, orders), self.around.pool.clone());
        let sealed = async move {
            match pool.run(move || task.run(&mut OsRng)).await {
                Ok(sealed) => sealed,
                Err(PoolError::Cancelled) => Err(SealFailure::Ending),
                Err(PoolError::Panicked) => Err(SealFailure::Panicked),
            }
        };
        let sealed = sealed.instrument(tracing::info_span!("seal", round_id)).into_actor(self);
        ctx.spawn(sealed.map(move |sealed, actor, ctx| actor.sealed(round_id, sealed, ctx)));
    }

    fn sealed(&mut self, round_id: u64, sealed: Result<SealedBid, SealFailure>, ctx: &mut Context<Self>) {
        self.around.watch.hear(
            round_id,
            match &sealed {
                Ok(_) => News::Sealed,
                Err(failure) => News::NotSealed(failure),
            },
        );
        let made = sealed.is_ok();
        self.failed = self.desk.sealed(round_id, sealed, self.now_unix_ms()).err().or(self.failed.take());
        if made {
            self.turn(ctx);
        }
        self.around.watch.look(&self.desk);
    }

    /// Sends a bid that is kept, in an envelope of its own each time.
    fn send(&self, round_id: u64, to: Target, bid: &SealedBid, ctx: &mut Context<Self>) {
        let envelope = envelope_to(self.desk.state(), to, bid, &mut OsRng);
        let post = Arc::clone(&self.around.post);
        let sent = async move {
            let no_key = || NoReceipt {
                answer: Answer::Refused,
                why: "the ledger has no envelope key for this recipient".into(),
            };
            post.post(to, envelope.ok_or_else(no_key)?).await
        };
        let sent = sent.instrument(tracing::info_span!("send", round_id, %to)).into_actor(self);
        ctx.spawn(sent.map(move |posted, actor, _| actor.posted(round_id, to, posted)));
    }

    fn posted(&mut self, round_id: u64, from: Target, posted: Result<Receipt, NoReceipt>) {
        let now_unix_ms = self.now_unix_ms();
        let answer = posted.clone().map_err(|none| none.answer);
        let answer = match self.desk.posted(round_id, from, answer, now_unix_ms) {
            Ok(answer) => answer,
            Err(error) => {
                self.failed = Some(error);
                return;
            }
        };
        let news = match (&posted, answer) {
            (Ok(receipt), Answer::Receipt) => News::Promised(from, receipt),
            (Ok(_), _) => News::NotPromised(from, "the receipt is not what was asked for"),
            (Err(none), _) => {
                tracing::info!(round_id, %from, why = none.why, "no receipt");
                News::NotPromised(from, &none.why)
            }
        };
        self.around.watch.hear(round_id, news);
        self.around.watch.look(&self.desk);
    }
}

impl<A: BidArchive + Unpin, R: ResultBook + Unpin> Actor for MemberActor<A, R> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl<A: BidArchive + Unpin, R: ResultBook + Unpin> Handler<Observe> for MemberActor<A, R> {
    type Result = Result<(), DeskError>;

    fn handle(&mut self, message: Observe, ctx: &mut Self::Context) -> Self::Result {
        self.desk.observe(&message.state, &message.block.transactions, message.effects.all())?;
        self.claim(ctx);
        self.around.watch.look(&self.desk);
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<A: BidArchive + Unpin, R: ResultBook + Unpin> Handler<Turn> for MemberActor<A, R> {
    type Result = Result<(), DeskError>;

    fn handle(&mut self, _: Turn, ctx: &mut Self::Context) -> Self::Result {
        self.turn(ctx);
        self.around.watch.look(&self.desk);
        self.failed.take().map_or(Ok(()), Err)
    }
}
