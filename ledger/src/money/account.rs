//! One account: its balance, what is taken off it for bids, and how many debits it has made.

use crate::hash::{Hash, hash};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::Identity;
use std::collections::BTreeMap;
use veilgrid_crypto::group::{PointBytes, encode_point, value_base};
use veilgrid_crypto::labels;
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::wire::Writer;

/// An account with its balance (R, C) = (b·G, v·V + b·Y_0).
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub(super) key: PointBytes,
    pub(super) r: RistrettoPoint,
    pub(super) c: RistrettoPoint,
    /// Sum of everything that was ever taken off: costs of bids, withdrawn amounts.
    pub(super) debits: RistrettoPoint,
    pub(super) debit_sequence: u64,
    /// Round → cost of the bid in it, until the fill is claimed or the round ends without one.
    pub(super) reserves: BTreeMap<u64, RistrettoPoint>,
    pub(super) leaf: Hash,
}

impl Account {
    /// An account with nothing on it.
    pub(crate) fn new(key: PointBytes) -> Self {
        let zero = RistrettoPoint::identity();
        let (debit_sequence, reserves, leaf) = (0, BTreeMap::new(), [0; 32]);
        Self { key, r: zero, c: zero, debits: zero, debit_sequence, reserves, leaf }.with_leaf()
    }

    /// The account's key.
    pub fn key(&self) -> PointBytes {
        self.key
    }
    /// R and C of its balance, encoded; the identity as 32 zero bytes.
    pub fn balance(&self) -> [PointBytes; 2] {
        [encode_point(&self.r), encode_point(&self.c)]
    }
    /// The number of its next debit.
    pub fn debit_sequence(&self) -> u64 {
        self.debit_sequence
    }
    /// Rounds in which a bid's cost is held back.
    pub fn reserved_rounds(&self) -> impl Iterator<Item = u64> {
        self.reserves.keys().copied()
    }
    /// The digest by which the tree of accounts knows it.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }

    /// What may be withdrawn: the balance less all that is held back.
    pub(crate) fn free(&self) -> RistrettoPoint {
        self.c - self.reserves.values().sum::<RistrettoPoint>()
    }

    /// What is free, and all debits so far: what debits after a snapshot have taken off is known from the two.
    pub(crate) fn free_and_debits(&self) -> RistrettoPoint {
        self.free() + self.debits
    }

    /// All debits so far.
    pub(crate) fn debits(&self) -> RistrettoPoint {
        self.debits
    }

    /// A public amount comes.
    pub(crate) fn credit(&mut self, units: i128) {
        self.c += scalar_from_i128(units) * value_base();
        self.leaf = self.digest();
    }

    /// A public amount goes.
    pub(crate) fn withdraw(&mut self, units: i128) {
        let amount = scalar_from_i128(units) * value_base();
        self.c -= amount;
        self.debits += amount;
        self.debit_sequence = self.debit_sequence.saturating_add(1);
        self.leaf = self.digest();
    }

    /// A bid's cost is held back.
    pub(crate) fn reserve(&mut self, round_id: u64, cost: RistrettoPoint) {
        self.debits += cost;
        self.debit_sequence = self.debit_sequence.saturating_add(1);
        self.reserves.insert(round_id, cost);
        self.leaf = self.digest();
    }

    /// A bid's cost is held back no longer.
    pub(crate) fn release(&mut self, round_id: u64) {
        self.reserves.remove(&round_id);
        self.leaf = self.digest();
    }

    /// What a fill was worth comes, and its bid's cost is held back no longer.
    pub(crate) fn claim(&mut self, round_id: u64, r: RistrettoPoint, c: RistrettoPoint) {
        self.r += r;
        self.c += c;
        self.release(round_id);
    }

    pub(super) fn with_leaf(mut self) -> Self {
        self.leaf = self.digest();
        self
    }

    /// What the leaf is the digest of: key, balance, debits, debit sequence, and what is held back. All of it is public.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.key).bytes(self.balance().as_flattened()).bytes(&encode_point(&self.debits));
        w.u64(self.debit_sequence).length(self.reserves.len());
        for (round_id, cost) in &self.reserves {
            w.u64(*round_id).bytes(&encode_point(cost));
        }
        w.finish()
    }

    fn digest(&self) -> Hash {
        leaf_of(&self.to_bytes())
    }
}

/// The leaf of an account with this content ([`Account::to_bytes`]).
pub fn leaf_of(content: &[u8]) -> Hash {
    hash(labels::LEDGER_ACCOUNT, &[content])
}
