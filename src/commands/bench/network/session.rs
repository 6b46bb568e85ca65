//! The running network with its load generator.

use super::NetworkArgs;
use super::members::Members;
use super::report::{MemoryFigures, Storage};
use super::round::Measured;
use crate::failure::Failure;
use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_localnet::load::usage::disk_bytes;
use veilgrid_localnet::load::{HostileValidator, Observer, RunningNetwork, Seen};
use veilgrid_store::{LedgerBytes, Store};

/// Between two looks whether all processes run and nobody wants the end.
const LOOK: Duration = Duration::from_millis(200);

/// Idle blocks, one a second, that pruning is given.
const BLOCKS_AFTER_PRUNING: u32 = 2;

/// Everything that a measurement needs.
pub struct Session {
    pub members: Members,
    pub network: RunningNetwork,
    pub verdicts: SharedVerdicts,
    pub shutdown: Shutdown,
    pub progress: Progress,
    /// The state after the last block that was looked at.
    pub state: State,
    pub bids: usize,
    /// Addresses of the flood.
    pub flood_addresses: u8,
    /// What sealing is thought to take.
    pub sealing_ms: u64,
    /// The last validator, by its number, and what it does.
    pub hostile: u16,
    pub attack: Attack,
    pruning: bool,
    observer: Option<Observer>,
    peaks: BTreeMap<String, u64>,
}

/// What the last validator does.
pub enum Attack {
    /// As all others.
    None,
    /// Nothing: its process is stopped.
    Silence,
    /// It sends false gossip and votes for nothing.
    Gossip(HostileValidator),
}

impl Attack {
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Silence => Some("silent validator"),
            Self::Gossip(_) => Some("gossip flood"),
        }
    }
}

impl Session {
    /// Begins to follow the ledger.
    ///
    /// # Errors
    /// No block within a minute.
    pub fn new(
        args: &NetworkArgs,
        members: Members,
        network: RunningNetwork,
        shutdown: &Shutdown,
        sealing_ms: u64,
    ) -> Result<Self, Failure> {
        let verdicts = SharedVerdicts::new(2 * args.bids);
        let observer = Observer::start(
            &network.dir().join("observer"),
            &network.genesis(),
            &network.validator_url(1),
            verdicts.clone(),
        );
        let genesis = veilgrid_client::follower::genesis_from(&network.genesis()).map_err(Failure::input)?;
        Ok(Self {
            members,
            network,
            verdicts,
            shutdown: shutdown.clone(),
            progress: Progress::new(args.json),
            state: State::from_genesis_block(&genesis).map_err(Failure::input)?,
            bids: args.bids,
            flood_addresses: args.flood_addresses,
            sealing_ms,
            hostile: args.validators,
            attack: Attack::None,
            pruning: args.prune,
            observer: Some(observer.map_err(Failure::input)?),
            peaks: BTreeMap::new(),
        })
    }

    /// Looks at block after block until `pick` has found what is waited for.
    ///
    /// # Errors
    /// A process that ended, the end of the time, or somebody's wish.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut pick: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        loop {
            self.check()?;
            if let Some(seen) = self.next(LOOK)? {
                self.state = seen.state.clone();
                if let Some(found) = pick(&seen) {
                    return Ok(found);
                }
            } else if began.elapsed() > within {
                return Err(Failure::Input(format!(
                    "{what} did not come within {} s; the last block was {}",
                    within.as_secs(),
                    self.state.height()
                )));
            }
        }
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Seen>, Failure> {
        match &mut self.observer {
            Some(observer) => observer.next(wait).map_err(Failure::input),
            None => Ok(None),
        }
    }

    /// Whether all goes on.
    ///
    /// # Errors
    /// A process that ended, somebody's wish.
    pub fn check(&mut self) -> Result<(), Failure> {
        if self.shutdown.is_triggered() {
            return Err(Failure::Interrupted("all processes were stopped".to_owned()));
        }
        if let Attack::Gossip(hostile) = &self.attack
            && !hostile.is_alive()
        {
            return Err(Failure::Input("the attacking validator has stopped".to_owned()));
        }
        self.network.check().map_err(Failure::input)
    }

    /// Stops the last validator.
    ///
    /// # Errors
    /// A panic that it has logged.
    pub fn silence(&mut self) -> Result<(), Failure> {
        self.progress.say("the last validator is stopped");
        let name = format!("validator-{}", self.hostile);
        self.network.stop_one(&name).map_err(Failure::input)?;
        self.attack = Attack::Silence;
        Ok(())
    }

    /// Puts an attacker in its place.
    ///
    /// # Errors
    /// An engine that does not start.
    pub fn attack(&mut self) -> Result<(), Failure> {
        self.progress.say("an attacker takes the last validator's place");
        let name = format!("validator-{}", self.hostile);
        self.attack = Attack::Gossip(self.network.attack_from(&name).map_err(Failure::input)?);
        Ok(())
    }

    /// Waits until bids can be sealed.
    ///
    /// # Errors
    /// No keys in time.
    pub fn wait_for_keys(&mut self, within: Duration) -> Result<(), Failure> {
        self.wait_for("the keys", within, |seen| {
            let effects = seen.effects.all();
            effects.into_iter().find_map(|effect| matches!(effect, Effect::KeysInForce { .. }).then_some(()))
        })
    }

    /// Blocks a second of a network that has nothing to do.
    ///
    /// # Errors
    /// As [`Session::wait_for`].
    pub fn idle_blocks_per_s(&mut self, watch: Duration) -> Result<f64, Failure> {
        let mut first: Option<(u64, u64)> = None;
        let last = self.wait_for("a block of the idle network", watch * 6, |seen| {
            let at = (seen.effects.height, seen.at_unix_ms);
            let (_, since_ms) = *first.get_or_insert(at);
            (at.1.saturating_sub(since_ms) >= watch.as_millis() as u64).then_some(at)
        })?;
        let (height, since_ms) = first.unwrap_or(last);
        Ok(per_second(last.0.saturating_sub(height), last.1.saturating_sub(since_ms)))
    }

    /// The times of the rounds.
    pub fn timing(&self) -> &RoundTiming {
        self.state.timing()
    }

    /// Memory of all processes now; peaks are remembered beyond a reset.
    pub fn memory(&mut self) -> BTreeMap<String, MemoryFigures> {
        let mut figures = BTreeMap::new();
        for (name, memory) in self.network.memory() {
            let peak_kib = self.peaks.entry(name.clone()).or_default();
            *peak_kib = memory.peak_kib.max(*peak_kib);
            let now = MemoryFigures::new(memory.resident_kib, memory.peak_kib, *peak_kib);
            figures.insert(name, now);
        }
        figures
    }

    /// Stops everything; memory before that, and what is on the disk after.
    ///
    /// # Errors
    /// A panic of a process, a store that can't be read.
    pub fn finish(
        mut self,
        rounds: &[Measured],
    ) -> Result<(BTreeMap<String, MemoryFigures>, Storage), Failure> {
        let memory = self.memory();
        if self.pruning {
            // Validators prune once they have seen the last round end: they have when they make further blocks.
            let mut blocks = 0;
            self.wait_for("a block after the last round", Duration::from_secs(60), |_| {
                blocks += 1;
                (blocks > BLOCKS_AFTER_PRUNING).then_some(())
            })?;
        }
        if let Some(observer) = self.observer.take() {
            observer.finish().map_err(Failure::input)?;
        }
        self.attack = Attack::None;
        self.network.stop().map_err(Failure::input)?;
        let data = self.network.data_of("validator-1");
        let bids: u64 = rounds.iter().map(|round| round.bids_in_round).sum();
        let whole = ledger_bytes(&self.network.dir().join("observer").join("ledger"))?;
        let kept = ledger_bytes(&data.join("ledger"))?;
        let disk = ["ledger", "engine", "intake"].map(|part| (part, disk_bytes(&data.join(part)))).into();
        self.progress.finish();
        Ok((memory, Storage::new(bids, &whole, &kept, disk)))
    }
}

fn ledger_bytes(path: &Path) -> Result<LedgerBytes, Failure> {
    Ok(Store::open(path).map_err(|error| Failure::file(path, error))?.ledger_bytes())
}

/// Things a second.
pub fn per_second(count: u64, ms: u64) -> f64 {
    if ms == 0 { 0.0 } else { count as f64 * 1000.0 / ms as f64 }
}

/// What is going on: in place on a terminal, a line each elsewhere.
pub struct Progress {
    line: Option<ProgressBar>,
    json: bool,
}

impl Progress {
    fn new(json: bool) -> Self {
        let line = std::io::stderr().is_terminal().then(|| {
            let line = ProgressBar::new_spinner();
            line.set_draw_target(ProgressDrawTarget::stderr());
            line.enable_steady_tick(Duration::from_millis(200));
            line
        });
        Self { line, json }
    }

    /// Says it.
    pub fn say(&self, text: impl Into<String>) {
        match &self.line {
            Some(line) => line.set_message(text.into()),
            // Nobody is left to tell when standard error is closed.
            None => drop(writeln!(std::io::stderr(), "{}", text.into())),
        }
    }

    /// A bar for many bids.
    pub fn bar(&self, length: usize) -> ProgressBar {
        output::progress(length as u64, "sealing bids", self.json)
    }

    fn finish(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
