//! One verdict a day: batch first, the equations one by one to name a culprit's reason, as for bids.

use super::context::{DayContext, DayHeader};
use super::params::DayParams;
use super::replay::InParams;
use super::sealed::SealedDay;
use crate::bid::prepared::{Prepared, index};
use crate::bid::replay::Replay;
use crate::bid::verify::judge;
use crate::bid::{BidFault, equations};
use crate::fast::Points;
use crate::group::PointBytes;
use crate::wire::WireError;
use rayon::prelude::*;
use thiserror::Error;

/// A sealed day, and what it is checked for.
#[derive(Debug, Clone, Copy)]
pub struct DayStatement<'a> {
    /// The day.
    pub context: &'a DayContext,
    /// Its vector of one account and direction.
    pub day: &'a SealedDay,
}

/// Why a day is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DayFault {
    /// Wrong lengths, non-canonical encodings, identity points.
    #[error("malformed day of readings: {0}")]
    Malformed(#[from] WireError),
    /// E1 fails: the committed values are not those of the range proof.
    #[error("the day's readings do not match its range proof (E1)")]
    Values,
    /// E2 fails: some C_k has a component outside of V and its slot's key.
    #[error("a slot of the day is not a reading under its slot's key (E2)")]
    Components,
    /// E3 fails: R is not r·G for the r of the vector.
    #[error("the day's R does not belong to its vector (E3)")]
    Randomness,
    /// The inner-product argument fails: some reading is out of range, or one that is missing is not zero.
    #[error("the day's range proof is false: a reading is out of range")]
    Range,
}

impl From<BidFault> for DayFault {
    fn from(fault: BidFault) -> Self {
        match fault {
            BidFault::Malformed(error) => Self::Malformed(error),
            BidFault::Values => Self::Values,
            BidFault::Components => Self::Components,
            BidFault::Randomness => Self::Randomness,
            // A day names no round, has no money and no signature of its own.
            BidFault::Range | BidFault::Round { .. } | BidFault::Sequence { .. } | BidFault::Signature => {
                Self::Range
            }
        }
    }
}

/// A day whose proof holds. Only [`verify_days`] makes one. Holds the decompressed points.
#[derive(Clone)]
pub struct VerifiedDay {
    /// What it was verified for: its proof says nothing of another day, ledger or market.
    context: DayContext,
    params: [u8; 32],
    header: DayHeader,
    digest: [u8; 32],
    r_bytes: PointBytes,
    c_bytes: Vec<PointBytes>,
    present: Vec<usize>,
    vector: Points,
}

impl core::fmt::Debug for VerifiedDay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifiedDay").field("present", &self.present.len()).finish_non_exhaustive()
    }
}

impl VerifiedDay {
    /// Whether it was verified for this day under these parameters.
    pub(crate) fn is_of(&self, params: &DayParams, context: &DayContext) -> bool {
        self.context == *context && self.params == params.digest()
    }
    /// What it is about.
    pub fn header(&self) -> &DayHeader {
        &self.header
    }
    /// The digest of its bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
    /// R as encoded.
    pub fn r_bytes(&self) -> PointBytes {
        self.r_bytes
    }
    /// The C_k of the present slots, as encoded.
    pub(crate) fn c_bytes(&self) -> &[PointBytes] {
        &self.c_bytes
    }
    /// The slots that have a reading, from 0, in rising order.
    pub fn present(&self) -> &[usize] {
        &self.present
    }
    /// R, then the C_k of the present slots, decompressed.
    pub(crate) fn vector(&self) -> &Points {
        &self.vector
    }
}

/// Verifies days: one verdict each, in order. Deterministic, on all cores of the current rayon pool.
pub fn verify_days(
    params: &DayParams,
    statements: &[DayStatement<'_>],
) -> Vec<Result<VerifiedDay, DayFault>> {
    let eights: Vec<Vec<Result<Prepared, BidFault>>> = statements
        .par_chunks(8)
        .map(|eight| {
            let bound: Vec<InParams<'_>> =
                eight.iter().map(|statement| InParams(params, statement)).collect();
            let replays = Replay::of_eight(params.vector(), &bound);
            eight.iter().zip(replays).map(|(statement, replay)| prepared(statement.day, replay)).collect()
        })
        .collect();
    let judged = judge(params.vector(), eights.into_iter().flatten().collect());
    let each = judged.into_par_iter().zip(statements);
    each.map(|(prepared, statement)| Ok(verified(params, statement, prepared?))).collect()
}

/// The verdict of one day, equation by equation: the reference that [`verify_days`] is compared with.
///
/// # Errors
/// The first [`DayFault`].
pub fn check_day(params: &DayParams, statement: &DayStatement<'_>) -> Result<(), DayFault> {
    let replay = Replay::of_eight(params.vector(), &[InParams(params, statement)]).swap_remove(0);
    Ok(equations::check(params.vector(), &prepared(statement.day, replay)?)?)
}

fn prepared(day: &SealedDay, replay: Result<Replay, WireError>) -> Result<Prepared, BidFault> {
    // A day has no signature: no account is decoded.
    Prepared::decoded(replay?, &day.header.account, &day.r, &day.c)
}

fn verified(params: &DayParams, statement: &DayStatement<'_>, mut prepared: Prepared) -> VerifiedDay {
    let DayStatement { context, day } = statement;
    VerifiedDay {
        context: **context,
        params: params.digest(),
        header: day.header.clone(),
        digest: day.digest(),
        r_bytes: day.r,
        c_bytes: day.c.clone(),
        present: day.header.present(),
        vector: prepared.points.split_off(index::r(&prepared.replay)),
    }
}
