//! Withdrawals that wait to be paid, as several nodes have them: what one node alone says is no reason to pay.

use super::status::all_unpaid;
use crate::failure::Failure;
use std::collections::BTreeMap;
use veilgrid_api::{AccountsPage, AccountsQuery, UnpaidWithdrawal};
use veilgrid_client::{Client, ClientError};

/// What the nodes that answered say.
pub(super) struct Waiting {
    /// Of the first of them.
    pub(super) page: AccountsPage,
    /// How many they are.
    pub(super) nodes: usize,
    /// What all of them name.
    pub(super) unpaid: Vec<UnpaidWithdrawal>,
    /// What only some of them name: made or paid a moment ago, or not true.
    pub(super) doubted: Vec<UnpaidWithdrawal>,
}

/// Asks all nodes. One that is down is left out; when no one answers, the last error is told.
pub(super) async fn waiting(clients: &[Client]) -> Result<Waiting, Failure> {
    let (mut answers, mut last) = (Vec::new(), None);
    for client in clients {
        match ask(client).await {
            Ok((page, unpaid)) => answers.push((client.name(), page, unpaid)),
            Err(error) => last = Some(Failure::input(error)),
        }
    }
    let none = || Failure::Input("name the HTTP address of a validator (--url)".to_owned());
    let nodes = answers.len();
    let Some((_, page, _)) = answers.first() else { return Err(last.unwrap_or_else(none)) };
    let page = page.clone();
    let mut named: BTreeMap<(u32, u64), (u64, usize)> = BTreeMap::new();
    for (name, other, unpaid) in &answers {
        if (other.ledger_id, other.treasury_key) != (page.ledger_id, page.treasury_key) {
            let text =
                format!("{name} is a node of another ledger, or names another treasury, than the one before");
            return Err(Failure::Input(text));
        }
        for one in unpaid {
            let entry = named.entry((one.number, one.debit_sequence)).or_insert((one.amount_ct, 0));
            if entry.0 != one.amount_ct {
                return Err(Failure::Input(format!(
                    "{name} says that withdrawal {}/{} is of {} ct, a node before it says {} ct: one of them lies; ask others and pay \
                     nothing before",
                    one.number, one.debit_sequence, one.amount_ct, entry.0
                )));
            }
            entry.1 = entry.1.saturating_add(1);
        }
    }
    let withdrawal = |((number, debit_sequence), (amount_ct, count)): ((u32, u64), (u64, usize))| {
        (UnpaidWithdrawal { number, debit_sequence, amount_ct }, count)
    };
    let (agreed, doubted): (Vec<_>, Vec<_>) =
        named.into_iter().map(withdrawal).partition(|(_, count)| *count == nodes);
    let only = |pairs: Vec<(UnpaidWithdrawal, usize)>| pairs.into_iter().map(|(one, _)| one).collect();
    Ok(Waiting { page, nodes, unpaid: only(agreed), doubted: only(doubted) })
}

async fn ask(client: &Client) -> Result<(AccountsPage, Vec<UnpaidWithdrawal>), ClientError> {
    let page = client.accounts(&AccountsQuery { from: 1, max: 0 }).await?;
    Ok((page, all_unpaid(client).await?))
}
