//! Each key of a ledger has one role.
//!
//! Signatures of different kinds are told apart by the labels of their transcripts. A receipt is not: the aggregator and
//! a validator sign the same statement, and the key alone says whose promise it is. So no key may stand for two of them,
//! and, to leave nobody to find out where else it would matter, none stands for any two things.

use crate::members::offices::Offices;
use crate::members::register::Register;
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
    /// The registrar's, for its orders.
    Registrar,
    /// The treasury's, for its orders.
    Treasury,
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
            Self::Registrar => "the registrar's key",
            Self::Treasury => "the treasury's key",
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

/// Checks that the keys of registrar, aggregator and validators (those of a genesis, or of a change) are all different, and
/// no account's. That no two validators share one of a kind, and no two members an account, is checked where the lists are.
///
/// # Errors
/// The first key with two roles.
pub(crate) fn check(offices: &Offices, members: &Register, roster: &Roster) -> Result<(), SharedKey> {
    let mut seen: BTreeMap<[u8; 32], KeyRole> = BTreeMap::new();
    for (second, key) in offices.keys().chain(roster.key_roles()) {
        let account = members.number_of(&key).map(|_| KeyRole::Account);
        if let Some(first) = seen.insert(key, second).or(account) {
            return Err(SharedKey { key, first, second });
        }
    }
    Ok(())
}
