//! `--compare`: where two ledgers part, and what their certificates make of it.

use super::read;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use std::path::{Path, PathBuf};
use veilgrid_ledger::audit::compare::{CompareError, Meaning, Relation};
use veilgrid_ledger::audit::{AuditReport, AuditRequest, block_hashes};

/// Compares the blocks of two files by their hashes alone.
///
/// # Errors
/// A file that can't be read up to where they part.
pub(super) fn relation(this: &Path, other: &Path, quiet: bool) -> Result<Relation, Failure> {
    let (mut ours, bar) = read::open(this, "comparing (bytes)", quiet)?;
    let (mut theirs, _) = read::open(other, "comparing (bytes)", true)?;
    let relation = Relation::of(block_hashes(&mut ours), block_hashes(&mut theirs));
    bar.finish_and_clear();
    let relation = relation.map_err(|error| match error {
        CompareError::This(error) => read::read_failure(this, error),
        CompareError::Other(error) => read::read_failure(other, error),
    })?;
    // The reader takes no file without a block.
    relation.ok_or_else(|| Failure::file(other, "one of the two ledgers holds no block"))
}

/// Two ledgers, compared and audited.
#[derive(Serialize)]
pub(super) struct Compared {
    other: PathBuf,
    #[serde(flatten)]
    relation: Relation,
    /// None when one of them does not pass its audit: then its certificates say nothing.
    meaning: Option<Meaning>,
    /// Height of the last block of the other one that is final.
    other_height: Option<u64>,
    /// Why the other one does not pass.
    other_violation: Option<String>,
}

impl Compared {
    /// Audits the other ledger too and says what the relation means.
    ///
    /// # Errors
    /// [`Failure::Input`] when it can't be read.
    pub(super) fn judge(
        relation: Relation,
        this: Option<&AuditReport>,
        other: &Path,
        trusted_genesis: Option<[u8; 32]>,
        quiet: bool,
    ) -> Result<Self, Failure> {
        let request = AuditRequest { trusted_genesis, ..AuditRequest::default() };
        let (report, other_violation) = match read::replay_file(other, request, quiet) {
            Ok(report) => (Some(report), None),
            Err(Failure::Audit(violation)) => (None, Some(violation)),
            Err(failed) => return Err(failed),
        };
        let both = this.zip(report.as_ref());
        Ok(Self {
            other: other.to_path_buf(),
            relation,
            meaning: both.map(|(this, other)| relation.meaning(this, other)),
            other_height: report.map(|report| report.height),
            other_violation,
        })
    }

    /// Why the command fails, if it does by the comparison.
    pub(super) fn violation(&self) -> Option<String> {
        let contradicts = self.meaning.is_some_and(Meaning::contradicts);
        contradicts.then(|| self.sentence()).or_else(|| self.other_violation.clone())
    }

    /// Prints where they part and what it means; what the command's error says anyway is left to it.
    pub(super) fn print(&self) {
        if self.violation().is_none() || !self.meaning.is_some_and(Meaning::contradicts) {
            output::line(self.sentence());
        }
    }

    fn sentence(&self) -> String {
        let other = self.other.display();
        let relation = match self.relation {
            Relation::Same { last_height } => format!("{other} has the same blocks, 0 to {last_height}"),
            Relation::ThisGoesOn { last_common_height } => {
                format!(
                    "{other} is the beginning of this ledger, it has the same blocks 0 to {last_common_height}"
                )
            }
            Relation::OtherGoesOn { last_common_height } => {
                format!(
                    "{other} goes on behind this ledger, it has the same blocks 0 to {last_common_height}"
                )
            }
            Relation::Part { height: 0, block_hash, other_block_hash } => format!(
                "{other} has another genesis: block 0 is {} here and {} there",
                hex::encode(block_hash),
                hex::encode(other_block_hash)
            ),
            Relation::Part { height, block_hash, other_block_hash } => format!(
                "{other} parts from this ledger at height {height}: block {} here, block {} there, and the same blocks \
                 before",
                hex::encode(block_hash),
                hex::encode(other_block_hash)
            ),
        };
        let meaning = match self.meaning {
            Some(Meaning::Agree) => "",
            Some(Meaning::PartUncovered) => {
                "; at least one of the two blocks is in no certificate and counts for nothing: what is final in both \
                 files is the same"
            }
            Some(Meaning::Fork) => {
                "; certificates of the validators cover both blocks, which is PROOF OF A FORK: more than f validators \
                 have voted for two histories. Keep both files"
            }
            Some(Meaning::DifferentLedgers) => {
                "; these are ledgers of two communities, which have no block in common: name two copies of one"
            }
            None => "; what that means is not known, because one of them does not pass its audit",
        };
        format!("{relation}{meaning}")
    }
}
