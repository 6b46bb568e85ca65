//! What a connection point is called on the ledger.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::members::certificate::PointId;

/// The id of a connection point by its name: HMAC-SHA256 under the registrar's secret key, of a label and the name. White
/// space around the name does not count.
pub fn point_id(registrar: &SigningKey, name: &str) -> PointId {
    let secret = registrar.secret().expose().as_bytes();
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("an HMAC takes a key of any length")
    };
    mac.chain_update(labels::CONNECTION_POINT)
        .chain_update(name.trim().as_bytes())
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
    fn a_point_is_found_by_its_registrar_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (one, other) = (SigningKey::generate(&mut rng), SigningKey::generate(&mut rng));
        let id = point_id(&one, "AT0030000000000000000000030046112");
        assert_eq!(id, point_id(&one, " AT0030000000000000000000030046112\n"));
        assert_ne!(id, point_id(&one, "AT0030000000000000000000030046113"));
        assert_ne!(id, point_id(&other, "AT0030000000000000000000030046112"));
    }
}
