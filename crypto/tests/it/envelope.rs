//! Bid envelopes open for one key, ledger and round, and refuse the rest with an error to act on.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::envelope::{
    ENVELOPE_OVERHEAD, EnvelopeAddress, EnvelopeError, EnvelopeKey, EnvelopePublicKey, open_envelope,
    seal_envelope,
};

const LEDGER: [u8; 32] = [3; 32];
const ROUND: u64 = 0x0102_0304_0506_0708;
const PLAINTEXT: &[u8] = b"a sealed bid with its account inside";

fn sealed() -> (EnvelopeKey, Vec<u8>) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = EnvelopeKey::generate(&mut rng);
    let bytes = seal_envelope(&key.public(), &LEDGER, ROUND, PLAINTEXT, &mut rng);
    (key, bytes)
}

#[test]
fn the_recipient_opens_what_was_sealed() {
    let (key, bytes) = sealed();
    assert_eq!(bytes.len(), PLAINTEXT.len() + ENVELOPE_OVERHEAD);
    assert_eq!(bytes[..8], ROUND.to_le_bytes());
    assert_eq!(open_envelope(&key, &LEDGER, &bytes, PLAINTEXT.len()), Ok((ROUND, PLAINTEXT.to_vec())));
    let restored = EnvelopeKey::from_bytes(key.to_bytes().expose());
    assert_eq!(restored.public(), key.public());
    assert_eq!(open_envelope(&restored, &LEDGER, &bytes, 1 << 20), Ok((ROUND, PLAINTEXT.to_vec())));
    let empty = seal_envelope(&key.public(), &LEDGER, 0, b"", &mut ChaCha20Rng::seed_from_u64(2));
    assert_eq!(open_envelope(&key, &LEDGER, &empty, 0), Ok((0, vec![])));
}

#[test]
fn every_byte_of_an_envelope_matters() {
    let (key, bytes) = sealed();
    for at in 0..bytes.len() {
        for bit in [1u8, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let verdict = open_envelope(&key, &LEDGER, &changed, 1 << 20);
            assert_eq!(verdict, Err(EnvelopeError::Unreadable), "byte {at}");
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(open_envelope(&key, &LEDGER, &longer, 1 << 20), Err(EnvelopeError::Unreadable));
}

#[test]
fn another_key_and_another_ledger_open_nothing() {
    let (key, bytes) = sealed();
    let other = EnvelopeKey::generate(&mut ChaCha20Rng::seed_from_u64(9));
    assert_eq!(open_envelope(&other, &LEDGER, &bytes, 1 << 20), Err(EnvelopeError::Unreadable));
    assert_eq!(open_envelope(&key, &[4; 32], &bytes, 1 << 20), Err(EnvelopeError::Unreadable));
}

#[test]
fn lengths_are_checked_before_opening() {
    let (key, bytes) = sealed();
    for found in 0..ENVELOPE_OVERHEAD {
        let expected = EnvelopeError::Truncated { found, needed: ENVELOPE_OVERHEAD };
        assert_eq!(open_envelope(&key, &LEDGER, &bytes[..found], 1 << 20), Err(expected));
    }
    for length in ENVELOPE_OVERHEAD..bytes.len() {
        assert_eq!(open_envelope(&key, &LEDGER, &bytes[..length], 1 << 20), Err(EnvelopeError::Unreadable));
    }
    let bound = PLAINTEXT.len() - 1;
    let expected = EnvelopeError::TooLong { found: PLAINTEXT.len(), bound };
    assert_eq!(open_envelope(&key, &LEDGER, &bytes, bound), Err(expected));
}

#[test]
fn keys_of_small_order_and_non_canonical_keys_are_refused() {
    let mut one = [0u8; 32];
    one[0] = 1;
    // p − 1, p and p + 1 with p = 2^255 − 19; the last two are 0 and 1 written differently.
    let around_p = [0xec, 0xed, 0xee].map(|low| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        bytes
    });
    for bytes in [[0; 32], one, around_p[0], around_p[1], around_p[2]] {
        assert!(EnvelopePublicKey::from_bytes(&bytes).is_err(), "{bytes:?}");
    }
    let (key, sealed) = sealed();
    let good = key.public().to_bytes();
    assert_eq!(EnvelopePublicKey::from_bytes(&good), Ok(key.public()));
    let mut high_bit = good;
    high_bit[31] ^= 0x80;
    assert!(EnvelopePublicKey::from_bytes(&high_bit).is_err());

    let mut hostile = sealed;
    hostile[8..40].fill(0);
    assert_eq!(open_envelope(&key, &LEDGER, &hostile, 1 << 20), Err(EnvelopeError::SmallOrderKey));
}

#[test]
fn the_address_binds_ledger_and_recipient() {
    let (key, _) = sealed();
    let (recipient, other) =
        (key.public(), EnvelopeKey::generate(&mut ChaCha20Rng::seed_from_u64(7)).public());
    let info = EnvelopeAddress { ledger_id: &LEDGER, recipient: &recipient }.info();
    assert_ne!(info, EnvelopeAddress { ledger_id: &[4; 32], recipient: &recipient }.info());
    assert_ne!(info, EnvelopeAddress { ledger_id: &LEDGER, recipient: &other }.info());
}

#[test]
fn two_envelopes_share_nothing_and_no_secret_is_printed() {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let key = EnvelopeKey::generate(&mut rng);
    let a = seal_envelope(&key.public(), &LEDGER, ROUND, PLAINTEXT, &mut rng);
    let b = seal_envelope(&key.public(), &LEDGER, ROUND, PLAINTEXT, &mut rng);
    assert_ne!(a[8..40], b[8..40]);
    assert_ne!(a[40..], b[40..]);
    assert!(format!("{key:?}").contains("redacted"));
}
