//! The treasury's key, the accounts as the network has them, and orders on their way until they are final.
#![allow(
    clippy::disallowed_types,
    reason = "how long an order is waited for is by the clock; nothing here is hashed or settled"
)]

use super::OrderArgs;
use super::status::all_accounts;
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use serde::Serialize;
use std::time::{Duration, Instant};
use veilgrid_api::{AccountEntry, AccountsPage, AccountsQuery};
use veilgrid_client::Client;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::money::treasury::{TreasuryAction, TreasuryOrder};
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_node::keyfile::{TreasuryKeys, open};
use veilgrid_node::passphrase;
use veilgrid_node::start::block_on;
use veilgrid_roles::treasury::amount::format_euro;

/// Pause before a node is asked again how far the ledger is.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// The treasury's key beside the accounts as nodes of the network have them.
pub(super) struct Till {
    pub(super) key: SigningKey,
    page: AccountsPage,
}

/// An order before it has a number.
pub(super) struct Planned {
    pub(super) action: TreasuryAction,
    pub(super) amount_ct: u64,
}

/// What became of a command's orders.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    ledger_id: Hex32,
    dry_run: bool,
    orders: Vec<SentOrder>,
    /// Number of the treasury's next order after them.
    next_order: u64,
    height: u64,
}

#[derive(Debug, Serialize)]
struct SentOrder {
    sequence: u64,
    kind: TransactionKind,
    accounts: usize,
    amount_ct: u64,
}

impl Till {
    /// Opens the key file, asks for the accounts, and checks that the one is the treasury of the others.
    pub(super) fn open(args: &OrderArgs) -> Result<Self, Failure> {
        let page = block_on(agreed(&clients(args)?)).map_err(Failure::input)??;
        if let Some(expected) = args.order.filter(|expected| *expected != page.treasury_sequence) {
            return Err(Failure::Input(format!(
                "the ledger's next order of the treasury is number {}, not {expected}: compare your books with `veilgrid treasury \
                 status`; nothing was sent",
                page.treasury_sequence
            )));
        }
        let passphrase =
            passphrase::existing(args.passphrase_file.as_deref(), &args.key_file).map_err(Failure::input)?;
        let (_, TreasuryKeys { signing }) =
            open::<TreasuryKeys>(&args.key_file, &passphrase).map_err(Failure::input)?;
        if signing.verifying_key().to_bytes() != page.treasury_key.0 {
            let whose = format!(
                "the treasury of this ledger has the key {}, not that of this file",
                page.treasury_key
            );
            return Err(Failure::file(&args.key_file, whose));
        }
        Ok(Self { key: signing, page })
    }

    pub(super) fn accounts(&self) -> &[AccountEntry] {
        &self.page.accounts
    }

    /// Signs the orders one after another, each when the one before is final.
    pub(super) fn send(self, args: &OrderArgs, planned: Vec<Planned>) -> Result<Sent, Failure> {
        let mut sent = Sent {
            ledger_id: self.page.ledger_id,
            dry_run: args.dry_run,
            orders: Vec::new(),
            next_order: self.page.treasury_sequence,
            height: self.page.height,
        };
        let numbered = (self.page.treasury_sequence..).zip(planned);
        if args.dry_run {
            sent.orders = numbered.map(|(sequence, planned)| SentOrder::of(sequence, &planned)).collect();
            return Ok(sent);
        }
        // Connections belong to the runtime on which they were opened.
        let clients = clients(args)?;
        let wait = Duration::from_secs(args.wait_s);
        block_on(async {
            for (sequence, planned) in numbered {
                sent.orders.push(SentOrder::of(sequence, &planned));
                let id = &self.page.ledger_id.0;
                let order = TreasuryOrder::sign(id, sequence, planned.action, &self.key, &mut OsRng);
                let after = hand_in(&clients, order, wait).await?;
                (sent.next_order, sent.height) = (after.treasury_sequence, after.height);
            }
            Ok::<(), Failure>(())
        })
        .map_err(Failure::input)??;
        Ok(sent)
    }
}

impl SentOrder {
    fn of(sequence: u64, planned: &Planned) -> Self {
        let Planned { action, amount_ct } = planned;
        Self { sequence, kind: action.kind(), accounts: action.entries(), amount_ct: *amount_ct }
    }
}

fn clients(args: &OrderArgs) -> Result<Vec<Client>, Failure> {
    args.url.iter().map(|url| args.reach.client(url)).collect()
}

/// The accounts as all nodes that answer have them. An order that is signed under a later number than the next one could be
/// handed in by anybody when that number comes, so nothing is signed before they agree on it.
async fn agreed(clients: &[Client]) -> Result<AccountsPage, Failure> {
    let (mut found, mut last) = (None::<AccountsPage>, None);
    for client in clients {
        match all_accounts(client).await {
            Ok(page) => {
                let first = found.get_or_insert_with(|| page.clone());
                same(client, first, &page)?;
            }
            Err(error) => last = Some(Failure::input(error)),
        }
    }
    found.ok_or_else(|| {
        last.unwrap_or_else(|| Failure::Input("name the HTTP address of a validator (--url)".to_owned()))
    })
}

/// Checks a node against those before it.
fn same(client: &Client, first: &AccountsPage, page: &AccountsPage) -> Result<(), Failure> {
    let name = client.name();
    if first.ledger_id != page.ledger_id {
        return Err(Failure::Input(format!("{name} is a node of another ledger than the one before")));
    }
    if first.treasury_sequence != page.treasury_sequence {
        return Err(Failure::Input(format!(
            "{name} has order {} of the treasury next, the node before has {}: one of them is behind or wrong; try again, nothing \
             was sent",
            page.treasury_sequence, first.treasury_sequence
        )));
    }
    let other = page.accounts.iter().find(|entry| {
        let same = |other: &&AccountEntry| other.number == entry.number;
        first.accounts.iter().find(same).is_some_and(|other| other.account != entry.account)
    });
    match other {
        Some(entry) => Err(Failure::Input(format!(
            "{name} gives number {} to another account than the node before: one of them is wrong; ask others, nothing was sent",
            entry.number
        ))),
        None => Ok(()),
    }
}

/// Gives an order to all of them and waits until one of those that have taken it says that it is final.
#[allow(clippy::disallowed_types, reason = "how long a person waits; nothing hashed depends on it")]
async fn hand_in(clients: &[Client], order: TreasuryOrder, wait: Duration) -> Result<AccountsPage, Failure> {
    let sequence = order.sequence;
    let bytes = Transaction::Treasury(Box::new(order)).to_bytes();
    let mut refused = Vec::new();
    let mut taken = Vec::new();
    for client in clients {
        match client.submit_transaction(bytes.clone()).await {
            Ok(()) => taken.push(client),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if taken.is_empty() {
        let why = refused.join("; ");
        return Err(Failure::Input(format!("no validator takes order {sequence} of the treasury: {why}")));
    }
    let until = Instant::now() + wait;
    loop {
        for client in &taken {
            match client.accounts(&AccountsQuery { from: 1, max: 0 }).await {
                Ok(page) if page.treasury_sequence > sequence => return Ok(page),
                // One that is down for a moment is asked again.
                Ok(_) | Err(_) => {}
            }
        }
        if Instant::now() >= until {
            return Err(Failure::Input(format!(
                "order {sequence} of the treasury was handed in and is not final after {} s: it may still come. Look with `veilgrid \
                 treasury status`; if its next order is {}, this one counts, and orders after it were not sent. Hand in what is \
                 missing with --order",
                wait.as_secs(),
                sequence.saturating_add(1)
            )));
        }
        // Nothing else goes on in this program meanwhile.
        std::thread::sleep(ASK_EVERY);
    }
}

impl Sent {
    pub(super) fn tell(self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(&self);
        }
        let state = if self.dry_run { "would be sent" } else { "final" };
        let mut table = output::table(&["order", "number", "accounts", "EUR", ""]);
        for order in &self.orders {
            table.add_row([
                order.kind.to_string(),
                order.sequence.to_string(),
                order.accounts.to_string(),
                format_euro(order.amount_ct),
                state.to_owned(),
            ]);
        }
        output::line(table);
        output::line(format!(
            "the treasury's next order is number {}, at height {}",
            self.next_order, self.height
        ));
        Ok(())
    }
}
