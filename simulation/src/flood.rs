//! A validator that floods the others with gossip, at the rate that the network allows.

use crate::dice::rng;
use crate::forger::with_false_proof;
use crate::market::{Market, TIMING, params};
use crate::misbehaviour::Flood;
use crate::wire;
use rand_chacha::ChaCha20Rng;
use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::replica::MAX_GOSSIP_BYTES;

/// It begins so long before promises end, in milliseconds: what it sends first is looked at when the last ones are given.
const LEAD_MS: u64 = 420;
/// Messages each time that the engine asks, which are as many as it sends until it asks again.
const MESSAGES: usize = 2;
/// The first false bids are followed by this many of the longest messages: what the queue of a peer has room for.
const LONG_MESSAGES: usize = 32;
/// If others' messages had taken some of it, what is left is filled by messages that are half as long each time, down to so
/// many bytes: no bid has room in the rest.
const SHORT_BYTES: usize = 512;
/// The most different bids that an account may have in a message.
const BIDS_AN_ACCOUNT: u64 = 2;
/// What is no message.
const GARBAGE: [u8; 2] = [1, 9];

/// What floods.
pub(crate) struct Flooder {
    how: Flood,
    market: Arc<Market>,
    rng: ChaCha20Rng,
    /// It has begun.
    begun: bool,
    /// What it sends first.
    burst: VecDeque<Vec<u8>>,
    /// False bids, and their round.
    falsehood: Option<(u64, Vec<u8>)>,
    /// Messages of true bids that members handed to it.
    kept: Vec<Vec<u8>>,
    /// The kept message that is sent next.
    next: usize,
    /// A round has been closed.
    opens: bool,
}

impl Flooder {
    pub(crate) fn new(how: Flood, market: Arc<Market>, seed: u64) -> Self {
        let (burst, kept) = (VecDeque::new(), Vec::new());
        let rng = rng(seed, 7);
        Self { how, market, rng, begun: false, burst, falsehood: None, kept, next: 0, opens: false }
    }

    /// It has seen a block that may become final.
    pub(crate) fn sees(&mut self, block: &Block) {
        let closes = |transaction: &Transaction| matches!(transaction, Transaction::CloseRound { .. });
        self.opens |= block.transactions.iter().any(closes);
    }

    /// Bids that were handed to it, as an honest validator would send them.
    pub(crate) fn keeps(&mut self, bids: &[u8]) {
        self.kept.push(bids.to_vec());
    }

    /// What it sends now.
    pub(crate) fn says(&mut self, state: &State, now_ms: u64) -> Vec<Vec<u8>> {
        if !self.begun && self.is_due(state, now_ms) {
            self.begin(state);
        }
        if !self.begun {
            return Vec::new();
        }
        let burst: Vec<_> = self.burst.drain(..MESSAGES.min(self.burst.len())).collect();
        if !burst.is_empty() {
            return burst;
        }
        match self.how {
            Flood::Garbage => vec![GARBAGE.to_vec(); MESSAGES],
            Flood::Repetitions => (0..MESSAGES).filter_map(|_| self.repetition()).collect(),
            _ => self.falsehood(state).into_iter().chain([GARBAGE.to_vec()]).collect(),
        }
    }

    fn is_due(&self, state: &State, now_ms: u64) -> bool {
        match self.how {
            Flood::Garbage => true,
            Flood::Signatures | Flood::ProofsAtPromises => TIMING.round_at(now_ms).is_some_and(|round_id| {
                let ends_ms = TIMING.last_promise_ms(round_id);
                state.round(round_id).is_some() && ends_ms.is_some_and(|ends_ms| now_ms + LEAD_MS >= ends_ms)
            }),
            Flood::ProofsAtOpenings => self.opens,
            Flood::Repetitions => !self.kept.is_empty(),
        }
    }

    fn begin(&mut self, state: &State) {
        if matches!(self.how, Flood::Signatures | Flood::ProofsAtPromises | Flood::ProofsAtOpenings) {
            let Some(falsehood) = self.falsehood(state) else { return };
            self.burst.push_back(falsehood);
            let long = iter::repeat_n(MAX_GOSSIP_BYTES, LONG_MESSAGES);
            let halves = iter::successors(Some(MAX_GOSSIP_BYTES / 2), |bytes| Some(bytes / 2));
            let shorter = halves.take_while(|bytes| *bytes >= SHORT_BYTES);
            self.burst.extend(long.chain(shorter).map(|bytes| vec![GARBAGE[0]; bytes]));
        }
        self.begun = true;
    }

    fn repetition(&mut self) -> Option<Vec<u8>> {
        self.next = (self.next + 1) % self.kept.len().max(1);
        self.kept.get(self.next).cloned()
    }

    /// False bids of the round that comes next: as many as a message may hold of all members, who are false as well.
    fn falsehood(&mut self, state: &State) -> Option<Vec<u8>> {
        let round_id = state.last_round_id().unwrap_or(0) + 1;
        if self.falsehood.as_ref().is_none_or(|(known, _)| *known != round_id) {
            let bids = self.false_bids(state, round_id)?;
            self.falsehood = Some((round_id, wire::encode_bids(round_id, &bids)));
        }
        self.falsehood.as_ref().map(|(_, message)| message.clone())
    }

    fn false_bids(&mut self, state: &State, round_id: u64) -> Option<Vec<SealedBid>> {
        let community = state.community();
        let bid_params = community.bid_params()?;
        let seconds = params().slot_seconds;
        let slot = Slot { start_unix_s: TIMING.slot_start_unix_s(round_id, seconds)?, seconds };
        let context = community.round_context(round_id, slot);
        let market = self.market.clone();
        let all =
            market.members.iter().flat_map(|keyring| (1..=BIDS_AN_ACCOUNT).map(move |wh| (keyring, wh)));
        let bids = all.map(|(keyring, wh)| {
            let order_wh = vec![wh; bid_params.steps()];
            let bid =
                seal_bid(bid_params, &context, keyring, &order_wh, &mut self.rng).expect("it fits the grid");
            if self.how == Flood::Signatures {
                let mut bid = bid;
                bid.signature[0] ^= 1;
                bid
            } else {
                with_false_proof(bid, bid_params, &context, keyring, &mut self.rng)
            }
        });
        Some(bids.collect())
    }
}
