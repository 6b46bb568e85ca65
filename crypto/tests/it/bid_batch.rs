//! The batch gives each bid the verdict of the clear verifier, in any mix, order and number of threads.

use crate::support::Market;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use rand_core::RngCore;
use rayon::{ThreadPool, ThreadPoolBuilder};
use veilgrid_crypto::bid::batch::all_valid;
use veilgrid_crypto::bid::prepared::Prepared;
use veilgrid_crypto::bid::{
    BidFault, RoundContext, SealedBid, Statement, equations, verify_all_bids, verify_bids, verify_statements,
};
use veilgrid_crypto::tally::Tally;

/// The verdict of one bid, equation by equation.
fn clear_verdict(market: &Market, bid: &SealedBid) -> Result<(), BidFault> {
    equations::check(&market.params, &Prepared::new(&market.params, &market.round, bid, None)?)
}

fn pools() -> Vec<ThreadPool> {
    [1, 2, 3, 7]
        .into_iter()
        .map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"))
        .collect()
}

fn below(market: &mut Market, bound: usize) -> usize {
    market.rng.next_u64() as usize % bound
}

/// Changes a bid in one of the ways that a cheat or an accident would; sometimes in none.
fn tamper(market: &mut Market, bid: &mut SealedBid, others: &[SealedBid]) {
    let other = others[below(market, others.len())].clone();
    let step = below(market, bid.c.len());
    match below(market, 11) {
        0 => {
            let mut bytes = bid.to_bytes();
            let place = below(market, bytes.len());
            bytes[place] ^= 1 << below(market, 8);
            *bid = market.decode(&bytes);
        }
        1 => bid.c.rotate_left(1),
        2 => bid.proof = other.proof,
        3 => bid.r = other.r,
        4 => bid.c[step] = other.c[step],
        5 => bid.signature = other.signature,
        6 => {
            let r = CompressedRistretto(bid.r).decompress().expect("a point");
            bid.r = (r + RISTRETTO_BASEPOINT_POINT).compress().0;
        }
        7 => bid.c.truncate(step),
        8 => bid.c[step] = [0; 32],
        9 => add_order(&mut bid.proof[32 * 7..32 * 8]),
        _ => {}
    }
}

/// s + ℓ: the same scalar in another encoding.
fn add_order(bytes: &mut [u8]) {
    let order = (-Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    for (byte, limb) in bytes.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(limb) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// Errors that cancel in the sum over the two bids.
fn cancel(first: &mut SealedBid, second: &mut SealedBid, step: usize) {
    let shift = |bytes: &mut [u8; 32], by: RistrettoPoint| {
        let point = CompressedRistretto(*bytes).decompress().expect("a point");
        *bytes = (point + by).compress().0;
    };
    shift(&mut first.c[step], RISTRETTO_BASEPOINT_POINT);
    shift(&mut second.c[step], -RISTRETTO_BASEPOINT_POINT);
}

/// Batches of 1 to 300 bids, a few culprits at random places: one-by-one verdicts in every chunking.
#[test]
fn large_batches_get_the_verdicts_of_the_clear_verifier_in_every_chunking() {
    let mut market = Market::new(8, 4);
    let (good, pools) = (market.bids::<20>(), pools());
    for (mix, count) in [1usize, 2, 63, 64, 65, 128, 255, 256, 257, 300].into_iter().enumerate() {
        let mut bids: Vec<SealedBid> = (0..count).map(|i| good[i % 20].clone()).collect();
        for _ in 0..mix % 4 {
            let place = below(&mut market, count);
            tamper(&mut market, &mut bids[place], &good);
        }
        if count > 60 && mix % 2 == 0 {
            let (left, right) = bids.split_at_mut(count / 2);
            let (a, b) = (below(&mut market, left.len()), below(&mut market, right.len()));
            if left[a].c.len() == 4 && right[b].c.len() == 4 {
                cancel(&mut left[a], &mut right[b], below(&mut market, 4));
            }
        }
        let expected: Vec<Option<BidFault>> =
            bids.iter().map(|bid| clear_verdict(&market, bid).err()).collect();
        for pool in &pools {
            let faults = pool.install(|| market.faults(&bids));
            assert_eq!(faults, expected, "{count} bids, {} threads", pool.current_num_threads());
        }
    }
}

#[test]
fn random_mixes_get_the_verdicts_of_the_clear_verifier_on_any_number_of_threads() {
    let mut market = Market::new(8, 4);
    let (good, pools) = (market.bids::<40>(), pools());
    let (mut accepted, mut refused) = (0, 0);
    for mix in 0..30 {
        let count = 1 + below(&mut market, 40);
        let mut bids: Vec<SealedBid> = (0..count).map(|_| good[below(&mut market, 40)].clone()).collect();
        // From no culprit at all to nothing but culprits.
        let one_in = [1, 2, 5, 20, usize::MAX][mix % 5];
        for bid in &mut bids {
            if below(&mut market, one_in) == 0 {
                tamper(&mut market, bid, &good);
            }
        }
        let expected: Vec<Option<BidFault>> =
            bids.iter().map(|bid| clear_verdict(&market, bid).err()).collect();
        refused += expected.iter().flatten().count();
        accepted += expected.iter().filter(|fault| fault.is_none()).count();
        for pool in &pools {
            let faults = pool.install(|| market.faults(&bids));
            assert_eq!(faults, expected, "mix {mix}, {} threads", pool.current_num_threads());
        }
        // All or nothing says whether there is any fault.
        let all = verify_all_bids(&market.params, &market.round, &bids);
        let digests = |bids: &[SealedBid]| bids.iter().map(SealedBid::digest).collect::<Vec<_>>();
        let all = all.map(|bids| bids.iter().map(|bid| bid.digest()).collect::<Vec<_>>());
        let expected = expected.iter().all(Option::is_none).then(|| digests(&bids));
        assert_eq!(all, expected, "mix {mix}");
    }
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
}

#[test]
fn two_culprits_at_any_places_are_the_two_that_are_named() {
    let mut market = Market::new(8, 4);
    let (good, pools) = (market.bids::<9>(), pools());
    for first in 0..good.len() {
        for second in 0..=first {
            let mut bids = good.to_vec();
            bids[first].note[0] ^= 1;
            bids[second].note[1] ^= 1;
            let culprits: Vec<usize> = pools[first % pools.len()]
                .install(|| market.faults(&bids))
                .into_iter()
                .enumerate()
                .filter_map(|(place, fault)| fault.map(|_| place))
                .collect();
            let expected = if first == second { vec![first] } else { vec![second, first] };
            assert_eq!(culprits, expected);
        }
    }
}

#[test]
fn a_verified_bid_is_the_bid_that_was_given() {
    let mut market = Market::new(16, 8);
    let bids = market.bids::<7>();
    for pool in pools() {
        let verdicts = pool.install(|| verify_bids(&market.params, &market.round, &bids));
        assert_eq!(verdicts.len(), bids.len());
        for (verified, bid) in verdicts.iter().zip(&bids) {
            let verified = verified.as_ref().expect("valid");
            assert_eq!(verified.account(), bid.account);
            assert_eq!(verified.round_id(), bid.round_id);
            assert_eq!(verified.digest(), bid.digest());
            assert_eq!(verified.r_bytes(), bid.r);
            // The points that the batch has decompressed, seen through a tally of this bid alone.
            let mut tally = Tally::new(bid.c.len());
            tally.add(verified);
            assert_eq!(tally.r_total().compress().0, bid.r);
            let unit = |step: usize| (0..bid.c.len()).map(|k| i64::from(k == step)).collect::<Vec<_>>();
            let c: Vec<[u8; 32]> =
                (0..bid.c.len()).map(|step| tally.weighted_sum(&unit(step)).compress().0).collect();
            assert_eq!(c, bid.c);
        }
    }
}

#[test]
fn no_bids_no_verdicts_and_the_same_bid_twice_twice_the_verdict() {
    let mut market = Market::new(8, 4);
    assert!(verify_bids(&market.params, &market.round, &[]).is_empty());
    assert!(all_valid(&market.params, &[]));
    let bid = market.bid();
    assert_eq!(market.faults(&[bid.clone(), bid.clone()]), [None, None]);
    let mut bad = bid.clone();
    bad.note[0] ^= 1;
    let fault = Some(BidFault::Signature);
    assert_eq!(market.faults(&[bad.clone(), bid, bad]), [fault.clone(), None, fault]);
}

/// One batch over several rounds: verdicts of each bid alone in its own round, and none for a bid of another round, also where
/// the two rounds stand side by side in one batch.
#[test]
fn bids_of_several_rounds_get_the_verdicts_of_their_own_rounds() {
    let mut market = Market::new(8, 4);
    let rounds: Vec<RoundContext> = (0..5)
        .map(|number| RoundContext {
            round_id: 7 + number,
            slot_start_unix_s: market.round.slot_start_unix_s + 900 * number as i64,
            ..market.round
        })
        .collect();
    let params = market.params.clone();
    let good: Vec<(usize, SealedBid)> =
        (0..40).map(|i| (i % 5, market.bid_for(&params, &rounds[i % 5]))).collect();
    let others: Vec<SealedBid> = good.iter().map(|(_, bid)| bid.clone()).collect();
    let pools = pools();
    let mut refused = 0;
    for mix in 0..20 {
        let mut bids = good.clone();
        for (round, bid) in &mut bids {
            match below(&mut market, [usize::MAX, 20, 5, 2][mix % 4]) {
                0 => tamper(&mut market, bid, &others),
                // The bid names the round that it is checked for, and was made for another one.
                1 => {
                    *round = (*round + 1) % 5;
                    bid.round_id = rounds[*round].round_id;
                }
                2 => *round = (*round + 1) % 5,
                _ => {}
            }
        }
        let statements: Vec<Statement> =
            bids.iter().map(|(round, bid)| Statement { round: &rounds[*round], bid, terms: None }).collect();
        let alone = |(round, bid): &(usize, SealedBid)| {
            equations::check(&params, &Prepared::new(&params, &rounds[*round], bid, None)?)
        };
        let expected: Vec<Option<BidFault>> = bids.iter().map(|one| alone(one).err()).collect();
        refused += expected.iter().flatten().count();
        for pool in &pools {
            let verdicts = pool.install(|| verify_statements(&params, &statements));
            let faults: Vec<Option<BidFault>> = verdicts.into_iter().map(Result::err).collect();
            assert_eq!(faults, expected, "mix {mix}, {} threads", pool.current_num_threads());
        }
    }
    assert!(refused > 20, "{refused} refused");
}

/// The tally remembers its encoding until a bid comes.
#[test]
fn the_encoding_of_a_tally_is_that_of_its_bids() {
    let mut market = Market::new(8, 4);
    let bids = market.bids::<3>();
    let verified = verify_bids(&market.params, &market.round, &bids);
    let mut tally = Tally::new(4);
    for count in 0..=bids.len() {
        let mut fresh = Tally::new(4);
        verified.iter().take(count).flatten().for_each(|bid| fresh.add(bid));
        assert_eq!(tally.to_canonical_bytes(), fresh.to_canonical_bytes(), "{count} bids");
        assert_eq!(tally.clone().to_canonical_bytes(), fresh.to_canonical_bytes(), "{count} bids");
        verified.get(count).into_iter().flatten().for_each(|bid| tally.add(bid));
    }
}
