//! Eight sponges over `Keccak-f[1600]` side by side, as many at once as a vector has 64-bit lanes: what eight transcripts absorb and draw when all of
//! them have the same lengths in the same order.
//!
//! Source: FIPS 202, section 3.2. Public data.

/// Bytes that a block may touch: the rate of a sponge of 128-bit security and its padding.
pub const SPONGE_BLOCK_BYTES: usize = 168;

/// What is added to the state before a permutation.
pub type SpongeBlock = [u8; SPONGE_BLOCK_BYTES];

const WORDS: usize = SPONGE_BLOCK_BYTES / 8;

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// A word of the state in each lane. The safety of the vector kinds is that of `Field`.
pub(crate) trait Word: Copy {
    const LANES: usize;
    /// The word that `of` gives for each lane.
    fn gather(of: impl Fn(usize) -> u64) -> Self;
    /// The words of the lanes, in the first places.
    fn lanes(self) -> [u64; 8];
    fn xor(self, other: Self) -> Self;
    /// self ^ b ^ c.
    fn xor3(self, b: Self, c: Self) -> Self;
    /// self ^ (!b & c).
    fn chi(self, b: Self, c: Self) -> Self;
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self;
}

/// The lanes along the cycle of π, each with its rotation of ρ.
macro_rules! rho_pi {
    ($state:ident, $($lane:literal $rotation:literal),* $(,)?) => {
        let mut carried = $state[1];
        $(
            let kept = $state[$lane];
            $state[$lane] = carried.rotate::<$rotation, { 64 - $rotation }>();
            carried = kept;
        )*
        let _ = carried;
    };
}

#[inline(always)]
fn permute<W: Word>(state: &mut [W; 25]) {
    for constant in ROUND_CONSTANTS {
        let column = |x: usize| state[x].xor3(state[x + 5], state[x + 10]).xor3(state[x + 15], state[x + 20]);
        let columns = [column(0), column(1), column(2), column(3), column(4)];
        for x in 0..5 {
            let (left, right) = (columns[(x + 4) % 5], columns[(x + 1) % 5].rotate::<1, 63>());
            for y in 0..5 {
                state[x + 5 * y] = state[x + 5 * y].xor3(left, right);
            }
        }
        rho_pi!(
            state, 10 1, 7 3, 11 6, 17 10, 18 15, 3 21, 5 28, 16 36, 8 45, 21 55, 24 2, 4 14, 15 27, 23 41, 19 56, 13 8,
            12 25, 2 43, 20 62, 14 18, 22 39, 9 61, 6 20, 1 44,
        );
        for row in (0..25).step_by(5) {
            let old = [state[row], state[row + 1], state[row + 2], state[row + 3], state[row + 4]];
            for x in 0..5 {
                state[row + x] = old[x].chi(old[(x + 1) % 5], old[(x + 2) % 5]);
            }
        }
        state[0] = state[0].xor(W::gather(|_| constant));
    }
}

/// Runs eight sponges from the zero state: adds block i of each, permutes, and where `squeezes` has (i, n) hands out the
/// first n bytes, a multiple of eight, and sets them to zero. All n bytes of a lane, one after another.
#[inline(always)]
pub(crate) fn eight<W: Word>(blocks: [&[SpongeBlock]; 8], squeezes: &[(usize, usize)]) -> [Vec<u8>; 8] {
    let mut drawn: [Vec<u8>; 8] = Default::default();
    for (blocks, drawn) in blocks.chunks_exact(W::LANES).zip(drawn.chunks_exact_mut(W::LANES)) {
        run::<W>(blocks, squeezes, drawn);
    }
    drawn
}

#[inline(always)]
fn run<W: Word>(blocks: &[&[SpongeBlock]], squeezes: &[(usize, usize)], drawn: &mut [Vec<u8>]) {
    let zero = W::gather(|_| 0);
    let mut state = [zero; 25];
    let mut squeezes = squeezes.iter().peekable();
    for (at, _) in blocks[0].iter().enumerate() {
        for (word, part) in state.iter_mut().take(WORDS).enumerate() {
            let bytes = |lane: usize| blocks[lane][at][8 * word..8 * word + 8].try_into().expect("8 bytes");
            *part = part.xor(W::gather(|lane| u64::from_le_bytes(bytes(lane))));
        }
        permute(&mut state);
        if let Some((_, bytes)) = squeezes.next_if(|(after, _)| *after == at) {
            for part in state.iter_mut().take(bytes / 8) {
                for (drawn, word) in drawn.iter_mut().zip(part.lanes()) {
                    drawn.extend_from_slice(&word.to_le_bytes());
                }
                *part = zero;
            }
        }
    }
}

impl Word for u64 {
    const LANES: usize = 1;

    #[inline(always)]
    fn gather(of: impl Fn(usize) -> u64) -> Self {
        of(0)
    }
    #[inline(always)]
    fn lanes(self) -> [u64; 8] {
        [self; 8]
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self ^ b ^ c
    }
    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        self ^ (!b & c)
    }
    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        self.rotate_left(LEFT.unsigned_abs())
    }
}

/// Methods of [`Word`] by intrinsics.
#[cfg(target_arch = "x86_64")]
macro_rules! word {
    ($name:ident, $lanes:literal, $words:ident => $load:expr, $vector:ident => $store:expr,
     $a:ident $b:ident $c:ident => $xor:expr, $xor3:expr, $chi:expr, $rotate:expr) => {
        impl Word for $name {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn gather(of: impl Fn(usize) -> u64) -> Self {
                let $words: [u64; $lanes] = core::array::from_fn(of);
                // SAFETY: as `Field` says; the same for all below.
                Self(unsafe { $load })
            }
            #[inline(always)]
            fn lanes(self) -> [u64; 8] {
                let $vector = self.0;
                let mut lanes = [0; 8];
                // SAFETY: as above.
                lanes[..$lanes].copy_from_slice(&unsafe { $store });
                lanes
            }
            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                let ($a, $b) = (self.0, other.0);
                // SAFETY: as above.
                Self(unsafe { $xor })
            }
            #[inline(always)]
            fn xor3(self, b: Self, c: Self) -> Self {
                let ($a, $b, $c) = (self.0, b.0, c.0);
                // SAFETY: as above.
                Self(unsafe { $xor3 })
            }
            #[inline(always)]
            fn chi(self, b: Self, c: Self) -> Self {
                let ($a, $b, $c) = (self.0, b.0, c.0);
                // SAFETY: as above.
                Self(unsafe { $chi })
            }
            #[inline(always)]
            fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
                let $a = self.0;
                // SAFETY: as above.
                Self(unsafe { $rotate })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma {
    use super::Word;
    use crate::field::ifma::{load, store};
    use core::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Eight(__m512i);

    word!(
        Eight, 8, words => load(&words), vector => store(vector),
        a b c => _mm512_xor_si512(a, b),
        _mm512_ternarylogic_epi64::<0x96>(a, b, c),
        _mm512_ternarylogic_epi64::<0xd2>(a, b, c),
        _mm512_rol_epi64::<LEFT>(a)
    );
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use super::Word;
    use crate::field::avx2::{load, store};
    use core::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Four(__m256i);

    word!(
        Four, 4, words => load(&words),
        vector => {
            let mut words = [0; 4];
            store(vector, &mut words);
            words
        },
        a b c => _mm256_xor_si256(a, b),
        _mm256_xor_si256(a, _mm256_xor_si256(b, c)),
        _mm256_xor_si256(a, _mm256_andnot_si256(b, c)),
        _mm256_or_si256(_mm256_slli_epi64::<LEFT>(a), _mm256_srli_epi64::<RIGHT>(a))
    );
}
