//! The public parts of key files: what everybody hands to whoever assembles the genesis.

use super::FoundingError;
use crate::config::Hex32;
use crate::keyfile::{
    AggregatorKeys, AskerKeys, ParticipantKeys, RegistrarKeys, TreasuryKeys, ValidatorKeys,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_store::files::{self, read_at_most};

/// Most bytes of a public part.
const MAX_PUBLIC_BYTES: u64 = 1 << 16;

/// The public part of a key file, JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PublicPart {
    /// Of a validator.
    Validator {
        /// Key sessions, receipts (Ristretto).
        signing_key: Hex32,
        /// Votes and connections (ed25519).
        consensus_key: Hex32,
        /// Bids that are sent to it (X25519).
        envelope_key: Hex32,
    },
    /// Of an aggregator.
    Aggregator {
        /// Receipts (Ristretto).
        receipt_key: Hex32,
        /// Bids (X25519).
        envelope_key: Hex32,
    },
    /// Of the registrar.
    Registrar {
        /// Orders about members (Ristretto).
        registrar_key: Hex32,
    },
    /// Of the treasury of a market with money.
    Treasury {
        /// Deposits and payments (Ristretto).
        treasury_key: Hex32,
    },
    /// Of somebody who asks members for proofs; it has no part in a network.
    Asker {
        /// Questions (Ristretto).
        asker_key: Hex32,
    },
    /// Of a participant.
    Participant {
        /// Its account (Ristretto).
        account_key: Hex32,
        /// The key epoch that the account key is of.
        key_epoch: u64,
    },
}

impl From<&ValidatorKeys> for PublicPart {
    fn from(keys: &ValidatorKeys) -> Self {
        Self::Validator {
            signing_key: Hex32(keys.signing.verifying_key().to_bytes()),
            consensus_key: Hex32(keys.consensus_key()),
            envelope_key: Hex32(keys.envelope.public().to_bytes()),
        }
    }
}

impl From<&AggregatorKeys> for PublicPart {
    fn from(keys: &AggregatorKeys) -> Self {
        Self::Aggregator {
            receipt_key: Hex32(keys.receipt.verifying_key().to_bytes()),
            envelope_key: Hex32(keys.envelope.public().to_bytes()),
        }
    }
}

impl From<&RegistrarKeys> for PublicPart {
    fn from(keys: &RegistrarKeys) -> Self {
        Self::Registrar { registrar_key: Hex32(keys.signing.verifying_key().to_bytes()) }
    }
}

impl From<&TreasuryKeys> for PublicPart {
    fn from(keys: &TreasuryKeys) -> Self {
        Self::Treasury { treasury_key: Hex32(keys.signing.verifying_key().to_bytes()) }
    }
}

impl From<&AskerKeys> for PublicPart {
    fn from(keys: &AskerKeys) -> Self {
        Self::Asker { asker_key: Hex32(keys.signing.verifying_key().to_bytes()) }
    }
}

impl PublicPart {
    /// Of a participant's keyring in one key epoch.
    pub fn of_participant(keys: &ParticipantKeys, key_epoch: u64) -> Self {
        let account = Keyring::from_seed(&keys.seed).account_key(key_epoch).verifying_key();
        Self::Participant { account_key: Hex32(account.to_bytes()), key_epoch }
    }

    /// Reads a file with the JSON that `veilgrid keys` printed.
    ///
    /// # Errors
    /// What can't be read.
    pub fn read(path: &Path) -> Result<Self, FoundingError> {
        let file = files::open(path)?;
        Self::read_from(path, file)
    }

    /// The same from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// As [`PublicPart::read`].
    pub fn read_from(path: &Path, source: impl std::io::Read) -> Result<Self, FoundingError> {
        let bytes = read_at_most(path, source, MAX_PUBLIC_BYTES)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| FoundingError::Public { path: path.to_owned(), reason: error.to_string() })
    }
}
