//! The values and tables that the configurations are made of.

use super::{Fault, require_file};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;
pub use veilgrid_ledger::hash::Hex32;

/// A text that is none of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// "An address is host:port."
    #[error(
        "{found:?} is no address: give host:port, for example 192.0.2.7:7101 or validator-2.example:7101"
    )]
    Address {
        /// The text, cut.
        found: String,
    },
}

/// Where a peer listens: `host:port`, where the host is an IP address or a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerAddress(String);

impl PeerAddress {
    /// The text, `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, looked up if the host is a name.
    ///
    /// # Errors
    /// A name that the system does not know at the moment.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        self.0.to_socket_addrs()?.next().ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, format!("{}: the name has no address", self.0))
        })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PeerAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let refused = || ValueError::Address { found: cut(text) };
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port: u16 = port.parse().map_err(|_| refused())?;
        // A bare IPv6 address has colons of its own: it stands in brackets.
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        let usable = !host.is_empty() && bare && !host.contains(|c: char| c.is_whitespace() || c == '/');
        if port == 0 || !usable { Err(refused()) } else { Ok(Self(text.to_owned())) }
    }
}

impl TryFrom<String> for PeerAddress {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<PeerAddress> for String {
    fn from(value: PeerAddress) -> Self {
        value.0
    }
}

fn cut(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        text.to_owned()
    } else {
        text.chars().take(MOST).chain("…".chars()).collect()
    }
}

/// Where a process answers over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate chain (PEM); with `tls_key`, or neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
}

/// Certificate and key of a server that speaks TLS.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// Certificate chain (PEM).
    pub certificate: &'a PathBuf,
    /// Private key (PEM).
    pub key: &'a PathBuf,
}

impl HttpConfig {
    /// The files for TLS, if the server speaks it.
    pub fn tls(&self) -> Option<TlsFiles<'_>> {
        Some(TlsFiles { certificate: self.tls_certificate.as_ref()?, key: self.tls_key.as_ref()? })
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                require_file("http.tls_certificate", certificate, "the PEM file of the certificate chain")?;
                require_file("http.tls_key", key, "the PEM file of the certificate's private key")
            }
            (None, None) => Ok(()),
            (Some(_), None) => {
                Err(Fault::new("http.tls_key", "is missing; a certificate needs its private key"))
            }
            (None, Some(_)) => {
                Err(Fault::new("http.tls_certificate", "is missing; a key needs its certificate"))
            }
        }
    }
}

/// How validators reach each other for consensus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct P2pConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// All other validators, and those that are to join.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
}

/// Another validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Its consensus key (ed25519).
    pub consensus_key: Hex32,
    /// Where it listens.
    pub address: PeerAddress,
}

impl P2pConfig {
    pub(super) fn check(&self) -> Result<(), Fault> {
        for (place, peer) in self.peers.iter().enumerate() {
            if let Some(earlier) =
                self.peers.iter().take(place).find(|other| other.consensus_key == peer.consensus_key)
            {
                let reason = format!(
                    "the consensus key {} stands at {} and at {}; keep one",
                    peer.consensus_key, earlier.address, peer.address
                );
                return Err(Fault::new("p2p.peers", reason));
            }
        }
        Ok(())
    }
}

/// How long a validator keeps the bodies of old blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Bids of a round are dropped from the store when this many rounds after it are finished; absent: kept for ever.
    /// Headers, digests and results stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune_after_rounds: Option<u64>,
}

/// What a server takes from others at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections that are open at once.
    pub connections: u32,
    /// Connections of one address that are open at once; half of all at most.
    pub connections_per_address: u32,
    /// Requests a minute from one address; 0: as many as come, over as many connections.
    pub requests_per_minute: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { connections: 1024, connections_per_address: 32, requests_per_minute: 6000 }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self) -> Result<(), Fault> {
        positive("limits.connections", self.connections.into())?;
        positive("limits.connections_per_address", self.connections_per_address.into())
    }
}

/// The limits of a process that takes from others and hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayLimitsConfig {
    /// As [`LimitsConfig::connections`].
    pub connections: u32,
    /// As [`LimitsConfig::connections_per_address`].
    pub connections_per_address: u32,
    /// As [`LimitsConfig::requests_per_minute`].
    pub requests_per_minute: u32,
    /// Milliseconds until a batch that was handed to another process is given up.
    pub request_timeout_ms: u64,
}

impl Default for RelayLimitsConfig {
    fn default() -> Self {
        Self::within(LimitsConfig::default())
    }
}

impl RelayLimitsConfig {
    /// These limits, with the usual time for a batch.
    pub fn within(limits: LimitsConfig) -> Self {
        let LimitsConfig { connections, connections_per_address, requests_per_minute } = limits;
        Self { connections, connections_per_address, requests_per_minute, request_timeout_ms: 10_000 }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        LimitsConfig::from(*self).check()?;
        positive("limits.request_timeout_ms", self.request_timeout_ms)
    }
}

impl From<RelayLimitsConfig> for LimitsConfig {
    fn from(limits: RelayLimitsConfig) -> Self {
        let RelayLimitsConfig { connections, connections_per_address, requests_per_minute, .. } = limits;
        Self { connections, connections_per_address, requests_per_minute }
    }
}

fn positive(key: &str, value: u64) -> Result<(), Fault> {
    if value == 0 {
        return Err(Fault::new(key, "is 0, so that nothing would get through; give a positive number"));
    }
    Ok(())
}

/// What is checked when a process starts ([`crate::checks`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChecksConfig {
    /// Free space that the data directory's disk has to have, MiB.
    pub min_free_mib: u64,
    /// Skew against other processes' clocks above which a warning is logged, milliseconds.
    pub warn_skew_ms: u64,
    /// Skew above which the process does not start, milliseconds.
    pub max_skew_ms: u64,
    /// Whether all stored blocks are checked and executed again, instead of those since the process has saved its state.
    pub verify_all: bool,
}

impl Default for ChecksConfig {
    fn default() -> Self {
        Self { min_free_mib: 200, warn_skew_ms: 500, max_skew_ms: 5000, verify_all: false }
    }
}

impl ChecksConfig {
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.warn_skew_ms > self.max_skew_ms {
            return Err(Fault::new(
                "checks.warn_skew_ms",
                "is above max_skew_ms, so it would never warn; lower it",
            ));
        }
        Ok(())
    }
}

/// Checks a list of addresses that requests are sent to.
pub(super) fn check_urls(key: &str, urls: &[String]) -> Result<(), Fault> {
    if urls.is_empty() {
        return Err(Fault::new(key, "is empty; give at least one address such as http://192.0.2.7:8101"));
    }
    urls.iter().try_for_each(|url| check_url(key, url))
}

/// Checks an address that requests are sent to.
pub(super) fn check_url(key: &str, url: &str) -> Result<(), Fault> {
    veilgrid_client::check_address(url).map_err(|error| Fault::new(key, error.to_string()))
}
