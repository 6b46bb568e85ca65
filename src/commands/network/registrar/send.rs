//! The registrar's key, the members as the network has them, and orders on their way until they are final.
#![allow(
    clippy::disallowed_types,
    reason = "how long an order is waited for is by the clock; nothing here is hashed or settled"
)]

use super::OrderArgs;
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use serde::Serialize;
use std::time::Duration;
use veilgrid_api::{MembersPage, MembersQuery};
use veilgrid_client::{Client, ClientError};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_node::keyfile::{RegistrarKeys, open};
use veilgrid_node::passphrase;
use veilgrid_node::start::block_on;
use veilgrid_roles::registrar::plan::{Members, Standing};

/// Pause before a node is asked again how far the ledger is.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// The registrar's key beside the members as a node of the network has them.
pub(super) struct Office {
    pub(super) key: SigningKey,
    page: MembersPage,
}

/// What became of a command's orders.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    pub(super) ledger_id: Hex32,
    pub(super) dry_run: bool,
    /// Rows that the ledger had already.
    pub(super) unchanged: usize,
    pub(super) orders: Vec<SentOrder>,
    /// Members after the orders, or now when nothing was sent.
    pub(super) members: u64,
    pub(super) height: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct SentOrder {
    sequence: u64,
    kind: TransactionKind,
    accounts: usize,
}

impl Office {
    /// Opens the key file, asks for the members, and checks that the one is the registrar of the other.
    pub(super) fn open(args: &OrderArgs) -> Result<Self, Failure> {
        let page = block_on(anybody(&reach(args)?)).map_err(Failure::input)??;
        let passphrase =
            passphrase::existing(args.passphrase_file.as_deref(), &args.key_file).map_err(Failure::input)?;
        let (_, RegistrarKeys { signing }) =
            open::<RegistrarKeys>(&args.key_file, &passphrase).map_err(Failure::input)?;
        if signing.verifying_key().to_bytes() != page.registrar_key.0 {
            let whose = format!(
                "the registrar of this ledger has the key {}, not that of this file",
                page.registrar_key
            );
            return Err(Failure::file(&args.key_file, whose));
        }
        Ok(Self { key: signing, page })
    }

    pub(super) fn key_epoch(&self) -> u64 {
        self.page.key_epoch
    }

    /// The members, for checks before anything is signed.
    pub(super) fn members(&self) -> Members {
        members_of(&self.page)
    }

    /// Signs the orders one after another, each when the one before is final.
    pub(super) fn send(self, args: &OrderArgs, actions: Vec<Action>) -> Result<Sent, Failure> {
        let mut sent = Sent {
            ledger_id: self.page.ledger_id,
            dry_run: args.dry_run,
            unchanged: 0,
            orders: Vec::new(),
            members: self.page.count,
            height: self.page.height,
        };
        let numbered = (self.page.sequence..).zip(actions);
        if args.dry_run {
            sent.orders = numbered.map(|(sequence, action)| SentOrder::of(sequence, &action)).collect();
            return Ok(sent);
        }
        // Connections belong to the runtime on which they were opened.
        let clients = reach(args)?;
        let wait = Duration::from_secs(args.wait_s);
        block_on(async {
            for (sequence, action) in numbered {
                sent.orders.push(SentOrder::of(sequence, &action));
                let id = &self.page.ledger_id.0;
                let order = RegistrarOrder::sign(id, sequence, action, &self.key, &mut OsRng);
                let after = hand_in(&clients, order, wait).await?;
                (sent.members, sent.height) = (after.count, after.height);
            }
            Ok::<(), Failure>(())
        })
        .map_err(Failure::input)??;
        Ok(sent)
    }
}

impl SentOrder {
    fn of(sequence: u64, action: &Action) -> Self {
        Self { sequence, kind: action.kind(), accounts: action.accounts() }
    }
}

fn members_of(page: &MembersPage) -> Members {
    let members = page.members.iter().map(|entry| Standing {
        number: entry.number,
        certificate: entry.certificate(page.key_epoch),
        suspended: entry.suspended,
    });
    Members::new(members, page.capacity_classes_wh.len())
}

fn reach(args: &OrderArgs) -> Result<Vec<Client>, Failure> {
    args.url.iter().map(|url| args.reach.client(url)).collect()
}

/// Gives an order to all of them and waits until one of those that have taken it says that it is final.
#[allow(clippy::disallowed_types, reason = "how long a person waits; nothing hashed depends on it")]
async fn hand_in(clients: &[Client], order: RegistrarOrder, wait: Duration) -> Result<MembersPage, Failure> {
    let sequence = order.sequence;
    let bytes = Transaction::Registrar(Box::new(order)).to_bytes();
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
        return Err(Failure::Input(format!("no validator takes order {sequence} of the registrar: {why}")));
    }
    let until = std::time::Instant::now() + wait;
    loop {
        let query = MembersQuery { from: 1, max: 0 };
        for client in &taken {
            match client.members(&query).await {
                Ok(page) if page.sequence > sequence => return Ok(page),
                // One that is down for a moment is asked again.
                Ok(_) | Err(_) => {}
            }
        }
        if std::time::Instant::now() >= until {
            return Err(Failure::Input(format!(
                "order {sequence} of the registrar was handed in and is not final after {} s: look with `veilgrid registrar \
                     members`, and hand in what is missing again",
                wait.as_secs()
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
        let mut table = output::table(&["order", "number", "accounts", ""]);
        for order in &self.orders {
            table.add_row(vec![
                order.kind.to_string(),
                order.sequence.to_string(),
                order.accounts.to_string(),
                state.to_owned(),
            ]);
        }
        if !self.orders.is_empty() {
            output::line(table);
        }
        if self.unchanged > 0 {
            output::line(format!("{} rows are on the ledger already, as they are", self.unchanged));
        }
        output::line(format!("{} members at height {}", self.members, self.height));
        Ok(())
    }
}

/// All members as the node has them that has come furthest; all that answer have to be of one ledger, and give every account the
/// same number.
async fn anybody(clients: &[Client]) -> Result<MembersPage, Failure> {
    let (mut found, mut last) = (None::<MembersPage>, None);
    for client in clients {
        match all_members(client).await {
            Ok(page) => {
                if let Some(first) = &found {
                    same_members(client, first, &page)?;
                }
                // The one that has come furthest: orders begin with its number.
                if found.as_ref().is_none_or(|first| first.sequence < page.sequence) {
                    found = Some(page);
                }
            }
            Err(error) => last = Some(Failure::input(error)),
        }
    }
    found.ok_or_else(|| {
        last.unwrap_or_else(|| Failure::Input("name the HTTP address of a validator (--url)".into()))
    })
}

/// Checks a node against those before it.
fn same_members(client: &Client, first: &MembersPage, page: &MembersPage) -> Result<(), Failure> {
    if first.ledger_id != page.ledger_id {
        let name = client.name();
        return Err(Failure::Input(format!("{name} is a node of another ledger than the one before")));
    }
    match members_of(first).renumbered(&members_of(page)) {
        Some(account) => Err(Failure::Input(format!(
            "{} gives account {} another number than the node before: one of them is wrong; ask others, nothing was sent",
            client.name(),
            Hex32(account)
        ))),
        None => Ok(()),
    }
}

/// How often the pages are begun anew because the members have changed between two of them.
const TRIES: usize = 10;

/// All pages in one, as of one height: a change between two pages begins them anew.
pub(super) async fn all_members(client: &Client) -> Result<MembersPage, ClientError> {
    'anew: for _ in 0..TRIES {
        let mut whole = client.members(&MembersQuery::default()).await?;
        while let Some(from) = whole.next {
            let page = client.members(&MembersQuery { from, ..MembersQuery::default() }).await?;
            if page.sequence != whole.sequence {
                continue 'anew;
            }
            // A node whose pages do not go on would be asked for ever.
            if page.next.is_some_and(|next| next <= from) {
                return Err(ClientError::malformed(client.name(), "its pages of members do not go on"));
            }
            whole.members.extend(page.members);
            whole.next = page.next;
        }
        return Ok(whole);
    }
    Err(ClientError::malformed(client.name(), "its members change whenever a further page of them is read"))
}
