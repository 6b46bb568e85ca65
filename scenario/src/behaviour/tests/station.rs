//! The charging station on sessions made for the purpose.

use super::*;

fn session(arrival_slot: usize, departure_slot: usize, energy_wh: u64, lendable_wh: u64) -> Session {
    Session { arrival_slot, departure_slot, energy_wh, max_wh_per_slot: 900, lendable_wh }
}

fn station(sessions: &[Session], market_slots: &[usize]) -> ChargingStation {
    let rng = seed::seeded_rng(1, "station", "test");
    ChargingStation::with_sessions(terms(16), sessions, market_slots.to_vec(), rng)
}

fn plan(station: &mut ChargingStation, slot: usize) -> Vec<(Side, i64, u64)> {
    let plan = station.plan(slot, SlotEnergy::default()).unwrap();
    plan.orders.iter().map(|order| (order.side, order.limit_mct_per_kwh, order.energy_wh)).collect()
}

#[test]
fn limits_rise_to_retail_as_departure_nears() {
    let mut station = station(&[session(1, 5, 900, 0)], &[0, 1, 2, 3, 4, 5]);
    let mut limits = Vec::new();
    for slot in 0..6 {
        let orders = plan(&mut station, slot);
        limits.push(orders.first().map(|&(_, limit, energy_wh)| (limit, energy_wh)));
        station.settle(slot, 0, 0).unwrap();
    }
    let expected =
        [None, Some((15_000, 900)), Some((18_500, 900)), Some((22_000, 900)), Some((31_000, 900)), None];
    assert_eq!(limits, expected);
    // Nothing was bought: the grid served it at departure.
    assert_eq!(station.account().from_grid_wh_q16, 900 << 16);
    assert_eq!(station.account().waiting_wh_q16, 0);
}

#[test]
fn what_can_not_be_delivered_later_is_urgent_now() {
    let mut station = station(&[session(0, 3, 2000, 0)], &[0, 2]);
    // 2000 Wh in two market slots of 900 Wh: a full slot now, the rest is beyond the charge point.
    assert_eq!(plan(&mut station, 0), [(Side::Buy, 31_000, 900)]);
    station.settle(0, 900 << 16, 0).unwrap();
    assert_eq!(plan(&mut station, 2), [(Side::Buy, 31_000, 900)]);
    station.settle(2, 900 << 16, 0).unwrap();
    assert_eq!(station.account().from_grid_wh_q16, 200 << 16);
}

#[test]
fn unmet_energy_carries_over_to_the_last_fraction() {
    let mut station = station(&[session(0, 3, 500, 0)], &[0, 1, 2]);
    plan(&mut station, 0);
    station.settle(0, (100 << 16) + 1, 0).unwrap();
    assert_eq!(plan(&mut station, 1)[0].2, 399);
    station.settle(1, 399 << 16, 0).unwrap();
    assert_eq!(plan(&mut station, 2), []);
    station.settle(2, 0, 0).unwrap();
    assert_eq!(station.account().from_grid_wh_q16, u128::from(WH_Q16 - 1));
    assert!(station.account().is_balanced());
}

#[test]
fn vehicles_without_a_market_slot_are_served_by_the_grid() {
    let station = station(&[session(1, 3, 700, 0)], &[0, 3]);
    assert!(station.vehicles()[0].gone && station.vehicles()[0].from_grid_wh_q16 == 700 << 16);
    assert_eq!(station.account().from_grid_wh_q16, 700 << 16);
}

#[test]
fn a_slot_that_was_left_out_does_not_strand_a_vehicle() {
    let mut station = station(&[session(0, 2, 700, 0), session(0, 9, 100, 0)], &[0, 1, 8]);
    plan(&mut station, 8);
    station.settle(8, 0, 0).unwrap();
    assert_eq!(station.account().from_grid_wh_q16, 800 << 16);
    assert_eq!(station.account().waiting_wh_q16, 0);
}

#[test]
fn lent_energy_is_bought_back() {
    let mut station = station(&[session(0, 3, 200, 1000)], &[0, 1, 2]);
    let orders = plan(&mut station, 0);
    let (side, ask, energy_wh) = orders[1];
    // Within the charge point, above the reserve and above its own bid.
    assert!(side == Side::Sell && energy_wh == 900 && ask >= 24_000 && ask > orders[0].1, "{orders:?}");
    station.settle(0, 0, 900 << 16).unwrap();
    assert_eq!(station.account().lent_wh_q16, 900 << 16);
    // 200 Wh of its own and 900 Wh lent; 100 Wh more may be lent.
    let orders = plan(&mut station, 1);
    let bought: u64 = orders.iter().filter(|order| order.0 == Side::Buy).map(|order| order.2).sum();
    assert_eq!(bought, 900, "{orders:?}");
    assert!(
        orders.iter().all(|order| order.0 == Side::Buy),
        "what is urgent leaves nothing to lend: {orders:?}"
    );
    station.settle(1, 900 << 16, 0).unwrap();
    assert_eq!(plan(&mut station, 2), [(Side::Buy, 31_000, 200)]);
    station.settle(2, 200 << 16, 0).unwrap();
    let vehicle = station.vehicles()[0];
    assert_eq!(
        (vehicle.bought_wh_q16, vehicle.lent_wh_q16, vehicle.missing_wh_q16),
        (1100 << 16, 900 << 16, 0)
    );
    assert!(vehicle.gone);
    let account = station.account();
    assert_eq!((account.from_grid_wh_q16, account.bought_wh_q16), (0, 1100 << 16));
    assert!(account.is_balanced());
}

#[test]
fn no_more_is_lent_than_the_vehicle_allows() {
    let mut station = station(&[session(0, 9, 100, 300)], &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let mut lent = 0;
    for slot in 0..9 {
        let sold: u64 =
            plan(&mut station, slot).iter().filter(|order| order.0 == Side::Sell).map(|order| order.2).sum();
        station.settle(slot, 0, wh(sold)).unwrap();
        lent += sold;
    }
    assert_eq!(lent, 300);
    assert_eq!(station.account().lent_wh_q16, 300 << 16);
}

#[test]
fn own_generation_charges_first_and_the_rest_is_sold() {
    let mut station = station(&[session(0, 3, 500, 0)], &[0, 1, 2]);
    let energy = SlotEnergy { load_wh: 100, generation_wh: 1000, ev_wh: 0 };
    let plan = station.plan(0, energy).unwrap();
    assert_eq!(
        plan.orders.iter().map(|order| (order.side, order.energy_wh)).collect::<Vec<_>>(),
        [(Side::Sell, 400)]
    );
    station.settle(0, 0, 150 << 16).unwrap();
    let account = station.account();
    assert_eq!((account.own_use_wh_q16, account.fed_in_wh_q16), (600 << 16, 250 << 16));
    assert_eq!(station.vehicles()[0].own_wh_q16, 500 << 16);
    assert!(account.is_balanced());
}

#[test]
fn vehicles_in_the_data_lend_under_some_seeds() {
    let community = community();
    let lends = |seed| {
        let plans = run(&community, &terms(16), &every_slot(), seed, void).plans;
        plans.iter().any(|(member, _, plan)| {
            community.participants[*member].role == Role::ChargingStation
                && plan.orders.iter().any(|order| order.side == Side::Sell)
        })
    };
    assert!((0..SEEDS).any(lends));
}
