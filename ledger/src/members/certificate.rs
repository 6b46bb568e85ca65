//! What the registrar certifies about a member: one account, at one connection point.

use crate::genesis::Genesis;
use crate::hash::hash;
use crate::params::{MarketParams, read_flag};
use core::fmt;
use thiserror::Error;
use veilgrid_crypto::group::{PointBytes, decode_point};
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// A whole participation, in per mille.
pub const WHOLE_PARTICIPATION: u16 = 1_000;

/// Fewest bytes of an encoded certificate, all optional fields absent.
pub(crate) const LEAST_BYTES: usize = 32 + 8 + 32 + 1 + 2 + 1 + 1 + 1 + 1 + 2 + 1 + 1 + 8 + 1;

const BUY: u8 = 1;
const SELL: u8 = 2;

/// The identity of a connection point: an HMAC of its name under the registrar's key, so that whoever knows the names of
/// meters can't find them on the ledger.
pub type PointId = [u8; 32];

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Takes energy only.
    Consumer,
    /// Takes and gives, as a household with a roof.
    Prosumer,
    /// Gives only.
    Producer,
    /// Charges vehicles.
    ChargingStation,
    /// A battery by itself.
    Storage,
}

impl MemberRole {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Consumer, Self::Prosumer, Self::Producer, Self::ChargingStation, Self::Storage];

    /// The name by which people and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Prosumer => "prosumer",
            Self::Producer => "producer",
            Self::ChargingStation => "charging-station",
            Self::Storage => "storage",
        }
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// In which directions a member may trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// It may buy.
    pub buy: bool,
    /// It may sell.
    pub sell: bool,
}

/// A member's certificate. Everything in it is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The account's key, a pseudonym of the epoch.
    pub account: PointBytes,
    /// The epoch of that key, the ledger's.
    pub key_epoch: u64,
    /// Where the member is connected. One account per connection point.
    pub point: PointId,
    /// In which directions it may trade.
    pub rights: Rights,
    /// Zone of the grid, for network fees.
    pub zone: u16,
    /// What the member is.
    pub role: MemberRole,
    /// Capacity class of import: a number of the market's [`CapacityClasses`](crate::capacity::CapacityClasses).
    pub import_class: u8,
    /// Capacity class of export.
    pub export_class: u8,
    /// Commitment to the credit line, credit·V + c·Y_0 with the credit in units of balances: what a bid may cost beyond the
    /// balance. Only the member and the registrar know it. None for a prepaid account, and on ledgers without money.
    pub credit_line: Option<[u8; 32]>,
    /// Part of the connection point that belongs to this community, in per mille. That the parts of one point in several
    /// communities add up to at most the whole, the registrar attests: one ledger can't check it.
    pub participation_per_mille: u16,
    /// Key of the one source of import readings. None until there are readings: others are refused.
    pub import_source: Option<PointBytes>,
    /// Key of the one source of export readings. The same.
    pub export_source: Option<PointBytes>,
    /// Slots that begin before this are not this member's, Unix seconds.
    pub from_unix_s: i64,
    /// Slots that end after this are not either, Unix seconds; none for no end.
    pub to_unix_s: Option<i64>,
}

/// A rule that a certificate breaks by itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// "An account key is a valid key."
    #[error("the account key is not a valid point")]
    AccountKey,
    /// "A certificate is for the ledger's key epoch."
    #[error("it is for key epoch {found}, the ledger's is {expected}")]
    KeyEpoch {
        /// The certificate's.
        found: u64,
        /// The ledger's.
        expected: u64,
    },
    /// "A member may buy, or sell, or both."
    #[error("it gives no right to buy or to sell")]
    NoRights,
    /// "A capacity class is one of the market's."
    #[error("{direction} class {class}: the market has the classes 0 to {last}")]
    CapacityClass {
        /// import or export.
        direction: &'static str,
        /// The class named.
        class: u8,
        /// The market's last class.
        last: usize,
    },
    /// "Without money there is no credit line."
    #[error("it names a credit line: this ledger has no money")]
    NoMoney,
    /// "A credit line is a commitment."
    #[error("its credit line is not the encoding of a point")]
    CreditLine,
    /// "Until there are readings there is no source of them."
    #[error("it names a source of {direction} readings: there is none until this ledger takes readings")]
    Source {
        /// import or export.
        direction: &'static str,
    },
    /// "A member takes part with 1 to 1,000 per mille."
    #[error("a participation of {per_mille} per mille: it is 1 to {WHOLE_PARTICIPATION}")]
    Participation {
        /// The factor named.
        per_mille: u16,
    },
    /// "A certificate begins before it ends."
    #[error("it ends at {to_unix_s} s and begins at {from_unix_s} s")]
    Dates {
        /// Begin, Unix seconds.
        from_unix_s: i64,
        /// End, Unix seconds.
        to_unix_s: i64,
    },
}

impl Certificate {
    /// A certificate that gives an account at a point everything: both directions, the market's largest class, no end.
    /// For communities on one machine, where nobody has a connection that limits it.
    pub fn unlimited(params: &MarketParams, key_epoch: u64, account: PointBytes, point: PointId) -> Self {
        let largest = u8::try_from(params.capacity_classes.count().saturating_sub(1)).unwrap_or(u8::MAX);
        Self {
            account,
            key_epoch,
            point,
            rights: Rights { buy: true, sell: true },
            zone: 0,
            role: MemberRole::Prosumer,
            import_class: largest,
            export_class: largest,
            credit_line: None,
            participation_per_mille: WHOLE_PARTICIPATION,
            import_source: None,
            export_source: None,
            from_unix_s: 0,
            to_unix_s: None,
        }
    }

    /// [`Certificate::unlimited`] for each of these accounts, in rising order of their keys as a genesis has them. There is
    /// no name behind their connection points.
    pub fn of_accounts(
        params: &MarketParams,
        key_epoch: u64,
        accounts: impl IntoIterator<Item = PointBytes>,
    ) -> Vec<Self> {
        let of = |account: PointBytes| {
            Self::unlimited(params, key_epoch, account, hash(labels::CONNECTION_POINT, &[&account]))
        };
        let mut certificates: Vec<Self> = accounts.into_iter().map(of).collect();
        certificates.sort_by_key(|certificate| certificate.account);
        certificates
    }

    /// Checks what depends on nothing but the genesis.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, genesis: &Genesis) -> Result<(), CertificateFault> {
        if VerifyingKey::from_bytes(&self.account).is_err() {
            return Err(CertificateFault::AccountKey);
        }
        let (found, expected) = (self.key_epoch, genesis.key_epoch);
        if found != expected {
            return Err(CertificateFault::KeyEpoch { found, expected });
        }
        if !self.rights.buy && !self.rights.sell {
            return Err(CertificateFault::NoRights);
        }
        let classes = &genesis.params.capacity_classes;
        for (direction, class) in [("import", self.import_class), ("export", self.export_class)] {
            if classes.capacity_wh(class).is_none() {
                let last = classes.count().saturating_sub(1);
                return Err(CertificateFault::CapacityClass { direction, class, last });
            }
        }
        if let Some(credit_line) = &self.credit_line {
            if genesis.params.money.is_none() {
                return Err(CertificateFault::NoMoney);
            }
            decode_point("credit line", credit_line).map_err(|_| CertificateFault::CreditLine)?;
        }
        for (direction, source) in [("import", &self.import_source), ("export", &self.export_source)] {
            if source.is_some() {
                return Err(CertificateFault::Source { direction });
            }
        }
        let per_mille = self.participation_per_mille;
        if !(1..=WHOLE_PARTICIPATION).contains(&per_mille) {
            return Err(CertificateFault::Participation { per_mille });
        }
        match self.to_unix_s {
            Some(to_unix_s) if to_unix_s <= self.from_unix_s => {
                Err(CertificateFault::Dates { from_unix_s: self.from_unix_s, to_unix_s })
            }
            _ => Ok(()),
        }
    }

    /// Whether a slot, from its start to its end in Unix seconds, is within the certificate's dates.
    pub fn covers(&self, start_unix_s: i64, end_unix_s: i64) -> bool {
        self.from_unix_s <= start_unix_s && self.to_unix_s.is_none_or(|to| end_unix_s <= to)
    }

    /// What it may take from the grid and give to it, in Wh per slot: import and export. A direction without a right has
    /// none.
    pub fn capacities_wh(&self, params: &MarketParams) -> (u64, u64) {
        let of = |right: bool, class| {
            let capacity = params.capacity_classes.capacity_wh(class).filter(|_| right);
            capacity.unwrap_or(0)
        };
        (of(self.rights.buy, self.import_class), of(self.rights.sell, self.export_class))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.account).u64(self.key_epoch).bytes(&self.point);
        let rights = u8::from(self.rights.buy) * BUY + u8::from(self.rights.sell) * SELL;
        w.u8(rights).u16(self.zone).u8(self.role as u8).u8(self.import_class).u8(self.export_class);
        write_bytes(w, self.credit_line.as_ref().map(|point| point.as_slice()));
        w.u16(self.participation_per_mille);
        write_bytes(w, self.import_source.as_ref().map(|key| key.as_slice()));
        write_bytes(w, self.export_source.as_ref().map(|key| key.as_slice()));
        w.i64(self.from_unix_s);
        write_bytes(w, self.to_unix_s.map(i64::to_le_bytes).as_ref().map(|to| to.as_slice()));
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            account: r.array("account key")?,
            key_epoch: r.u64("key epoch")?,
            point: r.array("connection point")?,
            rights: read_rights(r)?,
            zone: r.u16("zone")?,
            role: read_role(r)?,
            import_class: r.u8("import class")?,
            export_class: r.u8("export class")?,
            credit_line: read_bytes(r, "credit line")?,
            participation_per_mille: r.u16("participation")?,
            import_source: read_bytes(r, "source of import readings")?,
            export_source: read_bytes(r, "source of export readings")?,
            from_unix_s: r.i64("begin of the certificate")?,
            to_unix_s: read_bytes(r, "end of the certificate")?.map(i64::from_le_bytes),
        })
    }
}

fn read_rights(r: &mut Reader<'_>) -> Result<Rights, WireError> {
    let rights = r.u8("rights")?;
    if rights & !(BUY | SELL) != 0 {
        return Err(WireError::Invalid {
            field: "rights",
            why: "bits 0 (buy) and 1 (sell) are all there are",
        });
    }
    Ok(Rights { buy: rights & BUY != 0, sell: rights & SELL != 0 })
}

fn read_role(r: &mut Reader<'_>) -> Result<MemberRole, WireError> {
    let number = usize::from(r.u8("role of a member")?);
    let why = "no role has this number";
    MemberRole::ALL.get(number).copied().ok_or(WireError::Invalid { field: "role of a member", why })
}

/// An optional field: its tag, then its bytes.
fn write_bytes(w: &mut Writer, value: Option<&[u8]>) {
    match value {
        None => w.u8(0),
        Some(bytes) => w.u8(1).bytes(bytes),
    };
}

fn read_bytes<const N: usize>(r: &mut Reader<'_>, field: &'static str) -> Result<Option<[u8; N]>, WireError> {
    read_flag(r, field)?.then(|| r.array(field)).transpose()
}
