//! Making one block after another: the leader proposes, everybody votes, all take over what is final.

use super::actor::Backlog;
use super::links::{Peer, ValidatorLink, ask};
use super::messages::{Decided, LedgerTip, OrderError, Pace};
use crate::clock::SimulatedClock;
use crate::{DayEvent, Observer};
use actix::Recipient;
use futures::future::join_all;
use std::sync::Arc;
use veilgrid_actors::follow::FollowBlock;
use veilgrid_actors::member::Observe;
use veilgrid_actors::validator::{
    Acknowledgement, CastVote, Finalise, Gossip, OfferBids, OfferTransaction, Propose, ValidatorFault,
};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::quorum;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::committee::{FalseShare, Orderer, bids_at_once};
use veilgrid_roles::replica::{OfferRefusal, Proposal, SharedVerdicts};

/// Turns of every leader without a block after which nobody is waited for any more.
const MAX_TURNS: usize = 2;

/// Simulated time in milliseconds after which a leader that only asks for more is passed over, as a network does. An honest
/// one proposes after a second at the latest.
const SILENT_AFTER_MS: u64 = 5_000;

/// What a vote came to.
enum Ballots {
    /// The block is final.
    Final(Arc<Decided>),
    /// So few want it that the others can make another one final.
    Refused(OrderError),
}

/// What the orderer's actor keeps. It is lent to one order at a time.
pub struct OrdererCore {
    state: State,
    orderer: Orderer,
    verdicts: SharedVerdicts,
    clock: SimulatedClock,
    peers: Vec<Peer>,
    in_step: Vec<Recipient<FollowBlock>>,
    behind: Vec<Backlog>,
    members: Vec<Recipient<Observe>>,
    observer: Observer,
    false_shares: Vec<FalseShare>,
    /// Views in a row without a block.
    passed: usize,
    /// Why no further blocks are made.
    ended: Option<OrderError>,
}

impl OrdererCore {
    /// Extends a ledger from `state` on, which all validators have. It trusts nobody, but takes verdicts on bids from the
    /// aggregator of its own process.
    pub fn new(
        state: State,
        validators: Vec<ValidatorLink>,
        verdicts: SharedVerdicts,
        clock: SimulatedClock,
        observer: Observer,
    ) -> Self {
        Self {
            orderer: Orderer::new(state.community().ledger_id()),
            state,
            verdicts,
            clock,
            peers: validators.into_iter().map(Peer::new).collect(),
            in_step: Vec::new(),
            behind: Vec::new(),
            members: Vec::new(),
            observer,
            false_shares: Vec::new(),
            passed: 0,
            ended: None,
        }
    }

    pub(super) fn follow(&mut self, follower: Recipient<FollowBlock>, pace: Pace) {
        match pace {
            Pace::InStep => self.in_step.push(follower),
            Pace::Behind => self.behind.push(Backlog::start(follower)),
        }
    }

    pub(super) fn attend(&mut self, members: Vec<Recipient<Observe>>) {
        self.members.extend(members);
    }

    /// Hands bids to all validators and makes blocks until the ledger has them.
    pub(super) async fn order(&mut self, round_id: u64, bids: Vec<SealedBid>) -> Result<(), OrderError> {
        self.going_on()?;
        for part in bids.chunks(bids_at_once(&self.state)) {
            self.offer(round_id, part).await?;
            let has = |state: &State, bid: &SealedBid| {
                state.round(round_id).is_some_and(|round| round.bid_of(&bid.account) == Some(bid.digest()))
            };
            while !part.iter().all(|bid| has(&self.state, bid)) {
                // Whoever says that it has taken a bid and leaves it out keeps nobody waiting for ever.
                if !matches!(self.state.expected(round_id), Ok(Expected::Bids { .. })) {
                    return Err(OfferRefusal::NotOpen { round_id }.into());
                }
                self.next_block().await?;
            }
        }
        Ok(())
    }

    /// Offers bids to everybody. The validators that are in step decide: what they all refuse is refused.
    async fn offer(&mut self, round_id: u64, bids: &[SealedBid]) -> Result<(), OrderError> {
        let bids = Arc::new(bids.to_vec());
        let offers = self.peers.iter().filter(|peer| peer.in_step()).map(|peer| {
            let message = OfferBids { round_id, bids: Arc::clone(&bids) };
            ask(&peer.link.offer, message, peer.link.validator)
        });
        let (mut taken, mut refused) = (false, None);
        for answer in join_all(offers).await {
            match answer.map(|answers| answers.into_iter().find_map(Result::err)) {
                Ok(None) => taken = true,
                Ok(Some(refusal)) => refused = Some(refusal),
                Err(fault) => self.heed(&fault, "bids were not taken"),
            }
        }
        match refused.filter(|_| !taken) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// Offers a transaction from outside to everybody: what all that are in step refuse is refused. A later block has it.
    pub(super) async fn submit(&mut self, transaction: Transaction) -> Result<(), OrderError> {
        self.going_on()?;
        let transaction = Arc::new(transaction);
        let offers = self.peers.iter().filter(|peer| peer.in_step()).map(|peer| {
            ask(&peer.link.submit, OfferTransaction(Arc::clone(&transaction)), peer.link.validator)
        });
        let (mut taken, mut refused) = (false, None);
        for answer in join_all(offers).await {
            match answer {
                Ok(Ok(_)) => taken = true,
                Ok(Err(refusal)) => refused = Some(refusal),
                Err(fault) => self.heed(&fault, "a transaction was not taken"),
            }
        }
        match refused.filter(|_| !taken) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// The next final block, after as much simulated time as it takes.
    pub(super) async fn next_block(&mut self) -> Result<Arc<Decided>, OrderError> {
        self.going_on()?;
        let decided = self.decided().await.inspect_err(|error| self.end(error))?;
        self.stalled()?;
        Ok(decided)
    }

    pub(super) async fn halt(&mut self) -> LedgerTip {
        self.ended.get_or_insert(OrderError::Halted);
        for backlog in std::mem::take(&mut self.behind) {
            backlog.drain().await;
        }
        LedgerTip {
            height: self.state.height(),
            block_hash: self.state.block_hash(),
            state_root: self.state.root(),
            false_shares: self.false_shares.clone(),
            left_behind: self.left_behind(),
        }
    }

    fn left_behind(&self) -> Vec<(u16, String)> {
        self.peers.iter().filter_map(Peer::behind).collect()
    }

    /// Why no further blocks are made; none as long as they are.
    pub(super) fn why_ended(&self) -> Option<OrderError> {
        self.ended.clone()
    }

    fn going_on(&self) -> Result<(), OrderError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    fn end(&mut self, error: &OrderError) {
        tracing::error!(%error, "no further blocks are made");
        self.ended = Some(error.clone());
    }

    /// A round whose shares do not come is not waited for: everybody who could send one is in this process.
    fn stalled(&mut self) -> Result<(), OrderError> {
        let waits = |round_id: &u64| {
            self.state.is_suspended(*round_id)
                && matches!(self.state.expected(*round_id), Ok(Expected::Shares(_)))
        };
        let Some(round_id) = self.state.rounds().map(|round| round.round_id()).find(waits) else {
            return Ok(());
        };
        let error = OrderError::Stalled { round_id, false_shares: self.false_shares.clone() };
        self.end(&error);
        Err(error)
    }

    async fn decided(&mut self) -> Result<Arc<Decided>, OrderError> {
        let mut waited_ms = 0u64;
        loop {
            self.wait_for_quorum().await?;
            self.exchange().await;
            let place = self.orderer.leader(self.next_epoch(), self.peers.len());
            let Some(leader) = self.peers.get(place).filter(|peer| peer.in_step()) else {
                self.pass()?;
                continue;
            };
            let message = Propose { parent: self.state.block_hash(), now_unix_ms: self.clock.now_unix_ms() };
            match ask(&leader.link.propose, message, leader.link.validator).await {
                Ok(Proposal::Wait { ms }) if ms > 0 && ms <= SILENT_AFTER_MS.saturating_sub(waited_ms) => {
                    waited_ms = waited_ms.saturating_add(ms);
                    self.clock.advance_to(self.clock.now_unix_ms().saturating_add(ms));
                    continue;
                }
                Ok(Proposal::Wait { .. }) => {
                    tracing::warn!(
                        validator = leader.link.validator,
                        "a leader waits for too long or for nothing"
                    );
                    self.pass()?;
                }
                Ok(Proposal::Block(block)) => match self.decide(Arc::new(*block)).await? {
                    Ballots::Final(decided) => return Ok(decided),
                    Ballots::Refused(error) => {
                        tracing::warn!(%error, "a leader's block is refused");
                        self.pass().map_err(|_| error)?;
                    }
                },
                Err(fault) => {
                    self.heed(&fault, "a leader proposes nothing");
                    self.pass()?;
                }
            }
            waited_ms = 0;
        }
    }

    fn next_epoch(&self) -> u64 {
        self.state.timing().epoch_of(self.state.height().saturating_add(1))
    }

    fn in_step(&self) -> usize {
        self.peers.iter().filter(|peer| peer.in_step()).count()
    }

    /// Hands everybody the final blocks that they lack.
    async fn catch_up(&mut self) {
        let own = Acknowledgement::of(0, &self.state);
        let at_tip = |sent: &Finalise| (sent.block.header.height == own.height).then_some(own);
        join_all(self.peers.iter_mut().map(|peer| peer.catch_up(at_tip))).await;
    }

    /// Without a quorum in step there is no next block with which those that are behind would be tried again, so they are
    /// tried here, as often as they would be then. Whoever stays behind is named; a vote of the others could only count them.
    async fn wait_for_quorum(&mut self) -> Result<(), OrderError> {
        while self.in_step() < quorum(self.peers.len()) {
            if !self.peers.iter().any(Peer::may_come_back) {
                return Err(self.too_few());
            }
            self.catch_up().await;
        }
        Ok(())
    }

    /// Says that a validator did not do what it was asked for, and waits no more for one that does not answer at all.
    fn heed(&mut self, fault: &ValidatorFault, what: &'static str) {
        tracing::warn!(%fault, "{what}");
        if let ValidatorFault::Silent { validator, .. } = fault {
            let silent = self.peers.iter_mut().find(|peer| peer.link.validator == *validator);
            silent.into_iter().for_each(|peer| peer.leave(fault));
        }
    }

    fn too_few(&self) -> OrderError {
        OrderError::TooFew { height: self.state.height(), left_behind: self.left_behind() }
    }

    /// The next leader's turn, as long as one of them may have a block to propose.
    fn pass(&mut self) -> Result<(), OrderError> {
        self.passed = self.passed.saturating_add(1);
        if self.passed > MAX_TURNS.saturating_mul(self.peers.len()) {
            return Err(self.too_few());
        }
        self.orderer.passed();
        Ok(())
    }

    /// Everybody's messages reach everybody else.
    async fn exchange(&mut self) {
        let requests = self.peers.iter_mut().filter(|peer| peer.in_step()).map(|peer| {
            let message = Gossip(std::mem::take(&mut peer.unheard));
            let (link, key) = (&peer.link, peer.link.consensus_key);
            async move { (key, ask(&link.gossip, message, link.validator).await) }
        });
        for (key, answer) in join_all(requests).await {
            let gossiped = match answer {
                Ok(gossiped) => gossiped,
                Err(fault) => {
                    self.heed(&fault, "a validator hears and says nothing");
                    continue;
                }
            };
            for message in gossiped.messages {
                let message = Arc::new(message);
                let others =
                    self.peers.iter_mut().filter(|peer| peer.link.consensus_key != key && !peer.is_lost());
                others.for_each(|peer| peer.unheard.push((key, Arc::clone(&message))));
            }
            for share in gossiped.faults.iter().filter_map(|(_, fault)| FalseShare::of(fault)) {
                self.name(share);
            }
        }
    }

    /// Three validators find the same share false; it is named once.
    fn name(&mut self, share: FalseShare) {
        if !self.false_shares.contains(&share) {
            tracing::warn!(%share, "false share");
            (self.observer)(DayEvent::FalseShare(share));
            self.false_shares.push(share);
        }
    }

    /// The vote on a block.
    async fn decide(&mut self, block: Arc<Block>) -> Result<Ballots, OrderError> {
        let sound = self.orderer.ballot(&block, &self.state);
        let (ballot, mut votes) = sound.map_err(|error| OrderError::Ledger(error.to_string()))?;
        let now_unix_ms = self.clock.now_unix_ms();
        let requests = self.peers.iter().filter(|peer| peer.in_step()).map(|peer| {
            let message = CastVote { block: Arc::clone(&block), ballot, now_unix_ms };
            ask(&peer.link.vote, message, peer.link.validator)
        });
        let (mut faults, mut count) = (Vec::new(), 0usize);
        for answer in join_all(requests).await {
            match answer {
                Ok(vote) if votes.add(&vote) => count += 1,
                Ok(_) => tracing::warn!("a vote does not hold"),
                Err(fault) => faults.push(fault),
            }
        }
        faults.iter().for_each(|fault| self.heed(fault, "a validator does not vote"));
        let Some(certificate) = votes.certificate() else {
            let error = self.not_final(&block, count, faults);
            // Whoever has voted votes for no other block of this height. With at most f of them a quorum is left.
            let faulty = self.peers.len().saturating_sub(quorum(self.peers.len()));
            return if count <= faulty { Ok(Ballots::Refused(error)) } else { Err(error) };
        };
        self.orderer.decided();
        self.passed = 0;
        Ok(Ballots::Final(self.finish(block, Arc::new(certificate)).await?))
    }

    fn not_final(&self, block: &Block, votes: usize, faults: Vec<ValidatorFault>) -> OrderError {
        OrderError::NotFinal { height: block.header.height, votes, validators: self.peers.len(), faults }
    }

    /// The block is final: everybody takes it over, followers get it, observers hear of it.
    async fn finish(
        &mut self,
        block: Arc<Block>,
        certificate: Arc<Vec<u8>>,
    ) -> Result<Arc<Decided>, OrderError> {
        let applied = self.state.apply_block(&block, &mut self.verdicts);
        let applied = applied.map_err(|error| OrderError::Ledger(error.to_string()))?;
        let message = Finalise { block: Arc::clone(&block), certificate: Arc::clone(&certificate) };
        self.peers.iter_mut().for_each(|peer| peer.owe(message.clone()));
        self.catch_up().await;
        self.hand_on(&block, &certificate).await?;
        let effects = Arc::new(applied);
        self.tell_members(&block, &effects).await?;
        effects.all().for_each(|effect| self.observe(effect));
        Ok(Arc::new(Decided { block, certificate, effects, state: self.state.clone() }))
    }

    async fn hand_on(&mut self, block: &Arc<Block>, certificate: &Arc<Vec<u8>>) -> Result<(), OrderError> {
        let height = block.header.height;
        let message = FollowBlock { block: Arc::clone(block), certificate: Some(Arc::clone(certificate)) };
        for follower in &self.in_step {
            let why = match follower.send(message.clone()).await {
                Ok(Ok(())) => continue,
                Ok(Err(fault)) => fault.to_string(),
                Err(error) => error.to_string(),
            };
            return Err(OrderError::Follower { height, why });
        }
        for backlog in &self.behind {
            backlog.push(message.clone()).await;
        }
        Ok(())
    }

    async fn tell_members(&self, block: &Arc<Block>, effects: &Arc<BlockEffects>) -> Result<(), OrderError> {
        let (block, state, effects) = (Arc::clone(block), self.state.clone(), Arc::clone(effects));
        let message = Observe { block, state, effects };
        for told in join_all(self.members.iter().map(|member| member.send(message.clone()))).await {
            let why = match told {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            return Err(OrderError::Follower { height: self.state.height(), why });
        }
        Ok(())
    }

    fn observe(&mut self, effect: &Effect) {
        if let Some(round_id) = effect.ended_round() {
            self.verdicts.forget_up_to(round_id);
        }
        if let Some(event) = DayEvent::of_effect(effect) {
            (self.observer)(event);
        }
    }
}
