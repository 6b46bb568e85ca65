//! Which members and which slots of a community take part in a run.
//!
//! Members are chosen across roles in proportion (largest remainder), slots are spread evenly over the slots in which
//! the chosen members generate. The same community, numbers and seed give the same selection.

use super::{CommunityDay, Participant, Role};
use crate::behaviour::seed::{draw_inclusive, seeded_rng};
use rand_core::RngCore;

/// Why a selection is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No participants asked for.
    #[error("0 participants: choose at least 1 (the data has {available})")]
    NoParticipants {
        /// Members in the data.
        available: usize,
    },
    /// More participants than the data has.
    #[error("{asked} participants: the data has {available}; choose at most that many or another file")]
    TooManyParticipants {
        /// Asked for.
        asked: usize,
        /// Members in the data.
        available: usize,
    },
    /// No slots asked for.
    #[error("0 slots: choose at least 1 (the data has {available})")]
    NoSlots {
        /// Slots in the data.
        available: usize,
    },
    /// More slots than the data has.
    #[error("{asked} slots: the data has {available}; choose at most that many or another file")]
    TooManySlots {
        /// Asked for.
        asked: usize,
        /// Slots in the data.
        available: usize,
    },
}

/// The members and slots of a run, as indices into a [`CommunityDay`], each list rising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Indices of `CommunityDay::participants`.
    pub participants: Vec<usize>,
    /// Indices of `CommunityDay::slot_starts_unix_s`.
    pub slots: Vec<usize>,
}

impl Selection {
    /// The chosen members.
    pub fn members<'a>(&'a self, community: &'a CommunityDay) -> impl Iterator<Item = &'a Participant> {
        self.participants.iter().filter_map(|&index| community.participants.get(index))
    }
}

/// Chooses `participants` members and `slots` slots.
///
/// # Errors
/// A number of participants or slots that is zero or more than the data has.
pub fn select_community(
    community: &CommunityDay,
    participants: usize,
    slots: usize,
    seed: u64,
) -> Result<Selection, SelectError> {
    let available = community.participants.len();
    match participants {
        0 => return Err(SelectError::NoParticipants { available }),
        asked if asked > available => return Err(SelectError::TooManyParticipants { asked, available }),
        _ => {}
    }
    let available = community.slot_starts_unix_s.len();
    match slots {
        0 => return Err(SelectError::NoSlots { available }),
        asked if asked > available => return Err(SelectError::TooManySlots { asked, available }),
        _ => {}
    }
    let participants = choose_members(community, participants, seed);
    let slots = choose_slots(community, &participants, slots);
    Ok(Selection { participants, slots })
}

/// How many members of each role a sample of `sample` gets: largest remainder (Hamilton), but at least one of every
/// role that is present if the sample is that large, taken from the role that is furthest above its exact share. A
/// smaller sample takes one of each of the most frequent roles. `sample` is at most the sum of `counts`.
pub fn quotas(counts: [usize; Role::ALL.len()], sample: usize) -> [usize; Role::ALL.len()] {
    let total: usize = counts.iter().sum();
    let mut order: Vec<usize> = (0..counts.len()).filter(|&role| counts[role] > 0).collect();
    if sample < order.len() {
        order.sort_by_key(|&role| std::cmp::Reverse(counts[role]));
        return std::array::from_fn(|role| usize::from(order[..sample].contains(&role)));
    }
    let mut quota = counts.map(|count| share(sample, count, total).0);
    let unassigned = sample.saturating_sub(quota.iter().sum());
    order.sort_by_key(|&role| std::cmp::Reverse(share(sample, counts[role], total).1));
    for &role in order.iter().take(unassigned) {
        quota[role] += 1;
    }
    for role in 0..counts.len() {
        if counts[role] > 0 && quota[role] == 0 {
            let surplus = |&giver: &usize| excess(quota[giver], sample, counts[giver], total);
            if let Some(giver) = (0..counts.len()).filter(|&giver| quota[giver] > 1).max_by_key(surplus) {
                quota[giver] -= 1;
                quota[role] = 1;
            }
        }
    }
    quota
}

/// `sample · count / total` as (whole, remainder).
fn share(sample: usize, count: usize, total: usize) -> (usize, u128) {
    let product = sample as u128 * count as u128;
    let total = (total as u128).max(1);
    // The quotient is at most `sample`.
    ((product / total) as usize, product % total)
}

/// How far a quota is above its exact share, in units of 1/total.
fn excess(quota: usize, sample: usize, count: usize, total: usize) -> i128 {
    quota as i128 * total as i128 - sample as i128 * count as i128
}

fn choose_members(community: &CommunityDay, sample: usize, seed: u64) -> Vec<usize> {
    let quota = quotas(Role::ALL.map(|role| community.count(role)), sample);
    let mut rng = seeded_rng(seed, "community", "selection");
    let mut chosen = Vec::with_capacity(sample);
    for (role, wanted) in Role::ALL.into_iter().zip(quota) {
        let pool = community.participants.iter().enumerate().filter(|(_, member)| member.role == role);
        chosen.extend(draw_without_repeats(pool.map(|(index, _)| index).collect(), wanted, &mut rng));
    }
    chosen.sort_unstable();
    chosen
}

/// The first `wanted` places of a Fisher-Yates shuffle.
fn draw_without_repeats(mut pool: Vec<usize>, wanted: usize, rng: &mut impl RngCore) -> Vec<usize> {
    let wanted = wanted.min(pool.len());
    for place in 0..wanted {
        let last = pool.len() as u64 - 1;
        // The draw lies in place..=last, which are indices.
        pool.swap(place, draw_inclusive(rng, place as u64, last) as usize);
    }
    pool.truncate(wanted);
    pool
}

/// Slots in which the chosen members generate, evenly spread; if there are fewer than asked for, all of these and the
/// rest evenly over the other slots; if nobody generates, evenly over the day.
fn choose_slots(community: &CommunityDay, participants: &[usize], wanted: usize) -> Vec<usize> {
    let generates = |slot: &usize| {
        participants
            .iter()
            .filter_map(|&index| community.participants.get(index)?.energy.get(*slot))
            .any(|energy| energy.generation_wh > 0)
    };
    let (sunny, dark): (Vec<usize>, Vec<usize>) =
        (0..community.slot_starts_unix_s.len()).partition(|slot| generates(slot));
    let first = wanted.min(sunny.len());
    let mut slots = spread(&sunny, first);
    slots.extend(spread(&dark, wanted - first));
    slots.sort_unstable();
    slots
}

/// The middles of `wanted` equal parts of `all`; distinct because `wanted` is at most the length.
fn spread(all: &[usize], wanted: usize) -> Vec<usize> {
    (0..wanted).filter_map(|part| all.get((2 * part + 1) * all.len() / (2 * wanted)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::{Rounding, SlotEnergy, import_community};

    fn day() -> CommunityDay {
        let file =
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/community_day/community_day.csv"));
        import_community(file.as_slice()).unwrap()
    }

    fn roles_of(community: &CommunityDay, selection: &Selection) -> [usize; 3] {
        Role::ALL.map(|role| selection.members(community).filter(|member| member.role == role).count())
    }

    #[test]
    fn quotas_follow_the_largest_remainder() {
        // Exact shares of 40: 8.93, 30.08, 0.99.
        assert_eq!(quotas([27, 91, 3], 40), [9, 30, 1]);
        // Exact shares of 60: 13.39, 45.12, 1.49.
        assert_eq!(quotas([27, 91, 3], 60), [13, 45, 2]);
        assert_eq!(quotas([27, 91, 3], 121), [27, 91, 3]);
        // Exact shares of 10: 2.23, 7.52, 0.25; the station's place comes from the consumers' 8.
        assert_eq!(quotas([27, 91, 3], 10), [2, 7, 1]);
        assert_eq!(quotas([27, 91, 3], 3), [1, 1, 1]);
        assert_eq!(quotas([27, 91, 3], 2), [1, 1, 0]);
        assert_eq!(quotas([27, 91, 3], 1), [0, 1, 0]);
        assert_eq!(quotas([5, 0, 5], 4), [2, 0, 2]);
        assert_eq!(quotas([0, 7, 0], 3), [0, 3, 0]);
    }

    #[test]
    fn quotas_always_add_up_and_stay_within_the_roles() {
        for counts in [[27, 91, 3], [191, 806, 32], [1, 1, 1], [1, 500, 1], [4, 3, 3], [0, 2, 9]] {
            let present = counts.iter().filter(|&&count| count > 0).count();
            for sample in 1..=counts.iter().sum() {
                let quota = quotas(counts, sample);
                assert_eq!(quota.iter().sum::<usize>(), sample, "{counts:?} {sample}");
                assert!(
                    quota.iter().zip(counts).all(|(quota, count)| *quota <= count),
                    "{counts:?} {sample}"
                );
                if sample >= present {
                    assert!(quota.iter().zip(counts).all(|(quota, count)| (*quota > 0) == (count > 0)));
                }
            }
        }
    }

    #[test]
    fn selection_is_proportional_and_without_repeats() {
        let community = day();
        let selection = select_community(&community, 40, 8, 1).unwrap();
        assert_eq!(roles_of(&community, &selection), [9, 30, 1]);
        assert!(selection.participants.windows(2).all(|pair| pair[0] < pair[1]));
        let everybody = select_community(&community, 121, 96, 1).unwrap();
        assert_eq!(everybody.participants, (0..121).collect::<Vec<_>>());
        assert_eq!(everybody.slots, (0..96).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides() {
        let community = day();
        let select = |seed| select_community(&community, 40, 8, seed).unwrap();
        assert_eq!(select(1), select(1));
        assert_ne!(select(1).participants, select(2).participants);
        // Over many seeds every member has its turn.
        let mut seen = [false; 121];
        for seed in 0..200 {
            select(seed).participants.into_iter().for_each(|index| seen[index] = true);
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn slots_are_spread_over_the_hours_of_generation() {
        let community = day();
        for wanted in [1, 2, 7, 24, 60] {
            let selection = select_community(&community, 40, wanted, 3).unwrap();
            assert_eq!(selection.slots.len(), wanted);
            assert!(selection.slots.windows(2).all(|pair| pair[0] < pair[1]));
            for &slot in &selection.slots {
                assert!(selection.members(&community).any(|member| member.energy[slot].generation_wh > 0));
            }
        }
        // Generation is in slots 21..=83 of the day: the middles of three thirds.
        assert_eq!(select_community(&community, 121, 3, 3).unwrap().slots, [31, 52, 73]);
        // More than the sunny slots: all of them and some others.
        let most = select_community(&community, 121, 70, 3).unwrap();
        assert_eq!(most.slots.len(), 70);
        assert!((21..=83).all(|slot| most.slots.contains(&slot)));
    }

    #[test]
    fn without_generation_the_whole_day_is_used() {
        let dark =
            |id: &str, role| Participant { id: id.into(), role, energy: vec![SlotEnergy::default(); 10] };
        let community = CommunityDay {
            slot_starts_unix_s: (0..10).map(|slot| slot * 900).collect(),
            participants: vec![dark("a", Role::Consumer), dark("b", Role::Prosumer)],
            rounding: Rounding::default(),
        };
        assert_eq!(select_community(&community, 2, 5, 0).unwrap().slots, [1, 3, 5, 7, 9]);
        assert_eq!(select_community(&community, 2, 1, 0).unwrap().slots, [5]);
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let community = day();
        let error = |participants, slots| select_community(&community, participants, slots, 0).unwrap_err();
        assert_eq!(error(0, 1), SelectError::NoParticipants { available: 121 });
        assert_eq!(error(122, 1), SelectError::TooManyParticipants { asked: 122, available: 121 });
        assert_eq!(error(1, 0), SelectError::NoSlots { available: 96 });
        assert_eq!(error(1, 97), SelectError::TooManySlots { asked: 97, available: 96 });
    }
}
