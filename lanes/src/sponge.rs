//! Eight sponges over `Keccak-f[1600]` side by side, one a 64-bit lane: what eight transcripts absorb and draw when all of
//! them have the same lengths in the same order.
//!
//! Source: FIPS 202, section 3.2. Public data.

use crate::field::{load, store};
use core::arch::x86_64::*;

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

type State = [__m512i; 25];

/// a ^ b ^ c.
const XOR3: i32 = 0x96;
/// a ^ (!b & c).
const CHI: i32 = 0xd2;

/// The lanes along the cycle of π, each with its rotation of ρ.
macro_rules! rho_pi {
    ($state:ident, $($lane:literal $rotation:literal),* $(,)?) => {
        let mut carried = $state[1];
        $(
            let kept = $state[$lane];
            $state[$lane] = _mm512_rol_epi64::<$rotation>(carried);
            carried = kept;
        )*
        let _ = carried;
    };
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn permute(state: &mut State) {
    for constant in ROUND_CONSTANTS {
        let column: [__m512i; 5] = core::array::from_fn(|x| {
            let low = _mm512_ternarylogic_epi64::<XOR3>(state[x], state[x + 5], state[x + 10]);
            _mm512_ternarylogic_epi64::<XOR3>(low, state[x + 15], state[x + 20])
        });
        for x in 0..5 {
            let (left, right) = (column[(x + 4) % 5], _mm512_rol_epi64::<1>(column[(x + 1) % 5]));
            for y in 0..5 {
                state[x + 5 * y] = _mm512_ternarylogic_epi64::<XOR3>(state[x + 5 * y], left, right);
            }
        }
        rho_pi!(
            state, 10 1, 7 3, 11 6, 17 10, 18 15, 3 21, 5 28, 16 36, 8 45, 21 55, 24 2, 4 14, 15 27, 23 41, 19 56, 13 8,
            12 25, 2 43, 20 62, 14 18, 22 39, 9 61, 6 20, 1 44,
        );
        for row in (0..25).step_by(5) {
            let old: [__m512i; 5] = core::array::from_fn(|x| state[row + x]);
            for x in 0..5 {
                state[row + x] = _mm512_ternarylogic_epi64::<CHI>(old[x], old[(x + 1) % 5], old[(x + 2) % 5]);
            }
        }
        state[0] = _mm512_xor_si512(state[0], _mm512_set1_epi64(constant as i64));
    }
}

/// Runs eight sponges from the zero state: adds block i of each, permutes, and where `squeezes` has (i, n) hands out the
/// first n bytes, a multiple of eight, and sets them to zero. All n bytes of a lane, one after another.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn run(blocks: [&[SpongeBlock]; 8], squeezes: &[(usize, usize)]) -> [Vec<u8>; 8] {
    let zero = _mm512_setzero_si512();
    let mut state: State = [zero; 25];
    let mut drawn: [Vec<u8>; 8] = Default::default();
    let mut squeezes = squeezes.iter().peekable();
    for (at, first) in blocks[0].iter().enumerate() {
        let lanes: [&SpongeBlock; 8] = core::array::from_fn(|l| if l == 0 { first } else { &blocks[l][at] });
        for (word, part) in state.iter_mut().take(WORDS).enumerate() {
            let words: [u64; 8] = core::array::from_fn(|l| {
                u64::from_le_bytes(lanes[l][8 * word..8 * word + 8].try_into().expect("8 bytes"))
            });
            *part = _mm512_xor_si512(*part, load(&words));
        }
        permute(&mut state);
        if let Some((_, bytes)) = squeezes.next_if(|(after, _)| *after == at) {
            for part in state.iter_mut().take(bytes / 8) {
                for (drawn, word) in drawn.iter_mut().zip(store(*part)) {
                    drawn.extend_from_slice(&word.to_le_bytes());
                }
                *part = zero;
            }
        }
    }
    drawn
}
