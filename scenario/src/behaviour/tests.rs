//! Properties of all models on the published day.

mod market;
mod station;

use super::*;
use crate::community::{CommunityDay, import_community, select_community};
use veilgrid_market::Grid;

const SEEDS: u64 = 12;

fn community() -> CommunityDay {
    let file =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/community_day/community_day.csv"));
    import_community(file.as_slice()).unwrap()
}

fn terms(bits: u32) -> MarketTerms {
    MarketTerms::new(&Grid::new(6_000, 500, 64).unwrap(), bits, Tariffs::new(31_200, 8_200).unwrap()).unwrap()
}

/// What a run does with a plan: a price rule that says how much of an order is filled, in 1/65536.
type Fill = fn(slot: usize, order: &Order) -> u64;

/// Nobody trades.
fn void(_: usize, _: &Order) -> u64 {
    0
}

/// A price that wanders over the day; what lies exactly at it is filled in part.
fn wandering(slot: usize, order: &Order) -> u64 {
    let price = 8_000 + 500 * ((slot as i64 * 17) % 46);
    match (order.side, order.limit_mct_per_kwh.cmp(&price)) {
        (_, std::cmp::Ordering::Equal) => 23_457,
        (Side::Buy, std::cmp::Ordering::Greater) | (Side::Sell, std::cmp::Ordering::Less) => WH_Q16,
        _ => 0,
    }
}

fn wh(energy_wh: u64) -> u128 {
    u128::from(energy_wh) << 16
}

struct Run {
    plans: Vec<(usize, usize, Plan)>,
    accounts: Vec<EnergyAccount>,
}

fn run(community: &CommunityDay, terms: &MarketTerms, slots: &[usize], seed: u64, fill: Fill) -> Run {
    let day = Day { slot_seconds: 900, market_slots: slots.to_vec() };
    let (mut plans, mut accounts) = (Vec::new(), Vec::new());
    for (member, participant) in community.participants.iter().enumerate() {
        let mut bidder = bidder_for(participant, terms, &day, seed).unwrap();
        assert_eq!(bidder.role(), participant.role);
        for &slot in slots {
            let plan = bidder.plan(slot, participant.energy[slot]).unwrap();
            assert!(
                bidder.account().is_balanced(),
                "{} planned {slot}: {:?}",
                participant.id,
                bidder.account()
            );
            let filled = |side| -> u128 {
                let orders = plan.orders.iter().filter(|order| order.side == side);
                orders.map(|order| u128::from(order.energy_wh * fill(slot, order))).sum()
            };
            bidder.settle(slot, filled(Side::Buy), filled(Side::Sell)).unwrap();
            assert!(
                bidder.account().is_balanced(),
                "{} settled {slot}: {:?}",
                participant.id,
                bidder.account()
            );
            plans.push((member, slot, plan));
        }
        accounts.push(bidder.account());
    }
    Run { plans, accounts }
}

fn every_slot() -> Vec<usize> {
    (0..96).collect()
}

#[test]
fn orders_are_on_the_grid_within_the_bits_and_rational() {
    let community = community();
    for bits in [8, 16, 32] {
        let (terms, grid_low) = (terms(bits), 6_000);
        for (_, slot, plan) in run(&community, &terms, &every_slot(), u64::from(bits), wandering).plans {
            for order in &plan.orders {
                let limit = order.limit_mct_per_kwh;
                assert!(
                    (8_200..=31_200).contains(&limit) && (limit - grid_low) % 500 == 0,
                    "{slot} {order:?}"
                );
                assert!((1..=terms.max_step_wh()).contains(&order.energy_wh), "{slot} {order:?}");
            }
            let limits = |side| {
                plan.orders
                    .iter()
                    .filter(move |order| order.side == side)
                    .map(|order| order.limit_mct_per_kwh)
            };
            let steps: Vec<i64> = limits(Side::Buy).collect();
            assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "two orders at one step");
            if let (Some(buy), Some(sell)) = (limits(Side::Buy).max(), limits(Side::Sell).min()) {
                assert!(buy < sell, "{slot}: a member trades with itself: {plan:?}");
            }
        }
    }
}

#[test]
fn small_steps_leave_the_rest_to_the_grid() {
    let community = community();
    let outside = |bits| {
        let plans = run(&community, &terms(bits), &[40, 52, 60], 1, void).plans;
        let buy: u64 = plans.iter().map(|(_, _, plan)| plan.outside_buy_wh).sum();
        let sell: u64 = plans.iter().map(|(_, _, plan)| plan.outside_sell_wh).sum();
        (buy, sell)
    };
    let (buy, sell) = outside(8);
    assert!(buy > 0 && sell > 0, "{buy} {sell}");
    assert_eq!(outside(16), (0, 0));
}

#[test]
fn energy_is_conserved_and_everything_is_served_in_the_end() {
    let community = community();
    let cases: [(Fill, bool); 2] = [(void, false), (wandering, true)];
    for (seed, (fill, trades)) in (0..SEEDS / 4).flat_map(|seed| cases.map(|case| (seed, case))) {
        let accounts = run(&community, &terms(16), &every_slot(), seed, fill).accounts;
        for (participant, account) in community.participants.iter().zip(accounts) {
            let sum = |get: fn(&SlotEnergy) -> u64| participant.energy.iter().map(get).sum::<u64>();
            let demand_wh = sum(|energy| energy.load_wh) + sum(|energy| energy.ev_wh);
            assert_eq!(account.demand_wh_q16, u128::from(demand_wh) << 16, "{}", participant.id);
            let generation_wh = sum(|energy| energy.generation_wh);
            assert_eq!(account.generation_wh_q16, u128::from(generation_wh) << 16);
            if participant.role == Role::ChargingStation {
                assert_eq!(account.waiting_wh_q16, 0, "a vehicle left with less than it needs");
            }
            if !trades {
                assert_eq!(account.bought_wh_q16 + account.sold_wh_q16 + account.lent_wh_q16, 0);
            }
        }
    }
}

#[test]
fn both_sides_occur_in_one_slot_and_prosumers_do_it_daily() {
    let community = community();
    let run = run(&community, &terms(16), &every_slot(), 7, wandering);
    let two_sided = |plan: &Plan| {
        [Side::Buy, Side::Sell].iter().all(|side| plan.orders.iter().any(|order| order.side == *side))
    };
    let members: std::collections::BTreeSet<usize> =
        run.plans.iter().filter(|(_, _, plan)| two_sided(plan)).map(|(member, _, _)| *member).collect();
    let prosumers = members.iter().filter(|&&member| community.participants[member].role == Role::Prosumer);
    assert!(prosumers.count() >= 20, "{members:?}");
}

#[test]
fn demand_answers_to_price() {
    let community = community();
    let slots = every_slot();
    let consumer = community.participants.iter().position(|member| member.role == Role::Consumer).unwrap();
    let run = run(&community, &terms(16), &slots, 3, void);
    let mut limits: Vec<i64> = run
        .plans
        .iter()
        .filter(|(member, _, _)| *member == consumer)
        .flat_map(|(_, _, plan)| plan.orders.iter().map(|order| order.limit_mct_per_kwh))
        .collect();
    limits.sort_unstable();
    // Some of it only when cheap, some at whatever is below retail.
    assert!(limits[0] < 20_000 && *limits.last().unwrap() >= 30_000, "{limits:?}");
}

#[test]
fn the_seed_decides_everything() {
    let community = community();
    let slots = select_community(&community, 121, 12, 1).unwrap().slots;
    let plans = |seed| run(&community, &terms(16), &slots, seed, wandering).plans;
    assert_eq!(plans(1), plans(1));
    assert_ne!(plans(1), plans(2));
}

#[test]
fn surplus_is_sold_in_two_tranches() {
    let mut roof = Prosumer::new(terms(16), seed::seeded_rng(1, "roof", "test"));
    let plan = roof.plan(0, SlotEnergy { load_wh: 100, generation_wh: 1100, ev_wh: 200 }).unwrap();
    let sells: Vec<&Order> = plan.orders.iter().filter(|order| order.side == Side::Sell).collect();
    assert_eq!(sells.iter().map(|order| order.energy_wh).sum::<u64>(), 800);
    assert!(sells.len() == 2 && sells[0].energy_wh > sells[1].energy_wh);
    assert_eq!(roof.account().own_use_wh_q16, 300 << 16);
}

#[test]
fn a_store_filled_when_cheap_serves_load_later() {
    let mut roof = Prosumer::new(terms(16), seed::seeded_rng(1, "roof", "test"));
    let sunny = SlotEnergy { load_wh: 0, generation_wh: 1000, ev_wh: 0 };
    let plan = roof.plan(0, sunny).unwrap();
    let wanted_wh = plan.orders.iter().find(|order| order.side == Side::Buy).unwrap().energy_wh;
    roof.settle(0, wh(wanted_wh), 0).unwrap();
    assert_eq!(roof.account().stored_wh_q16, u128::from(wanted_wh) << 16);
    roof.plan(1, SlotEnergy { load_wh: 10_000, ..SlotEnergy::default() }).unwrap();
    assert_eq!(roof.account().stored_wh_q16, 0);
}

#[test]
fn calls_out_of_order_are_refused() {
    let day = Day { slot_seconds: 900, market_slots: vec![3, 5] };
    let models: [Box<dyn Bidder>; 3] = [
        Box::new(Consumer::new(terms(16), seed::seeded_rng(1, "a", "test"))),
        Box::new(Prosumer::new(terms(16), seed::seeded_rng(1, "a", "test"))),
        Box::new(ChargingStation::new(terms(16), &[0; 9], &day, seed::seeded_rng(1, "a", "test")).unwrap()),
    ];
    for mut model in models {
        let energy = SlotEnergy { load_wh: 1000, ..SlotEnergy::default() };
        assert_eq!(model.settle(3, 0, 0), Err(BehaviourError::NotPlanned { slot: 3 }));
        let offered: u64 = model.plan(3, energy).unwrap().orders.iter().map(|order| order.energy_wh).sum();
        assert_eq!(model.plan(5, energy), Err(BehaviourError::Unsettled { pending: 3 }));
        assert_eq!(model.settle(5, 0, 0), Err(BehaviourError::NotPlanned { slot: 5 }));
        let before = model.account();
        let too_much = model.settle(3, wh(offered) + 1, 0);
        assert!(matches!(too_much, Err(BehaviourError::OverFill { side: Side::Buy, .. })), "{too_much:?}");
        assert_eq!(model.account(), before);
        model.settle(3, wh(offered), 0).unwrap();
        assert_eq!(model.settle(3, 0, 0), Err(BehaviourError::NotPlanned { slot: 3 }));
        assert_eq!(model.plan(3, energy), Err(BehaviourError::SlotOrder { slot: 3, last: 3 }));
        for kind in 0..3 {
            let energy_wh = MAX_SLOT_WH + 1;
            let mut energy = SlotEnergy::default();
            *[&mut energy.load_wh, &mut energy.generation_wh, &mut energy.ev_wh][kind] = energy_wh;
            assert_eq!(model.plan(5, energy), Err(BehaviourError::TooMuchEnergy { slot: 5, energy_wh }));
        }
        model.plan(5, energy).unwrap();
    }
    let mut station =
        ChargingStation::new(terms(16), &[0; 9], &day, seed::seeded_rng(1, "a", "test")).unwrap();
    let too_much = [0, MAX_SLOT_WH, MAX_SLOT_WH + 1];
    let error =
        ChargingStation::new(terms(16), &too_much, &day, seed::seeded_rng(1, "a", "test")).unwrap_err();
    assert_eq!(error, BehaviourError::TooMuchEnergy { slot: 2, energy_wh: MAX_SLOT_WH + 1 });
    assert_eq!(station.plan(4, SlotEnergy::default()), Err(BehaviourError::NoMarket { slot: 4 }));
}
