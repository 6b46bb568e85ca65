//! A validator as the engine sees it: the real core, with a false mind before it when the plan says so.

use crate::burden::Work;
use crate::liar::{Audience, Liar};
use crate::market::{TIMING, VALIDATORS};
use crate::undone::Undone;
use crate::wire::{self, Message};
use crate::world::{Core, Shared, lock};
use std::sync::{Arc, Mutex};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_engine::simulation::Time;
use veilgrid_engine::{Application, ApplicationError, GossipWork, Proposal};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_roles::replica::{self, CheckedGossip, GossipJob};

/// Messages that were checked without the lock, each with its sender's consensus key.
type CheckedBySender = Vec<([u8; 32], CheckedGossip)>;

/// A leader that holds a block back is asked again after this long, in milliseconds.
const POLL_MS: u64 = 20;

/// One life of a validator.
pub(crate) struct Validator {
    index: usize,
    life: u64,
    core: Arc<Mutex<Core>>,
    world: Shared,
    time: Time,
    liar: Option<Liar>,
    decode: DecodeContext,
    undone: Undone,
    /// Gossip that was checked, with its sender.
    checked: Arc<Mutex<CheckedBySender>>,
}

impl Validator {
    pub(crate) fn start(world: &Shared, index: usize, time: Time) -> Self {
        let mut locked = world.lock();
        let (life, core) = locked.start(index);
        let how = locked.plan.misbehaviour_of(index).cloned();
        let liar = how.map(|how| Liar::new(&locked.market, &locked.plan, index, how));
        let decode = locked.market.decode;
        let undone = Undone::new(&locked.plan, index, decode);
        let (world, checked) = (world.clone(), Arc::default());
        Self { index, life, core, world, time, liar, decode, undone, checked }
    }

    /// Time goes on in the world; what this validator's clock says.
    fn ticks(&self, now_unix_ms: u64) -> u64 {
        let mut world = self.world.lock();
        world.tick(now_unix_ms);
        world.plan.clock_ms(self.index, now_unix_ms)
    }

    /// Takes note of what an honest validator has seen.
    fn note(&self, core: &mut Core) {
        let (faults, notices) = (core.take_faults(), core.take_notices());
        if self.liar.is_none() && !(faults.is_empty() && notices.is_empty()) {
            let mut world = self.world.lock();
            let true_key = |key| self.undone.true_key(key);
            world.faults.extend(faults.into_iter().map(|(from, fault)| (self.index, true_key(from), fault)));
            world.notices.extend(notices.into_iter().map(|notice| (self.index, notice)));
        }
    }

    /// Whose message this is; nobody's when it is not meant for this validator.
    fn listens(&self, from: &[u8; 32], message: &[u8]) -> Option<usize> {
        let mut world = self.world.lock();
        let sender = world.sender(from)?;
        let audience = world.whispered.get(message).filter(|_| world.plan.liar() == Some(sender));
        if audience.is_some_and(|audience| !audience.contains(&self.index)) {
            return None;
        }
        world.burden.heard(self.index, sender, message, self.time.now_unix_ms());
        Some(sender)
    }

    /// What is to be done on a gossip message: it takes its simulated time.
    fn work(&self, from: usize, key: [u8; 32], job: GossipJob) -> GossipWork {
        let (validator, life, is_honest) = (self.index, self.life, self.liar.is_none());
        let (checked, world, time) = (Arc::clone(&self.checked), self.world.clone(), self.time.clone());
        Box::pin(async move {
            let bids = job.bids().iter().map(SealedBid::digest).collect();
            let outcome = job.run();
            let (signatures, proofs) = (outcome.signatures(), outcome.proofs());
            let work = Work { validator, life, from, signatures, proofs, bids };
            let takes_ms = work.takes_ms();
            if is_honest {
                world.lock().burden.worked(work);
            }
            time.pass(takes_ms).await;
            lock(&checked).push((key, outcome));
        })
    }

    /// Takes note of what an honest validator says.
    fn watch(&self, messages: &[Vec<u8>]) {
        self.watch_shares(messages);
        let mut world = self.world.lock();
        if world.plan.flood().is_some() {
            let is_urgent = |message: &[u8]| wire::decode(message, &self.decode).is_some();
            let now_ms = self.time.now_unix_ms();
            messages.iter().for_each(|one| world.burden.sent(self.index, one, is_urgent(one), now_ms));
        }
    }

    /// "Shares are released for what the ledger asks for."
    fn watch_shares(&self, messages: &[Vec<u8>]) {
        for message in messages {
            let Some(Message::Share(sharing, share)) = wire::decode(message, &self.decode) else { continue };
            let Transaction::OpeningShare { round_id, opening_index, .. } = share else { continue };
            let mut world = self.world.lock();
            if !world.chronicle.has_asked(round_id, opening_index, sharing) {
                let what = format!(
                    "validator {} released a share of opening {opening_index} of round {round_id} from session \
                     {sharing} that no final state has asked for",
                    self.index
                );
                world.chronicle.violations.push(what);
            }
        }
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.world.lock().ended(self.index, self.life);
    }
}

impl Application for Validator {
    fn genesis(&self) -> Block {
        lock(&self.core).genesis()
    }

    fn height(&self) -> u64 {
        lock(&self.core).height()
    }

    fn knows(&self, block: &Hash) -> bool {
        lock(&self.core).knows(block)
    }

    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError> {
        Ok(lock(&self.core).learn(block)?)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        let clock_ms = self.ticks(now_unix_ms);
        let mut core = lock(&self.core);
        let Some(liar) = &mut self.liar else {
            return match core.propose(parent, clock_ms) {
                replica::Proposal::Wait { ms } => Proposal::Wait { ms },
                replica::Proposal::Block(block) => Proposal::Block(block),
            };
        };
        let mut block = match core.propose(parent, liar.clock_ms(now_unix_ms)) {
            replica::Proposal::Wait { ms } => return Proposal::Wait { ms },
            replica::Proposal::Block(block) => block,
        };
        if liar.holds_back(&block, now_unix_ms) {
            return Proposal::Wait { ms: POLL_MS };
        }
        if liar.ends_epoch(&block)
            && let replica::Proposal::Block(early) =
                core.propose(parent, now_unix_ms + TIMING.max_clock_skew_ms)
        {
            block = early;
        }
        liar.sees(&block);
        Proposal::Block(Box::new(liar.block(*block, core.state())))
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError> {
        let clock_ms = self.ticks(now_unix_ms);
        if let Some(liar) = &mut self.liar {
            liar.sees(block);
        }
        Ok(lock(&self.core).check(block, clock_ms)?)
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError> {
        let mut core = lock(&self.core);
        let finalised = core.finalise(block, certificate);
        for applied in core.take_applied() {
            self.world.lock().chronicle.apply(self.index, &applied, core.state());
        }
        self.note(&mut core);
        if let Some(liar) = &mut self.liar {
            liar.follow(core.state());
        }
        Ok(finalised?)
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        lock(&self.core).certified(height, certificate);
    }

    fn is_urgent(&self) -> fn(&[u8]) -> bool {
        self.undone.is_urgent()
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        let sender = self.listens(from, message)?;
        let key = self.undone.known_as(from, sender);
        let mut core = lock(&self.core);
        let before = core.summary().gossip;
        let job = core.begin(&key, message);
        let after = core.summary().gossip;
        self.note(&mut core);
        if self.liar.is_none() && (before.signatures, before.proofs) != (after.signatures, after.proofs) {
            self.world.lock().burden.under_lock.insert(self.index);
        }
        let job = job?;
        self.undone.heard(job.bids());
        Some(self.work(sender, key, job))
    }

    fn settle(&mut self) {
        let checked = std::mem::take(&mut *lock(&self.checked));
        let mut core = lock(&self.core);
        checked.into_iter().for_each(|(from, checked)| core.conclude(&from, checked));
        self.note(&mut core);
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        let mut core = lock(&self.core);
        let messages = self.undone.kept(core.take_gossip());
        let Some(liar) = &mut self.liar else {
            self.watch(&messages);
            return messages;
        };
        let mut world = self.world.lock();
        let mut said = liar.gossip(messages, core.state(), self.time.now_unix_ms());
        for (message, audience) in &said {
            let known = world.whispered.get_mut(message);
            let hears = (0..VALIDATORS).filter(|index| audience.has(*index));
            match (known, audience) {
                (None, Audience::All) => {}
                (Some(known), _) => known.extend(hears),
                (None, _) => drop(world.whispered.insert(message.clone(), hears.collect())),
            }
        }
        said.drain(..).map(|(message, _)| message).collect()
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        let epoch = self.world.lock().plan.ledger_epoch(epoch);
        lock(&self.core).consensus_keys(epoch)
    }
}
