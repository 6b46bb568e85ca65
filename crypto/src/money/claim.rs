//! Claims: a member carries what its fill is worth from its bid's keys to its account's.
//!
//! After clearing everybody can compute what each bid bought and sold as ciphertexts: P = Σ q_k·C_k over the buys, and over the
//! sells, with R under Y_P = Σ q_k·Y_k. What that is worth is a public combination of the two. The owner, who knows r, gives
//! the same worth under the account's key with the same r, and under a key for energy where there is one:
//!
//! ```text
//! F_j = Σ_side m_{j,side}·P_side     C'_j = (what F_j holds)·V + r·Y_j     K_j = Σ_side m_{j,side}·Y_side − Y_j
//! R = r·G     and for all j     F_j − C'_j = r·K_j
//! ```
//!
//! by one Schnorr proof: the second line for Σ ξ^j of its terms, with ξ drawn after all C'_j. Given the bid and the outcome there
//! is one valid C'_j, so that a claim need not be signed and a repeat changes nothing. Two points and 96 bytes for both.
//!
//! # Security
//! - The proof says nothing of what F_j holds; a wrong worth is a component along V, which no r explains.
//! - R is the bid's and is in the transcript: a claim of another's fill would need that bid's r.
//! - Weights, keys and outcome are in the transcript, so that a claim answers one outcome of one round.

use crate::fast::{Points, multiscalar};
use crate::group::{PointBytes, TranscriptExt, decode_point, decode_scalar, encode_point};
use crate::labels;
use crate::money::scalar_from_i128;
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_COMPRESSED, RISTRETTO_BASEPOINT_POINT};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, RngCore, SeedableRng};
use thiserror::Error;

/// What a round's claims carry somewhere: the key there, and what a unit bought and a unit sold is worth (sold energy earns,
/// so that its weight is usually of the other sign).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTarget {
    /// Y_j.
    pub key: RistrettoPoint,
    /// m of what was bought and of what was sold.
    pub weights: [i128; 2],
}

/// What all claims of a round and a zone share.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    ledger_id: [u8; 32],
    round_id: u64,
    outcome: [u8; 32],
    side_keys: [RistrettoPoint; 2],
    targets: Vec<ClaimTarget>,
}

/// One bid's fill as everybody computes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The account.
    pub account: PointBytes,
    /// The bid's digest.
    pub bid: [u8; 32],
    /// R of the bid.
    pub r: PointBytes,
    /// What was bought and what was sold, as ciphertexts with R; the identity where the outcome fills nothing of that side.
    pub sides: [PointBytes; 2],
}

/// A claim as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// C'_j, target by target.
    pub points: Vec<PointBytes>,
    /// Announcements for R = r·G and for the sum of the other equations.
    pub announcements: [PointBytes; 2],
    /// The response.
    pub response: [u8; 32],
}

/// Why a claim is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClaimFault {
    /// Non-canonical encodings, another number of points.
    #[error("malformed claim: {0}")]
    Malformed(#[from] WireError),
    /// The proof does not hold: another worth, fill, outcome, key or r.
    #[error("the claim is not what this bid's fill is worth under this round's outcome")]
    Proof,
}

impl ClaimRules {
    /// The rules of a round's claims. `outcome` is the digest of the outcome, `side_keys` are Σ q_k·Y_k over the steps that
    /// buy and over those that sell.
    pub fn new(
        ledger_id: [u8; 32],
        round_id: u64,
        outcome: [u8; 32],
        side_keys: [RistrettoPoint; 2],
        targets: Vec<ClaimTarget>,
    ) -> Self {
        Self { ledger_id, round_id, outcome, side_keys, targets }
    }

    fn transcript(&self, fill: &Fill, points: &[PointBytes]) -> Transcript {
        let mut t = Transcript::new(labels::CLAIM);
        t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.append_message(b"ledger", &self.ledger_id);
        t.append_u64(b"round", self.round_id);
        t.append_message(b"outcome", &self.outcome);
        self.side_keys.iter().for_each(|key| t.append_message(b"side-key", &encode_point(key)));
        t.append_u64(b"targets", self.targets.len() as u64);
        for target in &self.targets {
            t.append_message(b"key", &encode_point(&target.key));
            target.weights.iter().for_each(|m| t.append_message(b"weight", &m.to_le_bytes()));
        }
        t.append_message(b"account", &fill.account);
        t.append_message(b"bid", &fill.bid);
        t.append_message(b"R", &fill.r);
        t.append_message(b"sides", fill.sides.as_flattened());
        t.append_message(b"claimed", points.as_flattened());
        t
    }

    /// Weights of bought, sold and each target in the sum of all equations, for ξ.
    fn combined(&self, xi: &Scalar) -> ([Scalar; 2], Vec<Scalar>) {
        let powers: Vec<Scalar> = std::iter::successors(Some(Scalar::ONE), |last| Some(last * xi))
            .take(self.targets.len())
            .collect();
        let side = |side: usize| -> Scalar {
            let terms = self.targets.iter().zip(&powers);
            terms.map(|(target, power)| scalar_from_i128(target.weights[side]) * power).sum()
        };
        ([side(0), side(1)], powers)
    }

    /// Σ ξ^j·K_j.
    fn combined_key(&self, xi: &Scalar) -> RistrettoPoint {
        let (sides, powers) = self.combined(xi);
        let keys = self.targets.iter().map(|target| target.key);
        RistrettoPoint::vartime_multiscalar_mul(
            sides.into_iter().chain(powers.iter().map(|power| -power)),
            self.side_keys.into_iter().chain(keys),
        )
    }

    /// The owner's claim: `r` is the bid's, `filled_wh_q16` what it bought and sold, in Wh/2^16.
    pub fn claim(
        &self,
        fill: &Fill,
        r: &Secret<Scalar>,
        filled_wh_q16: &Secret<[u64; 2]>,
        rng: &mut impl CryptoRngCore,
    ) -> Claim {
        let value_base = crate::group::value_base();
        let point = |target: &ClaimTarget| {
            let [bought, sold] = filled_wh_q16.expose();
            let worth = scalar_from_i128(target.weights[0]) * Scalar::from(*bought)
                + scalar_from_i128(target.weights[1]) * Scalar::from(*sold);
            let (worth, mask) = (Secret::new(worth), Secret::new(r.expose() * target.key));
            encode_point(&(worth.expose() * value_base + mask.expose()))
        };
        let points: Vec<PointBytes> = self.targets.iter().map(point).collect();
        let mut t = self.transcript(fill, &points);
        let xi = t.challenge_scalar(b"xi");
        let builder = t.build_rng().rekey_with_witness_bytes(b"r", r.expose().as_bytes());
        let nonce = Secret::new(Scalar::random(&mut builder.finalize(rng)));
        let of_key = nonce.expose() * self.combined_key(&xi);
        let announcements =
            [nonce.expose() * RISTRETTO_BASEPOINT_POINT, of_key].map(|point| encode_point(&point));
        t.append_message(b"announcements", announcements.as_flattened());
        let response = nonce.expose() + t.challenge_scalar(b"e") * r.expose();
        Claim { points, announcements, response: response.to_bytes() }
    }

    /// One verdict a claim, in order: all in one multiscalar multiplication, one by one when that fails. The verdicts are the
    /// same.
    pub fn verify(&self, claims: &[(Fill, Claim)]) -> Vec<Result<(), ClaimFault>> {
        let prepared: Vec<Result<Prepared, WireError>> =
            claims.iter().map(|(fill, claim)| Prepared::new(self, fill, claim)).collect();
        let sound: Vec<&Prepared> = prepared.iter().filter_map(|prepared| prepared.as_ref().ok()).collect();
        let all_hold = self.hold(&sound);
        let verdict = |prepared: Result<Prepared, WireError>| {
            let prepared = prepared?;
            if all_hold || self.hold(&[&prepared]) { Ok(()) } else { Err(ClaimFault::Proof) }
        };
        prepared.into_iter().map(verdict).collect()
    }

    /// True when all equations of all claims hold: their random-weighted sum is the identity.
    fn hold(&self, claims: &[&Prepared]) -> bool {
        let mut seed = Transcript::new(labels::CLAIM_BATCH);
        claims.iter().for_each(|claim| seed.append_message(b"claim", &claim.binding));
        let mut bytes = [0u8; 32];
        seed.challenge_bytes(b"weights", &mut bytes);
        let mut stream = ChaCha20Rng::from_seed(bytes);
        let mut weight = || {
            let mut bytes = [0u8; 32];
            stream.fill_bytes(&mut bytes[..16]);
            Scalar::from_bytes_mod_order(bytes)
        };
        let mut statics = Statics {
            base: Scalar::ZERO,
            sides: [Scalar::ZERO; 2],
            targets: vec![Scalar::ZERO; self.targets.len()],
        };
        let mut scalars = Vec::new();
        for claim in claims {
            self.merge(claim, [weight(), weight()], &mut statics, &mut scalars);
        }
        let own = multiscalar(&scalars, &claims.iter().map(|claim| &claim.points).collect::<Vec<_>>());
        let keys = self.targets.iter().map(|target| target.key);
        let shared = RistrettoPoint::vartime_multiscalar_mul(
            std::iter::once(statics.base).chain(statics.sides).chain(statics.targets),
            std::iter::once(RISTRETTO_BASEPOINT_POINT).chain(self.side_keys).chain(keys),
        );
        (own + shared).is_identity()
    }

    /// Adds w_1·(s·G − N_1 − e·R) + w_2·(s·Σ ξ^j·K_j − N_2 − e·Σ ξ^j·(F_j − C'_j)).
    fn merge(
        &self,
        claim: &Prepared,
        [w1, w2]: [Scalar; 2],
        statics: &mut Statics,
        scalars: &mut Vec<Scalar>,
    ) {
        let (sides, powers) = self.combined(&claim.xi);
        let (of_key, of_statement) = (w2 * claim.response, w2 * claim.e);
        statics.base += w1 * claim.response;
        statics.sides.iter_mut().zip(&sides).for_each(|(sum, side)| *sum += of_key * side);
        statics.targets.iter_mut().zip(&powers).for_each(|(sum, power)| *sum -= of_key * power);
        scalars.extend([-w1, -w2, -(w1 * claim.e)]);
        let filled = sides.iter().zip(claim.filled);
        scalars
            .extend(filled.map(|(side, filled)| if filled { -(of_statement * side) } else { Scalar::ZERO }));
        scalars.extend(powers.iter().map(|power| of_statement * power));
    }
}

/// Sums of the scalars of the points that all claims of a round share.
struct Statics {
    base: Scalar,
    sides: [Scalar; 2],
    targets: Vec<Scalar>,
}

/// A claim with its challenges and decoded points: announcements, R, sides, claimed points.
struct Prepared {
    points: Points,
    filled: [bool; 2],
    xi: Scalar,
    e: Scalar,
    response: Scalar,
    binding: [u8; 32],
}

impl Prepared {
    fn new(rules: &ClaimRules, fill: &Fill, claim: &Claim) -> Result<Self, WireError> {
        if claim.points.len() != rules.targets.len() {
            return Err(WireError::Invalid {
                field: "claim",
                why: "not one point for each of the round's targets",
            });
        }
        let response = decode_scalar("claim response", &claim.response)?;
        let mut t = rules.transcript(fill, &claim.points);
        let xi = t.challenge_scalar(b"xi");
        t.append_message(b"announcements", claim.announcements.as_flattened());
        let e = t.challenge_scalar(b"e");
        t.append_message(b"response", &claim.response);
        let mut binding = [0u8; 32];
        t.challenge_bytes(b"binding", &mut binding);
        let filled = fill.sides.map(|side| side != [0; 32]);
        // The identity, which an unfilled side is, stands as G, zero times.
        let sides =
            fill.sides.map(|side| if side == [0; 32] { RISTRETTO_BASEPOINT_COMPRESSED.0 } else { side });
        let encodings = claim.announcements.iter().chain([&fill.r]).chain(&sides).chain(&claim.points);
        let encodings: Vec<PointBytes> = encodings.copied().collect();
        let points = Points::decode("a point of the claim", &encodings)?;
        Ok(Self { points, filled, xi, e, response, binding })
    }
}

impl Claim {
    /// Bytes of a claim for so many targets.
    pub const fn encoded_bytes(targets: usize) -> usize {
        32 * (targets + 3)
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(self.points.as_flattened()).bytes(self.announcements.as_flattened()).bytes(&self.response);
        w.finish()
    }

    /// Reads a claim for so many targets. Points are decoded where they are checked.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    pub fn read(r: &mut Reader<'_>, targets: usize) -> Result<Self, WireError> {
        if r.remaining() < Self::encoded_bytes(targets) {
            let left = r.remaining();
            return Err(WireError::Truncated { field: "claim", needed: Self::encoded_bytes(targets), left });
        }
        Ok(Self {
            points: (0..targets).map(|_| r.array("claimed point")).collect::<Result<_, _>>()?,
            announcements: [r.array("claim announcement")?, r.array("claim announcement")?],
            response: r.array("claim response")?,
        })
    }

    /// The claimed points, decoded.
    ///
    /// # Errors
    /// When one is not canonical or is the identity.
    pub fn decoded_points(&self) -> Result<Vec<RistrettoPoint>, WireError> {
        self.points.iter().map(|point| decode_point("claimed point", point)).collect()
    }
}
