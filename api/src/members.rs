//! `GET /v1/members`: the members as the final ledger has them, a page at a time.

use serde::{Deserialize, Serialize};
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::certificate::{Certificate, MemberRole, Rights};
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::members::register::Member;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;

/// Most members of a page; whoever asks for more gets so many.
pub const MAX_MEMBERS_PER_PAGE: u64 = 500;

/// Which members, as the query of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersQuery {
    /// The first account number.
    #[serde(default = "first")]
    pub from: AccountNumber,
    /// Most members.
    #[serde(default = "most")]
    pub max: u64,
}

fn first() -> AccountNumber {
    1
}

fn most() -> u64 {
    MAX_MEMBERS_PER_PAGE
}

impl Default for MembersQuery {
    fn default() -> Self {
        Self { from: first(), max: most() }
    }
}

/// A member with what its certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// Its account number.
    pub number: AccountNumber,
    /// Its account key.
    pub account: Hex32,
    /// Its connection point.
    pub point: Hex32,
    /// Whether it may not bid until its certificate is updated.
    pub suspended: bool,
    /// Whether it may buy.
    pub buy: bool,
    /// Whether it may sell.
    pub sell: bool,
    /// What it is.
    pub role: MemberRole,
    /// Zone of the grid.
    pub zone: u16,
    /// Capacity class of import.
    pub import_class: u8,
    /// What it may take from the grid, Wh per slot; 0 without the right to buy.
    pub import_wh: u64,
    /// Capacity class of export.
    pub export_class: u8,
    /// What it may give to the grid, Wh per slot; 0 without the right to sell.
    pub export_wh: u64,
    /// Part of the connection point in this community, per mille.
    pub participation_per_mille: u16,
    /// Begin of the certificate, Unix seconds.
    pub from_unix_s: i64,
    /// Its end, Unix seconds.
    pub to_unix_s: Option<i64>,
}

impl MemberEntry {
    fn of(params: &MarketParams, number: AccountNumber, member: &Member) -> Self {
        let certificate = &member.certificate;
        let (import_wh, export_wh) = certificate.capacities_wh(params);
        Self {
            number,
            account: Hex32(certificate.account),
            point: Hex32(certificate.point),
            suspended: member.suspended,
            buy: certificate.rights.buy,
            sell: certificate.rights.sell,
            role: certificate.role,
            zone: certificate.zone,
            import_class: certificate.import_class,
            import_wh,
            export_class: certificate.export_class,
            export_wh,
            participation_per_mille: certificate.participation_per_mille,
            from_unix_s: certificate.from_unix_s,
            to_unix_s: certificate.to_unix_s,
        }
    }

    /// The certificate that it was made from, on a ledger of this key epoch.
    pub fn certificate(&self, key_epoch: u64) -> Certificate {
        Certificate {
            account: self.account.0,
            key_epoch,
            point: self.point.0,
            rights: Rights { buy: self.buy, sell: self.sell },
            zone: self.zone,
            role: self.role,
            import_class: self.import_class,
            export_class: self.export_class,
            credit_line: None,
            participation_per_mille: self.participation_per_mille,
            import_source: None,
            export_source: None,
            from_unix_s: self.from_unix_s,
            to_unix_s: self.to_unix_s,
        }
    }
}

/// What a node says about the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersPage {
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the final block that this is the state after.
    pub height: u64,
    /// The registrar's key in force.
    pub registrar_key: Hex32,
    /// Number of the registrar's next order.
    pub sequence: u64,
    /// Epoch of the account keys.
    pub key_epoch: u64,
    /// The market's capacity classes, Wh per slot.
    pub capacity_classes_wh: Vec<u64>,
    /// How many members there are.
    pub count: u64,
    /// How many of them are suspended.
    pub suspended: u64,
    /// Most members of the market.
    pub max_members: u32,
    /// Where the next page begins; none when this is the last one.
    pub next: Option<AccountNumber>,
    /// The members of this page, in the order of their numbers.
    pub members: Vec<MemberEntry>,
}

impl MembersPage {
    /// The members of a final state from an account number on.
    pub fn of(state: &State, query: &MembersQuery) -> Self {
        let (register, params) = (state.members(), state.community().params());
        let most = usize::try_from(query.max.min(MAX_MEMBERS_PER_PAGE)).unwrap_or(usize::MAX);
        let mut all = register.iter().filter(|(number, _)| *number >= query.from);
        let page = all.by_ref().take(most);
        let members = page.map(|(number, member)| MemberEntry::of(params, number, member)).collect();
        Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            registrar_key: Hex32(*state.offices().registrar()),
            sequence: register.sequence(),
            key_epoch: state.community().genesis().key_epoch,
            capacity_classes_wh: params.capacity_classes.capacities_wh().to_vec(),
            count: register.len() as u64,
            suspended: register.suspended() as u64,
            max_members: params.max_members,
            next: all.next().map(|(number, _)| number),
            members,
        }
    }
}
