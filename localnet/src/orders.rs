//! Believable orders for a network on one machine: the models of members over the built-in day, written out as the
//! files that participants read.

use crate::LocalnetError;
use veilgrid_market::{Grid, Order, Side};
use veilgrid_node::config::orders::format_orders;
use veilgrid_scenario::behaviour::{Bidder, Day, MarketTerms, Tariffs, WH_Q16, bidder_for};
use veilgrid_scenario::community::{Participant, Role, import_community, select_community};

/// The built-in day: SimBench, see `data/community_day/README.md` for source and licence (ODbL 1.0).
const BUILT_IN: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/community_day/community_day.csv"));
const MINUTES_PER_DAY: i64 = 24 * 60;

/// One member's file.
#[derive(Clone, Debug)]
pub struct MemberOrders {
    /// What the member is.
    pub role: Role,
    /// The CSV.
    pub csv: String,
}

/// The orders of `members` members over a day: consumers, prosumers with solar power and charging stations in the
/// proportions of the built-in community; more members than it has follow its members with draws of their own.
///
/// # Errors
/// A grid outside of the tariffs.
pub fn day_of_orders(
    members: usize,
    grid: &Grid,
    bits: u8,
    tariffs: Tariffs,
    seed: u64,
) -> Result<Vec<MemberOrders>, LocalnetError> {
    let community = import_community(BUILT_IN.as_bytes())?;
    let slots = community.slot_starts_unix_s.len();
    let terms = MarketTerms::new(grid, u32::from(bits), tariffs)?;
    let day =
        Day { slot_seconds: community.slot_seconds().unwrap_or(900), market_slots: (0..slots).collect() };
    let minutes: Vec<u32> = community.slot_starts_unix_s.iter().map(|start| minute_of_day(*start)).collect();
    let mut orders = Vec::with_capacity(members);
    while orders.len() < members {
        let wanted = (members - orders.len()).min(community.participants.len());
        let selection = select_community(&community, wanted, slots, seed)?;
        let turn = orders.len() / community.participants.len().max(1);
        for participant in selection.members(&community) {
            let id = if turn == 0 { participant.id.clone() } else { format!("{}-{turn}", participant.id) };
            let participant = Participant { id: id.clone(), ..participant.clone() };
            let mut bidder = bidder_for(&participant, &terms, &day, seed)
                .map_err(|source| LocalnetError::Behaviour { id: id.clone(), source })?;
            orders.push(orders_of(&participant, bidder.as_mut(), &minutes)?);
        }
    }
    Ok(orders)
}

/// A file has no feedback: the model is told that everything was filled, so that what it wants in a slot does not
/// depend on rounds that are not traded yet.
fn orders_of(
    participant: &Participant,
    bidder: &mut dyn Bidder,
    minutes: &[u32],
) -> Result<MemberOrders, LocalnetError> {
    let fault = |source| LocalnetError::Behaviour { id: participant.id.clone(), source };
    let mut slots: Vec<(u32, Vec<Order>)> = Vec::with_capacity(minutes.len());
    for (slot, (energy, minute)) in participant.energy.iter().zip(minutes).enumerate() {
        let plan = bidder.plan(slot, *energy).map_err(fault)?;
        let filled = |side| {
            let energy = plan.orders.iter().filter(|order| order.side == side).map(|order| order.energy_wh);
            energy.map(u128::from).sum::<u128>() * u128::from(WH_Q16)
        };
        bidder.settle(slot, filled(Side::Buy), filled(Side::Sell)).map_err(fault)?;
        slots.push((*minute, plan.orders));
    }
    slots.sort_by_key(|(minute, _)| *minute);
    let csv = format_orders(slots.iter().map(|(minute, orders)| (*minute, orders.as_slice())));
    Ok(MemberOrders { role: participant.role, csv })
}

fn minute_of_day(start_unix_s: i64) -> u32 {
    u32::try_from(start_unix_s.div_euclid(60).rem_euclid(MINUTES_PER_DAY)).unwrap_or(0)
}
