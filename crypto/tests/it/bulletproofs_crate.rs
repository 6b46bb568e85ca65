//! Our bases against the `bulletproofs` crate: proofs made by that crate over (V, B) hold under our generators.
//!
//! The verifier here is written from the paper (section 4.2, with the generators unrolled) and shares no code with
//! `bid::equations`, so the test also pins order and meaning of the generators.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use veilgrid_crypto::bases::Bases;

fn challenge(t: &mut Transcript, label: &'static [u8]) -> Scalar {
    let mut bytes = [0; 64];
    t.challenge_bytes(label, &mut bytes);
    Scalar::from_bytes_mod_order_wide(&bytes)
}

/// Items of 32 bytes, absorbed as they are read.
struct Items<'a> {
    bytes: &'a [u8],
    t: Transcript,
}

impl Items<'_> {
    fn next(&mut self) -> Option<[u8; 32]> {
        let (head, tail) = self.bytes.split_first_chunk::<32>()?;
        self.bytes = tail;
        Some(*head)
    }
    fn point(&mut self, label: &'static [u8]) -> Option<RistrettoPoint> {
        let bytes = self.next()?;
        self.t.append_message(label, &bytes);
        CompressedRistretto(bytes).decompress()
    }
    fn scalar(&mut self, label: Option<&'static [u8]>) -> Option<Scalar> {
        let bytes = self.next()?;
        if let Some(label) = label {
            self.t.append_message(label, &bytes);
        }
        Scalar::from_canonical_bytes(bytes).into()
    }
}

/// The value's polynomial identity: t̂·V + τ_x·B = Σ z^{2+j}·C_j + δ·V + x·T1 + x²·T2.
struct ValueCheck<'a> {
    y: Scalar,
    z: Scalar,
    x: Scalar,
    t_hat: Scalar,
    tau_x: Scalar,
    commitments: &'a [RistrettoPoint],
    t1: RistrettoPoint,
    t2: RistrettoPoint,
}

fn values_hold(bases: &Bases, o: &ValueCheck<'_>) -> bool {
    let (n, m) = (bases.bits(), bases.steps());
    let sum_y: Scalar = powers(&o.y, n * m).iter().sum();
    let ones = Scalar::from(u64::MAX >> (64 - n));
    let z = powers(&o.z, m + 3);
    let delta = (z[1] - z[2]) * sum_y - (0..m).map(|j| z[3 + j] * ones).sum::<Scalar>();
    let committed: RistrettoPoint = o.commitments.iter().zip(&z[2..]).map(|(c, z)| z * c).sum();
    o.t_hat * bases.value() + o.tau_x * bases.blinding()
        == committed + delta * bases.value() + o.x * o.t1 + o.x * o.x * o.t2
}

fn powers(x: &Scalar, count: usize) -> Vec<Scalar> {
    std::iter::successors(Some(Scalar::ONE), |last| Some(last * x)).take(count).collect()
}

/// Verifies a proof of the crate under `bases`; none for bytes that are no proof.
fn verify(
    bases: &Bases,
    label: &'static [u8],
    commitments: &[CompressedRistretto],
    proof: &[u8],
) -> Option<bool> {
    let (n, m) = (bases.bits(), bases.steps());
    let mut items = Items { bytes: proof, t: Transcript::new(label) };
    items.t.append_message(b"dom-sep", b"rangeproof v1");
    items.t.append_u64(b"n", n as u64);
    items.t.append_u64(b"m", m as u64);
    for commitment in commitments {
        items.t.append_message(b"V", commitment.as_bytes());
    }
    let (a, s) = (items.point(b"A")?, items.point(b"S")?);
    let (y, z) = (challenge(&mut items.t, b"y"), challenge(&mut items.t, b"z"));
    let (t1, t2) = (items.point(b"T_1")?, items.point(b"T_2")?);
    let x = challenge(&mut items.t, b"x");
    let t_hat = items.scalar(Some(b"t_x"))?;
    let tau_x = items.scalar(Some(b"t_x_blinding"))?;
    let mu = items.scalar(Some(b"e_blinding"))?;
    let w = challenge(&mut items.t, b"w");
    items.t.append_message(b"dom-sep", b"ipp v1");
    items.t.append_u64(b"n", (n * m) as u64);

    // G'_i = s_i·G_i and H'_i = s_i^{-1}·y^{-i}·H_i after all rounds; the first round halves by the top bit of i.
    let (mut left_right, mut s_vector) = (RistrettoPoint::default(), vec![Scalar::ONE]);
    for _ in 0..(n * m).trailing_zeros() {
        let (left, right) = (items.point(b"L")?, items.point(b"R")?);
        let u = challenge(&mut items.t, b"u");
        let inverse = u.invert();
        left_right += u * u * left + inverse * inverse * right;
        s_vector = s_vector.iter().flat_map(|s| [s * inverse, s * u]).collect();
    }
    let (last_a, last_b) = (items.scalar(None)?, items.scalar(None)?);
    if !items.bytes.is_empty() {
        return None;
    }
    let y_inverse = powers(&y.invert(), n * m);
    let z_powers = powers(&z, m + 2);
    let g = s_vector.iter().map(|s| -z - last_a * s);
    let h = (0..n * m).map(|i| {
        let two = Scalar::from(1u64 << (i % n));
        z + y_inverse[i] * (z_powers[2 + i / n] * two - last_b * s_vector[i].invert())
    });
    let generators = RistrettoPoint::vartime_multiscalar_mul(g.chain(h), bases.g().iter().chain(bases.h()));
    let inner = a + x * s + left_right - mu * bases.blinding()
        + w * (t_hat - last_a * last_b) * bases.value()
        + generators;
    let points: Option<Vec<RistrettoPoint>> =
        commitments.iter().map(CompressedRistretto::decompress).collect();
    let values = ValueCheck { y, z, x, t_hat, tau_x, commitments: &points?, t1, t2 };
    Some(inner.is_identity() && values_hold(bases, &values))
}

#[test]
fn proofs_of_the_crate_hold_under_our_bases() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (n, m) in [(8, 4), (16, 8), (32, 4)] {
        let bases = Bases::derive(n, m, false);
        let pedersen = PedersenGens { B: *bases.value(), B_blinding: *bases.blinding() };
        let values: Vec<u64> = (0..m).map(|_| rng.next_u64() >> (64 - n)).collect();
        let blindings: Vec<Scalar> = (0..m).map(|_| Scalar::random(&mut rng)).collect();
        let (proof, commitments) = RangeProof::prove_multiple_with_rng(
            &BulletproofGens::new(n, m),
            &pedersen,
            &mut Transcript::new(b"comparison"),
            &values,
            &blindings,
            n,
            &mut rng,
        )
        .expect("the values are in range");
        let bytes = proof.to_bytes();
        assert_eq!(verify(&bases, b"comparison", &commitments, &bytes), Some(true), "{n} bits, {m} values");
        assert_eq!(verify(&bases, b"another", &commitments, &bytes), Some(false));
        for place in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            assert_ne!(verify(&bases, b"comparison", &commitments, &altered), Some(true), "byte {place}");
        }
        let mut swapped = commitments.clone();
        swapped.swap(0, 1);
        assert_eq!(verify(&bases, b"comparison", &swapped, &bytes), Some(false));
        assert_eq!(verify(&bases, b"comparison", &commitments, &bytes[..bytes.len() - 32]), None);
    }
}

/// A larger shape begins with the generators of a smaller one only party by party: the chain is by step.
#[test]
fn generators_are_chained_by_step() {
    let (small, large) = (Bases::derive(8, 4, false), Bases::derive(16, 8, false));
    for step in 0..4 {
        assert_eq!(small.g()[8 * step..8 * step + 8], large.g()[16 * step..16 * step + 8]);
        assert_eq!(small.h()[8 * step..8 * step + 8], large.h()[16 * step..16 * step + 8]);
    }
    let mut all: Vec<[u8; 32]> = large.g().iter().chain(large.h()).map(|p| p.compress().0).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2 * 16 * 8);
}
