//! How much one address may ask for: a token bucket a peer, in a table of bounded size.
//!
//! The address is the connection's; headers that name another one are anybody's to write. An IPv6 host has a whole /64
//! to itself, so the bucket is the network's.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;

/// Addresses that are told apart at once. More share one bucket, so that a flood from many addresses costs no memory.
const MAX_PEERS: usize = 16_384;
/// How often a full table is searched for peers that have been quiet.
const SWEEP_MS: u64 = 1_000;
/// A token in the bucket's unit. Tokens a minute are units a millisecond, so that no rate is rounded.
const TOKEN: u64 = 60_000;

/// Whom a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer(u128);

impl Peer {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Self(v4.to_ipv6_mapped().to_bits()),
                None => Self(Ipv6Addr::to_bits(v6) >> 64 << 64),
            },
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.0);
        match address.to_ipv4_mapped() {
            Some(v4) => v4.fmt(f),
            None => write!(f, "{address}/64"),
        }
    }
}

/// Requests of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute in the long run.
    pub per_minute: u32,
    /// Requests at once.
    pub burst: u32,
}

struct Bucket {
    /// In parts of a request, [`TOKEN`] each.
    tokens: u64,
    at_ms: u64,
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        let gained = passed.saturating_mul(u64::from(rate.per_minute));
        self.tokens = self.tokens.saturating_add(gained).min(u64::from(rate.burst) * TOKEN);
        self.at_ms = now_ms;
    }
}

#[derive(Default)]
struct Table {
    peers: BTreeMap<Peer, Bucket>,
    others: Option<Bucket>,
    swept_ms: u64,
}

/// Buckets of all peers.
pub(super) struct Limiter {
    rate: Rate,
    began: Stopwatch,
    table: Mutex<Table>,
    max_peers: usize,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, began: Stopwatch::start(), table: Mutex::default(), max_peers: MAX_PEERS }
    }

    /// Takes a token, or says how long to wait for one.
    pub(super) fn take(&self, peer: Peer) -> Result<(), Duration> {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.take_at(peer, now_ms)
    }

    fn take_at(&self, peer: Peer, now_ms: u64) -> Result<(), Duration> {
        let rate = self.rate;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { peers, others, swept_ms } = &mut *table;
        if peers.len() >= self.max_peers
            && !peers.contains_key(&peer)
            && now_ms.saturating_sub(*swept_ms) >= SWEEP_MS
        {
            *swept_ms = now_ms;
            // A full bucket says the same as none.
            peers.retain(|_, bucket| {
                bucket.refill(rate, now_ms);
                bucket.tokens < u64::from(rate.burst) * TOKEN
            });
        }
        let full = || Bucket { tokens: u64::from(rate.burst) * TOKEN, at_ms: now_ms };
        let bucket = if peers.len() < self.max_peers || peers.contains_key(&peer) {
            peers.entry(peer).or_insert_with(full)
        } else {
            others.get_or_insert_with(full)
        };
        bucket.refill(rate, now_ms);
        match bucket.tokens.checked_sub(TOKEN) {
            Some(left) => {
                bucket.tokens = left;
                Ok(())
            }
            None => {
                let missing = TOKEN - bucket.tokens;
                Err(Duration::from_millis(missing.div_ceil(u64::from(rate.per_minute.max(1)))))
            }
        }
    }
}

/// Bodies that are read at once, in all and from one peer: what bounds the memory of a server, and what keeps a peer
/// that sends slowly from taking up the places of others.
pub(super) struct Uploads {
    most: usize,
    most_of_peer: usize,
    held: Mutex<BTreeMap<Peer, usize>>,
}

/// A place; given back when it is dropped.
pub(super) struct Place {
    uploads: Arc<Uploads>,
    peer: Peer,
}

impl Uploads {
    pub(super) fn new(most: usize, most_of_peer: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_peer, held: Mutex::default() })
    }

    /// A place for this peer, if there is one.
    pub(super) fn place(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let of_peer = held.get(&peer).copied().unwrap_or(0);
        if all >= self.most || of_peer >= self.most_of_peer {
            return None;
        }
        held.insert(peer, of_peer + 1);
        Some(Place { uploads: Arc::clone(self), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.uploads.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(&self.peer).copied() {
            Some(count) if count > 1 => held.insert(self.peer, count - 1),
            _ => held.remove(&self.peer),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const RATE: Rate = Rate { per_minute: 120, burst: 3 };

    fn peer(last: u8) -> Peer {
        Peer::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[test]
    fn a_burst_and_then_the_rate_each_peer_by_itself() {
        let limiter = Limiter::new(RATE);
        for _ in 0..3 {
            assert_eq!(limiter.take_at(peer(1), 0), Ok(()));
        }
        assert_eq!(limiter.take_at(peer(1), 0), Err(Duration::from_millis(500)));
        assert_eq!(limiter.take_at(peer(2), 0), Ok(()));
        assert_eq!(limiter.take_at(peer(1), 499), Err(Duration::from_millis(1)));
        assert_eq!(limiter.take_at(peer(1), 500), Ok(()));
        assert!(limiter.take_at(peer(1), 500).is_err());
        // Never more than the burst, however long the pause.
        let taken = (0..9).filter(|_| limiter.take_at(peer(1), 1 << 40).is_ok()).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn a_slow_rate_is_exact() {
        for (per_minute, pause_ms) in [(1, 60_000), (7, 8_572), (59, 1_017), (6_000, 10)] {
            let limiter = Limiter::new(Rate { per_minute, burst: 1 });
            assert_eq!(limiter.take_at(peer(1), 0), Ok(()));
            assert_eq!(limiter.take_at(peer(1), 0), Err(Duration::from_millis(pause_ms)), "{per_minute}");
            assert!(limiter.take_at(peer(1), pause_ms - 1).is_err(), "{per_minute}");
            assert_eq!(limiter.take_at(peer(1), pause_ms), Ok(()), "{per_minute}");
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_quiet_peers() {
        let limiter = Limiter { max_peers: 2, ..Limiter::new(RATE) };
        for last in 1..=9 {
            let _ = limiter.take_at(peer(last), 0);
        }
        assert_eq!(limiter.table.lock().expect("table").peers.len(), 2);
        // Peers 3 to 9 share a bucket, which is empty now; the first two have their own.
        assert!(limiter.take_at(peer(10), 0).is_err());
        assert_eq!(limiter.take_at(peer(1), 0), Ok(()));
        assert_eq!(limiter.take_at(peer(10), 5_000), Ok(()), "the quiet ones are forgotten");
        assert!(limiter.table.lock().expect("table").peers.contains_key(&peer(10)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_mapped_addresses_are_ipv4() {
        let of = |text: &str| Peer::of(text.parse().expect("address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), peer(1));
        assert_ne!(peer(1), peer(2));
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let uploads = Uploads::new(3, 2);
        let first = uploads.place(peer(1)).expect("free");
        let _second = uploads.place(peer(1)).expect("free");
        assert!(uploads.place(peer(1)).is_none(), "its own bound");
        let _third = uploads.place(peer(2)).expect("free");
        assert!(uploads.place(peer(3)).is_none(), "the bound of all");
        drop(first);
        assert!(uploads.place(peer(3)).is_some());
        assert!(uploads.place(peer(1)).is_some());
    }
}
