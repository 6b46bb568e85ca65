//! The intake's actor.

use super::keeper::Keeper;
use super::messages::{Advance, BidRefusal, SubmitBids, SubmitEnvelope, VerificationTime};
use crate::clock::Clock;
use crate::follow::{FollowBlock, FollowFault};
use crate::pool::ProofPool;
use crate::stopwatch::Stopwatch;
use crate::verdicts::SharedVerdicts;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, ResponseFuture, SpawnHandle,
    WrapFuture,
};
use rand_core::OsRng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;
use veilgrid_crypto::bid::{BidFault, SealedBid};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked};
use veilgrid_roles::intake::{Concluded, Intake, IntakeError, Received};

/// Envelopes that may wait; senders beyond that are held back.
const MAILBOX: usize = 256;

/// A batch begins at once when this many bids wait.
pub const BATCH_BIDS: usize = 16;

/// A batch begins no later than this after a bid has come.
pub const BATCH_LINGER: Duration = Duration::from_millis(150);

/// Most bids of a batch, and so of a block.
pub const MAX_BATCH_BIDS: usize = 256;

/// Most senders that wait for the receipt of the same bid: the member, its retries, and the aggregator.
pub const MAX_SENDERS_PER_BID: usize = 4;

type Answer = Result<Receipt, BidRefusal>;
type Verdicts = Vec<(SealedBid, Result<(), BidFault>)>;

/// The intake of an aggregator or a validator.
pub struct AggregatorActor {
    intake: Intake,
    pool: ProofPool,
    verdicts: SharedVerdicts,
    keeper: Keeper,
    clock: Clock,
    /// Digest of a bid → who waits for its receipt.
    waiting: BTreeMap<[u8; 32], Vec<oneshot::Sender<Answer>>>,
    /// Bids with a durable receipt of which is asked whether it may leave.
    confirming: BTreeSet<[u8; 32]>,
    linger: Option<SpawnHandle>,
    /// A batch is under way.
    busy: bool,
    verification: Duration,
}

impl AggregatorActor {
    /// An intake around its core.
    pub fn new(
        intake: Intake,
        pool: ProofPool,
        verdicts: SharedVerdicts,
        keeper: Keeper,
        clock: Clock,
    ) -> Self {
        Self {
            intake,
            pool,
            verdicts,
            keeper,
            clock,
            waiting: BTreeMap::new(),
            confirming: BTreeSet::new(),
            linger: None,
            busy: false,
            verification: Duration::ZERO,
        }
    }

    /// What is to be done with a bid after the cheap checks.
    fn take(&mut self, received: Result<Received, IntakeError>, ctx: &mut Context<Self>) -> Reception {
        match received {
            Ok(Received::Repeated(receipt)) => {
                let digest = receipt.bid_digest;
                match self.waiting.get(&digest).map(Vec::len) {
                    // Signed, and not durable or not handed on yet: the answer to the first sender is everybody's.
                    Some(waiting) => self.wait(digest, waiting),
                    None => {
                        let reception = self.wait(digest, 0);
                        self.confirm(receipt, ctx);
                        reception
                    }
                }
            }
            Ok(Received::Waiting(digest)) => {
                let waiting = self.waiting.get(&digest).map_or(0, Vec::len);
                let reception = self.wait(digest, waiting);
                self.begin_when_due(ctx);
                reception
            }
            Err(error) => Reception::Now(Err(error.into())),
        }
    }

    fn wait(&mut self, digest: [u8; 32], waiting: usize) -> Reception {
        if waiting >= MAX_SENDERS_PER_BID {
            return Reception::Now(Err(BidRefusal::Overloaded { waiting }));
        }
        let (answer, answered) = oneshot::channel();
        self.waiting.entry(digest).or_default().push(answer);
        Reception::Later(answered)
    }

    /// Begins a batch when enough bids wait, or sets the time at which the next one begins.
    fn begin_when_due(&mut self, ctx: &mut Context<Self>) {
        let unverified = self.waiting.len().saturating_sub(self.confirming.len());
        if self.busy || unverified == 0 {
            return;
        }
        if unverified >= BATCH_BIDS {
            self.begin(ctx);
        } else if self.linger.is_none() {
            self.linger = Some(ctx.run_later(BATCH_LINGER, |actor, ctx| {
                actor.linger = None;
                if !actor.busy {
                    actor.begin(ctx);
                }
            }));
        }
    }

    /// Verifies a batch on the pool, admits what is valid, has it made durable. The next batch begins then: that a
    /// receipt may leave can take seconds.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let batch = self.intake.batch(MAX_BATCH_BIDS);
        if batch.is_empty() {
            return;
        }
        self.busy = true;
        if let Some(linger) = self.linger.take() {
            ctx.cancel_future(linger);
        }
        let digests: Vec<[u8; 32]> = batch.iter().map(SealedBid::digest).collect();
        let (pool, state, verdicts) = (self.pool.clone(), self.intake.state().clone(), self.verdicts.clone());
        let keeper = self.keeper.clone();
        let verified = async move { pool.run(move || verify(&state, batch, verdicts)).await };
        let work = verified
            .into_actor(self)
            .then(move |verified, actor, _| {
                let (answers, admitted) = match verified {
                    Ok((verdicts, took)) => {
                        actor.verification += took;
                        let Concluded { admitted, answers } =
                            actor.intake.conclude(verdicts, (actor.clock)(), &mut OsRng);
                        let answers = answers
                            .into_iter()
                            .map(|(digest, answer)| (digest, answer.map_err(BidRefusal::from)));
                        (answers.collect(), admitted)
                    }
                    Err(error) => {
                        // Not tried again by themselves: what makes a batch fail would make the next one fail too.
                        actor.intake.forget(&digests);
                        let answers = digests.into_iter().map(|digest| (digest, Err(error.into())));
                        (answers.collect::<Vec<_>>(), Vec::new())
                    }
                };
                let kept = admitted.clone();
                async move { (answers, admitted, keeper.keep(kept).await) }.into_actor(actor)
            })
            .map(|(answers, admitted, kept), actor, ctx| {
                if kept.is_err() {
                    actor.intake.withdraw(&admitted);
                }
                for (digest, answer) in answers {
                    match answer.and_then(|receipt| kept.clone().map(|()| receipt)) {
                        Ok(receipt) => actor.confirm(receipt, ctx),
                        Err(refusal) => actor.answer(&digest, &Err(refusal)),
                    }
                }
                actor.busy = false;
                actor.answer_late_ones();
                actor.begin_when_due(ctx);
            });
        ctx.spawn(work);
    }

    /// Answers with a durable receipt as soon as it may leave. One that may not is kept: the same bytes ask again.
    fn confirm(&mut self, receipt: Receipt, ctx: &mut Context<Self>) {
        let digest = receipt.bid_digest;
        self.confirming.insert(digest);
        let keeper = self.keeper.clone();
        let confirmed = async move { keeper.confirm(receipt.clone()).await.map(|()| receipt) };
        ctx.spawn(confirmed.into_actor(self).map(move |answer, actor, _| {
            actor.confirming.remove(&digest);
            actor.answer(&digest, &answer);
        }));
    }

    fn answer(&mut self, digest: &[u8; 32], answer: &Answer) {
        for sender in self.waiting.remove(digest).unwrap_or_default() {
            // A sender that has gone away asks again with the same bytes.
            let _ = sender.send(answer.clone());
        }
    }

    /// Answers those whose round ended before their bid was in a batch: nobody else would, and they would wait for
    /// ever.
    fn answer_late_ones(&mut self) {
        let is_late = |digest: &&[u8; 32]| !self.intake.awaits(digest) && !self.confirming.contains(*digest);
        let late: Vec<_> = self.waiting.keys().filter(is_late).copied().collect();
        for digest in late {
            self.answer(&digest, &Err(BidRefusal::RoundOver));
        }
    }

    /// After a change of the ledger. The bids of a batch that is under way are answered by it.
    fn followed(&mut self) {
        if !self.busy {
            self.answer_late_ones();
        }
    }
}

enum Reception {
    Now(Answer),
    Later(oneshot::Receiver<Answer>),
}

impl Reception {
    async fn answer(self) -> Answer {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await.unwrap_or(Err(BidRefusal::Gone)),
        }
    }
}

/// Verdicts on a batch, round by round, and how long they took; runs on the pool.
fn verify(state: &State, batch: Vec<SealedBid>, mut verdicts: SharedVerdicts) -> (Verdicts, Duration) {
    let began = Stopwatch::start();
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for bid in batch {
        rounds.entry(bid.round_id).or_default().push(bid);
    }
    let mut judged = Vec::new();
    for (round_id, bids) in rounds {
        // A round that ended meanwhile has no context any more; the intake says so to those who wait.
        let (Some(params), Some(round)) = (state.community().bid_params(), state.round_context(round_id))
        else {
            let last = state.last_round_id().unwrap_or(0);
            let ended = BidFault::Round { bid: round_id, round: last };
            judged.extend(bids.into_iter().map(|bid| (bid, Err(ended.clone()))));
            continue;
        };
        // An account that has moved on since the intake took its bid has no terms for it.
        let (moved, bids): (Vec<SealedBid>, Vec<SealedBid>) =
            bids.into_iter().partition(|bid| state.terms_of(round_id, std::slice::from_ref(bid)).is_err());
        judged.extend(moved.into_iter().map(|bid| {
            let found = bid.money.as_ref().map_or(0, |money| money.debit_sequence);
            let terms = state.account_terms(round_id, &bid.account);
            let expected = terms.map_or(0, |terms| terms.debit_sequence);
            (bid, Err(BidFault::Sequence { bid: found, account: expected }))
        }));
        let terms = state.terms_of(round_id, &bids).ok().flatten();
        let asked = BidsAsked { round: &round, bids: &bids, terms: terms.as_deref() };
        let of_round = verdicts.verify(params, asked);
        judged.extend(bids.into_iter().zip(of_round.into_iter().map(|verdict| verdict.map(|_| ()))));
    }
    (judged, began.elapsed())
}

impl Actor for AggregatorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<SubmitEnvelope> for AggregatorActor {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, message: SubmitEnvelope, ctx: &mut Self::Context) -> Self::Result {
        let received = self.intake.receive(&message.0, (self.clock)());
        let reception = self.take(received, ctx);
        Box::pin(reception.answer())
    }
}

impl Handler<SubmitBids> for AggregatorActor {
    type Result = ResponseFuture<Vec<Answer>>;

    fn handle(&mut self, message: SubmitBids, ctx: &mut Self::Context) -> Self::Result {
        let mut receptions = Vec::with_capacity(message.0.len());
        for bid in message.0 {
            let received = self.intake.receive_bid(bid, (self.clock)());
            receptions.push(self.take(received, ctx));
        }
        Box::pin(async move {
            let mut answers = Vec::with_capacity(receptions.len());
            for reception in receptions {
                answers.push(reception.answer().await);
            }
            answers
        })
    }
}

impl Handler<FollowBlock> for AggregatorActor {
    type Result = Result<(), FollowFault>;

    fn handle(&mut self, message: FollowBlock, _: &mut Self::Context) -> Self::Result {
        self.intake.apply(&message.block, &mut self.verdicts)?;
        self.followed();
        Ok(())
    }
}

impl Handler<Advance> for AggregatorActor {
    type Result = ();

    fn handle(&mut self, message: Advance, _: &mut Self::Context) {
        self.intake.advance(message.0);
        self.followed();
    }
}

impl Handler<VerificationTime> for AggregatorActor {
    type Result = MessageResult<VerificationTime>;

    fn handle(&mut self, _: VerificationTime, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.verification)
    }
}
