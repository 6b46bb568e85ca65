//! Round trips, and every way in which a key file may be wrong.

use super::format::{CHECKSUM_BYTES, checksum};
use super::*;
use crate::passphrase::Passphrase;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::path::Path;
use veilgrid_crypto::secret::Secret;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new("test", text.as_bytes().to_vec()).expect("usable")
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

/// A folder with one participant's key file.
fn world() -> (tempfile::TempDir, std::path::PathBuf, KeyVault, ParticipantKeys) {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("keys");
    let keys = ParticipantKeys::generate(&mut rng());
    let vault = create(&path, &keys, &passphrase("right"), Cost::LEAST, &mut rng()).expect("created");
    (dir, path, vault, keys)
}

fn rewrite(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("written");
}

/// Changes a byte and makes the sum at the end right again, as an attacker would.
fn forge(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut forged = bytes[..bytes.len() - CHECKSUM_BYTES].to_vec();
    forged[at] ^= bit;
    let sum = checksum(&forged);
    forged.extend_from_slice(&sum);
    forged
}

#[test]
fn each_kind_round_trips() {
    let dir = tempfile::tempdir().expect("dir");
    let (pass, mut rng) = (passphrase("right"), rng());
    let validator = ValidatorKeys::generate(&mut rng);
    let path = dir.path().join("validator");
    create(&path, &validator, &pass, Cost::LEAST, &mut rng).expect("created");
    let (_, back) = open::<ValidatorKeys>(&path, &pass).expect("opened");
    assert_eq!(back.encode().expose(), validator.encode().expose());
    assert_eq!(back.consensus_key(), validator.consensus_key());
    let aggregator = AggregatorKeys::generate(&mut rng);
    let path = dir.path().join("aggregator");
    create(&path, &aggregator, &pass, Cost::LEAST, &mut rng).expect("created");
    let (_, back) = open::<AggregatorKeys>(&path, &pass).expect("opened");
    assert_eq!(back.receipt.verifying_key(), aggregator.receipt.verifying_key());
    assert_eq!(back.envelope.public(), aggregator.envelope.public());
    assert_eq!(peek_kind(&path).expect("known"), Kind::Aggregator);
    let (treasury, asker) = (TreasuryKeys::generate(&mut rng), AskerKeys::generate(&mut rng));
    let path = dir.path().join("treasury");
    create(&path, &treasury, &pass, Cost::LEAST, &mut rng).expect("created");
    let (_, back) = open::<TreasuryKeys>(&path, &pass).expect("opened");
    assert_eq!(back.signing.verifying_key(), treasury.signing.verifying_key());
    let refused = open::<RegistrarKeys>(&path, &pass).expect_err("another office").to_string();
    assert!(refused.contains("holds a treasury's key, not a registrar's key"), "{refused}");
    let path = dir.path().join("asker");
    create(&path, &asker, &pass, Cost::LEAST, &mut rng).expect("created");
    let (_, back) = open::<AskerKeys>(&path, &pass).expect("opened");
    assert_eq!(back.signing.verifying_key(), asker.signing.verifying_key());
    let (_dir, path, _, keys) = world();
    let (_, back) = open::<ParticipantKeys>(&path, &pass).expect("opened");
    assert_eq!(back.seed.to_bytes().expose(), keys.seed.to_bytes().expose());
}

#[test]
fn default_cost_is_64_mib_and_three_passes() {
    assert_eq!(Cost::default(), Cost { memory_kib: 65_536, passes: 3, lanes: 1 });
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("keys");
    let keys = ParticipantKeys::generate(&mut rng());
    create(&path, &keys, &passphrase("right"), Cost::default(), &mut rng()).expect("created");
    assert!(open::<ParticipantKeys>(&path, &passphrase("right")).is_ok());
}

#[test]
fn a_wrong_passphrase_and_a_wrong_kind_are_told_apart() {
    let (_dir, path, _, _) = world();
    let wrong = open::<ParticipantKeys>(&path, &passphrase("wrong")).expect_err("refused");
    assert!(matches!(wrong, KeyFileError::WrongPassphrase { .. }), "{wrong}");
    let kind = open::<ValidatorKeys>(&path, &passphrase("right")).expect_err("refused");
    assert!(
        matches!(kind, KeyFileError::Kind { found: Kind::Participant, asked: Kind::Validator, .. }),
        "{kind}"
    );
}

#[test]
fn any_flipped_byte_is_damage() {
    let (_dir, path, _, _) = world();
    let bytes = std::fs::read(&path).expect("read");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        rewrite(&path, &flipped);
        let error = open::<ParticipantKeys>(&path, &passphrase("right")).expect_err("refused");
        let expected = if at < 6 {
            matches!(error, KeyFileError::NoKeyFile { .. })
        } else {
            matches!(error, KeyFileError::Damaged { .. })
        };
        assert!(expected, "byte {at}: {error}");
    }
    for length in 0..bytes.len() {
        rewrite(&path, &bytes[..length]);
        assert!(open::<ParticipantKeys>(&path, &passphrase("right")).is_err(), "{length} bytes");
    }
}

#[test]
fn any_byte_altered_with_a_right_checksum_is_refused() {
    let (_dir, path, vault, _) = world();
    let bytes = std::fs::read(&path).expect("read");
    for at in 0..bytes.len() - CHECKSUM_BYTES {
        // Bit 0 everywhere: the cost stays small where it is still accepted.
        rewrite(&path, &forge(&bytes, at, 1));
        let error = open::<ParticipantKeys>(&path, &passphrase("right")).expect_err("refused");
        assert!(
            !matches!(error, KeyFileError::Damaged { .. } | KeyFileError::Content { .. }),
            "byte {at}: {error}"
        );
        assert!(vault.read(&path, Kind::Participant).is_err(), "byte {at}");
    }
}

#[test]
fn a_kind_can_not_be_swapped_even_by_who_fixes_the_sum() {
    let (_dir, path, vault, _) = world();
    let bytes = std::fs::read(&path).expect("read");
    // Kind 3 becomes kind 2: the same length of header, and 32 bytes of content.
    rewrite(&path, &forge(&bytes, 8, 1));
    assert_eq!(peek_kind(&path).expect("looks like one"), Kind::Aggregator);
    let error = open::<AggregatorKeys>(&path, &passphrase("right")).expect_err("refused");
    assert!(matches!(error, KeyFileError::WrongPassphrase { .. }), "{error}");
    assert!(matches!(vault.read(&path, Kind::Aggregator), Err(KeyFileError::Altered { .. })));
}

#[test]
fn costs_outside_of_the_bounds_are_refused_before_any_work() {
    let (_dir, path, _, _) = world();
    let bytes = std::fs::read(&path).expect("read");
    // Memory, passes and lanes are at 9, 13 and 17; their highest bytes make the numbers huge.
    for at in [12, 16, 20] {
        rewrite(&path, &forge(&bytes, at, 0x80));
        let error = open::<ParticipantKeys>(&path, &passphrase("right")).expect_err("refused");
        assert!(matches!(error, KeyFileError::Cost { .. }), "byte {at}: {error}");
    }
    // 8192 KiB less one bit is below the least.
    rewrite(&path, &forge(&bytes, 10, 0x20));
    assert!(matches!(peek_kind(&path), Err(KeyFileError::Cost { memory_kib: 0, .. })));
    rewrite(&path, &forge(&bytes, 13, 1));
    assert!(matches!(peek_kind(&path), Err(KeyFileError::Cost { passes: 0, .. })));
}

#[test]
fn the_vault_replaces_files_with_fresh_nonces() {
    let (dir, path, vault, _) = world();
    let (secrets, mut rng) = (dir.path().join("secrets"), rng());
    assert!(vault.read(&secrets, Kind::ValidatorSecrets).expect("no file yet").is_none());
    let content = Secret::new(vec![9u8; 5000]);
    vault.replace(&secrets, Kind::ValidatorSecrets, &content, &mut rng).expect("written");
    let first = std::fs::read(&secrets).expect("read");
    vault.replace(&secrets, Kind::ValidatorSecrets, &content, &mut rng).expect("written");
    assert_ne!(first[37..49], std::fs::read(&secrets).expect("read")[37..49], "the nonce");
    assert!(!first.windows(16).any(|window| window == [9; 16]), "nothing is in the clear");
    let (again, _) = open::<ParticipantKeys>(&path, &passphrase("right")).expect("opened");
    let back = again.read(&secrets, Kind::ValidatorSecrets).expect("opened").expect("there");
    assert_eq!(back.expose(), content.expose());
    assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 2, "nothing is left beside");
}

#[test]
fn secrets_of_another_key_file_are_refused() {
    let (dir, _, vault, keys) = world();
    let secrets = dir.path().join("secrets");
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    vault.replace(&secrets, Kind::ValidatorSecrets, &Secret::new(vec![1]), &mut rng).expect("written");
    // The same passphrase and the same keys, made anew.
    let other = create(&dir.path().join("other"), &keys, &passphrase("right"), Cost::LEAST, &mut rng)
        .expect("created");
    let error = other.read(&secrets, Kind::ValidatorSecrets).expect_err("refused");
    assert!(matches!(error, KeyFileError::OtherVault { .. }), "{error}");
}

#[test]
fn a_file_is_never_overwritten_by_a_new_one() {
    let (_dir, path, _, keys) = world();
    let before = std::fs::read(&path).expect("read");
    let error = create(&path, &keys, &passphrase("right"), Cost::LEAST, &mut rng()).expect_err("refused");
    assert!(matches!(error, KeyFileError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_key_files() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path, vault, _) = world();
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    let secrets = dir.path().join("secrets");
    vault.replace(&secrets, Kind::ValidatorSecrets, &Secret::new(vec![1]), &mut rng()).expect("written");
    assert_eq!(mode(&secrets), 0o600);
    for open_mode in [0o640, 0o604, 0o610] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(open_mode)).expect("mode");
        let error = open::<ParticipantKeys>(&path, &passphrase("right")).expect_err("refused");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
