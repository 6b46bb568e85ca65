//! The first transaction: who the community is, by which rules it trades, and who the validators are.
//!
//! Threshold keys are not part of it: the validators generate them over the ledger, in sessions that are bound to its id.
//! Whoever reads a ledger turns the genesis into a [`Community`](crate::community::Community) once, with all checks.

pub mod capacity;
pub mod community;
pub mod key_roles;
pub mod params;

use crate::hash::{Hash, hash};
use crate::members::certificate::{Certificate, LEAST_BYTES};
use crate::members::offices::Offices;
use crate::members::refusal::MembersRefusal;
use crate::members::register::Register;
use crate::room::check_founders;
use crate::roster::{Roster, RosterError};
use key_roles::SharedKey;
use params::{MAX_MEMBERS, MarketParams, ParamsError};
use thiserror::Error;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::SessionContext;
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Version of the ledger's transactions and blocks that this crate reads and writes.
pub const FORMAT_VERSION: u16 = 4;

/// What a decoder calls the first field of a genesis, by which a ledger of another format is told from a damaged one.
pub const FORMAT_FIELD: &str = "ledger format";

/// The content of block 0. The ledger's id is its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// [`FORMAT_VERSION`].
    pub format_version: u16,
    /// Random, so that two ledgers of the same people differ.
    pub nonce: [u8; 32],
    /// The market's rules.
    pub params: MarketParams,
    /// The first validators.
    pub roster: Roster,
    /// Key under which the aggregator signs receipts.
    pub aggregator_receipt_key: PointBytes,
    /// X25519 key to which bids are enveloped.
    pub aggregator_envelope_key: [u8; 32],
    /// Key under which the registrar signs its orders.
    pub registrar_key: PointBytes,
    /// Certificates of the first members, in rising order of their account keys, none twice. They have the account numbers
    /// from 1 on.
    pub members: Vec<Certificate>,
    /// Epoch of the account keys and of the threshold keys.
    pub key_epoch: u64,
    /// Number of the first key session.
    pub first_session: u64,
}

/// A genesis that no ledger may start with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// "A program reads the formats that it knows."
    #[error("ledger format {found}: this program reads format {FORMAT_VERSION}; {}", other_program(*.found))]
    FormatVersion {
        /// The genesis' format.
        found: u16,
    },
    /// "The market's parameters are sound."
    #[error("market parameters: {0}")]
    Params(#[from] ParamsError),
    /// "The validators are sound."
    #[error("validators: {0}")]
    Roster(#[from] RosterError),
    /// "The aggregator's receipt key is a valid key."
    #[error("the aggregator's receipt key is not a valid point")]
    ReceiptKey,
    /// "The aggregator's envelope key is one that keeps a secret."
    #[error("the aggregator's envelope key is not canonical or of small order")]
    EnvelopeKey,
    /// "The registrar's key is a valid key."
    #[error("the registrar's key is not a valid point")]
    RegistrarKey,
    /// "Members are in rising order of their account keys, none twice."
    #[error("member {position}: the account key is out of order or a repetition")]
    MemberOrder {
        /// Position in the list, from 0.
        position: usize,
    },
    /// "The certificates of the first members are sound."
    #[error("member {position}: {refusal}")]
    Member {
        /// Position in the list, from 0.
        position: usize,
        /// The rule that is broken.
        refusal: Box<MembersRefusal>,
    },
    /// "The first key session is one that the validators can hold."
    #[error("key session: {0}")]
    KeySession(#[from] veilgrid_crypto::keygen::KeyGenError),
    /// "Each key has one role."
    #[error("{0}")]
    SharedKey(#[from] SharedKey),
    /// "The threshold keys fit the grid."
    #[error("step keys: {0}")]
    StepKeys(#[from] veilgrid_crypto::bid::ParamsError),
}

/// Which program reads a format.
pub(crate) fn other_program(found: u16) -> &'static str {
    if found < FORMAT_VERSION {
        "this ledger was written before ledgers could have money; read it with the program that wrote it"
    } else {
        "use a newer program"
    }
}

impl Genesis {
    /// The ledger's identity: digest of the whole genesis.
    pub fn ledger_id(&self) -> Hash {
        let mut w = Writer::new();
        self.write(&mut w);
        hash(labels::LEDGER_ID, &[&w.finish()])
    }

    /// The context of the first key session, in which the validators generate this ledger's keys: one per step of the
    /// grid and, with money, the one that balances are under.
    ///
    /// Meaningful for a genesis that [`Genesis::check`] accepts.
    pub fn first_session(&self) -> SessionContext {
        let keys = u32::try_from(self.params.key_count()).unwrap_or(u32::MAX);
        let (ledger_id, group) = (self.ledger_id(), self.roster.group());
        SessionContext::generate(ledger_id, self.first_session, self.key_epoch, group, keys)
    }

    /// The genesis after all checks.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn checked(self) -> Result<Self, GenesisError> {
        self.check().map(|()| self)
    }

    /// Checks all rules.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.format_version != FORMAT_VERSION {
            return Err(GenesisError::FormatVersion { found: self.format_version });
        }
        self.roster.check()?;
        self.params.check(self.roster.group().validators)?;
        VerifyingKey::from_bytes(&self.aggregator_receipt_key).map_err(|_| GenesisError::ReceiptKey)?;
        EnvelopePublicKey::from_bytes(&self.aggregator_envelope_key)
            .map_err(|_| GenesisError::EnvelopeKey)?;
        VerifyingKey::from_bytes(&self.registrar_key).map_err(|_| GenesisError::RegistrarKey)?;
        let members = self.check_members()?;
        self.check_sessions()?;
        key_roles::check(&Offices::of_genesis(self), &members, &self.roster)?;
        Ok(())
    }

    fn check_members(&self) -> Result<Register, GenesisError> {
        for (position, pair) in self.members.windows(2).enumerate() {
            if pair[0].account >= pair[1].account {
                return Err(GenesisError::MemberOrder { position: position.saturating_add(1) });
            }
        }
        Register::of_genesis(self)
            .map_err(|(position, refusal)| GenesisError::Member { position, refusal: Box::new(refusal) })
    }

    /// Whether the key sessions of the first validators fit into blocks and epochs.
    fn check_sessions(&self) -> Result<(), GenesisError> {
        let (group, timing) = (self.roster.group(), &self.params.timing);
        check_founders(group, u32::try_from(self.params.key_count()).unwrap_or(u32::MAX))?;
        let phase_blocks = timing.phase_blocks([group, group]);
        timing.check_epoch(phase_blocks).map_err(|error| GenesisError::Params(error.into()))
    }

    /// Appends the canonical encoding.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.format_version).bytes(&self.nonce);
        self.params.write(w);
        self.roster.write(w);
        w.bytes(&self.aggregator_receipt_key).bytes(&self.aggregator_envelope_key);
        w.bytes(&self.registrar_key).length(self.members.len());
        self.members.iter().for_each(|certificate| certificate.write(w));
        w.u64(self.key_epoch).u64(self.first_session);
    }

    /// Reads the canonical encoding; the rules are not checked yet.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let format_version = r.u16(FORMAT_FIELD)?;
        // Another format may differ in everything that follows, so nothing of it is read.
        if format_version != FORMAT_VERSION {
            let why = other_program(format_version);
            return Err(WireError::Invalid { field: FORMAT_FIELD, why });
        }
        Ok(Self {
            format_version,
            nonce: r.array("nonce")?,
            params: MarketParams::read(r)?,
            roster: Roster::read(r)?,
            aggregator_receipt_key: r.array("receipt key")?,
            aggregator_envelope_key: r.array("envelope key")?,
            registrar_key: r.array("registrar key")?,
            members: read_members(r)?,
            key_epoch: r.u64("key epoch")?,
            first_session: r.u64("first key session")?,
        })
    }
}

fn read_members(r: &mut Reader<'_>) -> Result<Vec<Certificate>, WireError> {
    let count = r.length("members", MAX_MEMBERS as usize, LEAST_BYTES)?;
    (0..count).map(|_| Certificate::read(r)).collect()
}

/// Reads a list of encoded points; they are decoded where they are checked.
pub(crate) fn read_points(
    r: &mut Reader<'_>,
    field: &'static str,
    bound: usize,
) -> Result<Vec<PointBytes>, WireError> {
    let count = r.length(field, bound, 32)?;
    (0..count).map(|_| r.array(field)).collect()
}
