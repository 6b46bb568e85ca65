//! A month of a community's zone: its slots, and the prices and fees that hold in them.

use crate::failure::Failure;
use veilgrid_billing::community::{Community, PriceList};
use veilgrid_billing::period::{Date, Period};
use veilgrid_billing::settle::Terms;
use veilgrid_billing::tariffs::{Fees, PriceError, Prices, Step};
use veilgrid_readings::{Date as ZoneDate, Instants, Local, Zone};

/// A gap of clocks is never longer than that.
const MINUTES_OF_A_GAP: u32 = 24 * 60;

/// A day of the month.
pub struct Day {
    pub date: Date,
    pub first_slot: usize,
    pub slots: usize,
}

/// A month's slots, one after another.
pub struct Calendar {
    pub start_unix_s: i64,
    pub slot_seconds: u32,
    pub slots: usize,
    pub days: Vec<Day>,
}

impl Calendar {
    /// The month in a zone.
    ///
    /// # Errors
    /// Slots that do not divide a day.
    pub fn of(zone: &Zone, period: Period, slot_seconds: u32) -> Result<Self, Failure> {
        let mut calendar = Self { start_unix_s: 0, slot_seconds, slots: 0, days: Vec::new() };
        for date in (1..=period.days()).filter_map(|day| period.date(day)) {
            let day = zone.day(zone_date(date)?).map_err(Failure::input)?;
            let slots = day.slots(slot_seconds).ok_or_else(|| {
                Failure::Input(format!(
                    "{date} has no whole number of slots of {slot_seconds} s in {}",
                    zone.name()
                ))
            })? as usize;
            if calendar.days.is_empty() {
                calendar.start_unix_s = day.start_unix_s;
            }
            calendar.days.push(Day { date, first_slot: calendar.slots, slots });
            calendar.slots += slots;
        }
        Ok(calendar)
    }

    /// The day of a slot.
    pub fn date_of(&self, slot: usize) -> String {
        let day = self.days.iter().rev().find(|day| day.first_slot <= slot);
        day.map_or_else(String::new, |day| day.date.to_string())
    }
}

/// The same date for the zone.
///
/// # Errors
/// None for a date of a period.
pub fn zone_date(date: Date) -> Result<ZoneDate, Failure> {
    date.to_string().parse().map_err(|_| Failure::Input(format!("{date} is no date")))
}

/// The rules of a month.
///
/// # Errors
/// Days without prices or fees, prices that do not fit.
pub fn terms(community: &Community, zone: &Zone, calendar: &Calendar) -> Result<Terms, Failure> {
    let lists = &community.settings.prices;
    let mut offsets = Vec::with_capacity(lists.len());
    let mut tariffs = Vec::new();
    for list in lists {
        offsets.push(tariffs.len());
        tariffs.extend(list.tariffs.iter().cloned());
    }
    let mut steps: Vec<Step> = Vec::new();
    for day in &calendar.days {
        let in_force = lists.partition_point(|list| list.from <= day.date).checked_sub(1);
        let list = in_force.and_then(|at| Some((lists.get(at)?, offsets.get(at)?)));
        let (list, offset) = list.ok_or_else(|| Failure::input(PriceError::NoPrice(day.date.to_string())))?;
        add_day(zone, day.date, list, *offset, &mut steps)?;
    }
    // Only tariffs that the month has: others may be of another year with the same prices under another name.
    let mut used: Vec<usize> = steps.iter().map(|step| step.tariff).collect();
    used.sort_unstable();
    used.dedup();
    for step in &mut steps {
        step.tariff = used.binary_search(&step.tariff).unwrap_or_default();
    }
    let tariffs = used.iter().filter_map(|at| tariffs.get(*at).cloned()).collect();
    let prices = Prices::new(tariffs, &steps, calendar.slot_seconds).map_err(Failure::input)?;
    let mut fees = Vec::with_capacity(community.settings.fees.len());
    for list in &community.settings.fees {
        let from_unix_s = zone.day(zone_date(list.from)?).map_err(Failure::input)?.start_unix_s;
        fees.push(Fees { from_unix_s, by_zone: list.by_zone.clone(), names: list.names.clone() });
    }
    let zones = community.accounts.iter().map(|account| account.zone).collect();
    Ok(Terms { key: community.key.clone(), prices, fees, zones })
}

/// Adds a day's tariffs as steps of time; what lies in hours that clocks leave out is left out.
fn add_day(
    zone: &Zone,
    date: Date,
    list: &PriceList,
    offset: usize,
    steps: &mut Vec<Step>,
) -> Result<(), Failure> {
    for priced in &list.day {
        let from_unix_s = instant(zone, date, priced.hours.from_minute)?;
        let step = Step { from_unix_s, tariff: offset + priced.tariff };
        if steps.last().is_some_and(|last| last.from_unix_s == from_unix_s) {
            steps.pop();
        }
        if steps.last().is_none_or(|last| last.tariff != step.tariff) {
            steps.push(step);
        }
    }
    Ok(())
}

/// The instant of a minute of a day: the first of two, the next that there is of none.
fn instant(zone: &Zone, date: Date, minute: u32) -> Result<i64, Failure> {
    if minute == 0 {
        return Ok(zone.day(zone_date(date)?).map_err(Failure::input)?.start_unix_s);
    }
    for minute in minute..minute + MINUTES_OF_A_GAP {
        let (hour, rest) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
        let (Ok(hour), Ok(rest)) = (hour, rest) else { break };
        let Ok(local) = Local::new(zone_date(date)?, hour, rest, 0) else { break };
        match zone.instants(local).map_err(Failure::input)? {
            Instants::One(unix_s) | Instants::Two(unix_s, _) => return Ok(unix_s),
            Instants::None => {}
        }
    }
    Err(Failure::Input(format!("{date} ends before minute {minute} in {}", zone.name())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_billing::community::{Settings, parse_accounts, parse_meters};
    use veilgrid_market::sharing::SharingKey;

    fn community() -> Community {
        let settings = include_str!("../../../data/billing/community.toml");
        let accounts = "account,name,street,town,country,zone\na,Ana,Weg 1,8010 Graz,AT,7\n";
        Community::new(
            Settings::parse(settings).expect("settings"),
            parse_accounts(accounts.as_bytes()).expect("accounts"),
            parse_meters("meter,account,direction\nAT1,a,consumption\n".as_bytes()).expect("meters"),
            SharingKey::ProRata,
        )
        .expect("a community")
    }

    #[test]
    fn tariffs_follow_the_clock_through_its_changes() {
        let (community, zone) = (community(), Zone::named("Europe/Vienna").expect("a zone"));
        for (month, slots) in [("2026-03", 31 * 96 - 4), ("2026-10", 31 * 96 + 4), ("2026-02", 28 * 96)] {
            let period = month.parse().expect("a month");
            let calendar = Calendar::of(&zone, period, 900).expect("a month");
            assert_eq!(calendar.slots, slots);
            let terms = terms(&community, &zone, &calendar).expect("terms");
            for day in &calendar.days {
                let names: Vec<&str> = (day.first_slot..day.first_slot + day.slots)
                    .map(|slot| {
                        let at =
                            terms.prices.at(calendar.start_unix_s + slot as i64 * 900).expect("a tariff");
                        terms.prices.tariffs()[at].name.as_str()
                    })
                    .collect();
                // From six to ten it is always sixteen hours; the clock is put at night.
                let days = names.iter().filter(|name| **name == "Day").count();
                assert_eq!((days, names.len()), (64, day.slots), "{}", day.date);
                assert_eq!(names.iter().rev().take(8).filter(|name| **name == "Night").count(), 8);
                assert_eq!(calendar.date_of(day.first_slot + day.slots - 1), day.date.to_string());
            }
        }
        let early = Calendar::of(&zone, "2025-12".parse().expect("a month"), 900).expect("a month");
        assert!(
            terms(&community, &zone, &early)
                .expect_err("no prices")
                .to_string()
                .contains("no price is in force")
        );
    }

    #[test]
    fn a_step_inside_of_the_hour_that_is_left_out_waits_for_its_end() {
        let zone = Zone::named("Europe/Vienna").expect("a zone");
        let date = "2026-03-29".parse().expect("a date");
        assert_eq!(instant(&zone, date, 150).ok(), instant(&zone, date, 180).ok());
        assert_eq!(
            instant(&zone, date, 180).expect("an instant") - instant(&zone, date, 0).expect("midnight"),
            2 * 3600
        );
    }
}
