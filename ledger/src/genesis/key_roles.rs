//! Each key of a ledger has one role.
//!
//! Signatures of different kinds are told apart by the labels of their transcripts. A receipt is not: the aggregator and
//! a validator sign the same statement, and the key alone says whose promise it is. So no key may stand for two of them,
//! and, to leave nobody to find out where else it would matter, none stands for any two things.

use crate::genesis::Genesis;
use crate::roster::Roster;
use core::fmt;
use std::collections::BTreeMap;
use thiserror::Error;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// The aggregator's, for receipts and batches that it sends on.
    Receipts,
    /// The aggregator's, for envelopes.
    AggregatorEnvelopes,
    /// A validator's, for key sessions, receipts and changes of the roster.
    Signing,
    /// A validator's, for votes and connections.
    Consensus,
    /// A validator's, for envelopes.
    Envelopes,
    /// A member's account.
    Account,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receipts => "the aggregator's receipt key",
            Self::AggregatorEnvelopes => "the aggregator's envelope key",
            Self::Signing => "a validator's signing key",
            Self::Consensus => "a validator's consensus key",
            Self::Envelopes => "a validator's envelope key",
            Self::Account => "a member's account key",
        })
    }
}

/// A key with two roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} is {first} and {second}: each needs a key of its own", hex::encode(.key))]
pub struct SharedKey {
    /// The key.
    pub key: [u8; 32],
    /// One of its roles.
    pub first: KeyRole,
    /// Another one.
    pub second: KeyRole,
}

/// Checks that the keys of a genesis and of the validators, its own or those of a change, are all different. That no
/// two validators share one of a kind, and no two members an account, is checked where the lists are.
///
/// # Errors
/// The first key with two roles.
pub(crate) fn check(genesis: &Genesis, roster: &Roster) -> Result<(), SharedKey> {
    let aggregator = [
        (KeyRole::Receipts, genesis.aggregator_receipt_key),
        (KeyRole::AggregatorEnvelopes, genesis.aggregator_envelope_key),
    ];
    let entries = roster.validators.iter().flat_map(|entry| {
        [
            (KeyRole::Signing, entry.signing_key),
            (KeyRole::Consensus, entry.consensus_key),
            (KeyRole::Envelopes, entry.envelope_key),
        ]
    });
    let mut seen: BTreeMap<[u8; 32], KeyRole> = BTreeMap::new();
    for (second, key) in aggregator.into_iter().chain(entries) {
        let account = genesis.members.binary_search(&key).is_ok().then_some(KeyRole::Account);
        if let Some(first) = seen.insert(key, second).or(account) {
            return Err(SharedKey { key, first, second });
        }
    }
    Ok(())
}
