//! The orderer's actor: a mailbox in front of [`OrdererCore`], which works on one message at a time.

use super::core::OrdererCore;
use super::messages::{Attend, Decided, Ended, Follow, Halt, LedgerTip, NextBlock, OrderError, Submit};
use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, Recipient, WrapFuture};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use veilgrid_actors::aggregator::{Keep, KeepError};
use veilgrid_actors::follow::FollowBlock;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_roles::intake::Admitted;

/// Orders that may wait while a block is under way.
const MAILBOX: usize = 64;

/// Final blocks that may wait for a follower that is behind.
pub const BACKLOG_BLOCKS: usize = 256;

/// Orders blocks, one at a time: while one is under way its answer holds the mailbox back.
pub struct OrdererActor {
    /// Lent to the order that is under way; there is never a second one.
    core: Option<OrdererCore>,
}

impl OrdererActor {
    /// An orderer.
    pub fn new(core: OrdererCore) -> Self {
        Self { core: Some(core) }
    }

    /// Runs `work` with the core, and the mailbox waits for it.
    fn with_core<T, F>(&mut self, absent: T, work: F) -> AtomicResponse<Self, T>
    where
        T: 'static,
        F: AsyncFnOnce(&mut OrdererCore) -> T + 'static,
    {
        let core = self.core.take();
        let run = async move {
            match core {
                Some(mut core) => {
                    let answer = work(&mut core).await;
                    (Some(core), answer)
                }
                None => (None, absent),
            }
        };
        AtomicResponse::new(Box::pin(run.into_actor(self).map(|(core, answer), actor, _| {
            actor.core = core;
            answer
        })))
    }
}

impl Actor for OrdererActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Keep> for OrdererActor {
    type Result = AtomicResponse<Self, Result<(), KeepError>>;

    fn handle(&mut self, message: Keep, _: &mut Self::Context) -> Self::Result {
        let not_ordered = |error: OrderError| KeepError::NotOrdered { why: error.to_string() };
        self.with_core(Err(not_ordered(OrderError::Halted)), async move |core| {
            for (round_id, bids) in by_round(message.0) {
                core.order(round_id, bids).await.map_err(not_ordered)?;
            }
            Ok(())
        })
    }
}

/// What was admitted and is not on the ledger yet.
fn by_round(admitted: Vec<Admitted>) -> BTreeMap<u64, Vec<SealedBid>> {
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for one in admitted.into_iter().filter(|one| !one.on_ledger) {
        rounds.entry(one.bid.round_id).or_default().push(one.bid);
    }
    rounds
}

impl Handler<Ended> for OrdererActor {
    type Result = AtomicResponse<Self, Option<OrderError>>;

    fn handle(&mut self, _: Ended, _: &mut Self::Context) -> Self::Result {
        self.with_core(Some(OrderError::Halted), async |core| core.why_ended())
    }
}

impl Handler<NextBlock> for OrdererActor {
    type Result = AtomicResponse<Self, Result<Arc<Decided>, OrderError>>;

    fn handle(&mut self, _: NextBlock, _: &mut Self::Context) -> Self::Result {
        self.with_core(Err(OrderError::Halted), async |core| core.next_block().await)
    }
}

impl Handler<Submit> for OrdererActor {
    type Result = AtomicResponse<Self, Result<(), OrderError>>;

    fn handle(&mut self, message: Submit, _: &mut Self::Context) -> Self::Result {
        self.with_core(Err(OrderError::Halted), async move |core| core.submit(message.0).await)
    }
}

impl Handler<Halt> for OrdererActor {
    type Result = AtomicResponse<Self, <Halt as Message>::Result>;

    fn handle(&mut self, _: Halt, _: &mut Self::Context) -> Self::Result {
        let nothing = LedgerTip {
            height: 0,
            block_hash: [0; 32],
            state_root: [0; 32],
            false_shares: Vec::new(),
            left_behind: Vec::new(),
        };
        self.with_core(nothing, async |core| core.halt().await)
    }
}

impl Handler<Follow> for OrdererActor {
    type Result = ();

    fn handle(&mut self, message: Follow, _: &mut Self::Context) {
        if let Some(core) = &mut self.core {
            core.follow(message.follower, message.pace);
        }
    }
}

impl Handler<Attend> for OrdererActor {
    type Result = ();

    fn handle(&mut self, message: Attend, _: &mut Self::Context) {
        if let Some(core) = &mut self.core {
            core.attend(message.0);
        }
    }
}

/// Blocks on their way to a follower that is behind.
pub(super) struct Backlog {
    blocks: mpsc::Sender<FollowBlock>,
    forwarding: JoinHandle<()>,
}

impl Backlog {
    /// Starts forwarding.
    pub(super) fn start(follower: Recipient<FollowBlock>) -> Self {
        let (blocks, mut waiting) = mpsc::channel::<FollowBlock>(BACKLOG_BLOCKS);
        let forwarding = actix_rt::spawn(async move {
            while let Some(block) = waiting.recv().await {
                match follower.send(block).await {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => return tracing::error!(%fault, "a follower stops"),
                    Err(error) => return tracing::error!(%error, "a follower is gone"),
                }
            }
        });
        Self { blocks, forwarding }
    }

    /// Waits when the backlog is full. A follower that has stopped gets nothing more.
    pub(super) async fn push(&self, block: FollowBlock) {
        let _ = self.blocks.send(block).await;
    }

    /// Waits until the follower has everything.
    pub(super) async fn drain(self) {
        drop(self.blocks);
        let _ = self.forwarding.await;
    }
}
