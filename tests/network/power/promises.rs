//! What a process has said to others, and whether a disk still has what stands behind it.

use super::support::disk::Disk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_node::keyfile::{self, Kind, ValidatorKeys};
use veilgrid_node::passphrase;
use veilgrid_store::{IntakeError, IntakeJournal, Store};

const RECEIPT_BYTES: usize = 176;

/// What was said so far.
#[derive(Debug, Default, Clone)]
pub struct Said {
    /// By their numbers.
    receipts: BTreeMap<u64, Receipt>,
    /// The highest ledger that was spoken of.
    height: Option<u64>,
    /// "I hold shares."
    holds_shares: bool,
    /// Files with bids that were there when something was sent to be taken in.
    bids: BTreeMap<PathBuf, Vec<u8>>,
}

/// What was found on all disks of a process.
#[derive(Debug, Default)]
pub struct Found {
    pub disks: usize,
    pub promises: usize,
    /// Stores that were called damaged before their process had spoken of a block: a new one may be in pieces.
    pub rebuilt: usize,
}

fn position(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// All that stands behind each place of a text.
fn behind<'a>(mut bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
    std::iter::from_fn(move || {
        bytes = &bytes[position(bytes, text)? + text.len()..];
        Some(bytes)
    })
}

impl Said {
    /// Listens to what a process sends. Whether that says something new.
    pub fn listen(&mut self, bytes: &[u8], disk: &Disk) -> bool {
        let before = (self.receipts.len(), self.height, self.holds_shares, self.bids.len());
        // What validators say to each other is encrypted; a short look is enough.
        if bytes.starts_with(b"POST /v1/bids") {
            let is_bid = |path: &PathBuf| path.extension().is_some_and(|end| end == "bid");
            self.bids.extend(disk.seen().into_iter().filter(|(path, _)| is_bid(path)));
        }
        let body = match position(&bytes[..bytes.len().min(4096)], b"\r\n\r\n") {
            Some(head) if bytes.starts_with(b"HTTP/1.1 200") => &bytes[head + 4..],
            _ => bytes,
        };
        if body.len() == RECEIPT_BYTES {
            self.hear_receipt(body);
        } else if body.starts_with(b"{") {
            for rest in behind(body, b"\"receipt\":\"") {
                let text = rest.get(..2 * RECEIPT_BYTES).and_then(|text| hex::decode(text).ok());
                self.hear_receipt(&text.unwrap_or_default());
            }
            if position(body, b"\"ledger_id\"").is_some() {
                for rest in behind(body, b"\"height\":") {
                    let digits: String =
                        rest.iter().map(|byte| *byte as char).take_while(char::is_ascii_digit).collect();
                    self.height = self.height.max(digits.parse().ok());
                }
                self.holds_shares |= position(body, b"\"holds_shares\":true").is_some();
            }
        }
        before != (self.receipts.len(), self.height, self.holds_shares, self.bids.len())
    }

    fn hear_receipt(&mut self, bytes: &[u8]) {
        if let Ok(receipt) = Receipt::from_bytes(bytes) {
            self.receipts.insert(receipt.sequence, receipt);
        }
    }

    /// How many things were said.
    pub fn count(&self) -> usize {
        self.receipts.len()
            + self.bids.len()
            + usize::from(self.height.is_some())
            + usize::from(self.holds_shares)
    }

    /// Opens what a process of this home would open, as it would, and looks for what was said. `whole`: the store of a
    /// process that lost nothing.
    pub fn check(
        &self,
        home: &Path,
        whole: &BTreeMap<u64, [u8; 32]>,
        found: &mut Found,
    ) -> Result<(), String> {
        found.disks += 1;
        found.promises += self.count();
        self.check_bids(home)?;
        self.check_ledger(&home.join("data/ledger"), whole, found)?;
        self.check_receipts(&home.join("data/intake"))?;
        self.check_shares(home)
    }

    fn check_bids(&self, home: &Path) -> Result<(), String> {
        self.bids.iter().try_for_each(|(path, bytes)| match std::fs::read(home.join(path)) {
            Ok(kept) if kept == *bytes => Ok(()),
            Ok(_) => Err(format!("the bid {} was sent and is another one now", path.display())),
            Err(error) => Err(format!("the bid {} was sent and is gone: {error}", path.display())),
        })
    }

    fn check_ledger(
        &self,
        path: &Path,
        whole: &BTreeMap<u64, [u8; 32]>,
        found: &mut Found,
    ) -> Result<(), String> {
        if self.height.is_none() && !path.exists() {
            return Ok(());
        }
        let opened = Store::open_or_rebuild(path).map_err(|error| format!("the ledger's store: {error}"))?;
        if let Some(rebuilt) = &opened.rebuilt {
            found.rebuilt += 1;
            if self.height.is_some() {
                return Err(format!("the ledger's store is called damaged: {}", rebuilt.why));
            }
            if std::env::var_os("VEILGRID_CUTS_LOUD").is_some() {
                println!("rebuilt: {}", rebuilt.why);
            }
        }
        let tip = opened.store.tip();
        let (kept, said) = (tip.map(|tip| tip.height), self.height);
        if kept < said {
            return Err(format!("block {said:?} was spoken of, and the store ends with {kept:?}"));
        }
        match tip.filter(|tip| whole.get(&tip.height).is_some_and(|hash| *hash != tip.hash)) {
            Some(tip) => Err(format!("the store has another block {}", tip.height)),
            None => Ok(()),
        }
    }

    fn check_receipts(&self, path: &Path) -> Result<(), String> {
        if self.receipts.is_empty() && !path.exists() {
            return Ok(());
        }
        let failed = |error: IntakeError| format!("the journal of receipts: {error}");
        let (journal, damaged) = IntakeJournal::open_or_rebuild(path).map_err(failed)?;
        if let Some(damage) = damaged.first() {
            return Err(format!(
                "round {} of the journal is called damaged: {}",
                damage.round_id, damage.why
            ));
        }
        let Some(last) = self.receipts.keys().next_back() else { return Ok(()) };
        if journal.last_sequence() < *last {
            let next = journal.last_sequence() + 1;
            return Err(format!("receipt {last} was given, and number {next} would be given again"));
        }
        let kept = journal.load().map_err(failed)?;
        // Rounds that are over were forgotten, and their numbers kept.
        let first = kept.keys().next().copied().unwrap_or(u64::MAX);
        let missing = self.receipts.values().filter(|receipt| receipt.round_id >= first).find(|receipt| {
            let entries = kept.get(&receipt.round_id).into_iter().flatten();
            !entries.into_iter().any(|entry| entry.receipt == receipt.to_bytes())
        });
        missing.map_or(Ok(()), |receipt| Err(format!("receipt {} was given and is gone", receipt.sequence)))
    }

    fn check_shares(&self, home: &Path) -> Result<(), String> {
        if !self.holds_shares {
            return Ok(());
        }
        let failed = |error: &dyn std::fmt::Display| format!("shares: {error}");
        let passphrase = passphrase::read_file(&home.join("passphrase")).map_err(|error| failed(&error))?;
        let (vault, _) = keyfile::open::<ValidatorKeys>(&home.join("keys"), &passphrase)
            .map_err(|error| failed(&error))?;
        match vault.read(&home.join("data/shares.vgkeys"), Kind::ValidatorSecrets) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("shares were spoken of and are gone".to_owned()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The blocks of a store.
pub fn hashes(path: &Path) -> BTreeMap<u64, [u8; 32]> {
    let store = Store::open(path).expect("a whole store");
    let tip = store.tip().map_or(0, |tip| tip.height);
    let hash = |height| store.stored(height).expect("read").map(|stored| (height, stored.header().hash()));
    (0..=tip).filter_map(hash).collect()
}
