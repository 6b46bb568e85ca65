//! Other processors: nothing is ever detected, so nothing of this is ever called.

/// No lanes.
#[derive(Clone, Copy, Debug)]
pub enum Lanes {}
/// Never made.
#[derive(Clone, Copy)]
pub enum Affine {}
/// Never made.
#[derive(Clone, Copy)]
pub enum Sum {}
/// Never made.
pub enum FixedTable {}

impl FixedTable {
    /// Bytes of a table: none.
    pub const fn bytes(_: usize) -> usize {
        0
    }
}

#[allow(missing_docs, clippy::missing_panics_doc, reason = "documented where it exists")]
impl Lanes {
    pub fn detect() -> Option<Self> {
        None
    }
    pub fn identities(self, _: usize) -> Vec<Sum> {
        match self {}
    }
    pub fn decode(self, _: &[[u8; 32]]) -> Vec<Option<Affine>> {
        match self {}
    }
    pub fn encode(self, _: &[Sum]) -> Vec<[u8; 32]> {
        match self {}
    }
    pub fn add_assign(self, _: &mut [Sum], _: &[Affine]) {
        match self {}
    }
    pub fn add_sums(self, _: &mut [Sum], _: &[Sum]) {
        match self {}
    }
    pub fn total<'a>(self, _: impl IntoIterator<Item = &'a Affine>) -> Sum {
        match self {}
    }
    pub fn total_of_sums(self, _: &[Sum]) -> Sum {
        match self {}
    }
    pub fn multiscalar(self, _: &[[u8; 32]], _: &[&Affine]) -> Sum {
        match self {}
    }
    pub fn fold_columns(self, _: &[Affine], _: &[[u8; 32]], _: &[&[Affine]]) -> Vec<Affine> {
        match self {}
    }
    pub fn fixed_table(self, _: &[Affine]) -> FixedTable {
        match self {}
    }
    pub fn secret_multiscalar(self, _: &FixedTable, _: &[[u8; 32]]) -> Sum {
        match self {}
    }
}
