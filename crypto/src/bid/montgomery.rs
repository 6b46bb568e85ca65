//! Scalar products modulo the group order ℓ in Montgomery form, for the verifier's long scalar loops.
//!
//! Variable time: for public data only. `curve25519_dalek` reduces every product by Barrett or Montgomery on 52-bit
//! limbs with packing around it (about 60 ns); here a factor is brought into Montgomery form once and used for
//! thousands of products of about 15 ns. Checked against `Scalar` by the tests below.

use curve25519_dalek::scalar::Scalar;

/// ℓ = 2^252 + 27742317777372353535851937790883648493, little-endian limbs.
const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000];

/// −ℓ^{-1} mod 2^64, by Newton's iteration.
const ORDER_NEG_INVERSE: u64 = {
    let mut inverse = 1u64;
    let mut i = 0;
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(ORDER[0].wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg()
};

/// An integer below 4ℓ, in plain form: a product is below 2ℓ, a lazy sum of two products below 4ℓ.
#[derive(Clone, Copy)]
pub(crate) struct Plain([u64; 4]);

/// A factor f in Montgomery form, f·2^256 mod ℓ.
#[derive(Clone, Copy)]
pub(crate) struct Factor([u64; 4]);

/// A sum of plain integers, not reduced; room for 2^64 of them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum([u64; 5]);

fn limbs(scalar: &Scalar) -> [u64; 4] {
    let bytes = scalar.as_bytes();
    core::array::from_fn(|i| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("8 bytes")))
}

/// a·b + c + d as (low, high); never overflows 128 bits.
#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let wide = (a as u128).wrapping_mul(b as u128).wrapping_add(c as u128).wrapping_add(d as u128);
    (wide as u64, (wide >> 64) as u64)
}

/// a·b·2^{-256} mod ℓ for a < 4ℓ, b < ℓ (CIOS, Koç, Acar and Kaliski 1996). The result is below a·b/2^256 + ℓ, that is
/// below 4ℓ/16 + ℓ < 2ℓ, so the usual last subtraction is left out: nothing here needs the canonical representative.
#[inline(always)]
fn montgomery(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let mut t = [0u64; 5];
    for &digit in b {
        let mut carry = 0;
        for j in 0..4 {
            (t[j], carry) = multiply_add(a[j], digit, t[j], carry);
        }
        let (top, overflow) = t[4].overflowing_add(carry);
        let m = t[0].wrapping_mul(ORDER_NEG_INVERSE);
        let (_, mut carry) = multiply_add(m, ORDER[0], t[0], 0);
        for j in 1..4 {
            (t[j - 1], carry) = multiply_add(m, ORDER[j], t[j], carry);
        }
        let (low, overflow2) = top.overflowing_add(carry);
        t[3] = low;
        t[4] = (overflow as u64).wrapping_add(overflow2 as u64);
    }
    [t[0], t[1], t[2], t[3]]
}

impl Plain {
    pub fn new(scalar: &Scalar) -> Self {
        Self(limbs(scalar))
    }
    #[inline(always)]
    pub fn times(&self, factor: &Factor) -> Self {
        Self(montgomery(&self.0, &factor.0))
    }
    /// The sum of two products, below 4ℓ: good as an input of [`Self::times`].
    #[inline(always)]
    pub fn plus_lazy(&self, other: &Self) -> Self {
        let mut sum = [0u64; 4];
        let mut carry = false;
        for (j, limb) in sum.iter_mut().enumerate() {
            let (partial, carry1) = self.0[j].overflowing_add(other.0[j]);
            let (partial, carry2) = partial.overflowing_add(carry as u64);
            *limb = partial;
            carry = carry1 | carry2;
        }
        Self(sum)
    }
    pub fn to_scalar(self) -> Scalar {
        let mut bytes = [0u8; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        Scalar::from_bytes_mod_order(bytes)
    }
}

impl Factor {
    /// Brings factors into Montgomery form; `two_256` is 2^256 mod ℓ, from [`power_of_two`].
    pub fn new(scalar: &Scalar, two_256: &Scalar) -> Self {
        Self(limbs(&(scalar * two_256)))
    }
}

/// 2^exponent mod ℓ, for exponents below 512.
pub(crate) fn power_of_two(exponent: usize) -> Scalar {
    let mut bytes = [0u8; 64];
    bytes[exponent / 8] = 1 << (exponent % 8);
    Scalar::from_bytes_mod_order_wide(&bytes)
}

impl Sum {
    #[inline(always)]
    pub fn add(&mut self, value: &Plain) {
        let mut carry = false;
        for j in 0..4 {
            let (partial, carry1) = self.0[j].overflowing_add(value.0[j]);
            let (partial, carry2) = partial.overflowing_add(carry as u64);
            self.0[j] = partial;
            carry = carry1 | carry2;
        }
        self.0[4] = self.0[4].wrapping_add(carry as u64);
    }
    pub fn to_scalar(self) -> Scalar {
        let mut bytes = [0u8; 64];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        Scalar::from_bytes_mod_order_wide(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn samples() -> Vec<Scalar> {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut all = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2u64), power_of_two(256)];
        all.extend((0..60).map(|_| Scalar::random(&mut rng)));
        all
    }

    #[test]
    fn products_and_sums_equal_those_of_the_scalar_type() {
        let r = power_of_two(256);
        for a in samples() {
            for b in samples() {
                assert_eq!(Plain::new(&a).times(&Factor::new(&b, &r)).to_scalar(), a * b);
                let lazy = Plain::new(&a).plus_lazy(&Plain::new(&b));
                assert_eq!(lazy.to_scalar(), a + b);
                assert_eq!(lazy.times(&Factor::new(&b, &r)).to_scalar(), (a + b) * b);
            }
        }
    }

    #[test]
    fn sums_carry_into_the_fifth_limb() {
        let mut sum = Sum::default();
        let top = Plain::new(&-Scalar::ONE);
        (0..1000).for_each(|_| sum.add(&top));
        assert_eq!(sum.to_scalar(), -Scalar::from(1000u64));
    }
}
