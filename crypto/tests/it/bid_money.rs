//! Bids with money through the public interface: who may bid what, what the bytes show, what a changed byte does.

use crate::support::{Market, choose_arithmetic, passes_with_every_arithmetic, step_keys};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use veilgrid_crypto::bid::{
    AccountTerms, AvailableOpening, BidFault, BidParams, CostWeights, RoundContext, SealedBid, cost_opening,
    open_note, seal_bid, seal_bid_with_money, verify_all_bids_with_money, verify_bids_with_money,
};
use veilgrid_crypto::group::{decode_point, encode_point};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::secret::Secret;

/// A market with money.
fn market(bits: u32, steps: usize) -> Market {
    let mut market = Market::new(bits, steps);
    let keys = step_keys(steps, &mut market.rng);
    let account_key = &Scalar::random(&mut market.rng) * RISTRETTO_BASEPOINT_TABLE;
    market.params = BidParams::with_money(bits, keys, account_key, [3; 32]).expect("valid parameters");
    market
}

/// An account with its terms and what its owner knows.
struct Account {
    keyring: Keyring,
    terms: AccountTerms,
    opening: AvailableOpening,
}

/// Costs of a zone: a sell costs the fee, a buy its price and the fee.
fn costs(steps: usize, fee: u64) -> CostWeights {
    CostWeights::new((0..steps as u64).map(|k| if k % 2 == 0 { fee } else { 1_000 * k + fee }).collect())
}

fn account(market: &mut Market, amount: i128, fee: u64) -> Account {
    let blinding = if amount == 0 { Scalar::ZERO } else { Scalar::random(&mut market.rng) };
    let value = Scalar::from(amount.unsigned_abs());
    let value = if amount < 0 { -value } else { value };
    let key = market.params.account_key().expect("money");
    let available = encode_point(&(value * market.params.bases().value() + blinding * key));
    let opening = AvailableOpening { amount: Secret::new(amount), blinding: Secret::new(blinding) };
    let costs = costs(market.params.steps(), fee);
    let terms = AccountTerms { import_wh: 100_000, export_wh: 50_000, available, debit_sequence: 7, costs };
    Account { keyring: market.keyring(), terms, opening }
}

fn seal(market: &mut Market, account: &Account, quantities_wh: &[u64]) -> SealedBid {
    let (params, round) = (market.params.clone(), market.round);
    let Account { keyring, terms, opening } = account;
    seal_bid_with_money(&params, &round, keyring, quantities_wh, terms, opening, &mut market.rng)
        .expect("the account may bid this")
}

fn faults(market: &Market, bids: &[SealedBid], accounts: &[Account]) -> Vec<Option<BidFault>> {
    let terms: Vec<AccountTerms> = accounts.iter().map(|account| account.terms.clone()).collect();
    let verdicts = verify_bids_with_money(&market.params, &market.round, bids, &terms);
    verdicts.into_iter().map(Result::err).collect()
}

/// One bid of each kind: one that trades, one of zeros, one in arrears, one without a balance.
fn of_each_kind(market: &mut Market) -> (Vec<Account>, Vec<SealedBid>) {
    let steps = market.params.steps();
    let accounts: Vec<Account> = [(1 << 60, 0), (5_000, 3), (-77, 0), (0, 3)]
        .into_iter()
        .map(|(amount, fee)| account(market, amount, fee))
        .collect();
    let mut trades = vec![0; steps];
    (trades[0], trades[1], trades[steps - 1]) = (40, 3, 5);
    let zeros = vec![0; steps];
    let quantities = [&trades, &zeros, &zeros, &zeros];
    let bids = accounts.iter().zip(quantities).map(|(account, x)| seal(market, account, x)).collect();
    (accounts, bids)
}

#[test]
fn bids_of_all_shapes_are_accepted_and_cannot_be_told_apart_by_length() {
    for (bits, steps) in [(8, 4), (8, 16), (8, 32), (8, 64), (16, 8), (16, 128), (32, 16), (32, 64)] {
        let mut market = market(bits, steps);
        let (accounts, bids) = of_each_kind(&mut market);
        assert_eq!(faults(&market, &bids, &accounts), vec![None; bids.len()], "{bits} bits, {steps} steps");
        for (bid, account) in bids.iter().zip(&accounts) {
            let alone = faults(&market, std::slice::from_ref(bid), std::slice::from_ref(account));
            assert_eq!(alone, [None]);
            assert_eq!(bid.to_bytes().len(), market.params.shape().bid_bytes());
            assert_eq!(market.decode(&bid.to_bytes()), *bid);
        }
        let terms: Vec<AccountTerms> = accounts.into_iter().map(|account| account.terms).collect();
        assert!(verify_all_bids_with_money(&market.params, &market.round, &bids, &terms).is_some());
    }
}

#[test]
fn money_takes_136_bytes_of_a_bid_of_64_ticks() {
    let with = market(16, 128).params.shape().bid_bytes();
    let without = Market::new(16, 128).params.shape().bid_bytes();
    assert_eq!(with - without, 136);
}

#[test]
fn one_account_under_anothers_terms_is_named_among_the_others() {
    let mut market = market(16, 16);
    let (mut accounts, bids) = of_each_kind(&mut market);
    accounts.swap(1, 3);
    let faults = faults(&market, &bids, &accounts);
    assert!(faults[0].is_none() && faults[2].is_none());
    assert!(faults[1].is_some() && faults[3].is_some());
}

#[test]
fn every_changed_byte_is_refused() {
    let mut market = market(8, 8);
    let (accounts, bids) = of_each_kind(&mut market);
    let (account, bid) = (&accounts[..1], &bids[0]);
    let bytes = bid.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (market.rng.next_u32() % 8);
        let changed = market.decode(&changed);
        assert!(faults(&market, &[changed], account)[0].is_some(), "byte {at}");
    }
}

#[test]
fn the_owner_opens_cost_and_note_again() {
    let mut market = market(16, 16);
    let (accounts, bids) = of_each_kind(&mut market);
    let (account, bid) = (&accounts[0], &bids[0]);
    let view = account.keyring.round_view_key(market.round.key_epoch, market.round.round_id);
    let quantities = open_note(&market.params, &market.round, &view, bid).expect("its own note");
    let (cost, gamma) =
        cost_opening(&quantities, &account.terms.costs, &view, &bid.salt).expect("below any balance");
    assert_eq!(*cost.expose(), 3 * 1_000 + 5 * 15_000);
    let key = market.params.account_key().expect("money");
    let value = Scalar::from(*cost.expose() as u64);
    let expected = value * market.params.bases().value() + gamma.expose() * key;
    let cost = bid.money.as_ref().expect("a bid with money").cost;
    assert_eq!(decode_point("cost", &cost).expect("a point"), expected);
}

#[test]
fn two_bids_under_other_terms_share_no_randomness() {
    let mut market = market(8, 8);
    let mut account = account(&mut market, 1_000_000, 0);
    let quantities = vec![1; 8];
    let first = seal(&mut market, &account, &quantities);
    let again = seal(&mut market, &account, &quantities);
    assert_eq!((first.salt, first.r, &first.money), (again.salt, again.r, &again.money), "a retry");
    account.terms.debit_sequence += 1;
    let other = seal(&mut market, &account, &quantities);
    assert_ne!(first.salt, other.salt);
    assert_ne!(first.r, other.r);
    assert_ne!(first.money.map(|m| m.cost), other.money.map(|m| m.cost));
}

#[test]
fn a_market_has_bids_with_money_or_without() {
    let mut with = market(8, 8);
    let (keyring, quantities) = (with.keyring(), vec![0; 8]);
    assert!(seal_bid(&with.params, &with.round, &keyring, &quantities, &mut with.rng).is_err());
    let account = account(&mut with, 5, 0);
    let bid = seal(&mut with, &account, &quantities);
    let mut without = Market::new(8, 8);
    let refused = seal_bid_with_money(
        &without.params,
        &without.round,
        &keyring,
        &quantities,
        &account.terms,
        &account.opening,
        &mut without.rng,
    );
    assert!(refused.is_err());
    assert!(without.faults(std::slice::from_ref(&bid))[0].is_some());
    let plain = without.bid();
    assert!(faults(&with, &[plain], &[account])[0].is_some());
}

#[test]
fn an_account_key_of_its_own_is_needed() {
    let mut market = Market::new(8, 8);
    let keys = step_keys(8, &mut market.rng);
    let identity = curve25519_dalek::ristretto::RistrettoPoint::identity();
    for key in [keys[3], identity] {
        assert!(BidParams::with_money(8, keys.clone(), key, [3; 32]).is_err());
    }
}

/// One bid: inputs first, then what follows from them. Bytes are hexadecimal, integers are plain.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    bits: u32,
    step_keys: Vec<String>,
    account_key: String,
    market_digest: String,
    ledger_id: String,
    key_epoch: u64,
    round_id: u64,
    slot_start_unix_s: i64,
    slot_seconds: u32,
    wallet_seed: String,
    quantities_wh: Vec<u64>,
    import_wh: u32,
    export_wh: u32,
    cost_weights: Vec<u64>,
    debit_sequence: u64,
    available: i64,
    available_blinding: String,
    /// Seed of the ChaCha20 random source (`SeedableRng::from_seed`) that the proof and the signature draw from.
    rng_seed: String,
    params_digest: String,
    available_point: String,
    salt: String,
    r: String,
    cost: String,
    bid_digest: String,
    bid: String,
}

fn array(text: &str) -> [u8; 32] {
    hex::decode(text).expect("hexadecimal").try_into().expect("32 bytes")
}

fn point(text: &str) -> curve25519_dalek::ristretto::RistrettoPoint {
    CompressedRistretto(array(text)).decompress().expect("a point")
}

impl Vector {
    fn params(&self) -> BidParams {
        let keys = self.step_keys.iter().map(|key| point(key)).collect();
        let digest = array(&self.market_digest);
        BidParams::with_money(self.bits, keys, point(&self.account_key), digest).expect("valid parameters")
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

    fn account(&self, params: &BidParams) -> (AccountTerms, AvailableOpening) {
        let blinding = Scalar::from_canonical_bytes(array(&self.available_blinding)).expect("canonical");
        let value = Scalar::from(self.available.unsigned_abs());
        let value = if self.available < 0 { -value } else { value };
        let key = params.account_key().expect("money");
        let terms = AccountTerms {
            import_wh: self.import_wh,
            export_wh: self.export_wh,
            available: encode_point(&(value * params.bases().value() + blinding * key)),
            debit_sequence: self.debit_sequence,
            costs: CostWeights::new(self.cost_weights.clone()),
        };
        let amount = Secret::new(i128::from(self.available));
        (terms, AvailableOpening { amount, blinding: Secret::new(blinding) })
    }

    /// The vector with everything that follows from the inputs computed anew; the bid is accepted.
    fn computed(self) -> Self {
        let (params, round) = (self.params(), self.round());
        let (terms, opening) = self.account(&params);
        let keyring = Keyring::from_seed(&KeyringSeed::from_bytes(array(&self.wallet_seed)));
        let mut rng = ChaCha20Rng::from_seed(array(&self.rng_seed));
        let bid =
            seal_bid_with_money(&params, &round, &keyring, &self.quantities_wh, &terms, &opening, &mut rng)
                .expect("the account may bid this");
        let alone = std::slice::from_ref(&bid);
        let verdicts = verify_bids_with_money(&params, &round, alone, std::slice::from_ref(&terms));
        assert!(verdicts[0].is_ok(), "{}: {:?}", self.name, verdicts[0].as_ref().err());
        Self {
            params_digest: hex::encode(params.digest()),
            available_point: hex::encode(terms.available),
            salt: hex::encode(bid.salt),
            r: hex::encode(bid.r),
            cost: hex::encode(bid.money.as_ref().expect("money").cost),
            bid_digest: hex::encode(bid.digest()),
            bid: hex::encode(bid.to_bytes()),
            ..self
        }
    }
}

/// The inputs of one vector; everything else is empty until it is computed.
fn inputs(name: &str, bits: u32, seed: u8, quantities_wh: &[u64], available: i64) -> Vector {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let hexed = |offset: u8| hex::encode([seed.wrapping_add(offset); 32]);
    let keys = step_keys(quantities_wh.len() + 1, &mut rng);
    let mut keys: Vec<String> = keys.iter().map(|key| hex::encode(key.compress().0)).collect();
    Vector {
        name: name.into(),
        bits,
        account_key: keys.pop().expect("one more"),
        step_keys: keys,
        market_digest: hexed(1),
        ledger_id: hexed(2),
        key_epoch: 1,
        round_id: 2_000_000 + u64::from(seed),
        slot_start_unix_s: 1_800_000_900,
        slot_seconds: 900,
        wallet_seed: hexed(3),
        quantities_wh: quantities_wh.to_vec(),
        import_wh: 250,
        export_wh: 300,
        cost_weights: (0..quantities_wh.len() as u64).map(|k| 65_536 * 1_000 * (k % 2) * (k + 1)).collect(),
        debit_sequence: u64::from(seed) * 1_000,
        available,
        available_blinding: hex::encode(Scalar::random(&mut rng).to_bytes()),
        rng_seed: hexed(4),
        params_digest: String::new(),
        available_point: String::new(),
        salt: String::new(),
        r: String::new(),
        cost: String::new(),
        bid_digest: String::new(),
        bid: String::new(),
    }
}

/// The same bytes and the same verdicts with every arithmetic.
#[test]
fn every_arithmetic_gives_the_same_bids_with_money() {
    passes_with_every_arithmetic("bid_money::golden_vectors_are_unchanged");
}

#[test]
fn golden_vectors_are_unchanged() {
    choose_arithmetic();
    let ten_steps = |at: &[(usize, u64)]| -> Vec<u64> {
        let mut quantities = vec![0; 32];
        at.iter().for_each(|(step, x)| quantities[*step] = *x);
        quantities
    };
    let vectors = [
        inputs("buys and sells, 8 bits, 4 steps", 8, 10, &[0, 120, 255, 1], 1 << 50),
        inputs("zeros in arrears, 8 bits, 4 steps", 8, 20, &[0; 4], -12_345),
        inputs("folds by three, 8 bits, 32 steps", 8, 30, &ten_steps(&[(0, 7), (31, 200)]), 1 << 60),
        inputs("folds by three twice, 32 bits, 32 steps", 32, 40, &ten_steps(&[(2, 300), (5, 250)]), 1 << 61),
    ]
    .map(Vector::computed);
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/bid_money.json");
    if std::env::var_os("VEILGRID_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&vectors).expect("plain data") + "\n";
        std::fs::write(&path, text).expect("writable");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors' file");
    let stored: Vec<Vector> = serde_json::from_str(&text).expect("vectors");
    assert_eq!(stored, vectors, "protocol-spec/vectors/bid_money.json against the code");
}
