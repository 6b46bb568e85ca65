//! A bid with its challenges and its decompressed points: what every verifier starts from.

use crate::bid::fault::BidFault;
use crate::bid::money::AccountTerms;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::replay::Replay;
use crate::bid::sealed::SealedBid;
use crate::bid::verify::Statement;
use crate::fast::Points;
use crate::group::PointBytes;
use crate::wire::WireError;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;

/// Places of a bid's points in [`Prepared::points`].
pub(crate) mod index {
    use super::Replay;
    pub const A: usize = 0;
    pub const S: usize = 1;
    pub const T1: usize = 2;
    pub const T2: usize = 3;
    pub const N1: usize = 4;
    pub const N2: usize = 5;
    pub const N3: usize = 6;
    /// The signature's two points, where there is one.
    pub const SIGNATURE: usize = 7;
    pub const ACCOUNT: usize = 8;
    /// First of the L and R.
    pub fn rounds(replay: &Replay) -> usize {
        if replay.signature.is_some() { 9 } else { 7 }
    }
    /// With money: the cost, then what is available.
    pub fn money(replay: &Replay) -> usize {
        rounds(replay) + 2 * replay.rounds.len()
    }
    /// R, with the C_k behind it.
    pub fn r(replay: &Replay) -> usize {
        money(replay) + if replay.money.is_some() { 2 } else { 0 }
    }
    /// First of the C_k.
    pub fn c(replay: &Replay) -> usize {
        r(replay) + 1
    }
}

/// A bid with its challenges and its decompressed points: what all later work on it starts from.
pub struct Prepared {
    pub(crate) replay: Replay,
    pub(crate) points: Points,
}

impl Prepared {
    /// Replays the transcript and decompresses every point, refusing the identity. The round that the bid names is
    /// compared here, because the transcript absorbs the context's round and not the bid's.
    pub fn new(
        params: &BidParams,
        round: &RoundContext,
        bid: &SealedBid,
        terms: Option<&AccountTerms>,
    ) -> Result<Self, BidFault> {
        Self::of_replay(round, bid, terms, Replay::of(params, round, bid, terms))
    }

    /// [`Self::new`] for up to eight bids, whose transcripts are replayed side by side.
    pub fn eight(params: &BidParams, statements: &[Statement<'_>]) -> Vec<Result<Self, BidFault>> {
        let replays = Replay::of_eight(params, statements);
        let answer = |(&Statement { round, bid, terms }, replay)| Self::of_replay(round, bid, terms, replay);
        statements.iter().zip(replays).map(answer).collect()
    }

    fn of_replay(
        round: &RoundContext,
        bid: &SealedBid,
        terms: Option<&AccountTerms>,
        replay: Result<Replay, WireError>,
    ) -> Result<Self, BidFault> {
        check_names(round, bid, terms)?;
        Self::decoded(replay?, &bid.account, &bid.r, &bid.c)
    }

    /// Decompresses every point.
    pub(crate) fn decoded(
        replay: Replay,
        account: &PointBytes,
        r: &PointBytes,
        c: &[PointBytes],
    ) -> Result<Self, BidFault> {
        let fixed = replay.range_points.iter().chain(&replay.announcements);
        let signature = replay.signature.iter().flat_map(|signature| [&signature.announcement, account]);
        let fixed = fixed.chain(signature);
        let rounds = replay.rounds.iter().flat_map(|(left, right)| [left, right]);
        let vector = std::iter::once(r).chain(c);
        let money = replay.money.iter().flat_map(|money| [money.cost, available(&money.terms)]);
        let encodings: Vec<PointBytes> =
            fixed.chain(rounds).copied().chain(money).chain(vector.copied()).collect();
        let points = Points::decode("a point of the sealed vector", &encodings)?;
        Ok(Self { replay, points })
    }
}

/// What a bid names and its transcript absorbs from elsewhere: the context's round, the account's debit sequence.
pub(crate) fn check_names(
    round: &RoundContext,
    bid: &SealedBid,
    terms: Option<&AccountTerms>,
) -> Result<(), BidFault> {
    if bid.round_id != round.round_id {
        return Err(BidFault::Round { bid: bid.round_id, round: round.round_id });
    }
    match (&bid.money, terms) {
        (Some(money), Some(terms)) if money.debit_sequence != terms.debit_sequence => {
            Err(BidFault::Sequence { bid: money.debit_sequence, account: terms.debit_sequence })
        }
        _ => Ok(()),
    }
}

/// What is available to an account as a point that can be decoded: the identity, which it may be, stands as G and is counted
/// zero times.
fn available(terms: &AccountTerms) -> PointBytes {
    if is_identity(&terms.available) { RISTRETTO_BASEPOINT_COMPRESSED.0 } else { terms.available }
}

/// The identity's encoding.
pub(crate) fn is_identity(encoding: &PointBytes) -> bool {
    *encoding == [0; 32]
}
