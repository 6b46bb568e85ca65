//! What a payment is called on the ledger.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;

/// The reference of a payment by what the bank calls it: HMAC-SHA256 under the treasury's secret key, of a label and the text.
/// White space around it does not count; 64 hexadecimal digits are a digest that was agreed on, and stay as they are.
pub fn reference_of(treasury: &SigningKey, text: &str) -> [u8; 32] {
    if let Ok(digest) = text.trim().parse::<Hex32>() {
        return digest.0;
    }
    let secret = treasury.secret().expose().as_bytes();
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("an HMAC takes a key of any length")
    };
    mac.chain_update(labels::TREASURY_REFERENCE)
        .chain_update(text.trim().as_bytes())
        .finalize()
        .into_bytes()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_payment_is_found_by_its_treasury_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (one, other) = (SigningKey::generate(&mut rng), SigningKey::generate(&mut rng));
        let reference = reference_of(&one, "transfer of 3 May, Huber");
        assert_eq!(reference, reference_of(&one, " transfer of 3 May, Huber\n"));
        assert_ne!(reference, reference_of(&one, "transfer of 4 May, Huber"));
        assert_ne!(reference, reference_of(&other, "transfer of 3 May, Huber"));
        assert_eq!(reference_of(&one, &"0a".repeat(32)), [10; 32]);
    }
}
