//! What each account had available when a round opened.
//!
//! Credits after the opening do not count for the round, so that nobody's bid turns false because its neighbour's treasury
//! order came first. Debits count at once: the same money is never bid twice, whatever rounds overlap.

use crate::hash::{Hash, hash};
use crate::members::order::AccountNumber;
use curve25519_dalek::ristretto::RistrettoPoint;
use std::collections::BTreeMap;
use veilgrid_crypto::group::encode_point;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::Writer;

/// For each account that may bid: what was free with its credit line, plus all its debits until then.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(super) free_and_debits: BTreeMap<AccountNumber, RistrettoPoint>,
    pub(super) digest: Hash,
}

impl Snapshot {
    pub(crate) fn new(free_and_debits: BTreeMap<AccountNumber, RistrettoPoint>) -> Self {
        let mut w = Writer::new();
        w.length(free_and_debits.len());
        for (number, point) in &free_and_debits {
            w.u32(*number).bytes(&encode_point(point));
        }
        let digest = hash(labels::LEDGER_SNAPSHOT, &[&w.finish()]);
        Self { free_and_debits, digest }
    }

    /// What is available to an account whose debits up to now are these.
    pub(crate) fn available(&self, number: AccountNumber, debits: &RistrettoPoint) -> Option<RistrettoPoint> {
        self.free_and_debits.get(&number).map(|point| point - debits)
    }

    /// The digest, which the state root covers.
    pub fn digest(&self) -> Hash {
        self.digest
    }
}
