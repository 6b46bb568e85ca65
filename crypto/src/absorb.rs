//! What a proof's transcript does, apart from how it is computed: one after another by merlin, or eight of one shape side by
//! side.
//!
//! merlin's transcript is a sponge under STROBE's framing (Hamburg, 2017; merlin's `strobe.rs`). Where a byte goes depends on
//! lengths alone, so that transcripts of one shape permute at the same places. [`Framing`] lays out what a transcript adds to
//! its sponge and leaves the permutations out, [`side_by_side`] runs eight of these in lanes, and [`Drawn`] hands the
//! challenges out to a second pass over the same code. The tests compare it with merlin.

use crate::fast::lanes;
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use veilgrid_lanes::{SPONGE_BLOCK_BYTES, SpongeBlock};

/// Something that absorbs messages and draws challenges.
pub(crate) trait Absorb {
    /// Absorbs a message.
    fn absorb(&mut self, label: &'static [u8], message: &[u8]);
    /// Draws challenge bytes.
    fn draw(&mut self, label: &'static [u8], bytes: &mut [u8]);
    /// Absorbs a number as 8 little-endian bytes.
    fn absorb_u64(&mut self, label: &'static [u8], number: u64) {
        self.absorb(label, &number.to_le_bytes());
    }
    /// Draws a challenge: 64 bytes modulo the group order.
    fn draw_scalar(&mut self, label: &'static [u8]) -> Scalar {
        let mut bytes = [0u8; 64];
        self.draw(label, &mut bytes);
        Scalar::from_bytes_mod_order_wide(&bytes)
    }
}

impl Absorb for Transcript {
    fn absorb(&mut self, label: &'static [u8], message: &[u8]) {
        self.append_message(label, message);
    }
    fn draw(&mut self, label: &'static [u8], bytes: &mut [u8]) {
        self.challenge_bytes(label, bytes);
    }
}

/// STROBE's rate at 128-bit security: the sponge's 168 bytes without its two of padding.
const RATE: usize = SPONGE_BLOCK_BYTES - 2;
const FLAG_I: u8 = 1;
const FLAG_A: u8 = 1 << 1;
const FLAG_C: u8 = 1 << 2;
const FLAG_M: u8 = 1 << 4;

/// What a transcript adds to its sponge, block by block. Challenges that it draws are zeros.
pub(crate) struct Framing {
    blocks: Vec<SpongeBlock>,
    /// After which block how many bytes are drawn.
    draws: Vec<(usize, usize)>,
    block: SpongeBlock,
    position: usize,
    begin: u8,
}

impl Framing {
    /// The framing of a new transcript with this label.
    pub fn new(label: &'static [u8]) -> Self {
        let mut first = [0; SPONGE_BLOCK_BYTES];
        first[..6].copy_from_slice(&[1, RATE as u8 + 2, 1, 0, 1, 96]);
        first[6..18].copy_from_slice(b"STROBEv1.0.2");
        let (draws, block) = (Vec::new(), [0; SPONGE_BLOCK_BYTES]);
        let mut framing = Self { blocks: vec![first], draws, block, position: 0, begin: 0 };
        framing.begin(FLAG_M | FLAG_A);
        framing.put(b"Merlin v1.0");
        framing.absorb(b"dom-sep", label);
        framing
    }

    fn end_block(&mut self) {
        self.block[self.position] ^= self.begin;
        self.block[self.position + 1] ^= 0x04;
        self.block[RATE + 1] ^= 0x80;
        self.blocks.push(self.block);
        (self.block, self.position, self.begin) = ([0; SPONGE_BLOCK_BYTES], 0, 0);
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(RATE - self.position));
            let end = self.position + now.len();
            self.block[self.position..end].copy_from_slice(now);
            self.position = end;
            bytes = later;
            if self.position == RATE {
                self.end_block();
            }
        }
    }

    fn begin(&mut self, flags: u8) {
        let before = self.begin;
        self.begin = self.position as u8 + 1;
        self.put(&[before, flags]);
        if flags & FLAG_C != 0 && self.position != 0 {
            self.end_block();
        }
    }

    /// Label and length, as merlin puts them before each message and challenge.
    fn meta(&mut self, label: &'static [u8], length: usize) {
        self.begin(FLAG_M | FLAG_A);
        self.put(label);
        self.put(&u32::try_from(length).expect("a message below 4 GiB").to_le_bytes());
    }
}

impl Absorb for Framing {
    fn absorb(&mut self, label: &'static [u8], message: &[u8]) {
        self.meta(label, message.len());
        self.begin(FLAG_A);
        self.put(message);
    }

    fn draw(&mut self, label: &'static [u8], bytes: &mut [u8]) {
        self.meta(label, bytes.len());
        self.begin(FLAG_I | FLAG_A | FLAG_C);
        assert!(bytes.len() < RATE && bytes.len().is_multiple_of(8), "whole words of one block");
        bytes.fill(0);
        self.draws.push((self.blocks.len() - 1, bytes.len()));
        // The sponge sets what it hands out to zero, as if nothing had been there.
        self.position = bytes.len();
    }
}

/// Hands out the challenges of a transcript that was run elsewhere, to the code that has framed it.
pub(crate) struct Drawn<'a>(&'a [u8]);

impl<'a> Drawn<'a> {
    /// All challenge bytes, one after another.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Absorb for Drawn<'_> {
    fn absorb(&mut self, _: &'static [u8], _: &[u8]) {}
    fn draw(&mut self, _: &'static [u8], bytes: &mut [u8]) {
        let (now, later) = self.0.split_at(bytes.len());
        bytes.copy_from_slice(now);
        self.0 = later;
    }
}

/// The challenge bytes of up to eight transcripts of one shape; none when their shapes differ.
pub(crate) fn side_by_side(transcripts: &[Framing]) -> Option<Vec<Vec<u8>>> {
    let first = transcripts.first()?;
    let alike = |other: &Framing| other.blocks.len() == first.blocks.len() && other.draws == first.draws;
    if transcripts.len() > 8 || !transcripts.iter().all(alike) {
        return None;
    }
    // Lanes without a transcript of their own repeat the first.
    let lane = |l: usize| transcripts.get(l).unwrap_or(first).blocks.as_slice();
    let mut drawn = lanes().sponges(core::array::from_fn(lane), &first.draws).to_vec();
    drawn.truncate(transcripts.len());
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    /// Messages of many lengths around the rate, and draws between them; `seed` gives the bytes.
    fn conversation(transcript: &mut impl Absorb, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut drawn = Vec::new();
        for length in (0..200).chain([331, 332, 333, 4096]) {
            let mut message = vec![0; length];
            rng.fill_bytes(&mut message);
            transcript.absorb(b"message", &message);
            if length % 3 == 0 {
                let mut bytes = vec![0; 8 * (1 + length % 20)];
                transcript.draw(b"challenge", &mut bytes);
                drawn.extend(bytes);
                drawn.extend(transcript.draw_scalar(b"scalar").to_bytes());
            }
            transcript.absorb_u64(b"number", length as u64);
        }
        transcript.draw(b"last", &mut [0; 32]);
        drawn
    }

    #[test]
    fn transcripts_side_by_side_draw_what_merlin_draws() {
        for count in [1, 3, 8] {
            let mut framings: Vec<Framing> = (0..count).map(|_| Framing::new(b"test")).collect();
            for (seed, framing) in (0..).zip(&mut framings) {
                conversation(framing, seed);
            }
            let drawn = side_by_side(&framings).expect("equal shapes");
            for (seed, drawn) in (0..).zip(&drawn) {
                let merlin = conversation(&mut Transcript::new(b"test"), seed);
                assert_eq!(conversation(&mut Drawn::new(drawn), seed), merlin);
            }
        }
    }

    #[test]
    fn transcripts_of_other_shapes_are_not_run_together() {
        let framing = |length: usize| {
            let mut framing = Framing::new(b"test");
            framing.absorb(b"message", &vec![1; length]);
            framing.draw(b"challenge", &mut [0; 64]);
            framing
        };
        assert!(side_by_side(&[framing(10), framing(400)]).is_none());
        assert!(side_by_side(&[]).is_none());
    }
}
