//! Random draws of the members' behaviour. Keys never come from here: this generator is reproducible on purpose.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// Separates these streams from every other use of SHA-256 on the same bytes.
const LABEL: &[u8] = b"veilgrid demo behaviour v1";

/// The generator of one participant for one purpose: ChaCha20 under SHA-256(label ‖ seed ‖ |id| ‖ id ‖ purpose), so
/// that adding a participant or a purpose leaves every other stream as it was.
pub fn seeded_rng(seed: u64, participant_id: &str, purpose: &str) -> ChaCha20Rng {
    let mut hash = Sha256::new();
    hash.update(LABEL);
    hash.update(seed.to_le_bytes());
    // The length keeps ("ab", "c") apart from ("a", "bc").
    hash.update((participant_id.len() as u64).to_le_bytes());
    hash.update(participant_id.as_bytes());
    hash.update(purpose.as_bytes());
    ChaCha20Rng::from_seed(hash.finalize().into())
}

/// A uniform whole number in `low..=high` (`low` if the range is empty), without modulo bias.
pub fn draw_inclusive(rng: &mut impl RngCore, low: u64, high: u64) -> u64 {
    let Some(span) = high.checked_sub(low) else {
        return low;
    };
    let mask = u64::MAX.checked_shr(span.leading_zeros()).unwrap_or(0);
    // Each draw lands inside with probability above one half.
    loop {
        let drawn = rng.next_u64() & mask;
        if drawn <= span {
            return low + drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_every_part() {
        let first = |seed, id, purpose| seeded_rng(seed, id, purpose).next_u64();
        let base = first(1, "ab", "c");
        assert_eq!(base, first(1, "ab", "c"));
        for other in [first(2, "ab", "c"), first(1, "abx", "c"), first(1, "ab", "d"), first(1, "a", "bc")] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn draws_fill_the_range_and_stay_in_it() {
        let mut rng = seeded_rng(0, "a", "test");
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            seen[draw_inclusive(&mut rng, 10, 16) as usize - 10] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(draw_inclusive(&mut rng, 5, 5), 5);
        assert_eq!(draw_inclusive(&mut rng, 6, 5), 6);
        assert!((0..100).any(|_| draw_inclusive(&mut rng, 0, u64::MAX) > u64::MAX / 2));
    }
}
