//! The day as a page.

use super::plan::Plan;
use crate::page::{cleared, opened};
use std::path::Path;
use veilgrid_demo::{DayReport, MoneyReport, RoundResult, RoundRow};
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_market::units::format_ratio;
use veilgrid_pages::day::{DayPage, Money, RoleDay};
use veilgrid_pages::rounds::{Ended, Round, Tariffs};
use veilgrid_scenario::behaviour::RoleSummary;

/// What the page says.
pub(super) fn page(plan: &Plan, day: &DayReport, ledger: &Path) -> DayPage {
    let config = &plan.config;
    DayPage {
        members: config.participants.len(),
        validators: (config.validators, config.params.threshold),
        rounds: day.rounds.iter().map(round).collect(),
        tariffs: Tariffs {
            retail_mct_per_kwh: config.tariffs.retail_mct_per_kwh(),
            feed_in_mct_per_kwh: config.tariffs.feed_in_mct_per_kwh(),
        },
        roles: day.gains.iter().map(role).collect(),
        money: day.money.as_ref().map(money),
        check: format!("veilgrid audit {} --genesis {}", ledger.display(), hex::encode(day.genesis_hash)),
        cancelled: day.cancelled,
    }
}

fn round(row: &RoundRow) -> Round {
    let sums = row.opened.iter();
    Round {
        round_id: row.round_id,
        slot_start_unix_s: Some(row.slot_start_unix_s),
        bids: row.bids,
        ended: match &row.result {
            RoundResult::Settled(outcome) => cleared(outcome),
            RoundResult::Void(reason) => Ended::Void(reason.to_string()),
            RoundResult::Unfinished => Ended::Open("the day was ended early".to_owned()),
        },
        opened: sums.map(|sum| opened(sum.request.kind, sum.request.tick, sum.value_wh)).collect(),
    }
}

fn role(summary: &RoleSummary) -> RoleDay {
    let wh = |energy_wh: i128| u64::try_from(energy_wh).unwrap_or(0);
    RoleDay {
        role: summary.role.to_string(),
        members: summary.members,
        bought_wh: wh(summary.bought_wh),
        sold_wh: wh(summary.sold_wh),
        gain_mct: summary.gain_mct,
    }
}

fn money(money: &MoneyReport) -> Money {
    let ct = |units: i128| format_ratio(units, UNITS_PER_CT.unsigned_abs(), 6);
    Money {
        deposited_ct: money.deposited_ct.to_string(),
        members_ct: ct(money.balances_units),
        community_ct: ct(money.community_units),
        missing: match money.difference_units() {
            0 => "0".to_owned(),
            units => format!("{units} / {UNITS_PER_CT} ct"),
        },
    }
}
