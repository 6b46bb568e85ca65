//! A validator as the engine sees it: the real core, with a false mind before it when the plan says so.

use crate::liar::Liar;
use crate::wire::{self, Message};
use crate::world::{Core, Shared, lock};
use std::sync::{Arc, Mutex};
use veilgrid_engine::simulation::consensus_key;
use veilgrid_engine::{Application, GossipWork, Proposal};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_roles::replica::{self, CheckedGossip, GossipClass, GossipJob};

/// Messages that were checked without the lock, each with its sender's consensus key.
type CheckedBySender = Vec<([u8; 32], CheckedGossip)>;

/// One life of a validator.
pub(crate) struct Validator {
    index: usize,
    life: u64,
    core: Arc<Mutex<Core>>,
    world: Shared,
    liar: Option<Liar>,
    decode: DecodeContext,
    /// Gossip that was checked, with its sender.
    checked: Arc<Mutex<CheckedBySender>>,
}

impl Validator {
    pub(crate) fn start(world: &Shared, index: usize) -> Self {
        let mut locked = world.lock();
        let (life, core) = locked.start(index);
        let how = locked.plan.misbehaviour_of(index).cloned();
        let liar = how.map(|how| Liar::new(&locked.market, locked.plan.seed, index, how));
        let decode = locked.market.decode;
        Self { index, life, core, world: world.clone(), liar, decode, checked: Arc::default() }
    }

    /// Takes note of what an honest validator has seen.
    fn note(&self, core: &mut Core) {
        let (faults, notices) = (core.take_faults(), core.take_notices());
        if self.liar.is_none() && !(faults.is_empty() && notices.is_empty()) {
            let mut world = self.world.lock();
            world.faults.extend(faults.into_iter().map(|(from, fault)| (self.index, from, fault)));
            world.notices.extend(notices.into_iter().map(|notice| (self.index, notice)));
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

    fn learn(&mut self, block: &Block) -> Result<(), String> {
        lock(&self.core).learn(block)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        self.world.lock().tick(now_unix_ms);
        let mut core = lock(&self.core);
        match core.propose(parent, now_unix_ms) {
            replica::Proposal::Wait { ms } => Proposal::Wait { ms },
            replica::Proposal::Block(block) => Proposal::Block(match &self.liar {
                Some(liar) => Box::new(liar.block(*block, core.state())),
                None => block,
            }),
        }
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), String> {
        self.world.lock().tick(now_unix_ms);
        lock(&self.core).check(block, now_unix_ms)
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), String> {
        let mut core = lock(&self.core);
        let finalised = core.finalise(block, certificate);
        for applied in core.take_applied() {
            self.world.lock().chronicle.apply(self.index, &applied, core.state());
        }
        self.note(&mut core);
        if let Some(liar) = &mut self.liar {
            liar.follow(core.state());
        }
        finalised
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        lock(&self.core).certified(height, certificate);
    }

    fn is_urgent(&self) -> fn(&[u8]) -> bool {
        |message| GossipClass::of(message) == GossipClass::Urgent
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        {
            let world = self.world.lock();
            let audience = world.whispered.get(message);
            let is_liar = world.plan.liar().is_some_and(|liar| consensus_key(liar) == *from);
            if is_liar && audience.is_some_and(|audience| !audience.contains(&self.index)) {
                return None;
            }
        }
        let mut core = lock(&self.core);
        let job = core.begin(from, message);
        self.note(&mut core);
        let (from, checked) = (*from, Arc::clone(&self.checked));
        let work =
            move |job: GossipJob| -> GossipWork { Box::new(move || lock(&checked).push((from, job.run()))) };
        job.map(work)
    }

    fn settle(&mut self) {
        let checked = std::mem::take(&mut *lock(&self.checked));
        let mut core = lock(&self.core);
        checked.into_iter().for_each(|(from, checked)| core.conclude(&from, checked));
        self.note(&mut core);
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        let mut core = lock(&self.core);
        let messages = core.take_gossip();
        let Some(liar) = &mut self.liar else {
            self.watch_shares(&messages);
            return messages;
        };
        let mut world = self.world.lock();
        let said = liar.gossip(messages, core.state());
        said.into_iter()
            .map(|(message, audience)| {
                let hears = (0..crate::market::VALIDATORS).filter(|index| audience.has(*index));
                world.whispered.entry(message.clone()).or_default().extend(hears);
                message
            })
            .collect()
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        lock(&self.core).consensus_keys(epoch)
    }
}
