//! What the key files of the processes, offices and members hold.

use super::Kind;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::group::decode_scalar;
use veilgrid_crypto::keyring::KeyringSeed;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::wire::{Reader, WireError};
use veilgrid_ledger::finality::ConsensusKey;

/// The content of a key file.
pub trait Contents: Sized {
    /// The kind of its files.
    const KIND: Kind;

    /// Canonical encoding: fixed-width fields, one after another.
    fn encode(&self) -> Secret<Vec<u8>>;

    /// Decodes it.
    ///
    /// # Errors
    /// [`WireError`].
    fn decode(bytes: &[u8]) -> Result<Self, WireError>;
}

/// A validator's lasting keys.
#[derive(Clone, Debug)]
pub struct ValidatorKeys {
    /// Signs key-generation events and relayed receipts.
    pub signing: SigningKey,
    /// Seed of the ed25519 key of consensus (RFC 8032).
    pub consensus_seed: Secret<[u8; 32]>,
    /// Opens the bids that are sent to this validator.
    pub envelope: EnvelopeKey,
}

/// An aggregator's keys.
#[derive(Clone, Debug)]
pub struct AggregatorKeys {
    /// Signs receipts and relayed batches.
    pub receipt: SigningKey,
    /// Opens bids.
    pub envelope: EnvelopeKey,
}

/// The registrar's key.
#[derive(Clone, Debug)]
pub struct RegistrarKeys {
    /// Signs orders, and hides the names of connection points.
    pub signing: SigningKey,
}

/// The treasury's key.
#[derive(Clone, Debug)]
pub struct TreasuryKeys {
    /// Signs deposits and payments, and hides the references of the bank.
    pub signing: SigningKey,
}

/// The key of whoever asks members for proofs of facts.
#[derive(Clone, Debug)]
pub struct AskerKeys {
    /// Signs questions. Proofs convince its holder alone.
    pub signing: SigningKey,
}

/// The seed of a participant's keyring.
#[derive(Clone, Debug)]
pub struct ParticipantKeys {
    /// Everything else follows from it and the ledger.
    pub seed: KeyringSeed,
}

impl ValidatorKeys {
    /// Fresh keys.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        let mut consensus_seed = Secret::new([0u8; 32]);
        rng.fill_bytes(consensus_seed.expose_mut());
        Self { signing: SigningKey::generate(rng), consensus_seed, envelope: EnvelopeKey::generate(rng) }
    }

    /// The public key of consensus (ed25519).
    pub fn consensus_key(&self) -> [u8; 32] {
        ConsensusKey::from_seed(&self.consensus_seed).public()
    }
}

impl AggregatorKeys {
    /// Fresh keys.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self { receipt: SigningKey::generate(rng), envelope: EnvelopeKey::generate(rng) }
    }
}

impl RegistrarKeys {
    /// A fresh key.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self { signing: SigningKey::generate(rng) }
    }
}

impl TreasuryKeys {
    /// A fresh key.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self { signing: SigningKey::generate(rng) }
    }
}

impl AskerKeys {
    /// A fresh key.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self { signing: SigningKey::generate(rng) }
    }
}

impl ParticipantKeys {
    /// A fresh seed.
    pub fn generate(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self { seed: KeyringSeed::generate(rng) }
    }
}

/// Joins secret parts. The vector has its final size from the start: one that grows leaves copies behind, which is
/// why this is no [`Writer`](veilgrid_crypto::wire::Writer); the bytes are the same.
fn join(parts: &[&[u8; 32]]) -> Secret<Vec<u8>> {
    let mut bytes = Vec::with_capacity(parts.len() * 32);
    parts.iter().for_each(|part| bytes.extend_from_slice(*part));
    Secret::new(bytes)
}

fn read_signing(r: &mut Reader<'_>, field: &'static str) -> Result<SigningKey, WireError> {
    let bytes = Secret::new(r.array::<32>(field)?);
    SigningKey::from_scalar(Secret::new(decode_scalar(field, bytes.expose())?))
        .ok_or(WireError::Invalid { field, why: "a signing key is not zero" })
}

/// The content of a file that holds a signing key and nothing else.
fn encode_alone(key: &SigningKey) -> Secret<Vec<u8>> {
    let signing = Secret::new(key.secret().expose().to_bytes());
    join(&[signing.expose()])
}

fn read_alone(bytes: &[u8], field: &'static str) -> Result<SigningKey, WireError> {
    let mut r = Reader::new(bytes);
    let signing = read_signing(&mut r, field)?;
    r.finish()?;
    Ok(signing)
}

fn read_envelope(r: &mut Reader<'_>) -> Result<EnvelopeKey, WireError> {
    Ok(EnvelopeKey::from_bytes(Secret::new(r.array::<32>("envelope key")?).expose()))
}

impl Contents for ValidatorKeys {
    const KIND: Kind = Kind::Validator;

    fn encode(&self) -> Secret<Vec<u8>> {
        let signing = Secret::new(self.signing.secret().expose().to_bytes());
        join(&[signing.expose(), self.consensus_seed.expose(), self.envelope.to_bytes().expose()])
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let signing = read_signing(&mut r, "signing key")?;
        let consensus_seed = Secret::new(r.array("consensus seed")?);
        let envelope = read_envelope(&mut r)?;
        r.finish()?;
        Ok(Self { signing, consensus_seed, envelope })
    }
}

impl Contents for AggregatorKeys {
    const KIND: Kind = Kind::Aggregator;

    fn encode(&self) -> Secret<Vec<u8>> {
        let receipt = Secret::new(self.receipt.secret().expose().to_bytes());
        join(&[receipt.expose(), self.envelope.to_bytes().expose()])
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let receipt = read_signing(&mut r, "receipt key")?;
        let envelope = read_envelope(&mut r)?;
        r.finish()?;
        Ok(Self { receipt, envelope })
    }
}

impl Contents for RegistrarKeys {
    const KIND: Kind = Kind::Registrar;

    fn encode(&self) -> Secret<Vec<u8>> {
        encode_alone(&self.signing)
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        Ok(Self { signing: read_alone(bytes, "registrar's key")? })
    }
}

impl Contents for TreasuryKeys {
    const KIND: Kind = Kind::Treasury;

    fn encode(&self) -> Secret<Vec<u8>> {
        encode_alone(&self.signing)
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        Ok(Self { signing: read_alone(bytes, "treasury's key")? })
    }
}

impl Contents for AskerKeys {
    const KIND: Kind = Kind::Asker;

    fn encode(&self) -> Secret<Vec<u8>> {
        encode_alone(&self.signing)
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        Ok(Self { signing: read_alone(bytes, "asker's key")? })
    }
}

impl Contents for ParticipantKeys {
    const KIND: Kind = Kind::Participant;

    fn encode(&self) -> Secret<Vec<u8>> {
        join(&[self.seed.to_bytes().expose()])
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let seed = KeyringSeed::from_bytes(r.array("seed of the keyring")?);
        r.finish()?;
        Ok(Self { seed })
    }
}
