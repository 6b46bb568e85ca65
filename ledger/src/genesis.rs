//! The first transaction: who the community is, by which rules it trades and under which threshold keys.
//!
//! A genesis is made in two steps, because key generation runs under the ledger's identity: a [`GenesisDraft`] has
//! everything but the dealers' packages and gives the ledger id; with the packages it becomes a [`Genesis`]. Whoever
//! reads a ledger turns it into a [`Community`](crate::community::Community) once, with all checks.

use crate::hash::{Hash, hash};
use crate::key_roles::{self, SharedKey};
use crate::params::{MAX_MEMBERS, MarketParams, ParamsError, read_flag};
use crate::room::check_founders;
use crate::roster::{Roster, RosterError, ValidatorEntry};
use thiserror::Error;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{DealerPackage, Group, KeyGenContext, KeyGenError, MAX_VALIDATORS};
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Version of the ledger's transactions and blocks that this crate reads and writes.
pub const FORMAT_VERSION: u16 = 1;

/// Everything of a genesis that is known before key generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisDraft {
    /// [`FORMAT_VERSION`].
    pub format_version: u16,
    /// Random, so that two ledgers of the same people differ.
    pub nonce: [u8; 32],
    /// The market's rules.
    pub params: MarketParams,
    /// Signing keys of the validators; validator i (from 1) is entry i − 1.
    pub validators: Vec<PointBytes>,
    /// Key under which the aggregator signs receipts.
    pub aggregator_receipt_key: PointBytes,
    /// X25519 key to which bids are enveloped.
    pub aggregator_envelope_key: [u8; 32],
    /// Account keys of the members, in rising order, none twice.
    pub members: Vec<PointBytes>,
    /// Epoch of the account keys and of the threshold keys.
    pub key_epoch: u64,
    /// Session of the key generation, so that packages of a failed run can't be used again. On the ledger of a
    /// network it is the number of its first key session.
    pub keygen_session: u64,
    /// The validators' other keys, in the order of `validators`, on the ledger of a network: some exactly when the
    /// market has a timing. Keys are then generated over the ledger and the genesis has no packages.
    pub network: Option<Vec<NetworkKeys>>,
}

/// Keys that a validator has besides its signing key when it is part of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkKeys {
    /// Ed25519 key: votes, certificates, connections.
    pub consensus_key: [u8; 32],
    /// X25519 key to which bids are enveloped.
    pub envelope_key: [u8; 32],
}

/// The content of block 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Everything that the ledger id names.
    pub draft: GenesisDraft,
    /// The public part of the key generation, one package a dealer.
    pub packages: Vec<DealerPackage>,
}

/// A genesis that no ledger may start with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// "A program reads the formats that it knows."
    #[error("ledger format {found}: this program reads format {FORMAT_VERSION}; use a newer program")]
    FormatVersion {
        /// The genesis' format.
        found: u16,
    },
    /// "The market's parameters are sound."
    #[error("market parameters: {0}")]
    Params(#[from] ParamsError),
    /// "Validators have distinct, valid signing keys."
    #[error("the signing key of validator {validator} is not a valid point or repeats an earlier one")]
    ValidatorKey {
        /// Index of the validator, from 1.
        validator: usize,
    },
    /// "The aggregator's receipt key is a valid key."
    #[error("the aggregator's receipt key is not a valid point")]
    ReceiptKey,
    /// "The aggregator's envelope key is one that keeps a secret."
    #[error("the aggregator's envelope key is not canonical or of small order")]
    EnvelopeKey,
    /// "Members are in rising order, none twice, with valid account keys."
    #[error("member {position}: the account key is not a valid point, out of order or a repetition")]
    MemberKey {
        /// Position in the list, from 0.
        position: usize,
    },
    /// "There are at least min_bidders and at most max_members members."
    #[error("{members} members: the market asks for {min_bidders} to {max_members}")]
    MemberCount {
        /// Members listed.
        members: usize,
        /// Fewer could never trade.
        min_bidders: u32,
        /// The market's bound.
        max_members: u32,
    },
    /// "Every proof and signature of the key generation is valid for this ledger and session."
    #[error("key generation: {0}")]
    KeyGeneration(#[from] KeyGenError),
    /// "A network has timing and keys of its validators; a ledger without one has neither."
    #[error("timing and network keys go together, with keys for each of the {validators} validators")]
    Network {
        /// Validators listed.
        validators: usize,
    },
    /// "The validators of a network are sound."
    #[error("validators: {0}")]
    Roster(#[from] RosterError),
    /// "In a network of n validators t is n − ⌊(n − 1)/3⌋."
    #[error("threshold {found}: a network of {validators} validators has {expected}")]
    NetworkThreshold {
        /// Stated threshold.
        found: u16,
        /// Validators listed.
        validators: usize,
        /// What it has to be.
        expected: u16,
    },
    /// "Keys of a network are generated over its ledger."
    #[error("{packages} packages of a key generation: the keys of a network are generated over its ledger")]
    Packages {
        /// Packages in the genesis.
        packages: usize,
    },
    /// "Each key has one role."
    #[error("{0}")]
    SharedKey(#[from] SharedKey),
    /// "The threshold keys fit the grid."
    #[error("step keys: {0}")]
    StepKeys(#[from] veilgrid_crypto::bid::ParamsError),
}

impl GenesisDraft {
    /// The ledger's identity: digest of everything but the key-generation packages.
    pub fn ledger_id(&self) -> Hash {
        let mut w = Writer::new();
        self.write(&mut w);
        hash(labels::LEDGER_ID, &[&w.finish()])
    }

    /// The context in which the validators generate this ledger's keys, one key a step of the grid.
    ///
    /// Meaningful for a draft that [`GenesisDraft::check`] accepts.
    pub fn keygen_context(&self) -> KeyGenContext {
        KeyGenContext {
            ledger_id: self.ledger_id(),
            session: self.keygen_session,
            validators: u16::try_from(self.validators.len()).unwrap_or(u16::MAX),
            threshold: self.params.threshold,
            keys: u32::try_from(self.params.steps()).unwrap_or(u32::MAX),
        }
    }

    /// The validators of a network; none on a ledger without a network.
    pub fn roster(&self) -> Option<Roster> {
        let keys = self.network.as_ref()?;
        let entry = |(signing_key, keys): (&PointBytes, &NetworkKeys)| ValidatorEntry {
            signing_key: *signing_key,
            consensus_key: keys.consensus_key,
            envelope_key: keys.envelope_key,
        };
        Some(Roster { validators: self.validators.iter().zip(keys).map(entry).collect() })
    }

    fn check_network(&self) -> Result<(), GenesisError> {
        let validators = self.validators.len();
        let (Some(keys), Some(timing)) = (&self.network, &self.params.timing) else {
            let neither = self.network.is_none() && self.params.timing.is_none();
            return if neither { Ok(()) } else { Err(GenesisError::Network { validators }) };
        };
        if keys.len() != validators {
            return Err(GenesisError::Network { validators });
        }
        if let Some(roster) = self.roster() {
            roster.check()?;
        }
        let group = Group::of(u16::try_from(validators).unwrap_or(u16::MAX));
        check_founders(group, u32::try_from(self.params.steps()).unwrap_or(u32::MAX))?;
        let expected = group.threshold;
        let found = self.params.threshold;
        if found != expected {
            return Err(GenesisError::NetworkThreshold { found, validators, expected });
        }
        let phase_blocks = timing.phase_blocks([group, group]);
        timing.check_epoch(phase_blocks).map_err(|error| GenesisError::Params(error.into()))
    }

    /// Checks all rules but those of key generation.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.format_version != FORMAT_VERSION {
            return Err(GenesisError::FormatVersion { found: self.format_version });
        }
        self.params.check(u16::try_from(self.validators.len()).unwrap_or(u16::MAX))?;
        for (position, key) in self.validators.iter().enumerate() {
            if VerifyingKey::from_bytes(key).is_err() || self.validators[..position].contains(key) {
                return Err(GenesisError::ValidatorKey { validator: position + 1 });
            }
        }
        VerifyingKey::from_bytes(&self.aggregator_receipt_key).map_err(|_| GenesisError::ReceiptKey)?;
        EnvelopePublicKey::from_bytes(&self.aggregator_envelope_key)
            .map_err(|_| GenesisError::EnvelopeKey)?;
        let (min_bidders, max_members) = (self.params.min_bidders, self.params.max_members);
        let members = self.members.len();
        if members < min_bidders as usize || members > max_members as usize {
            return Err(GenesisError::MemberCount { members, min_bidders, max_members });
        }
        for (position, key) in self.members.iter().enumerate() {
            let in_order = position == 0 || self.members[position - 1] < *key;
            if !in_order || VerifyingKey::from_bytes(key).is_err() {
                return Err(GenesisError::MemberKey { position });
            }
        }
        self.check_network()?;
        key_roles::check(self, self.roster().as_ref())?;
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        w.u16(self.format_version).bytes(&self.nonce);
        self.params.write(w);
        w.length(self.validators.len()).bytes(self.validators.as_flattened());
        w.bytes(&self.aggregator_receipt_key).bytes(&self.aggregator_envelope_key);
        w.length(self.members.len()).bytes(self.members.as_flattened());
        w.u64(self.key_epoch).u64(self.keygen_session).u8(u8::from(self.network.is_some()));
        for keys in self.network.iter().flatten() {
            w.bytes(&keys.consensus_key).bytes(&keys.envelope_key);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let format_version = r.u16("ledger format")?;
        // A newer format may differ in everything that follows, so nothing of it is read.
        if format_version != FORMAT_VERSION {
            return Err(WireError::Invalid { field: "ledger format", why: "this program reads format 1" });
        }
        let mut draft = Self {
            format_version,
            nonce: r.array("nonce")?,
            params: MarketParams::read(r)?,
            validators: read_points(r, "validators", MAX_VALIDATORS as usize)?,
            aggregator_receipt_key: r.array("receipt key")?,
            aggregator_envelope_key: r.array("envelope key")?,
            members: read_points(r, "members", MAX_MEMBERS as usize)?,
            key_epoch: r.u64("key epoch")?,
            keygen_session: r.u64("key-generation session")?,
            network: None,
        };
        if read_flag(r, "network")? {
            let keys = |_| {
                Ok(NetworkKeys {
                    consensus_key: r.array("consensus key")?,
                    envelope_key: r.array("envelope key")?,
                })
            };
            draft.network = Some((0..draft.validators.len()).map(keys).collect::<Result<_, WireError>>()?);
        }
        Ok(draft)
    }
}

impl Genesis {
    /// A genesis from a checked draft and the packages of its key generation. The packages' proofs are verified when
    /// the state machine starts ([`Community::verify`](crate::community::Community::verify)), by everybody.
    ///
    /// # Errors
    /// The rule of [`GenesisDraft::check`] that the draft breaks.
    pub fn new(draft: GenesisDraft, packages: Vec<DealerPackage>) -> Result<Self, GenesisError> {
        draft.check()?;
        Ok(Self { draft, packages })
    }

    /// The ledger's identity.
    pub fn ledger_id(&self) -> Hash {
        self.draft.ledger_id()
    }

    /// Appends the canonical encoding.
    pub(crate) fn write(&self, w: &mut Writer) {
        self.draft.write(w);
        w.length(self.packages.len());
        for package in &self.packages {
            w.blob(&package.to_bytes());
        }
    }

    /// Reads the canonical encoding.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let draft = GenesisDraft::read(r)?;
        let context = draft.keygen_context();
        let count = r.length("key-generation packages", MAX_VALIDATORS as usize, 4)?;
        let packages = (0..count)
            .map(|_| DealerPackage::from_bytes(r.blob("key-generation package", r.remaining())?, &context))
            .collect::<Result<_, _>>()?;
        Ok(Self { draft, packages })
    }
}

/// Reads a list of encoded points; they are decoded where they are checked.
pub(crate) fn read_points(
    r: &mut Reader<'_>,
    field: &'static str,
    bound: usize,
) -> Result<Vec<PointBytes>, WireError> {
    let count = r.length(field, bound, 32)?;
    (0..count).map(|_| r.array(field)).collect()
}
