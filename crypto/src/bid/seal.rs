//! Sealing: from quantities to a signed bid.

use crate::absorb::Absorb;
use crate::bid::commit::{BidVector, commit};
use crate::bid::inner_product;
use crate::bid::note::seal_note;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::range_prover::{BitCommitment, Bits, Evaluation, powers};
use crate::bid::sealed::SealedBid;
use crate::group::{PointBytes, TranscriptExt, encode_point};
use crate::keyring::Keyring;
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// A bid that cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// One quantity a step is needed.
    #[error("{given} quantities given, the market has {steps} steps")]
    Steps {
        /// Quantities given.
        given: usize,
        /// Steps of the market.
        steps: usize,
    },
    /// A quantity does not fit the market's width.
    #[error("the quantity at step {step} needs more than {bits} bits")]
    Quantity {
        /// Step index from 0. The quantity itself is not named: errors may be logged.
        step: usize,
        /// The market's width.
        bits: u32,
    },
}

/// Seals the quantities (Wh, one a step) of one account for one round.
///
/// The randomness r follows from the member's view key, the quantities and the context, so two different bids never
/// share it; the proof's randomness comes from witness, proof branch, transcript and `rng` together.
///
/// Whoever calls this persists the bytes before sending them and sends the same bytes again on a retry.
pub fn seal_bid(
    params: &BidParams,
    round: &RoundContext,
    keyring: &Keyring,
    quantities_wh: &[u64],
    rng: &mut impl CryptoRngCore,
) -> Result<SealedBid, SealError> {
    check_quantities(params, quantities_wh)?;
    let signing_key = keyring.account_key(round.key_epoch);
    let account = signing_key.verifying_key().to_bytes();
    let view = keyring.round_view_key(round.key_epoch, round.round_id);
    let salt = view.salt(&salt_message(params, round, &account, quantities_wh));
    let r = view.randomness(&salt);

    let vector = commit(params, &r, quantities_wh);
    let mut t = round.transcript(params, &account);
    let rho = absorb_vector(&mut t, params, &salt, &vector.r, &vector.c);
    let seed = keyring.proof_seed(round.key_epoch, round.round_id);
    let mut rng_builder = t.build_rng().rekey_with_witness_bytes(b"r", r.expose().as_bytes());
    rng_builder = rng_builder.rekey_with_witness_bytes(b"seed", seed.expose());
    for quantity in quantities_wh {
        rng_builder = rng_builder.rekey_with_witness_bytes(b"x", &quantity.to_le_bytes());
    }
    let mut proof_rng = rng_builder.finalize(rng);

    let bits = Bits::of(params.bases(), quantities_wh);
    let commitment = BitCommitment::new(params, bits, &mut t, &mut proof_rng);
    let proof = finish_proof(params, &mut t, commitment, &r, quantities_wh, &rho, &mut proof_rng);
    let note = seal_note(params, round, &account, &view, &salt, quantities_wh);
    t.append_message(b"note", &note);
    let signature = signing_key.sign(&mut t, &mut proof_rng);
    let BidVector { r, c } = vector;
    Ok(SealedBid { round_id: round.round_id, account, salt, r, c, proof, note, signature })
}

fn check_quantities(params: &BidParams, quantities_wh: &[u64]) -> Result<(), SealError> {
    let (steps, bits) = (params.steps(), params.bits());
    if quantities_wh.len() != steps {
        return Err(SealError::Steps { given: quantities_wh.len(), steps });
    }
    match quantities_wh.iter().position(|quantity| quantity >> bits != 0) {
        Some(step) => Err(SealError::Quantity { step, bits }),
        None => Ok(()),
    }
}

/// The salt's PRF input, "orders ‖ context": it holds the quantities, so it is wiped.
fn salt_message(
    params: &BidParams,
    round: &RoundContext,
    account: &PointBytes,
    quantities_wh: &[u64],
) -> zeroize::Zeroizing<Vec<u8>> {
    let mut message = zeroize::Zeroizing::new(Vec::with_capacity(256 + 8 * quantities_wh.len()));
    for quantity in quantities_wh {
        message.extend_from_slice(&quantity.to_le_bytes());
    }
    message.extend_from_slice(&round.to_bytes(params, account));
    message
}

/// Absorbs salt and vector and draws ρ, which must come after R and every C_k. Prover and verifier share this.
pub(crate) fn absorb_vector(
    t: &mut impl Absorb,
    params: &BidParams,
    salt: &[u8; 32],
    r: &PointBytes,
    c: &[PointBytes],
) -> Scalar {
    t.absorb(b"salt", salt);
    t.absorb(b"R", r);
    t.absorb(b"C", c.as_flattened());
    let rho = t.draw_scalar(b"rho");
    t.absorb_u64(b"bits", u64::from(params.bits()));
    t.absorb_u64(b"steps", params.steps() as u64);
    rho
}

/// From (A, S) to the proof's bytes.
pub(crate) fn finish_proof(
    params: &BidParams,
    t: &mut Transcript,
    commitment: BitCommitment<'_>,
    r: &Secret<Scalar>,
    quantities_wh: &[u64],
    rho: &Scalar,
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let rho_powers = powers(Scalar::ONE, rho, params.steps());
    let x_rho: Scalar = quantities_wh.iter().zip(&rho_powers).map(|(x, p)| Scalar::from(*x) * p).sum();
    let (a, s) = (commitment.a, commitment.s);
    let polynomial = commitment.polynomial(t, rng);
    let (y, z, t1, t2) = (polynomial.y, polynomial.z, polynomial.t1, polynomial.t2);
    let mut evaluation = polynomial.evaluate();
    let witness = LinkWitness { r: r.clone(), tau: evaluation.tau.clone(), x_rho: Secret::new(x_rho) };
    let link = prove_link(params, t, &witness, &evaluation, &z, &rho_powers, rng);

    let w = t.challenge_scalar(b"w");
    let Evaluation { l, r: r_vector, .. } = &mut evaluation;
    let argument = inner_product::prove(params, t, l, r_vector, &y, &w);
    let mut proof = [a, s, t1, t2].concat();
    proof.extend_from_slice(&link);
    for (left, right) in &argument.rounds {
        proof.extend_from_slice(left);
        proof.extend_from_slice(right);
    }
    proof.extend_from_slice(argument.a.as_bytes());
    proof.extend_from_slice(argument.b.as_bytes());
    proof
}

/// What the Schnorr proof of E1 to E3 knows.
pub(crate) struct LinkWitness {
    pub r: Secret<Scalar>,
    pub tau: Secret<Scalar>,
    pub x_rho: Secret<Scalar>,
}

/// Announcements for E1, E2, E3, then t̂, μ, then the responses: eight 32-byte items.
pub(crate) fn prove_link(
    params: &BidParams,
    t: &mut Transcript,
    witness: &LinkWitness,
    evaluation: &Evaluation,
    z: &Scalar,
    rho_powers: &[Scalar],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let bases = params.bases();
    let nonce = || Scalar::random(&mut *rng);
    let [k_r, k_tau, k_x] = std::iter::repeat_with(nonce)
        .take(3)
        .map(Secret::new)
        .collect::<Vec<_>>()
        .try_into()
        .expect("three nonces");
    // Public combinations of public keys; only the multiplication by the nonce is secret, and that is constant-time.
    let y_z = RistrettoPoint::vartime_multiscalar_mul(powers(z * z, z, params.steps()), params.step_keys());
    let y_rho = RistrettoPoint::vartime_multiscalar_mul(rho_powers, params.step_keys());
    let announcements = [
        k_r.expose() * y_z + k_tau.expose() * bases.blinding_table(),
        k_x.expose() * bases.value_table() + k_r.expose() * y_rho,
        k_r.expose() * RISTRETTO_BASEPOINT_TABLE,
    ]
    .map(|point| encode_point(&point));
    absorb_link_announcements(t, &evaluation.t_hat, &evaluation.mu, &announcements);
    let e = t.challenge_scalar(b"e");
    let responses = [
        k_r.expose() + e * witness.r.expose(),
        k_tau.expose() + e * witness.tau.expose(),
        k_x.expose() + e * witness.x_rho.expose(),
    ];
    absorb_link_responses(t, &responses);
    let mut bytes = announcements.concat();
    for scalar in [evaluation.t_hat, evaluation.mu].iter().chain(&responses) {
        bytes.extend_from_slice(scalar.as_bytes());
    }
    bytes
}

/// t̂, μ and the announcements of E1 to E3, before the challenge e.
pub(crate) fn absorb_link_announcements(
    t: &mut impl Absorb,
    t_hat: &Scalar,
    mu: &Scalar,
    announcements: &[PointBytes; 3],
) {
    t.absorb(b"t_hat", t_hat.as_bytes());
    t.absorb(b"mu", mu.as_bytes());
    t.absorb(b"N1", &announcements[0]);
    t.absorb(b"N2", &announcements[1]);
    t.absorb(b"N3", &announcements[2]);
}

/// The responses, before the challenge w of the inner-product argument.
pub(crate) fn absorb_link_responses(t: &mut impl Absorb, responses: &[Scalar; 3]) {
    t.absorb(b"s_r", responses[0].as_bytes());
    t.absorb(b"s_tau", responses[1].as_bytes());
    t.absorb(b"s_x", responses[2].as_bytes());
}
