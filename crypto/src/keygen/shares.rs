//! The receiver's part: checking what the dealers sent, and the key shares of one validator.

use super::deal::{decode_scalars, encode_scalars};
use super::public::check_dealers;
use super::{DealerPackage, DealtShares, KeyGenContext, KeyGenError, MAX_KEYS, WeightsError, read_number};
use crate::group::{PointBytes, scalar_from_i64};
use crate::labels;
use crate::secret::Secret;
use crate::wire::{Reader, WireError};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use frost_ristretto255::Identifier;
use frost_ristretto255::keys::{SecretShare, SigningShare, VerifiableSecretSharingCommitment};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use zeroize::Zeroize;

/// The secret shares s_{k,i} of all keys that one validator holds.
#[derive(Clone, Debug)]
pub struct KeyShares {
    index: u16,
    shares: Secret<Vec<Scalar>>,
}

/// Checks the shares that validator `me` was sent and adds them up. The packages are those that [`super::public_keys`]
/// has accepted, and there must be exactly one set of shares for each.
///
/// # Errors
/// [`KeyGenError`] with the dealer whose shares are missing or false, and the first false key.
pub fn receive(
    ctx: &KeyGenContext,
    packages: &[DealerPackage],
    dealt: &[DealtShares],
    me: u16,
) -> Result<KeyShares, KeyGenError> {
    ctx.check()?;
    ctx.check_dealer(me)?;
    check_dealers(ctx, packages)?;
    check_addresses(packages, dealt, me)?;
    let mut sum = Secret::new(vec![Scalar::ZERO; ctx.key_count()]);
    for package in packages {
        let dealer = package.dealer;
        let sent = dealt.iter().find(|d| d.dealer == dealer).ok_or(KeyGenError::MissingShares { dealer })?;
        check_shares(ctx, package, sent)?;
        sum.expose_mut().iter_mut().zip(sent.shares.expose()).for_each(|(total, share)| *total += share);
    }
    Ok(KeyShares { index: me, shares: sum })
}

/// All shares are for `me`, of dealers that take part, and none comes twice.
fn check_addresses(packages: &[DealerPackage], dealt: &[DealtShares], me: u16) -> Result<(), KeyGenError> {
    for (position, sent) in dealt.iter().enumerate() {
        let why = if sent.receiver != me {
            "they are for another validator"
        } else if packages.iter().all(|package| package.dealer != sent.dealer) {
            "the dealer takes no part in the session"
        } else if dealt[..position].iter().any(|other| other.dealer == sent.dealer) {
            "the dealer's shares come twice"
        } else {
            continue;
        };
        return Err(KeyGenError::UnexpectedShares { dealer: sent.dealer, receiver: sent.receiver, why });
    }
    Ok(())
}

/// FROST figure 1, round 2, step 2: f(i)·G = Σ_j i^j·A_j for every key, first all keys of a dealer at once under
/// random weights, and only when that fails one by one, to name the key.
fn check_shares(ctx: &KeyGenContext, package: &DealerPackage, sent: &DealtShares) -> Result<(), KeyGenError> {
    let dealer = package.dealer;
    let points = package.points(ctx)?;
    let found = sent.shares.expose().len();
    if found != ctx.key_count() {
        return Err(KeyGenError::ShareCount { dealer, found, expected: ctx.keys });
    }
    if batch_holds(&points, sent, &batch_weights(ctx, package, sent)) {
        return Ok(());
    }
    let first_false = (0..ctx.keys)
        .into_par_iter()
        .zip(&package.commitments)
        .zip(sent.shares.expose())
        .find_first(|((_, commitments), share)| !share_holds(commitments, share, sent.receiver));
    match first_false {
        Some(((key, _), _)) => Err(KeyGenError::FalseShare { dealer, key }),
        // Every share holds on its own, which is the stronger statement.
        None => Ok(()),
    }
}

/// Weights of 128 bits for each key. They are drawn from a transcript that has absorbed commitments *and shares*:
/// the dealer knows the commitments before it chooses the shares, and could make errors cancel under weights that
/// depend on the commitments alone. The weights may be seen, as they are a hash of 256-bit secrets.
fn batch_weights(ctx: &KeyGenContext, package: &DealerPackage, sent: &DealtShares) -> Vec<Scalar> {
    let mut t = ctx.transcript(labels::KEYGEN_SHARES, package.dealer);
    t.append_u64(b"receiver", sent.receiver.into());
    for (commitments, share) in package.commitments.iter().zip(sent.shares.expose()) {
        t.append_message(b"commitments", commitments.as_flattened());
        t.append_message(b"share", share.as_bytes());
    }
    draw_weights(t, package.commitments.len())
}

/// Weights of 128 bits from a transcript that has absorbed everything they multiply.
pub(super) fn draw_weights(mut t: Transcript, count: usize) -> Vec<Scalar> {
    let mut seed = [0u8; 32];
    t.challenge_bytes(b"weights", &mut seed);
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut weight = || {
        let mut bytes = [0u8; 16];
        rng.fill_bytes(&mut bytes);
        Scalar::from(u128::from_le_bytes(bytes))
    };
    (0..count).map(|_| weight()).collect()
}

/// (Σ_k w_k·f_k(i))·G = Σ_j i^j·(Σ_k w_k·A_{k,j}); the side of the shares in constant time.
pub(super) fn batch_holds(points: &[Vec<RistrettoPoint>], sent: &DealtShares, weights: &[Scalar]) -> bool {
    let weighted = weights.iter().zip(sent.shares.expose()).map(|(weight, share)| weight * share).sum();
    let weighted: Secret<Scalar> = Secret::new(weighted);
    let coefficients = points.first().map_or(0, Vec::len);
    let x = Scalar::from(sent.receiver);
    let powers: Vec<Scalar> =
        std::iter::successors(Some(Scalar::ONE), |power| Some(power * x)).take(coefficients).collect();
    let scalars: Vec<Scalar> =
        weights.iter().flat_map(|weight| powers.iter().map(move |power| weight * power)).collect();
    let expected =
        RistrettoPoint::vartime_multiscalar_mul(&scalars, points.iter().flatten().collect::<Vec<_>>());
    weighted.expose() * RISTRETTO_BASEPOINT_TABLE == expected
}

/// The threshold crate's own check of one share.
fn share_holds(commitments: &[PointBytes], share: &Scalar, receiver: u16) -> bool {
    let Ok(identifier) = Identifier::try_from(receiver) else {
        return false;
    };
    let Ok(commitment) = VerifiableSecretSharingCommitment::deserialize(commitments) else {
        return false;
    };
    let Ok(share) = SigningShare::deserialize(share.as_bytes()) else {
        return false;
    };
    SecretShare::new(identifier, share, commitment).verify().is_ok()
}

impl KeyShares {
    pub(super) fn new(index: u16, shares: Secret<Vec<Scalar>>) -> Self {
        Self { index, shares }
    }

    pub(super) fn scalars(&self) -> &Secret<Vec<Scalar>> {
        &self.shares
    }

    /// The validator that holds the shares, 1..=n.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// Number of keys; 0 after [`Self::erase`].
    pub fn keys(&self) -> usize {
        self.shares.expose().len()
    }

    /// Σ w_k·s_{k,i} for public weights, in time that depends on the weights alone. The sum must never be published,
    /// only its product with a point.
    ///
    /// # Errors
    /// [`WeightsError`] unless there is one weight per key and one that is not zero; erased shares have no keys.
    pub fn weighted(&self, weights: &[i64]) -> Result<Secret<Scalar>, WeightsError> {
        WeightsError::check(weights, self.keys())?;
        let products = weights.iter().zip(self.shares.expose());
        Ok(Secret::new(products.map(|(weight, share)| scalar_from_i64(*weight) * share).sum()))
    }

    /// Wipes the shares, as an epoch's end or a refresh asks for. They open nothing afterwards.
    pub fn erase(&mut self) {
        self.shares.expose_mut().zeroize();
    }

    /// Canonical encoding: validator ‖ number of keys ‖ shares. Secret; to be stored encrypted.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        encode_scalars(&self.index.to_le_bytes(), self.shares.expose())
    }

    /// Decodes stored shares.
    ///
    /// # Errors
    /// [`WireError`] for a wrong length, more than [`MAX_KEYS`] keys, or a scalar that is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let index = read_number(&mut r, "validator")?;
        let shares = decode_scalars(&mut r, MAX_KEYS as usize)?;
        r.finish()?;
        Ok(Self { index, shares })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keygen::deal;
    use crate::schnorr::SigningKey;

    const CTX: KeyGenContext =
        KeyGenContext { ledger_id: [1; 32], session: 1, validators: 4, threshold: 3, keys: 3 };

    #[test]
    fn errors_that_cancel_under_foreseen_weights_are_found() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (package, dealt) = deal(&CTX, &SigningKey::generate(&mut rng), 1, &mut rng).expect("dealt");
        let honest = &dealt[1];
        let weights = batch_weights(&CTX, &package, honest);
        let mut forged = honest.clone();
        forged.shares.expose_mut()[0] += weights[1];
        forged.shares.expose_mut()[1] -= weights[0];
        // Under weights known before the shares are chosen the errors cancel ...
        assert!(batch_holds(&package.points(&CTX).expect("points"), &forged, &weights));
        // ... but the forged shares have weights of their own.
        assert_eq!(check_shares(&CTX, &package, honest), Ok(()));
        assert_eq!(check_shares(&CTX, &package, &forged), Err(KeyGenError::FalseShare { dealer: 1, key: 0 }));
    }
}
