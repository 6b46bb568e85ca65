//! Members that seal bids and ask validators to acknowledge them.

use crate::dice::{Dice, rng};
use crate::market::{ACKNOWLEDGEMENTS, Market, TIMING, VALIDATORS, params};
use crate::plan::Plan;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::state::round::Slot;

/// Between two attempts of a client, in milliseconds.
const RETRY_MS: u64 = 60;

/// A validator promised to take a bid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledgement {
    pub(crate) validator: usize,
    pub(crate) at_ms: u64,
    pub(crate) digest: Hash,
}

/// What a member does in a round.
pub(crate) struct Client {
    next_try_ms: u64,
    tries: usize,
    /// Whom it asks, in this order, again and again.
    order: Vec<usize>,
    /// One order; a member that is false seals two different ones and gives them out in turn.
    orders_wh: Vec<Vec<u64>>,
    sealed: Vec<SealedBid>,
    pub(crate) acknowledgements: Vec<Acknowledgement>,
}

/// All members in all rounds.
pub(crate) struct Clients {
    rng: ChaCha20Rng,
    clients: BTreeMap<(u64, usize), Client>,
    /// The plain order of every bid that was sealed.
    orders_wh: BTreeMap<Hash, Vec<u64>>,
}

impl Clients {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: rng(seed, 2), clients: BTreeMap::new(), orders_wh: BTreeMap::new() }
    }

    /// The members that bid in the round of this time begin to.
    pub(crate) fn enter(&mut self, plan: &Plan, market: &Market, now_ms: u64) {
        let Some(round_id) = TIMING.round_at(now_ms) else { return };
        if self.clients.contains_key(&(round_id, 0)) {
            return;
        }
        let Some(open_ms) = TIMING.open_ms(round_id) else { return };
        let mut dice = Dice::new(plan.seed, 100 + round_id);
        let is_calm = open_ms >= plan.calm_ms();
        let nobody = !is_calm && dice.chance(20);
        for member in 0..plan.members {
            let absent = nobody || !is_calm && dice.chance(10);
            let mut orders_wh = vec![market.order_wh(round_id, member)];
            if !is_calm && dice.chance(10) {
                let mut other = orders_wh[0].clone();
                other.rotate_right(2);
                orders_wh.push(other);
            }
            let at_ms = open_ms + dice.within(0..TIMING.bidding_ms);
            let client = Client {
                next_try_ms: if absent { u64::MAX } else { at_ms },
                tries: 0,
                order: dice.order(VALIDATORS),
                orders_wh,
                sealed: Vec::new(),
                acknowledgements: Vec::new(),
            };
            self.clients.insert((round_id, member), client);
        }
    }

    /// Whom each waiting client of the round of this time asks now.
    pub(crate) fn attempts(&mut self, now_ms: u64) -> Vec<(u64, usize, usize)> {
        let Some(round_id) = TIMING.round_at(now_ms) else { return Vec::new() };
        let waiting = self.clients.range_mut((round_id, 0)..(round_id + 1, 0)).filter(|(_, client)| {
            client.next_try_ms <= now_ms && client.acknowledgements.len() < ACKNOWLEDGEMENTS
        });
        waiting
            .map(|((round_id, member), client)| {
                let validator = client.order[client.tries % VALIDATORS];
                client.tries += 1;
                client.next_try_ms = now_ms + RETRY_MS;
                (*round_id, *member, validator)
            })
            .collect()
    }

    /// The bid that a client hands to a validator with this state; none while there are no keys or the round is not open
    /// there, and when the validator has one.
    pub(crate) fn bid(
        &mut self,
        market: &Market,
        (round_id, member, validator): (u64, usize, usize),
        state: &State,
    ) -> Option<SealedBid> {
        let client = self.clients.get_mut(&(round_id, member))?;
        if client.acknowledgements.iter().any(|ack| ack.validator == validator) {
            return None;
        }
        // As an intake does: nothing is promised for a round that the ledger has not opened, because one without a block
        // in its bidding time never is. (Validators take such bids from each other, who may be a block ahead.)
        if !matches!(state.expected(round_id), Ok(Expected::Bids { .. })) {
            return None;
        }
        let community = state.community();
        let bid_params = community.bid_params()?;
        let at = client.acknowledgements.len() % client.orders_wh.len();
        if client.sealed.len() <= at {
            let seconds = params().slot_seconds;
            let slot = Slot { start_unix_s: TIMING.slot_start_unix_s(round_id, seconds)?, seconds };
            let context = community.round_context(round_id, slot);
            let order_wh = &client.orders_wh[at];
            let bid = seal_bid(bid_params, &context, &market.members[member], order_wh, &mut self.rng)
                .expect("orders fit the grid");
            self.orders_wh.insert(bid.digest(), order_wh.clone());
            client.sealed.push(bid);
        }
        client.sealed.get(at).cloned()
    }

    pub(crate) fn acknowledged(&mut self, round_id: u64, member: usize, given: Acknowledgement) {
        if let Some(client) = self.clients.get_mut(&(round_id, member)) {
            client.acknowledgements.push(given);
        }
    }

    /// Round, member, client.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, usize, &Client)> {
        self.clients.iter().map(|((round_id, member), client)| (*round_id, *member, client))
    }

    /// One Wh more in every plain order, at a step that counts for the first sum.
    pub(crate) fn falsify_orders(&mut self) {
        for order_wh in self.orders_wh.values_mut() {
            order_wh.last_mut().into_iter().for_each(|quantity_wh| *quantity_wh += 1);
        }
    }

    pub(crate) fn order_wh(&self, digest: &Hash) -> Option<&[u64]> {
        self.orders_wh.get(digest).map(Vec::as_slice)
    }
}
