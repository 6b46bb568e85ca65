//! Golden vectors of days of readings (`protocol-spec/vectors/readings.json`).
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
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::reading::{
    DayContext, DayHeader, DayParams, DaySource, DayStatement, Direction, Grade, ReadingKey, SealedDay,
    open_day, seal_day, verify_days,
};

/// One day: inputs first, then what follows from them. Bytes are hexadecimal, integers are plain.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    bits: u32,
    slot_keys: Vec<String>,
    ledger_id: String,
    key_epoch: u64,
    market: String,
    authority: String,
    day_start_unix_s: i64,
    slot_seconds: u32,
    generation: bool,
    /// One a slot; a missing reading is null.
    readings_wh: Vec<Option<u64>>,
    wallet_seed: String,
    /// The source's secret of the month.
    source_seed: String,
    /// Seed of the ChaCha20 random source (`SeedableRng::from_seed`) that sealing draws from.
    rng_seed: String,
    params_digest: String,
    account: String,
    r: String,
    c: Vec<String>,
    day_digest: String,
    day: String,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/readings.json")
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hexadecimal").try_into().expect("the right number of bytes")
}

impl Vector {
    fn params(&self) -> DayParams {
        let key = |text: &String| CompressedRistretto(array(text)).decompress().expect("a point");
        DayParams::new(self.bits, self.slot_keys.iter().map(key).collect()).expect("valid parameters")
    }
    fn context(&self) -> DayContext {
        DayContext {
            ledger_id: array(&self.ledger_id),
            key_epoch: self.key_epoch,
            market: array(&self.market),
            authority: array(&self.authority),
            day_start_unix_s: self.day_start_unix_s,
            slots: self.readings_wh.len() as u16,
            slot_seconds: self.slot_seconds,
        }
    }
    fn keyring(&self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::from_bytes(array(&self.wallet_seed)))
    }
    fn readings(&self) -> Vec<u64> {
        self.readings_wh.iter().flatten().copied().collect()
    }

    /// The vector with everything that follows from the inputs computed anew.
    fn computed(self) -> Self {
        let (params, keyring) = (self.params(), self.keyring());
        let account = keyring.account_key(self.key_epoch).verifying_key().to_bytes();
        let grade = |reading: &Option<u64>| if reading.is_some() { Grade::Measured } else { Grade::Missing };
        let direction = if self.generation { Direction::Generation } else { Direction::Consumption };
        let header = DayHeader::first(account, direction, self.readings_wh.iter().map(grade).collect());
        let source = DaySource::from_bytes(array(&self.source_seed));
        let wallet = ReadingKey::of(&keyring, self.key_epoch).public();
        let mut rng = ChaCha20Rng::from_seed(array(&self.rng_seed));
        let day = seal_day(&params, &self.context(), header, &source, &wallet, &self.readings(), &mut rng);
        let day = day.expect("sealable");
        Self {
            params_digest: hex::encode(params.digest()),
            account: hex::encode(account),
            r: hex::encode(day.r),
            c: day.c.iter().map(hex::encode).collect(),
            day_digest: hex::encode(day.digest()),
            day: hex::encode(day.to_bytes()),
            ..self
        }
    }
}

/// The inputs of one vector; everything else is empty until it is computed.
fn inputs(name: &str, bits: u32, keys: usize, seed: u8, readings_wh: &[Option<u64>]) -> Vector {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let bytes = |more: u8| hex::encode([seed.wrapping_add(more); 32]);
    Vector {
        name: name.into(),
        bits,
        slot_keys: step_keys(keys, &mut rng).iter().map(|key| hex::encode(key.compress().0)).collect(),
        ledger_id: bytes(1),
        key_epoch: 1,
        market: bytes(2),
        authority: bytes(3),
        day_start_unix_s: 1_793_142_000,
        slot_seconds: 900,
        generation: seed.is_multiple_of(20),
        readings_wh: readings_wh.to_vec(),
        wallet_seed: bytes(4),
        source_seed: bytes(5),
        rng_seed: bytes(6),
        params_digest: String::new(),
        account: String::new(),
        r: String::new(),
        c: Vec::new(),
        day_digest: String::new(),
        day: String::new(),
    }
}

fn all_inputs() -> Vec<Vector> {
    choose_arithmetic();
    vec![
        inputs("a whole day, 8 bits, 4 slots", 8, 4, 10, &[Some(0), Some(120), Some(255), Some(1)]),
        inputs("a short day with one missing, 16 bits", 16, 5, 20, &[Some(65_535), None, Some(0), Some(7)]),
        inputs("one reading, 32 bits", 32, 3, 30, &[None, None, Some(4_000_000_000)]),
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
    std::fs::read_to_string(path()).expect("protocol-spec/vectors/readings.json is there")
}

#[test]
fn sealing_gives_the_stored_days_byte_for_byte() {
    let computed: Vec<Vector> = all_inputs().into_iter().map(Vector::computed).collect();
    let stored = stored();
    assert_eq!(stored.len(), computed.len());
    for (stored, computed) in stored.iter().zip(&computed) {
        assert_eq!(stored, computed, "{}: the format has changed", computed.name);
    }
}

/// The same bytes with every arithmetic.
#[test]
fn portable_arithmetic_gives_the_same_days() {
    // Read first, which writes the file anew if that is asked for: the child must not see it half-written.
    stored();
    passes_with_every_arithmetic("reading::vectors::sealing_gives_the_stored_days_byte_for_byte");
}

/// From the file alone, as an implementation in another language would use it.
#[test]
fn stored_days_verify_and_open() {
    for vector in stored() {
        let (params, context) = (vector.params(), vector.context());
        assert_eq!(hex::encode(params.digest()), vector.params_digest);
        let bytes = hex::decode(&vector.day).expect("hexadecimal");
        let day = SealedDay::from_bytes(&bytes, &params, vector.readings_wh.len()).expect("right length");
        assert_eq!(hex::encode(day.digest()), vector.day_digest);
        let mut altered = day.clone();
        altered.recovery[79] ^= 1;
        let statements = [&day, &altered].map(|day| DayStatement { context: &context, day });
        let verdicts = verify_days(&params, &statements);
        assert!(verdicts[0].is_ok() && verdicts[1].is_err(), "{}", vector.name);
        let key = ReadingKey::of(&vector.keyring(), vector.key_epoch);
        let log = SmallLog::new(u64::MAX >> (64 - vector.bits));
        let (_, found) = open_day(&params, &context, &key, &day, &log).expect("the owner's");
        assert_eq!(*found.expose(), vector.readings());
    }
}
