//! How large the messages of a session are, and what a validator has to keep of it: known from its context alone, so that
//! a session that fits nowhere is refused before it begins.

use super::context::{SessionContext, Task};
use super::delivery::sealed_bytes;

/// Sizes of a session, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSize {
    /// A dealer's package as an event.
    pub package_bytes: usize,
    /// A delivery to all receivers as an event.
    pub delivery_bytes: usize,
    /// The most that one validator keeps at once, as dealer and as receiver: package, delivery, all dealt shares, all
    /// opened shares, an answer to every receiver, verdict, announcement, and its key shares twice (in force and next).
    pub secrets_bytes: usize,
}

impl SessionSize {
    /// The sizes of a session of this context. Numbers of no sound context saturate.
    pub fn of(ctx: &SessionContext) -> Self {
        let (keys, dealers) = (ctx.key_count(), usize::from(ctx.dealers.validators));
        let receivers = usize::from(ctx.receivers.validators);
        // Commitments with their count; a generation has a proof for each key, and the number of proofs.
        let proofs = if ctx.task == Task::Generate { (64, 4) } else { (0, 0) };
        let a_key = ctx.listed_coefficients().saturating_mul(32).saturating_add(4 + proofs.0);
        let package_bytes = keys.saturating_mul(a_key).saturating_add(1 + 2 + 4 + proofs.1 + 64);
        let sealed = receivers.saturating_mul(sealed_bytes(ctx.keys).saturating_add(2));
        let delivery_bytes = sealed.saturating_add(1 + 2 + 32 + 4 + 64);
        // Dealer, receiver, number of keys, shares; as an answer with kind and signature; both with a length.
        let shares = keys.saturating_mul(32).saturating_add(2 + 2 + 4 + 4);
        let answer = shares.saturating_add(2 + 1 + 64);
        let parts = [
            package_bytes,
            delivery_bytes,
            receivers.saturating_mul(shares),
            dealers.saturating_mul(shares),
            receivers.saturating_mul(answer),
            shares.saturating_mul(2),
            SMALL_BYTES.saturating_add(dealers.saturating_mul(2)),
        ];
        let secrets_bytes = parts.into_iter().fold(0usize, usize::saturating_add);
        Self { package_bytes, delivery_bytes, secrets_bytes }
    }
}

/// Context, announcement, one-time key, the fixed part of the verdict, numbers and flags: less than this.
const SMALL_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::EnvelopePublicKey;
    use crate::keygen::{
        Answer, DealtShares, Delivery, Event, Group, KeyShares, OneTimeKey, Package, deal, deal_resharing,
    };
    use crate::schnorr::SigningKey;
    use crate::secret::Secret;
    use curve25519_dalek::scalar::Scalar;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn announced(receivers: u16, rng: &mut ChaCha20Rng) -> Vec<(u16, EnvelopePublicKey)> {
        (1..=receivers).map(|receiver| (receiver, OneTimeKey::generate(rng).public())).collect()
    }

    fn sizes(
        ctx: &SessionContext,
        package: Package,
        dealt: &[DealtShares],
        rng: &mut ChaCha20Rng,
    ) -> (usize, usize) {
        let key = SigningKey::generate(rng);
        let to = announced(ctx.receivers.validators, rng);
        let delivery = Delivery::seal(ctx, 1, package.digest(ctx), dealt, &to, &key, rng);
        (Event::Package(package).to_bytes().len(), Event::Delivery(delivery).to_bytes().len())
    }

    #[test]
    fn sizes_are_those_of_real_events() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        for (n, keys) in [(4, 3), (7, 1)] {
            let ctx = SessionContext::generate([1; 32], 1, 1, Group::of(n), keys);
            let (package, dealt) = deal(&ctx.generation(), &key, 1, &mut rng).expect("dealt");
            let size = SessionSize::of(&ctx);
            let found = sizes(&ctx, Package::Generation(package), &dealt, &mut rng);
            assert_eq!((size.package_bytes, size.delivery_bytes), found);

            let ctx = SessionContext { task: Task::Reshare, receivers: Group::of(n + 3), ..ctx };
            let shares = KeyShares::new(1, Secret::new(vec![Scalar::ONE; keys as usize]));
            let (package, dealt) = deal_resharing(&ctx, &key, &shares, &mut rng).expect("dealt");
            let size = SessionSize::of(&ctx);
            let found = sizes(&ctx, Package::Renewal(package), &dealt, &mut rng);
            assert_eq!((size.package_bytes, size.delivery_bytes), found);
            assert!(found.0.max(found.1) <= Event::max_bytes(&ctx));

            let all: usize = dealt.iter().map(|shares| shares.to_bytes().expose().len()).sum();
            let answers: usize = dealt
                .iter()
                .map(|shares| {
                    let answer = Answer::reveal(&ctx, shares.clone(), &key, &mut rng);
                    Event::Answer(answer).to_bytes().len()
                })
                .sum();
            let one = dealt[0].to_bytes().expose().len();
            let kept = found.0 + found.1 + all + answers + usize::from(n) * one + 2 * one;
            assert!(kept <= size.secrets_bytes, "{kept} of {}", size.secrets_bytes);
            // Little more than what is kept, so that no roster is refused for nothing.
            assert!(size.secrets_bytes - kept < SMALL_BYTES + 16 * usize::from(2 * n + 4));
        }
    }

    #[test]
    fn the_change_that_ended_a_ledger_is_seen_to_be_too_large() {
        let ctx = SessionContext {
            task: Task::Reshare,
            receivers: Group::of(24),
            ..SessionContext::generate([1; 32], 1, 1, Group::of(4), 8_192)
        };
        let size = SessionSize::of(&ctx);
        assert!(size.package_bytes > 3 << 20 && size.delivery_bytes > 3 << 20, "{size:?}");
        assert!(size.secrets_bytes > 16 << 20, "{size:?}");
    }
}
