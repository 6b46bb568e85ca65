//! Sealing: from readings to a proved vector.

use super::context::{DayContext, DayHeader};
use super::params::DayParams;
use super::recovery::seal_r;
use super::replay::absorb_vector;
use super::sealed::SealedDay;
use crate::bid::commit::{BidVector, commit_at};
use crate::bid::range_prover::{BitCommitment, Bits};
use crate::bid::seal::{Witness, finish_proof};
use crate::bid::steps::Steps;
use crate::envelope::EnvelopePublicKey;
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::scalar::Scalar;
use hkdf::Hkdf;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// A day that can't be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DayError {
    /// More slots than keys, or not one grade per slot.
    #[error(
        "a day of {slots} slots with {grades} grades under {keys} slot keys: one grade per slot, at most one slot per key"
    )]
    Slots {
        /// Slots of the context.
        slots: usize,
        /// Grades given.
        grades: usize,
        /// Keys of the parameters.
        keys: usize,
    },
    /// A reading where the grades say that there is none, or the other way round.
    #[error("{given} readings given, the grades say {graded}")]
    Readings {
        /// Readings given.
        given: usize,
        /// Grades that are not missing.
        graded: usize,
    },
    /// Nothing to seal.
    #[error("no slot of the day has a reading")]
    Nothing,
    /// A reading does not fit the market's width.
    #[error("the reading of slot {slot} needs more than {bits} bits")]
    Reading {
        /// The slot, from 0. The reading itself is not named: errors may be logged.
        slot: usize,
        /// The market's width.
        bits: u32,
    },
}

/// The secret of a source, for a month: it is erased when no correction may come any more, for whoever has it can confirm guesses
/// of readings.
#[derive(Clone, Debug)]
pub struct DaySource(Secret<[u8; 32]>);

impl DaySource {
    /// A fresh one.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Secret::new([0u8; 32]);
        rng.fill_bytes(seed.expose_mut());
        Self(seed)
    }

    /// One read back from where the source keeps it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    fn derive(&self, label: &[u8], message: &[u8]) -> Secret<[u8; 64]> {
        let mut out = Secret::new([0u8; 64]);
        Hkdf::<Sha256>::new(Some(label), self.0.expose())
            .expand(message, out.expose_mut())
            .expect("HKDF-SHA256 yields up to 8160 bytes");
        out
    }

    /// The r of a day with these readings, one per present slot. Days that differ anywhere share none.
    ///
    /// # Errors
    /// Those of [`seal_day`].
    pub fn randomness(
        &self,
        params: &DayParams,
        context: &DayContext,
        header: &DayHeader,
        readings_wh: &[u64],
    ) -> Result<Secret<Scalar>, DayError> {
        check(params, context, header, readings_wh)?;
        Ok(self.scalar(&message(params, context, header, readings_wh)))
    }

    fn scalar(&self, message: &[u8]) -> Secret<Scalar> {
        let bytes = self.derive(labels::READING_RANDOMNESS, message);
        Secret::new(Scalar::from_bytes_mod_order_wide(bytes.expose()))
    }
}

/// Seals the readings of one account, direction and day: `readings_wh` has one entry for each slot whose grade is not missing.
/// `wallet` is the account's key for r ([`super::ReadingKey::public`]).
///
/// r follows from the source's secret, the context and the readings, so that sealing again repeats the vector.
///
/// # Errors
/// [`DayError`].
pub fn seal_day(
    params: &DayParams,
    context: &DayContext,
    header: DayHeader,
    source: &DaySource,
    wallet: &EnvelopePublicKey,
    readings_wh: &[u64],
    rng: &mut impl CryptoRngCore,
) -> Result<SealedDay, DayError> {
    check(params, context, &header, readings_wh)?;
    let message = message(params, context, &header, readings_wh);
    let r = source.scalar(&message);
    let (present, vector) = (header.present(), params.vector());
    let pairs = present.iter().copied().zip(readings_wh.iter().copied());
    let BidVector { r: r_point, c } = commit_at(vector, &r, pairs.clone());
    let recovery = seal_r(params, context, &header, wallet, &r, rng);

    let mut t = Transcript::new(labels::READING);
    let rho = absorb_vector(&mut t, params, context, &header, &r_point, &c, &recovery);
    let seed = source.derive(labels::READING_PROOF, &message);
    let mut proof_rng = t
        .build_rng()
        .rekey_with_witness_bytes(b"r", r.expose().as_bytes())
        .rekey_with_witness_bytes(b"seed", seed.expose())
        .finalize(rng);
    // A value of every place of the proof, zero where there is no reading.
    let mut values = Zeroizing::new(vec![0u64; vector.steps()]);
    pairs.for_each(|(slot, reading)| values[slot] = reading);
    let bits = Bits::of(vector.bases(), &values, None);
    let commitment = BitCommitment::new(vector, bits, &mut t, &mut proof_rng);
    let witness =
        Witness { r: &r, quantities_wh: &values, steps: Steps::Some(present), rho: &rho, money: None };
    let proof = finish_proof(vector, &mut t, commitment, &witness, &mut proof_rng);
    Ok(SealedDay { header, r: r_point, c, recovery, proof })
}

fn check(
    params: &DayParams,
    context: &DayContext,
    header: &DayHeader,
    readings_wh: &[u64],
) -> Result<(), DayError> {
    let (slots, grades, keys) = (usize::from(context.slots), header.grades.len(), params.slots());
    if slots != grades || slots > keys {
        return Err(DayError::Slots { slots, grades, keys });
    }
    let (present, given) = (header.present(), readings_wh.len());
    if present.len() != given {
        return Err(DayError::Readings { given, graded: present.len() });
    }
    if present.is_empty() {
        return Err(DayError::Nothing);
    }
    let bits = params.bits();
    match readings_wh.iter().position(|reading| reading >> bits != 0) {
        Some(place) => Err(DayError::Reading { slot: present[place], bits }),
        None => Ok(()),
    }
}

/// Context and readings, which make r: they are wiped.
fn message(
    params: &DayParams,
    context: &DayContext,
    header: &DayHeader,
    readings_wh: &[u64],
) -> Zeroizing<Vec<u8>> {
    let context = context.to_bytes(params, header);
    let mut message = Zeroizing::new(Vec::with_capacity(context.len() + 8 * readings_wh.len()));
    message.extend_from_slice(&context);
    readings_wh.iter().for_each(|reading| message.extend_from_slice(&reading.to_le_bytes()));
    message
}
