//! Where two ledgers part.
//!
//! Blocks name their parents, so that two ledgers have the same blocks up to a height and none after it. What it means that
//! they part depends on the certificates of both, and so on their audits.

use super::report::AuditReport;
use crate::hash::{Hash, serialize_hex};
use serde::Serialize;
use thiserror::Error;

/// How the blocks of two ledgers stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "relation")]
pub enum Relation {
    /// Both end in the same block.
    Same {
        /// Its height.
        last_height: u64,
    },
    /// The other one is the beginning of this one.
    ThisGoesOn {
        /// Height of the other one's last block.
        last_common_height: u64,
    },
    /// This one is the beginning of the other one.
    OtherGoesOn {
        /// Height of this one's last block.
        last_common_height: u64,
    },
    /// They have different blocks at a height, the same ones before and none in common after it.
    Part {
        /// The height.
        height: u64,
        /// This one's block there.
        #[serde(serialize_with = "serialize_hex")]
        block_hash: Hash,
        /// The other one's.
        #[serde(serialize_with = "serialize_hex")]
        other_block_hash: Hash,
    },
}

/// What it means, once both have passed their audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// What is final in both is the same, as far as both go.
    Agree,
    /// They part in blocks of which at least one is in no certificate: nothing of it counts, what is final in both is the
    /// same.
    PartUncovered,
    /// Certificates of the same validators cover both blocks: more than f of them have voted for two histories. Both files
    /// together are the proof.
    Fork,
    /// They have different genesis blocks: two ledgers that have nothing to do with each other.
    DifferentLedgers,
}

impl Meaning {
    /// Whether the two can't both be copies of one ledger.
    pub fn contradicts(self) -> bool {
        matches!(self, Self::Fork | Self::DifferentLedgers)
    }
}

/// Why two ledgers can't be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompareError<E> {
    /// This one can't be read up to where they part, or holds no block.
    #[error("{0}")]
    This(E),
    /// The other one.
    #[error("{0}")]
    Other(E),
}

impl Relation {
    /// Compares the hashes of all blocks, from height 0 on, until they part or one of the two ends. None when a ledger
    /// without a block is among them.
    ///
    /// # Errors
    /// What reading one of them gives.
    pub fn of<E>(
        this: impl IntoIterator<Item = Result<Hash, E>>,
        other: impl IntoIterator<Item = Result<Hash, E>>,
    ) -> Result<Option<Self>, CompareError<E>> {
        let (mut this, mut other) = (this.into_iter(), other.into_iter());
        let mut last_common: Option<u64> = None;
        loop {
            let ours = this.next().transpose().map_err(CompareError::This)?;
            let theirs = other.next().transpose().map_err(CompareError::Other)?;
            return Ok(match (ours, theirs, last_common) {
                (Some(ours), Some(theirs), _) if ours == theirs => {
                    last_common = Some(next(last_common));
                    continue;
                }
                (Some(block_hash), Some(other_block_hash), _) => {
                    Some(Self::Part { height: next(last_common), block_hash, other_block_hash })
                }
                (_, _, None) => None,
                (None, None, Some(last_height)) => Some(Self::Same { last_height }),
                (Some(_), None, Some(last_common_height)) => Some(Self::ThisGoesOn { last_common_height }),
                (None, Some(_), Some(last_common_height)) => Some(Self::OtherGoesOn { last_common_height }),
            });
        }
    }

    /// What it means by the reports of both.
    pub fn meaning(&self, this: &AuditReport, other: &AuditReport) -> Meaning {
        let Self::Part { height, .. } = *self else { return Meaning::Agree };
        if height == 0 {
            return Meaning::DifferentLedgers;
        }
        if height > this.height || height > other.height {
            return Meaning::PartUncovered;
        }
        // Up to here the histories are the same, and with them the validators whose certificates cover both blocks.
        Meaning::Fork
    }
}

fn next(last: Option<u64>) -> u64 {
    last.map_or(0, |last| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(this: &[u8], other: &[u8]) -> Option<Relation> {
        let hashes = |bytes: &[u8]| bytes.iter().map(|byte| Ok::<_, ()>([*byte; 32])).collect::<Vec<_>>();
        Relation::of(hashes(this), hashes(other)).expect("readable")
    }

    #[test]
    fn ledgers_are_the_same_go_on_or_part() {
        assert_eq!(relation(&[1, 2], &[1, 2]), Some(Relation::Same { last_height: 1 }));
        assert_eq!(relation(&[1, 2, 3], &[1]), Some(Relation::ThisGoesOn { last_common_height: 0 }));
        assert_eq!(relation(&[1, 2], &[1, 2, 3]), Some(Relation::OtherGoesOn { last_common_height: 1 }));
        let (block_hash, other_block_hash) = ([3; 32], [4; 32]);
        let part = Relation::Part { height: 2, block_hash, other_block_hash };
        assert_eq!(relation(&[1, 2, 3, 5], &[1, 2, 4]), Some(part));
        assert_eq!(relation(&[], &[1]), None);
        assert_eq!(relation(&[], &[]), None);
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let broken = || [Ok([1; 32]), Err("broken")];
        let sound = || [Ok([1; 32]), Ok([2; 32])];
        assert_eq!(Relation::of(broken(), sound()), Err(CompareError::This("broken")));
        assert_eq!(Relation::of(sound(), broken()), Err(CompareError::Other("broken")));
        // They have parted before.
        assert!(Relation::of([Ok([9; 32]), Err("broken")], sound()).is_ok());
    }

    #[test]
    fn a_fork_is_what_certificates_of_both_cover() {
        let report = |height| AuditReport { height, ..AuditReport::default() };
        let at = |height| Relation::Part { height, block_hash: [1; 32], other_block_hash: [2; 32] };
        let meaning = |height, this, other| at(height).meaning(&report(this), &report(other));
        assert_eq!(meaning(5, 5, 5), Meaning::Fork);
        assert_eq!(meaning(5, 4, 9), Meaning::PartUncovered);
        assert_eq!(meaning(5, 9, 4), Meaning::PartUncovered);
        assert_eq!(meaning(0, 9, 9), Meaning::DifferentLedgers);
        let same = Relation::ThisGoesOn { last_common_height: 3 };
        assert_eq!(same.meaning(&report(9), &report(3)), Meaning::Agree);
        assert!(!Meaning::PartUncovered.contradicts() && Meaning::Fork.contradicts());
    }
}
