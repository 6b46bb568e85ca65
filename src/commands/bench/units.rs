//! The machine's unit costs, measured in the same run and on one thread.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::hint::black_box;
use std::time::Instant;

/// Points of the measured multiplication, at most: memory, and beyond it nothing changes.
const MOST_POINTS: usize = 1 << 16;
const RUNS: usize = 5;

/// Costs of one point, µs.
pub struct Units {
    pub decompress_us: f64,
    pub multiply_us: f64,
}

/// Measures decompression, and one point in a multiplication of `points` points: medians of five runs.
pub fn measure(points: usize) -> Units {
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
    Units {
        decompress_us: decompress * 1e6 / encoded.len() as f64,
        multiply_us: multiply * 1e6 / count as f64,
    }
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
