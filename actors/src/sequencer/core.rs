//! Making one block after another: propose, have it flushed by every validator, declare it final, hand it on.

use super::actor::Backlog;
use super::messages::{FollowBlock, LedgerTip, OrderError, Pace};
use crate::clock::SimulatedClock;
use crate::day::{DayEvent, Observer};
use crate::validator::{Acknowledgement, BlockFinal, DeliverBlock, ValidatorActor};
use crate::verdicts::SharedVerdicts;
use actix::{Addr, Recipient};
use std::sync::Arc;
use std::time::Duration;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::BlockBuilder;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::proposer::{Proposer, ShareRefusal};

/// Longest time that a validator may take for a block or its shares. Generous: it is there for validators that hang,
/// and a verdict on a thousand bids takes seconds on a slow machine.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// The way to a validator.
#[derive(Clone)]
pub struct ValidatorLink {
    /// Its number, from 1.
    pub validator: u16,
    /// Takes blocks.
    pub deliver: Recipient<DeliverBlock>,
    /// Takes certificates and gives shares.
    pub finalise: Recipient<BlockFinal>,
}

impl ValidatorLink {
    /// The direct way.
    pub fn to(validator: u16, address: &Addr<ValidatorActor>) -> Self {
        let (deliver, finalise) = (address.clone().recipient(), address.clone().recipient());
        Self { validator, deliver, finalise }
    }
}

/// What the sequencer's actor keeps. It is lent to one order at a time.
pub struct SequencerCore {
    builder: BlockBuilder,
    proposer: Proposer,
    verdicts: SharedVerdicts,
    clock: SimulatedClock,
    validators: Vec<ValidatorLink>,
    in_step: Vec<Recipient<FollowBlock>>,
    behind: Vec<Backlog>,
    observer: Observer,
    false_shares: Vec<ShareRefusal>,
    /// Why no further blocks are made.
    ended: Option<OrderError>,
}

impl SequencerCore {
    /// Extends a ledger from `state` on, which all validators have.
    pub fn new(
        state: State,
        validators: Vec<ValidatorLink>,
        verdicts: SharedVerdicts,
        clock: SimulatedClock,
        observer: Observer,
    ) -> Self {
        Self {
            builder: BlockBuilder::new(state),
            proposer: Proposer::new(),
            verdicts,
            clock,
            validators,
            in_step: Vec::new(),
            behind: Vec::new(),
            observer,
            false_shares: Vec::new(),
            ended: None,
        }
    }

    pub(super) fn follow(&mut self, follower: Recipient<FollowBlock>, pace: Pace) {
        match pace {
            Pace::InStep => self.in_step.push(follower),
            Pace::Behind => self.behind.push(Backlog::start(follower)),
        }
    }

    pub(super) async fn order(
        &mut self,
        transactions: Vec<Transaction>,
    ) -> Result<Arc<BlockEffects>, OrderError> {
        self.going_on()?;
        let time_unix_ms = self.clock.now_unix_ms();
        let proposal = self.builder.propose(transactions, time_unix_ms, &mut self.verdicts)?;
        let block = Arc::new(proposal.block.clone());
        self.deliver(&block, &proposal.effects).await.inspect_err(|error| self.end(error))?;
        let Ok((_, effects)) = self.builder.commit(proposal) else {
            unreachable!("orders come one at a time, so the state is the one that was proposed on")
        };
        self.finish_block(&block, &effects).await.inspect_err(|error| self.end(error))?;
        Ok(Arc::new(effects))
    }

    pub(super) async fn advance(&mut self, round_id: u64) -> Result<Arc<BlockEffects>, OrderError> {
        self.going_on()?;
        let transactions = self
            .proposer
            .next_transactions(self.builder.state(), round_id)
            .map_err(|error| OrderError::Proposer(Arc::new(error)))?;
        if transactions.is_empty() {
            return Err(OrderError::Stalled { round_id, false_shares: self.false_shares.clone() });
        }
        self.order(transactions).await
    }

    pub(super) async fn halt(&mut self) -> LedgerTip {
        self.ended.get_or_insert(OrderError::Halted);
        for backlog in std::mem::take(&mut self.behind) {
            backlog.drain().await;
        }
        let state = self.builder.state();
        LedgerTip {
            height: state.height(),
            block_hash: state.block_hash(),
            state_root: state.root(),
            false_shares: self.false_shares.clone(),
        }
    }

    fn going_on(&self) -> Result<(), OrderError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Some validators may have the block and others not: another block at its height would fork the ledger.
    fn end(&mut self, error: &OrderError) {
        tracing::error!(%error, "no further blocks are made");
        self.ended = Some(error.clone());
    }

    /// Sends the block to all validators at once and waits for all of them.
    async fn deliver(&self, block: &Arc<Block>, effects: &BlockEffects) -> Result<(), OrderError> {
        let height = effects.height;
        let requests: Vec<_> = self
            .validators
            .iter()
            .map(|link| (link.validator, link.deliver.send(DeliverBlock(Arc::clone(block)))))
            .collect();
        let mut outcome = Ok(());
        for (validator, request) in requests {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, request).await;
            let checked = match answer.map(|answer| answer.map_err(|error| error.to_string())) {
                Err(_) => Err(OrderError::NoAnswer { height, validator, why: "too late".into() }),
                Ok(Err(why)) => Err(OrderError::NoAnswer { height, validator, why }),
                Ok(Ok(Err(source))) => Err(OrderError::NotAcknowledged { height, source }),
                Ok(Ok(Ok(acknowledged))) => check_agreement(validator, &acknowledged, effects),
            };
            // All answers are awaited, so that nobody is still writing when the day ends.
            outcome = outcome.and(checked);
        }
        outcome
    }

    /// The block is final: shares are collected, followers get it, observers hear of it.
    async fn finish_block(&mut self, block: &Arc<Block>, effects: &BlockEffects) -> Result<(), OrderError> {
        self.collect_shares(effects).await;
        let height = effects.height;
        for follower in &self.in_step {
            let answer = follower.send(FollowBlock(Arc::clone(block))).await;
            let why = match answer {
                Ok(Ok(())) => continue,
                Ok(Err(fault)) => fault.to_string(),
                Err(error) => error.to_string(),
            };
            return Err(OrderError::Follower { height, why });
        }
        for backlog in &self.behind {
            backlog.push(Arc::clone(block)).await;
        }
        for effect in &effects.effects {
            self.observe(effect);
        }
        Ok(())
    }

    /// A validator that gives none or a false one is passed over: the threshold decides whether that matters.
    async fn collect_shares(&mut self, effects: &BlockEffects) {
        let (height, block_hash) = (effects.height, effects.block_hash);
        let requests: Vec<_> = self
            .validators
            .iter()
            .map(|link| (link.validator, link.finalise.send(BlockFinal { height, block_hash })))
            .collect();
        for (validator, request) in requests {
            match tokio::time::timeout(ANSWER_TIMEOUT, request).await {
                Ok(Ok(Ok(shares))) => shares.iter().for_each(|share| self.take_share(share)),
                Ok(Ok(Err(fault))) => tracing::warn!(validator, %fault, "no shares"),
                Ok(Err(error)) => tracing::warn!(validator, %error, "no shares"),
                Err(_) => tracing::warn!(validator, "no shares in time"),
            }
        }
    }

    fn take_share(&mut self, share: &Transaction) {
        let refused = self.proposer.offer_share(self.builder.state(), share).err();
        if let Some(refusal @ ShareRefusal::False { .. }) = refused {
            tracing::warn!(%refusal, "false share");
            (self.observer)(DayEvent::FalseShare(refusal.clone()));
            self.false_shares.push(refusal);
        }
    }

    fn observe(&self, effect: &Effect) {
        if let Effect::Settled(settled) = effect {
            self.verdicts.forget_up_to(settled.round_id);
        }
        if let Effect::Voided { round_id, .. } = effect {
            self.verdicts.forget_up_to(*round_id);
        }
        if let Some(event) = DayEvent::of_effect(effect) {
            (self.observer)(event);
        }
    }
}

fn check_agreement(
    validator: u16,
    acknowledged: &Acknowledgement,
    effects: &BlockEffects,
) -> Result<(), OrderError> {
    let BlockEffects { height, block_hash, state_root, .. } = *effects;
    let expected = Acknowledgement { validator, height, block_hash, state_root };
    if *acknowledged == expected { Ok(()) } else { Err(OrderError::Disagreement { height, validator }) }
}
