//! A bid with its challenges and its decompressed points: what every verifier starts from.

use crate::bid::fault::BidFault;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::replay::Replay;
use crate::bid::sealed::SealedBid;
use crate::fast::Points;
use crate::group::PointBytes;
use crate::wire::WireError;

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
    pub const SIGNATURE: usize = 7;
    pub const ACCOUNT: usize = 8;
    /// First of the L and R.
    pub const ROUNDS: usize = 9;
    /// R of the bid, with the C_k behind it.
    pub fn r(replay: &Replay) -> usize {
        ROUNDS + 2 * replay.u.len()
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
    pub fn new(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Result<Self, BidFault> {
        Self::of_replay(round, bid, Replay::of(params, round, bid))
    }

    /// [`Self::new`] for up to eight bids, whose transcripts are replayed side by side.
    pub fn eight(
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Self, BidFault>> {
        let replays = Replay::of_eight(params, round, bids);
        bids.iter().zip(replays).map(|(bid, replay)| Self::of_replay(round, bid, replay)).collect()
    }

    fn of_replay(
        round: &RoundContext,
        bid: &SealedBid,
        replay: Result<Replay, WireError>,
    ) -> Result<Self, BidFault> {
        if bid.round_id != round.round_id {
            return Err(BidFault::Round { bid: bid.round_id, round: round.round_id });
        }
        let replay = replay?;
        let fixed = replay.range_points.iter().chain(&replay.announcements);
        let fixed = fixed.chain([&replay.signature.announcement, &bid.account]);
        let rounds = replay.rounds.iter().flat_map(|(left, right)| [left, right]);
        let vector = std::iter::once(&bid.r).chain(&bid.c);
        let encodings: Vec<PointBytes> = fixed.chain(rounds).chain(vector).copied().collect();
        let points = Points::decode("a point of the bid", &encodings)?;
        Ok(Self { replay, points })
    }
}
