//! What a community came to, as a table and as JSON.

use crate::output;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use veilgrid_market::sharing::{Reading, Readings, SlotShares};
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{format_kwh, format_kwh_q16};

#[derive(Serialize)]
pub(super) struct ResultJson<'a> {
    slots: Vec<SlotJson<'a>>,
    /// Only of sealed readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<&'a [Opened]>,
}

/// What a sum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// What was consumed in a slot, Wh.
    Consumption,
    /// What was generated, Wh.
    Generation,
    /// What consumers get, Wh/2^16.
    Shared,
}

impl What {
    /// Its number among the sums of a slot.
    pub fn number(self) -> u32 {
        self as u32
    }
}

/// A sum that was opened.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Opened {
    slot_start: String,
    what: What,
    value: u64,
}

impl Opened {
    pub fn new(start_unix_s: i64, what: What, value: u64) -> Self {
        Self { slot_start: format_utc(start_unix_s), what, value }
    }
}

#[derive(Serialize)]
struct SlotJson<'a> {
    slot_start: String,
    consumption_wh: u64,
    generation_wh: u64,
    shared_q16: u64,
    /// None under a key that is not pro rata.
    fraction_consumption_q16: Option<u32>,
    fraction_generation_q16: u32,
    rounding_q16: u64,
    consumers: Amounts<'a>,
    producers: Amounts<'a>,
}

/// Amounts by account, in the order of the readings.
struct Amounts<'a> {
    accounts: &'a [String],
    readings: &'a [Reading],
    q16: &'a [u64],
}

impl Serialize for Amounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.q16.len()))?;
        for (reading, q16) in self.readings.iter().zip(self.q16) {
            map.serialize_entry(&self.accounts[reading.account], q16)?;
        }
        map.end()
    }
}

pub(super) fn result_json<'a>(
    readings: &'a Readings,
    slots: &'a [SlotShares],
    opened: Option<&'a [Opened]>,
) -> ResultJson<'a> {
    let slot = |(read, shares): (&'a veilgrid_market::sharing::SlotReadings, &'a SlotShares)| {
        let amounts = |readings_of: &'a [Reading], q16: &'a [u64]| Amounts {
            accounts: &readings.accounts,
            readings: readings_of,
            q16,
        };
        SlotJson {
            slot_start: format_utc(read.start_unix_s),
            consumption_wh: shares.totals.consumption_wh(),
            generation_wh: shares.totals.generation_wh(),
            shared_q16: shares.shared_q16,
            fraction_consumption_q16: shares.fraction_consumption_q16,
            fraction_generation_q16: shares.fraction_generation_q16,
            rounding_q16: shares.rounding_q16,
            consumers: amounts(&read.consumption, &shares.consumers_q16),
            producers: amounts(&read.generation, &shares.producers_q16),
        }
    };
    ResultJson { slots: readings.slots.iter().zip(slots).map(slot).collect(), opened }
}

/// What an account consumed, generated and shared over all slots.
#[derive(Default, Clone)]
struct Sums {
    consumed_wh: u64,
    got_q16: u64,
    generated_wh: u64,
    gave_q16: u64,
}

pub(super) fn print(readings: &Readings, slots: &[SlotShares], opened: Option<&[Opened]>) {
    let mut by_slot =
        output::table(&["slot", "consumed kWh", "generated kWh", "shared kWh", "of consumption"]);
    let mut by_account = vec![Sums::default(); readings.accounts.len()];
    let mut all = Sums::default();
    let mut rounding_q16 = 0u64;
    for (read, shares) in readings.slots.iter().zip(slots) {
        let (consumed_wh, generated_wh) = (shares.totals.consumption_wh(), shares.totals.generation_wh());
        by_slot.add_row([
            output::utc(read.start_unix_s),
            format_kwh(consumed_wh),
            format_kwh(generated_wh),
            format_kwh_q16(i128::from(shares.shared_q16), 3),
            percent(shares.shared_q16, consumed_wh),
        ]);
        for (reading, q16) in read.consumption.iter().zip(&shares.consumers_q16) {
            let sums = &mut by_account[reading.account];
            sums.consumed_wh = sums.consumed_wh.saturating_add(reading.energy_wh);
            sums.got_q16 = sums.got_q16.saturating_add(*q16);
        }
        for (reading, q16) in read.generation.iter().zip(&shares.producers_q16) {
            let sums = &mut by_account[reading.account];
            sums.generated_wh = sums.generated_wh.saturating_add(reading.energy_wh);
            sums.gave_q16 = sums.gave_q16.saturating_add(*q16);
        }
        rounding_q16 = rounding_q16.saturating_add(shares.rounding_q16);
    }
    output::line(by_slot);
    let header = ["account", "consumed kWh", "of it shared kWh", "generated kWh", "of it shared kWh"];
    let mut accounts = output::table(&header);
    for (name, sums) in readings.accounts.iter().zip(&by_account) {
        accounts.add_row(row(output::harmless(name), sums));
        all.consumed_wh = all.consumed_wh.saturating_add(sums.consumed_wh);
        all.got_q16 = all.got_q16.saturating_add(sums.got_q16);
        all.generated_wh = all.generated_wh.saturating_add(sums.generated_wh);
        all.gave_q16 = all.gave_q16.saturating_add(sums.gave_q16);
    }
    let community = Sums { gave_q16: rounding_q16, ..Sums::default() };
    accounts.add_row(row("(the community, by rounding)".to_owned(), &community));
    all.gave_q16 = all.gave_q16.saturating_add(rounding_q16);
    accounts.add_row(row("all".to_owned(), &all));
    output::line(accounts);
    output::line(match opened {
        None => "plain: every reading was read".to_owned(),
        Some(opened) => {
            format!("sealed: nothing but {} opened sums was read (--json lists them)", opened.len())
        }
    });
}

fn row(name: String, sums: &Sums) -> [String; 5] {
    let q16 = |amount: u64| format_kwh_q16(i128::from(amount), 3);
    [name, format_kwh(sums.consumed_wh), q16(sums.got_q16), format_kwh(sums.generated_wh), q16(sums.gave_q16)]
}

/// The part of an energy that is shared, in percent with one decimal; a dash of nothing.
fn percent(shared_q16: u64, energy_wh: u64) -> String {
    let tenths = (u128::from(shared_q16) * 1_000).checked_div(u128::from(energy_wh) << 16);
    tenths.map_or_else(|| "-".to_owned(), |tenths| format!("{}.{}%", tenths / 10, tenths % 10))
}
