//! What a bid is proved and verified against: bases, step keys, bits, market parameters, round.

use crate::absorb::Absorb;
use crate::bases::Bases;
use crate::bid::layout::Layout;
use crate::bid::money::AccountTerms;
use crate::bid::sealed::BidShape;
use crate::fast::{Points, SecretTable};
use crate::group::encode_point;
use crate::labels;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::traits::IsIdentity;
use merlin::Transcript;
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// Largest number of steps M of a bid vector (4,096 ticks a side).
pub const MAX_STEPS: usize = 8192;

/// Tables cost 30 kB a key; beyond this many steps the prover multiplies without them.
const MAX_TABLED_STEPS: usize = 512;

/// Parameters that no bid can be proved against.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// The width of a quantity is not one of the three that the protocol knows.
    #[error("quantities of {bits} bits are not supported: choose 8, 16 or 32")]
    Bits {
        /// The refused width.
        bits: u32,
    },
    /// The number of keys is not the number of steps of a grid.
    #[error("{steps} step keys: the number has to be a power of two from 4 to {MAX_STEPS}")]
    Steps {
        /// The refused number.
        steps: usize,
    },
    /// Two steps share a key, or a key is the identity: values would open without the validators.
    #[error("step key {step} is the identity or repeats an earlier key")]
    Key {
        /// Index of the offending key.
        step: usize,
    },
    /// The key of the accounts is no key of its own.
    #[error("the account key is the identity or repeats a step key")]
    AccountKey,
}

struct Inner {
    bases: Bases,
    /// Y_0, of a market whose bids have money.
    account_key: Option<RistrettoPoint>,
    /// The generators in the order in which the argument folds them, where that is not the order of the places.
    folding: OnceLock<[Points; 2]>,
    step_keys: Vec<RistrettoPoint>,
    shared: Points,
    digest: [u8; 32],
    key_tables: OnceLock<Vec<RistrettoBasepointTable>>,
    secret_tables: OnceLock<[SecretTable; 2]>,
}

/// Static parameters of a market's bids. Cloning is cheap.
#[derive(Clone)]
pub struct BidParams(Arc<Inner>);

impl BidParams {
    /// Parameters for quantities of `bits` bits (8, 16 or 32) under `step_keys` (Y_1..Y_M, M a power of two).
    /// `market_digest` names the market's rules, so that a proof for one market is none for another.
    pub fn new(
        bits: u32,
        step_keys: Vec<RistrettoPoint>,
        market_digest: [u8; 32],
    ) -> Result<Self, ParamsError> {
        Self::of(bits, step_keys, None, market_digest)
    }

    /// As [`Self::new`] for bids with money, whose costs and balances are under `account_key` (Y_0).
    pub fn with_money(
        bits: u32,
        step_keys: Vec<RistrettoPoint>,
        account_key: RistrettoPoint,
        market_digest: [u8; 32],
    ) -> Result<Self, ParamsError> {
        Self::of(bits, step_keys, Some(account_key), market_digest)
    }

    fn of(
        bits: u32,
        step_keys: Vec<RistrettoPoint>,
        account_key: Option<RistrettoPoint>,
        market_digest: [u8; 32],
    ) -> Result<Self, ParamsError> {
        if !matches!(bits, 8 | 16 | 32) {
            return Err(ParamsError::Bits { bits });
        }
        let steps = step_keys.len();
        if !steps.is_power_of_two() || !(4..=MAX_STEPS).contains(&steps) {
            return Err(ParamsError::Steps { steps });
        }
        let encoded: Vec<[u8; 32]> = step_keys.iter().map(encode_point).collect();
        let mut seen = std::collections::BTreeSet::new();
        for (step, (key, bytes)) in step_keys.iter().zip(&encoded).enumerate() {
            if key.is_identity() || !seen.insert(bytes) {
                return Err(ParamsError::Key { step });
            }
        }
        if account_key.is_some_and(|key| key.is_identity() || seen.contains(&encode_point(&key))) {
            return Err(ParamsError::AccountKey);
        }
        let bases = Bases::derive(bits as usize, steps, account_key.is_some());
        let digest = params_digest(&bases, &encoded, account_key.as_ref(), &market_digest);
        Ok(Self::assembled(bases, step_keys, account_key, digest))
    }

    /// Parameters of another statement with the same proof, whose keys were checked: for each of the first values of `layout` one,
    /// or less; a value without a key is proved to be zero.
    pub(crate) fn of_layout(layout: Layout, keys: Vec<RistrettoPoint>, digest: [u8; 32]) -> Self {
        Self::assembled(Bases::of(layout), keys, None, digest)
    }

    fn assembled(
        bases: Bases,
        step_keys: Vec<RistrettoPoint>,
        account_key: Option<RistrettoPoint>,
        digest: [u8; 32],
    ) -> Self {
        let shared = shared_points(&bases, &step_keys, account_key);
        Self(Arc::new(Inner {
            bases,
            account_key,
            folding: OnceLock::new(),
            step_keys,
            shared,
            digest,
            key_tables: OnceLock::new(),
            secret_tables: OnceLock::new(),
        }))
    }

    /// Number of steps M.
    pub fn steps(&self) -> usize {
        self.0.bases.steps()
    }
    /// Bits of a quantity.
    pub fn bits(&self) -> u32 {
        self.0.bases.bits() as u32
    }
    /// The digest that every context absorbs: bases, bits, steps, all keys, market parameters.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }
    /// The step keys Y_1..Y_M.
    pub fn step_keys(&self) -> &[RistrettoPoint] {
        &self.0.step_keys
    }
    /// Y_0, the key of costs and balances; none in a market without money.
    pub fn account_key(&self) -> Option<&RistrettoPoint> {
        self.0.account_key.as_ref()
    }
    /// The bases.
    pub fn bases(&self) -> &Bases {
        &self.0.bases
    }
    /// The points that all bids share, in the places of [`shared`].
    pub(crate) fn shared(&self) -> &Points {
        &self.0.shared
    }
    /// Tables for secret multiples of the generators G and H, built on first use by a prover.
    pub(crate) fn secret_tables(&self) -> &[SecretTable; 2] {
        // Not in parallel: see `key_tables`.
        self.0.secret_tables.get_or_init(|| {
            let (bases, g) = (self.bases(), shared::g(self.step_keys().len()));
            let (h, used) = (g + bases.g().len(), bases.layout().used_places());
            [SecretTable::new(self.shared(), g..g + used), SecretTable::new(self.shared(), h..h + used)]
        })
    }
    /// The lengths of a bid under these parameters.
    pub fn shape(&self) -> BidShape {
        BidShape { steps: self.steps(), bits: self.bits(), money: self.0.account_key.is_some() }
    }
    /// Copies of the generators G and H in the order in which the argument folds them.
    pub(crate) fn folding_generators(&self) -> [Points; 2] {
        let (layout, first) = (self.bases().layout(), shared::g(self.step_keys().len()));
        let starts = [first, first + layout.total()];
        if layout.thirds == 0 {
            return starts.map(|first| self.shared().part(first..first + layout.total()));
        }
        let in_order = |first: usize| -> Points {
            let places: Vec<usize> = (0..layout.total()).map(|at| first + layout.place(at)).collect();
            self.shared().select(&places)
        };
        self.0.folding.get_or_init(|| starts.map(in_order)).clone()
    }

    /// Precomputed multiples of the step keys, built on first use by a prover; none for very fine grids.
    pub(crate) fn key_tables(&self) -> Option<&[RistrettoBasepointTable]> {
        (self.steps() <= MAX_TABLED_STEPS).then(|| {
            // One thread: a parallel loop inside of the initialisation could take up, while it waits, another bid's
            // sealing, which would wait for this very initialisation.
            let build = || self.step_keys().iter().map(RistrettoBasepointTable::create).collect();
            self.0.key_tables.get_or_init(build).as_slice()
        })
    }
}

/// Places of the points that all bids share.
pub(crate) mod shared {
    /// First of the step keys, after V, B and G.
    pub const KEYS: usize = 3;
    /// First of the generators G_i, after so many keys; the H_i follow them, and with money Y_0 them.
    pub const fn g(keys: usize) -> usize {
        KEYS + keys
    }
}

fn shared_points(bases: &Bases, step_keys: &[RistrettoPoint], account_key: Option<RistrettoPoint>) -> Points {
    let singles = [*bases.value(), *bases.blinding(), RISTRETTO_BASEPOINT_POINT];
    Points::from_points(&[&singles, step_keys, bases.g(), bases.h(), account_key.as_slice()].concat())
}

fn params_digest(
    bases: &Bases,
    step_keys: &[[u8; 32]],
    account_key: Option<&RistrettoPoint>,
    market_digest: &[u8; 32],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(labels::PARAMS_DIGEST);
    hash.update((bases.bits() as u32).to_le_bytes());
    hash.update((bases.steps() as u32).to_le_bytes());
    for base in [&RISTRETTO_BASEPOINT_POINT, bases.value(), bases.blinding()] {
        hash.update(encode_point(base));
    }
    for key in step_keys {
        hash.update(key);
    }
    if let Some(key) = account_key {
        hash.update(labels::ACCOUNT_KEY);
        hash.update(encode_point(key));
    }
    hash.update(market_digest);
    hash.finalize().into()
}

/// The round that a bid is for. With the account and [`BidParams::digest`] it is the bid's whole context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundContext {
    /// Identity of the ledger.
    pub ledger_id: [u8; 32],
    /// Epoch of the keys and pseudonyms.
    pub key_epoch: u64,
    /// The round, unique on the ledger.
    pub round_id: u64,
    /// Start of the delivery slot that the round trades, seconds since 1970 UTC. In the context because nobody signs a
    /// round's opening: a round that is moved to another slot loses every bid.
    pub slot_start_unix_s: i64,
    /// Length of the slot in seconds.
    pub slot_seconds: u32,
}

impl RoundContext {
    /// The bid transcript with its context absorbed: the first thing that prover and verifier do.
    ///
    /// Without money, balance snapshot and debit sequence are tagged "none".
    pub(crate) fn transcript(
        &self,
        params: &BidParams,
        account: &[u8; 32],
        terms: Option<&AccountTerms>,
    ) -> Transcript {
        let mut t = Transcript::new(Self::label(terms));
        self.absorb_context(&mut t, params, account, terms);
        t
    }

    /// The label of a bid's transcript.
    pub(crate) fn label(terms: Option<&AccountTerms>) -> &'static [u8] {
        if terms.is_some() { labels::BID_WITH_MONEY } else { labels::BID }
    }

    /// The context alone, on a transcript that was begun with the bid's label.
    pub(crate) fn absorb_context(
        &self,
        t: &mut impl Absorb,
        params: &BidParams,
        account: &[u8; 32],
        terms: Option<&AccountTerms>,
    ) {
        t.absorb(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.absorb(b"ledger", &self.ledger_id);
        t.absorb(b"params", &params.digest());
        t.absorb_u64(b"epoch", self.key_epoch);
        t.absorb_u64(b"round", self.round_id);
        t.absorb(b"slot-start", &self.slot_start_unix_s.to_le_bytes());
        t.absorb(b"slot-seconds", &self.slot_seconds.to_le_bytes());
        t.absorb(b"account", account);
        match terms {
            Some(terms) => terms.absorb(t),
            None => {
                t.absorb(b"balance-snapshot", &[0]);
                t.absorb(b"debit-sequence", &[0]);
            }
        }
    }

    /// The context in bytes, for the salt's PRF and the note's associated data.
    pub(crate) fn to_bytes(self, params: &BidParams, account: &[u8; 32]) -> Vec<u8> {
        let mut w = crate::wire::Writer::new();
        w.u16(labels::PROTOCOL_VERSION).bytes(&self.ledger_id).bytes(&params.digest());
        w.u64(self.key_epoch)
            .u64(self.round_id)
            .i64(self.slot_start_unix_s)
            .u32(self.slot_seconds)
            .bytes(account);
        w.finish()
    }
}
