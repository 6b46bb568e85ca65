//! The comparison as tables for people.

use crate::output;
use veilgrid_market::units::{MCT_PER_CT, format_ct_per_kwh, format_ratio};
use veilgrid_scenario::community::Role;
use veilgrid_scenario::compare::{Comparison, Mechanism, MechanismResult};

/// Money in ct with two decimals.
pub(super) fn ct(mct: i128) -> String {
    format_ratio(mct, u128::from(MCT_PER_CT), 2)
}

/// Thousandths as a percentage with one decimal.
pub(super) fn percent(permille: Option<i128>) -> String {
    permille.map_or("-".to_owned(), |permille| format_ratio(permille, 10, 1))
}

/// A kind of member, several of them.
pub(super) fn plural(role: Role) -> &'static str {
    match role {
        Role::Prosumer => "prosumers",
        Role::Consumer => "consumers",
        Role::ChargingStation => "charging stations",
    }
}

/// Prints the comparison.
pub(super) fn print(comparison: &Comparison, headline: &str) {
    let kwh = |wh: u128| format_ratio(wh.cast_signed(), 1000, 1);
    output::line(format!(
        "{headline}; {} kWh used, {} kWh generated",
        kwh(comparison.consumption_wh),
        kwh(comparison.generation_wh)
    ));
    output::line(costs(comparison));
    output::line(energy(comparison));
    for (mechanism, reason) in &comparison.left_out {
        output::line(format!("{mechanism} is left out: {reason}"));
    }
    for line in notes(comparison) {
        output::line(line);
    }
}

/// What a member pays, by kind, and all of them.
fn costs(comparison: &Comparison) -> comfy_table::Table {
    let roles = comparison.results.first().map(|first| first.roles.as_slice()).unwrap_or_default();
    let mut header = vec!["ct a day".to_owned()];
    header.extend(roles.iter().map(|one| format!("per member, {} {}", one.members, plural(one.role))));
    header.push("all together".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = output::table(&header);
    for result in &comparison.results {
        let mut row = vec![result.mechanism.to_string()];
        row.extend(result.roles.iter().map(|one| ct(one.cost_per_member_mct)));
        row.push(ct(result.cost_mct));
        table.add_row(row);
    }
    table
}

/// What goes through the utility.
fn energy(comparison: &Comparison) -> comfy_table::Table {
    let mut table = output::table(&[
        "energy",
        "from utility kWh",
        "to utility kWh",
        "self-sufficiency %",
        "self-consumption %",
        "peak import kW",
    ]);
    let tenths = |thousandths: i128| format_ratio(thousandths, 1000, 1);
    for result in &comparison.results {
        table.add_row([
            result.mechanism.to_string(),
            tenths(result.from_utility_wh),
            tenths(result.to_utility_wh),
            percent(result.self_sufficiency_permille),
            percent(result.self_consumption_permille),
            tenths(result.peak_import_w),
        ]);
    }
    table
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let auction = &comparison.auction;
    let cost_of = |mechanism| {
        let result = comparison.results.iter().find(|result| result.mechanism == mechanism);
        result.map(|result: &MechanismResult| result.cost_mct)
    };
    let mut notes = Vec::new();
    if let (Some(alone), Some(with)) = (cost_of(Mechanism::Tariffs), cost_of(Mechanism::Auction)) {
        notes.push(format!(
            "the auction saves {} ct against retail and feed-in only: {} ct by trading with each other, {} ct by using energy at \
             other times (what is stored at the day's end is paid for and counts for nothing)",
            ct(alone - with),
            ct(auction.at_tariffs_mct() - with),
            ct(alone - auction.at_tariffs_mct()),
        ));
    }
    let price = auction.mean_price_mct_per_kwh().map_or("-".to_owned(), format_ct_per_kwh);
    notes.push(format!(
        "it trades {} kWh in {} slots, at {price} ct/kWh in the mean; at the day's end {} kWh are stored and {} kWh still wait, in no slot and so not in the peak",
        format_ratio(auction.volume_wh.cast_signed(), 1000, 1),
        auction.traded_slots,
        format_ratio(auction.stored_wh(), 1000, 1),
        format_ratio(auction.waiting_wh(), 1000, 1),
    ));
    notes
}
