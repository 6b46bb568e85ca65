//! Certificates: more than two thirds of an epoch's validators signed that a block is final.

use super::keys::{ConsensusKeyBytes, ValidatorSet, ValidatorSetFault};
use super::signatures::Batch;
use super::vote::{Ballot, Vote, put_varint};
use crate::hash::Hash;
use std::collections::BTreeMap;
use thiserror::Error;

/// Bytes of a certificate beyond one signature and one bit for each validator; generous, for the bound only.
const OVERHEAD_BYTES: usize = 256;
/// Bytes that a validator can add to a certificate.
const VALIDATOR_BYTES: usize = 66;

/// Place of a vote: the engine's epoch, and the view in it.
pub type View = (u64, u64);

/// Why bytes are no certificate over a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// The validators are no validator set.
    #[error("the validators of the epoch: {0}")]
    Validators(#[from] ValidatorSetFault),
    /// More bytes than these validators can fill.
    #[error("certificate of {bytes} bytes; {bound} at most")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Most bytes.
        bound: usize,
    },
    /// Not the encoding of a certificate, or bytes after it.
    #[error("the bytes are not the encoding of a finalisation certificate")]
    Malformed,
    /// It is of another epoch.
    #[error("the certificate is of epoch {found}, not {expected}")]
    Epoch {
        /// The epoch of the block.
        expected: u64,
        /// What the certificate says.
        found: u64,
    },
    /// It is over another block.
    #[error("the certificate is over another block")]
    Block,
    /// Fewer signers than a quorum.
    #[error("{found} validators signed; {needed} are needed")]
    TooFewSigners {
        /// Signers.
        found: usize,
        /// The quorum, 2f+1 of 3f+1.
        needed: usize,
    },
    /// A signature does not hold for this ledger, block and validator.
    #[error("a signature of the certificate is not its validator's over this block and ledger")]
    Signature,
}

/// Verifies that the block is final.
///
/// `epoch` is the engine's: height divided by the epoch's length in blocks. `validators` are the consensus keys of
/// that epoch in any order.
///
/// # Errors
/// The first rule that is broken.
pub fn verify(
    ledger_id: &Hash,
    epoch: u64,
    validators: &[ConsensusKeyBytes],
    block_hash: &Hash,
    bytes: &[u8],
) -> Result<(), CertificateFault> {
    let set = ValidatorSet::new(validators)?;
    let certificate = unsigned(ledger_id, epoch, &set, block_hash, bytes)?;
    // "Each signature holds."
    let message = certificate.ballot.message();
    let all = certificate.signatures.iter().all(|(place, signature)| set.holds(*place, &message, signature));
    if all { Ok(()) } else { Err(CertificateFault::Signature) }
}

/// Whether all of these are certificates by which a block of this epoch is final: what [`verify`] says of each, with all
/// signatures in one batch. When one is false, this does not say which.
///
/// The batch accepts exactly what each signature by itself does (`finality::signatures`).
pub fn verify_all(
    ledger_id: &Hash,
    epoch: u64,
    validators: &[ConsensusKeyBytes],
    certificates: &[(Hash, &[u8])],
) -> bool {
    let Ok(set) = ValidatorSet::new(validators) else { return false };
    let mut batch = Batch::default();
    for (block_hash, bytes) in certificates {
        let Ok(certificate) = unsigned(ledger_id, epoch, &set, block_hash, bytes) else { return false };
        let message = certificate.ballot.message();
        for (place, signature) in &certificate.signatures {
            let Some(key) = set.key(*place) else { return false };
            batch.add(&key, &message, signature);
        }
    }
    batch.holds()
}

/// All rules but those about the signatures.
fn unsigned(
    ledger_id: &Hash,
    epoch: u64,
    set: &ValidatorSet,
    block_hash: &Hash,
    bytes: &[u8],
) -> Result<Certificate, CertificateFault> {
    // "A certificate is not longer than its validators can make it."
    let bound = OVERHEAD_BYTES.saturating_add(set.len().saturating_mul(VALIDATOR_BYTES));
    if bytes.len() > bound {
        return Err(CertificateFault::TooLong { bytes: bytes.len(), bound });
    }
    let certificate = Certificate::decode(ledger_id, bytes, set.len())?;
    let ballot = &certificate.ballot;
    // "It is of the block's epoch."
    if ballot.epoch != epoch {
        return Err(CertificateFault::Epoch { expected: epoch, found: ballot.epoch });
    }
    // "It is over this block."
    if ballot.block_hash != *block_hash {
        return Err(CertificateFault::Block);
    }
    // "A quorum signed."
    let (found, needed) = (certificate.signatures.len(), quorum(set.len()));
    if found < needed {
        return Err(CertificateFault::TooFewSigners { found, needed });
    }
    Ok(certificate)
}

/// Epoch and view in which the validator with this consensus key signed a certificate; none when it did not, or the bytes
/// are no certificate of these validators. Nothing is verified: see [`verify`].
pub fn own_vote(validators: &[ConsensusKeyBytes], key: &ConsensusKeyBytes, bytes: &[u8]) -> Option<View> {
    let set = ValidatorSet::new(validators).ok()?;
    let certificate = Certificate::decode(&[0; 32], bytes, set.len()).ok()?;
    let place = set.place_of(key)?;
    let signed = certificate.signatures.contains_key(&place);
    signed.then_some((certificate.ballot.epoch, certificate.ballot.view))
}

/// Signers that make a certificate: more than two thirds.
pub fn quorum(validators: usize) -> usize {
    let faulty = validators.saturating_sub(1).checked_div(3).unwrap_or(0);
    validators.saturating_sub(faulty)
}

/// Votes for one block, until they are enough.
pub struct Votes {
    ballot: Ballot,
    set: ValidatorSet,
    signatures: BTreeMap<usize, [u8; 64]>,
}

impl Votes {
    /// None so far, of these validators.
    ///
    /// # Errors
    /// [`ValidatorSetFault`].
    pub fn new(ballot: Ballot, validators: &[ConsensusKeyBytes]) -> Result<Self, ValidatorSetFault> {
        Ok(Self { ballot, set: ValidatorSet::new(validators)?, signatures: BTreeMap::new() })
    }

    /// Takes a vote; false when it is none of these validators for this ballot.
    pub fn add(&mut self, vote: &Vote) -> bool {
        let Some(place) = self.set.place_of(&vote.validator) else { return false };
        let holds = self.set.holds(place, &self.ballot.message(), &vote.signature);
        if holds {
            self.signatures.insert(place, vote.signature);
        }
        holds
    }

    /// The certificate, once more than two thirds have voted.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let enough = self.signatures.len() >= quorum(self.set.len());
        let certificate = || Certificate { ballot: self.ballot, signatures: self.signatures.clone() };
        enough.then(|| certificate().encode(self.set.len()))
    }
}

/// A certificate's content; each signature under its validator's place.
struct Certificate {
    ballot: Ballot,
    signatures: BTreeMap<usize, [u8; 64]>,
}

impl Certificate {
    fn encode(&self, validators: usize) -> Vec<u8> {
        let mut bytes = self.ballot.line();
        bytes.extend((validators as u64).to_be_bytes());
        for byte in 0..validators.div_ceil(8) {
            let bit_of = |bit: usize| self.signatures.contains_key(&(byte * 8 + bit));
            bytes.push((0..8).filter(|bit| bit_of(*bit)).fold(0, |bits, bit| bits | 1 << bit));
        }
        put_varint(&mut bytes, self.signatures.len() as u64);
        bytes.extend(self.signatures.values().flatten());
        bytes
    }

    /// The ledger is not in the bytes; it is part of what is signed.
    fn decode(ledger_id: &Hash, bytes: &[u8], validators: usize) -> Result<Self, CertificateFault> {
        Self::read(ledger_id, &mut Input(bytes), validators).ok_or(CertificateFault::Malformed)
    }

    fn read(ledger_id: &Hash, input: &mut Input<'_>, validators: usize) -> Option<Self> {
        let (epoch, view, parent_view) = (input.varint()?, input.varint()?, input.varint()?);
        let ballot = Ballot { ledger_id: *ledger_id, epoch, view, parent_view, block_hash: input.array()? };
        if u64::from_be_bytes(input.array()?) != validators as u64 {
            return None;
        }
        let bits = input.take(validators.div_ceil(8))?;
        let places = bits.iter().zip((0..).step_by(8)).flat_map(|(byte, first)| {
            (0..8usize).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| first + bit)
        });
        let places: Vec<usize> = places.collect();
        let inside = places.last().is_none_or(|last| *last < validators);
        if !inside || input.varint()? != places.len() as u64 {
            return None;
        }
        let signatures = places.into_iter().map(|place| Some((place, input.array()?)));
        let signatures = signatures.collect::<Option<_>>()?;
        input.0.is_empty().then_some(Self { ballot, signatures })
    }
}

/// Bytes that are left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// LEB128 of a number of 64 bits, as short as can be.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let part = u64::from(byte & 0x7f);
            let moved = part << shift;
            if moved >> shift != part {
                return None;
            }
            value |= moved;
            if byte < 0x80 {
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
