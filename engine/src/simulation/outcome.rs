//! What came of a simulation.

use crate::fault::EngineFault;
use std::collections::BTreeMap;
use veilgrid_ledger::hash::Hash;

/// A block as an application has applied it.
pub type Applied = (u64, Hash);

/// What came of a simulation.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The blocks of each validator in the order in which they were applied, of all its lives.
    pub applied: Vec<Vec<Applied>>,
    /// Whether the predicate held before the time was up.
    pub reached: bool,
    /// Simulated milliseconds.
    pub elapsed_ms: u64,
    /// Digest of all that happened: equal for equal runs.
    pub trace: String,
    /// Engines that stopped by themselves, with the reason.
    pub stopped: Vec<(usize, EngineFault)>,
}

/// Two validators applied different blocks at one height, or one applied blocks out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// Two blocks at a height.
    #[error("two blocks are final at height {height}")]
    Fork {
        /// The height.
        height: u64,
    },
    /// A gap.
    #[error("validator {validator} applied block {height} after block {last}")]
    Gap {
        /// Index.
        validator: usize,
        /// Applied before.
        last: u64,
        /// Applied next.
        height: u64,
    },
}

impl Outcome {
    /// Checks that all validators applied one chain. Blocks may be applied again after a restart.
    ///
    /// # Errors
    /// The first height at which they did not.
    pub fn check(&self) -> Result<(), Disagreement> {
        let mut chain = BTreeMap::new();
        for (validator, applied) in self.applied.iter().enumerate() {
            let mut last = 0;
            for (height, hash) in applied {
                if chain.entry(*height).or_insert(*hash) != hash {
                    return Err(Disagreement::Fork { height: *height });
                }
                if *height > last + 1 {
                    return Err(Disagreement::Gap { validator, last, height: *height });
                }
                last = *height;
            }
        }
        Ok(())
    }

    /// Highest block of a validator.
    pub fn height(&self, validator: usize) -> u64 {
        top(&self.applied[validator])
    }
}

/// Highest of these blocks; 0 for none.
pub fn top(applied: &[Applied]) -> u64 {
    applied.iter().map(|(height, _)| *height).max().unwrap_or(0)
}
