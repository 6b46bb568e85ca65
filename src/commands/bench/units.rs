//! The machine's unit costs, measured in the same run and on one thread.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::hint::black_box;
use std::time::Instant;
use veilgrid_crypto::fast::{Arithmetic, arithmetic};
use veilgrid_lanes::{Affine, Lanes};

/// Points of the measured multiplication, at most: memory, and beyond it nothing changes.
const MOST_POINTS: usize = 1 << 16;
const RUNS: usize = 5;

/// Costs of one point, µs.
#[derive(Clone, Copy)]
pub struct Units {
    pub decompress_us: f64,
    pub multiply_us: f64,
}

impl Units {
    /// What a bid costs at least on one thread: `own` points decompressed and multiplied, `shared` ones multiplied, ms.
    pub fn floor_ms(&self, own: f64, shared: f64) -> f64 {
        (own * (self.decompress_us + self.multiply_us) + shared * self.multiply_us) / 1e3
    }
}

/// Measures decompression, and one point in a multiplication of `points` points: medians of five runs, with the plain
/// crate, and in lanes where this process uses them.
pub fn measure(points: usize) -> (Units, Option<Units>) {
    let count = points.clamp(256, MOST_POINTS);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let scalars: Vec<Scalar> = (0..count).map(|_| Scalar::random(&mut rng)).collect();
    let points: Vec<RistrettoPoint> = (0..count).map(|_| RistrettoPoint::random(&mut rng)).collect();
    let encoded: Vec<CompressedRistretto> = points.iter().take(8192).map(RistrettoPoint::compress).collect();
    let decompress = median(|| {
        for encoding in &encoded {
            black_box(black_box(encoding).decompress());
        }
    });
    let multiply = median(|| {
        black_box(RistrettoPoint::vartime_multiscalar_mul(black_box(&scalars), black_box(&points)));
    });
    let per_point = |decompress: f64, multiply: f64| Units {
        decompress_us: decompress * 1e6 / encoded.len() as f64,
        multiply_us: multiply * 1e6 / count as f64,
    };
    let in_use = Lanes::of(arithmetic()).filter(|lanes| lanes.kind() != Arithmetic::Words);
    let lanes = in_use.map(|lanes| {
        let encoded: Vec<[u8; 32]> = encoded.iter().map(CompressedRistretto::to_bytes).collect();
        let all: Vec<[u8; 32]> = points.iter().map(|point| point.compress().0).collect();
        let decoded: Vec<Affine> = lanes.decode(&all).into_iter().flatten().collect();
        let decoded: Vec<&Affine> = decoded.iter().collect();
        let scalars: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
        let decompress = median(|| {
            black_box(lanes.decode(black_box(&encoded)));
        });
        let multiply = median(|| {
            black_box(lanes.multiscalar(black_box(&scalars), black_box(&decoded)));
        });
        per_point(decompress, multiply)
    });
    (per_point(decompress, multiply), lanes)
}

/// Median time of a piece of work, seconds.
pub fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
