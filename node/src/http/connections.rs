//! Connections: how many of them one address may hold, and how long each may stand still.
//!
//! The server underneath ends a connection that sends no first request and one that is idle. It has no time-out for a
//! peer that sends one byte of a further request and for one that does not read its answer. So each connection has a
//! time here until which it has to have gone on, and is cut off when it has not.

use super::body::peer_of;
use super::limit::Peer;
use super::metrics::Metrics;
use super::relay_places::RelayPlaces;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;

/// How often it is said that an address has too many connections, in milliseconds.
const WARNING_PAUSE_MS: u64 = 60_000;
/// Shortest and longest pause between two looks at all connections, in milliseconds.
const PAUSES_MS: (u64, u64) = (50, 1_000);

/// What a connection is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Connections at once, those of the aggregator's own places aside.
    pub(super) most: usize,
    /// Connections of one address at once; none: as many as the server has.
    pub(super) of_peer: Option<usize>,
    /// Places that the aggregator alone has, beside these.
    pub(super) of_aggregator: usize,
    /// Until the head of the next request is there.
    pub(super) quiet: Duration,
    /// For the work on a request, its body included.
    pub(super) work: Duration,
    /// Bytes a second in which a peer takes its answer at least.
    pub(super) least_rate: u64,
}

/// All connections of a server.
pub(super) struct Connections {
    allowance: Allowance,
    began: Stopwatch,
    relay: Arc<RelayPlaces>,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Open>,
    of_peer: BTreeMap<Peer, usize>,
    /// Those in the aggregator's own places.
    of_aggregator: usize,
    quiet_until_ms: u64,
}

struct Open {
    peer: Peer,
    /// Whether it has one of the aggregator's own places.
    is_relay: bool,
    /// A second handle of the socket: with it a connection is cut off that is in the server's hands.
    socket: std::net::TcpStream,
    until_ms: u64,
}

/// A place among the connections; given back when the connection is gone.
pub(super) struct Connection(Pace);

/// Notes that a connection goes on.
#[derive(Clone)]
pub(super) struct Pace {
    connections: Arc<Connections>,
    id: u64,
}

impl Connections {
    pub(super) fn new(allowance: Allowance, relay: Arc<RelayPlaces>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { allowance, began: Stopwatch::start(), relay, metrics, table: Mutex::default() })
    }

    /// Takes a new connection in, or cuts it off when its address has as many as one may have, or all have as many as
    /// there may be.
    pub(super) fn admit(self: &Arc<Self>, io: &dyn Any) -> Option<Connection> {
        let stream = tcp_of(io)?;
        let address = stream.peer_addr().ok();
        match second_handle(stream) {
            Ok(socket) => self.place(peer_of(address), socket),
            Err(error) => {
                tracing::debug!(?address, %error, "a connection can't be watched");
                None
            }
        }
    }

    fn place(self: &Arc<Self>, peer: Peer, socket: std::net::TcpStream) -> Option<Connection> {
        let now_ms = self.now_ms();
        let until_ms = now_ms.saturating_add(millis(self.allowance.quiet));
        let mut table = self.table();
        let is_relay = table.of_aggregator < self.allowance.of_aggregator && self.relay.is_aggregator(peer);
        if !is_relay && let Err(why) = table.room(&self.allowance, peer) {
            self.metrics.connection_refused();
            if now_ms >= table.quiet_until_ms {
                table.quiet_until_ms = now_ms.saturating_add(WARNING_PAUSE_MS);
                let (address, of_peer, all) = (socket.peer_addr().ok(), table.of(peer), table.open.len());
                tracing::warn!(?address, of_peer, all, "connections are closed as they come: {why}");
            }
            cut(&socket);
            return None;
        }
        let id = table.next;
        table.next = id.wrapping_add(1);
        if is_relay {
            table.of_aggregator = table.of_aggregator.saturating_add(1);
        } else {
            let of_peer = table.of(peer).saturating_add(1);
            table.of_peer.insert(peer, of_peer);
        }
        table.open.insert(id, Open { peer, is_relay, socket, until_ms });
        Some(Connection(Pace { connections: Arc::clone(self), id }))
    }

    /// Cuts off what has stood still for too long.
    pub(super) fn sweep(&self) {
        let now_ms = self.now_ms();
        for open in self.table().open.values_mut().filter(|open| open.until_ms <= now_ms) {
            cut(&open.socket);
            // The server notices and gives the place back.
            open.until_ms = u64::MAX;
        }
    }

    /// How long to wait between two sweeps.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis((millis(self.allowance.quiet) / 8).clamp(PAUSES_MS.0, PAUSES_MS.1))
    }

    fn now_ms(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn of(&self, peer: Peer) -> usize {
        self.of_peer.get(&peer).copied().unwrap_or(0)
    }

    /// Whether there is a place for one more of this peer, in the places of all.
    fn room(&self, allowance: &Allowance, peer: Peer) -> Result<(), &'static str> {
        if allowance.of_peer.is_some_and(|most| self.of(peer) >= most) {
            return Err("an address has as many as one may have (limits.connections_per_address)");
        }
        if self.open.len().saturating_sub(self.of_aggregator) >= allowance.most {
            return Err("there are as many as there may be (limits.connections)");
        }
        Ok(())
    }
}

impl Connection {
    pub(super) fn pace(&self) -> Pace {
        self.0.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = self.0.connections.table();
        let Some(open) = table.open.remove(&self.0.id) else { return };
        if open.is_relay {
            table.of_aggregator = table.of_aggregator.saturating_sub(1);
            return;
        }
        match table.of_peer.get(&open.peer).copied() {
            Some(count) if count > 1 => table.of_peer.insert(open.peer, count - 1),
            _ => table.of_peer.remove(&open.peer),
        };
    }
}

impl Pace {
    /// A request is there and is being worked on.
    pub(super) fn works(&self) {
        let allowance = &self.connections.allowance;
        self.allow(allowance.work.saturating_add(allowance.quiet));
    }

    /// So many bytes were handed to the connection, or none of an answer whose parts are still to come.
    pub(super) fn answers(&self, bytes: u64) {
        let allowance = &self.connections.allowance;
        let reading_ms = bytes.saturating_mul(1000) / allowance.least_rate.max(1);
        self.allow(allowance.quiet.saturating_add(Duration::from_millis(reading_ms)));
    }

    fn allow(&self, time: Duration) {
        let until_ms = self.connections.now_ms().saturating_add(millis(time));
        if let Some(open) = self.connections.table().open.get_mut(&self.id)
            && open.until_ms != u64::MAX
        {
            open.until_ms = until_ms;
        }
    }

    /// Watches an answer: of one in parts each part is handed over when the peer has taken the one before.
    pub(super) fn watch(self, body: BoxBody) -> BoxBody {
        match body.size() {
            BodySize::None => {
                self.answers(0);
                body
            }
            BodySize::Sized(bytes) => {
                self.answers(bytes);
                body
            }
            BodySize::Stream => {
                self.answers(0);
                BoxBody::new(InParts { body, pace: self })
            }
        }
    }
}

struct InParts {
    body: BoxBody,
    pace: Pace,
}

impl MessageBody for InParts {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let part = Pin::new(&mut this.body).poll_next(context);
        if let Poll::Ready(Some(Ok(part))) = &part {
            this.pace.answers(part.len() as u64);
        }
        part
    }
}

fn tcp_of(io: &dyn Any) -> Option<&TcpStream> {
    let plain = io.downcast_ref::<TcpStream>();
    plain.or_else(|| io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0))
}

fn second_handle(stream: &TcpStream) -> io::Result<std::net::TcpStream> {
    stream.as_fd().try_clone_to_owned().map(Into::into)
}

fn cut(socket: &std::net::TcpStream) {
    // A connection that is gone already can't be cut.
    let _ = socket.shutdown(Shutdown::Both);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{IpAddr, Ipv4Addr, TcpListener};

    const ALLOWANCE: Allowance = Allowance {
        most: 3,
        of_peer: Some(2),
        of_aggregator: 1,
        quiet: Duration::from_secs(1000),
        work: Duration::from_secs(1000),
        least_rate: 1000,
    };

    fn peer(last: u8) -> Peer {
        Peer::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    /// The peer's end of a connection and the server's.
    fn pair() -> (std::net::TcpStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let theirs =
            std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        (theirs, listener.accept().expect("accepted").0)
    }

    fn connections(allowance: Allowance) -> Arc<Connections> {
        Connections::new(allowance, RelayPlaces::new(1, &[]), Arc::default())
    }

    fn is_cut(mut theirs: &std::net::TcpStream) -> bool {
        theirs.set_nonblocking(true).expect("set");
        matches!(theirs.read(&mut [0]), Ok(0))
    }

    #[test]
    fn an_address_has_so_many_connections_and_gets_places_back() {
        let connections = connections(ALLOWANCE);
        let ends: Vec<_> = (0..4).map(|_| pair()).collect();
        let place = |of: Peer, end: usize| connections.place(of, ends[end].1.try_clone().expect("a handle"));
        let first = place(peer(1), 0).expect("free");
        let _second = place(peer(1), 1).expect("free");
        assert!(place(peer(1), 2).is_none());
        assert!(is_cut(&ends[2].0) && !is_cut(&ends[0].0));
        let _other = place(peer(2), 3).expect("another address");
        drop(first);
        assert!(place(peer(1), 0).is_some());
        assert_eq!(connections.table().open.len(), 2, "what is dropped is gone");
        assert_eq!(connections.metrics.connections_refused(), 1);
    }

    /// Threat: addresses that hold all connections keep the aggregator out.
    #[test]
    fn the_aggregator_has_connections_of_its_own() {
        let connections = connections(Allowance { of_peer: None, ..ALLOWANCE });
        let ends: Vec<_> = (0..7).map(|_| pair()).collect();
        let place = |of: Peer, end: usize| connections.place(of, ends[end].1.try_clone().expect("a handle"));
        let strangers: Vec<_> = (0..3).map(|end| place(peer(2), end).expect("free")).collect();
        assert!(place(peer(1), 3).is_none(), "all are taken, and nobody knows the aggregator yet");
        connections.relay.prove(peer(1), [1; 32]);
        let relay = place(peer(1), 4).expect("a place of its own");
        assert!(place(peer(1), 5).is_none(), "there is one");
        assert!(place(peer(3), 6).is_none(), "it is nobody else's");
        assert_eq!(connections.metrics.connections_refused(), 3);
        drop(relay);
        assert!(place(peer(3), 6).is_none());
        assert!(place(peer(1), 5).is_some());
        drop(strangers);
        assert!(connections.table().open.is_empty());
    }

    #[test]
    fn whoever_stands_still_is_cut_off_and_whoever_goes_on_is_not() {
        let allowance = Allowance { of_peer: None, quiet: Duration::from_millis(40), ..ALLOWANCE };
        let connections = connections(allowance);
        let ends: Vec<_> = (0..3).map(|_| pair()).collect();
        let held: Vec<_> = ends
            .iter()
            .map(|(_, ours)| connections.place(peer(1), ours.try_clone().expect("a handle")).expect("free"))
            .collect();
        held[1].pace().works();
        // Ten seconds' worth at the least rate.
        held[2].pace().answers(10_000);
        std::thread::sleep(Duration::from_millis(60));
        connections.sweep();
        assert_eq!(ends.iter().map(|(theirs, _)| is_cut(theirs)).collect::<Vec<_>>(), [true, false, false]);
        held[2].pace().answers(0);
        std::thread::sleep(Duration::from_millis(60));
        connections.sweep();
        assert_eq!(ends.iter().map(|(theirs, _)| is_cut(theirs)).collect::<Vec<_>>(), [true, false, true]);
    }
}
