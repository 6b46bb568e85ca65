//! The validators of a network: their keys, and how they are replaced by others.

use crate::hash::{Hash, hash};
use crate::key_roles::{KeyRole, SharedKey};
use curve25519_dalek::edwards::CompressedEdwardsY;
use merlin::Transcript;
use thiserror::Error;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{Group, MAX_VALIDATORS};
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Fewest validators of a network: three of four keep going when one fails.
pub const MIN_VALIDATORS: usize = 4;

/// A validator's public keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorEntry {
    /// Ristretto key: key sessions, receipts, changes of the roster.
    pub signing_key: PointBytes,
    /// Ed25519 key: votes, certificates, connections.
    pub consensus_key: [u8; 32],
    /// X25519 key to which bids are enveloped.
    pub envelope_key: [u8; 32],
}

/// The validators of a network; validator i (from 1) is entry i − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The entries.
    pub validators: Vec<ValidatorEntry>,
}

/// A roster that no network may have, or a change that too few have signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RosterError {
    /// "A network has 4 to 128 validators."
    #[error("{validators} validators: a network has {MIN_VALIDATORS} to {MAX_VALIDATORS}")]
    Size {
        /// Stated number.
        validators: usize,
    },
    /// "Keys are valid, and no two validators share one."
    #[error("validator {validator}: its {key} key is not valid or repeats an earlier one")]
    Key {
        /// The validator, from 1.
        validator: usize,
        /// Which of its keys.
        key: &'static str,
    },
    /// "Each key has one role": none is the aggregator's, a member's, or another one of the roster.
    #[error("{0}")]
    SharedKey(#[from] SharedKey),
    /// "A change names validators that are not there already."
    #[error("the new validators are those that are there already")]
    Unchanged,
    /// "One change after another."
    #[error("another change of the validators is under way")]
    UnderWay,
    /// "The messages of every key session fit into a block, and what a validator keeps of it into its file."
    #[error(
        "{validators} validators with {keys} keys: {what} would have {bytes} bytes, {bound} are allowed; fewer validators, \
         or in a new network fewer ticks"
    )]
    Room {
        /// How many validators are asked for.
        validators: u16,
        /// Keys of the market, one a step.
        keys: u32,
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// "Every epoch has a block of an honest proposer."
    #[error(
        "{faults} of so many validators may be faulty, and an epoch of {epoch_blocks} blocks may be all theirs: name fewer"
    )]
    Epoch {
        /// f of the new validators.
        faults: u16,
        /// Blocks of an epoch.
        epoch_blocks: u64,
    },
    /// "A change is signed by t validators, in rising order."
    #[error("{valid} valid signatures of different validators in rising order, {needed} are needed")]
    Signatures {
        /// Signatures that count.
        valid: usize,
        /// The threshold.
        needed: u16,
    },
}

impl Roster {
    /// How many they are and how many open.
    pub fn group(&self) -> Group {
        Group::of(u16::try_from(self.validators.len()).unwrap_or(u16::MAX))
    }

    /// The signing keys, in order.
    ///
    /// # Errors
    /// The first key that is none.
    pub fn verifying_keys(&self) -> Result<Vec<VerifyingKey>, RosterError> {
        (1..)
            .zip(&self.validators)
            .map(|(validator, entry)| {
                VerifyingKey::from_bytes(&entry.signing_key)
                    .map_err(|_| RosterError::Key { validator, key: "signing" })
            })
            .collect()
    }

    /// The consensus keys, in order.
    pub fn consensus_keys(&self) -> Vec<[u8; 32]> {
        self.validators.iter().map(|entry| entry.consensus_key).collect()
    }

    /// All keys with their roles.
    pub(crate) fn key_roles(&self) -> impl Iterator<Item = (KeyRole, [u8; 32])> {
        self.validators.iter().flat_map(|entry| {
            [
                (KeyRole::Signing, entry.signing_key),
                (KeyRole::Consensus, entry.consensus_key),
                (KeyRole::Envelopes, entry.envelope_key),
            ]
        })
    }

    /// The number of the validator with this signing key, from 1.
    pub fn index_of(&self, signing_key: &PointBytes) -> Option<u16> {
        let at = self.validators.iter().position(|entry| entry.signing_key == *signing_key)?;
        u16::try_from(at + 1).ok()
    }

    /// Checks the number of validators and their keys.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self) -> Result<(), RosterError> {
        let validators = self.validators.len();
        if !(MIN_VALIDATORS..=usize::from(MAX_VALIDATORS)).contains(&validators) {
            return Err(RosterError::Size { validators });
        }
        self.verifying_keys()?;
        for (at, entry) in self.validators.iter().enumerate() {
            let refuse = |key| Err(RosterError::Key { validator: at + 1, key });
            let before = &self.validators[..at];
            if before.iter().any(|other| other.signing_key == entry.signing_key) {
                return refuse("signing");
            }
            // A repeated key would let one validator vote twice.
            let repeated = before.iter().any(|other| other.consensus_key == entry.consensus_key);
            if repeated || !is_consensus_key(&entry.consensus_key) {
                return refuse("consensus");
            }
            let enveloped = EnvelopePublicKey::from_bytes(&entry.envelope_key).is_ok();
            if !enveloped || before.iter().any(|other| other.envelope_key == entry.envelope_key) {
                return refuse("envelope");
            }
        }
        Ok(())
    }

    /// Digest of all keys in order.
    pub fn digest(&self) -> Hash {
        let mut w = Writer::new();
        self.write(&mut w);
        hash(labels::LEDGER_ROSTER, &[&w.finish()])
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.length(self.validators.len());
        for entry in &self.validators {
            w.bytes(&entry.signing_key).bytes(&entry.consensus_key).bytes(&entry.envelope_key);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.length("validators", MAX_VALIDATORS.into(), 96)?;
        let validators = (0..count)
            .map(|_| {
                Ok(ValidatorEntry {
                    signing_key: r.array("signing key")?,
                    consensus_key: r.array("consensus key")?,
                    envelope_key: r.array("envelope key")?,
                })
            })
            .collect::<Result<_, WireError>>()?;
        Ok(Self { validators })
    }
}

/// Whether the engine can use an Ed25519 key: it is the encoding of a point of the curve. One that is none would stop every
/// validator when its epoch begins, for good. Beyond what the engine asks for, the encoding is the canonical one, so that
/// no point is there twice, and the point is not of small order: under such a key anybody's signature holds.
fn is_consensus_key(bytes: &[u8; 32]) -> bool {
    let point = CompressedEdwardsY(*bytes).decompress();
    point.is_some_and(|point| point.compress().to_bytes() == *bytes && !point.is_small_order())
}

/// A validator's signature under a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endorsement {
    /// The validator of the current roster, from 1.
    pub validator: u16,
    /// Its signature.
    pub signature: SignatureBytes,
}

/// The replacement of all validators by others (some may stay), signed by t of those who are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterChange {
    /// The new validators.
    pub roster: Roster,
    /// Signatures in rising order of the validators' numbers.
    pub endorsements: Vec<Endorsement>,
}

impl RosterChange {
    /// Signs a change from `current`, in force since epoch `since_epoch`, to `roster` as validator `validator` of
    /// `current`. [`State::roster_since`](crate::state::State::roster_since) tells the epoch.
    pub fn endorse(
        ledger_id: &Hash,
        current: &Roster,
        since_epoch: u64,
        roster: &Roster,
        validator: u16,
        key: &SigningKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Endorsement {
        let signature = key.sign(&mut transcript(ledger_id, current, since_epoch, roster, validator), rng);
        Endorsement { validator, signature }
    }

    /// Checks the new roster and the endorsements by `current`, in force since epoch `since_epoch`.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self, ledger_id: &Hash, current: &Roster, since_epoch: u64) -> Result<(), RosterError> {
        self.roster.check()?;
        if self.roster == *current {
            return Err(RosterError::Unchanged);
        }
        let keys = current.verifying_keys()?;
        let rising = self.endorsements.is_sorted_by(|a, b| a.validator < b.validator);
        let holds = |endorsement: &&Endorsement| {
            let Endorsement { validator, signature } = endorsement;
            let key = usize::from(*validator).checked_sub(1).and_then(|at| keys.get(at));
            let mut t = transcript(ledger_id, current, since_epoch, &self.roster, *validator);
            key.is_some_and(|key| key.verify(&mut t, signature).is_ok())
        };
        let valid = if rising { self.endorsements.iter().filter(holds).count() } else { 0 };
        let needed = current.group().threshold;
        if valid < needed.into() {
            return Err(RosterError::Signatures { valid, needed });
        }
        Ok(())
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.roster.write(w);
        w.length(self.endorsements.len());
        for endorsement in &self.endorsements {
            w.u16(endorsement.validator).bytes(&endorsement.signature);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let roster = Roster::read(r)?;
        let count = r.length("endorsements", MAX_VALIDATORS.into(), 2 + 64)?;
        let endorsements = (0..count)
            .map(|_| Ok(Endorsement { validator: r.u16("validator")?, signature: r.array("signature")? }))
            .collect::<Result<_, WireError>>()?;
        Ok(Self { roster, endorsements })
    }
}

/// The current roster and its first epoch are part of the statement, so that an old change can't be played again later:
/// not even when the validators are once more those who signed it.
fn transcript(
    ledger_id: &Hash,
    current: &Roster,
    since_epoch: u64,
    roster: &Roster,
    validator: u16,
) -> Transcript {
    let mut t = Transcript::new(labels::LEDGER_ROSTER_CHANGE);
    t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
    t.append_message(b"ledger", ledger_id);
    t.append_message(b"current", &current.digest());
    t.append_u64(b"since", since_epoch);
    t.append_message(b"next", &roster.digest());
    t.append_u64(b"validator", validator.into());
    t
}
