//! Sealing: from quantities to a signed bid.

use crate::absorb::Absorb;
use crate::bid::commit::{BidVector, commit};
use crate::bid::inner_product;
use crate::bid::money::{
    AccountTerms, AvailableOpening, BidMoney, CostWeights, MoneyWeights, is_buy, vector_weights,
};
use crate::bid::note::seal_note;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::range_prover::{BitCommitment, Bits, Evaluation, ExtraValues, powers};
use crate::bid::sealed::SealedBid;
use crate::bid::steps::Steps;
use crate::group::{PointBytes, TranscriptExt, encode_point};
use crate::keyring::{Keyring, RoundViewKey};
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::{Choice, ConditionallySelectable};
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
    /// The bid is sealed with money in a market without, or the other way round, or with costs for another grid.
    #[error("the bid and the market do not agree on whether bids have money")]
    Money,
    /// The buys add up to more than the account may import in the slot.
    #[error("the bid buys more than the account's certified import capacity of a slot")]
    ImportCapacity,
    /// The sells add up to more than the account may export in the slot.
    #[error("the bid sells more than the account's certified export capacity of a slot")]
    ExportCapacity,
    /// The account cannot pay for the worst outcome.
    #[error("the worst outcome of the bid costs more than the account's balance and credit allow")]
    Balance,
}

/// Seals the quantities (Wh, one a step) of one account for one round, in a market without money.
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
    match params.account_key() {
        Some(_) => Err(SealError::Money),
        None => seal(params, round, keyring, quantities_wh, None, rng),
    }
}

/// As [`seal_bid`] in a market with money: proves that the quantities keep to the capacities of `terms`, and that the
/// account can pay for the worst outcome or asks for nothing.
///
/// The opening of the bid's cost follows from the keyring: [`cost_opening`].
///
/// # Errors
/// Besides those of [`seal_bid`], when a capacity or the balance does not suffice.
pub fn seal_bid_with_money(
    params: &BidParams,
    round: &RoundContext,
    keyring: &Keyring,
    quantities_wh: &[u64],
    terms: &AccountTerms,
    available: &AvailableOpening,
    rng: &mut impl CryptoRngCore,
) -> Result<SealedBid, SealError> {
    if params.account_key().is_none() || terms.costs.weights().len() != params.steps() {
        return Err(SealError::Money);
    }
    check_quantities(params, quantities_wh)?;
    let values = extra_values(quantities_wh, terms, available)?;
    seal(params, round, keyring, quantities_wh, Some(Money { terms, available, values }), rng)
}

/// What the owner of a sealed bid with money knows of its cost: cost and γ of C = cost·V + γ·Y_0.
pub fn cost_opening(
    quantities_wh: &[u64],
    costs: &CostWeights,
    view: &RoundViewKey,
    salt: &[u8; 32],
) -> Option<(Secret<i128>, Secret<Scalar>)> {
    Some((Secret::new(cost(quantities_wh, costs)?), view.cost_blinding(salt)))
}

/// A bid's money, as its prover knows it.
pub(crate) struct Money<'a> {
    pub terms: &'a AccountTerms,
    pub available: &'a AvailableOpening,
    pub values: ExtraValues,
}

pub(crate) fn seal(
    params: &BidParams,
    round: &RoundContext,
    keyring: &Keyring,
    quantities_wh: &[u64],
    money: Option<Money<'_>>,
    rng: &mut impl CryptoRngCore,
) -> Result<SealedBid, SealError> {
    check_quantities(params, quantities_wh)?;
    let terms = money.as_ref().map(|money| money.terms);
    let signing_key = keyring.account_key(round.key_epoch);
    let account = signing_key.verifying_key().to_bytes();
    let view = keyring.round_view_key(round.key_epoch, round.round_id);
    let salt = view.salt(&salt_message(params, round, &account, quantities_wh, terms));
    let r = view.randomness(&salt);

    let vector = commit(params, &r, quantities_wh);
    let cost = money.as_ref().map(|money| commit_cost(params, &money.values.cost, &view, &salt));
    let mut t = round.transcript(params, &account, terms);
    let part = cost.as_ref().map(|(cost, _)| cost);
    let rho = absorb_vector(&mut t, params, &salt, &vector.r, &vector.c, part);
    let seed = keyring.proof_seed(round.key_epoch, round.round_id);
    let mut rng_builder = t.build_rng().rekey_with_witness_bytes(b"r", r.expose().as_bytes());
    rng_builder = rng_builder.rekey_with_witness_bytes(b"seed", seed.expose());
    for quantity in quantities_wh {
        rng_builder = rng_builder.rekey_with_witness_bytes(b"x", &quantity.to_le_bytes());
    }
    if let Some(money) = &money {
        let blinding = money.available.blinding.expose().as_bytes();
        rng_builder = rng_builder.rekey_with_witness_bytes(b"available", blinding);
    }
    let mut proof_rng = rng_builder.finalize(rng);

    let bits = Bits::of(params.bases(), quantities_wh, money.as_ref().map(|money| &money.values));
    let commitment = BitCommitment::new(params, bits, &mut t, &mut proof_rng);
    let witness = Witness {
        r: &r,
        quantities_wh,
        steps: Steps::All,
        rho: &rho,
        money: money.as_ref().zip(cost.as_ref()).map(|(money, (_, gamma))| MoneyWitness {
            costs: &money.terms.costs,
            available: money.available,
            gamma,
        }),
    };
    let proof = finish_proof(params, &mut t, commitment, &witness, &mut proof_rng);
    let note = seal_note(params, round, &account, &view, &salt, quantities_wh);
    t.append_message(b"note", &note);
    let signature = signing_key.sign(&mut t, &mut proof_rng);
    let BidVector { r, c } = vector;
    let money =
        cost.zip(terms).map(|((cost, _), terms)| BidMoney { cost, debit_sequence: terms.debit_sequence });
    Ok(SealedBid { round_id: round.round_id, account, salt, r, c, money, proof, note, signature })
}

/// The cost of the worst outcome for the bidder; none when it is more than any balance.
fn cost(quantities_wh: &[u64], costs: &CostWeights) -> Option<i128> {
    let products = quantities_wh.iter().zip(costs.weights());
    let cost: u128 = products.map(|(x, weight)| u128::from(*x) * u128::from(*weight)).sum();
    i128::try_from(cost).ok()
}

/// C = cost·V + γ·Y_0 and γ.
fn commit_cost(
    params: &BidParams,
    cost: &Secret<Scalar>,
    view: &RoundViewKey,
    salt: &[u8; 32],
) -> (PointBytes, Secret<Scalar>) {
    let gamma = view.cost_blinding(salt);
    let key = params.account_key().expect("a market with money");
    let mask = Secret::new(gamma.expose() * key);
    (encode_point(&(cost.expose() * params.bases().value_table() + mask.expose())), gamma)
}

/// The values that a bid with money proves besides its quantities.
fn extra_values(
    quantities_wh: &[u64],
    terms: &AccountTerms,
    available: &AvailableOpening,
) -> Result<ExtraValues, SealError> {
    let side = |buys: bool| -> u64 {
        quantities_wh.iter().enumerate().map(|(step, x)| if is_buy(step) == buys { *x } else { 0 }).sum()
    };
    // Quantities are below 2^32 and steps at most 2^13.
    let (buys, sells) = (side(true), side(false));
    let import_left = u64::from(terms.import_wh).checked_sub(buys).ok_or(SealError::ImportCapacity)?;
    let export_left = u64::from(terms.export_wh).checked_sub(sells).ok_or(SealError::ExportCapacity)?;
    let cost = cost(quantities_wh, &terms.costs).ok_or(SealError::Balance)?;
    let left = available.amount.expose() - cost;
    let (asked, solvent) = (buys + sells, left >= 0);
    if !solvent && asked > 0 || left >= 1 << 63 {
        return Err(SealError::Balance);
    }
    let balance_left = u64::conditional_select(&0, &(left as u64), Choice::from(u8::from(solvent)));
    let lacking = left - i128::from(balance_left);
    // Never positive: a balance lacks what it is below zero.
    let lacking = -Scalar::from(lacking.unsigned_abs());
    Ok(ExtraValues {
        left: Secret::new([import_left, export_left, balance_left]),
        product: Secret::new([Scalar::from(asked), lacking]),
        cost: Secret::new(Scalar::from(cost.unsigned_abs())),
    })
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
    terms: Option<&AccountTerms>,
) -> zeroize::Zeroizing<Vec<u8>> {
    let mut message = zeroize::Zeroizing::new(Vec::with_capacity(512 + 8 * quantities_wh.len()));
    for quantity in quantities_wh {
        message.extend_from_slice(&quantity.to_le_bytes());
    }
    message.extend_from_slice(&round.to_bytes(params, account));
    if let Some(terms) = terms {
        message.extend_from_slice(&terms.to_bytes());
    }
    message
}

/// Absorbs salt, vector and cost and draws ρ, which must come after R and every C_k. Prover and verifier share this.
pub(crate) fn absorb_vector(
    t: &mut impl Absorb,
    params: &BidParams,
    salt: &[u8; 32],
    r: &PointBytes,
    c: &[PointBytes],
    cost: Option<&PointBytes>,
) -> Scalar {
    t.absorb(b"salt", salt);
    t.absorb(b"R", r);
    t.absorb(b"C", c.as_flattened());
    if let Some(cost) = cost {
        t.absorb(b"cost", cost);
    }
    let rho = t.draw_scalar(b"rho");
    t.absorb_u64(b"bits", u64::from(params.bits()));
    t.absorb_u64(b"steps", params.steps() as u64);
    rho
}

/// What the prover knows when the proof is finished.
pub(crate) struct Witness<'a> {
    pub r: &'a Secret<Scalar>,
    /// One per step; zero where `steps` has none.
    pub quantities_wh: &'a [u64],
    pub steps: Steps,
    pub rho: &'a Scalar,
    pub money: Option<MoneyWitness<'a>>,
}

/// The same about money.
#[derive(Clone, Copy)]
pub(crate) struct MoneyWitness<'a> {
    pub costs: &'a CostWeights,
    pub available: &'a AvailableOpening,
    /// γ of the cost.
    pub gamma: &'a Secret<Scalar>,
}

/// From (A, S) to the proof's bytes.
pub(crate) fn finish_proof(
    params: &BidParams,
    t: &mut Transcript,
    commitment: BitCommitment<'_>,
    witness: &Witness<'_>,
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let rho_powers = powers(Scalar::ONE, witness.rho, params.steps());
    let x_rho: Scalar =
        witness.quantities_wh.iter().zip(&rho_powers).map(|(x, p)| Scalar::from(*x) * p).sum();
    let (a, s) = (commitment.a, commitment.s);
    let polynomial = commitment.polynomial(t, rng);
    let (y, z, t1, t2) = (polynomial.y, polynomial.z, polynomial.t1, polynomial.t2);
    let mut evaluation = polynomial.evaluate();
    let weights = MoneyWeights::of(&z, params.steps());
    let link_witness = LinkWitness {
        r: witness.r.clone(),
        tau: evaluation.tau.clone(),
        x_rho: Secret::new(x_rho),
        // What the balance and the cost carry of Y_0 in E1.
        of_account: witness.money.map(|money| {
            let left = money.available.blinding.expose() - money.gamma.expose();
            Secret::new(weights.balance * left - weights.cost * money.gamma.expose())
        }),
    };
    let costs = witness.money.as_ref().map(|money| money.costs);
    let e1_weights = vector_weights(&z, params.steps(), costs);
    let weights = [e1_weights, rho_powers].map(|weights| witness.steps.select(&weights));
    let keys = witness.steps.select(params.step_keys());
    // Public combinations of public keys; only the multiplication by the nonce is secret, and that is constant-time.
    let combined = weights.map(|weights| RistrettoPoint::vartime_multiscalar_mul(weights, &keys));
    let link = prove_link(params, t, &link_witness, &evaluation, &combined, rng);

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
    /// The multiple of Y_0 in E1, with money.
    pub of_account: Option<Secret<Scalar>>,
}

/// Announcements for E1, E2, E3, then t̂, μ, then the responses: eight 32-byte items, nine with money. `combined` are the sums of
/// the keys with the weights of the C_k in E1 and E2.
pub(crate) fn prove_link(
    params: &BidParams,
    t: &mut Transcript,
    witness: &LinkWitness,
    evaluation: &Evaluation,
    [y_z, y_rho]: &[RistrettoPoint; 2],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let bases = params.bases();
    let nonce = || Scalar::random(&mut *rng);
    let nonces = std::iter::repeat_with(nonce).take(3 + usize::from(witness.of_account.is_some()));
    let nonces: Vec<Secret<Scalar>> = nonces.map(Secret::new).collect();
    let [k_r, k_tau, k_x] = [&nonces[0], &nonces[1], &nonces[2]];
    let k_account = nonces.get(3).zip(params.account_key());
    let announcements = [
        k_r.expose() * y_z
            + k_tau.expose() * bases.blinding_table()
            + k_account.map_or(RistrettoPoint::identity(), |(nonce, key)| nonce.expose() * key),
        k_x.expose() * bases.value_table() + k_r.expose() * y_rho,
        k_r.expose() * RISTRETTO_BASEPOINT_TABLE,
    ]
    .map(|point| encode_point(&point));
    absorb_link_announcements(t, &evaluation.t_hat, &evaluation.mu, &announcements);
    let e = t.challenge_scalar(b"e");
    let mut responses = vec![
        k_r.expose() + e * witness.r.expose(),
        k_tau.expose() + e * witness.tau.expose(),
        k_x.expose() + e * witness.x_rho.expose(),
    ];
    responses.extend(
        witness
            .of_account
            .as_ref()
            .zip(nonces.get(3))
            .map(|(secret, nonce)| nonce.expose() + e * secret.expose()),
    );
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
pub(crate) fn absorb_link_responses<'a>(
    t: &mut impl Absorb,
    responses: impl IntoIterator<Item = &'a Scalar>,
) {
    for (label, response) in [&b"s_r"[..], b"s_tau", b"s_x", b"s_account"].into_iter().zip(responses) {
        t.absorb(label, response.as_bytes());
    }
}
