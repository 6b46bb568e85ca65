//! The recovery note: the bid's quantities, encrypted to the owner, so that a keyring can be rebuilt from seed and
//! ledger (`protocol-spec/03`, item 5).
//!
//! The key is derived from the round's view key and the bid's salt; the salt depends on quantities and context, so
//! one key never encrypts two messages and the nonce can be constant.

use crate::bid::params::{BidParams, RoundContext};
use crate::bid::sealed::SealedBid;
use crate::keyring::RoundViewKey;
use crate::secret::Secret;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use thiserror::Error;

/// The note could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The bid's parts do not have the lengths of this market.
    #[error("the bid has not the shape of this market's bids")]
    Shape,
    /// Wrong view key, wrong round, or an altered note.
    #[error("the note does not open with this view key: wrong member or round, or the note was altered")]
    Closed,
}

fn associated_data(params: &BidParams, round: &RoundContext, account: &[u8; 32], salt: &[u8; 32]) -> Vec<u8> {
    let mut data = round.to_bytes(params, account);
    data.extend_from_slice(salt);
    data
}

/// Packs the quantities, `bits / 8` bytes each, least significant byte first.
fn pack(params: &BidParams, quantities_wh: &[u64]) -> Secret<Vec<u8>> {
    let width = params.bits() as usize / 8;
    // Room for all of it at once: a vector that grows leaves parts of the secret behind in freed memory.
    let mut packed = Secret::new(Vec::with_capacity(width * quantities_wh.len()));
    for quantity in quantities_wh {
        packed.expose_mut().extend_from_slice(&quantity.to_le_bytes()[..width]);
    }
    packed
}

/// Encrypts the quantities to the owner.
pub(crate) fn seal_note(
    params: &BidParams,
    round: &RoundContext,
    account: &[u8; 32],
    view: &RoundViewKey,
    salt: &[u8; 32],
    quantities_wh: &[u64],
) -> Vec<u8> {
    let key = view.note_key(salt);
    let cipher = Aes256Gcm::new(key.expose().into());
    let plain = pack(params, quantities_wh);
    let aad = associated_data(params, round, account, salt);
    cipher
        .encrypt(&Nonce::default(), Payload { msg: plain.expose(), aad: &aad })
        .expect("AES-GCM encrypts any message below 64 GiB")
}

/// Reads the quantities (Wh, one a step) of an own bid, or of a bid whose round view key was granted.
pub fn open_note(
    params: &BidParams,
    round: &RoundContext,
    view: &RoundViewKey,
    bid: &SealedBid,
) -> Result<Vec<u64>, NoteError> {
    if !bid.has_shape(params.shape()) {
        return Err(NoteError::Shape);
    }
    let key = view.note_key(&bid.salt);
    let cipher = Aes256Gcm::new(key.expose().into());
    let aad = associated_data(params, round, &bid.account, &bid.salt);
    let plain = Secret::new(
        cipher
            .decrypt(&Nonce::default(), Payload { msg: &bid.note, aad: &aad })
            .map_err(|_| NoteError::Closed)?,
    );
    let width = params.bits() as usize / 8;
    let unpack = |chunk: &[u8]| {
        let mut bytes = [0u8; 8];
        bytes[..width].copy_from_slice(chunk);
        u64::from_le_bytes(bytes)
    };
    Ok(plain.expose().chunks_exact(width).map(unpack).collect())
}
