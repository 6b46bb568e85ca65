//! Gossip that waits for the application: two lanes, each with one bounded queue per peer; peers take turns.
//!
//! A peer that sends faster than its messages are handled fills its own queue and nobody else's, and what is urgent
//! never waits behind what is heavy.

use futures::task::AtomicWaker;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Most messages of one peer that wait in a lane.
const MAX_MESSAGES: usize = 1_024;
/// Most bytes of them that are urgent ...
const MAX_URGENT_BYTES: usize = 4 << 20;
/// ... and of the others. What finds no room is sent again by honest peers.
const MAX_HEAVY_BYTES: usize = 16 << 20;

type Key = [u8; 32];

/// Where a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Urgent,
    Heavy,
}

#[derive(Default)]
struct PeerQueue {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    /// Only of peers that have something waiting.
    peers: BTreeMap<Key, PeerQueue>,
    /// Whose turn it was last.
    last: Key,
    /// Undoes a rule: the bounds are of all peers together.
    #[cfg(feature = "simulation")]
    shares_bounds: bool,
}

impl Queue {
    fn push(&mut self, from: Key, message: Vec<u8>, bound: usize) -> bool {
        let (messages, bytes) = self.load(&from);
        if bytes.saturating_add(message.len()) > bound || messages >= MAX_MESSAGES {
            return false;
        }
        let peer = self.peers.entry(from).or_default();
        peer.bytes = peer.bytes.saturating_add(message.len());
        peer.messages.push_back(message);
        true
    }

    /// The messages that count against the bounds when this peer sends another one, and their bytes.
    fn load(&self, from: &Key) -> (usize, usize) {
        let of = |peer: &PeerQueue| (peer.messages.len(), peer.bytes);
        #[cfg(feature = "simulation")]
        if self.shares_bounds {
            let all = self.peers.values().map(of);
            return all.fold((0, 0), |sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)));
        }
        self.peers.get(from).map_or((0, 0), of)
    }

    fn pop(&mut self) -> Option<(Key, Vec<u8>)> {
        let after = (Bound::Excluded(self.last), Bound::Unbounded);
        let next = self.peers.range(after).next().or_else(|| self.peers.iter().next());
        let from = *next?.0;
        self.last = from;
        let peer = self.peers.get_mut(&from)?;
        let message = peer.messages.pop_front();
        peer.bytes = peer.bytes.saturating_sub(message.as_ref().map_or(0, Vec::len));
        if peer.messages.is_empty() {
            self.peers.remove(&from);
        }
        Some((from, message?))
    }
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    /// Of the one task that takes from the lane.
    waker: AtomicWaker,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both lanes. Clones are the same inbox.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    urgent: Arc<Waiting>,
    heavy: Arc<Waiting>,
    closed: Arc<AtomicBool>,
}

impl Inbox {
    /// Undoes a rule, for tests that see what it is for: its bounds are of all peers together.
    #[cfg(feature = "simulation")]
    pub(crate) fn with_shared_bounds() -> Self {
        let inbox = Self::default();
        [&inbox.urgent, &inbox.heavy].into_iter().for_each(|lane| lane.lock().shares_bounds = true);
        inbox
    }

    fn lane(&self, lane: Lane) -> (&Waiting, usize) {
        match lane {
            Lane::Urgent => (&self.urgent, MAX_URGENT_BYTES),
            Lane::Heavy => (&self.heavy, MAX_HEAVY_BYTES),
        }
    }

    /// Lets a message wait; false when its peer's queue is full.
    pub(crate) fn push(&self, lane: Lane, from: Key, message: Vec<u8>) -> bool {
        let (waiting, bound) = self.lane(lane);
        let taken = waiting.lock().push(from, message, bound);
        waiting.waker.wake();
        taken
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.urgent.waker.wake();
        self.heavy.waker.wake();
    }

    /// The next message of a lane, as soon as there is one; none when the inbox is closed. Each lane has one task that
    /// asks.
    pub(crate) async fn next(&self, lane: Lane) -> Option<(Key, Vec<u8>)> {
        let (waiting, _) = self.lane(lane);
        poll_fn(|context| {
            waiting.waker.register(context.waker());
            match waiting.lock().pop() {
                Some(next) => Poll::Ready(Some(next)),
                None if self.closed.load(Ordering::SeqCst) => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn next(inbox: &Inbox, lane: Lane) -> Option<(Key, Vec<u8>)> {
        inbox.next(lane).now_or_never().flatten()
    }

    #[test]
    fn a_flood_fills_its_own_queue_and_what_is_urgent_passes_it() {
        let inbox = Inbox::default();
        let [flooder, honest] = [[1; 32], [2; 32]];
        let flood = vec![0; crate::application::MAX_GOSSIP_BYTES];
        let taken = (0..1_000).filter(|_| inbox.push(Lane::Heavy, flooder, flood.clone())).count();
        assert_eq!(taken, MAX_HEAVY_BYTES / flood.len());
        assert!(inbox.push(Lane::Heavy, honest, vec![7]) && inbox.push(Lane::Urgent, flooder, vec![8]));
        assert_eq!(next(&inbox, Lane::Urgent), Some((flooder, vec![8])));
        // Peers in turn: the honest one waits for one message of the flood.
        let order = [next(&inbox, Lane::Heavy), next(&inbox, Lane::Heavy)].map(|one| one.expect("waits").0);
        assert_eq!(order, [flooder, honest]);
        let rest = std::iter::from_fn(|| next(&inbox, Lane::Heavy)).count();
        assert_eq!(rest, taken - 1);
        assert!(inbox.push(Lane::Heavy, flooder, flood), "there is room again");
        let small = (0..2_000).filter(|_| inbox.push(Lane::Urgent, honest, vec![1])).count();
        assert_eq!(small, MAX_MESSAGES);
        assert!(inbox.heavy.lock().peers.len() == 1, "who has nothing waiting is forgotten");
    }
}
