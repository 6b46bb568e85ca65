//! The state root: one digest of everything that decides about later transactions.

use super::State;
use super::round::Round;
use crate::hash::{Hash, hash};
use crate::params::write_option;
use crate::state::effects::PassedRounds;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::Writer;

impl State {
    /// Digest of the state: ledger, last block, finished rounds folded, active rounds in full. Its cost depends on
    /// the active rounds only.
    pub fn root(&self) -> Hash {
        let mut w = Writer::new();
        w.bytes(&self.community.ledger_id()).u64(self.height).bytes(&self.block_hash).u64(self.time_unix_ms);
        write_option(&mut w, self.last_round_id.map(u64::to_le_bytes));
        write_option(&mut w, self.cleared_until_unix_s.map(i64::to_le_bytes));
        w.u64(self.finished.settled).u64(self.finished.voided).bytes(&self.finished.digest);
        w.length(self.rounds.len());
        for round in self.rounds() {
            round.write(&mut w);
        }
        self.network.write(&mut w);
        self.members.write(&mut w);
        self.community.offices().write(&mut w);
        w.u8(u8::from(self.accounts.is_some()));
        if let Some(accounts) = self.accounts() {
            accounts.write(&mut w);
        }
        hash(labels::LEDGER_STATE, &[&w.finish()])
    }

    /// Takes a round out of the active ones and folds it, with `ending` (its settlement points or the reason of its
    /// voiding), into the digest of the finished ones.
    pub(crate) fn finish_round(&mut self, round: &Round, ending: &[u8]) {
        let mut w = Writer::new();
        round.write(&mut w);
        self.finished.digest = hash(labels::LEDGER_ROUND, &[&self.finished.digest, &w.finish(), ending]);
        self.rounds.remove(&round.round_id());
    }

    /// Counts rounds that were never opened as void and folds them into the digest of the finished ones.
    pub(crate) fn finish_unopened(&mut self, passed: &PassedRounds) {
        let mut w = Writer::new();
        w.u64(passed.first_round_id).u64(passed.last_round_id).u8(passed.reason as u8);
        self.finished.digest = hash(labels::LEDGER_PASSED, &[&self.finished.digest, &w.finish()]);
        self.finished.voided = self.finished.voided.saturating_add(passed.count());
    }
}
