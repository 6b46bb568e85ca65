//! What a participant keeps on disk: its sealed bids, its receipts and what proves that a promise was broken.
//!
//! ```text
//! bids/round-7.bid                      the sealed bid, as it is sent
//! receipts/round-7-aggregator.receipt   one receipt in hex, as `veilgrid audit --receipts` reads it
//! receipts/round-7-validator-3.receipt
//! evidence/round-7.json                 receipts, bid and height, when the bid is not on the ledger
//! ```
//!
//! A sealed bid is written before it is sent and never replaced: whoever sends two bids for one round reveals their
//! difference. Its quantities are inside of its recovery note, so nothing here is readable without the member's keys.
//!
//! Only the bid of a round that takes bids has to be readable. A receipt that is damaged can be asked for again, and what
//! belongs to a round that is over is missed as evidence, no more.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_roles::member::{ArchiveFailure, BidArchive, BrokenPromise, Target};
use veilgrid_store::files::{make_private_directory, write_durably, write_once};

/// Why the archive fails.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file system fails.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is damaged: {why}; restore it from a backup", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The folders of one participant.
#[derive(Debug, Clone)]
pub struct Archive {
    bids: PathBuf,
    receipts: PathBuf,
    evidence: PathBuf,
}

/// A promise that was not kept, for people and programs.
#[derive(Debug, Serialize)]
pub struct Evidence<'a> {
    /// The ledger.
    pub ledger_id: String,
    /// The round.
    pub round_id: u64,
    /// Height of the block that closed or ended the round.
    pub height: u64,
    /// Hash of that block.
    pub block_hash: String,
    /// What happened, in words.
    pub what: &'a str,
    /// Digest of the bid.
    pub bid_digest: String,
    /// The sealed bid in hex: it was valid at the close, which anybody can check.
    pub bid: String,
    /// Receipts in hex by who has signed them.
    pub receipts: BTreeMap<String, String>,
}

impl Archive {
    /// The archive in `directory`.
    ///
    /// # Errors
    /// Folders that can't be made.
    pub fn open(directory: &Path) -> Result<Self, ArchiveError> {
        let folder = |name: &str| {
            let path = directory.join(name);
            make_private_directory(&path)
                .map_err(|source| ArchiveError::Io { path: path.clone(), source })?;
            Ok::<_, ArchiveError>(path)
        };
        Ok(Self { bids: folder("bids")?, receipts: folder("receipts")?, evidence: folder("evidence")? })
    }

    /// Where evidence lies.
    pub fn evidence_folder(&self) -> &Path {
        &self.evidence
    }

    /// Keeps a sealed bid; it is on disk when this returns. The first bid of a round stays: the answer is the bid to
    /// send, which is another one when there was one already.
    ///
    /// # Errors
    /// [`ArchiveError`]; the bid must not be sent then.
    pub fn keep_bid(&self, bid: SealedBid, shape: BidShape) -> Result<SealedBid, ArchiveError> {
        let path = self.bid_path(bid.round_id);
        match write_once(&path, &bid.to_bytes()) {
            Ok(()) => Ok(bid),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let missing = || ArchiveError::Damaged { path: path.clone(), why: "it is gone".into() };
                self.bid(bid.round_id, shape)?.ok_or_else(missing)
            }
            Err(source) => Err(ArchiveError::Io { path, source }),
        }
    }

    /// The sealed bid of a round; none when none was sealed.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn bid(&self, round_id: u64, shape: BidShape) -> Result<Option<SealedBid>, ArchiveError> {
        let path = self.bid_path(round_id);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let bid = SealedBid::from_bytes(&bytes, shape)
            .map_err(|error| ArchiveError::Damaged { path: path.clone(), why: error.to_string() })?;
        if bid.round_id != round_id {
            let why = format!("it is a bid for round {}", bid.round_id);
            return Err(ArchiveError::Damaged { path, why });
        }
        Ok(Some(bid))
    }

    /// Keeps a receipt whose signature was checked; it is on disk when this returns.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn keep_receipt(&self, from: Target, receipt: &Receipt) -> Result<(), ArchiveError> {
        let path = self.receipts.join(receipt_name(receipt.round_id, from));
        let line = hex::encode(receipt.to_bytes()) + "\n";
        write_durably(&path, line.as_bytes()).map_err(|source| ArchiveError::Io { path, source })
    }

    /// The sealed bid of a round that takes no bids any more. One that can't be read is named in the log, and counts as
    /// none: it was needed to be sent.
    pub fn past_bid(&self, round_id: u64, shape: BidShape) -> Option<SealedBid> {
        self.bid(round_id, shape).unwrap_or_else(|error| {
            tracing::error!(
                round_id, %error,
                "the bid of a round that is over can't be read, so nobody looks whether its result is right: restore it \
                 and start again, or move it away"
            );
            None
        })
    }

    /// Whether a file is where the bid of a round belongs, readable or not.
    pub fn has_bid(&self, round_id: u64) -> bool {
        self.bid_path(round_id).exists()
    }

    /// The receipts of a round, of the aggregator and of validators 1 to `validators`. One that can't be read is named
    /// in the log and counts as none: whoever has signed it signs it again for the same bid.
    pub fn receipts(&self, round_id: u64, validators: u16) -> BTreeMap<Target, Receipt> {
        let everybody = std::iter::once(Target::Aggregator).chain((1..=validators).map(Target::Validator));
        let read = |from| match self.receipt(round_id, from) {
            Ok(receipt) => Some((from, receipt?)),
            Err(error) => {
                tracing::error!(
                    round_id, %error,
                    "a receipt can't be read, and proves nothing now: restore it, or move it away"
                );
                None
            }
        };
        everybody.filter_map(read).collect()
    }

    fn receipt(&self, round_id: u64, from: Target) -> Result<Option<Receipt>, ArchiveError> {
        let path = self.receipts.join(receipt_name(round_id, from));
        let Some(line) = read(&path)? else { return Ok(None) };
        let receipt = hex::decode(line.trim_ascii())
            .map_err(|error| error.to_string())
            .and_then(|bytes| Receipt::from_bytes(&bytes).map_err(|error| error.to_string()));
        receipt.map(Some).map_err(|why| ArchiveError::Damaged { path, why })
    }

    /// Writes down a broken promise and returns the file; one that is written down already stays.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn keep_evidence(&self, evidence: &Evidence<'_>) -> Result<PathBuf, ArchiveError> {
        let path = self.evidence.join(format!("round-{}.json", evidence.round_id));
        let io = |source| ArchiveError::Io { path: path.clone(), source };
        let json = serde_json::to_vec_pretty(evidence).map_err(|error| io(error.into()))?;
        match write_once(&path, &json) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
            _ => Ok(path),
        }
    }

    fn bid_path(&self, round_id: u64) -> PathBuf {
        self.bids.join(format!("round-{round_id}.bid"))
    }
}

impl From<ArchiveError> for ArchiveFailure {
    fn from(error: ArchiveError) -> Self {
        Self { why: error.to_string() }
    }
}

impl BidArchive for Archive {
    fn bid(&self, round_id: u64, shape: BidShape) -> Result<Option<SealedBid>, ArchiveFailure> {
        Ok(Archive::bid(self, round_id, shape)?)
    }

    fn keep_bid(&self, bid: SealedBid, shape: BidShape) -> Result<SealedBid, ArchiveFailure> {
        Ok(Archive::keep_bid(self, bid, shape)?)
    }

    fn past_bid(&self, round_id: u64, shape: BidShape) -> Option<SealedBid> {
        Archive::past_bid(self, round_id, shape)
    }

    fn has_bid(&self, round_id: u64) -> bool {
        Archive::has_bid(self, round_id)
    }

    fn receipts(&self, round_id: u64, validators: u16) -> BTreeMap<Target, Receipt> {
        Archive::receipts(self, round_id, validators)
    }

    fn keep_receipt(&self, from: Target, receipt: &Receipt) -> Result<(), ArchiveFailure> {
        Ok(Archive::keep_receipt(self, from, receipt)?)
    }

    fn keep_evidence(&self, broken: &BrokenPromise<'_>) -> Result<String, ArchiveFailure> {
        Ok(Archive::keep_evidence(self, &Evidence::of(broken))?.display().to_string())
    }
}

impl<'a> Evidence<'a> {
    /// What proves a broken promise, in hex.
    fn of(broken: &BrokenPromise<'a>) -> Self {
        let receipts = broken.receipts.iter();
        Self {
            ledger_id: hex::encode(broken.ledger_id),
            round_id: broken.round_id,
            height: broken.height,
            block_hash: hex::encode(broken.block_hash),
            what: broken.what,
            bid_digest: hex::encode(broken.bid.digest()),
            bid: hex::encode(broken.bid.to_bytes()),
            receipts: receipts.map(|(from, one)| (from.to_string(), hex::encode(one.to_bytes()))).collect(),
        }
    }
}

fn receipt_name(round_id: u64, from: Target) -> String {
    format!("round-{round_id}-{from}.receipt")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ArchiveError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ArchiveError::Io { path: path.to_path_buf(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: BidShape = BidShape { steps: 2, bits: 8, money: false };

    fn bid(round_id: u64, salt: u8) -> SealedBid {
        SealedBid {
            round_id,
            account: [1; 32],
            salt: [salt; 32],
            r: [3; 32],
            c: vec![[4; 32]; SHAPE.steps],
            money: None,
            proof: vec![5; SHAPE.proof_bytes()],
            note: vec![6; SHAPE.note_bytes()],
            signature: [7; 64],
        }
    }

    fn receipt(round_id: u64) -> Receipt {
        Receipt {
            ledger_id: [9; 32],
            round_id,
            account: [1; 32],
            bid_digest: [2; 32],
            sequence: 5,
            signature: [3; 64],
        }
    }

    #[test]
    fn the_first_bid_of_a_round_stays_whatever_is_sealed_later() {
        let directory = tempfile::tempdir().expect("directory");
        let archive = Archive::open(directory.path()).expect("archive");
        assert_eq!(archive.bid(7, SHAPE).expect("none"), None);
        assert_eq!(archive.keep_bid(bid(7, 1), SHAPE).expect("kept"), bid(7, 1));
        assert_eq!(archive.keep_bid(bid(7, 2), SHAPE).expect("the first"), bid(7, 1));
        // After a restart too.
        let again = Archive::open(directory.path()).expect("archive");
        assert_eq!(again.bid(7, SHAPE).expect("read"), Some(bid(7, 1)));
        assert_eq!(again.bid(8, SHAPE).expect("none"), None);
    }

    #[test]
    fn a_bid_that_is_not_what_its_name_says_is_damaged() {
        let directory = tempfile::tempdir().expect("directory");
        let archive = Archive::open(directory.path()).expect("archive");
        fs::write(archive.bid_path(7), bid(8, 1).to_bytes()).expect("written");
        assert!(matches!(archive.bid(7, SHAPE), Err(ArchiveError::Damaged { .. })));
        assert!(matches!(archive.keep_bid(bid(7, 1), SHAPE), Err(ArchiveError::Damaged { .. })));
        fs::write(archive.bid_path(7), b"short").expect("written");
        assert!(matches!(archive.bid(7, SHAPE), Err(ArchiveError::Damaged { .. })));
    }

    #[test]
    fn receipts_come_back_by_who_gave_them() {
        let directory = tempfile::tempdir().expect("directory");
        let archive = Archive::open(directory.path()).expect("archive");
        archive.keep_receipt(Target::Aggregator, &receipt(7)).expect("kept");
        archive.keep_receipt(Target::Validator(3), &receipt(7)).expect("kept");
        archive.keep_receipt(Target::Validator(3), &receipt(8)).expect("kept");
        let of_round = archive.receipts(7, 4);
        assert_eq!(of_round.keys().copied().collect::<Vec<_>>(), [Target::Aggregator, Target::Validator(3)]);
        assert_eq!(of_round[&Target::Aggregator], receipt(7));
        fs::write(archive.receipts.join(receipt_name(7, Target::Aggregator)), b"half of a rec")
            .expect("written");
        let of_round = archive.receipts(7, 4);
        assert_eq!(of_round.keys().copied().collect::<Vec<_>>(), [Target::Validator(3)], "the others count");
        archive.keep_receipt(Target::Aggregator, &receipt(7)).expect("it was asked for again");
        assert_eq!(archive.receipts(7, 4).len(), 2);
    }
}
