//! A prover that deviates on purpose. It is put together from the honest prover's states, with its own link proof, so
//! that every message can be wrong while all the others fit it.

use crate::bid::inner_product;
use crate::bid::note::seal_note;
use crate::bid::range_prover::{BitCommitment, Bits, powers};
use crate::bid::seal::{absorb_link_announcements, absorb_link_responses, absorb_vector};
use crate::bid::sealed::SealedBid;
use crate::bid::tests::World;
use crate::group::{PointBytes, TranscriptExt, encode_point};
use crate::schnorr::SigningKey;
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use merlin::Transcript;

/// The deviations; the default is an honest bid. "Adapted" errors are carried through all later messages.
pub(super) struct Cheat {
    /// Bit vectors a_L, a_R other than those of the quantities.
    pub bits: Option<(Vec<Scalar>, Vec<Scalar>)>,
    /// Added to C_k without telling the proof.
    pub c_error: Option<(usize, RistrettoPoint)>,
    /// C_k gets d·V and x_ρ is adapted: the vector encrypts another value than the range proof speaks of.
    pub value_shift: Option<(usize, Scalar)>,
    /// C_k gets d·B and τ is adapted, so that E1 holds.
    pub blinding_shift: Option<(usize, Scalar)>,
    /// t̂ gets z^{1+k}·d, so that E1 holds for a value shifted by d.
    pub t_hat_shift: Option<(usize, Scalar)>,
    /// R for this r, while the C_k have another.
    pub r_other: Option<Scalar>,
    /// The vector and the link proof use these keys instead of the market's.
    pub keys: Option<Vec<RistrettoPoint>>,
    /// Added to the announcements of E1, E2, E3.
    pub announcement_errors: [RistrettoPoint; 3],
    /// Added to μ before it is absorbed.
    pub mu_error: Scalar,
    /// Added to the responses s_r, s_τ, s_x before they are absorbed.
    pub response_errors: [Scalar; 3],
    /// Added to the last scalar a of the inner-product argument before it is absorbed.
    pub a_error: Scalar,
    /// Added to the signature's announcement before it is absorbed.
    pub signature_error: RistrettoPoint,
    /// Signs in place of the account's key.
    pub signer: Option<SigningKey>,
}

impl Default for Cheat {
    fn default() -> Self {
        Self {
            bits: None,
            c_error: None,
            value_shift: None,
            blinding_shift: None,
            t_hat_shift: None,
            r_other: None,
            keys: None,
            announcement_errors: [RistrettoPoint::identity(); 3],
            mu_error: Scalar::ZERO,
            response_errors: [Scalar::ZERO; 3],
            a_error: Scalar::ZERO,
            signature_error: RistrettoPoint::identity(),
            signer: None,
        }
    }
}

/// z^{1+k}·d for step index k − 1, or zero.
fn shift_at(z: &Scalar, shift: &Option<(usize, Scalar)>) -> Scalar {
    shift.map_or(Scalar::ZERO, |(step, d)| powers(z * z, z, step + 1)[step] * d)
}

/// What the forged link proof knows and answers with.
struct Link<'a> {
    keys: &'a [RistrettoPoint],
    r: Scalar,
    tau: Scalar,
    x_rho: Scalar,
    t_hat: Scalar,
    mu: Scalar,
    z: Scalar,
    rho_powers: &'a [Scalar],
}

impl World {
    /// Seals `quantities_wh`, which need not fit the market's bits, with the deviations of `cheat`.
    pub(super) fn forge(&mut self, quantities_wh: &[u64], cheat: &Cheat) -> SealedBid {
        let (keyring, params, round) = (self.keyring(), self.params.clone(), self.round);
        let account_key = keyring.account_key(round.key_epoch);
        let account = account_key.verifying_key().to_bytes();
        let view = keyring.round_view_key(round.key_epoch, round.round_id);
        let salt = view.salt(&self.scalar().to_bytes());
        let secret_r = *view.randomness(&salt).expose();
        let keys = cheat.keys.clone().unwrap_or_else(|| params.step_keys().to_vec());
        let (r, c) = self.forge_vector(&keys, &secret_r, quantities_wh, cheat);
        let mut t = round.transcript(&params, &account, None);
        let rho = absorb_vector(&mut t, &params, &salt, &r, &c, None);
        let rho_powers = powers(Scalar::ONE, &rho, params.steps());

        let commitment = self.forge_bits(&params, quantities_wh, cheat, &mut t);
        let (a, s) = (commitment.a, commitment.s);
        let polynomial = commitment.polynomial(&mut t, &mut self.rng);
        let (y, z, t1, t2) = (polynomial.y, polynomial.z, polynomial.t1, polynomial.t2);
        let evaluation = polynomial.evaluate();
        let x_rho: Scalar = quantities_wh.iter().zip(&rho_powers).map(|(x, p)| Scalar::from(*x) * p).sum();
        let link = Link {
            keys: &keys,
            r: secret_r,
            tau: evaluation.tau.expose() + shift_at(&z, &cheat.blinding_shift),
            x_rho: x_rho + cheat.value_shift.map_or(Scalar::ZERO, |(step, d)| rho_powers[step] * d),
            t_hat: evaluation.t_hat + shift_at(&z, &cheat.t_hat_shift),
            mu: evaluation.mu + cheat.mu_error,
            z,
            rho_powers: &rho_powers,
        };
        let mut proof = [a, s, t1, t2].concat();
        proof.extend(self.forge_link(&link, cheat, &mut t));
        let w = t.challenge_scalar(b"w");
        // The argument absorbs its own last scalars, so a wrong `a` is absorbed by a copy that stops before them.
        let mut honest = t.clone();
        let (mut l, mut r_vector) = (evaluation.l.to_vec(), evaluation.r.to_vec());
        let argument = inner_product::prove(&params, &mut honest, &mut l, &mut r_vector, &y, &w);
        for (left, right) in &argument.rounds {
            t.append_message(b"L", left);
            t.append_message(b"R", right);
            t.challenge_scalar(b"u");
            proof.extend_from_slice(&[*left, *right].concat());
        }
        let last = argument.a + cheat.a_error;
        t.append_message(b"a", last.as_bytes());
        t.append_message(b"b", argument.b.as_bytes());
        proof.extend_from_slice(&[last.to_bytes(), argument.b.to_bytes()].concat());
        // The note must have the market's length whatever the quantities are; nobody but the owner reads it.
        let note = seal_note(&params, &round, &account, &view, &salt, &vec![0; params.steps()]);
        let mut bid = SealedBid {
            round_id: round.round_id,
            account,
            salt,
            r,
            c,
            money: None,
            proof,
            note,
            signature: [0; 64],
        };
        let signer = cheat.signer.as_ref().unwrap_or(&account_key);
        self.sign(&mut bid, signer, &cheat.signature_error, &mut t);
        bid
    }

    /// Signs the note after the transcript of a proof. The account of the bid is absorbed as the signer, whoever
    /// signs, because the verifier absorbs it too.
    fn sign(&mut self, bid: &mut SealedBid, key: &SigningKey, error: &RistrettoPoint, t: &mut Transcript) {
        t.append_message(b"note", &bid.note);
        t.append_message(b"signer", &bid.account);
        let nonce = self.scalar();
        let announcement = encode_point(&(&nonce * RISTRETTO_BASEPOINT_TABLE + error));
        t.append_message(b"announcement", &announcement);
        let challenge = t.challenge_scalar(b"signature-challenge");
        bid.signature[..32].copy_from_slice(&announcement);
        bid.signature[32..].copy_from_slice((nonce + challenge * key.secret().expose()).as_bytes());
    }

    /// Signs `bid` anew as it stands, for the account of `key`: what a copier can always do.
    pub(super) fn sign_as(&mut self, bid: &mut SealedBid, key: &SigningKey) {
        bid.account = key.verifying_key().to_bytes();
        let mut t = self.round.transcript(&self.params, &bid.account, None);
        absorb_vector(&mut t, &self.params, &bid.salt, &bid.r, &bid.c, None);
        let item = |i: usize| -> &[u8] { &bid.proof[32 * i..32 * i + 32] };
        let rounds = self.params.shape().pairs();
        // Item by item in the order of the transcript, with the challenges between them.
        let mut step = |names: &[&'static [u8]], first: usize, challenges: &[&'static [u8]]| {
            for (offset, name) in names.iter().enumerate() {
                t.append_message(name, item(first + offset));
            }
            for name in challenges {
                t.challenge_scalar(name);
            }
        };
        step(&[b"A", b"S"], 0, &[b"y", b"z"]);
        step(&[b"T1", b"T2"], 2, &[b"x"]);
        step(&[b"t_hat", b"mu"], 7, &[]);
        step(&[b"N1", b"N2", b"N3"], 4, &[b"e"]);
        step(&[b"s_r", b"s_tau", b"s_x"], 9, &[b"w"]);
        for round in 0..rounds {
            step(&[b"L", b"R"], 12 + 2 * round, &[b"u"]);
        }
        step(&[b"a", b"b"], 12 + 2 * rounds, &[]);
        self.sign(bid, key, &RistrettoPoint::identity(), &mut t);
    }

    fn forge_vector(
        &self,
        keys: &[RistrettoPoint],
        secret_r: &Scalar,
        quantities_wh: &[u64],
        cheat: &Cheat,
    ) -> (PointBytes, Vec<PointBytes>) {
        let bases = self.params.bases();
        let mut c: Vec<RistrettoPoint> = quantities_wh
            .iter()
            .zip(keys)
            .map(|(x, key)| &Scalar::from(*x) * bases.value_table() + secret_r * key)
            .collect();
        for (shift, base) in [(&cheat.value_shift, bases.value()), (&cheat.blinding_shift, bases.blinding())]
        {
            if let Some((step, d)) = shift {
                c[*step] += d * base;
            }
        }
        if let Some((step, error)) = &cheat.c_error {
            c[*step] += error;
        }
        let r = &cheat.r_other.unwrap_or(*secret_r) * RISTRETTO_BASEPOINT_TABLE;
        (encode_point(&r), c.iter().map(encode_point).collect())
    }

    fn forge_bits<'a>(
        &mut self,
        params: &'a crate::bid::BidParams,
        quantities_wh: &[u64],
        cheat: &Cheat,
        t: &mut Transcript,
    ) -> BitCommitment<'a> {
        let bases = params.bases();
        let Some((left, right)) = cheat.bits.clone() else {
            return BitCommitment::new(params, Bits::of(bases, quantities_wh, None), t, &mut self.rng);
        };
        let sum = RistrettoPoint::vartime_multiscalar_mul(&left, bases.g())
            + RistrettoPoint::vartime_multiscalar_mul(&right, bases.h());
        let bits = Bits { left: Secret::new(left), right: Secret::new(right) };
        BitCommitment::with_bit_sum(params, bits, sum, t, &mut self.rng)
    }

    /// The Schnorr proof of E1 to E3 with the errors of `cheat`, absorbed as they are sent.
    fn forge_link(&mut self, link: &Link<'_>, cheat: &Cheat, t: &mut Transcript) -> Vec<u8> {
        let [k_r, k_tau, k_x] = [self.scalar(), self.scalar(), self.scalar()];
        let bases = self.params.bases();
        let z_powers = powers(link.z * link.z, &link.z, link.keys.len());
        let y_z = RistrettoPoint::vartime_multiscalar_mul(&z_powers, link.keys);
        let y_rho = RistrettoPoint::vartime_multiscalar_mul(link.rho_powers, link.keys);
        let [n1, n2, n3] = [
            k_r * y_z + &k_tau * bases.blinding_table(),
            &k_x * bases.value_table() + k_r * y_rho,
            &k_r * RISTRETTO_BASEPOINT_TABLE,
        ];
        let [d1, d2, d3] = cheat.announcement_errors;
        let announcements = [n1 + d1, n2 + d2, n3 + d3].map(|point| encode_point(&point));
        absorb_link_announcements(t, &link.t_hat, &link.mu, &announcements);
        let e = t.challenge_scalar(b"e");
        let [f1, f2, f3] = cheat.response_errors;
        let responses = [k_r + e * link.r + f1, k_tau + e * link.tau + f2, k_x + e * link.x_rho + f3];
        absorb_link_responses(t, &responses);
        let scalars = [link.t_hat, link.mu].into_iter().chain(responses).map(|scalar| scalar.to_bytes());
        announcements.into_iter().chain(scalars).flatten().collect()
    }
}
