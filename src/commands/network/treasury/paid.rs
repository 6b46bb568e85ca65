//! `veilgrid treasury paid`.

use super::PaidArgs;
use super::send::{Planned, Till};
use super::waiting::waiting;
use crate::failure::Failure;
use std::collections::BTreeMap;
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::money::treasury::{MAX_ENTRIES_PER_ORDER, Payment, TreasuryAction};
use veilgrid_node::start::block_on;

pub(super) fn run(args: &PaidArgs) -> Result<(), Failure> {
    let mut named = Vec::with_capacity(args.withdrawals.len());
    for text in &args.withdrawals {
        let payment = payment(text)?;
        if named.contains(&payment) {
            return Err(Failure::Input(format!("withdrawal {text} is named twice")));
        }
        named.push(payment);
    }
    let till = Till::open(&args.order)?;
    let unpaid = unpaid_everywhere(args)?;
    let with_amounts = named.iter().map(|payment| {
        let (number, debit_sequence) = (payment.number, payment.debit_sequence);
        let amount_ct = unpaid.get(&(number, debit_sequence)).copied().ok_or_else(|| {
            Failure::Input(format!(
                "no withdrawal {number}/{debit_sequence} waits to be paid: `veilgrid treasury status` lists those that do; \
                 nothing was sent"
            ))
        })?;
        Ok((*payment, amount_ct))
    });
    let with_amounts = with_amounts.collect::<Result<Vec<_>, Failure>>()?;
    let planned = with_amounts.chunks(MAX_ENTRIES_PER_ORDER).map(|chunk| Planned {
        amount_ct: chunk.iter().fold(0, |sum: u64, (_, amount_ct)| sum.saturating_add(*amount_ct)),
        action: TreasuryAction::Paid(chunk.iter().map(|(payment, _)| *payment).collect()),
    });
    let planned = planned.collect();
    till.send(&args.order, planned)?.tell(args.order.json)
}

fn payment(text: &str) -> Result<Payment, Failure> {
    let parts = text.split_once('/').and_then(|(number, debit_sequence)| {
        Some(Payment { number: number.parse().ok()?, debit_sequence: debit_sequence.parse().ok()? })
    });
    parts.ok_or_else(|| {
        Failure::Input(format!("{text:?}: name a withdrawal as ACCOUNT/DEBIT, for example 7/2"))
    })
}

/// What all nodes that answer name, with the same amounts.
fn unpaid_everywhere(args: &PaidArgs) -> Result<BTreeMap<(AccountNumber, u64), u64>, Failure> {
    let reach = &args.order.reach;
    let clients = args.order.url.iter().map(|url| reach.client(url)).collect::<Result<Vec<_>, _>>()?;
    let found = block_on(waiting(&clients)).map_err(Failure::input)??;
    Ok(found.unpaid.iter().map(|one| ((one.number, one.debit_sequence), one.amount_ct)).collect())
}
