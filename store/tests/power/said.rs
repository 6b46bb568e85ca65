//! What a child has said, and whether a disk still has what stands behind it.

use crate::power_support::trace::Act;
use crate::{PRUNED_UP_TO, blocks, certificate, checkpoint, key};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use veilgrid_store::{Checks, IntakeJournal, Store};

/// What a child has said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub height: Option<u64>,
    /// Up to which height it has no bids any more.
    pub pruned: Option<u64>,
    pub last: u64,
    /// Rounds up to this one may be forgotten, their numbers not.
    pub forgets: u64,
    /// A state is saved, and not taken away yet.
    pub saved: bool,
}

impl Said {
    pub fn listen(&mut self, act: &Act) {
        let Act::Sent { bytes } = act else { return };
        for line in String::from_utf8_lossy(bytes).lines() {
            // The runner of tests may have begun the line.
            let mut words = line.rsplit(' ');
            let number = words.next().and_then(|word| word.parse().ok());
            match (words.next(), number) {
                (Some("height"), Some(height)) => self.height = self.height.max(Some(height)),
                (Some("pruned"), Some(height)) => self.pruned = self.pruned.max(Some(height)),
                (Some("last"), Some(last)) => self.last = self.last.max(last),
                (Some("saved"), Some(number)) => self.saved = number == 1,
                (Some("forgets"), Some(round)) => self.forgets = round,
                _ => {}
            }
        }
    }

    /// Whether the stores of a disk have it; whether the blocks' had to be built anew.
    pub fn check(self, home: &Path) -> Result<bool, String> {
        let rebuilt = self.check_blocks(&home.join("ledger"))?;
        self.check_receipts(&home.join("intake"))?;
        Ok(rebuilt)
    }

    fn check_blocks(self, path: &Path) -> Result<bool, String> {
        if !path.exists() && self.height.is_none() {
            return Ok(false);
        }
        // Without its mark a store that damage makes shorter would pass for whole.
        let marked = marked(&path.join("acknowledged"));
        if path.exists() && marked < self.height {
            return Err(format!("the mark says {marked:?}"));
        }
        let opened = Store::open_checking_or_rebuild(path, Checks::SinceSaved(&key()));
        let opened = opened.map_err(|error| error.to_string())?;
        if self.saved && !opened.store.has_saved() {
            return Err("the saved state is gone".to_owned());
        }
        let (store, rebuilt) = (opened.store, opened.rebuilt);
        let tip = store.tip();
        if tip.map(|tip| tip.height) < self.height {
            let why = rebuilt.map_or_else(String::new, |rebuilt| format!(", built anew: {}", rebuilt.why));
            return Err(format!("the store ends with {tip:?}{why}"));
        }
        let written = |height: u64| usize::try_from(height).ok().and_then(|index| blocks().get(index));
        if let Some(tip) = tip.filter(|tip| written(tip.height).is_none_or(|block| block.hash() != tip.hash))
        {
            return Err(format!("the store has another block {}", tip.height));
        }
        for height in 0..=self.height.unwrap_or(0) {
            let kept = store.certificate(height).map_err(|error| error.to_string())?;
            if self.height.is_some() && kept != Some(certificate()) {
                return Err(format!("the certificate of block {height} is gone"));
            }
        }
        if store.pruned_up_to() < self.pruned {
            return Err(format!("it is pruned up to {:?}", store.pruned_up_to()));
        }
        // It is there before the first bid goes; a later one may be there before its bids go.
        let kept = store.checkpoint().map_err(|error| error.to_string())?;
        let of = PRUNED_UP_TO.into_iter().find(|height| kept.as_ref() == Some(&checkpoint(*height)));
        if kept.is_some() && of.is_none() {
            return Err("it is another checkpoint".to_owned());
        }
        if of < self.pruned.max(store.pruned_up_to()) {
            return Err(format!("the checkpoint is that of {of:?}"));
        }
        Ok(rebuilt.is_some())
    }

    fn check_receipts(self, path: &Path) -> Result<(), String> {
        if !path.exists() && self.last == 0 {
            return Ok(());
        }
        let journal = IntakeJournal::open(path).map_err(|error| error.to_string())?;
        if journal.last_sequence() < self.last {
            return Err(format!("number {} would be given again", journal.last_sequence() + 1));
        }
        let kept: usize = journal.load().map_err(|error| error.to_string())?.values().map(Vec::len).sum();
        if self.forgets == 0 && (kept as u64) < self.last {
            return Err(format!("{kept} entries are left of {}", self.last));
        }
        Ok(())
    }
}

/// The height that the file of a mark names: that of its slots that hold.
fn marked(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let slots = [0, 4096].into_iter().filter_map(|at| bytes.get(at..at + 88));
    let whole = slots.filter(|slot| Sha256::digest(&slot[..56]).as_slice() == &slot[56..]);
    whole.map(|slot| u64::from_be_bytes(slot[8..16].try_into().expect("eight bytes"))).max()
}
