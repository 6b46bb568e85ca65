//! The members of a ledger as they stand after a block.

use super::bidders::{Bidder, BidderSet};
use super::certificate::{Certificate, PointId};
use super::order::{AccountNumber, Action, MAX_ACCOUNTS_PER_ORDER};
use super::refusal::MembersRefusal;
use crate::capacity::MAX_CAPACITY_WH;
use crate::genesis::Genesis;
use crate::hash::{Hash, hash};
use crate::params::MarketParams;
use crate::rounds::refusal::Account;
use crate::state::round::Slot;
use std::collections::BTreeMap;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::Writer;

/// Number of the first account.
const FIRST_NUMBER: AccountNumber = 1;

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its certificate.
    pub certificate: Certificate,
    /// Whether it may not bid until its certificate is updated.
    pub suspended: bool,
}

/// The members, by account number. It follows from the genesis and the registrar's orders alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    pub(super) members: BTreeMap<AccountNumber, Member>,
    /// Of all accounts that were ever enrolled: a key is never enrolled again.
    pub(super) by_account: BTreeMap<PointBytes, AccountNumber>,
    pub(super) by_point: BTreeMap<PointId, AccountNumber>,
    /// None when all are given.
    pub(super) next_number: Option<AccountNumber>,
    pub(super) import_wh: u64,
    pub(super) export_wh: u64,
    pub(super) sequence: u64,
    pub(super) digest: Hash,
}

impl Register {
    /// The members of a genesis; they have the first numbers.
    ///
    /// # Errors
    /// The first certificate that breaks a rule, by its position.
    pub fn of_genesis(genesis: &Genesis) -> Result<Self, (usize, MembersRefusal)> {
        let mut register = Self::empty();
        for (position, certificate) in genesis.members.iter().enumerate() {
            register.enrol(genesis, certificate).map_err(|refusal| (position, refusal))?;
        }
        Ok(register)
    }

    /// Nobody yet.
    pub(super) fn empty() -> Self {
        Self {
            members: BTreeMap::new(),
            by_account: BTreeMap::new(),
            by_point: BTreeMap::new(),
            next_number: Some(FIRST_NUMBER),
            import_wh: 0,
            export_wh: 0,
            sequence: 0,
            digest: [0; 32],
        }
    }

    /// The register after an action, which the registrar has signed as its next order.
    pub(crate) fn after(
        &self,
        genesis: &Genesis,
        action: &Action,
        digest: &Hash,
    ) -> Result<(Self, Vec<AccountNumber>), MembersRefusal> {
        let accounts = action.accounts();
        // "An order is about 1 to 1,000 accounts."
        if !(1..=MAX_ACCOUNTS_PER_ORDER).contains(&accounts) {
            return Err(MembersRefusal::Accounts { accounts });
        }
        let mut next = self.clone();
        let numbers = match action {
            Action::Enrol(certificates) => {
                let enrolled = certificates.iter().map(|certificate| next.enrol(genesis, certificate));
                enrolled.collect::<Result<_, _>>()?
            }
            Action::Update(updates) => {
                let update = |(number, certificate): &(AccountNumber, Certificate)| {
                    next.update(genesis, *number, certificate).map(|()| *number)
                };
                updates.iter().map(update).collect::<Result<_, _>>()?
            }
            Action::Suspend(numbers) => {
                numbers.iter().map(|number| next.suspend(*number)).collect::<Result<_, _>>()?
            }
            Action::Leave(numbers) => {
                numbers.iter().map(|number| next.leave(genesis, *number)).collect::<Result<_, _>>()?
            }
        };
        next.sequence = self.sequence.saturating_add(1);
        next.digest = hash(labels::LEDGER_MEMBERS, &[&self.digest, digest]);
        Ok((next, numbers))
    }

    fn enrol(
        &mut self,
        genesis: &Genesis,
        certificate: &Certificate,
    ) -> Result<AccountNumber, MembersRefusal> {
        let account = Account(certificate.account);
        certificate.check(genesis).map_err(|fault| MembersRefusal::Certificate { account, fault })?;
        // "An account is enrolled once."
        if let Some(number) = self.by_account.get(&certificate.account).copied() {
            return Err(MembersRefusal::AccountTwice { account, number });
        }
        // "A community has at most max_members members."
        let max_members = genesis.params.max_members;
        if self.members.len() >= max_members as usize {
            return Err(MembersRefusal::TooManyMembers { max_members });
        }
        let number = self.next_number.ok_or(MembersRefusal::NumbersUsedUp)?;
        self.place(&genesis.params, number, certificate)?;
        self.by_account.insert(certificate.account, number);
        self.next_number = number.checked_add(1);
        Ok(number)
    }

    fn update(
        &mut self,
        genesis: &Genesis,
        number: AccountNumber,
        certificate: &Certificate,
    ) -> Result<(), MembersRefusal> {
        let found = Account(certificate.account);
        certificate.check(genesis).map_err(|fault| MembersRefusal::Certificate { account: found, fault })?;
        // "A certificate is updated for the account that it names."
        let expected = Account(self.standing(number)?.certificate.account);
        if found != expected {
            return Err(MembersRefusal::OtherAccount { number, found, expected });
        }
        self.displace(&genesis.params, number)?;
        self.place(&genesis.params, number, certificate)
    }

    fn suspend(&mut self, number: AccountNumber) -> Result<AccountNumber, MembersRefusal> {
        let member = self.members.get_mut(&number).ok_or(MembersRefusal::Unknown { number })?;
        // "Who is suspended is not suspended again."
        if core::mem::replace(&mut member.suspended, true) {
            return Err(MembersRefusal::Suspended { number });
        }
        Ok(number)
    }

    fn leave(&mut self, genesis: &Genesis, number: AccountNumber) -> Result<AccountNumber, MembersRefusal> {
        self.displace(&genesis.params, number).map(|()| number)
    }

    /// Puts a certificate in force.
    pub(super) fn place(
        &mut self,
        params: &MarketParams,
        number: AccountNumber,
        certificate: &Certificate,
    ) -> Result<(), MembersRefusal> {
        // "One account per connection point."
        if let Some(number) = self.by_point.get(&certificate.point).copied() {
            return Err(MembersRefusal::PointTwice { account: Account(certificate.account), number });
        }
        let (import_wh, export_wh) = certificate.capacities_wh(params);
        self.import_wh = sum_wh("import", self.import_wh, import_wh)?;
        self.export_wh = sum_wh("export", self.export_wh, export_wh)?;
        self.by_point.insert(certificate.point, number);
        self.members.insert(number, Member { certificate: certificate.clone(), suspended: false });
        Ok(())
    }

    /// Takes the certificate of a member out of force.
    fn displace(&mut self, params: &MarketParams, number: AccountNumber) -> Result<(), MembersRefusal> {
        // "An order is about members."
        let member = self.members.remove(&number).ok_or(MembersRefusal::Unknown { number })?;
        let (import_wh, export_wh) = member.certificate.capacities_wh(params);
        self.import_wh = self.import_wh.saturating_sub(import_wh);
        self.export_wh = self.export_wh.saturating_sub(export_wh);
        self.by_point.remove(&member.certificate.point);
        Ok(())
    }

    fn standing(&self, number: AccountNumber) -> Result<&Member, MembersRefusal> {
        self.members.get(&number).ok_or(MembersRefusal::Unknown { number })
    }

    /// The members with their numbers, in rising order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (AccountNumber, &Member)> {
        self.members.iter().map(|(number, member)| (*number, member))
    }

    /// How many members there are, the suspended ones included.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member with this number.
    pub fn member(&self, number: AccountNumber) -> Option<&Member> {
        self.members.get(&number)
    }

    /// The number of an account, also of one that has left.
    pub fn number_of(&self, account: &PointBytes) -> Option<AccountNumber> {
        self.by_account.get(account).copied()
    }

    /// The member with this account key.
    pub fn member_of(&self, account: &PointBytes) -> Option<&Member> {
        self.member(self.number_of(account)?)
    }

    /// The account at a connection point.
    pub fn number_at(&self, point: &PointId) -> Option<AccountNumber> {
        self.by_point.get(point).copied()
    }

    /// How many members are suspended.
    pub fn suspended(&self) -> usize {
        self.members.values().filter(|member| member.suspended).count()
    }

    /// Accounts that were ever enrolled.
    pub fn ever_enrolled(&self) -> usize {
        self.by_account.len()
    }

    /// The number of the registrar's next order.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Who may bid for a slot, as things stand: members that are not suspended, and whose certificate covers the slot.
    pub fn bidders(&self, params: &MarketParams, slot: &Slot) -> BidderSet {
        let bidders = self.may_bid(slot).map(|(number, Member { certificate, .. })| {
            let (import_wh, export_wh) = certificate.capacities_wh(params);
            let (point, zone) = (certificate.point, certificate.zone);
            (certificate.account, Bidder { number, point, zone, import_wh, export_wh })
        });
        BidderSet::new(bidders.collect())
    }

    /// Import and export capacities of those who may bid for a slot, in Wh per slot.
    pub(crate) fn capacities_wh(&self, params: &MarketParams, slot: &Slot) -> impl Iterator<Item = [u64; 2]> {
        self.may_bid(slot).map(|(_, member)| member.certificate.capacities_wh(params).into())
    }

    fn may_bid(&self, slot: &Slot) -> impl Iterator<Item = (AccountNumber, &Member)> {
        self.iter().filter(|(_, member)| !member.suspended && covers(member, slot))
    }

    /// What of it a state root covers: the orders that have led to it.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.sequence).length(self.members.len()).bytes(&self.digest);
    }
}

/// Whether a member's certificate covers a slot.
pub(crate) fn covers(member: &Member, slot: &Slot) -> bool {
    slot.end_unix_s().is_some_and(|end| member.certificate.covers(slot.start_unix_s, end))
}

/// "The capacities of all members fit a sum that can be opened."
fn sum_wh(direction: &'static str, sum_wh: u64, more_wh: u64) -> Result<u64, MembersRefusal> {
    let sum = sum_wh.checked_add(more_wh).filter(|sum_wh| *sum_wh <= MAX_CAPACITY_WH);
    sum.ok_or(MembersRefusal::CapacitySum { direction })
}
