//! The keys of registrar and aggregator over time, and how validators replace them: a lost or stolen one must not end the
//! ledger.

use super::refusal::MembersRefusal;
use crate::genesis::Genesis;
use crate::hash::Hash;
use crate::key_roles::KeyRole;
use crate::roster::{Endorsement, Roster};
use crate::transaction::TransactionKind;
use merlin::Transcript;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::MAX_VALIDATORS;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// The aggregator's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregatorKeys {
    /// Under which it signs receipts and what it sends on.
    pub receipt: PointBytes,
    /// X25519 key to which bids are enveloped.
    pub envelope: [u8; 32],
}

/// The new keys of an office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKeys {
    /// The registrar's key.
    Registrar(PointBytes),
    /// The aggregator's keys.
    Aggregator(AggregatorKeys),
}

/// Who holds which office now, and who has held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offices {
    pub(super) registrars: Vec<PointBytes>,
    pub(super) aggregators: Vec<AggregatorKeys>,
    /// The treasury's key, with money.
    pub(super) treasury: Option<PointBytes>,
}

impl Offices {
    /// Those of a genesis.
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let aggregator = AggregatorKeys {
            receipt: genesis.aggregator_receipt_key,
            envelope: genesis.aggregator_envelope_key,
        };
        let treasury = genesis.params.money.map(|money| money.treasury_key);
        Self { registrars: vec![genesis.registrar_key], aggregators: vec![aggregator], treasury }
    }

    /// The registrar's key in force.
    pub fn registrar(&self) -> &PointBytes {
        // There is always one, the genesis'.
        &self.registrars[self.registrars.len() - 1]
    }

    /// The aggregator's keys in force.
    pub fn aggregator(&self) -> &AggregatorKeys {
        &self.aggregators[self.aggregators.len() - 1]
    }

    /// All receipt keys that were ever in force, oldest first.
    pub fn receipt_keys(&self) -> impl ExactSizeIterator<Item = &PointBytes> {
        self.aggregators.iter().map(|keys| &keys.receipt)
    }

    /// How often a key was replaced; part of what is signed to replace one.
    pub fn replaced(&self) -> u64 {
        let times = self.registrars.len().saturating_add(self.aggregators.len()).saturating_sub(2);
        times as u64
    }

    /// All keys that ever stood for an office, with their role.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (KeyRole, [u8; 32])> {
        let registrars = self.registrars.iter().map(|key| (KeyRole::Registrar, *key));
        let treasury = self.treasury.map(|key| (KeyRole::Treasury, key));
        registrars.chain(self.aggregators.iter().flat_map(AggregatorKeys::roles)).chain(treasury)
    }

    pub(crate) fn replace(&mut self, keys: NewKeys) {
        match keys {
            NewKeys::Registrar(key) => self.registrars.push(key),
            NewKeys::Aggregator(keys) => self.aggregators.push(keys),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.length(self.registrars.len()).bytes(self.registrars.as_flattened());
        w.length(self.aggregators.len());
        for keys in &self.aggregators {
            w.bytes(&keys.receipt).bytes(&keys.envelope);
        }
    }
}

impl AggregatorKeys {
    fn roles(&self) -> [(KeyRole, [u8; 32]); 2] {
        [(KeyRole::Receipts, self.receipt), (KeyRole::AggregatorEnvelopes, self.envelope)]
    }
}

impl NewKeys {
    /// The kind of the transaction that puts them in force.
    pub fn kind(&self) -> TransactionKind {
        match self {
            Self::Registrar(_) => TransactionKind::ReplaceRegistrar,
            Self::Aggregator(_) => TransactionKind::ReplaceAggregator,
        }
    }

    /// The keys with their roles.
    pub(crate) fn roles(&self) -> Vec<(KeyRole, [u8; 32])> {
        match self {
            Self::Registrar(key) => vec![(KeyRole::Registrar, *key)],
            Self::Aggregator(keys) => keys.roles().to_vec(),
        }
    }

    /// "New keys of registrar or aggregator are valid keys."
    fn check(&self) -> Result<(), MembersRefusal> {
        let (signing, name) = match self {
            Self::Registrar(key) => (key, "registrar's key"),
            Self::Aggregator(keys) => (&keys.receipt, "aggregator's receipt key"),
        };
        if VerifyingKey::from_bytes(signing).is_err() {
            return Err(MembersRefusal::OfficeKey { key: name });
        }
        if let Self::Aggregator(keys) = self
            && EnvelopePublicKey::from_bytes(&keys.envelope).is_err()
        {
            return Err(MembersRefusal::OfficeKey { key: "aggregator's envelope key" });
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Registrar(key) => w.bytes(key),
            Self::Aggregator(keys) => w.bytes(&keys.receipt).bytes(&keys.envelope),
        };
    }
}

/// The replacement of the registrar's or the aggregator's keys, signed by t validators. Whoever held the office is not
/// asked: the key may be lost, or in the wrong hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReplacement {
    /// The new keys.
    pub keys: NewKeys,
    /// Signatures in rising order of the validators' numbers.
    pub endorsements: Vec<Endorsement>,
}

/// What a signature under a replacement is bound to besides the new keys.
#[derive(Debug, Clone, Copy)]
pub struct ReplacementContext<'a> {
    /// The ledger.
    pub ledger_id: &'a Hash,
    /// The validators in force.
    pub roster: &'a Roster,
    /// Their first epoch.
    pub since_epoch: u64,
    /// [`Offices::replaced`]: a replacement counts once.
    pub replaced: u64,
}

impl KeyReplacement {
    /// Signs a replacement as validator `validator` of those in force.
    pub fn endorse(
        context: &ReplacementContext<'_>,
        keys: &NewKeys,
        validator: u16,
        key: &SigningKey,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Endorsement {
        let signature = key.sign(&mut transcript(context, keys, validator), rng);
        Endorsement { validator, signature }
    }

    /// Checks the keys and the endorsements.
    ///
    /// # Errors
    /// [`MembersRefusal::OfficeKey`] or [`MembersRefusal::Endorsements`].
    pub fn check(&self, context: &ReplacementContext<'_>) -> Result<(), MembersRefusal> {
        self.keys.check()?;
        let roster = context.roster;
        let rising = self.endorsements.is_sorted_by(|a, b| a.validator < b.validator);
        let holds = |endorsement: &&Endorsement| {
            let Endorsement { validator, signature } = endorsement;
            let entry = usize::from(*validator).checked_sub(1).and_then(|at| roster.validators.get(at));
            let key = entry.and_then(|entry| VerifyingKey::from_bytes(&entry.signing_key).ok());
            let mut statement = transcript(context, &self.keys, *validator);
            key.is_some_and(|key| key.verify(&mut statement, signature).is_ok())
        };
        let valid = if rising { self.endorsements.iter().filter(holds).count() } else { 0 };
        // "Keys of registrar and aggregator are replaced by t validators."
        let needed = roster.group().threshold;
        if valid < needed.into() {
            return Err(MembersRefusal::Endorsements { valid, needed });
        }
        Ok(())
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.keys.write(w);
        w.length(self.endorsements.len());
        for endorsement in &self.endorsements {
            w.u16(endorsement.validator).bytes(&endorsement.signature);
        }
    }

    /// Reads a replacement of a kind that is one of the two.
    pub(crate) fn read(r: &mut Reader<'_>, kind: u8) -> Result<Self, WireError> {
        let keys = if kind == TransactionKind::ReplaceRegistrar as u8 {
            NewKeys::Registrar(r.array("registrar's key")?)
        } else {
            let receipt = r.array("receipt key")?;
            NewKeys::Aggregator(AggregatorKeys { receipt, envelope: r.array("envelope key")? })
        };
        let count = r.length("endorsements", MAX_VALIDATORS.into(), 2 + 64)?;
        let endorsements = (0..count)
            .map(|_| Ok(Endorsement { validator: r.u16("validator")?, signature: r.array("signature")? }))
            .collect::<Result<_, WireError>>()?;
        Ok(Self { keys, endorsements })
    }
}

/// The roster in force and the number of replacements so far are part of the statement, so that none can be played again.
fn transcript(context: &ReplacementContext<'_>, keys: &NewKeys, validator: u16) -> Transcript {
    let mut w = Writer::new();
    keys.write(&mut w);
    let mut t = Transcript::new(labels::LEDGER_KEY_REPLACEMENT);
    t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
    t.append_message(b"ledger", context.ledger_id);
    t.append_message(b"current", &context.roster.digest());
    t.append_u64(b"since", context.since_epoch);
    t.append_u64(b"replaced", context.replaced);
    t.append_u64(b"kind", keys.kind() as u64);
    t.append_message(b"keys", &w.finish());
    t.append_u64(b"validator", validator.into());
    t
}
