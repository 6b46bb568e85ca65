//! The account's signature by itself: who sent a bid, at a small part of the cost of its proof.
//!
//! An intake counts what an account sends. Anybody can write a member's account on a bid, so it counts only what the
//! account's key has signed: otherwise a stranger could use up a member's quota. The signature is the last element of
//! the bid's transcript (specification section 4) and covers every byte before it, so the whole transcript is replayed;
//! then one Schnorr equation is left, with two points to decode instead of all of the bid's.
//!
//! # Security
//! A bid that passes is not valid: the equations of its proof are not looked at. The verdict says only that the owner
//! of the account has signed these bytes for this round.

use crate::bid::fault::BidFault;
use crate::bid::money::AccountTerms;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::prepared::check_names;
use crate::bid::replay::Replay;
use crate::bid::sealed::SealedBid;
use crate::bid::verify::Statement;
use crate::group::decode_point;
use curve25519_dalek::ristretto::RistrettoPoint;
use rayon::prelude::*;

/// Checks that the key of `bid.account` has signed every byte of the bid for this round. The work is the same for
/// every bid of a market, true or false.
///
/// # Errors
/// [`BidFault::Round`], [`BidFault::Malformed`] and [`BidFault::Signature`]. [`crate::bid::verify_bids`] refuses
/// every bid that is refused here.
pub fn check_signature(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Result<(), BidFault> {
    check(params, round, bid, None)
}

/// As [`check_signature`] in a market with money.
///
/// # Errors
/// Those of [`check_signature`] and [`BidFault::Sequence`].
pub fn check_signature_with_money(
    params: &BidParams,
    round: &RoundContext,
    bid: &SealedBid,
    terms: &AccountTerms,
) -> Result<(), BidFault> {
    check(params, round, bid, Some(terms))
}

fn check(
    params: &BidParams,
    round: &RoundContext,
    bid: &SealedBid,
    terms: Option<&AccountTerms>,
) -> Result<(), BidFault> {
    // The transcript absorbs the context's round, not the bid's: without this a bid's round would not be signed.
    check_names(round, bid, terms)?;
    let statement = Replay::of(params, round, bid, terms)?.signature.ok_or(BidFault::Signature)?;
    let announcement = decode_point("signature announcement", &statement.announcement)?;
    let account = decode_point("account", &bid.account)?;
    // s·G = N + c·A
    let expected = RistrettoPoint::vartime_double_scalar_mul_basepoint(
        &-statement.challenge,
        &account,
        &statement.response,
    );
    if expected == announcement { Ok(()) } else { Err(BidFault::Signature) }
}

/// [`check_signature`] of many bids of a round, on all cores of the current rayon pool.
///
/// # Errors
/// The place of the first bid that is refused, and why.
pub fn check_signatures(params: &BidParams, statements: &[Statement<'_>]) -> Result<(), (usize, BidFault)> {
    let faults = statements.par_iter().enumerate();
    let first = faults.find_map_first(|(at, Statement { round, bid, terms })| {
        let fault = check(params, round, bid, *terms).err()?;
        Some((at, fault))
    });
    first.map_or(Ok(()), Err)
}
