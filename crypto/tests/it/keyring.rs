//! The keyring's branches: what is derived never coincides, and a grant discloses what it names only.

use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use veilgrid_crypto::keyring::{EpochViewKey, Keyring, KeyringSeed, RoundViewKey};

const ORDERS: &[u8] = b"buy 1200 Wh to 24 ct, round context";

fn keyring(seed: u8) -> Keyring {
    Keyring::from_seed(&KeyringSeed::from_bytes([seed; 32]))
}

/// Everything that a holder of a round's view key can compute.
fn disclosed(view: &RoundViewKey) -> [[u8; 32]; 4] {
    let salt = view.salt(ORDERS);
    [
        *view.to_bytes().expose(),
        salt,
        view.randomness(&salt).expose().to_bytes(),
        *view.note_key(&salt).expose(),
    ]
}

/// Everything that must stay secret from a grantee.
fn undisclosed(keyring: &Keyring, epoch: u64, round: u64) -> [[u8; 32]; 4] {
    let account = keyring.account_key(epoch);
    [
        account.secret().expose().to_bytes(),
        account.verifying_key().to_bytes(),
        *keyring.proof_seed(epoch, round).expose(),
        *keyring.epoch_view_key(epoch).to_bytes().expose(),
    ]
}

#[test]
fn no_two_derivations_coincide() {
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    for keyring in [keyring(1), keyring(2)] {
        for epoch in 0..4 {
            let [account, public, _, view] = undisclosed(&keyring, epoch, 0);
            seen.extend([account, public, view]);
            count += 3;
            for round in 0..4 {
                seen.extend(disclosed(&keyring.round_view_key(epoch, round)));
                seen.insert(*keyring.proof_seed(epoch, round).expose());
                count += 5;
            }
        }
    }
    assert_eq!(seen.len(), count);
}

#[test]
fn a_granted_round_discloses_that_round_and_no_other_secret() {
    let keyring = keyring(1);
    let granted = RoundViewKey::from_bytes(*keyring.round_view_key(3, 7).to_bytes().expose());
    assert_eq!(disclosed(&granted), disclosed(&keyring.round_view_key(3, 7)));
    // What the grantee can derive by using its key in place of a parent reaches nothing else of the keyring.
    let as_epoch = EpochViewKey::from_bytes(*granted.to_bytes().expose());
    let as_seed = Keyring::from_seed(&KeyringSeed::from_bytes(*granted.to_bytes().expose()));
    let mut derivable = BTreeSet::from(disclosed(&granted));
    for epoch in 2..5 {
        derivable.extend(undisclosed(&as_seed, epoch, 7));
        for round in 6..9 {
            derivable.extend(disclosed(&as_epoch.round(round)));
            derivable.extend(disclosed(&as_seed.round_view_key(epoch, round)));
        }
    }
    for epoch in 2..5 {
        for round in 6..9 {
            let hidden = undisclosed(&keyring, epoch, round);
            assert!(hidden.iter().all(|secret| !derivable.contains(secret)));
            if (epoch, round) != (3, 7) {
                let neighbour = disclosed(&keyring.round_view_key(epoch, round));
                assert!(
                    neighbour.iter().all(|secret| !derivable.contains(secret)),
                    "epoch {epoch}, round {round}"
                );
            }
        }
    }
}

#[test]
fn a_granted_epoch_discloses_all_its_rounds() {
    let keyring = keyring(1);
    let granted = EpochViewKey::from_bytes(*keyring.epoch_view_key(3).to_bytes().expose());
    for round in 0..3 {
        assert_eq!(disclosed(&granted.round(round)), disclosed(&keyring.round_view_key(3, round)));
        assert_ne!(disclosed(&granted.round(round)), disclosed(&keyring.round_view_key(4, round)));
    }
}

#[test]
fn other_orders_share_neither_salt_nor_randomness_nor_note_key() {
    let view = keyring(1).round_view_key(1, 1);
    let salts = [view.salt(ORDERS), view.salt(b"buy 1201 Wh to 24 ct, round context"), view.salt(b"")];
    let distinct: BTreeSet<_> = salts
        .iter()
        .flat_map(|salt| [*salt, view.randomness(salt).expose().to_bytes(), *view.note_key(salt).expose()])
        .collect();
    assert_eq!(distinct.len(), 9);
}

#[test]
fn a_restored_keyring_derives_the_same() {
    let seed = KeyringSeed::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let (first, again) =
        (Keyring::from_seed(&seed), Keyring::from_seed(&KeyringSeed::from_bytes(*seed.to_bytes().expose())));
    assert_eq!(undisclosed(&first, 5, 6), undisclosed(&again, 5, 6));
    assert_eq!(disclosed(&first.round_view_key(5, 6)), disclosed(&again.round_view_key(5, 6)));
    let other = KeyringSeed::generate(&mut ChaCha20Rng::seed_from_u64(2));
    assert_ne!(undisclosed(&first, 5, 6), undisclosed(&Keyring::from_seed(&other), 5, 6));
}

#[test]
fn randomness_is_a_full_scalar() {
    let view = keyring(1).round_view_key(1, 1);
    let r = view.randomness(&view.salt(ORDERS));
    assert!(*r.expose() != Scalar::ZERO && r.expose().to_bytes()[24..] != [0; 8]);
}
