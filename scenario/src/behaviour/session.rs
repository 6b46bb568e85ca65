//! Charging sessions behind a charging station's series.
//!
//! The data says how much a station charged in each slot, not by how many vehicles and until when they stayed. Each
//! run of slots with charging is divided among a few vehicles that arrive during it and stay for up to six hours
//! after it; together they need exactly what the data says.

use super::seed::draw_inclusive;
use super::{BehaviourError, MAX_SLOT_WH};
use rand_core::RngCore;
use serde::Serialize;

/// Power of a charge point, W: single-phase 16 A, the rating of most charging profiles in the data.
pub const CHARGE_POINT_W: u64 = 3_700;

/// Longest stay after the data's charging ends, seconds.
const LONGEST_STAY_S: u64 = 6 * 3600;

/// Most vehicles in one run of slots.
const MAX_VEHICLES: u64 = 64;

/// One vehicle at the station, in slots of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// First slot in which it can charge.
    pub arrival_slot: usize,
    /// First slot in which it is gone.
    pub departure_slot: usize,
    /// What it needs by then, Wh.
    pub energy_wh: u64,
    /// What its charge point delivers or takes in a slot, Wh.
    pub max_wh_per_slot: u64,
    /// What it lends if the price is right, Wh; 0 if it does not. Lent energy is bought back before it departs.
    pub lendable_wh: u64,
}

/// Draws the sessions of a day. Their energy adds up to that of `ev_wh`, each can be charged within its stay, and none
/// starts before the data's charging does.
///
/// # Errors
/// More than [`MAX_SLOT_WH`] in a slot.
pub fn draw_sessions(
    ev_wh: &[u64],
    slot_seconds: u32,
    rng: &mut impl RngCore,
) -> Result<Vec<Session>, BehaviourError> {
    if let Some((slot, &energy_wh)) = (0..).zip(ev_wh).find(|(_, energy_wh)| **energy_wh > MAX_SLOT_WH) {
        return Err(BehaviourError::TooMuchEnergy { slot, energy_wh });
    }
    let mut sessions = Vec::new();
    let mut start = 0;
    for run in ev_wh.chunk_by(|before, after| (*before > 0) == (*after > 0)) {
        let end = start + run.len();
        if run.iter().any(|&energy_wh| energy_wh > 0) {
            draw_run(run, start, ev_wh.len(), slot_seconds, rng, &mut sessions);
        }
        start = end;
    }
    Ok(sessions)
}

/// The sessions of one run of slots `start..start + run.len()` in a day of `day` slots.
fn draw_run(
    run: &[u64],
    start: usize,
    day: usize,
    slot_seconds: u32,
    rng: &mut impl RngCore,
    sessions: &mut Vec<Session>,
) {
    let peak_wh = run.iter().copied().max().unwrap_or(0);
    let rated_wh = (CHARGE_POINT_W * u64::from(slot_seconds) / 3600).max(1);
    let vehicles = (peak_wh.div_ceil(rated_wh) + draw_inclusive(rng, 0, 1)).min(MAX_VEHICLES);
    // Larger charge points if the data charges more than MAX_VEHICLES could.
    let max_wh_per_slot = rated_wh.max(peak_wh.div_ceil(vehicles));
    let most_wh = max_wh_per_slot * run.len() as u64;
    let (end, stay) = (start + run.len(), LONGEST_STAY_S / u64::from(slot_seconds.max(1)));
    let mut left_wh: u64 = run.iter().sum();
    for others in (0..vehicles).rev() {
        let energy_wh = draw_part(left_wh, others, most_wh, rng);
        left_wh -= energy_wh;
        if energy_wh == 0 {
            continue;
        }
        // At most run.len() slots of charging, as no part exceeds most_wh.
        let slots_needed = energy_wh.div_ceil(max_wh_per_slot) as usize;
        let arrival = draw_inclusive(rng, start as u64, (end - slots_needed) as u64) as usize;
        let departure = (end as u64).saturating_add(draw_inclusive(rng, 0, stay)).min(day as u64) as usize;
        let lends = draw_inclusive(rng, 0, 1) == 1;
        let lendable_wh =
            if lends { draw_inclusive(rng, max_wh_per_slot / 2, 2 * max_wh_per_slot) } else { 0 };
        sessions.push(Session {
            arrival_slot: arrival,
            departure_slot: departure,
            energy_wh,
            max_wh_per_slot,
            lendable_wh,
        });
    }
}

/// One part of `left`, half to one and a half times the mean, such that `others` parts of at most `most` can take the
/// rest.
fn draw_part(left: u64, others: u64, most: u64, rng: &mut impl RngCore) -> u64 {
    if others == 0 {
        return left;
    }
    let mean = left / (others + 1);
    let least = left.saturating_sub(most.saturating_mul(others));
    draw_inclusive(rng, least.max(mean / 2), most.min(mean + mean / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::seed::seeded_rng;

    fn draw(ev_wh: &[u64], seed: u64) -> Vec<Session> {
        draw_sessions(ev_wh, 900, &mut seeded_rng(seed, "station", "test")).unwrap()
    }

    #[test]
    fn sessions_need_what_the_data_says_and_can_be_charged() {
        let series: [&[u64]; 5] = [
            &[0, 0, 1952, 611, 115, 0, 0, 0, 0, 0],
            &[12, 917, 918, 918, 918, 618, 0, 0, 3, 0],
            &[0, 0, 0, 0, 925],
            &[1_000_000, 1],
            &[1; 96],
        ];
        for (series, seed) in series.into_iter().flat_map(|series| (0..50).map(move |seed| (series, seed))) {
            let sessions = draw(series, seed);
            let total: u64 = sessions.iter().map(|session| session.energy_wh).sum();
            assert_eq!(total, series.iter().sum::<u64>());
            for session in sessions {
                let slots = session.departure_slot.checked_sub(session.arrival_slot).unwrap() as u64;
                assert!(session.departure_slot <= series.len());
                assert!(session.energy_wh <= slots * session.max_wh_per_slot, "{session:?}");
                assert!(session.energy_wh > 0 && series[session.arrival_slot] > 0, "{session:?}");
            }
        }
    }

    #[test]
    fn several_vehicles_share_a_peak_above_one_charge_point() {
        let sessions = draw(&[0, 1952, 611, 115, 0], 1);
        assert!(sessions.len() >= 3 && sessions.iter().all(|session| session.max_wh_per_slot == 925));
        assert!(draw(&[1_000_000], 1).len() <= MAX_VEHICLES as usize);
        assert!(draw(&[0; 96], 1).is_empty() && draw(&[], 1).is_empty());
    }

    #[test]
    fn some_vehicles_lend_and_the_seed_decides() {
        let day = [0, 1952, 611, 115, 0, 0, 0, 0];
        assert_eq!(draw(&day, 1), draw(&day, 1));
        assert_ne!(draw(&day, 1), draw(&day, 2));
        let all: Vec<Session> = (0..20).flat_map(|seed| draw(&day, seed)).collect();
        assert!(all.iter().any(|session| session.lendable_wh > 0));
        assert!(all.iter().any(|session| session.lendable_wh == 0));
    }
}
