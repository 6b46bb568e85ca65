//! What a day came to, as tables and as JSON.

use super::plan::Plan;
use crate::output;
use serde::Serialize;
use std::path::Path;
use veilgrid_demo::{DayReport, MoneyReport, RoundResult, RoundRow};
use veilgrid_ledger::audit::AuditReport;
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh, format_ratio};
use veilgrid_scenario::behaviour::{MovedLimit, RoleSummary};
use veilgrid_scenario::community::Rounding;

/// Prints the day for people.
pub fn print(plan: &Plan, day: &DayReport) {
    let config = &plan.config;
    let tariffs = &config.tariffs;
    output::line(format!(
        "{} of {} participants, {} validators ({} open a sum), prices from {} to {} ct/kWh by {}",
        config.participants.len(),
        plan.available,
        config.validators,
        config.params.threshold,
        format_ct_per_kwh(config.params.grid.price_min_mct_per_kwh()),
        format_ct_per_kwh(config.params.grid.price_max_mct_per_kwh()),
        format_ct_per_kwh(config.params.grid.tick_mct_per_kwh()),
    ));
    output::line(rounding_line(&plan.rounding));
    let header =
        ["slot (UTC)", "bids", "price ct/kWh", "volume kWh", "rationed", "opened sums (Wh)", "s to clear"];
    let mut rounds = output::table(&header);
    for row in &day.rounds {
        rounds.add_row(round_cells(row));
    }
    output::line(rounds);
    if let Some(line) = moved_line(&day.rounds) {
        output::line(line);
    }
    output::line(format!(
        "What each kind of participant gained against retail {} and feed-in {} ct/kWh. The simulation knows this \
         because it plays everybody; nobody else can compute it:",
        format_ct_per_kwh(tariffs.retail_mct_per_kwh()),
        format_ct_per_kwh(tariffs.feed_in_mct_per_kwh()),
    ));
    let mut gains = output::table(&["role", "members", "bought kWh", "sold kWh", "gain ct"]);
    for summary in &day.gains {
        gains.add_row(gain_cells(summary));
    }
    output::line(gains);
    if let Some(money) = &day.money {
        output::line(money_line(money));
    }
    let proving: f64 = day.rounds.iter().map(|row| row.timings.proving.as_secs_f64()).sum();
    let opening: f64 = day.rounds.iter().map(|row| row.timings.opening.as_secs_f64()).sum();
    output::line(format!(
        "took: key generation {:.1} s, sealing {proving:.1} s, close to settled {opening:.1} s in {} rounds",
        day.key_generation.as_secs_f64(),
        day.rounds.len(),
    ));
    for share in &day.tip.false_shares {
        output::line(format!("false share: {share}"));
    }
    for (validator, why) in &day.tip.left_behind {
        output::line(format!("validator {validator} was left behind by the others: {why}"));
    }
}

/// Balances are the simulation's own knowledge, their sum with the public account everybody's to check by the claims' proofs.
fn money_line(money: &MoneyReport) -> String {
    let ct = |units: i128| format_ratio(units, UNITS_PER_CT.unsigned_abs(), 6);
    format!(
        "money: {} ct were deposited; members hold {} ct, the community's public account {} ct; {} fills are not claimed, \
         {} units of 1/{UNITS_PER_CT} ct are missing",
        money.deposited_ct,
        ct(money.balances_units),
        ct(money.community_units),
        money.unclaimed,
        money.difference_units(),
    )
}

fn rounding_line(rounding: &Rounding) -> String {
    let kwh = |milliwatt_hours: i128| format_ratio(milliwatt_hours, 1_000_000, 6);
    format!(
        "import to whole Wh changed {} values of the data by {} kWh in total ({} kWh without regard to sign)",
        rounding.changed_values,
        kwh(i128::from(rounding.signed_milliwatt_hours)),
        kwh(i128::from(rounding.absolute_milliwatt_hours)),
    )
}

/// How far the price grid has moved the members' limits, when it has.
fn moved_line(rounds: &[RoundRow]) -> Option<String> {
    let offers: usize = rounds.iter().map(|row| row.market.offers).sum();
    let moved: usize = rounds.iter().map(|row| row.market.moved.len()).sum();
    let most = rounds.iter().map(|row| most_moved_mct_per_kwh(&row.market.moved)).max()?;
    (moved > 0).then(|| {
        format!(
            "limits moved to the grid: {moved} of {offers} are none of its prices and count at the one beside them, buys below \
             and sells above, by {} ct/kWh at most (--json names each; more --ticks move less)",
            format_ct_per_kwh(most)
        )
    })
}

fn most_moved_mct_per_kwh(moved: &[MovedLimit]) -> u64 {
    let by = |one: &MovedLimit| one.limit_mct_per_kwh.abs_diff(one.grid_price_mct_per_kwh);
    moved.iter().map(by).max().unwrap_or(0)
}

fn round_cells(row: &RoundRow) -> [String; 7] {
    let of = |show: fn(&Outcome) -> String, otherwise: &str| match &row.result {
        RoundResult::Settled(outcome) => show(outcome),
        _ => otherwise.to_owned(),
    };
    let otherwise = match &row.result {
        RoundResult::Settled(_) => "-",
        RoundResult::Void(VoidReason::TooFewBids) => "void: too few bids",
        RoundResult::Void(VoidReason::OpeningDeadline) => "void: not opened in time",
        RoundResult::Void(VoidReason::NoKeys | VoidReason::NotOpened) => "void: nobody could bid",
        RoundResult::Unfinished => "unfinished",
    };
    [
        output::utc(row.slot_start_unix_s),
        row.bids.to_string(),
        of(output::price, otherwise),
        of(output::volume, "-"),
        of(output::rationing, "-"),
        output::opened(&row.opened),
        format!("{:.2}", row.timings.opening.as_secs_f64()),
    ]
}

fn gain_cells(summary: &RoleSummary) -> [String; 5] {
    let kwh = |wh: i128| format_kwh(u64::try_from(wh).unwrap_or(0));
    [
        summary.role.to_string(),
        summary.members.to_string(),
        kwh(summary.bought_wh),
        kwh(summary.sold_wh),
        format_ratio(summary.gain_mct, 1000, 2),
    ]
}

/// The day as JSON.
#[derive(Serialize)]
pub struct DayJson<'a> {
    ledger: String,
    ledger_id: String,
    genesis_hash: String,
    participants: usize,
    validators: u16,
    threshold: u16,
    cancelled: bool,
    rounding: Rounding,
    rounds: Vec<RoundJson<'a>>,
    /// From the simulation's own knowledge; nobody else can compute it.
    gains: &'a [RoleSummary],
    /// None when the day was cancelled.
    money: Option<MoneyJson>,
    false_shares: Vec<String>,
    /// Validators that the others have left behind, and why.
    left_behind: Vec<LeftBehindJson<'a>>,
    key_generation_s: f64,
    audit: &'a AuditReport,
}

/// Amounts in units of 1/65,536,000,000 ct are text: they have more digits than every reader of numbers keeps.
#[derive(Serialize)]
struct MoneyJson {
    deposited_ct: u64,
    community_units: String,
    /// From the simulation's own knowledge.
    balances_units: String,
    unclaimed: usize,
}

#[derive(Serialize)]
struct LeftBehindJson<'a> {
    validator: u16,
    why: &'a str,
}

#[derive(Serialize)]
struct RoundJson<'a> {
    round_id: u64,
    slot_start_unix_s: i64,
    bids: u64,
    status: &'static str,
    price_mct_per_kwh: Option<i64>,
    volume_wh: Option<u64>,
    outcome: Option<&'a Outcome>,
    opened: &'a [veilgrid_ledger::state::round::OpenedSum],
    /// Offers of all members, from the simulation's own knowledge, and those whose limits were moved to the grid.
    offers: usize,
    moved: &'a [MovedLimit],
    proving_s: f64,
    verification_s: f64,
    close_to_settled_s: f64,
}

/// Collects the JSON form.
pub fn json<'a>(plan: &'a Plan, day: &'a DayReport, audit: &'a AuditReport, ledger: &Path) -> DayJson<'a> {
    let left_behind = day.tip.left_behind.iter();
    let left_behind =
        left_behind.map(|(validator, why)| LeftBehindJson { validator: *validator, why: why.as_str() });
    DayJson {
        ledger: ledger.display().to_string(),
        ledger_id: hex::encode(day.ledger_id),
        genesis_hash: hex::encode(day.genesis_hash),
        participants: plan.config.participants.len(),
        validators: plan.config.validators,
        threshold: plan.config.params.threshold,
        cancelled: day.cancelled,
        rounding: plan.rounding,
        rounds: day.rounds.iter().map(round_json).collect(),
        gains: &day.gains,
        money: day.money.as_ref().map(|money| MoneyJson {
            deposited_ct: u64::try_from(money.deposited_ct).unwrap_or(u64::MAX),
            community_units: money.community_units.to_string(),
            balances_units: money.balances_units.to_string(),
            unclaimed: money.unclaimed,
        }),
        false_shares: day.tip.false_shares.iter().map(ToString::to_string).collect(),
        left_behind: left_behind.collect(),
        key_generation_s: day.key_generation.as_secs_f64(),
        audit,
    }
}

fn round_json(row: &RoundRow) -> RoundJson<'_> {
    let (status, outcome) = match &row.result {
        RoundResult::Settled(outcome) => ("settled", Some(outcome)),
        RoundResult::Void(_) => ("void", None),
        RoundResult::Unfinished => ("unfinished", None),
    };
    RoundJson {
        round_id: row.round_id,
        slot_start_unix_s: row.slot_start_unix_s,
        bids: row.bids,
        status,
        price_mct_per_kwh: outcome.and_then(|outcome| outcome.trade).map(|trade| trade.buy_price_mct_per_kwh),
        volume_wh: outcome.and_then(|outcome| outcome.volume_wh),
        outcome,
        opened: &row.opened,
        offers: row.market.offers,
        moved: &row.market.moved,
        proving_s: row.timings.proving.as_secs_f64(),
        verification_s: row.timings.verification.as_secs_f64(),
        close_to_settled_s: row.timings.opening.as_secs_f64(),
    }
}
