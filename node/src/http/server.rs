//! The server itself: routes, limits, TLS, start and end.

use super::body::peer_of;
use super::connections::Connections;
use super::door::Door;
use super::entrance::{Arrived, Entrance};
use super::guest::Guest;
use super::limit::{Limiter, Uploads};
use super::metrics::Metrics;
use super::options::{HttpError, HttpOptions, RELAY_CONNECTIONS};
use super::pace::Pace;
use super::refusal::Refusal;
use super::relay_places::RelayPlaces;
use super::routes::{nowhere, routes};
use super::services::Services;
use actix_http::HttpService;
use actix_server::{GracefulShutdownSignal, Server, ServerHandle};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, Error, ResponseError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::Kind;

/// Bodies of bids on their way at once, in all and from one peer.
const UPLOADS: (usize, usize) = (512, 64);
/// Large bodies (relayed batches, transactions) at once: some MiB each.
const LARGE_UPLOADS: (usize, usize) = (32, 8);
/// Batches at once of the aggregator's addresses, beside the places above.
const RELAY_UPLOADS: usize = 8;
/// Connections that the server underneath takes beyond ours, for a moment: so it never stops accepting, and what is too
/// many is closed, counted and said.
const SPARE_CONNECTIONS: usize = 64;
/// Open files for connections beyond those that are configured: the aggregator's have a second handle, as all that have a
/// place.
pub(crate) const FILES_BESIDE: u64 = (2 * RELAY_CONNECTIONS + SPARE_CONNECTIONS) as u64;

/// What all handlers share.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) options: HttpOptions,
    pub(super) metrics: Arc<Metrics>,
    pub(super) uploads: Arc<Uploads>,
    pub(super) large_uploads: Arc<Uploads>,
    pub(super) relay_places: Arc<RelayPlaces>,
    limiter: Option<Limiter>,
}

impl Shared {
    pub(super) fn new(
        options: &HttpOptions,
        services: Services,
        metrics: Arc<Metrics>,
        relay_places: Arc<RelayPlaces>,
    ) -> Self {
        Self {
            limiter: options.rate.map(Limiter::new),
            metrics,
            uploads: Uploads::new(UPLOADS.0, UPLOADS.1),
            large_uploads: Uploads::new(LARGE_UPLOADS.0, LARGE_UPLOADS.1),
            relay_places,
            services,
            options: options.clone(),
        }
    }
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
        Self::behind(Door::open(options)?, services)
    }

    /// The same behind an address that was taken before.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn behind(door: Door, services: Services) -> Result<Self, HttpError> {
        let (metrics, options) = (Arc::new(Metrics::default()), &door.options);
        let relay_places = RelayPlaces::new(RELAY_UPLOADS, &options.aggregator_addresses);
        let connections =
            Connections::new(options.allowance(), Arc::clone(&relay_places), Arc::clone(&metrics));
        let shared = Data::new(Shared::new(options, services, Arc::clone(&metrics), relay_places));
        let (server, addresses) = serve(door, shared, &connections, routes)?;
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
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Takes no further connections, lets requests that are under way end, and returns when all is closed.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// Cuts off what stands still, for as long as the server lives.
pub(super) fn watch(connections: &Arc<Connections>) {
    let (connections, pause) = (Arc::downgrade(connections), connections.pause());
    actix_rt::spawn(async move {
        while let Some(connections) = connections.upgrade() {
            connections.sweep();
            drop(connections);
            tokio::time::sleep(pause).await;
        }
    });
}

/// Puts the server together.
pub(super) fn serve(
    door: Door,
    shared: Data<Shared>,
    connections: &Arc<Connections>,
    routes: fn(&mut web::ServiceConfig),
) -> Result<(Server, Vec<SocketAddr>), HttpError> {
    let Door { options, listener, tls, .. } = door;
    let listen = options.listen;
    let refuse = |source| HttpError::Listen { listen, source };
    let workers = options.workers.max(1);
    // The bound of all is ours ([`Connections`]); the framework's is for each of its threads, and none stops accepting
    // before ours is reached.
    let most = options.max_connections.saturating_add(RELAY_CONNECTIONS + SPARE_CONNECTIONS);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(most.div_ceil(workers))
        .shutdown_timeout(options.shutdown_timeout_s)
        // The process has its own handling of signals.
        .disable_signals();
    let entrance = Entrance {
        connections: Arc::clone(connections),
        tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
        handshake_timeout: options.handshake_timeout,
        ending: builder.graceful_shutdown_signal(),
    };
    let addresses = vec![listener.local_addr().map_err(refuse)?];
    let service = move || {
        let entrance = entrance.clone();
        let http = http(&options, &shared, routes, entrance.ending.clone());
        fn_service(move |stream: TcpStream| entrance.enter(stream)).and_then(http)
    };
    let builder = builder.listen("http", listener, service).map_err(refuse)?;
    Ok((builder.run(), addresses))
}

/// What stands behind the entrance. The framework's own way to put a server together has no room for one.
fn http(
    options: &HttpOptions,
    shared: &Data<Shared>,
    routes: fn(&mut web::ServiceConfig),
    ending: GracefulShutdownSignal,
) -> impl ServiceFactory<Arrived, Config = (), Response = (), Error = (), InitError = ()> + use<> {
    let app = App::new()
        .app_data(shared.clone())
        // Bodies are read with bounds of their own; nothing else may read one.
        .app_data(PayloadConfig::new(0))
        .wrap(from_fn(guard))
        .configure(routes)
        .default_service(web::to(nowhere));
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let ending = ending.clone();
            async move { ending.notified().await }
        })
        .client_request_timeout(options.head_timeout)
        .client_disconnect_timeout(Duration::from_secs(2))
        // Whoever is gone gives the place back at once, not when the wait for a block is over.
        .h1_allow_half_closed(false)
        .keep_alive(options.keep_alive)
        .on_connect_ext(|guest: &Guest, data: &mut Extensions| {
            data.insert(guest.pace());
        })
        .finish(map_config(app, |()| AppConfig::default()))
        // Whoever writes the log has counted what a stranger sent.
        .map_err(|_| ())
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
    let pace = request.conn_data::<Pace>().cloned();
    if let Some(pace) = &pace {
        pace.works();
    }
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let share = shared.limiter.as_ref().map_or(Ok(()), |limiter| limiter.take(peer_of(peer)));
    let response = match share {
        Err(wait) => request.into_response(Refusal::rate_limited(wait).error_response()),
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
