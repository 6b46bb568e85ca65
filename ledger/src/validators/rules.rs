//! Who the validators are, and how others take their place.

use crate::refusal::Refusal;
use crate::room::check_change;
use crate::roster::{Roster, RosterChange, RosterError};
use crate::state::State;
use crate::state::effects::Effect;
use std::sync::Arc;
use veilgrid_crypto::keygen::Group;

impl State {
    /// The validators in force.
    pub fn roster(&self) -> &Roster {
        self.network.roster()
    }

    /// The first epoch of the validators in force; part of what is signed to replace them.
    pub fn roster_since(&self) -> u64 {
        self.network.rosters.in_force().0
    }

    /// All sets of validators that were ever in force, oldest first.
    pub fn rosters(&self) -> impl Iterator<Item = &Roster> {
        self.network.rosters.all().map(|(_, roster)| roster.as_ref())
    }

    /// The epoch of the last block.
    pub fn epoch(&self) -> u64 {
        self.timing().epoch_of(self.height)
    }

    /// The consensus keys of the validators of an epoch: of this one, of all before, and of the next one once the last
    /// block of this one was executed.
    pub fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        let current = self.epoch();
        let last_of_epoch = self.timing().begins_epoch(self.height.saturating_add(1));
        if epoch == current.saturating_add(1) && last_of_epoch {
            let next = self.network.next_roster().unwrap_or_else(|| self.roster());
            return Some(next.consensus_keys());
        }
        (epoch <= current).then(|| self.network.rosters.of_epoch(epoch).consensus_keys())
    }

    /// The validators that a change under way asks for.
    pub fn pending_roster(&self) -> Option<&Roster> {
        self.network.change.as_deref()
    }

    /// Whether the ledger takes a change of its validators now: the change itself, and the key sessions that follow.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check_change(&self, change: &RosterChange) -> Result<(), RosterError> {
        let (roster, since_epoch) = (self.roster(), self.roster_since());
        let checked = change.check(&self.community.ledger_id(), roster, since_epoch);
        let keys = u32::try_from(self.community.params().key_count()).unwrap_or(u32::MAX);
        let checked = checked.and_then(|()| self.check_keys_of(&change.roster));
        let checked = checked.and_then(|()| check_change(roster.group(), change.roster.group(), keys));
        checked.and_then(|()| self.check_epochs_of(change.roster.group()))
    }

    /// "Every epoch has a block of an honest proposer", which grace counts on.
    fn check_epochs_of(&self, group: Group) -> Result<(), RosterError> {
        let timing = self.timing();
        if timing.has_an_honest_block(group) {
            return Ok(());
        }
        Err(RosterError::Epoch { faults: group.faults(), epoch_blocks: timing.epoch_blocks })
    }

    pub(crate) fn take_roster_change(&mut self, change: &RosterChange) -> Result<Effect, Refusal> {
        if self.network.change.is_some() || self.network.next_roster().is_some() {
            return Err(Refusal::Roster(RosterError::UnderWay));
        }
        self.check_change(change).map_err(Refusal::Roster)?;
        let validators = change.roster.group().validators;
        Arc::make_mut(&mut self.network).change = Some(Arc::new(change.roster.clone()));
        Ok(Effect::ValidatorsProposed { validators, roster_digest: change.roster.digest() })
    }
}
