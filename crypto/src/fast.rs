//! Public points in the form in which this machine adds and multiplies fastest.
//!
//! Where the processor has AVX-512 IFMA, points of public data live in `veilgrid-lanes`' form, eight at a time in a
//! vector; elsewhere they are `curve25519_dalek`'s. The form shows nowhere outside of this module: results come back
//! as points and bytes, and they are the same (`tests/portable.rs` runs the batch without the vectors,
//! `lanes/tests/differential.rs` compares function by function).
//!
//! Variable time, for public data; the tables for secret scalars are the one exception and say so.

use crate::group::PointBytes;
use crate::secret::Secret;
use crate::wire::WireError;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, MultiscalarMul, VartimeMultiscalarMul};
use rayon::prelude::*;
use std::sync::OnceLock;
use veilgrid_lanes::{Affine, FixedTable, Lanes, Sum};

static LANES: OnceLock<Option<Lanes>> = OnceLock::new();

/// The lanes, where this process uses them.
pub(crate) fn lanes() -> Option<Lanes> {
    *LANES.get_or_init(Lanes::detect)
}

/// Which arithmetic this process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `curve25519_dalek` alone.
    Portable,
    /// Eight lanes of AVX-512 IFMA for public data.
    Lanes,
}

/// The arithmetic in use.
pub fn arithmetic() -> Arithmetic {
    if lanes().is_some() { Arithmetic::Lanes } else { Arithmetic::Portable }
}

/// Makes this process use portable arithmetic, to measure or test it. True when it does: the choice is made once, so
/// this has to come before the first use.
pub fn use_portable() -> bool {
    LANES.get_or_init(|| None).is_none()
}

/// Encodings a rayon task works on.
const CHUNK: usize = 256;

/// A list of public points.
#[derive(Clone)]
pub(crate) struct Points(Form);

#[derive(Clone)]
enum Form {
    Portable(Vec<RistrettoPoint>),
    Lanes(Vec<Affine>),
}

impl Points {
    /// Decodes points; a non-canonical encoding and the identity are refused.
    pub fn decode(field: &'static str, encodings: &[PointBytes]) -> Result<Self, WireError> {
        if encodings.contains(&[0; 32]) {
            return Err(WireError::Invalid { field, why: "the identity is not allowed here" });
        }
        let invalid = WireError::Invalid { field, why: "not a canonical Ristretto point" };
        let form = match lanes() {
            Some(lanes) => lanes.decode(encodings).into_iter().collect::<Option<_>>().map(Form::Lanes),
            None => {
                let decode = |encoding: &PointBytes| CompressedRistretto(*encoding).decompress();
                encodings.iter().map(decode).collect::<Option<_>>().map(Form::Portable)
            }
        };
        form.map(Self).ok_or(invalid)
    }

    /// Takes points over; costs an encoding and a decoding each where the vectors are in use.
    pub fn from_points(points: &[RistrettoPoint]) -> Self {
        let Some(lanes) = lanes() else { return Self(Form::Portable(points.to_vec())) };
        let convert = |chunk: &[RistrettoPoint]| -> Vec<Affine> {
            let encodings: Vec<PointBytes> = chunk.iter().map(|point| point.compress().0).collect();
            let decoded = lanes.decode(&encodings);
            decoded.into_iter().map(|point| point.expect("a point's own encoding is canonical")).collect()
        };
        Self(Form::Lanes(points.par_chunks(CHUNK).map(convert).collect::<Vec<_>>().concat()))
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Portable(points) => points.len(),
            Form::Lanes(points) => points.len(),
        }
    }

    /// Takes the points from `at` on out.
    pub fn split_off(&mut self, at: usize) -> Self {
        Self(match &mut self.0 {
            Form::Portable(points) => Form::Portable(points.split_off(at)),
            Form::Lanes(points) => Form::Lanes(points.split_off(at)),
        })
    }

    /// A copy of the points at some places.
    pub fn select(&self, places: &[usize]) -> Self {
        Self(match &self.0 {
            Form::Portable(points) => Form::Portable(places.iter().map(|place| points[*place]).collect()),
            Form::Lanes(points) => Form::Lanes(places.iter().map(|place| points[*place]).collect()),
        })
    }

    /// A copy of a part.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self(match &self.0 {
            Form::Portable(points) => Form::Portable(points[range].to_vec()),
            Form::Lanes(points) => Form::Lanes(points[range].to_vec()),
        })
    }

    /// The points in the portable form: for the clear verifier and for tests, not for speed.
    pub fn to_portable(&self) -> Vec<RistrettoPoint> {
        match &self.0 {
            Form::Portable(points) => points.clone(),
            Form::Lanes(points) => {
                points.iter().map(|point| portable(&expect_lanes().total([point]))).collect()
            }
        }
    }

    fn portable_form(&self) -> &[RistrettoPoint] {
        match &self.0 {
            Form::Portable(points) => points,
            Form::Lanes(_) => unreachable!("all points of a process have one form"),
        }
    }

    fn lanes_form(&self) -> &[Affine] {
        match &self.0 {
            Form::Lanes(points) => points,
            Form::Portable(_) => unreachable!("all points of a process have one form"),
        }
    }
}

/// The lanes, for data that exists only where they are used.
pub(crate) fn expect_lanes() -> Lanes {
    lanes().expect("points in this form exist only where the vectors do")
}

fn portable(sum: &Sum) -> RistrettoPoint {
    let encoding = expect_lanes().encode(std::slice::from_ref(sum))[0];
    CompressedRistretto(encoding).decompress().expect("a point's own encoding is canonical")
}

/// Σ scalar·point over lists of points, one scalar a point in the lists' order.
///
/// # Panics
/// When there is not one scalar a point.
pub(crate) fn multiscalar(scalars: &[Scalar], lists: &[&Points]) -> RistrettoPoint {
    match lanes() {
        Some(lanes) => {
            let points: Vec<&Affine> = lists.iter().flat_map(|list| list.lanes_form()).collect();
            let scalars: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
            portable(&lanes.multiscalar(&scalars, &points))
        }
        None => {
            let points: Vec<&RistrettoPoint> = lists.iter().flat_map(|list| list.portable_form()).collect();
            assert_eq!(scalars.len(), points.len(), "one scalar a point");
            RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        }
    }
}

/// Running sums, one a place.
#[derive(Clone)]
pub(crate) struct Totals(TotalForm);

#[derive(Clone)]
enum TotalForm {
    Portable(Vec<RistrettoPoint>),
    Lanes(Vec<Sum>),
}

impl Totals {
    /// `count` sums at the identity.
    pub fn new(count: usize) -> Self {
        Self(match lanes() {
            Some(lanes) => TotalForm::Lanes(lanes.identities(count)),
            None => TotalForm::Portable(vec![RistrettoPoint::identity(); count]),
        })
    }

    /// Number of sums.
    pub fn len(&self) -> usize {
        match &self.0 {
            TotalForm::Portable(totals) => totals.len(),
            TotalForm::Lanes(totals) => totals.len(),
        }
    }

    /// Adds a point to each sum.
    ///
    /// # Panics
    /// When there is not one point per sum.
    pub fn add(&mut self, points: &Points) {
        match &mut self.0 {
            TotalForm::Lanes(totals) => expect_lanes().add_assign(totals, points.lanes_form()),
            TotalForm::Portable(totals) => {
                assert_eq!(totals.len(), points.len(), "one point a sum");
                totals.iter_mut().zip(points.portable_form()).for_each(|(total, point)| *total += point);
            }
        }
    }

    /// One of the sums.
    pub fn get(&self, place: usize) -> RistrettoPoint {
        match &self.0 {
            TotalForm::Portable(totals) => totals[place],
            TotalForm::Lanes(totals) => portable(&totals[place]),
        }
    }

    /// All sums, encoded.
    pub fn encode(&self) -> Vec<PointBytes> {
        match &self.0 {
            TotalForm::Portable(totals) => totals.iter().map(|total| total.compress().0).collect(),
            TotalForm::Lanes(totals) => expect_lanes().encode(totals),
        }
    }

    /// The sum of the sums at some places.
    pub fn sum_of(&self, places: &[usize]) -> RistrettoPoint {
        match &self.0 {
            TotalForm::Portable(totals) => places.iter().map(|place| totals[*place]).sum(),
            TotalForm::Lanes(totals) => {
                let chosen: Vec<Sum> = places.iter().map(|place| totals[*place]).collect();
                portable(&expect_lanes().total_of_sums(&chosen))
            }
        }
    }
}

/// The sum of the points at some places.
pub(crate) fn sum_of(points: &Points, places: &[usize]) -> RistrettoPoint {
    match &points.0 {
        Form::Portable(points) => places.iter().map(|place| points[*place]).sum(),
        Form::Lanes(points) => portable(&expect_lanes().total(places.iter().map(|place| &points[*place]))),
    }
}

/// Σ_b factor_b·block_b, element by element, where the list is `factors.len() + 1` blocks of equal length and the first
/// block has the factor 1.
pub(crate) fn fold_blocks(list: &Points, factors: &[Scalar]) -> Points {
    let length = list.len() / (factors.len() + 1);
    Points(match &list.0 {
        Form::Lanes(points) => {
            let rows: Vec<&[Affine]> = points[length..].chunks_exact(length).collect();
            let factors: Vec<[u8; 32]> = factors.iter().map(Scalar::to_bytes).collect();
            Form::Lanes(expect_lanes().fold_columns(&points[..length], &factors, &rows))
        }
        Form::Portable(points) => {
            let column = |i: usize| (1..=factors.len()).map(move |b| &points[b * length + i]);
            let fold = |i: usize| points[i] + RistrettoPoint::vartime_multiscalar_mul(factors, column(i));
            Form::Portable((0..length).map(fold).collect())
        }
    })
}

/// Σ scalar·point over chosen places of lists, one scalar a place in the lists' order.
pub(crate) fn multiscalar_at(scalars: &[Scalar], lists: &[(&Points, &[usize])]) -> RistrettoPoint {
    match lanes() {
        Some(lanes) => {
            let points: Vec<&Affine> = lists
                .iter()
                .flat_map(|(list, places)| places.iter().map(|place| &list.lanes_form()[*place]))
                .collect();
            let scalars: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
            portable(&lanes.multiscalar(&scalars, &points))
        }
        None => {
            let points: Vec<&RistrettoPoint> = lists
                .iter()
                .flat_map(|(list, places)| places.iter().map(|place| &list.portable_form()[*place]))
                .collect();
            assert_eq!(scalars.len(), points.len(), "one scalar a place");
            RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        }
    }
}

/// Fixed points that are multiplied by secret scalars, in constant time.
pub(crate) enum SecretTable {
    /// Nothing precomputed: the points themselves.
    Portable(Vec<RistrettoPoint>),
    /// Multiples in lanes.
    Lanes(FixedTable),
    /// Too many points to keep multiples of: they are made anew for each multiplication, a chunk at a time.
    Transient(Vec<Affine>),
}

/// A table of multiples is a kilobyte a point; it is kept for lists up to this length.
const MOST_TABLED_POINTS: usize = 1 << 15;
/// Points of a table that is made for one use.
const TRANSIENT_CHUNK: usize = 1 << 12;
/// Points in one constant-time multiplication; bounds the memory of its lookup tables (1.3 kB a point).
const SECRET_CHUNK: usize = 256;

fn multiply_secret(table: &FixedTable, scalars: &[Scalar]) -> RistrettoPoint {
    let bytes = Secret::new(scalars.iter().map(Scalar::to_bytes).collect::<Vec<_>>());
    portable(&expect_lanes().secret_multiscalar(table, bytes.expose()))
}

impl SecretTable {
    /// A table for `points`, which `list` holds in `range`.
    pub fn new(points: &[RistrettoPoint], list: &Points, range: std::ops::Range<usize>) -> Self {
        match &list.0 {
            Form::Lanes(affine) if range.len() <= MOST_TABLED_POINTS => {
                Self::Lanes(expect_lanes().fixed_table(&affine[range]))
            }
            Form::Lanes(affine) => Self::Transient(affine[range].to_vec()),
            Form::Portable(_) => Self::Portable(points.to_vec()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Lanes(table) => table.len(),
            Self::Transient(points) => points.len(),
            Self::Portable(points) => points.len(),
        }
    }

    /// Σ scalar·point, in constant time.
    ///
    /// # Panics
    /// When there is not one scalar a point.
    pub fn multiply(&self, scalars: &[Scalar]) -> RistrettoPoint {
        assert_eq!(scalars.len(), self.len(), "one scalar a point");
        match self {
            Self::Lanes(table) => multiply_secret(table, scalars),
            Self::Transient(points) => {
                let chunks = scalars.chunks(TRANSIENT_CHUNK).zip(points.chunks(TRANSIENT_CHUNK));
                let multiply =
                    |(scalars, points)| multiply_secret(&expect_lanes().fixed_table(points), scalars);
                chunks.map(multiply).sum()
            }
            Self::Portable(points) => {
                let chunks = scalars.chunks(SECRET_CHUNK).zip(points.chunks(SECRET_CHUNK));
                chunks.map(|(scalars, points)| RistrettoPoint::multiscalar_mul(scalars, points)).sum()
            }
        }
    }
}
