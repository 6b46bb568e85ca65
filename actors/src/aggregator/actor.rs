//! The aggregator's actor.

use super::messages::{BidRefusal, SubmitEnvelope, VerificationTime};
use crate::pool::ProofPool;
use crate::sequencer::{FollowBlock, FollowFault, Order};
use crate::stopwatch::Stopwatch;
use crate::verdicts::SharedVerdicts;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, Recipient, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use rand_core::OsRng;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;
use veilgrid_crypto::bid::{BidFault, SealedBid};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::BidVerdicts;
use veilgrid_roles::intake::{Intake, Received};

/// Envelopes that may wait; senders beyond that are held back.
const MAILBOX: usize = 256;

/// A batch begins at once when this many bids wait.
pub const BATCH_BIDS: usize = 16;

/// A batch begins no later than this after a bid has come.
pub const BATCH_LINGER: Duration = Duration::from_millis(150);

/// Most bids of a batch, and so of a block.
pub const MAX_BATCH_BIDS: usize = 256;

type Answer = Result<Receipt, BidRefusal>;
type Verdicts = Vec<(SealedBid, Result<(), BidFault>)>;

/// The aggregator.
pub struct AggregatorActor {
    intake: Intake,
    pool: ProofPool,
    verdicts: SharedVerdicts,
    sequencer: Recipient<Order>,
    /// Digest of a bid → who waits for its receipt.
    waiting: BTreeMap<[u8; 32], Vec<oneshot::Sender<Answer>>>,
    /// Waiting senders, all digests together.
    senders: usize,
    linger: Option<SpawnHandle>,
    /// A batch is under way.
    busy: bool,
    verification: Duration,
}

impl AggregatorActor {
    /// An aggregator around its core.
    pub fn new(
        intake: Intake,
        pool: ProofPool,
        verdicts: SharedVerdicts,
        sequencer: Recipient<Order>,
    ) -> Self {
        Self {
            intake,
            pool,
            verdicts,
            sequencer,
            waiting: BTreeMap::new(),
            senders: 0,
            linger: None,
            busy: false,
            verification: Duration::ZERO,
        }
    }

    fn receive(&mut self, envelope: &[u8], ctx: &mut Context<Self>) -> Result<Reception, BidRefusal> {
        let most = self.intake.state().community().params().max_members as usize;
        if self.senders >= most {
            return Err(BidRefusal::Overloaded { waiting: self.senders });
        }
        match self.intake.receive(envelope)? {
            Received::Repeated(receipt) => Ok(Reception::Known(receipt)),
            Received::Waiting(digest) => {
                let (answer, answered) = oneshot::channel();
                self.waiting.entry(digest).or_default().push(answer);
                self.senders += 1;
                self.begin_when_due(ctx);
                Ok(Reception::Later(answered))
            }
        }
    }

    /// Begins a batch when enough bids wait, or sets the time at which the next one begins.
    fn begin_when_due(&mut self, ctx: &mut Context<Self>) {
        if self.busy || self.waiting.is_empty() {
            return;
        }
        if self.waiting.len() >= BATCH_BIDS {
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

    /// Verifies a batch on the pool, admits what is valid, has it ordered, answers.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let mut batch = self.intake.take_queue();
        batch.truncate(MAX_BATCH_BIDS);
        if batch.is_empty() {
            return;
        }
        self.busy = true;
        if let Some(linger) = self.linger.take() {
            ctx.cancel_future(linger);
        }
        let digests: Vec<[u8; 32]> = batch.iter().map(SealedBid::digest).collect();
        let (pool, state, verdicts) = (self.pool.clone(), self.intake.state().clone(), self.verdicts.clone());
        let sequencer = self.sequencer.clone();
        let verified = async move { pool.run(move || verify(&state, batch, verdicts)).await };
        let work = verified
            .into_actor(self)
            .then(move |verified, actor, _| {
                let concluded = match verified {
                    Ok((verdicts, took)) => {
                        actor.verification += took;
                        actor.conclude(verdicts)
                    }
                    Err(error) => digests.into_iter().map(|digest| (digest, Err(error.into()))).collect(),
                };
                let admitted = actor.intake.take_admitted();
                let orders = orders(&admitted);
                async move { (concluded, admitted, order_all(&sequencer, orders).await) }.into_actor(actor)
            })
            .map(|(concluded, admitted, ordered), actor, ctx| {
                if ordered.is_err() {
                    actor.intake.withdraw(&admitted);
                }
                actor.answer(concluded, &ordered);
                actor.busy = false;
                actor.answer_late_ones();
                actor.begin_when_due(ctx);
            });
        ctx.spawn(work);
    }

    fn conclude(&mut self, verdicts: Verdicts) -> Vec<([u8; 32], Answer)> {
        let answers = self.intake.conclude(verdicts, &mut OsRng);
        answers.into_iter().map(|(digest, answer)| (digest, answer.map_err(BidRefusal::from))).collect()
    }

    fn answer(&mut self, concluded: Vec<([u8; 32], Answer)>, ordered: &Result<(), BidRefusal>) {
        for (digest, answer) in concluded {
            let answer = answer.and_then(|receipt| ordered.clone().map(|()| receipt));
            self.answer_one(&digest, &answer);
        }
    }

    fn answer_one(&mut self, digest: &[u8; 32], answer: &Answer) {
        for sender in self.waiting.remove(digest).unwrap_or_default() {
            self.senders -= 1;
            // A sender that has gone away asks again with the same bytes.
            let _ = sender.send(answer.clone());
        }
    }

    /// Answers those whose round ended before their bid was in a batch: nobody else would, and they would take up
    /// places for ever.
    fn answer_late_ones(&mut self) {
        let late: Vec<_> =
            self.waiting.keys().filter(|digest| !self.intake.awaits(digest)).copied().collect();
        for digest in late {
            self.answer_one(&digest, &Err(BidRefusal::RoundOver));
        }
    }
}

/// What was admitted, one transaction a round.
fn orders(admitted: &[SealedBid]) -> Vec<Transaction> {
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for bid in admitted {
        rounds.entry(bid.round_id).or_default().push(bid.clone());
    }
    rounds.into_iter().map(|(round_id, bids)| Transaction::Bids { round_id, bids }).collect()
}

enum Reception {
    Known(Receipt),
    Later(oneshot::Receiver<Answer>),
}

/// Verdicts on a batch, round by round, and how long they took; runs on the pool.
fn verify(state: &State, batch: Vec<SealedBid>, mut verdicts: SharedVerdicts) -> (Verdicts, Duration) {
    let began = Stopwatch::start();
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for bid in batch {
        rounds.entry(bid.round_id).or_default().push(bid);
    }
    let community = state.community();
    let mut judged = Vec::new();
    for (round_id, bids) in rounds {
        // A round that ended meanwhile has no context any more; the intake says so to those who wait.
        let Some(round) = state.round_context(round_id) else {
            let last = state.last_round_id().unwrap_or(0);
            let ended = BidFault::Round { bid: round_id, round: last };
            judged.extend(bids.into_iter().map(|bid| (bid, Err(ended.clone()))));
            continue;
        };
        let of_round = verdicts.verify(community.bid_params(), &round, &bids);
        judged.extend(bids.into_iter().zip(of_round.into_iter().map(|verdict| verdict.map(|_| ()))));
    }
    (judged, began.elapsed())
}

async fn order_all(sequencer: &Recipient<Order>, transactions: Vec<Transaction>) -> Result<(), BidRefusal> {
    if transactions.is_empty() {
        return Ok(());
    }
    sequencer.send(Order(transactions)).await.map_err(|_| BidRefusal::Gone)??;
    Ok(())
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
        let reception = self.receive(&message.0, ctx);
        Box::pin(async move {
            match reception? {
                Reception::Known(receipt) => Ok(receipt),
                Reception::Later(answer) => answer.await.unwrap_or(Err(BidRefusal::Gone)),
            }
        })
    }
}

impl Handler<FollowBlock> for AggregatorActor {
    type Result = Result<(), FollowFault>;

    fn handle(&mut self, message: FollowBlock, _: &mut Self::Context) -> Self::Result {
        self.intake.apply(&message.0, &mut self.verdicts)?;
        // The bids of a batch that is under way are answered by it.
        if !self.busy {
            self.answer_late_ones();
        }
        Ok(())
    }
}

impl Handler<VerificationTime> for AggregatorActor {
    type Result = MessageResult<VerificationTime>;

    fn handle(&mut self, _: VerificationTime, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.verification)
    }
}
