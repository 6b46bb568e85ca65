//! The server itself: routes, limits, TLS, start and end.

use super::body::peer_of;
use super::connections::{Allowance, Connection, Connections};
use super::limit::{Limiter, Rate, RelayPlaces, Uploads};
use super::metrics::Metrics;
use super::problem::{Kind, Problem};
use super::services::Services;
use super::{bids, ledger, rounds, validators};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, Error, HttpResponse, ResponseError};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error as ThisError;
use veilgrid_actors::stopwatch::Stopwatch;

/// Bodies of bids on their way at once, in all and from one peer.
const UPLOADS: (usize, usize) = (512, 64);
/// Large bodies (relayed batches, transactions) at once: some MiB each.
const LARGE_UPLOADS: (usize, usize) = (32, 8);
/// Batches at once of the address that the aggregator's last batch came from, beside the places above.
const RELAY_UPLOADS: usize = 8;
/// Longest wait of a handler for something that is no answer of what stands behind: a long poll.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Connections that the system may hold back before they are accepted.
const BACKLOG: u32 = 512;

/// What a server is allowed.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Address and port; port 0 for any.
    pub listen: SocketAddr,
    /// Certificate chain and private key (PEM) when it speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Threads. Handlers only pass on and wait: two are enough.
    pub workers: usize,
    /// Connections at once, all threads together.
    pub max_connections: usize,
    /// Connections of one address at once; none: as many as there are. More are closed as they come.
    pub max_connections_of_peer: Option<usize>,
    /// Requests of one address; none: as many as come.
    pub rate: Option<Rate>,
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
            max_connections_of_peer: Some(256),
            rate: Some(Rate { per_minute: 6000, burst: 400 }),
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
    fn allowance(&self) -> Allowance {
        let work = self.body_timeout.saturating_add(self.answer_timeout).saturating_add(LONGEST_WAIT);
        Allowance {
            of_peer: self.max_connections_of_peer,
            quiet: self.keep_alive.saturating_add(self.head_timeout),
            work,
            least_rate: self.least_rate,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, ThisError)]
pub enum HttpError {
    /// The address can't be used.
    #[error("{listen}: {source}; choose an address of this machine and a free port (http.listen)")]
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
}

/// What all handlers share.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) options: HttpOptions,
    pub(super) metrics: Arc<Metrics>,
    pub(super) uploads: Arc<Uploads>,
    pub(super) large_uploads: Arc<Uploads>,
    pub(super) relay_places: RelayPlaces,
    limiter: Option<Limiter>,
}

/// A server that runs.
pub struct HttpServer {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    metrics: Arc<Metrics>,
}

impl HttpServer {
    /// Starts a server; it answers when this returns. Called inside of an actix system, which the server's threads
    /// outlive no longer than their last requests.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn start(options: HttpOptions, services: Services) -> Result<Self, HttpError> {
        let metrics = Arc::new(Metrics::default());
        let shared = Data::new(Shared {
            limiter: options.rate.map(Limiter::new),
            metrics: Arc::clone(&metrics),
            uploads: Uploads::new(UPLOADS.0, UPLOADS.1),
            large_uploads: Uploads::new(LARGE_UPLOADS.0, LARGE_UPLOADS.1),
            relay_places: RelayPlaces::new(RELAY_UPLOADS),
            services,
            options: options.clone(),
        });
        let connections = Connections::new(options.allowance());
        let (server, addresses) = bind(&options, shared, &connections)?;
        watch(&connections);
        let handle = server.handle();
        actix_rt::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
        Ok(Self { addresses, handle, metrics })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes no further connections, lets requests that are under way end, and returns when all is closed.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// Cuts off what stands still, for as long as the server lives.
fn watch(connections: &Arc<Connections>) {
    let (connections, pause) = (Arc::downgrade(connections), connections.pause());
    actix_rt::spawn(async move {
        while let Some(connections) = connections.upgrade() {
            connections.sweep();
            drop(connections);
            tokio::time::sleep(pause).await;
        }
    });
}

fn bind(
    options: &HttpOptions,
    shared: Data<Shared>,
    connections: &Arc<Connections>,
) -> Result<(Server, Vec<SocketAddr>), HttpError> {
    let (listen, connections) = (options.listen, Arc::clone(connections));
    let workers = options.workers.max(1);
    let server = actix_web::HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            // Bodies are read with bounds of their own; nothing else may read one.
            .app_data(PayloadConfig::new(0))
            .wrap(from_fn(guard))
            .configure(routes)
            .default_service(web::to(nowhere))
    })
    .workers(workers)
    .max_connections(options.max_connections.div_ceil(workers).max(1))
    .backlog(BACKLOG)
    .on_connect(move |io, data| {
        if let Some(connection) = connections.admit(io) {
            data.insert(connection);
        }
    })
    .client_request_timeout(options.head_timeout)
    .client_disconnect_timeout(Duration::from_secs(2))
    // Whoever is gone gives the place back at once, not when the wait for a block is over.
    .h1_allow_half_closed(false)
    .keep_alive(options.keep_alive)
    .shutdown_timeout(options.shutdown_timeout_s)
    // The process has its own handling of signals.
    .disable_signals();
    let bound = match &options.tls {
        None => server.bind(listen),
        Some((certificate, key)) => server.bind_rustls_0_23(listen, tls_config(certificate, key)?),
    };
    let server = bound.map_err(|source| HttpError::Listen { listen, source })?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

fn tls_config(certificate: &Path, key: &Path) -> Result<ServerConfig, HttpError> {
    let refuse = |path: &Path, why: String| HttpError::Tls { path: path.to_path_buf(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(certificate, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| refuse(key, error.to_string()))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| refuse(certificate, error.to_string()))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/v1/bids", web::post().to(bids::bids))
        .route("/v1/relay", web::post().to(bids::relay))
        .route("/v1/transactions", web::post().to(bids::transactions))
        .route("/v1/status", web::get().to(ledger::status))
        .route("/v1/genesis", web::get().to(ledger::genesis))
        .route("/v1/validators", web::get().to(validators::validators))
        .route("/v1/blocks", web::get().to(ledger::blocks))
        .route("/v1/rounds/{id}", web::get().to(rounds::round))
        .route("/v1/healthz", web::get().to(ledger::healthz))
        .route("/v1/metrics", web::get().to(ledger::metrics));
}

async fn nowhere() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound, "no such path or method: the API is below /v1"))
}

/// Around every request: the peer's share before anything else, and the counting after.
async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Stopwatch::start();
    let Some(shared) = request.app_data::<Data<Shared>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    shared.metrics.request();
    let peer = request.peer_addr();
    let pace = request.conn_data::<Connection>().map(Connection::pace);
    if let Some(pace) = &pace {
        pace.works();
    }
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let share = shared.limiter.as_ref().map_or(Ok(()), |limiter| limiter.take(peer_of(peer)));
    let response = match share {
        Err(wait) => request.into_response(Problem::rate_limited(wait).error_response()),
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
    };
    let refused = response.response().extensions().get::<Kind>().copied();
    if let Some(kind) = refused {
        shared.metrics.refusal(kind);
    }
    tracing::debug!(
        ?peer, %method, path, status = response.status().as_u16(), refused = refused.map(Kind::slug),
        ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "request"
    );
    Ok(match pace {
        Some(pace) => response.map_body(|_, body| pace.watch(body)),
        None => response,
    })
}
