//! `veilgrid wallet claim` and `withdraw`: what is made from the keys, handed in, and waited for.

use super::rebuilt::{Rebuilt, follow, open_keys, rebuild};
use super::{ClaimArgs, WithdrawArgs};
use crate::commands::network::euro::euro;
use crate::commands::network::ledger_source::{Ended, LedgerArgs};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use serde::Serialize;
use std::ops::ControlFlow;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::money::withdrawal::WithdrawalTerms;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::units::format_exact_ct_q16;
use veilgrid_node::start::block_on;
use veilgrid_roles::treasury::amount::format_euro;

#[derive(Serialize)]
struct Claimed {
    claimed: Vec<u64>,
    height: u64,
    balance_ct: String,
    free_ct: String,
}

#[derive(Serialize)]
struct Withdrawn {
    number: AccountNumber,
    debit_sequence: u64,
    amount_ct: u64,
    reference: Hex32,
    dry_run: bool,
    height: u64,
    balance_ct: String,
    free_ct: String,
}

/// What is handed in goes to nodes, so they are named.
fn needs_nodes(args: &LedgerArgs) -> Result<(), Failure> {
    if args.url.is_empty() {
        let text = "name the nodes that take it: --url URL with --genesis HASH";
        return Err(Failure::Input(text.to_owned()));
    }
    Ok(())
}

/// Hands a transaction to every node that is named; one has to take it.
fn hand_in(args: &LedgerArgs, what: &str, transaction: &Transaction) -> Result<(), Failure> {
    let (clients, bytes) = (args.clients()?, transaction.to_bytes());
    let refused = block_on(async {
        let mut refused = Vec::new();
        for client in &clients {
            match client.submit_transaction(bytes.clone()).await {
                Ok(()) => {}
                Err(error) => refused.push(error.to_string()),
            }
        }
        refused
    })
    .map_err(Failure::input)?;
    if refused.len() == clients.len() {
        return Err(Failure::Input(format!("no node takes {what}: {}", refused.join("; "))));
    }
    Ok(())
}

pub(super) fn claim(args: &ClaimArgs) -> Result<(), Failure> {
    needs_nodes(&args.read.ledger)?;
    let keys = open_keys(&args.read.keys)?;
    let mut rebuilt = rebuild(&keys, &args.read.ledger)?;
    let waiting: Vec<u64> = rebuilt.wallet.unclaimed_rounds().collect();
    for round_id in &waiting {
        let claims = rebuilt.wallet.claim(rebuilt.ledger.state(), *round_id, &mut OsRng);
        let Some(claims) = claims else { continue };
        let what = format!("the claim of round {round_id}");
        hand_in(&args.read.ledger, &what, &Transaction::Claims(claims))?;
    }
    let Rebuilt { wallet, ledger } = &mut rebuilt;
    let is_done = |wallet: &veilgrid_roles::wallet::Wallet| {
        wallet.unclaimed_rounds().all(|round_id| !waiting.contains(&round_id))
    };
    if !is_done(wallet) {
        let ended = ledger.wait(args.wait_s, &mut |accepted| {
            follow(wallet, accepted)?;
            Ok(if is_done(wallet) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if ended == Ended::AtEnd {
            return Err(not_final("the claims were", args.wait_s));
        }
    }
    let claimed = Claimed {
        claimed: waiting,
        height: ledger.state().height(),
        balance_ct: format_exact_ct_q16(wallet.balance_units()),
        free_ct: format_exact_ct_q16(wallet.free_units()),
    };
    if args.read.json {
        return output::json(&claimed);
    }
    let rounds = claimed.claimed.len();
    output::line(match rounds {
        0 => "nothing waits to be claimed".to_owned(),
        1 => "1 round is claimed".to_owned(),
        _ => format!("{rounds} rounds are claimed"),
    });
    output::line(format!(
        "balance {} ct, free {} ct, at height {}",
        claimed.balance_ct, claimed.free_ct, claimed.height
    ));
    Ok(())
}

fn not_final(what: &str, wait_s: u64) -> Failure {
    Failure::Input(format!(
        "{what} handed in and not final after {wait_s} s: it may still come; look with `veilgrid wallet show` before you try again"
    ))
}

pub(super) fn withdraw(args: &WithdrawArgs) -> Result<(), Failure> {
    if !args.dry_run {
        needs_nodes(&args.read.ledger)?;
    }
    let amount_ct = euro("--amount", &args.amount)?;
    let reference: Hex32 = match &args.reference {
        Some(text) => text.parse().map_err(|error| Failure::Input(format!("--reference: {error}")))?,
        None => Hex32([0; 32]),
    };
    let keys = open_keys(&args.read.keys)?;
    let mut rebuilt = rebuild(&keys, &args.read.ledger)?;
    let withdrawal = rebuilt
        .wallet
        .withdraw(rebuilt.ledger.state(), amount_ct, reference.0, &mut OsRng)
        .map_err(|error| {
            let free = format_exact_ct_q16(rebuilt.wallet.free_units());
            Failure::Input(format!(
                "{} EUR can't be withdrawn, {free} ct are free: {error}",
                format_euro(amount_ct)
            ))
        })?;
    let terms = withdrawal.terms;
    if !args.dry_run {
        hand_in(&args.read.ledger, "the withdrawal", &Transaction::Withdraw(Box::new(withdrawal)))?;
        await_withdrawal(&mut rebuilt, &terms, args.wait_s)?;
    }
    let (wallet, state) = (&rebuilt.wallet, rebuilt.ledger.state());
    let withdrawn = Withdrawn {
        number: terms.number,
        debit_sequence: terms.debit_sequence,
        amount_ct,
        reference,
        dry_run: args.dry_run,
        height: state.height(),
        balance_ct: format_exact_ct_q16(wallet.balance_units()),
        free_ct: format_exact_ct_q16(wallet.free_units()),
    };
    if args.read.json {
        return output::json(&withdrawn);
    }
    let state = if args.dry_run {
        "could be made; nothing was sent"
    } else {
        "is on the ledger; the treasury pays it"
    };
    let WithdrawalTerms { number, debit_sequence, .. } = terms;
    output::line(format!("withdrawal {number}/{debit_sequence} of {} EUR {state}", format_euro(amount_ct)));
    output::line(format!(
        "balance {} ct, free {} ct, at height {}",
        withdrawn.balance_ct, withdrawn.free_ct, withdrawn.height
    ));
    Ok(())
}

/// Follows the ledger until it has the withdrawal, or another debit of the account in its place.
fn await_withdrawal(rebuilt: &mut Rebuilt<'_>, terms: &WithdrawalTerms, wait_s: u64) -> Result<(), Failure> {
    let Rebuilt { wallet, ledger } = rebuilt;
    let mut is_there = false;
    let ended = ledger.wait(wait_s, &mut |accepted| {
        follow(wallet, accepted)?;
        let withdrawn =
            |effect: &Effect| matches!(effect, Effect::Withdrawn { terms: found } if found == terms);
        is_there |= accepted.effects.all().any(withdrawn);
        let account = accepted.state.accounts().and_then(|accounts| accounts.account(terms.number));
        let moved_on = account.is_some_and(|account| account.debit_sequence() > terms.debit_sequence);
        Ok(if is_there || moved_on { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    match (is_there, ended) {
        (true, _) => Ok(()),
        (false, Ended::AtEnd) => Err(not_final("the withdrawal was", wait_s)),
        (false, Ended::Broken) => Err(Failure::Input(
            "another debit of this account, such as its participant's bid, came first: nothing was withdrawn; try again".to_owned(),
        )),
    }
}
