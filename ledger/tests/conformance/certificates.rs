//! Certificates verified from the text of 13.9 alone, and signatures that hold for some readings of Ed25519 only.

use crate::signed::Electorate;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::hash::Hash;

/// A second verifier of certificates; its errors are the names of the rules.
#[derive(Debug)]
pub struct SpecCheck;

impl CertificateCheck for SpecCheck {
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block: &Hash,
        bytes: &[u8],
    ) -> Result<(), String> {
        verify(ledger_id, epoch, validators, block, bytes).map_err(str::to_owned)
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (head, tail) = self.0.split_at_checked(count).ok_or("Malformed")?;
        self.0 = tail;
        Ok(head)
    }

    /// LEB128, as short as can be.
    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let part = u64::from(byte & 0x7f);
            value |= part.checked_shl(shift).filter(|moved| moved >> shift == part).ok_or("Malformed")?;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 { Err("Malformed") } else { Ok(value) };
            }
        }
        Err("Malformed")
    }
}

fn verify(
    ledger_id: &Hash,
    epoch: u64,
    validators: &[[u8; 32]],
    block: &Hash,
    bytes: &[u8],
) -> Result<(), &'static str> {
    let mut keys = validators.to_vec();
    keys.sort_unstable();
    if bytes.len() > 256 + 66 * keys.len() {
        return Err("TooLong");
    }
    let mut input = Input(bytes);
    let (of_epoch, _view, _parent) = (input.varint()?, input.varint()?, input.varint()?);
    let of_block = input.take(32)?;
    let first_line = &bytes[..bytes.len() - input.0.len()];
    let count = u64::from_be_bytes(input.take(8)?.try_into().map_err(|_| "Malformed")?);
    if count != keys.len() as u64 {
        return Err("Malformed");
    }
    let bits = input.take(keys.len().div_ceil(8))?;
    let is_set = |bit: usize| bits[bit / 8] >> (bit % 8) & 1 == 1;
    let signers: Vec<usize> = (0..bits.len() * 8).filter(|bit| is_set(*bit)).collect();
    let signatures = input.varint()?;
    if signers.iter().any(|signer| *signer >= keys.len()) || signatures != signers.len() as u64 {
        return Err("Malformed");
    }
    let signatures: Vec<&[u8]> = signers.iter().map(|_| input.take(64)).collect::<Result<_, _>>()?;
    if !input.0.is_empty() {
        return Err("Malformed");
    }
    if of_epoch != epoch {
        return Err("Epoch");
    }
    if of_block != block {
        return Err("Block");
    }
    if signers.len() < keys.len() - (keys.len() - 1) / 3 {
        return Err("TooFewSigners");
    }
    let name = [b"veilgrid-engine/1/consensus/".as_slice(), ledger_id, b"_FINALIZE"].concat();
    let message = [&[name.len() as u8][..], &name, first_line].concat();
    let all =
        signers.iter().zip(signatures).all(|(signer, signature)| holds(&keys[*signer], &message, signature));
    if all { Ok(()) } else { Err("Signature") }
}

fn challenge(commitment: &[u8], key: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(commitment).chain_update(key).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&digest.finalize().into())
}

/// ZIP 215: R need not be canonical, s has to be, and the equation holds up to a point of small order.
fn holds(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let point = |bytes: &[u8]| CompressedEdwardsY::from_slice(bytes).ok()?.decompress();
    let response: Option<Scalar> =
        signature[32..].try_into().ok().and_then(|bytes| Scalar::from_canonical_bytes(bytes).into());
    let Some(((key_point, commitment), response)) = point(key).zip(point(&signature[..32])).zip(response)
    else {
        return false;
    };
    let challenge = challenge(&signature[..32], key, message);
    let rest: EdwardsPoint = BASE * response - key_point * challenge - commitment;
    rest.mul_by_cofactor().is_identity()
}

/// How a faulty validator can sign so that implementations of Ed25519 differ.
#[derive(Clone, Copy)]
pub enum Odd {
    /// R with a part of order 8: holds with the cofactor only.
    SmallOrderPart,
    /// R = 0, written as p + 1 instead of 1.
    NotCanonical,
    /// s + l in place of s: not canonical, and refused.
    LongResponse,
}

/// The validator's signature over a block in such a form.
pub fn odd_signature(voters: &Electorate, block: &[u8; 32], signer: usize, odd: Odd) -> [u8; 64] {
    let (secret, key) = (voters.sorted()[signer], voters.keys()[signer]);
    let message = voters.message(block);
    let nonce = Scalar::from(11u8);
    let mut one = [0xff; 32];
    (one[0], one[31]) = (0xee, 0x7f);
    let (commitment, nonce) = match odd {
        Odd::SmallOrderPart => ((BASE * nonce + EIGHT_TORSION[1]).compress().to_bytes(), nonce),
        Odd::NotCanonical => (one, Scalar::ZERO),
        Odd::LongResponse => ((BASE * nonce).compress().to_bytes(), nonce),
    };
    let mut response = (nonce + challenge(&commitment, &key, &message) * secret).to_bytes();
    if matches!(odd, Odd::LongResponse) {
        add_order(&mut response);
    }
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice(&response);
    signature
}

/// Adds l, little-endian. The sum stays below 2^254.
fn add_order(bytes: &mut [u8; 32]) {
    let order = (-Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    for (byte, more) in bytes.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}
