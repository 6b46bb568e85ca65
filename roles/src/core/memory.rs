//! A journal in memory that fails when it is told to.

use super::journal::{Journal, JournalError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;

/// When the write that was chosen to fail fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Before anything is stored, as of a full disk.
    Before,
    /// After it is stored, as of a process that is killed before it hears of that.
    After,
}

/// A disk in memory. Clones are handles of one disk, so that a test or a simulation keeps one when it drops the
/// validator, and starts the next one from it.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    blocks: Vec<(Block, Option<Vec<u8>>)>,
    secrets: Option<Secret<Vec<u8>>>,
    writes: u64,
    fails: Option<(u64, Failure)>,
    dead: bool,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// The final blocks from height 1 on, with their certificates.
    pub fn blocks(&self) -> Vec<(Block, Option<Vec<u8>>)> {
        self.disk().blocks.clone()
    }

    /// The secrets that were stored last.
    pub fn secrets(&self) -> Option<Secret<Vec<u8>>> {
        self.disk().secrets.clone()
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.disk().writes
    }

    /// Lets the write after `writes` further ones fail, and all after it, until [`Self::reopen`].
    pub fn fail_after(&self, writes: u64, failure: Failure) {
        let mut disk = self.disk();
        disk.fails = Some((disk.writes.saturating_add(writes), failure));
    }

    /// The journal as the next process finds it: what was stored is there, and writing works again.
    pub fn reopen(&self) {
        let mut disk = self.disk();
        (disk.fails, disk.dead) = (None, false);
    }

    /// A disk is as good after a panic as before: each write is one assignment.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        what: &'static str,
        store: impl FnOnce(&mut Disk) -> Result<(), String>,
    ) -> Result<(), JournalError> {
        let mut disk = self.disk();
        let error = |why: &str| Err(JournalError { what, why: why.into() });
        if disk.dead {
            return error("the journal has failed before");
        }
        let failure = disk.fails.filter(|(at, _)| disk.writes >= *at).map(|(_, failure)| failure);
        disk.writes = disk.writes.saturating_add(1);
        disk.dead = failure.is_some();
        if failure == Some(Failure::Before) {
            return error("it was told to fail");
        }
        store(&mut disk).map_err(|why| JournalError { what, why })?;
        if failure == Some(Failure::After) { error("it was told to fail afterwards") } else { Ok(()) }
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        self.write("a final block", |disk| {
            let (found, next) = (block.header.height, disk.blocks.len() as u64 + 1);
            if found != next {
                return Err(format!("block {found} where block {next} comes next"));
            }
            disk.blocks.push((block.clone(), certificate.map(<[u8]>::to_vec)));
            Ok(())
        })
    }

    fn certificate(&mut self, height: u64, certificate: &[u8]) -> Result<(), JournalError> {
        self.write("a certificate", |disk| {
            let at = usize::try_from(height).ok().and_then(|height| height.checked_sub(1));
            let entry = at.and_then(|at| disk.blocks.get_mut(at));
            let (_, stored) = entry.ok_or_else(|| format!("there is no block {height}"))?;
            stored.get_or_insert_with(|| certificate.to_vec());
            Ok(())
        })
    }

    fn save_secrets(&mut self, secrets: &Secret<Vec<u8>>) -> Result<(), JournalError> {
        self.write("the validator's secrets", |disk| {
            disk.secrets = Some(secrets.clone());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(height: u64) -> Block {
        Block::new(height, [1; 32], 0, [2; 32], Vec::new())
    }

    #[test]
    fn a_failed_write_is_there_or_not_and_nothing_follows_it() {
        for (failure, stored) in [(Failure::Before, 1), (Failure::After, 2)] {
            let mut journal = MemoryJournal::new();
            assert_eq!(journal.append(&block(1), None), Ok(()));
            journal.fail_after(0, failure);
            assert!(journal.append(&block(2), Some(&[7])).is_err());
            assert!(journal.save_secrets(&Secret::new(vec![1])).is_err(), "dead until it is opened again");
            assert_eq!(journal.blocks().len(), stored);
            assert!(journal.secrets().is_none());
            journal.reopen();
            assert_eq!(journal.append(&block(stored as u64 + 1), None), Ok(()));
            assert_eq!(journal.save_secrets(&Secret::new(vec![1])), Ok(()));
            assert!(journal.secrets().is_some());
        }
    }

    #[test]
    fn blocks_follow_each_other_and_the_first_certificate_stays() {
        let mut journal = MemoryJournal::new();
        assert!(journal.append(&block(2), None).is_err());
        assert_eq!(journal.append(&block(1), None), Ok(()));
        assert_eq!(journal.certificate(1, &[1]), Ok(()));
        assert_eq!(journal.certificate(1, &[2]), Ok(()));
        assert_eq!(journal.blocks()[0].1.as_deref(), Some(&[1][..]));
        assert!(journal.certificate(2, &[1]).is_err());
        assert!(journal.certificate(0, &[1]).is_err());
    }
}
