//! `veilgrid treasury status`, and what a node says page by page.

use super::StatusArgs;
use super::waiting::{Waiting, waiting};
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_api::{AccountEntry, AccountsPage, AccountsQuery, UnpaidWithdrawal, WithdrawalsQuery};
use veilgrid_client::{Client, ClientError};
use veilgrid_ledger::hash::Hex32;
use veilgrid_node::money_watch::money_texts;
use veilgrid_node::start::block_on;
use veilgrid_roles::treasury::amount::format_euro;

/// The books.
#[derive(Serialize)]
struct Status {
    ledger_id: Hex32,
    height: u64,
    treasury_key: Hex32,
    next_order: u64,
    accounts: u64,
    deposited_ct: u64,
    withdrawn_ct: u64,
    community_ct: String,
    unpaid_ct: u64,
    unpaid: Vec<UnpaidWithdrawal>,
    doubted: Vec<UnpaidWithdrawal>,
    nodes: usize,
    warnings: Vec<String>,
}

pub(super) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let clients = args.url.iter().map(|url| args.reach.client(url)).collect::<Result<Vec<_>, _>>()?;
    let Waiting { page, nodes, unpaid, doubted } = block_on(waiting(&clients)).map_err(Failure::input)??;
    let status = Status {
        ledger_id: page.ledger_id,
        height: page.height,
        treasury_key: page.treasury_key,
        next_order: page.treasury_sequence,
        accounts: page.count,
        deposited_ct: page.deposited_ct,
        withdrawn_ct: page.withdrawn_ct,
        unpaid_ct: unpaid.iter().fold(0, |sum: u64, one| sum.saturating_add(one.amount_ct)),
        unpaid,
        doubted,
        nodes,
        warnings: warnings(&page),
        community_ct: page.community_ct,
    };
    if args.json { output::json(&status) } else { print(&status) }
}

/// What the treasury should look after.
fn warnings(page: &AccountsPage) -> Vec<String> {
    let Some((watch, now_unix_ms)) = page.watch.zip(page.time_unix_ms) else { return Vec::new() };
    let mut found: Vec<String> = money_texts(&watch, now_unix_ms);
    if watch.overdrawn_ct > 0 {
        found.push(format!(
            "{} EUR more were withdrawn than deposited: members with credit lines owe it to others",
            format_euro(watch.overdrawn_ct)
        ));
    }
    found
}

fn print(status: &Status) -> Result<(), Failure> {
    output::line(format!("ledger         {}", status.ledger_id));
    output::line(format!("height         {}", status.height));
    output::line(format!("treasury       key {}, next order {}", status.treasury_key, status.next_order));
    output::line(format!("accounts       {}", status.accounts));
    output::line(format!(
        "deposited      {} EUR, with the community's first deposit",
        format_euro(status.deposited_ct)
    ));
    output::line(format!("withdrawn      {} EUR, paid or not", format_euro(status.withdrawn_ct)));
    output::line(format!("community      {} ct on its public account", status.community_ct));
    output::line(format!("to be paid     {} EUR", format_euro(status.unpaid_ct)));
    if !status.unpaid.is_empty() {
        output::line(table_of(&status.unpaid));
    }
    if !status.doubted.is_empty() {
        output::line(
            "not all nodes name these withdrawals, one of them is behind or lies: do not pay them before all do",
        );
        output::line(table_of(&status.doubted));
    }
    status.warnings.iter().for_each(|text| output::line(format!("warning        {text}")));
    Ok(())
}

fn table_of(withdrawals: &[UnpaidWithdrawal]) -> impl std::fmt::Display {
    let mut table = output::table(&["withdrawal", "account", "EUR"]);
    for one in withdrawals {
        let name = format!("{}/{}", one.number, one.debit_sequence);
        table.add_row([name, one.number.to_string(), format_euro(one.amount_ct)]);
    }
    table
}

/// How often pages are begun anew because the treasury has acted, or a member joined, between two of them.
const TRIES: usize = 10;

/// All pages of accounts in one.
pub(super) async fn all_accounts(client: &Client) -> Result<AccountsPage, ClientError> {
    'anew: for _ in 0..TRIES {
        let mut whole = client.accounts(&AccountsQuery::default()).await?;
        let mut entries: Vec<AccountEntry> = std::mem::take(&mut whole.accounts);
        while let Some(from) = whole.next {
            let page = client.accounts(&AccountsQuery { from, ..AccountsQuery::default() }).await?;
            if (page.treasury_sequence, page.count) != (whole.treasury_sequence, whole.count) {
                continue 'anew;
            }
            // A node whose pages do not go on would be asked for ever.
            if page.next.is_some_and(|next| next <= from) {
                return Err(ClientError::malformed(client.name(), "its pages of accounts do not go on"));
            }
            entries.extend(page.accounts);
            whole.next = page.next;
        }
        return Ok(AccountsPage { accounts: entries, ..whole });
    }
    Err(ClientError::malformed(client.name(), "its accounts change whenever a further page of them is read"))
}

/// All unpaid withdrawals. Those that come meanwhile may be missing: they are there the next time.
pub(super) async fn all_unpaid(client: &Client) -> Result<Vec<UnpaidWithdrawal>, ClientError> {
    let mut query = WithdrawalsQuery::default();
    let mut all = Vec::new();
    loop {
        let page = client.withdrawals(&query).await?;
        all.extend(page.withdrawals);
        let Some(next) = page.next else { return Ok(all) };
        if (next.from, next.from_debit) <= (query.from, query.from_debit) {
            return Err(ClientError::malformed(client.name(), "its pages of withdrawals do not go on"));
        }
        query = WithdrawalsQuery { from: next.from, from_debit: next.from_debit, ..query };
    }
}
