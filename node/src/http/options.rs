//! What a server is allowed, and why one does not start.

use super::connections::Allowance;
use super::limit::Rate;
use super::places::Room;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Connections at once of the aggregator's addresses, beside those of all.
pub(super) const RELAY_CONNECTIONS: usize = 16;
/// Longest wait of a handler for something that is no answer of what stands behind: a long poll.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a server is allowed.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Address and port; port 0 for any.
    pub listen: SocketAddr,
    /// Certificate chain and private key (PEM) when it speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Threads. Handlers only pass on and wait: two are enough.
    pub workers: usize,
    /// Connections at once, all threads together, those in their handshake among them; the aggregator has some beside them.
    pub max_connections: usize,
    /// Connections of one address at once; none: as many as there are. More are closed as they come.
    pub max_connections_of_peer: Option<usize>,
    /// Addresses of the aggregator, which has places of its own; none: they are those of its last batches.
    pub aggregator_addresses: Vec<IpAddr>,
    /// Requests of one address; none: as many as come.
    pub rate: Option<Rate>,
    /// For the TLS handshake, from when a connection was accepted on.
    pub handshake_timeout: Duration,
    /// For the head of a request.
    pub head_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For the answer of what stands behind.
    pub answer_timeout: Duration,
    /// How long an idle connection stays.
    pub keep_alive: Duration,
    /// Bytes a second in which a peer takes its answer at least; whoever is slower is cut off.
    pub least_rate: u64,
    /// How long requests that are under way may take when the server ends, seconds.
    pub shutdown_timeout_s: u64,
}

impl HttpOptions {
    /// The usual limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            workers: 2,
            max_connections: 1024,
            max_connections_of_peer: Some(32),
            aggregator_addresses: Vec::new(),
            rate: Some(Rate { per_minute: 6000, burst: 400 }),
            handshake_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(30),
            least_rate: 64 << 10,
            shutdown_timeout_s: 5,
        }
    }
}

impl HttpOptions {
    pub(super) fn allowance(&self) -> Allowance {
        let work = self.body_timeout.saturating_add(self.answer_timeout).saturating_add(LONGEST_WAIT);
        Allowance {
            room: Room {
                most: self.max_connections,
                of_peer: self.max_connections_of_peer,
                of_aggregator: RELAY_CONNECTIONS,
            },
            handshake: self.handshake_timeout,
            quiet: self.keep_alive.saturating_add(self.head_timeout),
            work,
            least_rate: self.least_rate,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The address can't be used.
    #[error(
        "{listen}: {source}; choose an address of this machine and a free port (http.listen, health_listen)"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Certificate or key can't be used.
    #[error("{}: {why}; give PEM files that belong together (http.tls_certificate, http.tls_key)", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The thread of the listener for health and metrics could not be made.
    #[error("the thread of the listener for health and metrics: {0}")]
    Thread(std::io::Error),
}
