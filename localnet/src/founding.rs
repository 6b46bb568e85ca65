//! All files of a network on one machine.
//!
//! ```text
//! DIR/genesis.bin, genesis.hash        block 0 and its hash
//! DIR/passphrase                       of all key files (0600): a network for trials, not for secrets
//! DIR/plan.toml                        market and times
//! DIR/aggregator/{aggregator.toml, keys, data/}
//! DIR/validator-1/{validator.toml, keys, data/}
//! DIR/participant-001/{participant.toml, keys, orders.csv, data/}
//! ```

use crate::LocalnetError;
use crate::orders;
use rand_core::CryptoRngCore;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use veilgrid_client::genesis::GenesisFile;
use veilgrid_crypto::keygen::MAX_VALIDATORS;
use veilgrid_ledger::roster::MIN_VALIDATORS;
use veilgrid_market::Grid;
use veilgrid_node::config::{
    AggregatorConfig, ChecksConfig, Hex32, HttpConfig, LimitsConfig, NodeConfig, P2pConfig,
    ParticipantConfig, PeerConfig, RelayLimitsConfig, RetentionConfig, ValidatorConfig,
};
use veilgrid_node::founding::{FoundingError, FoundingPlan, MarketPlan, PublicPart, TimingPlan, assemble};
use veilgrid_node::keyfile::{AggregatorKeys, Contents, Cost, ParticipantKeys, ValidatorKeys, create};
use veilgrid_node::passphrase::Passphrase;
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_store::files::{FileError, write_new, write_new_private};

/// Price of energy from the grid and for energy into it, mct/kWh: between them lies the price grid.
const RETAIL_MCT_PER_KWH: u64 = 32_000;
const FEED_IN_MCT_PER_KWH: u64 = 8_000;
/// Slots of a network for trials are traded faster than they pass: a quarter of an hour each.
const SLOT_SECONDS: u32 = 900;
const SECONDS_PER_DAY: i64 = 86_400;
/// Round 1 trades the slot from 08:00 UTC of the next day: the sun shines then, so there are sellers.
const FIRST_SLOT_OF_DAY_S: i64 = 8 * 3600;
/// Most members: each is a process.
const MAX_PARTICIPANTS: u32 = 500;

/// All processes of a network on one machine call from one address, up to [`MAX_PARTICIPANTS`] of them.
const LOOPBACK_LIMITS: LimitsConfig =
    LimitsConfig { connections: 1024, connections_per_address: 512, requests_per_minute: 6000 };

/// A network on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Validators, at least four.
    pub validators: u16,
    /// Participants.
    pub members: u32,
    /// The market and its times.
    pub founding: FoundingPlan,
    /// Ports: the aggregator has this one, validator i the i-th after it, and n further on for consensus. Behind them, in
    /// the same order, are those for health and metrics.
    pub base_port: u16,
    /// Decides what members want; keys never come from it.
    pub seed: u64,
    /// Validators drop the bids of a round when so many rounds after it are finished; none: never.
    pub prune_after_rounds: Option<u64>,
}

/// A network that was founded.
#[derive(Clone, Debug)]
pub struct FoundedNetwork {
    /// Hash of block 0.
    pub genesis_hash: [u8; 32],
    /// The validators' configurations, in order.
    pub validators: Vec<PathBuf>,
    /// The aggregator's.
    pub aggregator: PathBuf,
    /// The participants', in order.
    pub participants: Vec<PathBuf>,
}

/// Where the processes of a local network listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub base: u16,
    /// Validators.
    pub validators: u16,
}

impl Ports {
    /// Address of the aggregator's API.
    pub fn aggregator(&self) -> SocketAddr {
        self.at(0)
    }

    /// Address of a validator's API; validators count from 1.
    pub fn validator(&self, index: u16) -> SocketAddr {
        self.at(index)
    }

    /// Address of a validator for consensus.
    pub fn consensus(&self, index: u16) -> SocketAddr {
        self.at(self.validators.saturating_add(index))
    }

    /// The first address at which something listens already, or which can't be had for another reason.
    pub fn first_taken(&self) -> Option<(SocketAddr, std::io::Error)> {
        let last = self.validators.saturating_mul(3).saturating_add(1);
        (0..=last).map(|offset| self.at(offset)).find_map(|address| {
            // It is closed again at once; what takes it between now and then is told by the process that wants it.
            TcpListener::bind(address).err().map(|reason| (address, reason))
        })
    }

    /// Address for health and metrics of a validator, 0: of the aggregator.
    pub fn health(&self, index: u16) -> SocketAddr {
        self.at(self.validators.saturating_mul(2).saturating_add(1).saturating_add(index))
    }

    fn at(&self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base.saturating_add(offset)).into()
    }

    fn check(&self) -> Result<(), LocalnetError> {
        let further = 3 * u32::from(self.validators) + 1;
        let last = u32::from(self.base) + further;
        if self.base < 1024 || last > u32::from(u16::MAX) {
            let reason = format!(
                "base port {}: a network of {} validators uses it and the {further} ports after it; choose one from 1024 \
                 on with that many below 65536",
                self.base, self.validators
            );
            return Err(LocalnetError::Local { reason });
        }
        Ok(())
    }
}

impl NetworkPlan {
    /// A plan for trials: rounds every `interval_ms` from `first_open_unix_ms` on, `ticks` prices between feed-in and
    /// retail tariff.
    pub fn for_trials(
        validators: u16,
        members: u32,
        ticks: u32,
        interval_ms: u64,
        first_open_unix_ms: u64,
        base_port: u16,
        seed: u64,
    ) -> Self {
        let gaps = u64::from(ticks.max(2) - 1);
        let tick = (RETAIL_MCT_PER_KWH - FEED_IN_MCT_PER_KWH).div_ceil(gaps).max(2).next_multiple_of(2);
        let market = MarketPlan {
            price_min_mct_per_kwh: FEED_IN_MCT_PER_KWH,
            tick_mct_per_kwh: tick,
            ticks,
            bits: 16,
            rule: Default::default(),
            open_volume: true,
            min_bidders: members.clamp(2, 3),
            max_members: members.max(2),
            slot_seconds: SLOT_SECONDS,
        };
        let day = i64::try_from(first_open_unix_ms / 1000).unwrap_or(0).div_euclid(SECONDS_PER_DAY) + 1;
        let mut timing = TimingPlan {
            first_open_unix_ms,
            interval_ms,
            bidding_ms: (interval_ms / 2).max(1),
            first_slot_start_unix_s: day * SECONDS_PER_DAY + FIRST_SLOT_OF_DAY_S,
            grace_blocks: 3,
            opening_deadline_ms: interval_ms.saturating_mul(2).max(1),
            suspend_after_ms: interval_ms,
            epoch_blocks: 120,
            keygen_phase_blocks: 12,
            max_clock_skew_ms: 2_000,
        };
        fit_skew(&mut timing);
        let founding = FoundingPlan { key_epoch: 1, market, timing };
        Self { validators, members, founding, base_port, seed, prune_after_rounds: None }
    }

    /// The ports.
    pub fn ports(&self) -> Ports {
        Ports { base: self.base_port, validators: self.validators }
    }

    /// Whether the numbers of processes and their ports are possible.
    pub(crate) fn check(&self) -> Result<(), LocalnetError> {
        self.check_operators()?;
        if !(2..=MAX_PARTICIPANTS).contains(&self.members) {
            let reason =
                format!("{} participants: choose 2 to {MAX_PARTICIPANTS}, each is a process", self.members);
            return Err(LocalnetError::Local { reason });
        }
        Ok(())
    }

    fn check_operators(&self) -> Result<(), LocalnetError> {
        let bounds = MIN_VALIDATORS..=usize::from(MAX_VALIDATORS);
        if !bounds.contains(&usize::from(self.validators)) {
            let reason =
                format!("{} validators: a network has {MIN_VALIDATORS} to {MAX_VALIDATORS}", self.validators);
            return Err(LocalnetError::Local { reason });
        }
        self.ports().check()
    }
}

/// Lowers the allowed skew of clocks to what short rounds bear: a leader that shifts its block's time must not skip the
/// opening, and promises, which end two skews before the close, are given for half of the bidding at least. The clocks of a
/// network on one machine are one.
pub(crate) fn fit_skew(timing: &mut TimingPlan) {
    let most_ms = (timing.bidding_ms / 4).min(timing.opening_deadline_ms.saturating_sub(1) / 2);
    timing.max_clock_skew_ms = timing.max_clock_skew_ms.min(most_ms).max(1);
}

/// Writes all files of a network below `dir`, which is there and empty but for the file with the passphrase.
///
/// # Errors
/// [`LocalnetError`]. Parameters are checked before anything is written.
pub fn found_network(
    plan: &NetworkPlan,
    dir: &Path,
    passphrase: &Passphrase,
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<FoundedNetwork, LocalnetError> {
    plan.check()?;
    let members: Vec<ParticipantKeys> = (0..plan.members).map(|_| ParticipantKeys::generate(rng)).collect();
    let key_epoch = plan.founding.key_epoch;
    let accounts: Vec<PublicPart> =
        members.iter().map(|keys| PublicPart::of_participant(keys, key_epoch)).collect();
    let operators = Operators::assemble(plan, &accounts, now_unix_ms, rng)?;
    let market = &plan.founding.market;
    let grid = Grid::new(market.price_min_mct_per_kwh, market.tick_mct_per_kwh, market.ticks)?;
    let tariffs = Tariffs::new(RETAIL_MCT_PER_KWH, FEED_IN_MCT_PER_KWH)?;
    let orders = orders::day_of_orders(members.len(), &grid, market.bits, tariffs, plan.seed)?;

    let site = operators.site(plan, passphrase);
    let mut founded = operators.settle(&site, dir, rng)?;
    for (number, (keys, orders)) in (1u32..).zip(members.iter().zip(&orders)) {
        let home = dir.join(format!("participant-{number:03}"));
        founded.participants.push(site.settle(&home, "participant", keys, &site.participant(), rng)?);
        write_new(&home.join("orders.csv"), orders.csv.as_bytes())?;
    }
    Ok(founded)
}

/// The same for accounts whose owners have their wallets elsewhere: validators and the aggregator get files, members
/// none. The plan's number of members does not count.
///
/// # Errors
/// As [`found_network`].
pub fn found_for_accounts(
    plan: &NetworkPlan,
    accounts: &[PublicPart],
    dir: &Path,
    passphrase: &Passphrase,
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<FoundedNetwork, LocalnetError> {
    plan.check_operators()?;
    let operators = Operators::assemble(plan, accounts, now_unix_ms, rng)?;
    operators.settle(&operators.site(plan, passphrase), dir, rng)
}

/// Keys of those who run the network, and the block 0 that names them.
struct Operators {
    validators: Vec<ValidatorKeys>,
    aggregator: AggregatorKeys,
    genesis: GenesisFile,
}

impl Operators {
    fn assemble(
        plan: &NetworkPlan,
        accounts: &[PublicPart],
        now_unix_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, LocalnetError> {
        let validators: Vec<ValidatorKeys> =
            (0..plan.validators).map(|_| ValidatorKeys::generate(rng)).collect();
        let aggregator = AggregatorKeys::generate(rng);
        let mut parts: Vec<PublicPart> = validators.iter().map(PublicPart::from).collect();
        parts.push(PublicPart::from(&aggregator));
        parts.extend_from_slice(accounts);
        let genesis = assemble(&plan.founding, &parts, now_unix_ms, rng)?;
        Ok(Self { validators, aggregator, genesis })
    }

    fn site<'a>(&'a self, plan: &'a NetworkPlan, passphrase: &'a Passphrase) -> Site<'a> {
        let consensus = self.validators.iter().map(ValidatorKeys::consensus_key).collect();
        Site { plan, genesis: &self.genesis, passphrase, consensus }
    }

    /// Writes block 0, the plan, and the folders of aggregator and validators.
    fn settle(
        &self,
        site: &Site<'_>,
        dir: &Path,
        rng: &mut impl CryptoRngCore,
    ) -> Result<FoundedNetwork, LocalnetError> {
        self.genesis.write(&dir.join("genesis.bin"))?;
        let hash = self.genesis.hash;
        write_new(&dir.join("genesis.hash"), format!("{}\n", hex::encode(hash)).as_bytes())?;
        let text = toml::to_string_pretty(&site.plan.founding).map_err(|error| FoundingError::Plan {
            path: dir.join("plan.toml"),
            reason: error.to_string(),
        })?;
        write_new(&dir.join("plan.toml"), text.as_bytes())?;
        let home = dir.join("aggregator");
        let aggregator = site.settle(&home, "aggregator", &self.aggregator, &site.aggregator(), rng)?;
        let mut validators = vec![];
        for (index, keys) in (1u16..).zip(&self.validators) {
            let home = dir.join(format!("validator-{index}"));
            validators.push(site.settle(&home, "validator", keys, &site.validator(index), rng)?);
        }
        Ok(FoundedNetwork { genesis_hash: hash, validators, aggregator, participants: vec![] })
    }
}

/// What all processes of the network have in common.
struct Site<'a> {
    plan: &'a NetworkPlan,
    genesis: &'a GenesisFile,
    passphrase: &'a Passphrase,
    consensus: Vec<[u8; 32]>,
}

impl Site<'_> {
    /// Writes a process's folder; returns its configuration file. Paths are relative, so that the network can be moved.
    fn settle<K: Contents>(
        &self,
        home: &Path,
        kind: &str,
        keys: &K,
        config: &impl NodeConfig,
        rng: &mut impl CryptoRngCore,
    ) -> Result<PathBuf, LocalnetError> {
        std::fs::create_dir(home)
            .and_then(|()| veilgrid_store::files::sync_directory(home))
            .map_err(|reason| FileError::Unwritable { path: home.to_owned(), reason })?;
        // The passphrase is 256 random bits here: nothing is gained by making each guess expensive.
        create(&home.join("keys"), keys, self.passphrase, Cost::LEAST, rng)?;
        let file = home.join(format!("{kind}.toml"));
        write_new_private(&file, config.print()?.as_bytes())?;
        Ok(file)
    }

    fn validator(&self, index: u16) -> ValidatorConfig {
        let ports = self.plan.ports();
        let peers = (1u16..).zip(&self.consensus).filter(|(other, _)| *other != index);
        ValidatorConfig {
            data_dir: "data".into(),
            genesis: "../genesis.bin".into(),
            genesis_hash: Some(Hex32(self.genesis.hash)),
            key_file: "keys".into(),
            passphrase_file: Some("../passphrase".into()),
            validator_urls: self.urls().filter(|(other, _)| *other != index).map(|(_, url)| url).collect(),
            ca_file: None,
            log: "info".to_owned(),
            health_listen: Some(ports.health(index)),
            aggregator_addresses: vec![Ipv4Addr::LOCALHOST.into()],
            http: self.http(ports.validator(index)),
            p2p: P2pConfig {
                listen: ports.consensus(index),
                peers: peers
                    .filter_map(|(other, key)| {
                        let address = ports.consensus(other).to_string().parse().ok()?;
                        Some(PeerConfig { consensus_key: Hex32(*key), address })
                    })
                    .collect(),
            },
            retention: RetentionConfig { prune_after_rounds: self.plan.prune_after_rounds },
            limits: LOOPBACK_LIMITS,
            checks: ChecksConfig::default(),
        }
    }

    fn aggregator(&self) -> AggregatorConfig {
        AggregatorConfig {
            data_dir: "data".into(),
            genesis: "../genesis.bin".into(),
            genesis_hash: Some(Hex32(self.genesis.hash)),
            key_file: "keys".into(),
            passphrase_file: Some("../passphrase".into()),
            validator_urls: self.urls().map(|(_, url)| url).collect(),
            ca_file: None,
            log: "info".to_owned(),
            health_listen: Some(self.plan.ports().health(0)),
            http: self.http(self.plan.ports().aggregator()),
            limits: RelayLimitsConfig::within(LOOPBACK_LIMITS),
            checks: ChecksConfig::default(),
        }
    }

    fn participant(&self) -> ParticipantConfig {
        ParticipantConfig {
            data_dir: "data".into(),
            genesis: "../genesis.bin".into(),
            genesis_hash: Hex32(self.genesis.hash),
            key_file: "keys".into(),
            passphrase_file: Some("../passphrase".into()),
            aggregator_url: format!("http://{}", self.plan.ports().aggregator()),
            validator_urls: self.urls().map(|(_, url)| url).collect(),
            orders: "orders.csv".into(),
            ca_file: None,
            log: "info".to_owned(),
            health_listen: None,
            checks: ChecksConfig::default(),
        }
    }

    fn http(&self, listen: SocketAddr) -> HttpConfig {
        HttpConfig { listen, tls_certificate: None, tls_key: None }
    }

    fn urls(&self) -> impl Iterator<Item = (u16, String)> + use<'_> {
        (1..=self.plan.validators)
            .map(|index| (index, format!("http://{}", self.plan.ports().validator(index))))
    }
}

#[cfg(test)]
#[path = "founding_tests.rs"]
mod tests;
