//! Everything outside of the validators' processes: disks, members, and what was seen.

use crate::burden::Burden;
use crate::chronicle::Chronicle;
use crate::clients::{Acknowledgement, Clients};
use crate::dice::rng;
use crate::market::{ACKNOWLEDGEMENTS, Market, TIMING, VALIDATORS};
use crate::plan::{Kept, Plan, Step};
use crate::undone::Rule;
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::core::{Failure, MemoryJournal, ValidatorCore};
use veilgrid_roles::keyholder::{Holding, KeyHolder, Notice};
use veilgrid_roles::replica::{GossipFault, Limits};

/// Most bytes of a block.
pub(crate) const MAX_BLOCK_BYTES: usize = 1 << 20;

pub(crate) type Core = ValidatorCore<MemoryJournal, ChaCha20Rng>;

/// What is left of a validator when its process ends, except its engine's store.
#[derive(Default)]
struct Disk {
    journal: MemoryJournal,
    /// Bids that it acknowledged; offered to the pool again at every start.
    intake: Vec<SealedBid>,
}

/// The world of one run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) market: Arc<Market>,
    consensus_keys: Vec<[u8; 32]>,
    pub(crate) chronicle: Chronicle,
    pub(crate) clients: Clients,
    /// Witness, consensus key of the sender, what was false.
    pub(crate) faults: Vec<(usize, [u8; 32], GossipFault)>,
    pub(crate) notices: Vec<(usize, Notice)>,
    /// When validators lost their secrets.
    pub(crate) wiped_ms: BTreeMap<usize, u64>,
    /// Messages that not everybody is to hear, with those who are.
    pub(crate) whispered: BTreeMap<Vec<u8>, BTreeSet<usize>>,
    /// What gossip has cost, and when it came.
    pub(crate) burden: Burden,
    pub(crate) now_ms: u64,
    /// Height, shares and reason to have stopped of each validator, when the run's time was up.
    pub(crate) standing: Vec<String>,
    disks: Vec<Disk>,
    /// Number of the life and the core of each validator that is up.
    running: Vec<Option<(u64, Arc<Mutex<Core>>)>>,
    lives: Vec<u64>,
    /// Time, validator, its life, writes until then, manner.
    disk_failures: VecDeque<(u64, usize, u64, u64, Failure)>,
    restarts: Vec<VecDeque<Kept>>,
}

/// The world, shared by all validators of a run. One thread has it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(plan: &Plan) -> Self {
        let market = Arc::new(Market::new(plan.seed, plan.members));
        let mut lives = [1; VALIDATORS];
        let failures = plan.steps.iter().filter_map(|(at_ms, step)| match step {
            Step::DiskFails(who, writes, failure) => Some((*at_ms, *who, lives[*who], *writes, *failure)),
            Step::Restart(who, _) => {
                lives[*who] += 1;
                None
            }
            _ => None,
        });
        let disk_failures = failures.collect();
        let restarts = |index| {
            let of = plan.steps.iter().filter_map(move |(_, step)| match step {
                Step::Restart(who, kept) if *who == index => Some(*kept),
                _ => None,
            });
            of.collect()
        };
        Self(Arc::new(Mutex::new(World {
            market,
            consensus_keys: (0..VALIDATORS).map(consensus_key).collect(),
            chronicle: Chronicle::new(plan.sabotage),
            clients: Clients::new(plan.seed),
            faults: Vec::new(),
            notices: Vec::new(),
            wiped_ms: BTreeMap::new(),
            whispered: BTreeMap::new(),
            burden: Burden::default(),
            now_ms: 0,
            standing: Vec::new(),
            disks: (0..VALIDATORS).map(|_| Disk::default()).collect(),
            running: vec![None; VALIDATORS],
            lives: vec![0; VALIDATORS],
            disk_failures,
            restarts: (0..VALIDATORS).map(restarts).collect(),
            plan: plan.clone(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn lock<T>(core: &Mutex<T>) -> MutexGuard<'_, T> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Starts a validator from its disk.
    pub(crate) fn start(&mut self, index: usize) -> (u64, Arc<Mutex<Core>>) {
        self.lives[index] += 1;
        let life = self.lives[index];
        if life > 1 {
            let kept = self.restarts[index].pop_front().unwrap_or(Kept::All);
            if !kept.has_journal() && self.may_lose_secrets(index) {
                self.disks[index] = Disk::default();
                self.wiped_ms.insert(index, self.now_ms);
            }
        }
        let disk = &self.disks[index];
        disk.journal.reopen();
        let number = life * VALIDATORS as u64 + index as u64;
        let rng = rng(self.plan.seed, 10_000 + number);
        let mut core = core(&self.market, index, disk.journal.clone(), rng, self.plan.pace_ms());
        for bid in &disk.intake {
            // Refused when the round is over.
            let _ = core.offer_bids(bid.round_id, vec![bid.clone()]);
        }
        self.chronicle.asks(core.state());
        let core = Arc::new(Mutex::new(core));
        self.running[index] = Some((life, core.clone()));
        (life, core)
    }

    /// Shares that are lost count as a fault until others are dealt. Who was cut off from a session may have none
    /// either, and two validators without shares are more than a market with four can bear.
    fn may_lose_secrets(&self, index: usize) -> bool {
        if !self.plan.is_disturbed() {
            return true;
        }
        let others = (0..VALIDATORS).filter(|other| *other != index);
        others.into_iter().all(|other| {
            self.up(other).is_some_and(|core| {
                let core = lock(core);
                let between = core.state().session().is_none_or(|session| session.outcome().is_some());
                let settled = between && core.state().pending_keys().is_none();
                settled && matches!(core.holding(), Holding::Holds { .. })
            })
        })
    }

    /// A validator's process has ended.
    pub(crate) fn ended(&mut self, index: usize, life: u64) {
        let _ = self.running[index].take_if(|(running, _)| *running == life);
    }

    /// The core of a validator that is up and has not stopped.
    pub(crate) fn up(&self, index: usize) -> Option<&Arc<Mutex<Core>>> {
        let (_, core) = self.running[index].as_ref()?;
        lock(core).stopped().is_none().then_some(core)
    }

    /// Time has gone on: disks fail, members act. No core may be locked.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        if now_ms <= self.now_ms {
            return;
        }
        self.now_ms = now_ms;
        while let Some((_, who, life, writes, failure)) =
            self.disk_failures.front().copied().filter(|(at_ms, ..)| *at_ms <= now_ms)
        {
            self.disk_failures.pop_front();
            // Without a quorum nobody may have asked what time it is until the validator was started again.
            if self.lives[who] == life {
                self.disks[who].journal.fail_after(writes, failure);
            }
        }
        self.clients.enter(&self.plan, &self.market, now_ms);
        for attempt in self.clients.attempts(now_ms) {
            self.offer(attempt);
        }
    }

    /// A member asks a validator. Who is down does not answer.
    fn offer(&mut self, attempt: (u64, usize, usize)) {
        let (round_id, member, validator) = attempt;
        let Some(core) = self.up(validator).cloned() else { return };
        let mut core = lock(&core);
        let undone_ms = match self.plan.undone {
            Some(Rule::LastPromise) => 2 * TIMING.max_clock_skew_ms,
            _ => 0,
        };
        let clock_ms = self.plan.clock_ms(validator, self.now_ms).saturating_sub(undone_ms);
        let asked = (clock_ms, self.plan.liar() == Some(validator));
        let Some(bid) = self.clients.bid(&self.market, attempt, core.state(), asked) else { return };
        let digest = bid.digest();
        if core.offer_bids(round_id, vec![bid.clone()])[0].is_ok() {
            self.disks[validator].intake.push(bid);
            let given = Acknowledgement { validator, at_ms: self.now_ms, digest };
            self.clients.acknowledged(round_id, member, given);
        }
    }

    /// The index of the validator with this consensus key.
    pub(crate) fn sender(&self, key: &[u8; 32]) -> Option<usize> {
        self.consensus_keys.iter().position(|known| known == key)
    }

    /// The validators that tell the truth.
    pub(crate) fn honest(&self) -> impl Iterator<Item = usize> + use<> {
        let liar = self.plan.liar();
        (0..VALIDATORS).filter(move |index| Some(*index) != liar)
    }

    /// Whether a round that opened after the last fault was cleared, and all honest validators know; and, when asked
    /// for, whether they all hold shares.
    pub(crate) fn is_well(&self, shares: bool) -> bool {
        let calm_ms = self.plan.calm_ms();
        let cleared = self.chronicle.rounds.values().filter(|story| story.opened_ms >= calm_ms);
        let settled = cleared.filter_map(|story| match &story.end {
            Some((height, crate::chronicle::End::Settled(_))) => Some(*height),
            _ => None,
        });
        let Some(height) = settled.min() else { return false };
        self.honest().all(|index| {
            self.up(index).is_some_and(|core| {
                let core = lock(core);
                core.height() >= height && (!shares || matches!(core.holding(), Holding::Holds { .. }))
            })
        })
    }

    /// Notes how the validators stand.
    pub(crate) fn take_standing(&mut self) {
        let of = |life: &Option<(u64, Arc<Mutex<Core>>)>| match life {
            None => "down".to_owned(),
            Some((life, core)) => {
                let core = lock(core);
                let (height, stopped) =
                    (core.height(), core.stopped().map_or("runs".to_owned(), ToString::to_string));
                format!("life {life} at {height}, {:?}, {stopped}", core.holding())
            }
        };
        self.standing = self.running.iter().map(of).collect();
    }

    /// Bids that f + 1 validators have acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.clients.iter().filter(|(.., client)| client.acknowledgements.len() >= ACKNOWLEDGEMENTS).count()
    }
}

/// A state after a restart from what was saved of it.
fn from_saved(market: &Market, state: &State, blocks: &[(Block, Option<Vec<u8>>)]) -> State {
    let stored = &mut |height: u64| match height.checked_sub(1) {
        None => Some(market.genesis.clone()),
        Some(at) => blocks.get(usize::try_from(at).ok()?).map(|(block, _)| block.clone()),
    };
    let saved = state.save();
    let restored =
        State::restore(&market.genesis, &saved, &state.root(), stored).expect("its own saved state");
    assert_eq!(restored.save(), saved, "the state after block {}", state.height());
    restored
}

fn core(
    market: &Market,
    index: usize,
    journal: MemoryJournal,
    rng: ChaCha20Rng,
    (idle_interval_ms, busy_interval_ms): (u64, u64),
) -> Core {
    let mut state = State::from_genesis_block(&market.genesis).expect("a sound genesis");
    let blocks = journal.blocks();
    // What comes back goes on from a saved state of some time.
    let saved_at = blocks.len() * (index + 1) / (market.keys.len() + 1);
    for (at, (block, _)) in blocks.iter().enumerate() {
        if at == saved_at {
            state = from_saved(market, &state, &blocks);
        }
        state.apply_block(block, &mut VerifyAll).expect("a block that was final before");
    }
    let key = market.keys[index].clone();
    let holder = match journal.secrets() {
        Some(secrets) => KeyHolder::restore(key, secrets.expose()).expect("its own secrets"),
        None => KeyHolder::new(key),
    };
    let limits =
        Limits { max_block_bytes: MAX_BLOCK_BYTES, idle_interval_ms, busy_interval_ms, ..Limits::default() };
    let mut core = ValidatorCore::new(market.genesis.clone(), state, holder, journal, rng, limits)
        .expect("the disk works at the start");
    core.use_log(market.log.clone());
    core
}
