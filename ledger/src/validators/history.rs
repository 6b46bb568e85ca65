//! The validators of a ledger over time.

use crate::roster::Roster;
use std::sync::Arc;
use veilgrid_crypto::wire::Writer;

/// The sets of validators, each with the first epoch in which it is in force, oldest first.
#[derive(Clone)]
pub(crate) struct Rosters {
    founders: (u64, Arc<Roster>),
    later: Vec<(u64, Arc<Roster>)>,
}

impl Rosters {
    /// The validators of a genesis, in force from epoch 0 on.
    pub(crate) fn new(founders: Roster) -> Self {
        Self { founders: (0, Arc::new(founders)), later: Vec::new() }
    }

    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &(u64, Arc<Roster>)> {
        core::iter::once(&self.founders).chain(&self.later)
    }

    /// The latest ones, with their first epoch.
    pub(crate) fn in_force(&self) -> &(u64, Arc<Roster>) {
        self.later.last().unwrap_or(&self.founders)
    }

    /// The validators of an epoch; of one that has not begun, those in force.
    pub(crate) fn of_epoch(&self, epoch: u64) -> &Roster {
        self.all().rev().find(|(from, _)| *from <= epoch).map_or(&self.founders.1, |(_, roster)| roster)
    }

    /// Others from this epoch on.
    pub(crate) fn replace(&mut self, epoch: u64, roster: Arc<Roster>) {
        self.later.push((epoch, roster));
    }

    /// All of it, for the state root.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.length(self.later.len().saturating_add(1));
        for (from, roster) in self.all() {
            w.u64(*from).bytes(&roster.digest());
        }
    }
}
