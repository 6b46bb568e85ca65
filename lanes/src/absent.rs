//! Other processors: nothing is ever detected, so nothing of this is ever called.

/// Bytes that a block may touch.
pub const SPONGE_BLOCK_BYTES: usize = 168;
/// What is added to the state before a permutation.
pub type SpongeBlock = [u8; SPONGE_BLOCK_BYTES];

/// Private, so that the compiler reports no unreachable code in the crate above.
#[derive(Clone, Copy, Debug)]
enum Never {}

/// No lanes.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(Never);
/// Never made.
#[derive(Clone, Copy)]
pub struct Affine(#[allow(dead_code, reason = "never made, never read")] Never);
/// Never made.
#[derive(Clone, Copy)]
pub struct Sum(#[allow(dead_code, reason = "never made, never read")] Never);
/// Never made.
pub struct FixedTable(Never);

/// Never made.
#[derive(Clone)]
pub struct ScalarSums(Never);

impl ScalarSums {
    /// Number of places.
    pub fn len(&self) -> usize {
        match self.0 {}
    }
    /// True without places.
    pub fn is_empty(&self) -> bool {
        match self.0 {}
    }
    /// The sums as 64 little-endian bytes.
    pub fn wide_bytes(&self) -> Vec<[u8; 64]> {
        match self.0 {}
    }
}

impl FixedTable {
    /// Bytes of a table: none.
    pub const fn bytes(_: usize) -> usize {
        0
    }
    /// Number of points.
    pub fn len(&self) -> usize {
        match self.0 {}
    }
    /// True without points.
    pub fn is_empty(&self) -> bool {
        match self.0 {}
    }
}

#[allow(missing_docs, clippy::missing_panics_doc, reason = "documented where it exists")]
impl Lanes {
    pub fn detect() -> Option<Self> {
        None
    }
    pub fn identities(self, _: usize) -> Vec<Sum> {
        match self.0 {}
    }
    pub fn decode(self, _: &[[u8; 32]]) -> Vec<Option<Affine>> {
        match self.0 {}
    }
    pub fn encode(self, _: &[Sum]) -> Vec<[u8; 32]> {
        match self.0 {}
    }
    pub fn add_assign(self, _: &mut [Sum], _: &[Affine]) {
        match self.0 {}
    }
    pub fn add_sums(self, _: &mut [Sum], _: &[Sum]) {
        match self.0 {}
    }
    pub fn total<'a>(self, _: impl IntoIterator<Item = &'a Affine>) -> Sum {
        match self.0 {}
    }
    pub fn total_of_sums(self, _: &[Sum]) -> Sum {
        match self.0 {}
    }
    pub fn multiscalar(self, _: &[[u8; 32]], _: &[&Affine]) -> Sum {
        match self.0 {}
    }
    pub fn fold_columns(self, _: &[Affine], _: &[[u8; 32]], _: &[&[Affine]]) -> Vec<Affine> {
        match self.0 {}
    }
    pub fn scalar_sums(self, _: usize) -> ScalarSums {
        match self.0 {}
    }
    pub fn add_products(self, _: &mut ScalarSums, _: &[[u8; 32]; 8], _: &[[u8; 32]]) {
        match self.0 {}
    }
    pub fn add_progressions(self, _: &mut ScalarSums, _: &[[u8; 32]], _: &[u8; 32]) {
        match self.0 {}
    }
    pub fn add_two_progressions(
        self,
        _: &mut ScalarSums,
        _: [(&[[u8; 32]; 8], &[u8; 32]); 2],
        _: &[u8; 32],
        _: &[u8; 32],
    ) -> Vec<[u8; 32]> {
        match self.0 {}
    }
    pub fn sponges(self, _: [&[SpongeBlock]; 8], _: &[(usize, usize)]) -> [Vec<u8>; 8] {
        match self.0 {}
    }
    pub fn fixed_table(self, _: &[Affine]) -> FixedTable {
        match self.0 {}
    }
    pub fn secret_multiscalar(self, _: &FixedTable, _: &[[u8; 32]]) -> Sum {
        match self.0 {}
    }
}
