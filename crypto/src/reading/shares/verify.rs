//! One verdict for each day's shares: all in one batch, one by one when that fails.

use super::batch::all_valid;
use super::equations;
use super::params::ShareParams;
use super::replay::Replay;
use super::sealed::SealedShares;
use crate::fast::Points;
use crate::group::PointBytes;
use crate::reading::{DayContext, VerifiedDay};
use crate::wire::WireError;
use rayon::prelude::*;
use thiserror::Error;

/// Shares, and what they are checked for.
#[derive(Debug, Clone, Copy)]
pub struct ShareStatement<'a> {
    /// The day.
    pub context: &'a DayContext,
    /// What was consumed on it.
    pub day: &'a VerifiedDay,
    /// The most that each present slot gets, in the parameters' unit.
    pub caps: &'a [u64],
    /// The shares.
    pub shares: &'a SealedShares,
}

/// Why shares are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShareFault {
    /// Wrong lengths, non-canonical encodings, identity points.
    #[error("malformed shares: {0}")]
    Malformed(#[from] WireError),
    /// E1 fails: some share is not the smaller of cap and reading.
    #[error("the shares are not the smaller of caps and readings (E1)")]
    Values,
    /// E2 fails: some C_A,k has a component outside of V and its slot's key.
    #[error("a slot's share is not a number under its slot's key (E2)")]
    Components,
    /// E3 fails: an R is not that of its vector.
    #[error("the R of the shares or of the day does not belong to its vector (E3)")]
    Randomness,
    /// The inner-product argument fails: some difference is out of range.
    #[error("the range proof of the shares is false")]
    Range,
}

/// Shares whose proof holds. Only [`verify_shares`] makes them. Hold the decompressed points.
#[derive(Clone)]
pub struct VerifiedShares {
    digest: [u8; 32],
    present: Vec<usize>,
    vector: Points,
}

impl core::fmt::Debug for VerifiedShares {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifiedShares").field("present", &self.present.len()).finish_non_exhaustive()
    }
}

impl VerifiedShares {
    /// The digest of the day and of their bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
    /// The slots that have a share, from 0, in rising order: those of the day.
    pub fn present(&self) -> &[usize] {
        &self.present
    }
    /// R_A, then the C_A,k of the present slots, decompressed.
    pub(crate) fn vector(&self) -> &Points {
        &self.vector
    }
}

/// A proof with its challenges and its decompressed points.
pub(super) struct Prepared<'a> {
    pub replay: Replay,
    /// A, S, T1, T2, N1 to N4, the L and R, R_A, the C_A.
    pub points: Points,
    pub day: &'a VerifiedDay,
    pub caps: &'a [u64],
}

impl<'a> Prepared<'a> {
    fn new(params: &ShareParams, statement: &ShareStatement<'a>) -> Result<Self, ShareFault> {
        let replay = Replay::of(params, statement)?;
        let rounds = replay.rounds.rounds.iter().flat_map(|(left, right)| [left, right]);
        let vector = std::iter::once(&statement.shares.r).chain(&statement.shares.c);
        let fixed = replay.range_points.iter().chain(&replay.announcements);
        let encodings: Vec<PointBytes> = fixed.chain(rounds).chain(vector).copied().collect();
        let points = Points::decode("a point of the shares", &encodings)?;
        Ok(Self { replay, points, day: statement.day, caps: statement.caps })
    }
}

/// Verifies the shares of many days: one verdict each, in order. Deterministic, on all cores of the current rayon pool. The
/// verdicts are those of [`check_shares`].
pub fn verify_shares(
    params: &ShareParams,
    statements: &[ShareStatement<'_>],
) -> Vec<Result<VerifiedShares, ShareFault>> {
    let prepared: Vec<Result<Prepared<'_>, ShareFault>> =
        statements.par_iter().map(|statement| Prepared::new(params, statement)).collect();
    let sound: Vec<&Prepared<'_>> = prepared.iter().filter_map(|prepared| prepared.as_ref().ok()).collect();
    let all_hold = all_valid(params, &sound);
    let verdict = |(prepared, statement): (Result<Prepared<'_>, ShareFault>, &ShareStatement<'_>)| {
        let mut prepared = prepared?;
        if !all_hold {
            equations::check(params, &prepared)?;
        }
        let first = 8 + 2 * prepared.replay.rounds.rounds.len();
        Ok(VerifiedShares {
            digest: statement.shares.digest(&statement.day.digest()),
            present: statement.day.present().to_vec(),
            vector: prepared.points.split_off(first),
        })
    };
    prepared.into_par_iter().zip(statements).map(verdict).collect()
}

/// The verdict of one day's shares, equation by equation: the reference that [`verify_shares`] is compared with.
///
/// # Errors
/// The first [`ShareFault`].
pub fn check_shares(params: &ShareParams, statement: &ShareStatement<'_>) -> Result<(), ShareFault> {
    equations::check(params, &Prepared::new(params, statement)?)
}
