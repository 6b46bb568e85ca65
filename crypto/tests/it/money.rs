//! Claims and proofs of one fact through the public interface.

use crate::support::Market;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_core::RngCore;
use veilgrid_crypto::bid::{AvailableOpening, SealedBid, verify_bids};
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::money::claim::{Claim, ClaimFault, ClaimRules, ClaimTarget, Fill};
use veilgrid_crypto::money::fact::{
    AskerProof, Fact, FactError, FactProof, Relation, prove_fact, simulate_fact, verify_fact,
};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::tally::{settlement_side_keys, settlement_sides};
use veilgrid_crypto::wire::Reader;

/// Full fill is 2^16: buys at and above step 5, half of the sells at steps 0 and 2.
const FILL_WEIGHTS: [i64; 8] = [-32_768, 0, -32_768, 0, 0, 65_536, 0, 65_536];
const BUY_PRICE: i128 = 21_000;
const SELL_PRICE: i128 = 19_500;

struct World {
    market: Market,
    rules: ClaimRules,
    account_key: RistrettoPoint,
    energy_key: RistrettoPoint,
}

/// One member's bid after clearing.
struct Cleared {
    fill: Fill,
    r: Secret<Scalar>,
    filled: Secret<[u64; 2]>,
}

fn world() -> World {
    let mut market = Market::new(16, 8);
    let mut key = || &Scalar::random(&mut market.rng) * RISTRETTO_BASEPOINT_TABLE;
    let (account_key, energy_key) = (key(), key());
    let rules = rules(&market, account_key, energy_key, BUY_PRICE);
    World { market, rules, account_key, energy_key }
}

fn rules(
    market: &Market,
    account_key: RistrettoPoint,
    energy_key: RistrettoPoint,
    price: i128,
) -> ClaimRules {
    let side_keys = settlement_side_keys(&market.params, &FILL_WEIGHTS);
    let targets = vec![
        ClaimTarget { key: account_key, weights: [-price, SELL_PRICE] },
        ClaimTarget { key: energy_key, weights: [1, -1] },
    ];
    ClaimRules::new([1; 32], 7, [8; 32], side_keys, targets)
}

impl World {
    fn cleared(&mut self, quantities_wh: &[u64; 8]) -> Cleared {
        let (params, round) = (self.market.params.clone(), self.market.round);
        let keyring = self.market.keyring();
        let bid = self.sealed(&keyring, quantities_wh);
        let verified = verify_bids(&params, &round, std::slice::from_ref(&bid)).remove(0).expect("honest");
        let sides = settlement_sides(&verified, &FILL_WEIGHTS);
        let side = |sign: i64| -> u64 {
            let terms = quantities_wh.iter().zip(FILL_WEIGHTS);
            terms.map(|(x, q)| x * u64::try_from(sign * q).unwrap_or(0)).sum()
        };
        Cleared {
            fill: Fill { account: bid.account, bid: bid.digest(), r: bid.r, sides },
            r: keyring.round_view_key(round.key_epoch, round.round_id).randomness(&bid.salt),
            filled: Secret::new([side(1), side(-1)]),
        }
    }

    fn sealed(&mut self, keyring: &Keyring, quantities_wh: &[u64; 8]) -> SealedBid {
        let (params, round) = (self.market.params.clone(), self.market.round);
        veilgrid_crypto::bid::seal_bid(&params, &round, keyring, quantities_wh, &mut self.market.rng)
            .expect("sealable")
    }

    fn claim(&mut self, cleared: &Cleared) -> Claim {
        self.rules.claim(&cleared.fill, &cleared.r, &cleared.filled, &mut self.market.rng)
    }

    fn verdicts(&self, claims: &[(Fill, Claim)]) -> Vec<bool> {
        let verdicts = self.rules.verify(claims);
        let alone = claims.iter().map(|claim| self.rules.verify(std::slice::from_ref(claim)).remove(0));
        assert!(alone.eq(verdicts.iter().cloned()), "alone and together");
        verdicts.into_iter().map(|verdict| verdict.is_ok()).collect()
    }
}

const BUYS: [u64; 8] = [0, 0, 0, 9, 0, 3, 0, 50];
const SELLS: [u64; 8] = [11, 0, 7, 0, 100, 0, 0, 0];
const TRADES_BOTH: [u64; 8] = [11, 0, 7, 0, 100, 3, 0, 50];

#[test]
fn a_claim_carries_what_the_fill_is_worth_to_the_accounts_key() {
    let mut w = world();
    for quantities in [BUYS, SELLS, TRADES_BOTH, [0; 8]] {
        let cleared = w.cleared(&quantities);
        let claim = w.claim(&cleared);
        assert_eq!(w.verdicts(&[(cleared.fill.clone(), claim.clone())]), [true]);
        let [bought, sold] = *cleared.filled.expose();
        let money = SELL_PRICE * i128::from(sold) - BUY_PRICE * i128::from(bought);
        let energy = i128::from(bought) - i128::from(sold);
        let points = claim.decoded_points().expect("points");
        for (point, worth, key) in [(points[0], money, w.account_key), (points[1], energy, w.energy_key)] {
            assert_eq!(point, scalar_from_i128(worth) * value_base() + cleared.r.expose() * key);
        }
    }
}

#[test]
fn both_claims_of_a_round_take_160_bytes() {
    let mut w = world();
    let cleared = w.cleared(&BUYS);
    let bytes = w.claim(&cleared).to_bytes();
    assert_eq!((bytes.len(), Claim::encoded_bytes(2)), (160, 160));
    let mut reader = Reader::new(&bytes);
    let read = Claim::read(&mut reader, 2).expect("whole");
    assert_eq!(read.to_bytes(), bytes);
    assert!(Claim::read(&mut Reader::new(&bytes[..159]), 2).is_err());
}

#[test]
fn claims_of_another_worth_fill_outcome_or_key_are_refused() {
    let mut w = world();
    let (mine, other) = (w.cleared(&BUYS), w.cleared(&SELLS));
    let honest = w.claim(&mine);
    let refused = |w: &World, fill: &Fill, claim: &Claim| {
        let beside = (mine.fill.clone(), honest.clone());
        assert_eq!(w.verdicts(&[beside.clone(), (fill.clone(), claim.clone()), beside]), [true, false, true]);
    };
    // One unit less to pay, with a proof made for it.
    let cheap = Cleared { filled: Secret::new([mine.filled.expose()[0] - 1, 0]), ..clone(&mine) };
    let claim = w.claim(&cheap);
    refused(&w, &mine.fill, &claim);
    // Another's fill, with the own r and with its R.
    let fill = Fill { sides: other.fill.sides, ..mine.fill.clone() };
    let claim = w.claim(&Cleared { fill: fill.clone(), ..clone(&mine) });
    refused(&w, &fill, &claim);
    refused(&w, &other.fill, &claim);
    refused(&w, &other.fill, &honest);
    // For another account or bid.
    refused(&w, &Fill { account: [5; 32], ..mine.fill.clone() }, &honest);
    refused(&w, &Fill { bid: [5; 32], ..mine.fill.clone() }, &honest);
    // Both points swapped, one left out.
    let mut swapped = honest.clone();
    swapped.points.swap(0, 1);
    refused(&w, &mine.fill, &swapped);
    let mut short = honest.clone();
    short.points.pop();
    refused(&w, &mine.fill, &short);
    // Under other weights, for another key, of another round's outcome.
    let dearer = rules(&w.market, w.account_key, w.energy_key, BUY_PRICE + 1);
    let elsewhere = rules(&w.market, w.energy_key, w.account_key, BUY_PRICE);
    for rules in [dearer, elsewhere] {
        assert_eq!(rules.verify(&[(mine.fill.clone(), honest.clone())]), [Err(ClaimFault::Proof)]);
    }
}

#[test]
fn money_moved_from_one_target_to_the_other_is_refused() {
    let mut w = world();
    let cleared = w.cleared(&BUYS);
    let mut claim = w.claim(&cleared);
    // Equal and opposite errors: without the weight between the two equations their sum would hold.
    let points = claim.decoded_points().expect("points");
    claim.points = vec![encode_point(&(points[0] + value_base())), encode_point(&(points[1] - value_base()))];
    assert_eq!(w.verdicts(&[(cleared.fill.clone(), claim)]), [false]);
}

#[test]
fn every_changed_byte_of_a_claim_is_refused() {
    let mut w = world();
    let cleared = w.cleared(&TRADES_BOTH);
    let bytes = w.claim(&cleared).to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (w.market.rng.next_u32() % 8);
        let claim = Claim::read(&mut Reader::new(&changed), 2).expect("same length");
        assert!(w.rules.verify(&[(cleared.fill.clone(), claim)])[0].is_err(), "byte {at}");
    }
}

fn clone(cleared: &Cleared) -> Cleared {
    Cleared { fill: cleared.fill.clone(), r: cleared.r.clone(), filled: cleared.filled.clone() }
}

/// A member, an asker and a sum of 5,000 on the ledger.
struct Household {
    market: Market,
    account_key: RistrettoPoint,
    member: SigningKey,
    asker: SigningKey,
    opening: AvailableOpening,
    pair: [[u8; 32]; 2],
}

const SUM: i128 = 5_000;

fn household() -> Household {
    let mut market = Market::new(8, 4);
    let rng = &mut market.rng;
    let account_key = &Scalar::random(rng) * RISTRETTO_BASEPOINT_TABLE;
    let (member, asker) = (SigningKey::generate(rng), SigningKey::generate(rng));
    let b = Scalar::random(rng);
    let pair = [&b * RISTRETTO_BASEPOINT_TABLE, scalar_from_i128(SUM) * value_base() + b * account_key];
    let opening = AvailableOpening { amount: Secret::new(SUM), blinding: Secret::new(b) };
    Household { market, account_key, member, asker, opening, pair: pair.map(|point| encode_point(&point)) }
}

impl Household {
    fn fact(&self, relation: Relation, amount: i64) -> Fact {
        Fact {
            ledger_id: [1; 32],
            height: 100,
            state_root: [2; 32],
            account: self.member.verifying_key().to_bytes(),
            sum: b"bill of 2026-03".to_vec(),
            pair: self.pair,
            relation,
            amount,
            nonce: [3; 32],
            expires_unix_s: 1_800_000_000,
        }
    }
    fn prove(&mut self, fact: &Fact) -> Result<FactProof, FactError> {
        let asker =
            AskerProof::new(&self.asker, &fact.ledger_id, &fact.account, &fact.nonce, &mut self.market.rng);
        let Self { account_key, member, opening, market, .. } = self;
        prove_fact(fact, account_key, member, opening, &asker, &mut market.rng)
    }
    fn convinces(&self, asker: &SigningKey, fact: &Fact, proof: &FactProof) -> bool {
        verify_fact(fact, &self.account_key, &asker.verifying_key().to_bytes(), proof).is_ok()
    }
}

#[test]
fn true_facts_are_proved_and_false_ones_are_not() {
    let mut h = household();
    let true_ones = [
        (Relation::Is, 5_000, 160),
        (Relation::AtLeast, 5_000, 864),
        (Relation::AtLeast, -7, 864),
        (Relation::AtMost, 5_000, 864),
        (Relation::AtMost, 1 << 40, 864),
    ];
    for (relation, amount, bytes) in true_ones {
        let fact = h.fact(relation, amount);
        let proof = h.prove(&fact).expect("it is true");
        assert!(h.convinces(&h.asker, &fact, &proof), "{relation:?} {amount}");
        assert_eq!(proof.to_bytes().len(), bytes);
        assert_eq!(FactProof::from_bytes(&proof.to_bytes(), relation), Ok(proof));
    }
    for (relation, amount) in [(Relation::Is, 5_001), (Relation::AtLeast, 5_001), (Relation::AtMost, 4_999)] {
        assert_eq!(h.prove(&h.fact(relation, amount)), Err(FactError::False));
    }
}

#[test]
fn a_proof_shown_to_another_asker_convinces_nobody() {
    let mut h = household();
    let other = SigningKey::generate(&mut h.market.rng);
    for (relation, false_amount) in
        [(Relation::Is, 77), (Relation::AtLeast, 6_000), (Relation::AtMost, 4_000)]
    {
        // The asker makes the same proof of something false, with no secret of the member.
        let fact = h.fact(relation, false_amount);
        let simulated =
            simulate_fact(&fact, &h.account_key, &h.asker, 12, &mut h.market.rng).expect("points");
        assert!(h.convinces(&h.asker, &fact, &simulated), "the asker's own: {relation:?}");
        assert!(!h.convinces(&other, &fact, &simulated));
        let honest = h.fact(relation, 5_000);
        let proof = h.prove(&honest).expect("it is true");
        assert_eq!(proof.to_bytes().len(), simulated.to_bytes().len());
        assert!(!h.convinces(&other, &honest, &proof), "of another asker");
    }
}

#[test]
fn a_proof_answers_one_fact_alone() {
    let mut h = household();
    for relation in [Relation::Is, Relation::AtLeast, Relation::AtMost] {
        let fact = h.fact(relation, 5_000);
        let proof = h.prove(&fact).expect("it is true");
        let mut swapped = fact.pair;
        swapped.swap(0, 1);
        let others = [
            Fact { ledger_id: [9; 32], ..fact.clone() },
            Fact { height: 101, ..fact.clone() },
            Fact { state_root: [9; 32], ..fact.clone() },
            Fact { account: h.asker.verifying_key().to_bytes(), ..fact.clone() },
            Fact { sum: b"bill of 2026-04".to_vec(), ..fact.clone() },
            Fact { pair: swapped, ..fact.clone() },
            Fact { amount: 4_999, ..fact.clone() },
            Fact { nonce: [9; 32], ..fact.clone() },
            Fact { expires_unix_s: 1_800_000_001, ..fact.clone() },
        ];
        assert!(others.iter().all(|other| !h.convinces(&h.asker, other, &proof)), "{relation:?}");
        let relations = [Relation::Is, Relation::AtLeast, Relation::AtMost];
        let others = relations.iter().filter(|other| **other != relation);
        assert!(
            others
                .into_iter()
                .all(|other| { !h.convinces(&h.asker, &Fact { relation: *other, ..fact.clone() }, &proof) })
        );
    }
}

/// 10,000 in all, over the three relations.
#[test]
fn ten_thousand_mutated_proofs_are_refused() {
    let mut h = household();
    for (relation, count) in [(Relation::Is, 6_000), (Relation::AtLeast, 2_000), (Relation::AtMost, 2_000)] {
        let fact = h.fact(relation, 4_000 + if relation == Relation::AtMost { 2_000 } else { 0 });
        let fact = if relation == Relation::Is { h.fact(relation, 5_000) } else { fact };
        let bytes = h.prove(&fact).expect("it is true").to_bytes();
        for _ in 0..count {
            let mut changed = bytes.clone();
            let at = h.market.rng.next_u32() as usize % bytes.len();
            changed[at] ^= 1 << (h.market.rng.next_u32() % 8);
            let proof = FactProof::from_bytes(&changed, relation).expect("same length");
            assert!(!h.convinces(&h.asker, &fact, &proof), "{relation:?}, byte {at}");
        }
    }
}

#[test]
fn no_proof_for_an_asker_that_may_not_hold_its_key_or_by_another_than_the_member() {
    let mut h = household();
    let fact = h.fact(Relation::Is, 5_000);
    // A key that nobody holds, under another asker's signature.
    let mut asker = AskerProof::new(&h.asker, &fact.ledger_id, &fact.account, &fact.nonce, &mut h.market.rng);
    asker.key = encode_point(&RistrettoPoint::random(&mut h.market.rng));
    let Household { account_key, member, opening, market, asker: other, .. } = &mut h;
    let refused = prove_fact(&fact, account_key, member, opening, &asker, &mut market.rng);
    assert_eq!(refused, Err(FactError::Asker));
    // Who knows the balance's opening, but not the account's key, speaks for nobody.
    let asker = AskerProof::new(other, &fact.ledger_id, &fact.account, &fact.nonce, &mut market.rng);
    let authority = SigningKey::generate(&mut market.rng);
    let refused = prove_fact(&fact, account_key, &authority, opening, &asker, &mut market.rng);
    assert_eq!(refused, Err(FactError::Account));
    // An asker's proof of another question.
    let earlier = AskerProof::new(other, &fact.ledger_id, &fact.account, &[9; 32], &mut market.rng);
    let refused = prove_fact(&fact, account_key, member, opening, &earlier, &mut market.rng);
    assert_eq!(refused, Err(FactError::Asker));
}
