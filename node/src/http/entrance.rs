//! From the listener to the first byte of a request: a place first, then the handshake.
//!
//! The framework's own acceptor counts nobody, and stops taking connections when so many handshakes are under way on a thread:
//! strangers who say nothing hold everybody up then. Here a connection has its place, by its address, before its handshake
//! begins, and no handshake waits for another.

use super::connection_counts::HandshakeEnd;
use super::connections::{Connection, Connections};
use super::guest::{Guest, Io};
use actix_http::Protocol;
use actix_server::GracefulShutdownSignal;
use actix_web::rt::net::TcpStream;
use futures::future::{Either, select};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the HTTP service takes.
pub(super) type Arrived = (Guest, Protocol, Option<SocketAddr>);

/// Takes connections in.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) connections: Arc<Connections>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) handshake_timeout: Duration,
    pub(super) ending: GracefulShutdownSignal,
}

impl Entrance {
    /// Gives a connection its place, or closes it, and shakes hands when the listener speaks TLS. What fails was counted
    /// and needs nobody's attention.
    pub(super) fn enter(&self, stream: TcpStream) -> impl Future<Output = Result<Arrived, ()>> + use<> {
        let place = self.connections.admit(&stream, self.tls.is_some());
        let Self { tls, handshake_timeout, ending, .. } = self.clone();
        async move {
            let place = place.ok_or(())?;
            let address = stream.peer_addr().ok();
            let io = match tls {
                None => Io::Plain(stream),
                Some(acceptor) => {
                    let shaking = timeout(handshake_timeout, acceptor.accept(stream));
                    // Whoever says nothing does not keep a server from ending.
                    match select(pin!(shaking), pin!(ending.notified())).await {
                        Either::Left((ended, _)) => Io::Tls(Box::new(shaken(ended, &place)?)),
                        Either::Right(_) => return Err(()),
                    }
                }
            };
            Ok((Guest::new(io, place), Protocol::Http1, address))
        }
    }
}

type Ended = Result<std::io::Result<TlsStream<TcpStream>>, tokio::time::error::Elapsed>;

/// The connection after its handshake.
fn shaken(ended: Ended, place: &Connection) -> Result<TlsStream<TcpStream>, ()> {
    let why = match ended {
        Ok(Ok(stream)) => return place.shaken().then_some(stream).ok_or(()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            HandshakeEnd::Broken
        }
        Err(_) => HandshakeEnd::Timeout,
    };
    place.failed(why);
    Err(())
}
