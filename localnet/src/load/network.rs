//! The processes that are loaded.

use super::hostile::HostileValidator;
use super::usage::{self, Memory};
use super::{LoadError, runtime};
use crate::fleet::Fleet;
use crate::plan::{NetworkPlan, fit_skew};
use crate::{LocalnetError, Network, prepare_for_accounts};
use rand_core::CryptoRngCore;
use std::path::{Path, PathBuf};
use veilgrid_api::Stage;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_crypto::group::PointBytes;
use veilgrid_node::config::Hex32;
use veilgrid_node::founding::PublicPart;

/// Blocks of an engine epoch: so many that no renewal of shares falls into a measurement.
const EPOCH_BLOCKS: u64 = 100_000;
/// The shortest time that an opening has before its round is void, milliseconds.
const LEAST_DEADLINE_MS: u64 = 120_000;

/// What is founded.
#[derive(Clone, Copy, Debug)]
pub struct LoadPlan {
    /// Validators, at least four.
    pub validators: u16,
    /// Ticks of the price grid.
    pub ticks: u32,
    /// Round 1 opens, Unix milliseconds.
    pub first_open_unix_ms: u64,
    /// From one round's opening to the next, milliseconds.
    pub interval_ms: u64,
    /// Time for bids, milliseconds.
    pub bidding_ms: u64,
    /// The aggregator's port; the validators' follow.
    pub base_port: u16,
    /// Validators drop the bids of a round when so many rounds after it are finished.
    pub prune_after_rounds: Option<u64>,
}

/// A network that is founded and does not run yet.
#[derive(Debug)]
pub struct LoadedNetwork {
    network: Network,
}

/// Validators and aggregator as processes. They end with this value.
pub struct RunningNetwork {
    network: Network,
    fleet: Fleet,
}

impl LoadedNetwork {
    /// Founds a network for these accounts in an empty (or new) folder.
    ///
    /// # Errors
    /// [`LoadError::Network`].
    pub fn found(
        dir: &Path,
        plan: &LoadPlan,
        accounts: &[PointBytes],
        now_unix_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, LoadError> {
        let members = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        let LoadPlan { validators, ticks, interval_ms, first_open_unix_ms, base_port, .. } = *plan;
        let mut whole = NetworkPlan::for_trials(
            validators,
            members,
            ticks,
            interval_ms,
            first_open_unix_ms,
            base_port,
            1,
        );
        whole.prune_after_rounds = plan.prune_after_rounds;
        let timing = &mut whole.founding.timing;
        timing.bidding_ms = plan.bidding_ms;
        timing.epoch_blocks = EPOCH_BLOCKS;
        timing.opening_deadline_ms = LEAST_DEADLINE_MS.max(interval_ms.saturating_mul(2));
        timing.suspend_after_ms = timing.opening_deadline_ms / 2;
        fit_skew(timing);
        let key_epoch = whole.founding.key_epoch;
        let part = |account: &PointBytes| PublicPart::Participant { account_key: Hex32(*account), key_epoch };
        let parts: Vec<PublicPart> = accounts.iter().map(part).collect();
        Ok(Self { network: prepare_for_accounts(dir, &whole, &parts, now_unix_ms, rng)? })
    }

    /// Starts validators and aggregator, each with `program`.
    ///
    /// # Errors
    /// [`LoadError::Network`].
    pub fn start(self, program: &Path) -> Result<RunningNetwork, LoadError> {
        let fleet = Fleet::start(&self.network, program)?;
        Ok(RunningNetwork { network: self.network, fleet })
    }
}

impl RunningNetwork {
    /// Folder of the network.
    pub fn dir(&self) -> &Path {
        self.network.dir()
    }

    /// Block 0.
    pub fn genesis(&self) -> PathBuf {
        self.dir().join("genesis.bin")
    }

    /// Where a process keeps its data: `validator-1`, `aggregator`.
    pub fn data_of(&self, name: &str) -> PathBuf {
        self.dir().join(name).join("data")
    }

    /// Address of a validator; validators count from 1.
    pub fn validator_url(&self, index: u16) -> String {
        self.network.validator_url(index)
    }

    /// Address of the aggregator.
    pub fn aggregator_url(&self) -> String {
        self.network.aggregator_url()
    }

    /// Whether all processes run.
    ///
    /// # Errors
    /// The first that has ended.
    pub fn check(&mut self) -> Result<(), LoadError> {
        for process in &mut self.fleet.processes {
            if let Some(status) = process.poll() {
                let (name, status) = (process.name.clone(), status.to_string());
                return Err(LocalnetError::Ended { name, status, log: process.log.clone() }.into());
            }
        }
        Ok(())
    }

    /// Stops one process in order. Nobody misses it any more.
    ///
    /// # Errors
    /// A panic that it has logged.
    pub fn stop_one(&mut self, name: &str) -> Result<(), LoadError> {
        Ok(self.fleet.stop_one(name)?)
    }

    /// Puts an attacker of this process in the place of a validator that was stopped.
    ///
    /// # Errors
    /// [`LoadError::Start`].
    pub fn attack_from(&self, name: &str) -> Result<HostileValidator, LoadError> {
        HostileValidator::start(&self.dir().join(name), &self.dir().join("hostile"))
    }

    /// Memory of every process by its name, where the system tells.
    pub fn memory(&self) -> Vec<(String, Memory)> {
        let processes = self.fleet.processes.iter();
        processes.filter_map(|process| Some((process.name.clone(), usage::memory(process.pid())?))).collect()
    }

    /// Lets the peaks of memory begin anew; true if the system does that.
    pub fn reset_peaks(&self) -> bool {
        self.fleet.processes.iter().all(|process| usage::reset_peak(process.pid()))
    }

    /// Whether the aggregator sees a round in bidding.
    ///
    /// # Errors
    /// [`LoadError::Start`]; an aggregator that does not answer has not seen it.
    pub fn aggregator_takes_bids(&self, round_id: u64) -> Result<bool, LoadError> {
        let client = Client::new(&self.aggregator_url(), &ClientOptions::default())?;
        let round = runtime()?.block_on(client.round(round_id));
        Ok(round.is_ok_and(|round| round.stage == Stage::Bidding))
    }

    /// Stops all processes in order.
    ///
    /// # Errors
    /// A panic that one of them has logged.
    pub fn stop(&mut self) -> Result<(), LoadError> {
        self.fleet.stop();
        Ok(self.fleet.find_panic()?)
    }
}
