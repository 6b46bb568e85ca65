//! Health and metrics on a listener of their own: strangers who fill the public one do not take them away, and a thread of
//! its own answers while the rest of the process works.

use super::connections::Connections;
use super::door::Door;
use super::metrics::Metrics;
use super::options::{HttpError, HttpOptions};
use super::relay_places::RelayPlaces;
use super::routes::health_routes;
use super::server::{Shared, serve, watch};
use super::services::Services;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// Connections at once: of probes and of whoever collects metrics.
const CONNECTIONS: usize = 64;

/// The options of a listener for health and metrics: no TLS and no share of requests, because it is for the operator's own
/// network.
fn options(listen: SocketAddr) -> HttpOptions {
    HttpOptions {
        workers: 1,
        max_connections: CONNECTIONS,
        max_connections_of_peer: None,
        rate: None,
        keep_alive: Duration::from_secs(10),
        shutdown_timeout_s: 1,
        ..HttpOptions::new(listen)
    }
}

/// The address of a listener for health and metrics, taken before anything else.
pub struct HealthDoor(Door);

impl HealthDoor {
    /// Takes the address.
    ///
    /// # Errors
    /// [`HttpError::Listen`].
    pub fn open(listen: SocketAddr) -> Result<Self, HttpError> {
        Door::open(options(listen)).map(Self)
    }
}

/// A listener for health and metrics that runs; it ends when this is dropped.
pub struct HealthServer {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
}

impl HealthServer {
    /// Starts it on a thread of its own. `metrics`: the counters of the process's API, if it has one.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn start(
        HealthDoor(door): HealthDoor,
        services: Services,
        metrics: Option<Arc<Metrics>>,
    ) -> Result<Self, HttpError> {
        let (started, is_started) = mpsc::channel();
        let body = move || {
            actix_rt::System::new().block_on(async {
                let (connections, server) = match assemble(door, services, metrics.unwrap_or_default()) {
                    Ok((connections, server, addresses)) => {
                        // Whoever waits for it is there: it is this very call.
                        let _ = started.send(Ok((addresses, server.handle())));
                        (connections, server)
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                watch(&connections);
                if let Err(error) = server.await {
                    tracing::error!(%error, "the listener for health and metrics ended");
                }
            });
        };
        thread::Builder::new().name("health".to_owned()).spawn(body).map_err(HttpError::Thread)?;
        let gone = |_| HttpError::Thread(std::io::Error::other("it ended before it ran"));
        let (addresses, handle) = is_started.recv().map_err(gone)??;
        Ok(Self { addresses, handle })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

type Assembled = (Arc<Connections>, actix_web::dev::Server, Vec<SocketAddr>);

fn assemble(door: Door, services: Services, metrics: Arc<Metrics>) -> Result<Assembled, HttpError> {
    let relay_places = RelayPlaces::new(0, &[]);
    // What is refused here is not what is counted of the public listener.
    let connections = Connections::new(door.options().allowance(), Arc::clone(&relay_places), Arc::default());
    let shared = Data::new(Shared::new(door.options(), services, metrics, relay_places));
    let (server, addresses) = serve(door, shared, &connections, health_routes)?;
    Ok((connections, server, addresses))
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        // The message is on its way when this returns; nobody waits for the answer.
        drop(self.handle.stop(false));
    }
}
