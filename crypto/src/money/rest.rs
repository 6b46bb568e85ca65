//! What is left of a balance after a debit is not negative: the proof of a withdrawal, a carry-over or a move to another key.
//!
//! The rest is the public point P = rest·V + b·Y_0, the account's balance with everything taken off that is public or committed
//! to. A range proof of 64 bits (the bulletproofs crate) for that commitment, with the bases V and Y_0, says 0 <= rest < 2^64; a
//! negative rest is ℓ less something, which no 64 bits are.

use crate::bid::AvailableOpening;
use crate::group::{PointBytes, value_base};
use crate::labels;
use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use std::sync::OnceLock;
use thiserror::Error;

/// Bits of a rest.
const BITS: usize = 64;
/// Bytes of the proof.
pub const REST_PROOF_BYTES: usize = 672;

/// What a debit is about; all of it is in the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debit<'a> {
    /// Identity of the ledger.
    pub ledger_id: [u8; 32],
    /// The account.
    pub account: PointBytes,
    /// The debit sequence that this debit is the next one after.
    pub debit_sequence: u64,
    /// What the debit does: the transaction's bytes before its proof.
    pub statement: &'a [u8],
}

/// Why no proof of a rest can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RestError {
    /// More is taken than is there.
    #[error("the debit is larger than what is available on the account")]
    Negative,
    /// An amount that no balance can have.
    #[error("the amount left is 2^64 or more")]
    TooLarge,
}

/// The proof of a rest does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the proof that the rest of the balance is not negative does not hold for this debit")]
pub struct RestFault;

fn generators() -> &'static BulletproofGens {
    static GENERATORS: OnceLock<BulletproofGens> = OnceLock::new();
    GENERATORS.get_or_init(|| BulletproofGens::new(BITS, 1))
}

fn bases(account_key: &RistrettoPoint) -> PedersenGens {
    PedersenGens { B: value_base(), B_blinding: *account_key }
}

fn transcript(debit: &Debit<'_>, account_key: &RistrettoPoint, rest: &PointBytes) -> Transcript {
    let mut t = Transcript::new(labels::REST);
    t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
    t.append_message(b"ledger", &debit.ledger_id);
    t.append_message(b"account-key", account_key.compress().as_bytes());
    t.append_message(b"account", &debit.account);
    t.append_u64(b"debit-sequence", debit.debit_sequence);
    t.append_message(b"statement", debit.statement);
    t.append_message(b"rest", rest);
    t
}

/// Proves that the rest, whose opening is `opening`, is not negative.
///
/// # Errors
/// [`RestError`] when it is, or is too large.
pub fn prove_rest(
    debit: &Debit<'_>,
    account_key: &RistrettoPoint,
    opening: &AvailableOpening,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, RestError> {
    if *opening.amount.expose() < 0 {
        return Err(RestError::Negative);
    }
    let rest = u64::try_from(*opening.amount.expose()).map_err(|_| RestError::TooLarge)?;
    let bases = bases(account_key);
    let commitment = bases.commit(rest.into(), *opening.blinding.expose()).compress();
    let mut t = transcript(debit, account_key, commitment.as_bytes());
    let blinding = opening.blinding.expose();
    let builder = t.build_rng().rekey_with_witness_bytes(b"blinding", blinding.as_bytes());
    let mut proof_rng = builder.rekey_with_witness_bytes(b"rest", &rest.to_le_bytes()).finalize(rng);
    let generators = generators();
    let (proof, _) =
        RangeProof::prove_single_with_rng(generators, &bases, &mut t, rest, blinding, BITS, &mut proof_rng)
            .expect("64 bits, one value and generators for it");
    Ok(proof.to_bytes())
}

/// Checks that the rest is not negative. `rest` is computed from the ledger, not read from the debit.
///
/// # Errors
/// [`RestFault`].
pub fn verify_rest(
    debit: &Debit<'_>,
    account_key: &RistrettoPoint,
    rest: &RistrettoPoint,
    proof: &[u8],
) -> Result<(), RestFault> {
    if proof.len() != REST_PROOF_BYTES {
        return Err(RestFault);
    }
    let commitment: CompressedRistretto = rest.compress();
    let decoded = RangeProof::from_bytes(proof).map_err(|_| RestFault)?;
    let mut t = transcript(debit, account_key, commitment.as_bytes());
    // The crate weighs two equations against each other with a scalar of this source. It must not be known before the proof
    // is: so it comes from every byte of statement and proof, and the verdict is the same everywhere.
    let mut weighing = t.clone();
    weighing.append_message(b"proof", proof);
    let mut seed = [0u8; 32];
    weighing.challenge_bytes(b"weights", &mut seed);
    let mut weights = ChaCha20Rng::from_seed(seed);
    decoded
        .verify_single_with_rng(generators(), &bases(account_key), &mut t, &commitment, BITS, &mut weights)
        .map_err(|_| RestFault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use curve25519_dalek::scalar::Scalar;

    struct World {
        key: RistrettoPoint,
        rng: ChaCha20Rng,
    }

    fn world() -> World {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        World { key: RistrettoPoint::random(&mut rng), rng }
    }

    fn debit(statement: &[u8]) -> Debit<'_> {
        Debit { ledger_id: [1; 32], account: [2; 32], debit_sequence: 3, statement }
    }

    fn opening(w: &mut World, amount: i128) -> (AvailableOpening, RistrettoPoint) {
        let blinding = Scalar::random(&mut w.rng);
        let rest = crate::money::scalar_from_i128(amount) * value_base() + blinding * w.key;
        (AvailableOpening { amount: Secret::new(amount), blinding: Secret::new(blinding) }, rest)
    }

    #[test]
    fn rests_from_zero_on_are_proved_and_no_others() {
        let mut w = world();
        for amount in [0, 1, 1 << 40, i128::from(u64::MAX)] {
            let (opening, rest) = opening(&mut w, amount);
            let proof = prove_rest(&debit(b"w"), &w.key, &opening, &mut w.rng).expect("not negative");
            assert_eq!(proof.len(), REST_PROOF_BYTES);
            assert_eq!(verify_rest(&debit(b"w"), &w.key, &rest, &proof), Ok(()));
            // A rest that is one less than nothing is none.
            assert_eq!(verify_rest(&debit(b"w"), &w.key, &(rest - value_base()), &proof), Err(RestFault));
        }
        for (amount, error) in [(-1, RestError::Negative), (1 << 64, RestError::TooLarge)] {
            let (opening, _) = opening(&mut w, amount);
            assert_eq!(prove_rest(&debit(b"w"), &w.key, &opening, &mut w.rng), Err(error));
        }
    }

    #[test]
    fn another_debit_and_each_changed_byte_are_refused() {
        let mut w = world();
        let (opening, rest) = opening(&mut w, 77);
        let proof = prove_rest(&debit(b"withdraw 5"), &w.key, &opening, &mut w.rng).expect("not negative");
        let right = debit(b"withdraw 5");
        let others = [
            debit(b"withdraw 6"),
            Debit { ledger_id: [9; 32], ..right },
            Debit { account: [9; 32], ..right },
            Debit { debit_sequence: 4, ..right },
        ];
        assert!(others.iter().all(|other| verify_rest(other, &w.key, &rest, &proof).is_err()));
        let other_key = RistrettoPoint::random(&mut w.rng);
        assert!(verify_rest(&right, &other_key, &rest, &proof).is_err());
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] ^= 1;
            assert_eq!(verify_rest(&right, &w.key, &rest, &changed), Err(RestFault), "byte {at}");
        }
        assert_eq!(verify_rest(&right, &w.key, &rest, &proof[1..]), Err(RestFault));
    }
}
