//! All files of a network on one machine.
//!
//! ```text
//! DIR/genesis.bin, genesis.hash        block 0 and its hash
//! DIR/passphrase                       of all key files (0600): a network for trials, not for secrets
//! DIR/plan.toml                        market and times
//! DIR/aggregator/{aggregator.toml, keys, data/}
//! DIR/registrar/keys                   for `veilgrid registrar`
//! DIR/treasury/keys                    for `veilgrid treasury`, of a market with money
//! DIR/validator-1/{validator.toml, keys, data/}
//! DIR/participant-001/{participant.toml, keys, orders.csv, data/}
//! ```

use crate::LocalnetError;
use crate::orders;
use crate::plan::{FEED_IN_MCT_PER_KWH, NetworkPlan, RETAIL_MCT_PER_KWH};
use rand_core::CryptoRngCore;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use veilgrid_client::genesis::GenesisFile;
use veilgrid_market::Grid;
use veilgrid_node::config::{
    AggregatorConfig, ChecksConfig, Hex32, HttpConfig, LimitsConfig, NodeConfig, P2pConfig,
    ParticipantConfig, PeerConfig, RelayLimitsConfig, RetentionConfig, ValidatorConfig,
};
use veilgrid_node::founding::{FoundingError, PublicPart, assemble};
use veilgrid_node::keyfile::{
    AggregatorKeys, Contents, Cost, ParticipantKeys, RegistrarKeys, TreasuryKeys, ValidatorKeys, create,
};
use veilgrid_node::passphrase::Passphrase;
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_store::files::{FileError, write_new, write_new_private};

/// All processes of a network on one machine call from one address, up to [`MAX_PARTICIPANTS`] of them.
const LOOPBACK_LIMITS: LimitsConfig =
    LimitsConfig { connections: 1024, connections_per_address: 512, requests_per_minute: 6000 };

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

/// Writes all files of a network below `dir`, which exists and is empty except for the file with the passphrase.
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

/// The same for accounts whose owners keep their keys elsewhere: validators and the aggregator get files, members
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
    registrar: RegistrarKeys,
    /// Of a market with money.
    treasury: Option<TreasuryKeys>,
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
        let (aggregator, registrar) = (AggregatorKeys::generate(rng), RegistrarKeys::generate(rng));
        let mut parts: Vec<PublicPart> = validators.iter().map(PublicPart::from).collect();
        parts.push(PublicPart::from(&aggregator));
        parts.push(PublicPart::from(&registrar));
        let treasury = plan.founding.market.money.map(|_| TreasuryKeys::generate(rng));
        parts.extend(treasury.as_ref().map(PublicPart::from));
        parts.extend_from_slice(accounts);
        let genesis = assemble(&plan.founding, &parts, now_unix_ms, rng)?;
        Ok(Self { validators, aggregator, registrar, treasury, genesis })
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
        site.keys(&dir.join("registrar"), &self.registrar, rng)?;
        if let Some(treasury) = &self.treasury {
            site.keys(&dir.join("treasury"), treasury, rng)?;
        }
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
        self.keys(home, keys, rng)?;
        let file = home.join(format!("{kind}.toml"));
        write_new_private(&file, config.print()?.as_bytes())?;
        Ok(file)
    }

    /// Makes a folder with keys in it.
    fn keys<K: Contents>(
        &self,
        home: &Path,
        keys: &K,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), LocalnetError> {
        std::fs::create_dir(home)
            .and_then(|()| veilgrid_store::files::sync_directory(home))
            .map_err(|reason| FileError::Unwritable { path: home.to_owned(), reason })?;
        // The passphrase is 256 random bits here: nothing is gained by making each guess expensive.
        create(&home.join("keys"), keys, self.passphrase, Cost::LEAST, rng)?;
        Ok(())
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
