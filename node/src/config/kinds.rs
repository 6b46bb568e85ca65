//! The three configurations.

use super::values::{check_url, check_urls};
use super::{
    ChecksConfig, Fault, Hex32, HttpConfig, LimitsConfig, NodeConfig, P2pConfig, RelayLimitsConfig,
    RetentionConfig,
};
use crate::config::require_file;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// What is logged unless something else is asked for.
const LOG: &str = "info";

fn default_log() -> String {
    LOG.to_owned()
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorConfig {
    /// Folder of the ledger, the engine's journal and the changing secrets.
    pub data_dir: PathBuf,
    /// Block 0.
    pub genesis: PathBuf,
    /// Hash of block 0 that the operator trusts; another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis_hash: Option<Hex32>,
    /// The key file.
    pub key_file: PathBuf,
    /// A file with the passphrase; absent: the environment or the terminal is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP addresses of the other validators, whose clocks are compared with this machine's.
    #[serde(default)]
    pub validator_urls: Vec<String>,
    /// PEM file of certificate authorities that are trusted beside the public ones, for https to other processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What is logged: a level or a filter.
    #[serde(default = "default_log")]
    pub log: String,
    /// Address and port of a listener for health and metrics alone; absent: they are on `http.listen` only, or nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_listen: Option<SocketAddr>,
    /// IP addresses that the aggregator calls from: it has places there that nobody else has. Absent: they are learned from
    /// where its batches come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregator_addresses: Vec<IpAddr>,
    /// HTTP.
    pub http: HttpConfig,
    /// Consensus.
    pub p2p: P2pConfig,
    /// How long bodies are kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Checks at the start.
    #[serde(default)]
    pub checks: ChecksConfig,
}

/// An aggregator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregatorConfig {
    /// Folder of what was received and relayed.
    pub data_dir: PathBuf,
    /// Block 0.
    pub genesis: PathBuf,
    /// Hash of block 0 that the operator trusts; another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis_hash: Option<Hex32>,
    /// The key file.
    pub key_file: PathBuf,
    /// A file with the passphrase; absent: the environment or the terminal is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP addresses of the validators.
    pub validator_urls: Vec<String>,
    /// PEM file of certificate authorities that are trusted beside the public ones, for https to other processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What is logged: a level or a filter.
    #[serde(default = "default_log")]
    pub log: String,
    /// Address and port of a listener for health and metrics alone; absent: they are on `http.listen` only, or nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_listen: Option<SocketAddr>,
    /// HTTP.
    pub http: HttpConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: RelayLimitsConfig,
    /// Checks at the start.
    #[serde(default)]
    pub checks: ChecksConfig,
}

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantConfig {
    /// Folder of sealed bids, receipts and what was read of the ledger.
    pub data_dir: PathBuf,
    /// Block 0.
    pub genesis: PathBuf,
    /// Hash of block 0 that the member trusts; it was told by somebody that it knows.
    pub genesis_hash: Hex32,
    /// The key file with the keyring's seed.
    pub key_file: PathBuf,
    /// A file with the passphrase; absent: the environment or the terminal is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP address of the aggregator.
    pub aggregator_url: String,
    /// HTTP addresses of validators: the ledger is read from them, and bids go there if the aggregator fails.
    pub validator_urls: Vec<String>,
    /// The orders, CSV ([`super::orders`]); read again for every round.
    pub orders: PathBuf,
    /// PEM file of certificate authorities that are trusted beside the public ones, for https to other processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What is logged: a level or a filter.
    #[serde(default = "default_log")]
    pub log: String,
    /// Address and port of a listener for health and metrics alone; absent: they are on `http.listen` only, or nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_listen: Option<SocketAddr>,
    /// Checks at the start.
    #[serde(default)]
    pub checks: ChecksConfig,
}

/// The keys that all processes have, then those of the kind.
macro_rules! keys {
    ($($key:literal),* $(,)?) => {
        &[
            "data_dir", "genesis", "genesis_hash", "key_file", "passphrase_file", "validator_urls", "ca_file", "log",
            "health_listen", "checks.min_free_mib", "checks.warn_skew_ms", "checks.max_skew_ms",
            "checks.verify_all",
            $($key),*
        ]
    };
}

/// The keys of paths that all processes have, then those of the kind.
macro_rules! paths {
    ($($key:literal),* $(,)?) => {
        &["data_dir", "genesis", "key_file", "passphrase_file", "ca_file", $($key),*]
    };
}

impl NodeConfig for ValidatorConfig {
    const ENVIRONMENT: &'static str = "VEILGRID_VALIDATOR";
    const KEYS: &'static [&'static str] = keys![
        "aggregator_addresses",
        "http.listen",
        "http.tls_certificate",
        "http.tls_key",
        "p2p.listen",
        "p2p.peers[].consensus_key",
        "p2p.peers[].address",
        "retention.prune_after_rounds",
        "limits.connections",
        "limits.connections_per_address",
        "limits.requests_per_minute",
    ];
    const PATHS: &'static [&'static str] = paths!["http.tls_certificate", "http.tls_key"];
    const LISTS: &'static [&'static str] = &["validator_urls", "aggregator_addresses"];

    fn check(&self) -> Result<(), Fault> {
        self.http.check()?;
        self.limits.check()?;
        self.p2p.check()?;
        check_health(
            self.health_listen,
            &[("http.listen", self.http.listen), ("p2p.listen", self.p2p.listen)],
        )?;
        if self.http.listen == self.p2p.listen && self.http.listen.port() != 0 {
            let reason = format!("{} is http.listen too; give each its own port", self.p2p.listen);
            return Err(Fault::new("p2p.listen", reason));
        }
        if !self.p2p.peers.is_empty() {
            check_urls("validator_urls", &self.validator_urls)?;
        }
        check_common(&self.genesis, &self.key_file, self.ca_file.as_deref(), &self.checks)
    }
}

impl NodeConfig for AggregatorConfig {
    const ENVIRONMENT: &'static str = "VEILGRID_AGGREGATOR";
    const KEYS: &'static [&'static str] = keys![
        "http.listen",
        "http.tls_certificate",
        "http.tls_key",
        "limits.connections",
        "limits.connections_per_address",
        "limits.requests_per_minute",
        "limits.request_timeout_ms",
    ];
    const PATHS: &'static [&'static str] = paths!["http.tls_certificate", "http.tls_key"];
    const LISTS: &'static [&'static str] = &["validator_urls"];

    fn check(&self) -> Result<(), Fault> {
        self.http.check()?;
        self.limits.check()?;
        check_health(self.health_listen, &[("http.listen", self.http.listen)])?;
        check_urls("validator_urls", &self.validator_urls)?;
        check_common(&self.genesis, &self.key_file, self.ca_file.as_deref(), &self.checks)
    }
}

impl NodeConfig for ParticipantConfig {
    const ENVIRONMENT: &'static str = "VEILGRID_PARTICIPANT";
    const KEYS: &'static [&'static str] = keys!["aggregator_url", "orders"];
    const PATHS: &'static [&'static str] = paths!["orders"];
    const LISTS: &'static [&'static str] = &["validator_urls"];

    fn check(&self) -> Result<(), Fault> {
        check_url("aggregator_url", &self.aggregator_url)?;
        check_urls("validator_urls", &self.validator_urls)?;
        check_common(&self.genesis, &self.key_file, self.ca_file.as_deref(), &self.checks)?;
        require_file(
            "orders",
            &self.orders,
            "the CSV file with the orders (its header alone means: trade nothing)",
        )
    }
}

fn check_health(listen: Option<SocketAddr>, others: &[(&str, SocketAddr)]) -> Result<(), Fault> {
    let taken = others.iter().find(|(_, other)| Some(*other) == listen && other.port() != 0);
    match taken {
        Some((key, other)) => {
            Err(Fault::new("health_listen", format!("{other} is {key} too; give each its own port")))
        }
        None => Ok(()),
    }
}

fn check_common(
    genesis: &Path,
    key_file: &Path,
    ca_file: Option<&Path>,
    checks: &ChecksConfig,
) -> Result<(), Fault> {
    checks.check()?;
    require_file("genesis", genesis, "the genesis file that `veilgrid create-genesis` wrote")?;
    require_file("key_file", key_file, "the file that `veilgrid keys new` wrote")?;
    match ca_file {
        Some(path) => require_file("ca_file", path, "the PEM file with the authority's certificate"),
        None => Ok(()),
    }
}
