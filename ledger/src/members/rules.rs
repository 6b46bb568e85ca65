//! What the registrar's orders and replacements of keys do to the state, and who may bid.

use super::bidders::BidderSet;
use super::offices::{KeyReplacement, Offices, ReplacementContext};
use super::order::{Action, RegistrarOrder};
use super::refusal::MembersRefusal;
use super::register::{Register, covers};
use crate::key_roles::{self, KeyRole, SharedKey};
use crate::refusal::{Account, Refusal};
use crate::roster::{Roster, RosterError};
use crate::rounds::refusal::RoundRefusal;
use crate::state::State;
use crate::state::effects::Effect;
use crate::state::round::Slot;
use crate::transaction::Transaction;
use std::sync::Arc;
use veilgrid_crypto::group::PointBytes;

impl State {
    /// The members as they stand: who may bid in rounds that open from here on.
    pub fn members(&self) -> &Register {
        &self.members
    }

    /// The keys of registrar and aggregator.
    pub fn offices(&self) -> &Offices {
        self.community.offices()
    }

    /// Who may bid in an active round, with everybody's capacities in Wh per slot.
    pub fn bidders(&self, round_id: u64) -> Option<&BidderSet> {
        self.round(round_id).map(|round| round.bidders())
    }

    /// Whether an account may bid in a round; of one that is not open yet, as things stand.
    ///
    /// # Errors
    /// The rule that keeps it out.
    pub fn check_may_bid(&self, round_id: u64, account: &PointBytes) -> Result<(), RoundRefusal> {
        match self.round(round_id) {
            Some(round) => {
                self.check_bidder_of(round_id, round.bidders().get(account).is_some(), account, &round.slot())
            }
            None => {
                let seconds = self.community.params().slot_seconds;
                let start = self.timing().slot_start_unix_s(round_id, seconds);
                let start_unix_s = start.ok_or(RoundRefusal::RoundNotActive { round: round_id })?;
                self.check_will_bid(round_id, account, &Slot { start_unix_s, seconds })
            }
        }
    }

    /// The same for a round that would open now for this slot.
    pub(crate) fn check_will_bid(
        &self,
        round: u64,
        account: &PointBytes,
        slot: &Slot,
    ) -> Result<(), RoundRefusal> {
        let member = self.members.member_of(account);
        let may_bid = member.is_some_and(|member| !member.suspended && covers(member, slot));
        self.check_bidder_of(round, may_bid, account, slot)
    }

    fn check_bidder_of(
        &self,
        round: u64,
        may_bid: bool,
        account: &PointBytes,
        slot: &Slot,
    ) -> Result<(), RoundRefusal> {
        if may_bid {
            return Ok(());
        }
        let member = self.members.member_of(account);
        let account = Account(*account);
        Err(match member {
            // "Who has left does not bid."
            None if self.members.number_of(&account.0).is_some() => RoundRefusal::HasLeft { round, account },
            // "Only members bid."
            None => RoundRefusal::NotAMember { round, account },
            // "Who is suspended does not bid."
            Some(member) if member.suspended => RoundRefusal::Suspended { round, account },
            // "A member bids for slots that its certificate covers."
            Some(member) if !covers(member, slot) => RoundRefusal::CertificateDates { round, account },
            // "Who may bid is fixed when the round opens."
            Some(_) => RoundRefusal::JoinedLater { round, account },
        })
    }

    /// Whether the ledger takes an order of the registrar now.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check_order(&self, order: &RegistrarOrder) -> Result<(), MembersRefusal> {
        self.after_order(order).map(|_| ())
    }

    /// The cheap rules first: who can't sign for the registrar costs the ledger one signature's check.
    fn after_order(&self, order: &RegistrarOrder) -> Result<(Register, Vec<u32>), MembersRefusal> {
        let (found, expected) = (order.sequence, self.members.sequence());
        if found != expected {
            return Err(MembersRefusal::Sequence { found, expected });
        }
        order.verify(&self.community.ledger_id(), self.community.registrar_key())?;
        if let Action::Enrol(certificates) = &order.action {
            for certificate in certificates {
                self.check_fresh(KeyRole::Account, certificate.account)?;
            }
        }
        let digest = Transaction::Registrar(Box::new(order.clone())).digest();
        self.members.after(self.community.genesis(), &order.action, &digest)
    }

    /// "Each key has one role": this one has none yet, members' accounts apart.
    fn check_fresh(&self, second: KeyRole, key: [u8; 32]) -> Result<(), SharedKey> {
        let rosters = self.rosters().chain(self.network.change.as_deref()).chain(self.network.next_roster());
        let mut standing = self.offices().keys().chain(rosters.flat_map(Roster::key_roles));
        match standing.find(|(_, other)| *other == key) {
            Some((first, _)) => Err(SharedKey { key, first, second }),
            None => Ok(()),
        }
    }

    /// Checks that no key of these validators has another role, or has two among them.
    ///
    /// # Errors
    /// [`RosterError::SharedKey`].
    pub(crate) fn check_keys_of(&self, roster: &Roster) -> Result<(), RosterError> {
        Ok(key_roles::check(self.offices(), &self.members, roster)?)
    }

    pub(crate) fn take_order(&mut self, order: &RegistrarOrder) -> Result<Effect, Refusal> {
        let (register, accounts) = self.after_order(order)?;
        if let (Action::Enrol(certificates), Some(money)) = (&order.action, self.accounts_mut()) {
            let enrolled = accounts.iter().zip(certificates);
            enrolled.for_each(|(number, certificate)| money.enrol(*number, certificate.account));
        }
        self.members = Arc::new(register);
        Ok(Effect::MembersChanged { sequence: order.sequence, kind: order.action.kind(), accounts })
    }

    /// What validators sign to replace a key, besides the key.
    pub fn replacement_context<'a>(&'a self, ledger_id: &'a [u8; 32]) -> ReplacementContext<'a> {
        ReplacementContext {
            ledger_id,
            roster: self.roster(),
            since_epoch: self.roster_since(),
            replaced: self.offices().replaced(),
        }
    }

    /// Whether the ledger takes a replacement of the registrar's or the aggregator's keys now.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check_replacement(&self, replacement: &KeyReplacement) -> Result<(), MembersRefusal> {
        replacement.check(&self.replacement_context(&self.community.ledger_id()))?;
        let keys = replacement.keys.roles();
        for (at, (role, key)) in keys.iter().enumerate() {
            self.check_fresh(*role, *key)?;
            let account = self.members.number_of(key).map(|_| KeyRole::Account);
            let same = keys[..at].iter().find(|(_, other)| other == key).map(|(role, _)| *role);
            if let Some(first) = account.or(same) {
                return Err(SharedKey { key: *key, first, second: *role }.into());
            }
        }
        Ok(())
    }

    pub(crate) fn take_replacement(&mut self, replacement: &KeyReplacement) -> Result<Effect, Refusal> {
        self.check_replacement(replacement)?;
        self.community = Arc::new(self.community.with_office(replacement.keys)?);
        Ok(Effect::KeysReplaced { kind: replacement.keys.kind() })
    }
}
