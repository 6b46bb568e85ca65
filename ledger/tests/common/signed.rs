//! Certificates as the specification writes them down (13.9): their layout and what is signed stand here a second
//! time, without the engine.
#![allow(dead_code, reason = "each test file uses a part")]

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

/// Who signs a block, and for which ledger and epoch.
pub struct Electorate {
    pub ledger_id: [u8; 32],
    pub epoch: u64,
    /// Secret scalars of the consensus keys, in any order.
    pub scalars: Vec<Scalar>,
}

/// The consensus key of a secret scalar.
pub fn public_key(scalar: &Scalar) -> [u8; 32] {
    EdwardsPoint::mul_base(scalar).compress().to_bytes()
}

/// Ed25519 (RFC 8032) with a scalar in place of a seed.
fn sign(scalar: &Scalar, message: &[u8]) -> [u8; 64] {
    let hash = |parts: &[&[u8]]| {
        let digest = parts.iter().fold(Sha512::new(), |digest, part| digest.chain_update(part));
        Scalar::from_bytes_mod_order_wide(&digest.finalize().into())
    };
    let nonce = hash(&[b"nonce of a test", scalar.as_bytes(), message]);
    let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let response = nonce + hash(&[&commitment, &public_key(scalar), message]) * scalar;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice(response.as_bytes());
    signature
}

/// LEB128.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

impl Electorate {
    /// The consensus keys in the order of the signers' bits.
    pub fn keys(&self) -> Vec<[u8; 32]> {
        self.sorted().iter().map(public_key).collect()
    }

    fn sorted(&self) -> Vec<Scalar> {
        let mut scalars = self.scalars.clone();
        scalars.sort_by_key(public_key);
        scalars
    }

    /// A certificate over a block by those whose bits are these.
    pub fn certificate(&self, block_hash: &[u8; 32], signers: &[usize]) -> Vec<u8> {
        let scalars = self.sorted();
        let first_line = [varint(self.epoch), varint(9), varint(8), block_hash.to_vec()].concat();
        let name = [b"veilgrid-engine/1/consensus/".as_slice(), &self.ledger_id, b"_FINALIZE"].concat();
        let message = [varint(name.len() as u64), name, first_line.clone()].concat();
        let mut bits = vec![0u8; scalars.len().div_ceil(8)];
        signers.iter().for_each(|signer| bits[signer / 8] |= 1 << (signer % 8));
        let signatures = signers.iter().flat_map(|signer| sign(&scalars[*signer], &message)).collect();
        let validators = (scalars.len() as u64).to_be_bytes().to_vec();
        [first_line, validators, bits, varint(signers.len() as u64), signatures].concat()
    }

    /// The same by all.
    pub fn by_all(&self, block_hash: &[u8; 32]) -> Vec<u8> {
        self.certificate(block_hash, &(0..self.scalars.len()).collect::<Vec<_>>())
    }
}
