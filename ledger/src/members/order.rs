//! The registrar's signed transactions: who joins, whose certificate changes, who is suspended, who leaves.

use super::certificate::{Certificate, LEAST_BYTES};
use super::refusal::MembersRefusal;
use crate::hash::Hash;
use crate::transaction::TransactionKind;
use merlin::Transcript;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Most accounts of one order; more are several orders.
pub const MAX_ACCOUNTS_PER_ORDER: usize = 1_000;

/// The number of an account. It is given once, at enrolment, and survives every change of certificate, key or epoch.
pub type AccountNumber = u32;

/// What the registrar orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// These accounts become members, in this order.
    Enrol(Vec<Certificate>),
    /// These accounts have other certificates from here on. It ends a suspension.
    Update(Vec<(AccountNumber, Certificate)>),
    /// These accounts may not bid until an update. They stay members.
    Suspend(Vec<AccountNumber>),
    /// These accounts are members no more. Their keys are never enrolled again, their connection points may be.
    Leave(Vec<AccountNumber>),
}

impl Action {
    /// The kind of its transaction.
    pub fn kind(&self) -> TransactionKind {
        match self {
            Self::Enrol(_) => TransactionKind::Enrol,
            Self::Update(_) => TransactionKind::Update,
            Self::Suspend(_) => TransactionKind::Suspend,
            Self::Leave(_) => TransactionKind::Leave,
        }
    }

    /// Number of accounts that it is about.
    pub fn accounts(&self) -> usize {
        match self {
            Self::Enrol(certificates) => certificates.len(),
            Self::Update(updates) => updates.len(),
            Self::Suspend(numbers) | Self::Leave(numbers) => numbers.len(),
        }
    }

    fn write(&self, w: &mut Writer) {
        w.length(self.accounts());
        match self {
            Self::Enrol(certificates) => certificates.iter().for_each(|certificate| certificate.write(w)),
            Self::Update(updates) => {
                updates.iter().for_each(|(number, certificate)| certificate.write(w.u32(*number)))
            }
            Self::Suspend(numbers) | Self::Leave(numbers) => {
                numbers.iter().for_each(|number| {
                    w.u32(*number);
                });
            }
        }
    }

    fn read(r: &mut Reader<'_>, kind: u8) -> Result<Self, WireError> {
        let least = match kind {
            ENROL => LEAST_BYTES,
            UPDATE => 4 + LEAST_BYTES,
            _ => 4,
        };
        let count = r.length("accounts", MAX_ACCOUNTS_PER_ORDER, least)?;
        let each = 0..count;
        Ok(match kind {
            ENROL => Self::Enrol(each.map(|_| Certificate::read(r)).collect::<Result<_, _>>()?),
            UPDATE => {
                let update = |_| Ok((r.u32("account number")?, Certificate::read(r)?));
                Self::Update(each.map(update).collect::<Result<_, WireError>>()?)
            }
            SUSPEND => Self::Suspend(each.map(|_| r.u32("account number")).collect::<Result<_, _>>()?),
            _ => Self::Leave(each.map(|_| r.u32("account number")).collect::<Result<_, _>>()?),
        })
    }
}

const ENROL: u8 = TransactionKind::Enrol as u8;
const UPDATE: u8 = TransactionKind::Update as u8;
const SUSPEND: u8 = TransactionKind::Suspend as u8;

/// An action with its place among the registrar's orders and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrarOrder {
    /// Number of the order on this ledger, from 0, without a gap: an order counts once.
    pub sequence: u64,
    /// What is ordered.
    pub action: Action,
    /// The registrar's signature.
    pub signature: SignatureBytes,
}

impl RegistrarOrder {
    /// Signs an action as the registrar of a ledger. [`Register::sequence`](super::register::Register::sequence) tells the
    /// number.
    pub fn sign(
        ledger_id: &Hash,
        sequence: u64,
        action: Action,
        key: &SigningKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Self {
        let signature = key.sign(&mut transcript(ledger_id, sequence, &action), rng);
        Self { sequence, action, signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`MembersRefusal::Signature`].
    pub fn verify(&self, ledger_id: &Hash, key: &VerifyingKey) -> Result<(), MembersRefusal> {
        let mut statement = transcript(ledger_id, self.sequence, &self.action);
        key.verify(&mut statement, &self.signature).map_err(|_| MembersRefusal::Signature)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.sequence);
        self.action.write(w);
        w.bytes(&self.signature);
    }

    /// Reads an order of a kind that is one of the four.
    pub(crate) fn read(r: &mut Reader<'_>, kind: u8) -> Result<Self, WireError> {
        Ok(Self {
            sequence: r.u64("number of the order")?,
            action: Action::read(r, kind)?,
            signature: r.array("signature of the registrar")?,
        })
    }
}

/// The ledger and the order's number are part of the statement: an order counts on one ledger, once.
fn transcript(ledger_id: &Hash, sequence: u64, action: &Action) -> Transcript {
    let mut w = Writer::new();
    action.write(&mut w);
    let mut t = Transcript::new(labels::LEDGER_REGISTRAR_ORDER);
    t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
    t.append_message(b"ledger", ledger_id);
    t.append_u64(b"sequence", sequence);
    t.append_u64(b"kind", action.kind() as u64);
    t.append_message(b"action", &w.finish());
    t
}
