//! r of a day, sealed to the account's wallet: with it the owner reads its day and knows the opening of everything that follows.

use super::context::{DayContext, DayHeader};
use super::params::DayParams;
use super::sealed::{RECOVERY_BYTES, SealedDay};
use crate::dlog::SmallLog;
use crate::envelope::{EnvelopeKey, EnvelopePublicKey};
use crate::group::{decode_point, decode_scalar, encode_point};
use crate::hybrid;
use crate::keyring::Keyring;
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// A day that its owner can't read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecoveryError {
    /// Another wallet, another context, or altered bytes.
    #[error("the day does not open with this wallet: another account, day or market, or it was altered")]
    Closed,
    /// What was sealed is not the r of this vector: its source did wrong.
    #[error("what was sealed to the wallet is not the randomness of this day: ask the source for it")]
    NotItsRandomness,
    /// A point does not hold a reading of the market's width, which its proof excludes.
    #[error("a slot of the day holds no reading of this market's width")]
    Reading,
}

/// The key that opens the readings of an account.
#[derive(Clone, Debug)]
pub struct ReadingKey(EnvelopeKey);

impl ReadingKey {
    /// The key of a member in a key epoch.
    pub fn of(keyring: &Keyring, key_epoch: u64) -> Self {
        Self(EnvelopeKey::from_bytes(keyring.reading_key(key_epoch).expose()))
    }

    /// What a source seals to.
    pub fn public(&self) -> EnvelopePublicKey {
        self.0.public()
    }
}

fn info(context: &DayContext, wallet: &EnvelopePublicKey) -> Vec<u8> {
    let version = labels::PROTOCOL_VERSION.to_le_bytes();
    [labels::READING_RECOVERY, &version, &context.ledger_id, &wallet.to_bytes()].concat()
}

/// Seals r to the wallet.
pub(super) fn seal_r(
    params: &DayParams,
    context: &DayContext,
    header: &DayHeader,
    wallet: &EnvelopePublicKey,
    r: &Secret<Scalar>,
    rng: &mut impl CryptoRngCore,
) -> [u8; RECOVERY_BYTES] {
    let sealed = hybrid::seal(
        &wallet.to_bytes(),
        &info(context, wallet),
        &context.to_bytes(params, header),
        r.expose().as_bytes(),
        rng,
    );
    sealed.try_into().expect("32 bytes are sealed")
}

/// Opens an own day: its r and its readings, one a present slot. `log` finds values up to 2^bits − 1.
///
/// # Errors
/// [`RecoveryError`].
pub fn open_day(
    params: &DayParams,
    context: &DayContext,
    key: &ReadingKey,
    day: &SealedDay,
    log: &SmallLog,
) -> Result<(Secret<Scalar>, Secret<Vec<u64>>), RecoveryError> {
    let associated = context.to_bytes(params, &day.header);
    let info = info(context, &key.public());
    let opened = hybrid::open(&key.0.to_bytes(), &info, &associated, &day.recovery);
    let opened = opened.map_err(|_| RecoveryError::Closed)?;
    let bytes: &[u8; 32] = opened.expose().as_slice().try_into().map_err(|_| RecoveryError::Closed)?;
    let r = decode_scalar("r", bytes).map_err(|_| RecoveryError::NotItsRandomness)?;
    let r = Secret::new(r);
    if encode_point(&(r.expose() * RISTRETTO_BASEPOINT_TABLE)) != day.r {
        return Err(RecoveryError::NotItsRandomness);
    }
    let reading = |(slot, point): (usize, &[u8; 32])| {
        let point = decode_point("C", point).ok()?;
        let value = log.solve(&(point - r.expose() * params.slot_keys().get(slot)?))?;
        u64::try_from(value).ok().filter(|value| value >> params.bits() == 0)
    };
    let readings: Option<Vec<u64>> = day.header.present().into_iter().zip(&day.c).map(reading).collect();
    Ok((r, Secret::new(readings.ok_or(RecoveryError::Reading)?)))
}
