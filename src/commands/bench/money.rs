//! `bench money`: what money costs a bid, beside the same bids without it: bytes, proving, checking in a batch, and both claims of
//! a round.

use super::BenchSize;
use super::audit::median;
use super::world::World;
use crate::failure::Failure;
use crate::output;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use std::time::Instant;
use veilgrid_crypto::bid::{
    AccountTerms, AvailableOpening, BidParams, CostWeights, SealedBid, seal_bid, seal_bid_with_money,
    verify_all_bids, verify_all_bids_with_money,
};
use veilgrid_crypto::group::encode_point;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::money::claim::{Claim, ClaimRules, ClaimTarget, Fill};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::tally::{settlement_side_keys, settlement_sides};

/// Runs of each batch; the median counts.
const RUNS: usize = 9;
/// A unit of a fill: all of a bid's step.
const WHOLE: i64 = 1 << 16;

/// What a run measured. Times are medians, milliseconds a bid, of runs in turn.
#[derive(Debug, Serialize)]
pub struct MoneyReport {
    /// Which run.
    bench: &'static str,
    bids: usize,
    ticks: u32,
    bits: u32,
    threads: usize,
    /// Bytes that money adds to a bid.
    bid_extra_bytes: usize,
    /// Bytes of both claims of a round.
    claims_bytes: usize,
    /// Sealing a bid without money, and with it by an account that trades, one that sends zeros and one in arrears.
    prove_without_ms: f64,
    prove_trading_ms: f64,
    prove_zeros_ms: f64,
    prove_arrears_ms: f64,
    /// Checking the batch without money, with it, and the claims of all bids.
    verify_without_ms: f64,
    verify_with_ms: f64,
    verify_claims_ms: f64,
    /// Sealing with money / without.
    prove_ratio: f64,
    /// What money and claims add to the check of a bid / the check without money.
    verify_extra_ratio: f64,
}

/// An account of the run.
struct Account {
    keyring: Keyring,
    terms: AccountTerms,
    opening: AvailableOpening,
}

struct MoneyWorld {
    world: World,
    params: BidParams,
    account_key: RistrettoPoint,
    rng: ChaCha20Rng,
}

impl MoneyWorld {
    fn new(size: &BenchSize) -> Result<Self, Failure> {
        let world = World::new(size)?;
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let account_key = &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE;
        let keys = world.keys.keys().to_vec();
        let params = BidParams::with_money(size.bits, keys, account_key, [2; 32]).map_err(Failure::input)?;
        Ok(Self { world, params, account_key, rng })
    }

    fn account(&mut self, amount: i128, costs: &CostWeights) -> Account {
        let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut self.rng));
        let blinding = Scalar::random(&mut self.rng);
        let available = scalar_from_i128(amount) * self.params.bases().value() + blinding * self.account_key;
        let terms = AccountTerms {
            import_wh: u32::MAX,
            export_wh: u32::MAX,
            available: encode_point(&available),
            debit_sequence: 1,
            costs: costs.clone(),
        };
        Account {
            keyring,
            terms,
            opening: AvailableOpening { amount: Secret::new(amount), blinding: Secret::new(blinding) },
        }
    }

    /// Seals with money; the time in milliseconds.
    fn seal(&mut self, account: &Account, quantities_wh: &[u64]) -> Result<(SealedBid, f64), Failure> {
        let Account { keyring, terms, opening } = account;
        let (round, start) = (self.world.round, Instant::now());
        let bid =
            seal_bid_with_money(&self.params, &round, keyring, quantities_wh, terms, opening, &mut self.rng)
                .map_err(Failure::input)?;
        Ok((bid, start.elapsed().as_secs_f64() * 1e3))
    }
}

/// All bids of the run, and the times that sealing them took.
struct Sealed {
    plain: Vec<SealedBid>,
    with_money: Vec<SealedBid>,
    accounts: Vec<Account>,
    quantities_wh: Vec<Vec<u64>>,
    /// Without money, trading, zeros, arrears.
    times_ms: [Vec<f64>; 4],
}

/// Seals every bid in all four ways, in turn.
fn seal_all(w: &mut MoneyWorld, size: &BenchSize) -> Result<Sealed, Failure> {
    let steps = w.params.steps();
    let weights = (0..steps as u64).map(|step| if step % 2 == 0 { 0 } else { 1_000 * (step / 2) }).collect();
    let costs = CostWeights::new(weights);
    let zeros = vec![0; steps];
    let mut sealed = Sealed {
        plain: Vec::new(),
        with_money: Vec::new(),
        accounts: Vec::new(),
        quantities_wh: Vec::new(),
        times_ms: Default::default(),
    };
    let bar = output::progress(size.bids as u64, "sealing bids in four ways", size.json);
    // The first of each kind builds the tables of the keys, which a member does once per market.
    for warm_up in [true, false] {
        for _ in 0..if warm_up { 1 } else { size.bids } {
            let mut quantities_wh = w.world.quantities(&mut w.rng);
            // Capacities are 32 bits.
            quantities_wh.iter_mut().for_each(|quantity| *quantity &= (1 << 28) - 1);
            let (account, debtor) = (w.account(1 << 61, &costs), w.account(-1_000, &costs));
            let start = Instant::now();
            let plain =
                seal_bid(&w.world.params, &w.world.round, &account.keyring, &quantities_wh, &mut w.rng)
                    .map_err(Failure::input)?;
            let without_ms = start.elapsed().as_secs_f64() * 1e3;
            let (bid, trading_ms) = w.seal(&account, &quantities_wh)?;
            let (_, zeros_ms) = w.seal(&account, &zeros)?;
            let (_, arrears_ms) = w.seal(&debtor, &zeros)?;
            if warm_up {
                continue;
            }
            let times = [without_ms, trading_ms, zeros_ms, arrears_ms];
            sealed.times_ms.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
            sealed.plain.push(plain);
            sealed.with_money.push(bid);
            sealed.accounts.push(account);
            sealed.quantities_wh.push(quantities_wh);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(sealed)
}

/// Everybody's claim of a round in which every buy and every sell is filled: what is measured does not depend on it.
fn claims(w: &mut MoneyWorld, sealed: &Sealed) -> Result<(ClaimRules, Vec<(Fill, Claim)>), Failure> {
    let weights: Vec<i64> =
        (0..w.params.steps()).map(|step| if step % 2 == 1 { WHOLE } else { -WHOLE }).collect();
    let terms: Vec<AccountTerms> = sealed.accounts.iter().map(|account| account.terms.clone()).collect();
    let verified = verify_all_bids_with_money(&w.params, &w.world.round, &sealed.with_money, &terms)
        .ok_or_else(|| Failure::Input("a bid with money does not verify".to_owned()))?;
    let energy_key = &Scalar::random(&mut w.rng) * RISTRETTO_BASEPOINT_TABLE;
    let targets = vec![
        ClaimTarget { key: w.account_key, weights: [-21_000, 19_000] },
        ClaimTarget { key: energy_key, weights: [1, -1] },
    ];
    let keys = settlement_side_keys(&w.params, &weights);
    let rules = ClaimRules::new(w.world.round.ledger_id, w.world.round.round_id, [7; 32], keys, targets);
    let mut claims = Vec::with_capacity(verified.len());
    for ((bid, verified), (account, x)) in
        sealed.with_money.iter().zip(&verified).zip(sealed.accounts.iter().zip(&sealed.quantities_wh))
    {
        let sides = settlement_sides(verified, &weights);
        let fill = Fill { account: bid.account, bid: bid.digest(), r: bid.r, sides };
        let round = w.world.round;
        let r = account.keyring.round_view_key(round.key_epoch, round.round_id).randomness(&bid.salt);
        let side = |odd: usize| -> u64 { x.iter().skip(odd).step_by(2).map(|x| x * WHOLE as u64).sum() };
        let filled = Secret::new([side(1), side(0)]);
        let claim = rules.claim(&fill, &r, &filled, &mut w.rng);
        claims.push((fill, claim));
    }
    Ok((rules, claims))
}

/// Runs the bench and prints its figures.
///
/// # Errors
/// As the world; a bid or claim of the run that does not verify.
pub fn run(size: &BenchSize) -> Result<(), Failure> {
    let mut w = MoneyWorld::new(size)?;
    let sealed = seal_all(&mut w, size)?;
    let (rules, claims) = claims(&mut w, &sealed)?;
    let terms: Vec<AccountTerms> = sealed.accounts.iter().map(|account| account.terms.clone()).collect();
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..RUNS {
        let mut timed = |at: usize, holds: &dyn Fn() -> bool| -> Result<(), Failure> {
            let start = Instant::now();
            let holds = holds();
            times[at].push(start.elapsed().as_secs_f64() * 1e3 / size.bids as f64);
            if holds {
                Ok(())
            } else {
                Err(Failure::Input("a bid or claim of the run does not verify".to_owned()))
            }
        };
        let round = &w.world.round;
        timed(0, &|| verify_all_bids(&w.world.params, round, &sealed.plain).is_some())?;
        timed(1, &|| verify_all_bids_with_money(&w.params, round, &sealed.with_money, &terms).is_some())?;
        timed(2, &|| rules.verify(&claims).iter().all(Result::is_ok))?;
    }
    let [prove_without_ms, prove_trading_ms, prove_zeros_ms, prove_arrears_ms] = sealed.times_ms.map(median);
    let [verify_without_ms, verify_with_ms, verify_claims_ms] = times.map(median);
    let report = MoneyReport {
        bench: "money",
        bids: size.bids,
        ticks: size.ticks,
        bits: size.bits,
        threads: rayon::current_num_threads(),
        bid_extra_bytes: w.params.shape().bid_bytes() - w.world.params.shape().bid_bytes(),
        claims_bytes: Claim::encoded_bytes(2),
        prove_without_ms,
        prove_trading_ms,
        prove_zeros_ms,
        prove_arrears_ms,
        verify_without_ms,
        verify_with_ms,
        verify_claims_ms,
        prove_ratio: prove_trading_ms / prove_without_ms,
        verify_extra_ratio: (verify_with_ms - verify_without_ms + verify_claims_ms) / verify_without_ms,
    };
    if size.json {
        return output::json(&report);
    }
    print(&report);
    Ok(())
}

fn print(report: &MoneyReport) {
    let mut table = output::table(&["measured", "value"]);
    let ms = |value: f64| format!("{value:.3} ms");
    let rows = [
        ("bids", report.bids.to_string()),
        ("money of a bid", format!("{} bytes", report.bid_extra_bytes)),
        ("both claims of a round", format!("{} bytes", report.claims_bytes)),
        ("sealing a bid without money", ms(report.prove_without_ms)),
        ("the same with money, an account that trades", ms(report.prove_trading_ms)),
        ("the same, one that sends zeros", ms(report.prove_zeros_ms)),
        ("the same, one in arrears", ms(report.prove_arrears_ms)),
        ("sealing with money / without", format!("{:.2}", report.prove_ratio)),
        ("checking a bid without money", ms(report.verify_without_ms)),
        ("checking a bid with money", ms(report.verify_with_ms)),
        ("checking both claims", ms(report.verify_claims_ms)),
        ("money and claims / a bid without", format!("{:.2}", report.verify_extra_ratio)),
    ];
    rows.into_iter().for_each(|(name, value)| {
        table.add_row([name.to_owned(), value]);
    });
    output::line(table);
}
