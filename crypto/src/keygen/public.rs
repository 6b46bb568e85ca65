//! The public result: threshold keys and every validator's share keys, for validators and auditors alike.

use super::{DealerPackage, Group, KeyGenContext, KeyGenError, MAX_KEYS, MAX_VALIDATORS, WeightsError};
use crate::group::{PointBytes, decode_any_point, encode_point};
use crate::labels;
use crate::schnorr::VerifyingKey;
use crate::tally::weighted_sum;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// The keys Y_k of a session and the share keys Y_{k,i} = s_{k,i}·G of its validators. Only [`public_keys`] and
/// [`super::Session`] make one, and [`ThresholdKeys::from_bytes`] makes one again of which the digest is known, so everything
/// behind it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdKeys {
    validators: u16,
    threshold: u16,
    keys: Vec<RistrettoPoint>,
    /// The share keys of validator i at i − 1, key by key.
    share_keys: Vec<Vec<RistrettoPoint>>,
}

/// Checks everything public about a session and computes its keys. `packages` are those of the dealers that take
/// part, at least t, in any order; `dealers[i − 1]` is the signature key of validator i.
///
/// # Errors
/// [`KeyGenError`]; [`KeyGenError::culprit`] tells whom to exclude from the next session.
pub fn public_keys(
    ctx: &KeyGenContext,
    packages: &[DealerPackage],
    dealers: &[VerifyingKey],
) -> Result<ThresholdKeys, KeyGenError> {
    ctx.check()?;
    if dealers.len() != usize::from(ctx.validators) {
        return Err(KeyGenError::DealerKeys { found: dealers.len(), expected: ctx.validators });
    }
    check_dealers(ctx, packages)?;
    let mut points = Vec::with_capacity(packages.len());
    for package in packages {
        points.push(package.verify(ctx, &dealers[usize::from(package.dealer) - 1])?);
    }
    check_constants(packages)?;
    let points: Vec<&Points> = points.iter().collect();
    generated(Group { validators: ctx.validators, threshold: ctx.threshold }, &points)
}

/// The commitments of a dealer, constant term first, key by key.
pub(super) type Points = Vec<Vec<RistrettoPoint>>;

/// The keys that checked packages generate.
pub(super) fn generated(group: Group, dealers: &[&Points]) -> Result<ThresholdKeys, KeyGenError> {
    let sums = sum_commitments(dealers);
    let keys: Vec<RistrettoPoint> = sums.iter().map(|coefficients| coefficients[0]).collect();
    check_keys(&keys)?;
    let share_keys = share_keys(group.validators, &sums);
    Ok(ThresholdKeys { validators: group.validators, threshold: group.threshold, keys, share_keys })
}

/// The same keys with share keys of sharings of zero added.
pub(super) fn refreshed(previous: &ThresholdKeys, dealers: &[&Points]) -> ThresholdKeys {
    let mut fresh = previous.clone();
    let deltas = share_keys(previous.validators, &sum_commitments(dealers));
    for (share_keys, deltas) in fresh.share_keys.iter_mut().zip(&deltas) {
        share_keys.iter_mut().zip(deltas).for_each(|(share_key, delta)| *share_key += delta);
    }
    fresh
}

/// The same keys shared among another group: the weighted sum of sharings of t old shares. The weights are the
/// Lagrange coefficients of their dealers, so the constant terms add up to the keys.
pub(super) fn reshared(
    previous: &ThresholdKeys,
    group: Group,
    weights: &[Scalar],
    dealers: &[&Points],
) -> ThresholdKeys {
    let sum = |key: usize, coefficient: usize| {
        let points = dealers.iter().map(|dealer| dealer[key][coefficient]);
        RistrettoPoint::vartime_multiscalar_mul(weights, points)
    };
    let sums: Points = (0..previous.keys.len())
        .into_par_iter()
        .map(|key| (0..usize::from(group.threshold)).map(|coefficient| sum(key, coefficient)).collect())
        .collect();
    let keys = sums.iter().map(|coefficients| coefficients[0]).collect();
    let share_keys = share_keys(group.validators, &sums);
    ThresholdKeys { validators: group.validators, threshold: group.threshold, keys, share_keys }
}

/// The values at 1..=n of polynomials in the exponent, validator by validator.
fn share_keys(validators: u16, sums: &Points) -> Vec<Vec<RistrettoPoint>> {
    let of = |validator| sums.par_iter().map(|coefficients| evaluate(coefficients, validator)).collect();
    (1..=validators).map(of).collect()
}

/// The dealers are distinct validators of the session, and at least t.
pub(super) fn check_dealers(ctx: &KeyGenContext, packages: &[DealerPackage]) -> Result<(), KeyGenError> {
    let mut seen = vec![false; usize::from(ctx.validators) + 1];
    for package in packages {
        let dealer = package.dealer;
        ctx.check_dealer(dealer)?;
        if std::mem::replace(&mut seen[usize::from(dealer)], true) {
            return Err(KeyGenError::RepeatedDealer { dealer });
        }
    }
    if packages.len() < usize::from(ctx.threshold) {
        return Err(KeyGenError::TooFewDealers { found: packages.len(), needed: ctx.threshold });
    }
    Ok(())
}

/// No constant term occurs twice, neither in one package nor across dealers.
fn check_constants(packages: &[DealerPackage]) -> Result<(), KeyGenError> {
    let mut constants: Vec<(PointBytes, u16, u32)> = Vec::new();
    for package in packages {
        let named = (0u32..).zip(&package.commitments);
        constants.extend(named.map(|(key, commitments)| (commitments[0], package.dealer, key)));
    }
    constants.sort_unstable();
    match constants.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(&[(_, first_dealer, first_key), (_, dealer, key)]) => {
            Err(KeyGenError::RepeatedConstant { dealer, key, first_dealer, first_key })
        }
        _ => Ok(()),
    }
}

/// No key is the identity or equal to another.
fn check_keys(keys: &[RistrettoPoint]) -> Result<(), KeyGenError> {
    if let Some((key, _)) = (0u32..).zip(keys).find(|(_, point)| point.is_identity()) {
        return Err(KeyGenError::IdentityKey { key });
    }
    let mut named: Vec<(PointBytes, u32)> =
        (0u32..).zip(keys).map(|(k, point)| (encode_point(point), k)).collect();
    named.sort_unstable();
    match named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(&[(_, first), (_, key)]) => Err(KeyGenError::RepeatedKey { key, first }),
        _ => Ok(()),
    }
}

/// Adds up the dealers' commitments, coefficient by coefficient of each key.
fn sum_commitments(dealers: &[&Points]) -> Points {
    let Some(first) = dealers.first() else { return Points::new() };
    let sum = |key: usize, coefficient: usize| dealers.iter().map(|dealer| dealer[key][coefficient]).sum();
    (0..first.len())
        .into_par_iter()
        .map(|key| (0..first[key].len()).map(|coefficient| sum(key, coefficient)).collect())
        .collect()
}

/// Σ_j i^j·A_j by Horner's rule; i is small, so each step costs a few doublings. Public data, variable time.
pub(super) fn evaluate(coefficients: &[RistrettoPoint], validator: u16) -> RistrettoPoint {
    let step = |value: RistrettoPoint, next: &RistrettoPoint| times_small(&value, validator) + next;
    coefficients.iter().rev().fold(RistrettoPoint::identity(), step)
}

/// factor·P by doubling and adding. Variable time.
fn times_small(point: &RistrettoPoint, factor: u16) -> RistrettoPoint {
    let mut product = RistrettoPoint::identity();
    for bit in (0..u16::BITS - factor.leading_zeros()).rev() {
        product += product;
        if factor >> bit & 1 == 1 {
            product += point;
        }
    }
    product
}

impl ThresholdKeys {
    /// n, the number of validators.
    pub fn validators(&self) -> u16 {
        self.validators
    }

    /// t, the number of shares that open.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// All keys Y_k in order.
    pub fn keys(&self) -> &[RistrettoPoint] {
        &self.keys
    }

    /// The key Y_k.
    ///
    /// # Panics
    /// When the session has no key `k`.
    pub fn key(&self, k: usize) -> &RistrettoPoint {
        &self.keys[k]
    }

    /// Whether `validator` is one of 1..=n.
    pub fn has_validator(&self, validator: u16) -> bool {
        (1..=self.validators).contains(&validator)
    }

    /// The share key Y_{k,i} of validator i, which is counted from 1.
    ///
    /// # Panics
    /// When the session has no such validator (see [`Self::has_validator`]) or no key `k`.
    pub fn share_key(&self, validator: u16, k: usize) -> &RistrettoPoint {
        &self.share_keys[usize::from(validator) - 1][k]
    }

    /// A digest of keys, share keys, n and t: the name by which a later session renews them.
    pub fn digest(&self) -> [u8; 32] {
        let points = std::iter::once(&self.keys).chain(&self.share_keys);
        let encoded: Vec<Vec<PointBytes>> =
            points.map(|points| points.par_iter().map(encode_point).collect()).collect();
        let mut digest = Sha256::new().chain_update(labels::KEYGEN_PUBLIC);
        digest.update(self.validators.to_le_bytes());
        digest.update(self.threshold.to_le_bytes());
        digest.update((self.keys.len() as u64).to_le_bytes());
        encoded.iter().for_each(|points| digest.update(points.as_flattened()));
        digest.finalize().into()
    }

    /// n, t, number of keys, keys, share keys validator by validator: for whoever keeps checked keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(self.validators).u16(self.threshold).length(self.keys.len());
        for points in std::iter::once(&self.keys).chain(&self.share_keys) {
            let encoded: Vec<PointBytes> = points.par_iter().map(encode_point).collect();
            w.bytes(encoded.as_flattened());
        }
        w.finish()
    }

    /// Keys that were checked before: those, and no others, that have this [digest](Self::digest).
    ///
    /// # Errors
    /// [`WireError`] for anything but the encoding of the keys with this digest.
    pub fn from_bytes(bytes: &[u8], digest: &[u8; 32]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let (validators, threshold) = (r.u16("validators")?, r.u16("threshold")?);
        if validators > MAX_VALIDATORS {
            return Err(WireError::Invalid { field: "validators", why: "there are too many" });
        }
        let count = r.length("keys", MAX_KEYS as usize, 32)?;
        let mut points = || -> Result<Vec<RistrettoPoint>, WireError> {
            let encoded = r.bytes("keys", count.saturating_mul(32))?;
            let (encoded, _) = encoded.as_chunks::<32>();
            encoded.par_iter().map(|key| decode_any_point("key", key)).collect()
        };
        let keys = points()?;
        let share_keys = (0..validators).map(|_| points()).collect::<Result<_, _>>()?;
        r.finish()?;
        let keys = Self { validators, threshold, keys, share_keys };
        match keys.digest() == *digest {
            true => Ok(keys),
            false => Err(WireError::Invalid { field: "keys", why: "their digest is another one" }),
        }
    }

    /// The group that holds the shares.
    pub fn group(&self) -> Group {
        Group { validators: self.validators, threshold: self.threshold }
    }

    /// Σ w_k·Y_{k,i}: what validator i's share of the sum with these weights is checked against.
    ///
    /// # Errors
    /// [`WeightsError`] unless there is one weight per key and one that is not zero.
    ///
    /// # Panics
    /// When the session has no such validator (see [`Self::has_validator`]).
    pub fn weighted_share_key(
        &self,
        validator: u16,
        weights: &[i64],
    ) -> Result<RistrettoPoint, WeightsError> {
        WeightsError::check(weights, self.keys.len())?;
        let share_keys = &self.share_keys[usize::from(validator) - 1];
        Ok(weighted_sum(weights, 0, |places| places.iter().map(|key| share_keys[*key]).sum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT as G;

    #[test]
    fn horner_is_the_polynomial() {
        let coefficients: Vec<_> = [5u64, 7, 11].iter().map(|c| Scalar::from(*c) * G).collect();
        for i in [1u16, 2, 3, 16, 128, u16::MAX] {
            let x = Scalar::from(i);
            let expected = Scalar::from(5u8) + Scalar::from(7u8) * x + Scalar::from(11u8) * x * x;
            assert_eq!(evaluate(&coefficients, i), expected * G);
        }
    }

    #[test]
    fn kept_keys_come_back_under_their_digest_alone() {
        let point = |factor: u64| Scalar::from(factor) * G;
        let share_keys = vec![vec![point(3), point(4)], vec![RistrettoPoint::identity(), point(5)]];
        let keys = ThresholdKeys { validators: 2, threshold: 2, keys: vec![point(6), point(7)], share_keys };
        let (bytes, digest) = (keys.to_bytes(), keys.digest());
        assert_eq!(ThresholdKeys::from_bytes(&bytes, &digest), Ok(keys));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(ThresholdKeys::from_bytes(&changed, &digest).is_err(), "byte {at}");
            assert!(ThresholdKeys::from_bytes(&bytes[..at], &digest).is_err(), "cut at {at}");
        }
        assert!(ThresholdKeys::from_bytes(&bytes, &[1; 32]).is_err());
    }

    #[test]
    fn identity_and_repeated_keys_are_refused() {
        let [a, b] = [Scalar::from(2u8) * G, Scalar::from(3u8) * G];
        assert_eq!(check_keys(&[a, b]), Ok(()));
        assert_eq!(check_keys(&[a, RistrettoPoint::identity(), b]), Err(KeyGenError::IdentityKey { key: 1 }));
        assert_eq!(check_keys(&[b, a, b]), Err(KeyGenError::RepeatedKey { key: 2, first: 0 }));
    }
}
