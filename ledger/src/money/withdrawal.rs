//! A withdrawal: a public amount leaves a balance that stays hidden.

use super::refusal::MoneyRefusal;
use crate::hash::Hash;
use crate::members::order::AccountNumber;
use curve25519_dalek::ristretto::RistrettoPoint;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use veilgrid_crypto::bid::AvailableOpening;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::labels;
use veilgrid_crypto::money::rest::{Debit, REST_PROOF_BYTES, RestError, prove_rest, verify_rest};
use veilgrid_crypto::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// What is withdrawn, from where, to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawalTerms {
    /// The account.
    pub number: AccountNumber,
    /// The account's debit sequence.
    pub debit_sequence: u64,
    /// How much, in ct.
    pub amount_ct: u64,
    /// What the treasury knows the payee by, such as a digest of a bank account that was agreed on. It is public.
    pub reference: [u8; 32],
}

/// A withdrawal as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// What is withdrawn.
    pub terms: WithdrawalTerms,
    /// Proof that what is left is not negative, [`REST_PROOF_BYTES`] long.
    pub proof: Vec<u8>,
    /// The account's signature over all of it.
    pub signature: SignatureBytes,
}

impl WithdrawalTerms {
    fn to_bytes(self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.finish()
    }

    fn write(&self, w: &mut Writer) {
        w.u32(self.number).u64(self.debit_sequence).u64(self.amount_ct).bytes(&self.reference);
    }
}

impl Withdrawal {
    /// Makes a withdrawal. `rest` opens what the account has left: its free balance less the amount.
    ///
    /// # Errors
    /// [`RestError`] when there is not so much on the account.
    pub fn make(
        ledger_id: &Hash,
        terms: WithdrawalTerms,
        account_key: &RistrettoPoint,
        rest: &AvailableOpening,
        key: &SigningKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, RestError> {
        let account = key.verifying_key().to_bytes();
        let statement = terms.to_bytes();
        let proof = prove_rest(&debit(ledger_id, &account, &terms, &statement), account_key, rest, rng)?;
        let signature = key.sign(&mut transcript(ledger_id, &statement, &proof), rng);
        Ok(Self { terms, proof, signature })
    }

    /// Checks signature and proof. `rest` is what the ledger computes to be left.
    ///
    /// # Errors
    /// [`MoneyRefusal::AccountSignature`], [`MoneyRefusal::Rest`].
    pub fn verify(
        &self,
        ledger_id: &Hash,
        account: &PointBytes,
        account_key: &RistrettoPoint,
        rest: &RistrettoPoint,
    ) -> Result<(), MoneyRefusal> {
        let (number, statement) = (self.terms.number, self.terms.to_bytes());
        let signed = VerifyingKey::from_bytes(account).is_ok_and(|key| {
            key.verify(&mut transcript(ledger_id, &statement, &self.proof), &self.signature).is_ok()
        });
        if !signed {
            return Err(MoneyRefusal::AccountSignature { number });
        }
        let debit = debit(ledger_id, account, &self.terms, &statement);
        verify_rest(&debit, account_key, rest, &self.proof).map_err(|_| MoneyRefusal::Rest { number })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.terms.write(w);
        w.bytes(&self.proof).bytes(&self.signature);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let terms = WithdrawalTerms {
            number: r.u32("account number")?,
            debit_sequence: r.u64("debit sequence")?,
            amount_ct: r.u64("amount")?,
            reference: r.array("reference")?,
        };
        let proof = r.bytes("proof of the rest", REST_PROOF_BYTES)?.to_vec();
        Ok(Self { terms, proof, signature: r.array("signature of the account")? })
    }
}

fn debit<'a>(
    ledger_id: &Hash,
    account: &PointBytes,
    terms: &WithdrawalTerms,
    statement: &'a [u8],
) -> Debit<'a> {
    let (ledger_id, account, debit_sequence) = (*ledger_id, *account, terms.debit_sequence);
    Debit { ledger_id, account, debit_sequence, statement }
}

fn transcript(ledger_id: &Hash, statement: &[u8], proof: &[u8]) -> Transcript {
    let mut t = Transcript::new(labels::LEDGER_WITHDRAWAL);
    t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
    t.append_message(b"ledger", ledger_id);
    t.append_message(b"withdrawal", statement);
    t.append_message(b"proof", proof);
    t
}
