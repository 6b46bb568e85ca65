//! Proofs of one fact about an account, for one asker who alone is convinced.
//!
//! The fact speaks of a sum of pairs of the account on the ledger, (R, C) = (b·G, S·V + b·Y_0): a bill's period, a round's fill, a
//! balance. It is proved as a disjunction (Cramer, Damgård, Schoenmakers, CRYPTO 1994; for one verifier: Jakobsson, Sako,
//! Impagliazzo, EUROCRYPT 1996):
//!
//! ```text
//! S = x       R = b·G,  C − x·V = b·Y_0,  A = a·G       or   K = κ·G
//! S >= x      C − x·V − D = h·Y_0,        A = a·G       or   K = κ·G      D in [0, 2^64), by a range proof
//! S <= x      x·V − C − D = h·Y_0,        A = a·G       or   K = κ·G
//! ```
//!
//! A is the account's key, K the asker's. Whoever holds κ can make the same proof of anything ([`simulate_fact`]), so that to
//! everybody else a proof says nothing, while the asker, who knows that it did not make it, is convinced. So the asker first
//! proves that it holds κ ([`AskerProof`]): a key of which nobody knows κ would make a proof that convinces everybody.
//!
//! # Security
//! - A fact says that it is true of the sum that is named, not that no other sum exists; the statement names the period, the ledger's
//!   height and root and the digests of all its claims, so that whoever checks it against a ledger sees whether one is missing.
//! - The account's key is proved too: a reading authority may know b, and must not speak for a member.
//! - There is no signature over a proof: it would convince others.

use crate::bid::AvailableOpening;
use crate::group::{PointBytes, TranscriptExt, decode_point, decode_scalar, encode_point, value_base};
use crate::labels;
use crate::money::rest::{Debit, REST_PROOF_BYTES, prove_rest, verify_rest};
use crate::money::scalar_from_i128;
use crate::schnorr::{SigningKey, VerifyingKey};
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// How the sum and the amount of a fact relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The sum is the amount.
    Is,
    /// The sum is at least the amount.
    AtLeast,
    /// The sum is at most the amount.
    AtMost,
}

/// A fact and whom it is for. All of it is in the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Identity of the ledger.
    pub ledger_id: [u8; 32],
    /// Height of the block whose state the fact speaks of, and its state root.
    pub height: u64,
    /// See `height`.
    pub state_root: [u8; 32],
    /// The account.
    pub account: PointBytes,
    /// What the sum is of, in the ledger's canonical bytes: the kind of sum, its period, digests of all claims in it.
    pub sum: Vec<u8>,
    /// The sum of the pairs, R and C.
    pub pair: [PointBytes; 2],
    /// How the sum relates to `amount`.
    pub relation: Relation,
    /// x, in the unit of the sum.
    pub amount: i64,
    /// The asker's nonce.
    pub nonce: [u8; 32],
    /// When the asker stops believing it, seconds since 1970 UTC.
    pub expires_unix_s: i64,
}

/// An asker's key K = κ·G with the proof that it holds κ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskerProof {
    /// K.
    pub key: PointBytes,
    /// A signature by K over ledger, account and nonce.
    pub signature: [u8; 64],
}

/// A proof of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactProof {
    /// D and its range proof; none for [`Relation::Is`].
    pub bound: Option<(PointBytes, Vec<u8>)>,
    /// Challenges of the two branches, then responses for b or h, for a, and for κ.
    pub scalars: [[u8; 32]; 5],
}

/// Why a fact cannot be proved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactError {
    /// It is not true.
    #[error("this is not true of the account: the sum is another one")]
    False,
    /// The asker has not shown that it holds its key: a proof might convince others than the asker.
    #[error("the asker's key comes without a valid proof that its holder asks this; ask for one")]
    Asker,
    /// The account is not this key's.
    #[error("the account key is not that of the account that the fact is about")]
    Account,
    /// The fact's points are malformed.
    #[error("malformed fact: {0}")]
    Malformed(#[from] WireError),
}

/// A proof of a fact does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactFault {
    /// Malformed points or scalars.
    #[error("malformed proof: {0}")]
    Malformed(#[from] WireError),
    /// The range proof of the bound does not hold.
    #[error("the bound's range proof does not hold for this fact")]
    Bound,
    /// The equations do not hold: another fact, ledger, account, asker or nonce, or it is not true.
    #[error("the proof does not hold for this fact and this asker")]
    Proof,
}

impl AskerProof {
    fn transcript(ledger_id: &[u8; 32], account: &PointBytes, nonce: &[u8; 32]) -> Transcript {
        let mut t = Transcript::new(labels::FACT_ASKER);
        t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.append_message(b"ledger", ledger_id);
        t.append_message(b"account", account);
        t.append_message(b"nonce", nonce);
        t
    }
    /// Proves that the asker holds its key, for one question: about one account, with the nonce of the facts that it asks for.
    /// A proof of any other question would let somebody else ask in its name.
    pub fn new(
        key: &SigningKey,
        ledger_id: &[u8; 32],
        account: &PointBytes,
        nonce: &[u8; 32],
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let signature = key.sign(&mut Self::transcript(ledger_id, account, nonce), rng);
        Self { key: key.verifying_key().to_bytes(), signature }
    }
    /// Whether the key's holder asks for this fact.
    pub fn asks(&self, fact: &Fact) -> bool {
        let mut t = Self::transcript(&fact.ledger_id, &fact.account, &fact.nonce);
        VerifyingKey::from_bytes(&self.key).is_ok_and(|key| key.verify(&mut t, &self.signature).is_ok())
    }
}

/// The points of a fact's equations: (base, statement) of the first branch for b or h, for G where R counts, and for the account.
struct Equations {
    /// Σ over bases of the witness's equations: (bases of b or h, what they give).
    linear: Vec<(RistrettoPoint, RistrettoPoint)>,
    account: RistrettoPoint,
    asker: RistrettoPoint,
}

impl Fact {
    fn transcript(&self, asker: &PointBytes, account_key: &RistrettoPoint) -> Transcript {
        let mut t = Transcript::new(labels::FACT);
        t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.append_message(b"ledger", &self.ledger_id);
        t.append_u64(b"height", self.height);
        t.append_message(b"root", &self.state_root);
        t.append_message(b"account-key", &encode_point(account_key));
        t.append_message(b"account", &self.account);
        t.append_message(b"sum", &self.sum);
        t.append_message(b"pair", self.pair.as_flattened());
        t.append_message(b"relation", &[self.relation as u8]);
        t.append_message(b"amount", &self.amount.to_le_bytes());
        t.append_message(b"asker", asker);
        t.append_message(b"nonce", &self.nonce);
        t.append_message(b"expires", &self.expires_unix_s.to_le_bytes());
        t
    }

    /// ±(C − x·V), what a bound leaves.
    fn difference(&self, c: &RistrettoPoint) -> RistrettoPoint {
        let difference = c - scalar_from_i128(self.amount.into()) * value_base();
        if self.relation == Relation::AtMost { -difference } else { difference }
    }

    fn equations(
        &self,
        account_key: &RistrettoPoint,
        asker: &PointBytes,
        bound: Option<&RistrettoPoint>,
    ) -> Result<Equations, WireError> {
        let (r, c) =
            (decode_point("R of the sum", &self.pair[0])?, decode_point("C of the sum", &self.pair[1])?);
        let difference = self.difference(&c);
        let linear = match bound {
            None => vec![(RISTRETTO_BASEPOINT_POINT, r), (*account_key, difference)],
            Some(bound) => vec![(*account_key, difference - bound)],
        };
        let account = decode_point("account", &self.account)?;
        Ok(Equations { linear, account, asker: decode_point("asker's key", asker)? })
    }

    fn bound_debit<'a>(&self, statement: &'a [u8]) -> Debit<'a> {
        Debit { ledger_id: self.ledger_id, account: self.account, debit_sequence: 0, statement }
    }

    /// The statement that a bound's range proof is bound to.
    fn bound_statement(&self, asker: &PointBytes, account_key: &RistrettoPoint) -> [u8; 32] {
        let mut statement = [0u8; 32];
        self.transcript(asker, account_key).challenge_bytes(b"bound", &mut statement);
        statement
    }
}

/// s·base − e·statement.
fn announcement(base: &RistrettoPoint, statement: &RistrettoPoint, s: &Scalar, e: &Scalar) -> PointBytes {
    encode_point(&RistrettoPoint::vartime_multiscalar_mul([*s, -e], [base, statement]))
}

/// The challenge after all announcements.
fn challenge(
    t: &mut Transcript,
    bound: Option<&(PointBytes, Vec<u8>)>,
    announcements: &[PointBytes],
) -> Scalar {
    if let Some((point, proof)) = bound {
        t.append_message(b"D", point);
        t.append_message(b"range", proof);
    }
    t.append_message(b"announcements", announcements.as_flattened());
    t.challenge_scalar(b"e")
}

/// Proves a fact to one asker. `opening` is that of the sum: its value and b.
///
/// # Errors
/// [`FactError`]: when it is not true, or when the asker's key is not known to be the asker's.
pub fn prove_fact(
    fact: &Fact,
    account_key: &RistrettoPoint,
    member: &SigningKey,
    opening: &AvailableOpening,
    asker: &AskerProof,
    rng: &mut impl CryptoRngCore,
) -> Result<FactProof, FactError> {
    if !asker.asks(fact) {
        return Err(FactError::Asker);
    }
    if member.verifying_key().to_bytes() != fact.account {
        return Err(FactError::Account);
    }
    let difference = opening.amount.expose() - i128::from(fact.amount);
    let (bound, witness) = match fact.relation {
        Relation::Is if difference != 0 => return Err(FactError::False),
        Relation::Is => (None, opening.blinding.clone()),
        relation => {
            let (left, sign) = if relation == Relation::AtMost {
                (-difference, -Scalar::ONE)
            } else {
                (difference, Scalar::ONE)
            };
            let delta = Secret::new(Scalar::random(&mut *rng));
            let witness = Secret::new(sign * opening.blinding.expose() - delta.expose());
            let left = AvailableOpening { amount: Secret::new(left), blinding: delta };
            (Some(prove_bound(fact, account_key, asker, &left, rng)?), witness)
        }
    };
    let point = bound.as_ref().map(|(point, _)| decode_point("D", point)).transpose()?;
    let equations = fact.equations(account_key, &asker.key, point.as_ref())?;
    let mut t = fact.transcript(&asker.key, account_key);
    let builder = t.build_rng().rekey_with_witness_bytes(b"witness", witness.expose().as_bytes());
    let builder = builder.rekey_with_witness_bytes(b"member", member.secret().expose().as_bytes());
    let mut proof_rng = builder.finalize(rng);
    let (k_witness, k_member) =
        (Secret::new(Scalar::random(&mut proof_rng)), Secret::new(Scalar::random(&mut proof_rng)));
    // The asker's branch is simulated: challenge and response first.
    let (e_asker, s_asker) = (Scalar::random(&mut proof_rng), Scalar::random(&mut proof_rng));
    let mut announcements: Vec<PointBytes> =
        equations.linear.iter().map(|(base, _)| encode_point(&(k_witness.expose() * base))).collect();
    announcements.push(encode_point(&(k_member.expose() * RISTRETTO_BASEPOINT_POINT)));
    announcements.push(announcement(&RISTRETTO_BASEPOINT_POINT, &equations.asker, &s_asker, &e_asker));
    let e_member = challenge(&mut t, bound.as_ref(), &announcements) - e_asker;
    let s_witness = k_witness.expose() + e_member * witness.expose();
    let s_member = k_member.expose() + e_member * member.secret().expose();
    let scalars = [e_member, e_asker, s_witness, s_member, s_asker].map(|scalar| scalar.to_bytes());
    Ok(FactProof { bound, scalars })
}

fn prove_bound(
    fact: &Fact,
    account_key: &RistrettoPoint,
    asker: &AskerProof,
    left: &AvailableOpening,
    rng: &mut impl CryptoRngCore,
) -> Result<(PointBytes, Vec<u8>), FactError> {
    let statement = fact.bound_statement(&asker.key, account_key);
    let debit = fact.bound_debit(&statement);
    let proof = prove_rest(&debit, account_key, left, rng).map_err(|_| FactError::False)?;
    let value = Secret::new(scalar_from_i128(*left.amount.expose()));
    let point = value.expose() * value_base() + left.blinding.expose() * account_key;
    Ok((encode_point(&point), proof))
}

/// The same proof, made by the asker of anything that it likes: why a proof convinces nobody else. `amount_left` is what a bound's
/// D is to hold.
///
/// # Errors
/// [`FactError::Malformed`] when the fact's points are.
pub fn simulate_fact(
    fact: &Fact,
    account_key: &RistrettoPoint,
    asker: &SigningKey,
    amount_left: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<FactProof, FactError> {
    let proof = AskerProof::new(asker, &fact.ledger_id, &fact.account, &fact.nonce, rng);
    let bound = if fact.relation == Relation::Is {
        None
    } else {
        let blinding = Secret::new(Scalar::random(&mut *rng));
        let left = AvailableOpening { amount: Secret::new(amount_left.into()), blinding };
        Some(prove_bound(fact, account_key, &proof, &left, rng)?)
    };
    let point = bound.as_ref().map(|(point, _)| decode_point("D", point)).transpose()?;
    let equations = fact.equations(account_key, &proof.key, point.as_ref())?;
    let mut t = fact.transcript(&proof.key, account_key);
    let builder = t.build_rng().rekey_with_witness_bytes(b"asker", asker.secret().expose().as_bytes());
    let mut proof_rng = builder.finalize(rng);
    let nonce = Secret::new(Scalar::random(&mut proof_rng));
    let [e_member, s_witness, s_member] = core::array::from_fn(|_| Scalar::random(&mut proof_rng));
    let mut announcements: Vec<PointBytes> = equations
        .linear
        .iter()
        .map(|(base, statement)| announcement(base, statement, &s_witness, &e_member))
        .collect();
    announcements.push(announcement(&RISTRETTO_BASEPOINT_POINT, &equations.account, &s_member, &e_member));
    announcements.push(encode_point(&(nonce.expose() * RISTRETTO_BASEPOINT_POINT)));
    let e_asker = challenge(&mut t, bound.as_ref(), &announcements) - e_member;
    let s_asker = nonce.expose() + e_asker * asker.secret().expose();
    let scalars = [e_member, e_asker, s_witness, s_member, s_asker].map(|scalar| scalar.to_bytes());
    Ok(FactProof { bound, scalars })
}

/// Checks a proof of a fact, as the asker whose key is `asker`. The fact's pair, root and sum are the checker's own, from a ledger
/// that it trusts.
///
/// # Errors
/// [`FactFault`].
pub fn verify_fact(
    fact: &Fact,
    account_key: &RistrettoPoint,
    asker: &PointBytes,
    proof: &FactProof,
) -> Result<(), FactFault> {
    if proof.bound.is_some() == (fact.relation == Relation::Is) {
        return Err(FactFault::Proof);
    }
    let point = proof.bound.as_ref().map(|(point, _)| decode_point("D", point)).transpose()?;
    if let Some((point, (_, range))) = point.as_ref().zip(proof.bound.as_ref()) {
        let statement = fact.bound_statement(asker, account_key);
        verify_rest(&fact.bound_debit(&statement), account_key, point, range)
            .map_err(|_| FactFault::Bound)?;
    }
    let equations = fact.equations(account_key, asker, point.as_ref())?;
    let decode = |i: usize| decode_scalar("a scalar of the proof", &proof.scalars[i]);
    let (e_member, e_asker) = (decode(0)?, decode(1)?);
    let (s_witness, s_member, s_asker) = (decode(2)?, decode(3)?, decode(4)?);
    let mut announcements: Vec<PointBytes> = equations
        .linear
        .iter()
        .map(|(base, statement)| announcement(base, statement, &s_witness, &e_member))
        .collect();
    announcements.push(announcement(&RISTRETTO_BASEPOINT_POINT, &equations.account, &s_member, &e_member));
    announcements.push(announcement(&RISTRETTO_BASEPOINT_POINT, &equations.asker, &s_asker, &e_asker));
    let mut t = fact.transcript(asker, account_key);
    let e = challenge(&mut t, proof.bound.as_ref(), &announcements);
    if e == e_member + e_asker { Ok(()) } else { Err(FactFault::Proof) }
}

impl FactProof {
    /// Canonical encoding: D and the range proof where there are any, then the scalars. 160 bytes, or 864.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        if let Some((point, range)) = &self.bound {
            w.bytes(point).bytes(range);
        }
        w.bytes(self.scalars.as_flattened());
        w.finish()
    }

    /// Decodes exactly one proof of a fact of this relation.
    ///
    /// # Errors
    /// Another length.
    pub fn from_bytes(bytes: &[u8], relation: Relation) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let bound = match relation {
            Relation::Is => None,
            _ => Some((r.array("D")?, r.bytes("range proof", REST_PROOF_BYTES)?.to_vec())),
        };
        let mut scalars = [[0u8; 32]; 5];
        for scalar in &mut scalars {
            *scalar = r.array("a scalar of the proof")?;
        }
        r.finish()?;
        Ok(Self { bound, scalars })
    }
}
