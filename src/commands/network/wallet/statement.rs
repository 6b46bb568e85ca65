//! `veilgrid wallet show` and `statement`.

use super::rebuilt::{Rebuilt, open_keys, rebuild};
use super::{ReadArgs, StatementArgs};
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{Q16, format_ct_per_kwh, format_ct_q16, format_exact_ct_q16, format_ratio};
use veilgrid_roles::wallet::{Line, LineKind};

/// Decimals of the table.
const SHOWN_DECIMALS: u32 = 4;
/// Decimals with which energy in Wh is exact.
const EXACT_WH_DECIMALS: u32 = 16;

#[derive(Serialize)]
struct Shown {
    ledger_id: Hex32,
    height: u64,
    account: Hex32,
    number: Option<AccountNumber>,
    balance_ct: String,
    reserved_ct: String,
    free_ct: String,
    debit_sequence: Option<u64>,
    unclaimed_rounds: Vec<u64>,
}

#[derive(Serialize)]
struct Statement {
    ledger_id: Hex32,
    height: u64,
    account: Hex32,
    number: Option<AccountNumber>,
    balance_ct: String,
    lines: Vec<StatementLine>,
}

/// A line with exact numbers as text. What a kind of line does not have is null, and empty in CSV.
#[derive(Default, Serialize)]
struct StatementLine {
    height: u64,
    time: String,
    kind: &'static str,
    round: Option<u64>,
    slot_start: Option<String>,
    slot_seconds: Option<u32>,
    bought_wh: Option<String>,
    sold_wh: Option<String>,
    buy_price_ct_per_kwh: Option<String>,
    sell_price_ct_per_kwh: Option<String>,
    debit_sequence: Option<u64>,
    reference: Option<Hex32>,
    amount_ct: String,
    balance_ct: String,
}

const COLUMNS: &str = "height,time,kind,round,slot_start,slot_seconds,bought_wh,sold_wh,buy_price_ct_per_kwh,\
    sell_price_ct_per_kwh,debit_sequence,reference,amount_ct,balance_ct";

pub(super) fn show(args: &ReadArgs) -> Result<(), Failure> {
    let keys = open_keys(&args.keys)?;
    let rebuilt = rebuild(&keys, &args.ledger)?;
    let shown = Shown::of(&rebuilt);
    if args.json {
        return output::json(&shown);
    }
    output::line(format!("ledger         {}", shown.ledger_id));
    output::line(format!("height         {}", shown.height));
    output::line(format!("account        {}{}", number_text(shown.number), shown.account));
    output::line(format!("balance        {} ct", shown.balance_ct));
    output::line(format!(
        "held back      {} ct, for bids whose rounds are not over or not claimed",
        shown.reserved_ct
    ));
    output::line(format!("free           {} ct", shown.free_ct));
    if !shown.unclaimed_rounds.is_empty() {
        let rounds: Vec<String> = shown.unclaimed_rounds.iter().map(u64::to_string).collect();
        output::line(format!("to be claimed  rounds {}", rounds.join(", ")));
    }
    Ok(())
}

pub(super) fn number_text(number: Option<AccountNumber>) -> String {
    number.map_or_else(String::new, |number| format!("{number}, "))
}

impl Shown {
    fn of(rebuilt: &Rebuilt<'_>) -> Self {
        let (wallet, state) = (&rebuilt.wallet, rebuilt.ledger.state());
        let account = wallet.number().and_then(|number| state.accounts()?.account(number));
        Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            account: Hex32(wallet.account()),
            number: wallet.number(),
            balance_ct: format_exact_ct_q16(wallet.balance_units()),
            reserved_ct: format_exact_ct_q16(wallet.reserved_units()),
            free_ct: format_exact_ct_q16(wallet.free_units()),
            debit_sequence: account.map(|account| account.debit_sequence()),
            unclaimed_rounds: wallet.unclaimed_rounds().collect(),
        }
    }
}

pub(super) fn statement(args: &StatementArgs) -> Result<(), Failure> {
    let keys = open_keys(&args.read.keys)?;
    let rebuilt = rebuild(&keys, &args.read.ledger)?;
    let (wallet, state) = (&rebuilt.wallet, rebuilt.ledger.state());
    if args.read.json {
        return output::json(&Statement {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            account: Hex32(wallet.account()),
            number: wallet.number(),
            balance_ct: format_exact_ct_q16(wallet.balance_units()),
            lines: wallet.lines().iter().map(StatementLine::of).collect(),
        });
    }
    if args.csv {
        output::line(COLUMNS);
        wallet.lines().iter().for_each(|line| output::line(StatementLine::of(line).csv()));
        return Ok(());
    }
    let mut table = output::table(&["time", "what", "bought Wh", "sold Wh", "ct/kWh", "ct", "balance ct"]);
    for line in wallet.lines() {
        table.add_row(row(line));
    }
    output::line(table);
    output::line(format!(
        "account {}balance {} ct at height {}",
        number_text(wallet.number()),
        format_exact_ct_q16(wallet.balance_units()),
        state.height()
    ));
    Ok(())
}

fn seconds(time_unix_ms: u64) -> i64 {
    i64::try_from(time_unix_ms / 1000).unwrap_or(i64::MAX)
}

fn exact_wh(energy_wh_q16: u64) -> String {
    let text = format_ratio(energy_wh_q16.into(), Q16.into(), EXACT_WH_DECIMALS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn row(line: &Line) -> Vec<String> {
    let shown = |units| format_ct_q16(units, SHOWN_DECIMALS);
    let wh = |energy_wh_q16: u64| format_ratio(energy_wh_q16.into(), Q16.into(), 3);
    let (what, [bought, sold, price]) = match &line.kind {
        LineKind::Deposit { .. } => ("deposit".to_owned(), Default::default()),
        LineKind::Withdrawal { debit_sequence } => {
            (format!("withdrawal {debit_sequence}"), Default::default())
        }
        LineKind::Fill { round_id, slot, bought_wh_q16, sold_wh_q16, trade } => {
            let price =
                if *bought_wh_q16 > 0 { trade.buy_price_mct_per_kwh } else { trade.sell_price_mct_per_kwh };
            let what = format!("round {round_id}, {}", output::utc(slot.start_unix_s));
            (what, [wh(*bought_wh_q16), wh(*sold_wh_q16), format_ct_per_kwh(price)])
        }
    };
    let time = output::utc(seconds(line.time_unix_ms));
    vec![time, what, bought, sold, price, shown(line.units), shown(line.balance_units)]
}

impl StatementLine {
    fn of(line: &Line) -> Self {
        let base = Self {
            height: line.height,
            time: format_utc(seconds(line.time_unix_ms)),
            amount_ct: format_exact_ct_q16(line.units),
            balance_ct: format_exact_ct_q16(line.balance_units),
            ..Self::default()
        };
        match &line.kind {
            LineKind::Deposit { reference } => {
                Self { kind: "deposit", reference: Some(Hex32(*reference)), ..base }
            }
            LineKind::Withdrawal { debit_sequence } => {
                Self { kind: "withdrawal", debit_sequence: Some(*debit_sequence), ..base }
            }
            LineKind::Fill { round_id, slot, bought_wh_q16, sold_wh_q16, trade } => Self {
                kind: "fill",
                round: Some(*round_id),
                slot_start: Some(format_utc(slot.start_unix_s)),
                slot_seconds: Some(slot.seconds),
                bought_wh: Some(exact_wh(*bought_wh_q16)),
                sold_wh: Some(exact_wh(*sold_wh_q16)),
                buy_price_ct_per_kwh: Some(format_ct_per_kwh(trade.buy_price_mct_per_kwh)),
                sell_price_ct_per_kwh: Some(format_ct_per_kwh(trade.sell_price_mct_per_kwh)),
                ..base
            },
        }
    }

    /// No field has a comma or a quote.
    fn csv(&self) -> String {
        fn text<T: ToString>(field: &Option<T>) -> String {
            field.as_ref().map(T::to_string).unwrap_or_default()
        }
        [
            self.height.to_string(),
            self.time.clone(),
            self.kind.to_owned(),
            text(&self.round),
            text(&self.slot_start),
            text(&self.slot_seconds),
            text(&self.bought_wh),
            text(&self.sold_wh),
            text(&self.buy_price_ct_per_kwh),
            text(&self.sell_price_ct_per_kwh),
            text(&self.debit_sequence),
            text(&self.reference),
            self.amount_ct.clone(),
            self.balance_ct.clone(),
        ]
        .join(",")
    }
}
