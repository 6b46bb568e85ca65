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

    /// The secret scalars in the order of the signers' bits.
    pub fn sorted(&self) -> Vec<Scalar> {
        let mut scalars = self.scalars.clone();
        scalars.sort_by_key(public_key);
        scalars
    }

    fn first_line(&self, block_hash: &[u8; 32]) -> Vec<u8> {
        [varint(self.epoch), varint(9), varint(8), block_hash.to_vec()].concat()
    }

    /// What every validator signs for a block.
    pub fn message(&self, block_hash: &[u8; 32]) -> Vec<u8> {
        let name = [b"veilgrid-engine/1/consensus/".as_slice(), &self.ledger_id, b"_FINALIZE"].concat();
        [varint(name.len() as u64), name, self.first_line(block_hash)].concat()
    }

    /// The signature of the validator with this bit.
    pub fn signature(&self, block_hash: &[u8; 32], signer: usize) -> [u8; 64] {
        sign(&self.sorted()[signer], &self.message(block_hash))
    }

    /// A certificate over a block of these signatures, each with its bit, in rising order.
    pub fn assembled(&self, block_hash: &[u8; 32], signatures: &[(usize, [u8; 64])]) -> Vec<u8> {
        let mut bits = vec![0u8; self.scalars.len().div_ceil(8)];
        signatures.iter().for_each(|(signer, _)| bits[signer / 8] |= 1 << (signer % 8));
        let validators = (self.scalars.len() as u64).to_be_bytes().to_vec();
        let all = signatures.iter().flat_map(|(_, signature)| *signature).collect();
        [self.first_line(block_hash), validators, bits, varint(signatures.len() as u64), all].concat()
    }

    /// A certificate over a block by those whose bits are these.
    pub fn certificate(&self, block_hash: &[u8; 32], signers: &[usize]) -> Vec<u8> {
        let signed = |signer: &usize| (*signer, self.signature(block_hash, *signer));
        self.assembled(block_hash, &signers.iter().map(signed).collect::<Vec<_>>())
    }

    /// The same by all.
    pub fn by_all(&self, block_hash: &[u8; 32]) -> Vec<u8> {
        self.certificate(block_hash, &(0..self.scalars.len()).collect::<Vec<_>>())
    }
}
