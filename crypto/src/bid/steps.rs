//! Which steps of a vector have a component.

/// The steps that have a C_k: all of a bid's, those of a day that have a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Steps {
    /// Every step.
    All,
    /// These, in rising order. All others are proved to be zero.
    Some(Vec<usize>),
}

impl Steps {
    /// What a list with an entry a step has at these steps.
    pub fn select<T: Clone>(&self, list: &[T]) -> Vec<T> {
        match self {
            Self::All => list.to_vec(),
            Self::Some(steps) => steps.iter().map(|step| list[*step].clone()).collect(),
        }
    }
}
