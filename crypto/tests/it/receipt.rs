//! Receipts: every byte is signed, and a receipt speaks for one bid of one round only.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::receipt::{RECEIPT_BYTES, Receipt, ReceiptInvalid};
use veilgrid_crypto::schnorr::SigningKey;

fn issued() -> (SigningKey, Receipt) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = SigningKey::generate(&mut rng);
    let receipt = Receipt::issue(&key, [1; 32], 2, [3; 32], [4; 32], 5, &mut rng);
    (key, receipt)
}

#[test]
fn an_issued_receipt_verifies_and_round_trips() {
    let (key, receipt) = issued();
    assert_eq!(receipt.verify(&key.verifying_key()), Ok(()));
    let bytes = receipt.to_bytes();
    assert_eq!(bytes.len(), RECEIPT_BYTES);
    assert_eq!(Receipt::from_bytes(&bytes), Ok(receipt));
}

#[test]
fn every_byte_of_a_receipt_matters() {
    let (key, receipt) = issued();
    let bytes = receipt.to_bytes();
    for at in 0..bytes.len() {
        for bit in [1u8, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let changed = Receipt::from_bytes(&changed).expect("the length is right");
            assert!(changed.verify(&key.verifying_key()).is_err(), "byte {at}");
        }
    }
    for length in 0..bytes.len() {
        assert!(Receipt::from_bytes(&bytes[..length]).is_err());
    }
    assert!(Receipt::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn each_field_is_bound_and_the_error_names_the_receipt() {
    let (key, receipt) = issued();
    let changed = [
        Receipt { ledger_id: [9; 32], ..receipt.clone() },
        Receipt { round_id: 9, ..receipt.clone() },
        Receipt { account: [9; 32], ..receipt.clone() },
        Receipt { bid_digest: [9; 32], ..receipt.clone() },
        Receipt { sequence: 9, ..receipt.clone() },
        // Fields of one type exchanged.
        Receipt { account: receipt.bid_digest, bid_digest: receipt.account, ..receipt.clone() },
        Receipt { round_id: receipt.sequence, sequence: receipt.round_id, ..receipt.clone() },
    ];
    for receipt in changed {
        let expected = ReceiptInvalid { round_id: receipt.round_id, sequence: receipt.sequence };
        assert_eq!(receipt.verify(&key.verifying_key()), Err(expected));
    }
    let other = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(2)).verifying_key();
    assert!(receipt.verify(&other).is_err());
}
