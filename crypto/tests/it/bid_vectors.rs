//! Golden vectors of the sealed bid (`protocol-spec/vectors/bid.json`).
//!
//! A change of the file is a change of the format and needs a new protocol version. `VEILGRID_BLESS=1 cargo test`
//! writes it anew; otherwise the code is compared with it.

use crate::support::{choose_arithmetic, passes_with_every_arithmetic, step_keys};
use curve25519_dalek::ristretto::CompressedRistretto;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::OnceLock;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid, open_note, seal_bid, verify_bids};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};

/// One bid: inputs first, then what follows from them. Bytes are hexadecimal, integers are plain.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    bits: u32,
    step_keys: Vec<String>,
    market_digest: String,
    ledger_id: String,
    key_epoch: u64,
    round_id: u64,
    slot_start_unix_s: i64,
    slot_seconds: u32,
    wallet_seed: String,
    quantities_wh: Vec<u64>,
    /// Seed of the ChaCha20 random source (`SeedableRng::from_seed`) that the proof and the signature draw from.
    rng_seed: String,
    params_digest: String,
    account: String,
    salt: String,
    r: String,
    c: Vec<String>,
    note: String,
    bid_digest: String,
    bid: String,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/bid.json")
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hexadecimal").try_into().expect("the right number of bytes")
}

impl Vector {
    /// The bid is accepted, and refused with a changed step.
    fn verifies(&self) {
        let params = self.params();
        let bytes = hex::decode(&self.bid).expect("hexadecimal");
        let bid = SealedBid::from_bytes(&bytes, params.shape()).expect("right length");
        let mut swapped = bid.clone();
        swapped.c.swap(0, 1);
        let verdicts = verify_bids(&params, &self.round(), &[bid, swapped]);
        assert!(verdicts[0].is_ok(), "{}: {:?}", self.name, verdicts[0].as_ref().err());
        assert!(verdicts[1].is_err(), "{}: steps were swapped", self.name);
    }

    fn params(&self) -> BidParams {
        let key = |text: &String| CompressedRistretto(array(text)).decompress().expect("a point");
        let keys = self.step_keys.iter().map(key).collect();
        BidParams::new(self.bits, keys, array(&self.market_digest)).expect("valid parameters")
    }
    fn round(&self) -> RoundContext {
        RoundContext {
            ledger_id: array(&self.ledger_id),
            key_epoch: self.key_epoch,
            round_id: self.round_id,
            slot_start_unix_s: self.slot_start_unix_s,
            slot_seconds: self.slot_seconds,
        }
    }
    fn keyring(&self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::from_bytes(array(&self.wallet_seed)))
    }

    /// The vector with everything that follows from the inputs computed anew.
    fn computed(self) -> Self {
        let (params, round) = (self.params(), self.round());
        let mut rng = ChaCha20Rng::from_seed(array(&self.rng_seed));
        let bid =
            seal_bid(&params, &round, &self.keyring(), &self.quantities_wh, &mut rng).expect("sealable");
        Self {
            params_digest: hex::encode(params.digest()),
            account: hex::encode(bid.account),
            salt: hex::encode(bid.salt),
            r: hex::encode(bid.r),
            c: bid.c.iter().map(hex::encode).collect(),
            note: hex::encode(&bid.note),
            bid_digest: hex::encode(bid.digest()),
            bid: hex::encode(bid.to_bytes()),
            ..self
        }
    }
}

/// The inputs of one vector; everything else is empty until it is computed.
fn inputs(name: &str, bits: u32, seed: u8, quantities_wh: &[u64]) -> Vector {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let keys = step_keys(quantities_wh.len(), &mut rng);
    Vector {
        name: name.into(),
        bits,
        step_keys: keys.iter().map(|key| hex::encode(key.compress().0)).collect(),
        market_digest: hex::encode([seed.wrapping_add(1); 32]),
        ledger_id: hex::encode([seed.wrapping_add(2); 32]),
        key_epoch: 1,
        round_id: 1_000_000 + u64::from(seed),
        slot_start_unix_s: 1_800_000_900,
        slot_seconds: 900,
        wallet_seed: hex::encode([seed.wrapping_add(3); 32]),
        quantities_wh: quantities_wh.to_vec(),
        rng_seed: hex::encode([seed.wrapping_add(4); 32]),
        params_digest: String::new(),
        account: String::new(),
        salt: String::new(),
        r: String::new(),
        c: Vec::new(),
        note: String::new(),
        bid_digest: String::new(),
        bid: String::new(),
    }
}

fn all_inputs() -> Vec<Vector> {
    choose_arithmetic();
    vec![
        inputs("buys and sells, 8 bits, 4 steps", 8, 10, &[0, 120, 255, 1]),
        inputs("zero bid, 8 bits, 4 steps", 8, 20, &[0; 4]),
        inputs("16 bits, 8 steps", 16, 30, &[65535, 0, 0, 1200, 3000, 0, 1, 256]),
    ]
}

/// The file's vectors, after it was written anew if that is asked for: once, as the tests run side by side.
fn stored() -> Vec<Vector> {
    static TEXT: OnceLock<String> = OnceLock::new();
    serde_json::from_str(TEXT.get_or_init(bless_and_read)).expect("the file has the vectors' form")
}

fn bless_and_read() -> String {
    if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
        let computed: Vec<Vector> = all_inputs().into_iter().map(Vector::computed).collect();
        let text = serde_json::to_string_pretty(&computed).expect("plain data");
        std::fs::write(path(), text + "\n").expect("the specification's folder is writable");
    }
    std::fs::read_to_string(path()).expect("protocol-spec/vectors/bid.json is there")
}

#[test]
fn sealing_gives_the_stored_bids_byte_for_byte() {
    let computed: Vec<Vector> = all_inputs().into_iter().map(Vector::computed).collect();
    let stored = stored();
    assert_eq!(stored.len(), computed.len());
    for (stored, computed) in stored.iter().zip(&computed) {
        assert_eq!(stored, computed, "{}: the format has changed", computed.name);
        computed.verifies();
    }
}

/// The same bytes and the same verdicts with every arithmetic.
#[test]
fn portable_arithmetic_gives_the_same_bytes() {
    // Read first, which writes the file anew if that is asked for: the child must not see it half-written.
    stored();
    passes_with_every_arithmetic("bid_vectors::sealing_gives_the_stored_bids_byte_for_byte");
}

/// From the file alone, as an implementation in another language would use it.
#[test]
fn stored_bids_verify_and_open() {
    for vector in stored() {
        let (params, round) = (vector.params(), vector.round());
        assert_eq!(hex::encode(params.digest()), vector.params_digest);
        let bytes = hex::decode(&vector.bid).expect("hexadecimal");
        let bid = SealedBid::from_bytes(&bytes, params.shape()).expect("right length");
        assert_eq!(hex::encode(bid.digest()), vector.bid_digest);
        assert_eq!(hex::encode(bid.account), vector.account);
        vector.verifies();
        let view = vector.keyring().round_view_key(vector.key_epoch, vector.round_id);
        assert_eq!(open_note(&params, &round, &view, &bid), Ok(vector.quantities_wh));
    }
}
