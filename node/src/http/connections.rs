//! Connections: each has its place from when it was accepted on, and goes on in its time.
//!
//! The server underneath ends a connection that sends no first request and one that is idle. It has no time-out for a
//! peer that sends one byte of a further request and for one that does not read its answer. So each connection has a
//! time here until which it has to have gone on, and is cut off when it has not.

use super::body::peer_of;
use super::connection_counts::HandshakeEnd;
use super::limit::Peer;
use super::metrics::Metrics;
use super::pace::Pace;
use super::places::{Full, Placed, Places, Room};
use super::relay_places::RelayPlaces;
use actix_web::rt::net::TcpStream;
use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;

/// How often it is said that there are too many connections, in milliseconds.
const WARNING_PAUSE_MS: u64 = 60_000;
/// Shortest and longest pause between two looks at all connections, in milliseconds.
const PAUSES_MS: (u64, u64) = (50, 1_000);

/// What connections are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// How many there may be.
    pub(super) room: Room,
    /// For the TLS handshake, which has a time-out of its own.
    pub(super) handshake: Duration,
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
    places: Places,
    open: BTreeMap<u64, Open>,
    quiet_until_ms: u64,
}

struct Open {
    /// A second handle of the socket: with it a connection is cut off that is in the server's hands.
    socket: std::net::TcpStream,
    until_ms: u64,
}

/// A place among the connections; given back when the connection is gone.
pub(super) struct Connection(Pace);

impl Connections {
    pub(super) fn new(allowance: Allowance, relay: Arc<RelayPlaces>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { allowance, began: Stopwatch::start(), relay, metrics, table: Mutex::default() })
    }

    /// Gives a new connection its place. None when its address has as many as one may have, or all have as many as there
    /// may be and nobody gives way: whoever asks closes it. `in_handshake`: it begins with one.
    pub(super) fn admit(self: &Arc<Self>, stream: &TcpStream, in_handshake: bool) -> Option<Connection> {
        self.place(peer_of(stream.peer_addr().ok()), in_handshake, || second_handle(stream))
    }

    fn place(
        self: &Arc<Self>,
        peer: Peer,
        in_handshake: bool,
        socket: impl FnOnce() -> io::Result<std::net::TcpStream>,
    ) -> Option<Connection> {
        let mut table = self.table();
        let is_aggregator = self.relay.is_aggregator(peer);
        let connection = match table.places.take(&self.allowance.room, peer, is_aggregator, in_handshake) {
            Ok(Placed { id, displaced }) => {
                if let Some(id) = displaced {
                    self.displace(&mut table, peer, id);
                }
                self.open(&mut table, id, in_handshake, socket)
            }
            Err(full) => {
                self.refuse(&mut table, peer, full);
                None
            }
        };
        self.count(&table);
        connection
    }

    /// Cuts off whose place is another's now.
    fn displace(&self, table: &mut Table, newcomer: Peer, id: u64) {
        self.metrics.connections.fail(HandshakeEnd::Displaced);
        if let Some(Open { socket, .. }) = table.open.remove(&id) {
            cut(&socket);
        }
        let why = "all are taken (limits.connections), and who has most handshakes gives way";
        self.warn(table, newcomer, "TLS handshakes are cut off", why);
    }

    fn open(
        self: &Arc<Self>,
        table: &mut Table,
        id: u64,
        in_handshake: bool,
        socket: impl FnOnce() -> io::Result<std::net::TcpStream>,
    ) -> Option<Connection> {
        let mut time = self.allowance.quiet;
        if in_handshake {
            time = time.saturating_add(self.allowance.handshake);
        }
        match socket() {
            Ok(socket) => {
                table.open.insert(id, Open { socket, until_ms: self.in_ms(time) });
                Some(Connection(Pace { connections: Arc::clone(self), id }))
            }
            Err(error) => {
                tracing::debug!(%error, "a connection that can't be watched is closed");
                table.places.free(id);
                self.metrics.connections.refuse();
                None
            }
        }
    }

    fn refuse(&self, table: &mut Table, peer: Peer, full: Full) {
        self.metrics.connections.refuse();
        let why = match full {
            Full::Peer => "an address has as many as one may have (limits.connections_per_address)",
            Full::All => "there are as many as there may be (limits.connections)",
        };
        self.warn(table, peer, "connections are closed as they come", why);
    }

    /// Says that there are too many, once in a while.
    fn warn(&self, table: &mut Table, peer: Peer, what: &str, why: &str) {
        let now_ms = self.now_ms();
        if now_ms < table.quiet_until_ms {
            return;
        }
        table.quiet_until_ms = now_ms.saturating_add(WARNING_PAUSE_MS);
        let (of_peer, all, handshakes) =
            (table.places.of(peer), table.places.all(), table.places.handshakes());
        tracing::warn!(address = %peer, of_peer, all, handshakes, "{what}: {why}");
    }

    fn count(&self, table: &Table) {
        self.metrics.connections.are(table.places.all(), table.places.handshakes());
    }

    /// Gives a connection time, unless it is cut off already.
    pub(super) fn allow(&self, id: u64, time: Duration) {
        let until_ms = self.in_ms(time);
        if let Some(open) = self.table().open.get_mut(&id)
            && open.until_ms != u64::MAX
        {
            open.until_ms = until_ms;
        }
    }

    pub(super) fn allowance(&self) -> &Allowance {
        &self.allowance
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

    fn in_ms(&self, time: Duration) -> u64 {
        self.now_ms().saturating_add(millis(time))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn pace(&self) -> Pace {
        self.0.clone()
    }

    /// Its handshake is over. False when it had to give way meanwhile.
    pub(super) fn shaken(&self) -> bool {
        let connections = &self.0.connections;
        let is_here = {
            let mut table = connections.table();
            let is_here = table.places.shaken(self.0.id);
            connections.count(&table);
            is_here
        };
        connections.allow(self.0.id, connections.allowance.quiet);
        is_here
    }

    /// Its handshake failed: that is counted, unless it had to give way, which was counted then.
    pub(super) fn failed(&self, why: HandshakeEnd) {
        let connections = &self.0.connections;
        if connections.table().open.contains_key(&self.0.id) {
            connections.metrics.connections.fail(why);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let connections = &self.0.connections;
        let mut table = connections.table();
        table.open.remove(&self.0.id);
        table.places.free(self.0.id);
        connections.count(&table);
    }
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
        room: Room { most: 3, of_peer: Some(2), of_aggregator: 1 },
        handshake: Duration::from_secs(1000),
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
        let place = |of: Peer, end: usize| connections.place(of, false, || ends[end].1.try_clone());
        let first = place(peer(1), 0).expect("free");
        let _second = place(peer(1), 1).expect("free");
        assert!(place(peer(1), 2).is_none());
        let _other = place(peer(2), 3).expect("another address");
        drop(first);
        assert!(place(peer(1), 0).is_some());
        let counts = &connections.metrics.connections;
        assert_eq!(
            (counts.open(), counts.handshakes(), counts.refused()),
            (2, 0, 1),
            "what is dropped is gone"
        );
        assert!(connections.place(peer(3), false, || Err(io::Error::other("no file is left"))).is_none());
        assert_eq!((counts.open(), counts.refused()), (2, 2), "what can't be watched has no place");
        assert_eq!(connections.table().open.len(), 2);
    }

    #[test]
    fn the_aggregator_is_known_when_it_comes() {
        let connections = connections(ALLOWANCE);
        let ends: Vec<_> = (0..5).map(|_| pair()).collect();
        let place = |of: Peer, end: usize| connections.place(of, false, || ends[end].1.try_clone());
        let _strangers: Vec<_> = (0..3).map(|end| place(peer(end as u8 + 2), end).expect("free")).collect();
        assert!(place(peer(1), 3).is_none(), "all are taken, and nobody knows it yet");
        connections.relay.prove(peer(1), [1; 32]);
        assert!(place(peer(1), 4).is_some(), "a place of its own");
    }

    #[test]
    fn who_gives_way_is_cut_off_and_counted_once() {
        let connections = connections(ALLOWANCE);
        let ends: Vec<_> = (0..4).map(|_| pair()).collect();
        let place = |of: Peer, end: usize| connections.place(of, true, || ends[end].1.try_clone());
        let held = [(1, 0), (1, 1), (2, 2)].map(|(of, end)| place(peer(of), end).expect("free"));
        let newcomer = place(peer(3), 3).expect("a place");
        assert_eq!([0, 1, 2, 3].map(|end: usize| is_cut(&ends[end].0)), [true, false, false, false]);
        let counts = &connections.metrics.connections;
        assert_eq!((counts.open(), counts.handshakes()), (3, 3));
        assert!(newcomer.shaken() && !held[0].shaken());
        for one in &held {
            one.failed(HandshakeEnd::Broken);
        }
        assert_eq!((counts.failed(HandshakeEnd::Displaced), counts.failed(HandshakeEnd::Broken)), (1, 2));
        drop((held, newcomer));
        assert_eq!((counts.open(), counts.handshakes(), connections.table().open.len()), (0, 0, 0));
    }

    #[test]
    fn whoever_stands_still_is_cut_off_and_whoever_goes_on_is_not() {
        let room = Room { of_peer: None, ..ALLOWANCE.room };
        let allowance = Allowance { room, quiet: Duration::from_millis(40), ..ALLOWANCE };
        let connections = connections(allowance);
        let ends: Vec<_> = (0..3).map(|_| pair()).collect();
        let held: Vec<_> = ends
            .iter()
            .map(|(_, ours)| connections.place(peer(1), false, || ours.try_clone()).expect("free"))
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
