//! Who has a place among the connections of a server: how many an address may have, which are the aggregator's own, and who
//! gives way when all are taken. Values only; sockets and times are those of [`super::connections`].

use super::limit::Peer;
use std::collections::BTreeMap;

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Connections at once, those of the aggregator's own places aside.
    pub(super) most: usize,
    /// Connections of one address at once; none: as many as the server has.
    pub(super) of_peer: Option<usize>,
    /// Places that the aggregator alone has, beside these.
    pub(super) of_aggregator: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has its share.
    Peer,
    /// All places are taken, and nobody gives way.
    All,
}

/// A place that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) id: u64,
    /// Whose place it was until now.
    pub(super) displaced: Option<u64>,
}

/// All places that are taken.
#[derive(Default)]
pub(super) struct Places {
    next: u64,
    /// By their numbers, so the oldest comes first.
    held: BTreeMap<u64, Held>,
    /// Of the places of all.
    of_peer: BTreeMap<Peer, Count>,
    /// Those in the aggregator's own places.
    of_aggregator: usize,
    handshakes: usize,
}

struct Held {
    peer: Peer,
    /// Whether it has one of the aggregator's own places.
    is_relay: bool,
    in_handshake: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    all: usize,
    in_handshake: usize,
}

impl Places {
    /// A place for one more connection of this peer, which begins with a handshake or not.
    pub(super) fn take(
        &mut self,
        room: &Room,
        peer: Peer,
        is_aggregator: bool,
        in_handshake: bool,
    ) -> Result<Placed, Full> {
        let is_relay = is_aggregator && self.of_aggregator < room.of_aggregator;
        let displaced = if is_relay { None } else { self.make_room(room, peer)? };
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.held.insert(id, Held { peer, is_relay, in_handshake });
        if is_relay {
            self.of_aggregator = self.of_aggregator.saturating_add(1);
        } else {
            let count = self.of_peer.entry(peer).or_default();
            count.all = count.all.saturating_add(1);
            count.in_handshake = count.in_handshake.saturating_add(usize::from(in_handshake));
        }
        self.handshakes = self.handshakes.saturating_add(usize::from(in_handshake));
        Ok(Placed { id, displaced })
    }

    /// Sees to it that there is a place for one more of this peer, in the places of all.
    fn make_room(&mut self, room: &Room, peer: Peer) -> Result<Option<u64>, Full> {
        if room.of_peer.is_some_and(|most| self.of(peer) >= most) {
            return Err(Full::Peer);
        }
        if self.all().saturating_sub(self.of_aggregator) < room.most {
            return Ok(None);
        }
        let id = self.gives_way(peer).ok_or(Full::All)?;
        self.free(id);
        Ok(Some(id))
    }

    /// The oldest handshake of the address that has most of them, if it has more than this peer even so.
    fn gives_way(&self, newcomer: Peer) -> Option<u64> {
        let own = self.of_peer.get(&newcomer).map_or(0, |count| count.in_handshake);
        let (most, _) = self
            .of_peer
            .iter()
            .filter(|(_, count)| count.in_handshake >= own.saturating_add(2))
            .max_by_key(|(_, count)| count.in_handshake)?;
        let of_most = |held: &Held| held.peer == *most && held.in_handshake && !held.is_relay;
        self.held.iter().find(|(_, held)| of_most(held)).map(|(id, _)| *id)
    }

    /// The handshake is over. False when the connection has no place any more.
    pub(super) fn shaken(&mut self, id: u64) -> bool {
        let Some(held) = self.held.get_mut(&id) else { return false };
        if std::mem::take(&mut held.in_handshake) {
            self.handshakes = self.handshakes.saturating_sub(1);
            if let Some(count) = self.of_peer.get_mut(&held.peer).filter(|_| !held.is_relay) {
                count.in_handshake = count.in_handshake.saturating_sub(1);
            }
        }
        true
    }

    /// The connection is gone. False when it had no place any more.
    pub(super) fn free(&mut self, id: u64) -> bool {
        let Some(held) = self.held.remove(&id) else { return false };
        self.handshakes = self.handshakes.saturating_sub(usize::from(held.in_handshake));
        if held.is_relay {
            self.of_aggregator = self.of_aggregator.saturating_sub(1);
        } else if let Some(count) = self.of_peer.get_mut(&held.peer) {
            count.all = count.all.saturating_sub(1);
            count.in_handshake = count.in_handshake.saturating_sub(usize::from(held.in_handshake));
            if count.all == 0 {
                self.of_peer.remove(&held.peer);
            }
        }
        true
    }

    /// How many this peer has, of the places of all.
    pub(super) fn of(&self, peer: Peer) -> usize {
        self.of_peer.get(&peer).map_or(0, |count| count.all)
    }

    /// How many there are, the aggregator's own among them.
    pub(super) fn all(&self) -> usize {
        self.held.len()
    }

    /// How many of them are in their handshake.
    pub(super) fn handshakes(&self) -> usize {
        self.handshakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const ROOM: Room = Room { most: 6, of_peer: Some(4), of_aggregator: 1 };

    fn peer(last: u8) -> Peer {
        Peer::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn shake(places: &mut Places, last: u8) -> Result<Placed, Full> {
        places.take(&ROOM, peer(last), false, true)
    }

    fn no_one_is_left(places: &Places) -> bool {
        places.held.is_empty()
            && places.of_peer.is_empty()
            && (places.of_aggregator, places.handshakes) == (0, 0)
    }

    /// Threat: addresses that hold all connections keep the aggregator out.
    #[test]
    fn the_aggregator_has_connections_of_its_own() {
        let mut places = Places::default();
        for in_handshake in [false, true] {
            let held: Vec<_> = (0..6)
                .map(|number| places.take(&ROOM, peer(2 + number % 2), false, false).expect("free").id)
                .collect();
            assert_eq!(
                places.take(&ROOM, peer(1), false, in_handshake),
                Err(Full::All),
                "nobody knows it yet"
            );
            let relay = places.take(&ROOM, peer(1), true, in_handshake).expect("a place of its own");
            assert_eq!(relay.displaced, None);
            assert_eq!(places.take(&ROOM, peer(1), true, in_handshake), Err(Full::All), "there is one");
            assert_eq!(
                places.take(&ROOM, peer(3), false, in_handshake),
                Err(Full::All),
                "it is nobody else's"
            );
            assert!(places.free(relay.id));
            assert_eq!(places.take(&ROOM, peer(4), false, in_handshake), Err(Full::All));
            let relay = places.take(&ROOM, peer(1), true, in_handshake).expect("free again");
            assert!(held.into_iter().chain([relay.id]).all(|id| places.free(id)));
            assert!(no_one_is_left(&places));
        }
    }

    #[test]
    fn the_aggregators_own_connections_are_taken_from_nobody() {
        let (mut places, room) = (Places::default(), Room { of_aggregator: 2, ..ROOM });
        for _ in 0..room.of_aggregator {
            places.take(&room, peer(1), true, false).expect("its own");
        }
        for number in 0..room.most {
            let address = peer(if number % 2 == 0 { 2 } else { 3 });
            places.take(&room, address, false, false).expect("the places of all are free");
        }
        assert_eq!(places.take(&room, peer(4), false, false), Err(Full::All));
    }

    /// Threat: connections that never end their handshake take all places.
    #[test]
    fn the_address_with_most_handshakes_gives_way_with_its_oldest() {
        let mut places = Places::default();
        let many: Vec<_> = (0..4).map(|_| shake(&mut places, 1).expect("free").id).collect();
        let few: Vec<_> = (0..2).map(|_| shake(&mut places, 2).expect("free").id).collect();
        assert_eq!(shake(&mut places, 1), Err(Full::Peer), "it has its share, and takes nobody's place");
        let first = shake(&mut places, 3).expect("a place");
        assert_eq!(first.displaced, Some(many[0]));
        assert!(!places.shaken(many[0]) && !places.free(many[0]), "it is gone already");
        assert_eq!((places.all(), places.handshakes(), places.of(peer(1))), (6, 6, 3));
        // Of its own address there is one by now: it gets the next place of who has three, and none of who has two.
        assert_eq!(shake(&mut places, 3).expect("a place").displaced, Some(many[1]));
        assert_eq!(shake(&mut places, 3), Err(Full::All), "everybody has as many");
        assert!(shake(&mut places, 4).expect("a place").displaced.is_some());
        assert!(few.iter().any(|id| places.held.contains_key(id)));
        let left: Vec<_> = places.held.keys().copied().collect();
        assert!(left.into_iter().all(|id| places.free(id)) && no_one_is_left(&places));
    }

    #[test]
    fn who_has_shaken_hands_and_the_aggregator_give_nobody_their_place() {
        let mut places = Places::default();
        let relay = places.take(&ROOM, peer(1), true, true).expect("a place of its own");
        let held: Vec<_> =
            (0..6).map(|number| shake(&mut places, 1 + number / 3).expect("free").id).collect();
        assert!(held.iter().all(|id| places.shaken(*id) && places.shaken(*id)), "twice is once");
        assert_eq!((places.all(), places.handshakes()), (7, 1));
        assert_eq!(shake(&mut places, 3), Err(Full::All));
        assert!(held.into_iter().chain([relay.id]).all(|id| places.free(id)) && no_one_is_left(&places));
    }

    /// A listener that shakes no hands has nobody who gives way.
    #[test]
    fn an_address_has_its_share_and_gets_places_back() {
        let mut places = Places::default();
        let mut take = |last| places.take(&ROOM, peer(last), false, false);
        let held: Vec<_> = (0..4).map(|_| take(1).expect("free").id).collect();
        assert_eq!(take(1), Err(Full::Peer));
        let others: Vec<_> = (2..4).map(|last| take(last).expect("free").id).collect();
        assert_eq!(take(4), Err(Full::All));
        assert!(places.free(held[3]) && places.take(&ROOM, peer(1), false, false).is_ok());
        assert_eq!((places.of(peer(1)), places.of(peer(2)), places.of(peer(4)), others.len()), (4, 1, 0, 2));
    }
}
