//! Scalars on processors of other makers: no lanes multiply them, so nothing of this is ever made.

use crate::wide::Lanes;

/// Private, so that the compiler reports no unreachable code in the crate above.
#[derive(Clone, Copy, Debug)]
enum Never {}

/// No lanes for scalars.
#[derive(Clone, Copy, Debug)]
pub struct ScalarLanes(Never);

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

#[allow(missing_docs, clippy::missing_panics_doc, reason = "documented where it exists")]
impl ScalarLanes {
    pub(crate) fn of(_: Lanes) -> Option<Self> {
        None
    }
    pub fn sums(self, _: usize) -> ScalarSums {
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
}
