//! Bids on their way to the ledger, and which validators have acknowledged them. No network, no clock.

use crate::way::{Way, way_of};
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::MAX_RELAYED_BIDS;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_ledger::roster::Roster;
use veilgrid_ledger::state::State;

type Digest = [u8; 32];

/// A validator's answer about one bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Digest of the bid.
    pub digest: Digest,
    /// The validator's receipt, unchecked; none when it refuses the bid.
    pub receipt: Option<Receipt>,
}

struct Entry {
    bid: SealedBid,
    /// Signing keys of validators whose receipt was checked. Numbers change hands with the set of validators.
    validators: BTreeSet<[u8; 32]>,
    /// Addresses that have acknowledged, with the key that has: they are not sent the bid again while it is in force.
    addresses: BTreeMap<usize, [u8; 32]>,
}

/// The bids that no block has yet.
#[derive(Default)]
pub struct Pending {
    bids: BTreeMap<Digest, Entry>,
}

impl Pending {
    /// Adds a bid; one that is there already stays with its acknowledgements.
    pub fn add(&mut self, bid: SealedBid) {
        let entry = Entry { bid, validators: BTreeSet::new(), addresses: BTreeMap::new() };
        self.bids.entry(entry.bid.digest()).or_insert(entry);
    }

    /// Number of bids.
    pub fn len(&self) -> usize {
        self.bids.len()
    }

    /// True when all bids are on the ledger.
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty()
    }

    /// Takes what the node at an address says. A receipt counts once for the validator whose key has signed it, so
    /// that one validator with several addresses counts once.
    pub fn acknowledge(&mut self, address: usize, answers: &[Acknowledgement], state: &State) {
        let roster = state.roster();
        for Acknowledgement { digest, receipt } in answers {
            let (Some(entry), Some(receipt)) = (self.bids.get_mut(digest), receipt) else { continue };
            let named = (receipt.ledger_id, receipt.round_id, receipt.account, receipt.bid_digest);
            let right =
                named == (state.community().ledger_id(), entry.bid.round_id, entry.bid.account, *digest);
            if let Some(validator) = signer(receipt, roster).filter(|_| right) {
                entry.validators.insert(validator);
                entry.addresses.insert(address, validator);
            }
        }
    }

    /// How many of the validators in force have this bid; none when it is not here. What one has acknowledged that has
    /// left since promises nothing.
    pub fn validators(&self, digest: &Digest, state: &State) -> Option<usize> {
        let entry = self.bids.get(digest)?;
        let in_force = &state.roster().validators;
        Some(in_force.iter().filter(|validator| entry.validators.contains(&validator.signing_key)).count())
    }

    /// Batches for the node at an address: what it has not acknowledged, of one round each.
    pub fn batches_for(&self, address: usize, state: &State) -> Vec<(u64, Vec<SealedBid>)> {
        let in_force = &state.roster().validators;
        let has = |entry: &&Entry| {
            let key = entry.addresses.get(&address);
            key.is_some_and(|key| in_force.iter().any(|validator| validator.signing_key == *key))
        };
        let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
        for entry in self.bids.values().filter(|entry| !has(entry)) {
            rounds.entry(entry.bid.round_id).or_default().push(entry.bid.clone());
        }
        let split = |(round_id, bids): (u64, Vec<SealedBid>)| {
            bids.chunks(MAX_RELAYED_BIDS).map(|bids| (round_id, bids.to_vec())).collect::<Vec<_>>()
        };
        rounds.into_iter().flat_map(split).collect()
    }

    /// Drops what is on the ledger and what can't come there any more; returns both.
    pub fn follow(&mut self, state: &State) -> Dropped {
        let mut dropped = Dropped::default();
        self.bids.retain(|digest, Entry { bid, .. }| {
            let way = way_of(state, bid.round_id, &bid.account, digest);
            match way {
                Way::Ahead => {}
                Way::OnLedger => dropped.on_ledger.push((bid.round_id, *digest)),
                Way::Over => dropped.too_late.push((bid.round_id, *digest)),
            }
            way == Way::Ahead
        });
        dropped
    }
}

/// Bids that are on their way no longer: round and digest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The ledger has them.
    pub on_ledger: Vec<(u64, Digest)>,
    /// Their round takes bids no more and does not have them.
    pub too_late: Vec<(u64, Digest)>,
}

/// The key of the validator that has signed a receipt.
fn signer(receipt: &Receipt, roster: &Roster) -> Option<[u8; 32]> {
    let signed = |key: &[u8; 32]| VerifyingKey::from_bytes(key).is_ok_and(|key| receipt.verify(&key).is_ok());
    roster.validators.iter().map(|entry| entry.signing_key).find(signed)
}
