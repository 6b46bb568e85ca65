//! Eight elements of the field modulo p = 2^255 − 19 at once: what every kind of lanes has in common.
//!
//! In memory an element is five limbs of 51 bits, whatever lanes work on it; each kind splits them as it likes.

/// Methods of [`Field`] by the functions of the same names, which are compiled for the kind's features.
macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {$(
        #[inline(always)]
        fn $name($($arg: $type),*) -> $out {
            // SAFETY: whatever names a vector kind runs behind the detection of its features, as `Field` says.
            unsafe { Self::$name($($arg),*) }
        }
    )*};
}

/// The same for what is generic in the points' sizes.
macro_rules! forward_memory {
    () => {
        #[inline(always)]
        fn gather<const WORDS: usize, const ELEMENTS: usize>(points: [&[u64; WORDS]; 8]) -> [Self; ELEMENTS] {
            // SAFETY: as in `forward`.
            unsafe { Self::gather(points) }
        }
        #[inline(always)]
        fn scatter<const WORDS: usize, const ELEMENTS: usize>(
            elements: &[Self; ELEMENTS],
            places: [&mut [u64; WORDS]; 8],
        ) {
            // SAFETY: as in `forward`.
            unsafe { Self::scatter(elements, places) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
pub(crate) mod formulas;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod words;

/// One element as five 51-bit limbs.
pub(crate) type Limbs = [u64; 5];

/// The bits of a limb.
const MASK: u64 = (1 << 51) - 1;
/// p in limbs of 51 bits.
const P: Limbs = [MASK - 18, MASK, MASK, MASK, MASK];
/// 2p, limb by limb: what a difference of reduced elements starts from.
const TWO_P: Limbs = [2 * P[0], 2 * MASK, 2 * MASK, 2 * MASK, 2 * MASK];

/// Eight lanes of (y + x, y − x, 2d·x·y), limb by limb: an entry of a table for secret scalars.
pub(crate) type Entry = [[u64; 8]; 15];

/// The curve's constant d and what follows from it, and √−1.
pub(crate) mod constants {
    use super::Limbs;
    pub const ONE: Limbs = [1, 0, 0, 0, 0];
    pub const D: Limbs =
        [929955233495203, 466365720129213, 1662059464998953, 2033849074728123, 1442794654840575];
    pub const D2: Limbs =
        [1859910466990425, 932731440258426, 1072319116312658, 1815898335770999, 633789495995903];
    pub const SQRT_M1: Limbs =
        [1718705420411056, 234908883556509, 2233514472574048, 2117202627021982, 765476049583133];
    /// 1/√(a − d) for a = −1.
    pub const INVSQRT_A_MINUS_D: Limbs =
        [278908739862762, 821645201101625, 8113234426968, 1777959178193151, 2118520810568447];
}

/// Field elements that are added and multiplied, however many of them a value holds.
///
/// "Reduced" is a bound on the limbs that each kind states, not the canonical form; everything here takes and returns
/// reduced elements, but for what is called loose: a sum of two or three reduced elements or a difference of two is good as
/// a factor, a sum of two also as the left side of [`Ring::sub`].
pub(crate) trait Ring: Copy {
    fn add(&self, other: &Self) -> Self;
    fn sub(&self, other: &Self) -> Self;
    /// The sum, loose.
    #[inline(always)]
    fn add_loose(&self, other: &Self) -> Self {
        self.add(other)
    }
    /// The difference, loose.
    #[inline(always)]
    fn sub_loose(&self, other: &Self) -> Self {
        self.sub(other)
    }
    fn mul(&self, other: &Self) -> Self;
    fn square(&self) -> Self;
}

/// Eight field elements, one a lane. Bit l of a mask is lane l.
///
/// # Safety of the implementations
/// The vector kinds are compiled for features that the processor may not have. Nothing in this crate names such a kind
/// but the functions that `wide` makes for its features, and those run behind the detection in `Lanes`.
///
/// Everything that works on this trait is always inlined into those functions, because a vector instruction is only
/// inlined where its feature is on.
pub(crate) trait Field: Ring {
    /// The same element in all lanes.
    fn splat(limbs: &Limbs) -> Self;
    /// Lane l gets element l.
    fn from_lanes(lanes: &[Limbs; 8]) -> Self;
    /// Lane l's element at l; limbs are as wide as this kind's bound.
    fn to_lanes(self) -> [Limbs; 8];
    /// The canonical representative.
    fn freeze(&self) -> Self;
    /// Lanes that are zero.
    fn is_zero(&self) -> u8;
    /// Lanes whose canonical representative is odd.
    fn is_negative(&self) -> u8;
    /// `other` in the lanes of `mask`, `self` elsewhere.
    fn select(&self, other: &Self, mask: u8) -> Self;
    /// Eight points' memory, `ELEMENTS` elements of five words each and padding, as elements in lanes.
    fn gather<const WORDS: usize, const ELEMENTS: usize>(points: [&[u64; WORDS]; 8]) -> [Self; ELEMENTS];
    /// The reverse; padding is left to mean nothing.
    fn scatter<const WORDS: usize, const ELEMENTS: usize>(
        elements: &[Self; ELEMENTS],
        places: [&mut [u64; WORDS]; 8],
    );
    /// The elements' limbs in memory, eight lanes each.
    fn columns(self) -> [[u64; 8]; 5];
    /// Of a table of the multiples 1 to 8, the one that each lane's digit in −8..=8 names, and the lanes whose digit is
    /// negative; 0 names (1, 1, 0). Every entry is read whatever the digits are, without a branch on them.
    fn choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8);

    /// x^(2^count) for several independent groups: they hide each other's latency.
    fn square_times<const K: usize>(x: &mut [Self; K], count: usize);
    /// [`formulas::add_affine`].
    fn add_affine(sum: &mut [Self; 4], other: &[Self; 3]);
    /// [`formulas::add_cached`].
    fn add_cached(sum: &mut [Self; 4], other: &[Self; 4]);
    /// [`formulas::double`].
    fn double(sum: &mut [Self; 4]);

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(&[0; 5])
    }

    #[inline(always)]
    fn one() -> Self {
        Self::splat(&constants::ONE)
    }

    #[inline(always)]
    fn neg(&self) -> Self {
        Self::zero().sub(self)
    }

    /// Negated in the lanes of `mask`.
    #[inline(always)]
    fn negate_where(&self, mask: u8) -> Self {
        self.select(&self.neg(), mask)
    }

    #[inline(always)]
    fn abs(&self) -> Self {
        self.negate_where(self.is_negative())
    }
}

#[inline(always)]
fn square_times<F: Field, const K: usize>(mut x: [F; K], count: usize) -> [F; K] {
    F::square_times(&mut x, count);
    x
}

#[inline(always)]
fn multiply<F: Field, const K: usize>(a: &[F; K], b: &[F; K]) -> [F; K] {
    // A loop and no closure: what works on vectors has to be inlined to the last call.
    let mut products = *a;
    for k in 0..K {
        products[k] = a[k].mul(&b[k]);
    }
    products
}

/// (x^(2^250 − 1), x^11), the common part of inversion and square root.
#[inline(always)]
fn power_chain<F: Field, const K: usize>(x: &[F; K]) -> ([F; K], [F; K]) {
    let x2 = square_times(*x, 1);
    let x9 = multiply(x, &square_times(x2, 2));
    let x11 = multiply(&x2, &x9);
    let e5 = multiply(&x9, &square_times(x11, 1));
    let e10 = multiply(&square_times(e5, 5), &e5);
    let e20 = multiply(&square_times(e10, 10), &e10);
    let e40 = multiply(&square_times(e20, 20), &e20);
    let e50 = multiply(&square_times(e40, 10), &e10);
    let e100 = multiply(&square_times(e50, 50), &e50);
    let e200 = multiply(&square_times(e100, 100), &e100);
    (multiply(&square_times(e200, 50), &e50), x11)
}

/// 1/x (0 for 0).
#[inline(always)]
pub(crate) fn invert<F: Field>(x: &F) -> F {
    let (e250, x11) = power_chain(&[*x]);
    square_times(e250, 5)[0].mul(&x11[0])
}

/// Lanes where v is a non-zero square, and |1/√v| there (RFC 9496, SQRT_RATIO_M1 with u = 1).
#[inline(always)]
pub(crate) fn inverse_sqrt<F: Field, const K: usize>(v: &[F; K]) -> [(u8, F); K] {
    let v3 = multiply(&square_times(*v, 1), v);
    let v7 = multiply(&square_times(v3, 1), v);
    let (e250, _) = power_chain(&v7);
    // (p − 5)/8 = 2^252 − 3
    let p58 = multiply(&square_times(e250, 2), &v7);
    let roots = multiply(&p58, &v3);
    let one = F::one();
    let sqrt_m1 = F::splat(&constants::SQRT_M1);
    let mut answers = [(0, one); K];
    for k in 0..K {
        let r = roots[k];
        let check = v[k].mul(&r.square());
        let correct = check.sub(&one).is_zero();
        let flipped = check.add(&one).is_zero();
        let flipped_i = check.add(&sqrt_m1).is_zero();
        let r = r.select(&r.mul(&sqrt_m1), flipped | flipped_i);
        answers[k] = (correct | flipped, r.abs());
    }
    answers
}

/// Splits 32 little-endian bytes into limbs; bit 255 is dropped.
pub(crate) fn limbs_from_bytes(bytes: &[u8; 32]) -> Limbs {
    let word = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("8 bytes"));
    [
        word(0) & MASK,
        (word(6) >> 3) & MASK,
        (word(12) >> 6) & MASK,
        (word(19) >> 1) & MASK,
        (word(24) >> 12) & MASK,
    ]
}

/// Joins canonical limbs to 32 little-endian bytes.
pub(crate) fn bytes_from_limbs(l: &Limbs) -> [u8; 32] {
    let words =
        [l[0] | l[1] << 51, l[1] >> 13 | l[2] << 38, l[2] >> 26 | l[3] << 25, l[3] >> 39 | l[4] << 12];
    let mut bytes = [0u8; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
