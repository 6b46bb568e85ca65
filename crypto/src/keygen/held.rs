//! Whether shares are on the polynomials that everybody sees: what a dealer dealt, and what a validator holds.

use super::context::SessionContext;
use super::deal::DealtShares;
use super::public::{Points, ThresholdKeys, evaluate};
use super::shares::{KeyShares, batch_holds, draw_weights};
use crate::labels;
use crate::secret::Secret;
use crate::wire::Writer;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use merlin::Transcript;
use rayon::prelude::*;

/// The first key whose share does not match the commitments `points` of the package with this digest, if there is
/// one. All keys at once under weights that depend on the shares too (see [`super::receive`]), and one by one only
/// to name the key.
pub(super) fn first_false(
    ctx: &SessionContext,
    package: &[u8; 32],
    points: &Points,
    shares: &DealtShares,
) -> Option<u32> {
    if batch_holds(points, shares, &dealt_weights(ctx, package, shares)) {
        return None;
    }
    let holds = |(points, share): (&Vec<RistrettoPoint>, &Scalar)| {
        share * RISTRETTO_BASEPOINT_TABLE == evaluate(points, shares.receiver)
    };
    let all = (0..ctx.keys).into_par_iter().zip(points).zip(shares.shares.expose());
    all.find_first(|((_, points), share)| !holds((points, share))).map(|((key, _), _)| key)
}

/// The weights of a batch of dealt shares, from a transcript that has absorbed the package's digest and the shares.
fn dealt_weights(ctx: &SessionContext, package: &[u8; 32], shares: &DealtShares) -> Vec<Scalar> {
    let mut message = Writer::new();
    message.u16(shares.dealer).u16(shares.receiver).bytes(package);
    let mut t = ctx.transcript(labels::KEYGEN_DEALT, &message.finish());
    shares.shares.expose().iter().for_each(|share| t.append_message(b"share", share.as_bytes()));
    draw_weights(t, ctx.key_count())
}

impl ThresholdKeys {
    /// Whether `shares` are those of its validator under these share keys. A validator checks this before it relies
    /// on stored shares: old ones fail after a refresh.
    pub fn matches(&self, shares: &KeyShares) -> bool {
        if !self.has_validator(shares.index()) || shares.keys() != self.keys().len() {
            return false;
        }
        let mut t = Transcript::new(labels::KEYGEN_HELD);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"public", &self.digest());
        t.append_u64(b"validator", shares.index().into());
        shares.scalars().expose().iter().for_each(|share| t.append_message(b"share", share.as_bytes()));
        let weights = draw_weights(t, shares.keys());
        let weighted = weights.iter().zip(shares.scalars().expose()).map(|(weight, share)| weight * share);
        let weighted: Secret<Scalar> = Secret::new(weighted.sum());
        let share_keys = (0..shares.keys()).map(|key| *self.share_key(shares.index(), key));
        weighted.expose() * RISTRETTO_BASEPOINT_TABLE
            == RistrettoPoint::vartime_multiscalar_mul(&weights, share_keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keygen::{Group, Package, deal};
    use crate::schnorr::SigningKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn errors_that_cancel_under_foreseen_weights_are_found() {
        let ctx = SessionContext::generate([1; 32], 1, 1, Group::of(4), 3);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (package, dealt) =
            deal(&ctx.generation(), &SigningKey::generate(&mut rng), 1, &mut rng).expect("dealt");
        let points = package.points(&ctx.generation()).expect("points");
        let digest = Package::Generation(package).digest(&ctx);
        let honest = &dealt[1];
        let weights = dealt_weights(&ctx, &digest, honest);
        let mut forged = honest.clone();
        forged.shares.expose_mut()[0] += weights[1];
        forged.shares.expose_mut()[1] -= weights[0];
        assert!(batch_holds(&points, &forged, &weights));
        assert_eq!(first_false(&ctx, &digest, &points, honest), None);
        assert_eq!(first_false(&ctx, &digest, &points, &forged), Some(0));
        // Another package has other weights.
        assert_ne!(dealt_weights(&ctx, &[0; 32], honest), weights);
    }
}
