//! Generation of the threshold keys without a trusted dealer (specification section 2).
//!
//! The protocol is KeyGen of FROST (Komlo and Goldberg, SAC 2020, figure 1), that is Pedersen's key generation with
//! Feldman's verifiable sharing and a proof of knowledge of every constant term, made for many keys at once:
//!
//! 1. Every dealer ℓ draws for each key k a polynomial f of degree t − 1, publishes A_j = a_j·G for its t
//!    coefficients with a proof that it knows a_0, signs the whole package ([`deal`]) and sends f(i) to validator i.
//! 2. Everybody, auditors included, checks everything public and computes the keys Y_k = Σ_ℓ A_{ℓ,k,0} and each
//!    validator's share keys Y_{k,i} = Σ_ℓ Σ_j i^j·A_{ℓ,k,j} ([`public_keys`]).
//! 3. Every validator checks what it was sent, f(i)·G = Σ_j i^j·A_j, and adds up its shares ([`receive`]).
//!
//! # Security
//!
//! - Commitments reach everybody through the ledger, so that all see the same ones (figure 1 assumes a broadcast).
//! - The proofs of knowledge stop a dealer from cancelling the others. They are bound to ledger, session, group size,
//!   threshold, dealer, key index and all commitments of the key, so none can be replayed. The proofs of the threshold
//!   crate's `dkg` bind dealer and constant term only; sharing and share check are that crate's, the rest is here.
//! - All dealers' constant terms and all resulting keys differ: a known linear relation among keys would open that
//!   combination of a bid to everybody, and no proof about a bid would notice.
//! - Biasing the distribution of a key by withholding a package (Gennaro et al.) stays possible, as in FROST; it
//!   gives no knowledge of the key.
//! - The keys decrypt; they must never sign.
//!
//! Over a ledger the same steps are events of a [`Session`], which also refreshes shares and hands them to another set
//! of validators: shares travel sealed ([`Delivery`]), complaints are answered in public, who is silent or false is
//! named and left out.

mod context;
mod deal;
mod delivery;
mod error;
mod held;
mod lagrange;
mod messages;
mod package;
mod party;
mod public;
mod renewal;
mod session;
mod shares;
mod size;

pub use context::{Group, SessionContext, Task};
pub use deal::{DealtShares, deal};
pub use delivery::{Delivery, DeliveryFault, KeyAnnouncement, OneTimeKey, sealed_bytes};
pub use error::{KeyGenError, WeightsError};
pub(crate) use lagrange::lagrange_at_zero;
pub use messages::{Answer, Event, Package, Verdict};
pub use package::DealerPackage;
pub use public::{ThresholdKeys, public_keys};
pub use renewal::{RenewalPackage, deal_refresh, deal_resharing};
pub use session::{
    Abort, AbortReason, Agreement, DealerFault, Effect, Opened, Parties, Party, Phase, ReceiverFault,
    Refusal, Schedule, Session,
};
pub use shares::{KeyShares, receive};
pub use size::SessionSize;

use crate::labels;
use crate::wire::{Reader, WireError};
use merlin::Transcript;

/// The most validators of a session; bounds what a package may make a reader allocate.
pub const MAX_VALIDATORS: u16 = 128;
/// The most keys of a session: the steps of the largest grid, the account key and the energy key, with room.
pub const MAX_KEYS: u32 = 16_384;

/// What a session of key generation is about; every proof and signature of it absorbs this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGenContext {
    /// The ledger that the keys are for.
    pub ledger_id: [u8; 32],
    /// Number of the session on that ledger; an aborted session is never run again under its number.
    pub session: u64,
    /// n: validators, numbered 1..=n.
    pub validators: u16,
    /// t: shares that open, and coefficients of each polynomial.
    pub threshold: u16,
    /// Keys generated together.
    pub keys: u32,
}

impl KeyGenContext {
    /// Checks the bounds that all other functions rely on.
    ///
    /// # Errors
    /// [`KeyGenError::Context`] unless 2 <= t <= n <= [`MAX_VALIDATORS`] and 1 <= keys <= [`MAX_KEYS`].
    pub fn check(&self) -> Result<(), KeyGenError> {
        let why = if !(2..=MAX_VALIDATORS).contains(&self.validators) {
            "the number of validators must be from 2 to 128"
        } else if !(2..=self.validators).contains(&self.threshold) {
            "the threshold must be from 2 to the number of validators"
        } else if !(1..=MAX_KEYS).contains(&self.keys) {
            "the number of keys must be from 1 to 16384"
        } else {
            return Ok(());
        };
        Err(KeyGenError::Context { why })
    }

    fn key_count(&self) -> usize {
        self.keys as usize
    }

    fn coefficients(&self) -> usize {
        self.threshold.into()
    }

    fn check_dealer(&self, dealer: u16) -> Result<(), KeyGenError> {
        if (1..=self.validators).contains(&dealer) {
            Ok(())
        } else {
            Err(KeyGenError::UnknownDealer { dealer, validators: self.validators })
        }
    }

    /// A transcript that has absorbed the whole context and the dealer.
    fn transcript(&self, label: &'static [u8], dealer: u16) -> Transcript {
        let mut t = Transcript::new(label);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"ledger", &self.ledger_id);
        t.append_u64(b"session", self.session);
        t.append_u64(b"validators", self.validators.into());
        t.append_u64(b"threshold", self.threshold.into());
        t.append_u64(b"keys", self.keys.into());
        t.append_u64(b"dealer", dealer.into());
        t
    }
}

/// Reads a validator's number; 0 is none.
fn read_number(r: &mut Reader<'_>, field: &'static str) -> Result<u16, WireError> {
    match r.u16(field)? {
        0 => Err(WireError::Invalid { field, why: "validators are numbered from 1" }),
        number => Ok(number),
    }
}
