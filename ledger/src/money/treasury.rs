//! The treasury's signed transactions: money that has come, and withdrawals that it has paid.

use super::refusal::MoneyRefusal;
use crate::hash::Hash;
use crate::members::order::AccountNumber;
use crate::transaction::TransactionKind;
use merlin::Transcript;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Most accounts of one order; more are several orders.
pub const MAX_ENTRIES_PER_ORDER: usize = 1_000;

/// The community's public account, as deposits name it. Members have numbers from 1 on.
pub const COMMUNITY_ACCOUNT: AccountNumber = 0;

/// Money that the treasury has received for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// The account; [`COMMUNITY_ACCOUNT`] for the community's own.
    pub number: AccountNumber,
    /// How much, in ct.
    pub amount_ct: u64,
    /// What the treasury knows the payment by, such as a digest of the bank's reference. It is public.
    pub reference: [u8; 32],
}

/// A withdrawal that the treasury has paid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The account.
    pub number: AccountNumber,
    /// The withdrawal's debit sequence.
    pub debit_sequence: u64,
}

/// What the treasury says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreasuryAction {
    /// Money has come.
    Deposit(Vec<Deposit>),
    /// Withdrawals are paid.
    Paid(Vec<Payment>),
}

/// An action with its place among the treasury's orders and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreasuryOrder {
    /// Number of the order on this ledger, from 0, without a gap: an order counts once.
    pub sequence: u64,
    /// What it says.
    pub action: TreasuryAction,
    /// The treasury's signature.
    pub signature: SignatureBytes,
}

const DEPOSIT_BYTES: usize = 4 + 8 + 32;
const PAYMENT_BYTES: usize = 4 + 8;

impl TreasuryAction {
    /// The kind of its transaction.
    pub fn kind(&self) -> TransactionKind {
        match self {
            Self::Deposit(_) => TransactionKind::Deposit,
            Self::Paid(_) => TransactionKind::Paid,
        }
    }

    /// Number of accounts that it is about.
    pub fn entries(&self) -> usize {
        match self {
            Self::Deposit(deposits) => deposits.len(),
            Self::Paid(payments) => payments.len(),
        }
    }

    fn write(&self, w: &mut Writer) {
        w.length(self.entries());
        match self {
            Self::Deposit(deposits) => deposits.iter().for_each(|deposit| {
                w.u32(deposit.number).u64(deposit.amount_ct).bytes(&deposit.reference);
            }),
            Self::Paid(payments) => payments.iter().for_each(|payment| {
                w.u32(payment.number).u64(payment.debit_sequence);
            }),
        }
    }

    fn read(r: &mut Reader<'_>, kind: u8) -> Result<Self, WireError> {
        let is_deposit = kind == TransactionKind::Deposit as u8;
        let least = if is_deposit { DEPOSIT_BYTES } else { PAYMENT_BYTES };
        let each = 0..r.length("accounts", MAX_ENTRIES_PER_ORDER, least)?;
        if is_deposit {
            let deposit = |_| {
                Ok(Deposit {
                    number: r.u32("account number")?,
                    amount_ct: r.u64("amount")?,
                    reference: r.array("reference")?,
                })
            };
            return Ok(Self::Deposit(each.map(deposit).collect::<Result<_, WireError>>()?));
        }
        let payment =
            |_| Ok(Payment { number: r.u32("account number")?, debit_sequence: r.u64("debit sequence")? });
        Ok(Self::Paid(each.map(payment).collect::<Result<_, WireError>>()?))
    }
}

impl TreasuryOrder {
    /// Signs an action as the treasury of a ledger.
    pub fn sign(
        ledger_id: &Hash,
        sequence: u64,
        action: TreasuryAction,
        key: &SigningKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Self {
        let signature = key.sign(&mut transcript(ledger_id, sequence, &action), rng);
        Self { sequence, action, signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`MoneyRefusal::TreasurySignature`].
    pub fn verify(&self, ledger_id: &Hash, key: &VerifyingKey) -> Result<(), MoneyRefusal> {
        let mut statement = transcript(ledger_id, self.sequence, &self.action);
        key.verify(&mut statement, &self.signature).map_err(|_| MoneyRefusal::TreasurySignature)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.sequence);
        self.action.write(w);
        w.bytes(&self.signature);
    }

    /// Reads an order of a kind that is one of the two.
    pub(crate) fn read(r: &mut Reader<'_>, kind: u8) -> Result<Self, WireError> {
        Ok(Self {
            sequence: r.u64("number of the order")?,
            action: TreasuryAction::read(r, kind)?,
            signature: r.array("signature of the treasury")?,
        })
    }
}

/// The ledger and the order's number are part of the statement: an order counts on one ledger, once.
fn transcript(ledger_id: &Hash, sequence: u64, action: &TreasuryAction) -> Transcript {
    let mut w = Writer::new();
    action.write(&mut w);
    let mut t = Transcript::new(labels::LEDGER_TREASURY_ORDER);
    t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
    t.append_message(b"ledger", ledger_id);
    t.append_u64(b"sequence", sequence);
    t.append_u64(b"kind", action.kind() as u64);
    t.append_message(b"action", &w.finish());
    t
}
