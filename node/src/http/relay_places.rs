//! Places that the aggregator alone has, for bodies and for connections: strangers who fill the shared ones keep none of
//! its batches out.
//!
//! A batch's signature is at hand only when its body is, so the aggregator is known by its address: by those of the
//! configuration, or else by where its last batches came from. A batch is not bound to its receiver: another validator
//! may send on what it got, from addresses of its own. So a batch counts once, and while its round takes bids; a few
//! addresses are remembered at once, so that one that is added takes no other's place. Who is faulty **and** has more
//! addresses than are remembered, or hands every batch on before the aggregator's own copy arrives, can still keep the
//! aggregator's out: configured addresses can't be pushed out.

use super::limit::{Peer, Uploads};
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Addresses that are remembered at once.
const REMEMBERED: usize = 4;
/// Batches that count no second time.
const SEEN: usize = 4_096;

/// SHA-256 of a batch.
pub(super) type BatchDigest = [u8; 32];

/// Who has the aggregator's places.
pub(super) struct RelayPlaces {
    own: Arc<Uploads>,
    configured: Vec<Peer>,
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    /// The latest is the last.
    peers: VecDeque<Peer>,
    seen: BTreeSet<BatchDigest>,
    order: VecDeque<BatchDigest>,
}

impl RelayPlaces {
    /// `most` bodies at once; `configured`: the aggregator's addresses, none to learn them.
    pub(super) fn new(most: usize, configured: &[IpAddr]) -> Arc<Self> {
        let configured = configured.iter().map(|address| Peer::of(*address)).collect();
        Arc::new(Self { own: Uploads::new(most, most), configured, learned: Mutex::default() })
    }

    /// Where this peer's batches take their place.
    pub(super) fn of<'a>(&'a self, peer: Peer, shared: &'a Arc<Uploads>) -> &'a Arc<Uploads> {
        if self.is_aggregator(peer) { &self.own } else { shared }
    }

    /// Whether the aggregator's places are this peer's.
    pub(super) fn is_aggregator(&self, peer: Peer) -> bool {
        if self.configured.is_empty() {
            self.learned().peers.contains(&peer)
        } else {
            self.configured.contains(&peer)
        }
    }

    /// A batch with the aggregator's signature, of a round that takes bids, came from this peer.
    pub(super) fn prove(&self, peer: Peer, batch: BatchDigest) {
        if !self.configured.is_empty() {
            return;
        }
        let mut learned = self.learned();
        if !learned.seen.insert(batch) {
            return;
        }
        learned.order.push_back(batch);
        if learned.order.len() > SEEN
            && let Some(oldest) = learned.order.pop_front()
        {
            learned.seen.remove(&oldest);
        }
        learned.peers.retain(|other| *other != peer);
        learned.peers.push_back(peer);
        if learned.peers.len() > REMEMBERED {
            learned.peers.pop_front();
        }
    }

    fn learned(&self) -> std::sync::MutexGuard<'_, Learned> {
        // Every change of it is whole.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    fn peer(last: u8) -> Peer {
        Peer::of(address(last))
    }

    #[test]
    fn a_batch_that_is_sent_again_gives_no_place_and_takes_none_away() {
        let places = RelayPlaces::new(1, &[]);
        places.prove(peer(1), [1; 32]);
        for stranger in 2..=9 {
            places.prove(peer(stranger), [1; 32]);
        }
        assert!(places.is_aggregator(peer(1)));
        assert!((2..=9).all(|stranger| !places.is_aggregator(peer(stranger))));
        // What another validator got, and this one did not, is as good as the aggregator's; one such place is no loss.
        places.prove(peer(2), [2; 32]);
        assert!(places.is_aggregator(peer(1)) && places.is_aggregator(peer(2)));
        for batch in 3..=6 {
            places.prove(peer(batch), [batch; 32]);
        }
        assert!(!places.is_aggregator(peer(1)), "more than are remembered");
        places.prove(peer(1), [7; 32]);
        assert!(places.is_aggregator(peer(1)), "with its next batch it is back");
    }

    #[test]
    fn configured_addresses_are_the_only_ones_and_stay() {
        let places = RelayPlaces::new(1, &[address(7)]);
        for batch in 1..=9 {
            places.prove(peer(batch), [batch; 32]);
        }
        let known: Vec<u8> = (1..=9).filter(|last| places.is_aggregator(peer(*last))).collect();
        assert_eq!(known, [7]);
        let shared = Uploads::new(1, 1);
        let _stranger = places.of(peer(1), &shared).place(peer(1)).expect("free");
        assert!(places.of(peer(2), &shared).place(peer(2)).is_none());
        assert!(places.of(peer(7), &shared).place(peer(7)).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let places = RelayPlaces::new(1, &[]);
        for number in 0..(SEEN as u64 + 10) {
            let mut batch = [0; 32];
            batch[..8].copy_from_slice(&number.to_le_bytes());
            places.prove(peer(1), batch);
        }
        let learned = places.learned();
        assert_eq!((learned.seen.len(), learned.order.len(), learned.peers.len()), (SEEN, SEEN, 1));
    }
}
