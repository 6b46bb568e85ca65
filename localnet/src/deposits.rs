//! What members of a network with money begin with: the treasury's first orders, made once the validators answer.

use crate::{LocalnetError, Network};
use rand_core::OsRng;
use veilgrid_api::AccountsQuery;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::money::treasury::{Deposit, MAX_ENTRIES_PER_ORDER, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::keyfile::{TreasuryKeys, open};
use veilgrid_node::passphrase;

/// What the first deposits are known by.
const REFERENCE: [u8; 32] = *b"veilgrid localnet: first deposit";

// All members of a network on one machine fit into one order.
const _: () = assert!(crate::plan::MAX_PARTICIPANTS as usize <= MAX_ENTRIES_PER_ORDER);

/// The treasury of a network for trials, until its first order is on the ledger.
pub(crate) struct FirstDeposits {
    treasury: TreasuryKeys,
    action: TreasuryAction,
    validators: Vec<Client>,
}

impl FirstDeposits {
    /// None for a network without money.
    pub(crate) fn of(network: &Network) -> Result<Option<Self>, LocalnetError> {
        let Some(amount_ct) = network.deposit_ct else { return Ok(None) };
        let passphrase = passphrase::read_file(&network.dir.join("passphrase"))?;
        let (_, treasury) = open::<TreasuryKeys>(&network.dir.join("treasury").join("keys"), &passphrase)?;
        let numbers = 1..=AccountNumber::from(network.participants);
        let deposit = |number| Deposit { number, amount_ct, reference: REFERENCE };
        let action = TreasuryAction::Deposit(numbers.map(deposit).collect());
        let client = |url: &String| Client::new(url, &ClientOptions::default());
        let validators = network.validator_urls().iter().map(client).collect::<Result<_, _>>()?;
        Ok(Some(Self { treasury, action, validators }))
    }

    /// Hands the order in where it is not on the ledger; true once it is. A validator that does not answer yet is asked again.
    pub(crate) async fn make(&self) -> bool {
        for validator in &self.validators {
            let Ok(page) = validator.accounts(&AccountsQuery { from: 1, max: 0 }).await else { continue };
            if page.treasury_sequence > 0 {
                return true;
            }
            let ledger_id = page.ledger_id.0;
            let order =
                TreasuryOrder::sign(&ledger_id, 0, self.action.clone(), &self.treasury.signing, &mut OsRng);
            let bytes = Transaction::Treasury(Box::new(order)).to_bytes();
            if let Err(error) = validator.submit_transaction(bytes).await {
                tracing::warn!(validator = validator.name(), %error, "the first deposits are not taken");
            }
            return false;
        }
        false
    }
}
