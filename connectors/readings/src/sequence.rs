//! Local times of one series in the order in which they went by: which instants they are, where clocks are put back.

use crate::{Instants, Local, Zone};

/// Where the later half of a repeated hour begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// Before this place is the earlier half, from it on the later: the time goes back just there.
    From(usize),
    /// The time never goes back: one half is missing, and nobody knows which.
    One,
    /// It goes back more than once: this is not the order in which time went by.
    Mixed,
}

/// Tells the halves of a repeated hour apart, over all times of it that the series has.
pub fn halves(locals: &[Local]) -> Halves {
    let pairs = locals.iter().zip(locals.iter().skip(1));
    let mut turns = (1..).zip(pairs).filter(|(_, (before, after))| after <= before).map(|(place, _)| place);
    match (turns.next(), turns.next()) {
        (None, _) => Halves::One,
        (Some(place), None) => Halves::From(place),
        (Some(_), Some(_)) => Halves::Mixed,
    }
}

/// The instants of a whole series in its order.
///
/// # Errors
/// The place of a time that does not exist or can't be told apart, and why.
pub fn resolve(zone: &Zone, locals: &[Local]) -> Result<Vec<i64>, (usize, String)> {
    let mut instants = Vec::with_capacity(locals.len());
    let mut place = 0;
    while let Some(local) = locals.get(place) {
        let fault = |what: String| (place, format!("{local} {what}"));
        match zone.instants(*local).map_err(|error| fault(error.to_string()))? {
            Instants::One(instant) => {
                instants.push(instant);
                place += 1;
            }
            Instants::None => {
                return Err(fault(format!("is left out in {}, as clocks are put forward", zone.name())));
            }
            Instants::Two(..) => {
                let rest = locals.get(place..).unwrap_or_default();
                let pairs = rest.iter().map_while(|local| match zone.instants(*local) {
                    Ok(Instants::Two(earlier, later)) => Some([earlier, later]),
                    _ => None,
                });
                let pairs: Vec<[i64; 2]> = pairs.collect();
                let Halves::From(later) = halves(rest.get(..pairs.len()).unwrap_or_default()) else {
                    return Err(fault("is in the hour that comes twice, and the order of the rows does not tell which one it is".into()));
                };
                instants.extend(pairs.iter().enumerate().map(|(at, pair)| pair[usize::from(at >= later)]));
                place += pairs.len();
            }
        }
    }
    Ok(instants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locals(times: &[(i8, i8)]) -> Vec<Local> {
        let date = "2026-10-25".parse().expect("a date");
        times.iter().map(|(hour, minute)| Local::new(date, *hour, *minute, 0).expect("a time")).collect()
    }

    #[test]
    fn a_day_of_25_hours_is_in_order_and_half_of_it_is_refused() {
        let vienna = Zone::named("Europe/Vienna").expect("a zone");
        let whole = locals(&[(1, 30), (2, 0), (2, 30), (2, 0), (2, 30), (3, 0)]);
        let first = 1_792_884_600;
        assert_eq!(resolve(&vienna, &whole), Ok((0..6).map(|step| first + step * 1800).collect()));
        // One time of each half.
        assert_eq!(resolve(&vienna, &locals(&[(2, 0), (2, 0)])), Ok(vec![first + 1800, first + 5400]));
        for times in [&[(1, 30), (2, 0), (2, 30), (3, 0)][..], &[(2, 0), (2, 0), (2, 30), (2, 30)]] {
            assert!(resolve(&vienna, &locals(times)).is_err());
        }
    }
}
