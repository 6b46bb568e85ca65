//! A charging plan of evcc.

use serde::Deserialize;
use serde_json::Number;
use thiserror::Error;
use veilgrid_household::decimal::{DecimalFault, exact};
use veilgrid_household::{Wish, instant};

/// Most stretches of a plan: a week of quarter-hours.
const MAX_STRETCHES: usize = 672;
/// The most that a charger is believed to take, mW.
const MAX_MILLIWATT: i64 = 1_000_000_000;

/// Why a plan can't be used.
#[derive(Debug, Error)]
pub enum PlanFault {
    /// "It is the answer of evcc's plan."
    #[error("no plan of evcc ({0}); name http://HOST:7070/api/loadpoints/1/plan")]
    Form(#[from] serde_json::Error),
    /// "Every stretch has two instants, the first one before the other."
    #[error("stretch {0} of the plan has no times that can be used")]
    Times(usize),
    /// "The power is a number from zero on."
    #[error("the plan's power can't be used: {0}")]
    Power(#[from] DecimalFault),
    /// "The plan is bounded."
    #[error("the plan has more than {MAX_STRETCHES} stretches")]
    TooLong,
}

#[derive(Deserialize)]
struct Envelope {
    /// Older versions wrap every answer.
    result: Option<Plan>,
    #[serde(flatten)]
    plan: Option<Plan>,
}

#[derive(Deserialize)]
struct Plan {
    plan: Option<Vec<Stretch>>,
    power: Number,
}

#[derive(Deserialize)]
struct Stretch {
    start: String,
    end: String,
    /// The part of the power in this stretch, by newer versions; without it all of it.
    power: Option<Number>,
}

/// What a plan wants; none when nothing is planned.
///
/// # Errors
/// [`PlanFault`].
pub fn read_plan(json: &[u8], limit_mct_per_kwh: i64) -> Result<Option<Wish>, PlanFault> {
    let envelope: Envelope = serde_json::from_slice(json)?;
    let missing = || <serde_json::Error as serde::de::Error>::missing_field("plan");
    let plan = envelope.result.or(envelope.plan).ok_or_else(missing)?;
    let whole = watts(&plan.power)?;
    let stretches = plan.plan.unwrap_or_default();
    if stretches.len() > MAX_STRETCHES {
        return Err(PlanFault::TooLong);
    }
    let read = |(index, stretch): (usize, &Stretch)| {
        let times = instant(&stretch.start).ok().zip(instant(&stretch.end).ok());
        let (start, end) = times.filter(|(start, end)| start <= end).ok_or(PlanFault::Times(index))?;
        Ok((start, end, stretch.power.as_ref().map_or(Ok(whole), watts)?))
    };
    let stretches: Result<Vec<_>, PlanFault> = stretches.iter().enumerate().map(read).collect();
    let stretches = stretches?;
    Ok((!stretches.is_empty()).then_some(Wish::Plan { stretches, limit_mct_per_kwh }))
}

/// Whole W, cut.
fn watts(power: &Number) -> Result<u64, PlanFault> {
    let text = power.to_string();
    // Computed powers have more decimals than matter: those behind the third are cut.
    let cut = text.split_once('.').map(|(whole, rest)| format!("{whole}.{}", rest.get(..3).unwrap_or(rest)));
    let milliwatt = exact(cut.as_deref().unwrap_or(&text), 3, 0, MAX_MILLIWATT)?;
    Ok(milliwatt.unsigned_abs() / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As evcc writes it: local times with an offset, the first stretch from now on with a fraction of a second.
    const PLAN: &str = r#"{"planId":1,"planTime":"2026-10-25T07:00:00+01:00","duration":5400,"plan":[
        {"start":"2026-10-25T02:40:12.345678901+02:00","end":"2026-10-25T02:00:00+01:00","value":0.2875},
        {"start":"2026-10-25T02:00:00+01:00","end":"2026-10-25T02:30:00+01:00","value":0.28755,"power":4140.5}],"power":11040}"#;

    #[test]
    fn a_plan_through_the_repeated_hour_is_two_stretches_that_follow_each_other() {
        let wish = read_plan(PLAN.as_bytes(), 30_000).expect("read");
        let Some(Wish::Plan { stretches, limit_mct_per_kwh: 30_000 }) = wish else { panic!("{wish:?}") };
        assert_eq!(
            stretches,
            [(1_792_888_812, 1_792_890_000, 11_040), (1_792_890_000, 1_792_891_800, 4_140)]
        );
        let wrapped = format!(r#"{{"result":{PLAN}}}"#);
        assert_eq!(
            read_plan(wrapped.as_bytes(), 30_000).expect("read"),
            read_plan(PLAN.as_bytes(), 30_000).expect("read")
        );
    }

    #[test]
    fn nothing_planned_is_no_wish_and_garbage_is_an_error() {
        let none = r#"{"planId":0,"planTime":"0001-01-01T00:00:00Z","duration":0,"plan":null,"power":11040}"#;
        assert_eq!(read_plan(none.as_bytes(), 1).expect("read"), None);
        let garbage = ["", "[]", "{}", "{\"plan\":[],\"power\":-1}", "{\"plan\":[],\"power\":1e300}"];
        garbage.iter().for_each(|json| assert!(read_plan(json.as_bytes(), 1).is_err(), "{json}"));
        let backwards = PLAN.replace("02:30:00+01:00", "02:30:00+02:00");
        assert!(matches!(read_plan(backwards.as_bytes(), 1), Err(PlanFault::Times(1))));
    }
}
