//! Money and energy add up under every mechanism, and each is its definition.

use super::*;
use crate::community::{import_community, select_community};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use veilgrid_market::Grid;

const KWH_Q16: i128 = 1000 << 16;

fn tariffs(retail: i64, feed_in: i64) -> Tariffs {
    Tariffs::new(retail, feed_in).unwrap()
}

/// Meters of one slot, Wh.
fn slot(net_wh: &[i64]) -> Meters {
    Meters::from_net_wh(vec![net_wh.to_vec()]).unwrap()
}

/// Bills in mct, which have to be whole.
fn mct(bills: &Bills) -> Vec<i128> {
    let whole = |q16: &i128| {
        assert_eq!(q16 % KWH_Q16, 0, "{q16}");
        q16 / KWH_Q16
    };
    bills.members_q16.iter().map(whole).collect()
}

/// Random meters with members that do nothing, slots without demand, and slots without supply.
fn random_meters(rng: &mut ChaCha20Rng) -> Meters {
    let (slots, members) = (1 + rng.next_u32() % 6, 1 + rng.next_u32() % 8);
    let one = |rng: &mut ChaCha20Rng, kind: u32| {
        let wh = i64::from(rng.next_u32() % [2, 7, 5_000, 100_000_000][(rng.next_u32() % 4) as usize]);
        match (kind, rng.next_u32() % 5) {
            (_, 0) => 0,
            (0, _) => wh,
            (1, _) => -wh,
            (_, way) => {
                if way % 2 == 0 {
                    wh
                } else {
                    -wh
                }
            }
        }
    };
    let mut of_slot = || {
        let kind = rng.next_u32() % 5;
        (0..members).map(|_| one(rng, kind)).collect()
    };
    Meters::from_net_wh((0..slots).map(|_| of_slot()).collect()).unwrap()
}

/// Tariffs above zero, below it, and on either side of it.
fn random_tariffs(rng: &mut ChaCha20Rng) -> Tariffs {
    let price = |rng: &mut ChaCha20Rng| i64::from(rng.next_u32() % 40_000) - 8_000;
    let (one, other) = (price(rng), price(rng));
    tariffs(one.max(other), one.min(other))
}

#[test]
fn members_pay_together_what_the_community_pays() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut with_ratio = 0;
    for _ in 0..4_000 {
        let (meters, tariffs) = (random_meters(&mut rng), random_tariffs(&mut rng));
        let alone = meters.at_tariffs(tariffs).unwrap();
        let middle = meters.at_mid_market_rate(tariffs).unwrap();
        let shared = meters.by_bill_sharing(tariffs).unwrap();
        let ratio = meters.at_supply_demand_ratio(tariffs).unwrap();
        assert_eq!(ratio.is_some(), tariffs.feed_in_mct_per_kwh() > 0);
        for bills in [Some(&alone), Some(&middle), Some(&shared), ratio.as_ref()].into_iter().flatten() {
            assert_eq!(bills.members_q16.iter().sum::<i128>(), bills.utility_q16, "{meters:?} {tariffs:?}");
        }
        // What the community exchanges with the utility is the same however it is divided.
        assert_eq!(middle.utility_q16, shared.utility_q16);
        assert!(middle.utility_q16 <= alone.utility_q16);
        // At a price between the tariffs nobody is worse off than alone, but for a unit of rounding per slot.
        let slots = middle.from_utility_wh_q16.len() as i128;
        with_ratio += usize::from(ratio.is_some());
        for bills in [Some(&middle), ratio.as_ref()].into_iter().flatten() {
            for (alone, inside) in alone.members_q16.iter().zip(&bills.members_q16) {
                assert!(*inside <= alone + slots, "{inside} instead of {alone}: {meters:?} {tariffs:?}");
            }
        }
    }
    assert!(with_ratio > 1_000);
}

#[test]
fn each_rule_is_its_definition() {
    let tariffs = tariffs(30_000, 10_000);
    // 2 kWh of demand, 1 kWh of supply: a middle of 20 ct, and 1 kWh from the utility at 30 ct.
    let long_demand = slot(&[1_500, 500, -1_000]);
    assert_eq!(mct(&long_demand.at_tariffs(tariffs).unwrap()), [45_000, 15_000, -10_000]);
    assert_eq!(mct(&long_demand.at_mid_market_rate(tariffs).unwrap()), [37_500, 12_500, -20_000]);
    // x = 1/2: sellers get 30·10/(20/2 + 10) = 15 ct, buyers pay 15/2 + 30/2 = 22.5 ct.
    let ratio = long_demand.at_supply_demand_ratio(tariffs).unwrap().unwrap();
    assert_eq!(mct(&ratio), [33_750, 11_250, -15_000]);
    // 1 kWh imported at 30 ct for 2 kWh drawn; nothing is exported, so that the seller gets nothing.
    assert_eq!(mct(&long_demand.by_bill_sharing(tariffs).unwrap()), [22_500, 7_500, 0]);

    // 1 kWh of demand, 2 kWh of supply, 1 kWh of it to the utility at 10 ct.
    let long_supply = slot(&[1_000, -1_500, -500]);
    assert_eq!(mct(&long_supply.at_mid_market_rate(tariffs).unwrap()), [20_000, -22_500, -7_500]);
    let ratio = long_supply.at_supply_demand_ratio(tariffs).unwrap().unwrap();
    assert_eq!(mct(&ratio), [10_000, -15_000, -5_000]);
    assert_eq!(mct(&long_supply.by_bill_sharing(tariffs).unwrap()), [0, -7_500, -2_500]);

    // As much supply as demand: the ratio's price is feed-in, the middle stays the middle.
    let even = slot(&[1_000, -1_000]);
    assert_eq!(mct(&even.at_mid_market_rate(tariffs).unwrap()), [20_000, -20_000]);
    assert_eq!(mct(&even.at_supply_demand_ratio(tariffs).unwrap().unwrap()), [10_000, -10_000]);
    assert_eq!(even.at_tariffs(tariffs).unwrap().utility_q16, 20_000 * KWH_Q16);
}

#[test]
fn bill_sharing_looks_at_the_whole_day() {
    // Who draws only when there is surplus bears the night's imports too: shares are by energy, not by time.
    let day = Meters::from_net_wh(vec![vec![1_000, 0, -1_000], vec![0, 1_000, 0]]).unwrap();
    let bills = day.by_bill_sharing(tariffs(30_000, 10_000)).unwrap();
    assert_eq!(mct(&bills), [15_000, 15_000, 0]);
    assert_eq!(bills.from_utility_wh_q16, [0, 1_000 << 16]);
}

fn community_of(count: usize) -> (crate::community::CommunityDay, Vec<usize>) {
    let file =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/community_day/community_day.csv"));
    let community = import_community(file.as_slice()).unwrap();
    let members = select_community(&community, count, 96, 1).unwrap().participants;
    (community, members)
}

#[test]
fn the_auction_s_money_and_energy_add_up() {
    let (community, members) = community_of(40);
    for (retail, feed_in) in [(32_000, 8_000), (12_000, -9_000)] {
        let tariffs = tariffs(retail, feed_in);
        let day = Comparable {
            members: members.iter().map(|member| &community.participants[*member]).collect(),
            slot_seconds: 900,
            tariffs,
            grid: tariffs.grid(64).unwrap(),
            bits: 16,
            seed: 5,
        };
        let comparison = day.compare().unwrap();
        let auction = &comparison.auction;
        assert!(auction.traded_slots > 20, "{}", auction.traded_slots);
        let (wh, sum) = (|wh: u128| wh << 16, |parts: &[u128]| parts.iter().sum::<u128>());
        let sources = sum(&auction.bills.from_utility_wh_q16)
            + auction.bills.late_wh_q16
            + wh(comparison.generation_wh);
        // Fractions are rounded down: who is rationed sells or buys a little less, and the public account has the rest.
        let uses =
            wh(comparison.consumption_wh) + sum(&auction.bills.to_utility_wh_q16) + auction.stored_wh_q16;
        let apart = sources.abs_diff(uses);
        assert!(apart < 1 << 24, "{apart} Wh/2^16 in a day");
        for result in &comparison.results {
            let paid = result.members_q16 + result.public_account_q16;
            assert_eq!(paid, result.utility_q16, "{}", result.mechanism);
            let by_role: i128 = result.roles.iter().map(|role| role.cost_mct).sum();
            assert!((by_role - result.cost_mct).abs() <= 3, "{}", result.mechanism);
        }
        let cost =
            |mechanism| comparison.results.iter().find(|one| one.mechanism == mechanism).unwrap().cost_mct;
        assert!(cost(Mechanism::Auction) < auction.at_tariffs_mct(), "trading with each other saves");
        assert!(cost(Mechanism::MidMarketRate) == cost(Mechanism::BillSharing));
        assert_eq!(comparison.left_out.len(), usize::from(feed_in <= 0));
    }
}

#[test]
fn the_figures_are_those_of_the_meters() {
    let participant = |id: &str, role, energy: &[(u64, u64)]| Participant {
        id: id.to_owned(),
        role,
        energy: energy
            .iter()
            .map(|&(load_wh, generation_wh)| crate::community::SlotEnergy {
                load_wh,
                generation_wh,
                ev_wh: 0,
            })
            .collect(),
    };
    let members = [
        participant("a", Role::Consumer, &[(1_000, 0), (3_000, 0)]),
        participant("b", Role::Prosumer, &[(500, 2_500), (0, 0)]),
    ];
    let tariffs = tariffs(30_000, 10_000);
    let day = Comparable {
        members: members.iter().collect(),
        slot_seconds: 900,
        tariffs,
        grid: tariffs.grid(16).unwrap(),
        bits: 16,
        seed: 1,
    };
    let comparison = day.compare().unwrap();
    let figures = |result: &MechanismResult| {
        (
            result.from_utility_wh,
            result.to_utility_wh,
            result.self_sufficiency_permille,
            result.self_consumption_permille,
            result.peak_import_w,
        )
    };
    // Alone: own use of 500 of 4,500 Wh and of 2,500 Wh generated. Together: 1,500 Wh.
    assert_eq!(figures(&comparison.results[0]), (4_000, 2_000, Some(111), Some(200), 12_000));
    assert_eq!(figures(&comparison.results[1]), (3_000, 1_000, Some(333), Some(600), 12_000));
    let roles: Vec<_> = comparison.results[0].roles.iter().map(|one| (one.role, one.cost_mct)).collect();
    assert_eq!(roles, [(Role::Prosumer, -20_000), (Role::Consumer, 120_000)]);
    let nobody = Comparable { members: Vec::new(), ..day };
    assert_eq!(nobody.compare(), Err(CompareError::NoMembers));
}

#[test]
fn quantities_and_prices_of_no_community_are_refused() {
    let huge = slot(&[i64::MAX, i64::MIN + 1, i64::MAX]);
    let most = 1 << 40;
    assert_eq!(huge.at_supply_demand_ratio(tariffs(most, most - 1)), Err(CompareError::Overflow));
    assert_eq!(huge.at_tariffs(tariffs(i64::MAX, 0)), Err(CompareError::Overflow));
    assert!(
        Meters::from_net_wh(vec![vec![1], vec![1, 2]]).is_none() && Meters::from_net_wh(Vec::new()).is_none()
    );
    let grid = Grid::new(0, 2, 2).unwrap();
    let day = Comparable {
        members: Vec::new(),
        slot_seconds: 900,
        tariffs: tariffs(1, 0),
        grid,
        bits: 16,
        seed: 1,
    };
    assert_eq!(day.auction(), Err(CompareError::NoMembers));
}
