//! From opened sums to what everybody gets: under each key.

use super::days::Day;
use super::report::What;
use super::sealed::Run;
use super::vectors::{FrozenDay, Own, Vector};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use rayon::prelude::*;
use std::collections::BTreeMap;
use veilgrid_crypto::reading::shares::{
    SealedShares, ShareOpening, ShareParams, ShareStatement, ShareUnit, VerifiedShares, seal_shares,
    share_randomness, verify_shares,
};
use veilgrid_crypto::reading::{DayTally, day_point, day_point_holds};
use veilgrid_crypto::secret::Secret;
use veilgrid_market::sharing::{Direction, SlotShares, SlotTotals};

/// What a day came to, slot by slot of the file.
pub(super) struct SettledDay {
    pub slots: Vec<SlotShares>,
}

/// What an account gets or delivers, by account and direction, slot by slot.
type Amounts = BTreeMap<(usize, Direction), BTreeMap<usize, u64>>;

/// Pro rata: D and G are opened; each share is a public multiple of a reading.
pub(super) fn in_proportion(run: &mut Run<'_>, day: &Day, frozen: &FrozenDay) -> Result<SettledDay, Failure> {
    let consumption = run.open_readings(day, frozen, Direction::Consumption)?;
    let generation = run.open_readings(day, frozen, Direction::Generation)?;
    let mut settled = Vec::with_capacity(day.places.len());
    for ((at, _), (consumed, generated)) in day.places.iter().zip(consumption.into_iter().zip(generation)) {
        let totals = run.totals(*at, consumed, generated)?;
        let fraction = totals.consumption_fraction_q16();
        settled.push(Slot::new(totals, u64::from(fraction) * consumed, Some(fraction))?);
    }
    let own = run.setting.read_own(frozen)?;
    let fractions = |direction| settled.iter().map(|slot| slot.fraction(direction)).collect::<Vec<u32>>();
    let both = [fractions(Direction::Consumption), fractions(Direction::Generation)];
    let mut amounts = Amounts::new();
    for (vector, own) in frozen.vectors.iter().zip(&own) {
        let fractions = &both[usize::from(vector.row.direction == Direction::Generation)];
        amounts.insert(key_of(vector), linear(run, day, vector, own, fractions)?);
    }
    assemble(run, day, &settled, &amounts)
}

/// Static key and coefficients by slot: G is opened, which makes the caps public; each consumer's shares are proved to be the smaller
/// of cap and consumption, and the sum of all shares is opened.
pub(super) fn capped(run: &mut Run<'_>, day: &Day, frozen: &FrozenDay) -> Result<SettledDay, Failure> {
    let generation = run.open_readings(day, frozen, Direction::Generation)?;
    let own = run.setting.read_own(frozen)?;
    let caps = caps(run, day, &generation)?;
    let params = ShareParams::new(&run.setting.params, ShareUnit::WhQ16).map_err(Failure::input)?;
    let proved = prove(run, day, frozen, &own, &caps, &params)?;
    let mut tally = DayTally::new();
    proved.iter().for_each(|proved| tally.add(&proved.verified));
    // The set of shares is frozen, too.
    let most: Vec<u64> = caps.iter().map(|caps| caps.values().sum()).collect();
    let shared = run.open_all(day, &tally, What::Shared, &most)?;
    let mut settled = Vec::with_capacity(day.places.len());
    for ((at, _), (generated, shared)) in day.places.iter().zip(generation.into_iter().zip(shared)) {
        // Nobody opened what was consumed: it is what the file says.
        let consumed = run.slot(*at).consumption.iter().map(|reading| reading.energy_wh).sum();
        settled.push(Slot::new(run.totals(*at, consumed, generated)?, shared, None)?);
    }
    let fractions: Vec<u32> = settled.iter().map(|slot| slot.fraction(Direction::Generation)).collect();
    let mut amounts = Amounts::new();
    for (vector, own) in frozen.vectors.iter().zip(&own) {
        if vector.row.direction == Direction::Generation {
            amounts.insert(key_of(vector), linear(run, day, vector, own, &fractions)?);
        }
    }
    for proved in &proved {
        amounts.insert(key_of(proved.vector), own_shares(run, &params, proved)?);
    }
    assemble(run, day, &settled, &amounts)
}

fn key_of(vector: &Vector) -> (usize, Direction) {
    (vector.row.account, vector.row.direction)
}

/// What is public of a settled slot.
struct Slot {
    totals: SlotTotals,
    shared_q16: u64,
    fraction_consumption_q16: Option<u32>,
    fraction_generation_q16: u32,
}

impl Slot {
    fn new(totals: SlotTotals, shared_q16: u64, fraction: Option<u32>) -> Result<Self, Failure> {
        let of_generation = totals.generation_fraction_q16(shared_q16);
        let fraction_generation_q16 = of_generation.map_err(|error| Failure::Audit(error.to_string()))?;
        Ok(Self { totals, shared_q16, fraction_consumption_q16: fraction, fraction_generation_q16 })
    }

    fn fraction(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Consumption => self.fraction_consumption_q16.unwrap_or(0),
            Direction::Generation => self.fraction_generation_q16,
        }
    }
}

/// The amounts of a vector of which each slot counts by a public fraction: everybody computes their point, the owner checks it.
fn linear(
    run: &Run<'_>,
    day: &Day,
    vector: &Vector,
    own: &Own,
    fractions: &[u32],
) -> Result<BTreeMap<usize, u64>, Failure> {
    let mut weights = vec![0i64; usize::from(day.slots)];
    for ((_, slot), fraction) in day.places.iter().zip(fractions) {
        weights[*slot] = i64::from(*fraction);
    }
    let present = vector.verified.present();
    let amounts: BTreeMap<usize, u64> = present
        .iter()
        .zip(own.readings_wh.expose())
        .map(|(slot, reading)| (*slot, weights[*slot].unsigned_abs() * reading))
        .collect();
    let total = amounts.values().map(|amount| u128::from(*amount)).sum();
    let point = day_point(&vector.verified, &weights);
    let holds = day_point_holds(&run.setting.params, &own.r, present, &weights, total, &point);
    if holds { Ok(amounts) } else { Err(not_its_own(run, vector)) }
}

fn not_its_own(run: &Run<'_>, vector: &Vector) -> Failure {
    let account = output::harmless(&run.community.readings.accounts[vector.row.account]);
    Failure::Audit(format!("what {account} gets is not what its own vector says"))
}

/// The cap of each consumer of each slot, by account, Wh/2^16. What no reading reaches is cut to what one can be.
fn caps(run: &Run<'_>, day: &Day, generation: &[u64]) -> Result<Vec<BTreeMap<usize, u64>>, Failure> {
    let largest = (u64::MAX >> (64 - run.setting.params.bits())) << 16;
    let caps_of = |(at, generated): (usize, u64)| {
        let slot = run.slot(at);
        let shares = run.community.key.shares(&run.community.readings, slot).unwrap_or_default();
        let totals = run.totals(at, 0, generated)?;
        let caps = slot.consumption.iter().zip(shares);
        Ok(caps.map(|(reading, share)| (reading.account, totals.cap_q16(share).min(largest))).collect())
    };
    day.places.iter().map(|(at, _)| *at).zip(generation.iter().copied()).map(caps_of).collect()
}

/// A consumer's shares with their proof, and what its owner knows.
struct Proved<'a> {
    vector: &'a Vector,
    own: &'a Own,
    caps: Vec<u64>,
    shares: Secret<Vec<u64>>,
    verified: VerifiedShares,
}

/// Proves the shares of all consumers that have a cap anywhere on the day, and checks them in one batch.
fn prove<'a>(
    run: &Run<'_>,
    day: &Day,
    frozen: &'a FrozenDay,
    own: &'a [Own],
    caps: &[BTreeMap<usize, u64>],
    params: &ShareParams,
) -> Result<Vec<Proved<'a>>, Failure> {
    let by_slot: BTreeMap<usize, &BTreeMap<usize, u64>> =
        day.places.iter().zip(caps).map(|((_, slot), caps)| (*slot, caps)).collect();
    let of_vector = |vector: &Vector| -> Vec<u64> {
        let cap = |slot| by_slot.get(slot).and_then(|caps| caps.get(&vector.row.account)).copied();
        vector.verified.present().iter().map(|slot| cap(slot).unwrap_or(0)).collect()
    };
    let consumers: Vec<(&Vector, &Own, Vec<u64>)> = frozen
        .vectors
        .iter()
        .zip(own)
        .filter(|(vector, _)| vector.row.direction == Direction::Consumption)
        .map(|(vector, own)| (vector, own, of_vector(vector)))
        .collect();
    // On a day without generation all caps are zero, and so are the shares: nothing is left to prove.
    if consumers.iter().all(|(_, _, caps)| caps.iter().all(|cap| *cap == 0)) {
        return Ok(Vec::new());
    }
    let bar = output::progress(consumers.len() as u64, "proving shares", run.setting.json);
    let sealed: Vec<(SealedShares, Secret<Vec<u64>>)> = consumers
        .par_iter()
        .map(|(vector, own, caps)| {
            let opening = ShareOpening { r: &own.r, readings_wh: own.readings_wh.expose() };
            let (context, verified) = (&frozen.context, &vector.verified);
            let sealed = seal_shares(params, context, verified, &opening, caps, &mut OsRng);
            bar.inc(1);
            sealed.map_err(Failure::input)
        })
        .collect::<Result<_, Failure>>()?;
    bar.finish_and_clear();
    let statements: Vec<ShareStatement<'_>> = consumers
        .iter()
        .zip(&sealed)
        .map(|((vector, _, caps), (shares, _))| ShareStatement {
            context: &frozen.context,
            day: &vector.verified,
            caps,
            shares,
        })
        .collect();
    let verdicts = verify_shares(params, &statements);
    let all = consumers.into_iter().zip(sealed).zip(verdicts);
    all.map(|(((vector, own, caps), (_, shares)), verdict)| {
        let verified = verdict.map_err(|fault| Failure::Audit(fault.to_string()))?;
        Ok(Proved { vector, own, caps, shares, verified })
    })
    .collect()
}

/// A consumer's shares slot by slot, checked against the point of its vector of shares.
fn own_shares(
    run: &Run<'_>,
    params: &ShareParams,
    proved: &Proved<'_>,
) -> Result<BTreeMap<usize, u64>, Failure> {
    let Proved { vector, own, caps, shares, verified } = proved;
    let r = share_randomness(params, &vector.verified, caps, &own.r);
    let weights = vec![1i64; params.day().slots()];
    let (point, present) = (day_point(verified, &weights), verified.present());
    let total = shares.expose().iter().map(|share| u128::from(*share)).sum();
    if !day_point_holds(&run.setting.params, &r, present, &weights, total, &point) {
        return Err(not_its_own(run, vector));
    }
    Ok(present.iter().copied().zip(shares.expose().iter().copied()).collect())
}

/// The result slot by slot, each amount from its owner.
fn assemble(run: &Run<'_>, day: &Day, settled: &[Slot], amounts: &Amounts) -> Result<SettledDay, Failure> {
    let slots = day.places.iter().zip(settled).map(|((at, slot), settled)| {
        let of = |direction: Direction| -> Vec<u64> {
            let amount = |account| amounts.get(&(account, direction)).and_then(|own| own.get(slot)).copied();
            let readings = run.slot(*at).of(direction).iter();
            // Where no shares were proved there are none.
            readings.map(|reading| amount(reading.account).unwrap_or(0)).collect()
        };
        let delivered = u64::from(settled.fraction_generation_q16) * settled.totals.generation_wh();
        let shares = SlotShares {
            totals: settled.totals,
            shared_q16: settled.shared_q16,
            fraction_consumption_q16: settled.fraction_consumption_q16,
            fraction_generation_q16: settled.fraction_generation_q16,
            rounding_q16: settled.shared_q16 - delivered,
            consumers_q16: of(Direction::Consumption),
            producers_q16: of(Direction::Generation),
        };
        // What all owners found adds up to what was opened.
        let found: u64 = shares.consumers_q16.iter().sum();
        let given: u64 = shares.producers_q16.iter().sum();
        if found == shares.shared_q16 && given == delivered {
            Ok(shares)
        } else {
            Err(Failure::Audit("what the members get does not add up to what was opened".to_owned()))
        }
    });
    Ok(SettledDay { slots: slots.collect::<Result<_, Failure>>()? })
}
