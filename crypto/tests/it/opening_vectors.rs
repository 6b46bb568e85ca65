//! Golden vectors of key generation and openings (`protocol-spec/vectors/opening.json`).
//!
//! A change of the file is a change of the format and needs a new protocol version. `VEILGRID_BLESS=1 cargo test`
//! writes it anew; otherwise the code is compared with it.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::OnceLock;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid, seal_bid, verify_bids};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::group::encode_point;
use veilgrid_crypto::keygen::{
    DealerPackage, DealtShares, KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive,
};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::opening::{
    OpeningContext, OpeningShare, check_value, combine, release_share, verify_share,
};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};
use veilgrid_crypto::tally::Tally;

/// A session of key generation, a round of bids under its keys, and openings of their sums. Bytes are hexadecimal,
/// integers are plain; every seed is one of a ChaCha20 source (`SeedableRng::from_seed`).
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    ledger_id: String,
    session: u64,
    validators: u16,
    threshold: u16,
    /// For each dealer: from it come its signing key first and then what it deals.
    dealer_seeds: Vec<String>,
    dealer_keys: Vec<String>,
    packages: Vec<String>,
    /// For each dealer what it deals to each receiver.
    dealt: Vec<Vec<String>>,
    /// For each validator its sums.
    key_shares: Vec<String>,
    step_keys: Vec<String>,
    /// For each validator its share key of each step.
    share_keys: Vec<Vec<String>>,
    bits: u32,
    market_digest: String,
    key_epoch: u64,
    round_id: u64,
    slot_start_unix_s: i64,
    slot_seconds: u32,
    bids: Vec<Bid>,
    bid_set: String,
    r_total: String,
    tally: String,
    openings: Vec<Opening>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bid {
    wallet_seed: String,
    rng_seed: String,
    quantities_wh: Vec<u64>,
    bid: String,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Opening {
    opening_index: u32,
    weights: Vec<i64>,
    /// Seeds of the validators' shares.
    share_seeds: Vec<String>,
    /// Every validator's share, in their order.
    shares: Vec<String>,
    /// Sum of w_k times the total of C_k.
    c_sum: String,
    /// The value times V.
    combined: String,
    value: i64,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/opening.json")
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hexadecimal").try_into().expect("the right number of bytes")
}

fn rng(seed: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(array(seed))
}

fn seeds(first: u8, count: u8) -> Vec<String> {
    (first..first + count).map(|seed| hex::encode([seed; 32])).collect()
}

fn inputs() -> Vector {
    let books = [[40, 0, 0, 7], [0, 255, 1, 30], [0, 12, 100, 0]];
    let weights = [vec![-1, 1, -1, 1], vec![1, 0, 0, 0], vec![-65_536, 23_456, 0, 65_536]];
    let bid = |(keyring, quantities): (u8, &[u64; 4])| Bid {
        wallet_seed: hex::encode([keyring; 32]),
        rng_seed: hex::encode([keyring + 10; 32]),
        quantities_wh: quantities.to_vec(),
        ..Bid::default()
    };
    let opening = |(opening_index, weights): (u32, Vec<i64>)| Opening {
        opening_index,
        weights,
        share_seeds: seeds(100 + 4 * opening_index as u8, 4),
        ..Opening::default()
    };
    Vector {
        ledger_id: hex::encode([11; 32]),
        session: 1,
        validators: 4,
        threshold: 3,
        dealer_seeds: seeds(50, 4),
        bits: 8,
        market_digest: hex::encode([12; 32]),
        key_epoch: 2,
        round_id: 96,
        slot_start_unix_s: 1_800_000_900,
        slot_seconds: 900,
        bids: (60..).zip(&books).map(bid).collect(),
        openings: (0..).zip(weights).map(opening).collect(),
        ..Vector::default()
    }
}

impl Vector {
    fn keygen(&self) -> KeyGenContext {
        let ledger_id = array(&self.ledger_id);
        let keys = self.bids[0].quantities_wh.len() as u32;
        let (validators, threshold) = (self.validators, self.threshold);
        KeyGenContext { ledger_id, session: self.session, validators, threshold, keys }
    }
    fn params(&self, keys: &ThresholdKeys) -> BidParams {
        BidParams::new(self.bits, keys.keys().to_vec(), array(&self.market_digest)).expect("parameters")
    }
    fn round(&self) -> RoundContext {
        let ledger_id = array(&self.ledger_id);
        RoundContext {
            ledger_id,
            key_epoch: self.key_epoch,
            round_id: self.round_id,
            slot_start_unix_s: self.slot_start_unix_s,
            slot_seconds: self.slot_seconds,
        }
    }
    fn opening(&self, opening_index: u32, bid_set: [u8; 32]) -> OpeningContext {
        OpeningContext { ledger_id: array(&self.ledger_id), round_id: self.round_id, opening_index, bid_set }
    }

    /// The vector with everything that follows from the inputs computed anew.
    fn computed(mut self) -> Self {
        let ctx = self.keygen();
        let mut sources: Vec<_> = self.dealer_seeds.iter().map(|seed| rng(seed)).collect();
        let signers: Vec<_> = sources.iter_mut().map(SigningKey::generate).collect();
        let dealers: Vec<_> = signers.iter().map(SigningKey::verifying_key).collect();
        let (packages, dealt): (Vec<_>, Vec<_>) = (1..)
            .zip(&signers)
            .zip(&mut sources)
            .map(|((dealer, key), source)| deal(&ctx, key, dealer, source).expect("dealt"))
            .unzip();
        let keys = public_keys(&ctx, &packages, &dealers).expect("an honest session");
        let shares: Vec<_> = (1..=self.validators).map(|me| received(&ctx, &packages, &dealt, me)).collect();
        self.dealer_keys = dealers.iter().map(|key| hex::encode(key.to_bytes())).collect();
        self.packages = packages.iter().map(|package| hex::encode(package.to_bytes())).collect();
        let secret = |shares: &DealtShares| hex::encode(shares.to_bytes().expose());
        self.dealt = dealt.iter().map(|receivers| receivers.iter().map(secret).collect()).collect();
        self.key_shares = shares.iter().map(|shares| hex::encode(shares.to_bytes().expose())).collect();
        self.step_keys = keys.keys().iter().map(|key| hex::encode(encode_point(key))).collect();
        self.share_keys = share_keys(&keys);
        self.compute_bids(&keys);
        let tally = self.tally(&keys);
        self.bid_set = hex::encode(tally.bid_set());
        self.r_total = hex::encode(encode_point(&tally.r_total()));
        self.tally = hex::encode(tally.to_canonical_bytes());
        let bid_set = tally.bid_set();
        for place in 0..self.openings.len() {
            let context = self.opening(self.openings[place].opening_index, bid_set);
            compute_opening(&mut self.openings[place], &context, &keys, &shares, &tally);
        }
        self
    }

    fn compute_bids(&mut self, keys: &ThresholdKeys) {
        let (params, round) = (self.params(keys), self.round());
        for bid in &mut self.bids {
            let keyring = Keyring::from_seed(&KeyringSeed::from_bytes(array(&bid.wallet_seed)));
            let sealed = seal_bid(&params, &round, &keyring, &bid.quantities_wh, &mut rng(&bid.rng_seed));
            bid.bid = hex::encode(sealed.expect("sealable").to_bytes());
        }
    }

    /// The tally of the vector's bids, which have to be valid.
    fn tally(&self, keys: &ThresholdKeys) -> Tally {
        let params = self.params(keys);
        let decode = |bid: &Bid| {
            SealedBid::from_bytes(&hex::decode(&bid.bid).expect("hexadecimal"), params.shape())
                .expect("a bid")
        };
        let bids: Vec<SealedBid> = self.bids.iter().map(decode).collect();
        let mut tally = Tally::new(params.steps());
        let verified = verify_bids(&params, &self.round(), &bids);
        verified.into_iter().for_each(|bid| tally.add(&bid.expect("valid")));
        tally
    }
}

fn received(
    ctx: &KeyGenContext,
    packages: &[DealerPackage],
    dealt: &[Vec<DealtShares>],
    me: u16,
) -> KeyShares {
    let mine: Vec<_> = dealt.iter().map(|receivers| receivers[usize::from(me) - 1].clone()).collect();
    receive(ctx, packages, &mine, me).expect("honest shares")
}

fn share_keys(keys: &ThresholdKeys) -> Vec<Vec<String>> {
    let of = |validator| {
        (0..keys.keys().len()).map(move |k| hex::encode(encode_point(keys.share_key(validator, k))))
    };
    (1..=keys.validators()).map(|validator| of(validator).collect()).collect()
}

fn compute_opening(
    opening: &mut Opening,
    context: &OpeningContext,
    keys: &ThresholdKeys,
    shares: &[KeyShares],
    tally: &Tally,
) {
    let (weights, r_total) = (&opening.weights, tally.r_total());
    let release = |(shares, seed): (&KeyShares, &String)| {
        release_share(context, weights, shares, keys, &r_total, &mut rng(seed)).expect("released")
    };
    let released: Vec<OpeningShare> = shares.iter().zip(&opening.share_seeds).map(release).collect();
    let check = |share| verify_share(context, weights, keys, &r_total, share).expect("honest");
    let verified: Vec<_> = released.iter().map(check).collect();
    let c_sum = tally.weighted_sum(weights);
    let combined = combine(keys, &verified, &c_sum).expect("enough shares");
    opening.shares = released.iter().map(|share| hex::encode(share.to_bytes())).collect();
    opening.c_sum = hex::encode(encode_point(&c_sum));
    opening.combined = hex::encode(encode_point(&combined));
    opening.value = SmallLog::new(1 << 26).solve(&combined).expect("a small value");
}

/// The file's vector, after it was written anew if that is asked for: once, as the tests run side by side.
fn stored() -> Vector {
    static TEXT: OnceLock<String> = OnceLock::new();
    serde_json::from_str(TEXT.get_or_init(bless_and_read)).expect("the file has the vector's form")
}

fn bless_and_read() -> String {
    if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&inputs().computed()).expect("plain data");
        std::fs::write(path(), text + "\n").expect("the specification's folder is writable");
    }
    std::fs::read_to_string(path()).expect("protocol-spec/vectors/opening.json is there")
}

#[test]
fn keys_tally_and_openings_are_the_stored_ones_byte_for_byte() {
    let fields = |vector: &Vector| serde_json::to_value(vector).expect("plain data");
    let (stored, computed) = (fields(&stored()), fields(&inputs().computed()));
    let changed = stored.as_object().expect("fields").iter().find(|(name, value)| computed[name] != **value);
    assert_eq!(changed.map(|(name, _)| name), None, "the format of this field has changed");
}

/// From the file's public part alone, as an auditor in another language would use it.
#[test]
fn stored_openings_verify_and_combine() {
    let vector = stored();
    let ctx = vector.keygen();
    let dealers: Vec<_> =
        vector.dealer_keys.iter().map(|key| VerifyingKey::from_bytes(&array(key)).expect("a key")).collect();
    let decode = |package: &String| {
        DealerPackage::from_bytes(&hex::decode(package).expect("hexadecimal"), &ctx).expect("a package")
    };
    let packages: Vec<_> = vector.packages.iter().map(decode).collect();
    let keys = public_keys(&ctx, &packages, &dealers).expect("true packages");
    assert_eq!(share_keys(&keys), vector.share_keys);
    let tally = vector.tally(&keys);
    assert_eq!(hex::encode(tally.to_canonical_bytes()), vector.tally);
    for opening in &vector.openings {
        let context = vector.opening(opening.opening_index, array(&vector.bid_set));
        let verified: Vec<_> = opening
            .shares
            .iter()
            .map(|share| OpeningShare::from_bytes(&array::<98>(share)).expect("a share"))
            .map(|share| {
                verify_share(&context, &opening.weights, &keys, &tally.r_total(), &share).expect("true")
            })
            .collect();
        // Any three of four.
        for used in [&verified[..3], &verified[1..]] {
            let combined = combine(&keys, used, &tally.weighted_sum(&opening.weights)).expect("combined");
            assert_eq!(hex::encode(encode_point(&combined)), opening.combined);
            assert!(check_value(&combined, opening.value));
        }
        let total = |k: usize| vector.bids.iter().map(|bid| bid.quantities_wh[k] as i64).sum::<i64>();
        let value: i64 = (0..).zip(&opening.weights).map(|(k, weight)| weight * total(k)).sum();
        assert_eq!(opening.value, value, "the opened value is the sum of what was bid");
    }
}
