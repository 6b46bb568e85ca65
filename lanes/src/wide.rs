//! The safe interface: functions on slices, behind a witness that the processor has what they are compiled for.

use crate::field::words::Words;
#[cfg(target_arch = "x86_64")]
use crate::field::{avx2::Avx2, ifma::Ifma};
use crate::multiply;
use crate::point::{Affine, Sum};
use crate::scalar::ScalarLanes;
use crate::secret::FixedTable;
use crate::slices;
use crate::sponge::{self, SPONGE_BLOCK_BYTES, SpongeBlock};

/// The kinds of lanes, fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// AVX-512 IFMA.
    Ifma,
    /// AVX2 and FMA.
    Avx2,
    /// 64-bit words: any processor.
    Words,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ifma, Self::Avx2, Self::Words];

    /// Its name: ifma, avx2 or words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ifma => "ifma",
            Self::Avx2 => "avx2",
            Self::Words => "words",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True when this processor has it.
    pub fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512ifma")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma | Self::Avx2 => false,
            Self::Words => true,
        }
    }
}

/// Witness of a processor that has what its kind needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes(Kind);

/// The functions of one kind, compiled for its features: everything that is generic in the field is inlined into them.
macro_rules! functions {
    ($module:ident, $field:ty, $word:ty $(, $features:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $features)])?
            pub fn decode(encodings: &[[u8; 32]]) -> Vec<Option<Affine>> {
                slices::decode::<$field>(encodings)
            }
            $(#[target_feature(enable = $features)])?
            pub fn sponges(blocks: [&[SpongeBlock]; 8], squeezes: &[(usize, usize)]) -> [Vec<u8>; 8] {
                sponge::eight::<$word>(blocks, squeezes)
            }
            $(#[target_feature(enable = $features)])?
            pub fn encode(points: &[Sum]) -> Vec<[u8; 32]> {
                slices::encode::<$field>(points)
            }
            $(#[target_feature(enable = $features)])?
            pub fn add_assign(sums: &mut [Sum], terms: &[Affine]) {
                slices::add_assign::<$field>(sums, terms);
            }
            $(#[target_feature(enable = $features)])?
            pub fn add_sums(sums: &mut [Sum], terms: &[Sum]) {
                slices::add_sums::<$field>(sums, terms);
            }
            $(#[target_feature(enable = $features)])?
            pub fn total(points: &[&Affine]) -> Sum {
                slices::total::<$field>(points)
            }
            $(#[target_feature(enable = $features)])?
            pub fn total_of_sums(sums: &[Sum]) -> Sum {
                slices::total_of_sums::<$field>(sums)
            }
            $(#[target_feature(enable = $features)])?
            pub fn multiscalar(scalars: &[[u8; 32]], points: &[&Affine]) -> Sum {
                multiply::multiscalar::<$field>(scalars, points)
            }
            $(#[target_feature(enable = $features)])?
            pub fn fold_columns(first: &[Affine], scalars: &[[u8; 32]], rows: &[&[Affine]]) -> Vec<Affine> {
                slices::fold_columns::<$field>(first, scalars, rows)
            }
            $(#[target_feature(enable = $features)])?
            pub fn fixed_table(points: &[Affine]) -> FixedTable {
                FixedTable::build::<$field>(points)
            }
            $(#[target_feature(enable = $features)])?
            pub fn secret_multiscalar(table: &FixedTable, scalars: &[[u8; 32]]) -> Sum {
                table.multiply::<$field>(scalars)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
functions!(ifma, Ifma, sponge::ifma::Eight, "avx512f,avx512ifma");
#[cfg(target_arch = "x86_64")]
functions!(avx2, Avx2, sponge::avx2::Four, "avx2,fma");
functions!(words, Words, u64);

/// Calls the function of the witness' kind.
macro_rules! call {
    ($lanes:expr, $name:ident($($argument:expr),*)) => {
        match $lanes.0 {
            // SAFETY: the witness shows that the processor has the features that the function is compiled for.
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma => unsafe { ifma::$name($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::$name($($argument),*) },
            _ => words::$name($($argument),*),
        }
    };
}

impl Lanes {
    /// Looks at the processor and takes the fastest kind that it has.
    pub fn detect() -> Self {
        Kind::ALL.into_iter().find_map(Self::of).unwrap_or(Self(Kind::Words))
    }

    /// Lanes of this kind, where the processor has them.
    pub fn of(kind: Kind) -> Option<Self> {
        kind.is_here().then_some(Self(kind))
    }

    /// The kind.
    pub fn kind(self) -> Kind {
        self.0
    }

    /// Sums that start at the identity.
    pub fn identities(self, count: usize) -> Vec<Sum> {
        vec![Sum::IDENTITY; count]
    }

    /// Decodes Ristretto255 encodings; none for what is not canonical.
    pub fn decode(self, encodings: &[[u8; 32]]) -> Vec<Option<Affine>> {
        call!(self, decode(encodings))
    }

    /// Encodes points.
    pub fn encode(self, points: &[Sum]) -> Vec<[u8; 32]> {
        call!(self, encode(points))
    }

    /// Adds each term to the sum at its place.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_assign(self, sums: &mut [Sum], terms: &[Affine]) {
        assert_eq!(sums.len(), terms.len(), "one term a sum");
        call!(self, add_assign(sums, terms))
    }

    /// Adds each sum to the sum at its place.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_sums(self, sums: &mut [Sum], terms: &[Sum]) {
        assert_eq!(sums.len(), terms.len(), "one term a sum");
        call!(self, add_sums(sums, terms))
    }

    /// Σ points.
    pub fn total<'a>(self, points: impl IntoIterator<Item = &'a Affine>) -> Sum {
        let points: Vec<&Affine> = points.into_iter().collect();
        call!(self, total(&points))
    }

    /// Σ sums.
    pub fn total_of_sums(self, sums: &[Sum]) -> Sum {
        call!(self, total_of_sums(sums))
    }

    /// Σ scalar·point for public data, in variable time. Scalars are canonical bytes below the group order.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn multiscalar(self, scalars: &[[u8; 32]], points: &[&Affine]) -> Sum {
        assert_eq!(scalars.len(), points.len(), "one scalar a point");
        call!(self, multiscalar(scalars, points))
    }

    /// `first[i]` + Σ_b scalar_b·`rows_b[i]` for each i, in variable time, brought to z = 1.
    ///
    /// # Panics
    /// When the rows are not as long as `first`, or not one a scalar.
    pub fn fold_columns(self, first: &[Affine], scalars: &[[u8; 32]], rows: &[&[Affine]]) -> Vec<Affine> {
        assert_eq!(scalars.len(), rows.len(), "one row a scalar");
        assert!(rows.iter().all(|row| row.len() == first.len()), "rows of equal length");
        call!(self, fold_columns(first, scalars, rows))
    }

    /// Arithmetic modulo the group order in lanes, where this kind has it.
    pub fn scalars(self) -> Option<ScalarLanes> {
        ScalarLanes::of(self)
    }

    /// Runs eight `Keccak-f[1600]` sponges from the zero state: adds block i of each to its state, permutes, and where `squeezes`
    /// has (i, n) hands out the first n bytes of each state and sets them to zero there. What a sponge handed out stands one
    /// after another.
    ///
    /// # Panics
    /// When the sponges have not equally many blocks, or n is no multiple of eight or more than a block.
    pub fn sponges(self, blocks: [&[SpongeBlock]; 8], squeezes: &[(usize, usize)]) -> [Vec<u8>; 8] {
        assert!(blocks.iter().all(|lane| lane.len() == blocks[0].len()), "equally many blocks");
        let whole = |(_, bytes): &(usize, usize)| *bytes <= SPONGE_BLOCK_BYTES && bytes.is_multiple_of(8);
        assert!(squeezes.iter().all(whole), "whole words of a block");
        call!(self, sponges(blocks, squeezes))
    }

    /// A table for constant-time multiplications of these points.
    pub fn fixed_table(self, points: &[Affine]) -> FixedTable {
        call!(self, fixed_table(points))
    }

    /// Σ scalar·point for secret scalars, in constant time.
    ///
    /// # Panics
    /// When there is not one scalar a point.
    pub fn secret_multiscalar(self, table: &FixedTable, scalars: &[[u8; 32]]) -> Sum {
        assert_eq!(scalars.len(), table.len(), "one scalar a point");
        call!(self, secret_multiscalar(table, scalars))
    }
}
