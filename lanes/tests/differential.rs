//! Every function of every kind of lanes that the processor has against `curve25519_dalek`.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use veilgrid_lanes::{Affine, Kind, Lanes, ScalarLanes, Sum};

/// All that the processor has; each test says which it has not.
fn all_lanes() -> impl Iterator<Item = Lanes> {
    Kind::ALL.into_iter().filter_map(|kind| {
        let lanes = Lanes::of(kind);
        if lanes.is_none() {
            eprintln!("this processor has no {kind:?}: not compared");
        }
        lanes
    })
}

fn scalar_lanes() -> Option<ScalarLanes> {
    let lanes = all_lanes().find_map(Lanes::scalars);
    if lanes.is_none() {
        eprintln!("this processor has no lanes for scalars: nothing compared");
    }
    lanes
}

fn points(count: usize, seed: u64) -> Vec<RistrettoPoint> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..count).map(|_| RistrettoPoint::random(&mut rng)).collect()
}

fn bytes(points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|point| point.compress().0).collect()
}

fn decoded(lanes: Lanes, points: &[RistrettoPoint]) -> Vec<Affine> {
    lanes.decode(&bytes(points)).into_iter().map(|point| point.expect("canonical")).collect()
}

fn encode(lanes: Lanes, sum: &Sum) -> [u8; 32] {
    lanes.encode(std::slice::from_ref(sum))[0]
}

/// Scalars with the edges among them.
fn scalars(count: usize, seed: u64) -> Vec<Scalar> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let edges = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(128u64), -Scalar::from(1024u64)];
    (0..count).map(|i| edges.get(i % 37).copied().unwrap_or_else(|| Scalar::random(&mut rng))).collect()
}

#[test]
fn decoding_accepts_exactly_what_the_portable_decoder_accepts() {
    for lanes in all_lanes() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut encodings = bytes(&points(50, 2));
        encodings.push([0; 32]);
        // Random bytes, altered encodings, values around p, negative values, the top bit.
        for i in 0..2000 {
            let mut encoding = [0u8; 32];
            rng.fill_bytes(&mut encoding);
            if i % 2 == 0 {
                encoding[31] &= 0x7f;
                encoding[0] &= 0xfe;
            }
            encodings.push(encoding);
            let mut altered = encodings[i % 50];
            altered[i % 32] ^= 1 << (i % 8);
            encodings.push(altered);
        }
        for low in 0..=255u8 {
            let mut near_p = [0xff; 32];
            (near_p[0], near_p[31]) = (low, 0x7f);
            encodings.push(near_p);
            let mut small = [0; 32];
            small[0] = low;
            encodings.push(small);
        }
        let ours = lanes.decode(&encodings);
        let mut accepted = 0;
        for (encoding, ours) in encodings.iter().zip(&ours) {
            let theirs = CompressedRistretto(*encoding).decompress();
            assert_eq!(ours.is_some(), theirs.is_some(), "{encoding:02x?}");
            if let Some(point) = ours {
                assert_eq!(encode(lanes, &lanes.total([point])), *encoding);
                accepted += 1;
            }
        }
        assert!(accepted > 400 && accepted < encodings.len() - 400, "{accepted} of {}", encodings.len());
    }
}

#[test]
fn sums_are_the_portable_sums() {
    for lanes in all_lanes() {
        for count in [0usize, 1, 7, 8, 9, 64, 129] {
            let (a, b) = (points(count, 3), points(count, 4));
            let (ours_a, ours_b) = (decoded(lanes, &a), decoded(lanes, &b));
            let mut sums = vec![Sum::IDENTITY; count];
            lanes.add_assign(&mut sums, &ours_a);
            lanes.add_assign(&mut sums, &ours_b);
            // P + P and P − P: the formulas are complete.
            lanes.add_assign(&mut sums, &ours_b);
            let doubled = sums.clone();
            lanes.add_sums(&mut sums, &doubled);
            let expected: Vec<_> = a.iter().zip(&b).map(|(a, b)| a + a + b + b + b + b).collect();
            assert_eq!(lanes.encode(&sums), bytes(&expected));
            assert_eq!(encode(lanes, &lanes.total(&ours_a)), a.iter().sum::<RistrettoPoint>().compress().0);
            let total: RistrettoPoint = expected.iter().sum();
            assert_eq!(encode(lanes, &lanes.total_of_sums(&sums)), total.compress().0);
            let negated: Vec<RistrettoPoint> = a.iter().map(|a| -a).collect();
            let mut zero = vec![Sum::IDENTITY; count];
            lanes.add_assign(&mut zero, &ours_a);
            lanes.add_assign(&mut zero, &decoded(lanes, &negated));
            assert_eq!(lanes.encode(&zero), bytes(&vec![RistrettoPoint::identity(); count]));
        }
    }
}

#[test]
fn multiscalar_multiplication_is_the_portable_one() {
    for lanes in all_lanes() {
        for count in [0usize, 1, 2, 9, 100, 1000, 6500] {
            let (points, scalars) = (points(count, 5), scalars(count, 6));
            let ours = decoded(lanes, &points);
            let scalar_bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
            let sum = lanes.multiscalar(&scalar_bytes, &ours.iter().collect::<Vec<_>>());
            let expected = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points);
            assert_eq!(encode(lanes, &sum), expected.compress().0, "{count} points");
        }
    }
}

#[test]
fn the_same_point_many_times_is_added_like_any_other() {
    for lanes in all_lanes() {
        let point = points(1, 7)[0];
        let ours = decoded(lanes, &[point]);
        let scalars = scalars(300, 8);
        let scalar_bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
        let sum = lanes.multiscalar(&scalar_bytes, &vec![&ours[0]; 300]);
        assert_eq!(encode(lanes, &sum), (scalars.iter().sum::<Scalar>() * point).compress().0);
    }
}

#[test]
fn tens_of_thousands_of_points_take_the_widest_windows() {
    for lanes in all_lanes() {
        let (points, scalars) = (points(100, 13), scalars(27_000, 14));
        let ours = decoded(lanes, &points);
        let scalar_bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
        let sum = lanes.multiscalar(&scalar_bytes, &(0..27_000).map(|i| &ours[i % 100]).collect::<Vec<_>>());
        let together = (0..100).map(|i| scalars[i..].iter().step_by(100).sum::<Scalar>());
        let expected = RistrettoPoint::vartime_multiscalar_mul(together, &points);
        assert_eq!(encode(lanes, &sum), expected.compress().0);
    }
}

#[test]
fn secret_multiplication_is_the_portable_one() {
    for lanes in all_lanes() {
        for count in [1usize, 8, 13, 256, 257, 700] {
            let (points, scalars) = (points(count, 9), scalars(count, 10));
            let table = lanes.fixed_table(&decoded(lanes, &points));
            assert_eq!(table.len(), count);
            let scalar_bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
            let sum = lanes.secret_multiscalar(&table, &scalar_bytes);
            let expected = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points);
            assert_eq!(encode(lanes, &sum), expected.compress().0, "{count} points");
        }
    }
}

#[test]
fn secret_multiplication_takes_every_digit_and_the_identity() {
    for lanes in all_lanes() {
        let mut points = points(40, 15);
        points[7] = points[0];
        let mut ours = decoded(lanes, &points);
        (points[3], ours[3]) = (RistrettoPoint::identity(), Affine::IDENTITY);
        let radix_16 =
            |digit: u64| (0..63).fold(Scalar::ZERO, |sum, _| sum * Scalar::from(16u64) + Scalar::from(digit));
        // All sixteen digits everywhere, the edges, 2^252 and its neighbours.
        let top = (0..252).fold(Scalar::ONE, |power, _| power + power);
        let mut cases: Vec<Scalar> = (0..16).map(radix_16).collect();
        cases.extend([Scalar::ONE, -Scalar::ONE, top, top - Scalar::ONE, top + Scalar::ONE]);
        let table = lanes.fixed_table(&ours);
        for (case, scalar) in cases.iter().enumerate() {
            let scalars: Vec<Scalar> = (0..40).map(|i| cases[(case + i) % cases.len()]).collect();
            for scalars in [vec![*scalar; 40], scalars] {
                let bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
                let sum = lanes.secret_multiscalar(&table, &bytes);
                let expected = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points);
                assert_eq!(encode(lanes, &sum), expected.compress().0, "case {case}");
            }
        }
    }
}

#[test]
fn folding_is_the_portable_one() {
    for lanes in all_lanes() {
        for (length, rows) in [(8usize, 7usize), (5, 1), (64, 3), (1, 7), (9, 0), (0, 2), (3, 40)] {
            let all = points(length * (rows + 1), 11);
            let ours = decoded(lanes, &all);
            let scalars = scalars(rows, 12);
            let scalar_bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
            let row_slices: Vec<&[Affine]> =
                (1..=rows).map(|b| &ours[b * length..(b + 1) * length]).collect();
            let folded = lanes.fold_columns(&ours[..length], &scalar_bytes, &row_slices);
            assert_eq!(folded.len(), length);
            for i in 0..length {
                let column: Vec<RistrettoPoint> = (1..=rows).map(|b| all[b * length + i]).collect();
                let expected = all[i] + RistrettoPoint::vartime_multiscalar_mul(&scalars, &column);
                assert_eq!(encode(lanes, &lanes.total([&folded[i]])), expected.compress().0);
            }
        }
    }
}

/// A factor as the lanes take it: times 2^260 modulo ℓ.
fn montgomery(scalar: &Scalar) -> [u8; 32] {
    let mut two_260 = [0u8; 64];
    two_260[32] = 16;
    (scalar * Scalar::from_bytes_mod_order_wide(&two_260)).to_bytes()
}

fn eight(scalars: &[Scalar]) -> [[u8; 32]; 8] {
    core::array::from_fn(|l| scalars[l].to_bytes())
}

fn reduced(sums: &veilgrid_lanes::ScalarSums) -> Vec<Scalar> {
    sums.wide_bytes().iter().map(Scalar::from_bytes_mod_order_wide).collect()
}

#[test]
fn sums_of_scalar_products_equal_those_of_the_scalar_type() {
    let Some(lanes) = scalar_lanes() else { return };
    for (bits, seed) in [(0, 1), (1, 2), (4, 3), (8, 4)] {
        let places = 8usize << bits;
        let mut sums = lanes.sums(places);
        let mut expected = vec![Scalar::ZERO; places];
        for turn in 0..40 {
            let all = scalars(8 + bits, seed * 100 + turn);
            let (first, factors) = all.split_at(8);
            let in_form: Vec<[u8; 32]> = factors.iter().map(montgomery).collect();
            lanes.add_products(&mut sums, &eight(first), &in_form);
            for (place, sum) in expected.iter_mut().enumerate() {
                let chosen = (0..bits).filter(|bit| (place / 8) >> bit & 1 == 1);
                *sum += chosen.fold(first[place % 8], |product, bit| product * factors[bit]);
            }
        }
        assert_eq!(reduced(&sums), expected);
    }
}

#[test]
fn progressions_equal_those_of_the_scalar_type() {
    let Some(lanes) = scalar_lanes() else { return };
    for (row, rows) in [(8, 1), (8, 5), (16, 8), (32, 3)] {
        let mut sums = lanes.sums(row * rows);
        let mut expected = vec![Scalar::ZERO; row * rows];
        for turn in 0..20 {
            let all = scalars(row + 1, 50 + turn);
            let (start, step) = (&all[..row], all[row]);
            let bytes: Vec<[u8; 32]> = start.iter().map(Scalar::to_bytes).collect();
            lanes.add_progressions(&mut sums, &bytes, &montgomery(&step));
            for (place, sum) in expected.iter_mut().enumerate() {
                *sum += (0..place / row).fold(start[place % row], |term, _| term * step);
            }
        }
        assert_eq!(reduced(&sums), expected);
    }
}

#[test]
fn sums_of_two_progressions_equal_those_of_the_scalar_type() {
    let Some(lanes) = scalar_lanes() else { return };
    for places in [8, 16, 64] {
        let mut sums = lanes.sums(places);
        let mut expected = vec![Scalar::ZERO; places];
        for turn in 0..20 {
            let all = scalars(20, 90 + turn);
            let (a, b, a_step, b_step, added, out) =
                (&all[..8], &all[8..16], all[16], all[17], all[18], all[19]);
            let handed = lanes.add_two_progressions(
                &mut sums,
                [(&eight(a), &montgomery(&a_step)), (&eight(b), &montgomery(&b_step))],
                &montgomery(&added),
                &montgomery(&out),
            );
            for (place, sum) in expected.iter_mut().enumerate() {
                let term =
                    |first: &[Scalar], step: Scalar| (0..place / 8).fold(first[place % 8], |t, _| t * step);
                let c = term(a, a_step) + term(b, b_step);
                *sum += c * added;
                assert_eq!(Scalar::from_bytes_mod_order(handed[place]), c * out);
            }
        }
        assert_eq!(reduced(&sums), expected);
    }
}

#[test]
fn many_largest_values_are_carried_in_time() {
    let Some(lanes) = scalar_lanes() else { return };
    let mut sums = lanes.sums(8);
    let largest = [-Scalar::ONE; 8];
    // More than the limbs bear without a carry, twice.
    for _ in 0..10_000 {
        lanes.add_products(&mut sums, &eight(&largest), &[]);
    }
    assert_eq!(reduced(&sums), [-Scalar::from(10_000u64); 8]);
}

/// The first words of Keccak-f[1600] of the zero state, once and twice (the known answers of the Keccak team).
#[test]
fn sponges_permute_as_the_standard_says() {
    for lanes in all_lanes() {
        let zero = [[0u8; veilgrid_lanes::SPONGE_BLOCK_BYTES]; 2];
        let words = |squeezes: &[(usize, usize)]| -> Vec<u64> {
            let drawn = lanes.sponges([&zero; 8], squeezes);
            assert!(drawn.iter().all(|lane| *lane == drawn[0]));
            drawn[0]
                .chunks_exact(8)
                .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
                .collect()
        };
        assert_eq!(words(&[(0, 16)]), [0xf125_8f79_40e1_dde7, 0x84d5_ccf9_33c0_478a]);
        assert_eq!(words(&[(1, 16)]), [0x2d5c_954d_f96e_cb3c, 0x6a33_2cd0_7057_b56d]);
    }
}

#[test]
fn lanes_of_sponges_do_not_mix() {
    for lanes in all_lanes() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let all: Vec<Vec<veilgrid_lanes::SpongeBlock>> = (0..8)
            .map(|_| {
                let mut blocks = vec![[0u8; veilgrid_lanes::SPONGE_BLOCK_BYTES]; 3];
                blocks.iter_mut().for_each(|block| rng.fill_bytes(block));
                blocks
            })
            .collect();
        let squeezes = [(0, 64), (2, 32)];
        let together = lanes.sponges(core::array::from_fn(|l| all[l].as_slice()), &squeezes);
        for (lane, drawn) in together.iter().enumerate() {
            assert_eq!(lanes.sponges([&all[lane]; 8], &squeezes)[7], *drawn);
            assert_eq!(drawn.len(), 96);
        }
    }
}
