//! Public points in the form in which this machine adds and multiplies fastest.
//!
//! Points of public data live in `veilgrid-lanes`' form, eight at a time: by AVX-512 IFMA, by AVX2 and FMA, or in 64-bit words,
//! whichever the processor has. The form shows nowhere outside of this module: results come back as points and bytes, and they
//! are the same (`portable_arithmetic_gives_the_same_bytes` seals with every kind, `lanes/tests/differential.rs` compares
//! function by function with `curve25519_dalek`).
//!
//! Variable time, for public data; the tables for secret scalars are the one exception and say so.

use crate::group::PointBytes;
use crate::secret::Secret;
use crate::wire::WireError;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use rayon::prelude::*;
use std::sync::OnceLock;
use veilgrid_lanes::{Affine, FixedTable, Lanes, Sum};

/// Which arithmetic this process uses.
pub use veilgrid_lanes::Kind as Arithmetic;

static LANES: OnceLock<Lanes> = OnceLock::new();

/// The lanes that this process uses.
pub(crate) fn lanes() -> Lanes {
    *LANES.get_or_init(Lanes::detect)
}

/// The arithmetic in use.
pub fn arithmetic() -> Arithmetic {
    lanes().kind()
}

/// Makes this process use this arithmetic, to measure or test it. True when it does: the processor has it, and, since the
/// choice is made once, no other was used before.
pub fn use_arithmetic(arithmetic: Arithmetic) -> bool {
    Lanes::of(arithmetic).is_some_and(|lanes| *LANES.get_or_init(|| lanes) == lanes)
}

/// Encodings a rayon task works on.
const CHUNK: usize = 256;

/// A list of public points.
#[derive(Clone)]
pub(crate) struct Points(Vec<Affine>);

impl Points {
    /// Decodes points; a non-canonical encoding and the identity are refused.
    pub fn decode(field: &'static str, encodings: &[PointBytes]) -> Result<Self, WireError> {
        if encodings.contains(&[0; 32]) {
            return Err(WireError::Invalid { field, why: "the identity is not allowed here" });
        }
        let points = lanes().decode(encodings).into_iter().collect::<Option<_>>();
        points.map(Self).ok_or(WireError::Invalid { field, why: "not a canonical Ristretto point" })
    }

    /// Takes points over; costs an encoding and a decoding each.
    pub fn from_points(points: &[RistrettoPoint]) -> Self {
        let convert = |chunk: &[RistrettoPoint]| -> Vec<Affine> {
            let encodings: Vec<PointBytes> = chunk.iter().map(|point| point.compress().0).collect();
            let decoded = lanes().decode(&encodings);
            decoded.into_iter().map(|point| point.expect("a point's own encoding is canonical")).collect()
        };
        Self(points.par_chunks(CHUNK).map(convert).collect::<Vec<_>>().concat())
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the points from `at` on out.
    pub fn split_off(&mut self, at: usize) -> Self {
        Self(self.0.split_off(at))
    }

    /// A copy of the points at some places.
    pub fn select(&self, places: &[usize]) -> Self {
        Self(places.iter().map(|place| self.0[*place]).collect())
    }

    /// A copy of a part.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self(self.0[range].to_vec())
    }

    /// The points in the portable form: for the clear verifier and for tests, not for speed.
    pub fn to_portable(&self) -> Vec<RistrettoPoint> {
        self.0.iter().map(|point| portable(&lanes().total([point]))).collect()
    }
}

fn portable(sum: &Sum) -> RistrettoPoint {
    let encoding = lanes().encode(std::slice::from_ref(sum))[0];
    CompressedRistretto(encoding).decompress().expect("a point's own encoding is canonical")
}

/// Σ scalar·point over lists of points, one scalar a point in the lists' order.
///
/// # Panics
/// When there is not one scalar a point.
pub(crate) fn multiscalar(scalars: &[Scalar], lists: &[&Points]) -> RistrettoPoint {
    let points: Vec<&Affine> = lists.iter().flat_map(|list| &list.0).collect();
    multiply(scalars, &points)
}

/// Σ scalar·point over chosen places of lists, one scalar a place in the lists' order.
pub(crate) fn multiscalar_at(scalars: &[Scalar], lists: &[(&Points, &[usize])]) -> RistrettoPoint {
    let chosen = lists.iter().flat_map(|(list, places)| places.iter().map(|place| &list.0[*place]));
    multiply(scalars, &chosen.collect::<Vec<_>>())
}

fn multiply(scalars: &[Scalar], points: &[&Affine]) -> RistrettoPoint {
    let scalars: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
    portable(&lanes().multiscalar(&scalars, points))
}

/// Running sums, one a place.
#[derive(Clone)]
pub(crate) struct Totals(Vec<Sum>);

impl Totals {
    /// `count` sums at the identity.
    pub fn new(count: usize) -> Self {
        Self(lanes().identities(count))
    }

    /// Number of sums.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a point to each sum.
    ///
    /// # Panics
    /// When there is not one point per sum.
    pub fn add(&mut self, points: &Points) {
        lanes().add_assign(&mut self.0, &points.0);
    }

    /// One of the sums.
    pub fn get(&self, place: usize) -> RistrettoPoint {
        portable(&self.0[place])
    }

    /// All sums, encoded.
    pub fn encode(&self) -> Vec<PointBytes> {
        lanes().encode(&self.0)
    }

    /// The sum of the sums at some places.
    pub fn sum_of(&self, places: &[usize]) -> RistrettoPoint {
        let chosen: Vec<Sum> = places.iter().map(|place| self.0[*place]).collect();
        portable(&lanes().total_of_sums(&chosen))
    }
}

/// The sum of the points at some places.
pub(crate) fn sum_of(points: &Points, places: &[usize]) -> RistrettoPoint {
    portable(&lanes().total(places.iter().map(|place| &points.0[*place])))
}

/// Σ_b factor_b·block_b, element by element, where the list is `factors.len() + 1` blocks of equal length and the first
/// block has the factor 1.
pub(crate) fn fold_blocks(list: &Points, factors: &[Scalar]) -> Points {
    let length = list.len() / (factors.len() + 1);
    let rows: Vec<&[Affine]> = list.0[length..].chunks_exact(length).collect();
    let factors: Vec<[u8; 32]> = factors.iter().map(Scalar::to_bytes).collect();
    Points(lanes().fold_columns(&list.0[..length], &factors, &rows))
}

/// Fixed points that are multiplied by secret scalars, in constant time.
pub(crate) enum SecretTable {
    /// Multiples of the points.
    Kept(FixedTable),
    /// Too many points to keep multiples of: they are made anew for each multiplication, a chunk at a time.
    Transient(Vec<Affine>),
}

/// A table of multiples is a kilobyte a point; it is kept for lists up to this length.
const MOST_TABLED_POINTS: usize = 1 << 15;
/// Points of a table that is made for one use.
const TRANSIENT_CHUNK: usize = 1 << 12;

fn multiply_secret(table: &FixedTable, scalars: &[Scalar]) -> RistrettoPoint {
    let bytes = Secret::new(scalars.iter().map(Scalar::to_bytes).collect::<Vec<_>>());
    portable(&lanes().secret_multiscalar(table, bytes.expose()))
}

impl SecretTable {
    /// A table for the points that the list holds in `range`.
    pub fn new(list: &Points, range: std::ops::Range<usize>) -> Self {
        let points = &list.0[range];
        match points.len() <= MOST_TABLED_POINTS {
            true => Self::Kept(lanes().fixed_table(points)),
            false => Self::Transient(points.to_vec()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Kept(table) => table.len(),
            Self::Transient(points) => points.len(),
        }
    }

    /// Σ scalar·point, in constant time.
    ///
    /// # Panics
    /// When there is not one scalar a point.
    pub fn multiply(&self, scalars: &[Scalar]) -> RistrettoPoint {
        assert_eq!(scalars.len(), self.len(), "one scalar a point");
        match self {
            Self::Kept(table) => multiply_secret(table, scalars),
            Self::Transient(points) => {
                let chunks = scalars.chunks(TRANSIENT_CHUNK).zip(points.chunks(TRANSIENT_CHUNK));
                let multiply = |(scalars, points)| multiply_secret(&lanes().fixed_table(points), scalars);
                chunks.map(multiply).sum()
            }
        }
    }
}
