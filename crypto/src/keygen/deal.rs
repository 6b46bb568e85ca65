//! The dealer's part: polynomials, commitments, proofs and the shares for each validator.

use super::package::{DealerPackage, constant_transcript};
use super::{KeyGenContext, KeyGenError, read_number};
use crate::group::{PointBytes, decode_scalar};
use crate::labels;
use crate::schnorr::{SignatureBytes, SigningKey};
use crate::secret::Secret;
use crate::wire::{Reader, WireError};
use curve25519_dalek::scalar::Scalar;
use frost_ristretto255 as frost;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use rayon::prelude::*;

/// One dealer's secret shares of all keys for one validator. They travel encrypted to that validator.
#[derive(Clone, Debug)]
pub struct DealtShares {
    /// Who dealt.
    pub dealer: u16,
    /// Who may see them.
    pub receiver: u16,
    pub(super) shares: Secret<Vec<Scalar>>,
}

/// What a dealer makes for one key.
struct DealtKey {
    commitments: Vec<PointBytes>,
    proof: SignatureBytes,
    /// The share of validator i at i − 1.
    shares: Secret<Vec<Scalar>>,
}

/// Deals all keys of the session as dealer `dealer`: the package for the ledger and the shares of each validator, in
/// the order 1..=n and the dealer's own among them. The package is signed with `key`.
///
/// Every coefficient is drawn afresh; each key has a generator of its own seeded from `rng`, so that the result does
/// not depend on the number of threads.
///
/// # Errors
/// [`KeyGenError::Context`] and [`KeyGenError::UnknownDealer`] for numbers out of bounds.
pub fn deal(
    ctx: &KeyGenContext,
    key: &SigningKey,
    dealer: u16,
    rng: &mut impl CryptoRngCore,
) -> Result<(DealerPackage, Vec<DealtShares>), KeyGenError> {
    ctx.check()?;
    ctx.check_dealer(dealer)?;
    let mut seeds = Secret::new(vec![[0u8; 32]; ctx.key_count()]);
    seeds.expose_mut().iter_mut().for_each(|seed| rng.fill_bytes(seed));
    let base = ctx.transcript(labels::KEYGEN_PROOF, dealer);
    let dealt = (0..ctx.keys)
        .into_par_iter()
        .zip(seeds.expose())
        .map(|(index, seed)| deal_key(ctx, &base, index, ChaCha20Rng::from_seed(*seed)))
        .collect::<Result<Vec<_>, _>>()?;

    let receivers = (1..=ctx.validators).map(|receiver| DealtShares {
        dealer,
        receiver,
        shares: Secret::new(dealt.iter().map(|k| k.shares.expose()[usize::from(receiver) - 1]).collect()),
    });
    let receivers = receivers.collect();
    let (commitments, proofs) = dealt.into_iter().map(|k| (k.commitments, k.proof)).unzip();
    let mut package = DealerPackage { dealer, commitments, proofs, signature: [0; 64] };
    package.sign(ctx, key, rng);
    Ok((package, receivers))
}

/// Shares one fresh secret and proves knowledge of it.
fn deal_key(
    ctx: &KeyGenContext,
    base: &Transcript,
    index: u32,
    mut rng: ChaCha20Rng,
) -> Result<DealtKey, KeyGenError> {
    // FROST figure 1, round 1, steps 1 and 3.
    let constant = SigningKey::generate(&mut rng);
    let secret = frost::SigningKey::from_scalar(*constant.secret().expose()).map_err(sharing)?;
    let everybody = frost::keys::IdentifierList::Default;
    let (shares, _) =
        frost::keys::split(&secret, ctx.validators, ctx.threshold, everybody, &mut rng).map_err(sharing)?;
    let mut dealt = DealtKey {
        commitments: Vec::with_capacity(ctx.coefficients()),
        proof: [0; 64],
        // At full size from the start: a growing vector leaves copies behind.
        shares: Secret::new(Vec::with_capacity(ctx.validators.into())),
    };
    for receiver in 1..=ctx.validators {
        let share = frost::Identifier::try_from(receiver)
            .ok()
            .and_then(|identifier| shares.get(&identifier))
            .ok_or_else(|| KeyGenError::Sharing { why: format!("no share for validator {receiver}") })?;
        if dealt.commitments.is_empty() {
            dealt.commitments = encoded_commitments(share)?;
        }
        dealt.shares.expose_mut().push(share_scalar(share)?);
    }
    // Step 2: the proof of knowledge is a signature by a_0, its nonce bound to a_0 and the whole statement.
    let mut transcript = constant_transcript(base, index, &dealt.commitments);
    dealt.proof = constant.sign(&mut transcript, &mut rng);
    Ok(dealt)
}

fn sharing(error: frost::Error) -> KeyGenError {
    KeyGenError::Sharing { why: error.to_string() }
}

/// The commitments A_0..A_{t−1} that the threshold crate made.
fn encoded_commitments(share: &frost::keys::SecretShare) -> Result<Vec<PointBytes>, KeyGenError> {
    let encoded = share.commitment().serialize().map_err(sharing)?;
    let wrong_size = |_| KeyGenError::Sharing { why: "a commitment does not have 32 bytes".into() };
    encoded.into_iter().map(|bytes| PointBytes::try_from(bytes).map_err(wrong_size)).collect()
}

/// The share's scalar; the crate gives it out as bytes only.
fn share_scalar(share: &frost::keys::SecretShare) -> Result<Scalar, KeyGenError> {
    let bytes = Secret::new(share.signing_share().serialize());
    let wrong = |why: &str| KeyGenError::Sharing { why: why.into() };
    let array = bytes.expose().first_chunk::<32>().ok_or_else(|| wrong("a share does not have 32 bytes"))?;
    decode_scalar("share", array).map_err(|_| wrong("a share is not a canonical scalar"))
}

impl DealtShares {
    /// Canonical encoding: dealer ‖ receiver ‖ number of keys ‖ shares. Secret; to be encrypted to the receiver.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        let mut head = [0u8; 4];
        head[..2].copy_from_slice(&self.dealer.to_le_bytes());
        head[2..].copy_from_slice(&self.receiver.to_le_bytes());
        encode_scalars(&head, self.shares.expose())
    }

    /// Decodes shares of a session.
    ///
    /// # Errors
    /// [`WireError`] for a wrong length, a number of keys other than the session's, or a scalar that is not
    /// canonical.
    pub fn from_bytes(bytes: &[u8], ctx: &KeyGenContext) -> Result<Self, WireError> {
        Self::decode(bytes, ctx.key_count())
    }

    pub(super) fn decode(bytes: &[u8], keys: usize) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let dealer = read_number(&mut r, "dealer")?;
        let receiver = read_number(&mut r, "receiver")?;
        let shares = decode_scalars(&mut r, keys)?;
        r.finish()?;
        if shares.expose().len() != keys {
            return Err(WireError::Invalid { field: "shares", why: "not one share a key of the session" });
        }
        Ok(Self { dealer, receiver, shares })
    }
}

/// `head` and the length-prefixed scalars, in one allocation of the final size.
pub(super) fn encode_scalars(head: &[u8], scalars: &[Scalar]) -> Secret<Vec<u8>> {
    let count = u32::try_from(scalars.len()).expect("a session has at most 2^14 keys");
    let mut bytes = Secret::new(Vec::with_capacity(head.len() + 4 + 32 * scalars.len()));
    let out = bytes.expose_mut();
    out.extend_from_slice(head);
    out.extend_from_slice(&count.to_le_bytes());
    scalars.iter().for_each(|scalar| out.extend_from_slice(scalar.as_bytes()));
    bytes
}

/// Reads at most `bound` length-prefixed scalars.
pub(super) fn decode_scalars(r: &mut Reader<'_>, bound: usize) -> Result<Secret<Vec<Scalar>>, WireError> {
    let count = r.length("shares", bound, 32)?;
    let mut scalars = Secret::new(Vec::with_capacity(count));
    for _ in 0..count {
        let bytes = Secret::new(r.array("share")?);
        scalars.expose_mut().push(decode_scalar("share", bytes.expose())?);
    }
    Ok(scalars)
}
