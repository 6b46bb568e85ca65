//! Members that seal bids and ask validators to acknowledge them.

use crate::dice::{Dice, rng};
use crate::market::{ACKNOWLEDGEMENTS, Market, TIMING, VALIDATORS, params};
use crate::misbehaviour::Misbehaviour;
use crate::plan::Plan;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;
use std::ops::Range;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_roles::intake::check_open;

/// Between two attempts of a client, in milliseconds.
const RETRY_MS: u64 = 60;
/// How long validators promise bids a place after a round's opening, in milliseconds.
const LAST_PROMISE_MS: u64 = TIMING.bidding_ms - 2 * TIMING.max_clock_skew_ms;

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
            let usual =
                if is_calm { 0..LAST_PROMISE_MS - VALIDATORS as u64 * RETRY_MS } else { usual_times(plan) };
            let at_ms = open_ms + dice.within(usual);
            let client = Client {
                next_try_ms: if absent { u64::MAX } else { at_ms },
                tries: 0,
                order: whom_to_ask(plan, dice.order(VALIDATORS)),
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
        (clock_ms, is_false): (u64, bool),
    ) -> Option<SealedBid> {
        let client = self.clients.get_mut(&(round_id, member))?;
        if client.acknowledgements.iter().any(|ack| ack.validator == validator) {
            return None;
        }
        // A false validator promises whatever it is asked for. (Validators take bids of rounds that are not open yet from
        // each other, who may be a block ahead.)
        let promises = is_false || check_open(state, round_id, clock_ms).is_ok();
        if !promises || state.round(round_id).is_none() {
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

/// When members begin to bid, from the opening on in milliseconds: late when the false validator hopes for that.
fn usual_times(plan: &Plan) -> Range<u64> {
    match plan.false_validator {
        Some((_, Misbehaviour::Whisperer(_))) => LAST_PROMISE_MS - 400..LAST_PROMISE_MS - RETRY_MS,
        Some((_, Misbehaviour::EpochsEnd | Misbehaviour::Flood(_))) => {
            LAST_PROMISE_MS - 300..LAST_PROMISE_MS - RETRY_MS
        }
        Some((_, Misbehaviour::FastLeader(_))) => LAST_PROMISE_MS - 100..TIMING.bidding_ms - 100,
        _ => 0..TIMING.bidding_ms,
    }
}

/// Who is asked in which order: a validator that keeps bids from others first.
fn whom_to_ask(plan: &Plan, mut order: Vec<usize>) -> Vec<usize> {
    if plan.keeps_bids() {
        let (liar, second) = (plan.liar(), plan.second_asked());
        order.sort_by_key(|index| (Some(*index) != liar, Some(*index) != second));
    }
    order
}
