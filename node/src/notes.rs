//! What a process notes beside its saved state: what it knows of blocks that the next start does not execute again.

use crate::share_roll::ShareRoll;
use veilgrid_client::ledger_view::RoundEnds;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_ledger::state::checkpoint::Checkpoint;

/// The notes of a validator or an aggregator.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Notes {
    /// The last block that they know of: later ones are noted again as they are executed.
    pub(crate) height: u64,
    /// How rounds ended.
    pub(crate) ended: RoundEnds,
    /// Who holds shares.
    pub(crate) roll: ShareRoll,
    /// Ends of the last rounds whose bids are kept ([`crate::validator`]'s retention); empty where nothing is pruned.
    pub(crate) kept: Vec<Checkpoint>,
}

impl Notes {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { height, ended, roll, kept } = self;
        let mut w = Writer::new();
        w.u64(*height).blob(&ended.to_bytes()).blob(&roll.to_bytes()).length(kept.len());
        for checkpoint in kept {
            w.blob(&checkpoint.to_bytes());
        }
        w.finish()
    }

    /// None for anything that [`Notes::to_bytes`] has not written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let height = r.u64("height")?;
        let ended = RoundEnds::from_bytes(r.blob("ends of rounds", usize::MAX)?)?;
        let roll = ShareRoll::from_bytes(r.blob("holders of shares", usize::MAX)?)?;
        let count = r.length("ends of kept rounds", usize::MAX, 4)?;
        let kept = (0..count).map(|_| Checkpoint::from_bytes(r.blob("end of a kept round", usize::MAX)?));
        let kept = kept.collect::<Result<_, _>>()?;
        r.finish()?;
        Ok(Self { height, ended, roll, kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::state::FinishedRounds;
    use veilgrid_ledger::state::effects::{Effect, PassedRounds};
    use veilgrid_ledger::transaction::VoidReason;

    #[test]
    fn they_come_back_and_nothing_else_is_read() {
        let mut notes = Notes { height: 9, ..Notes::default() };
        let passed = PassedRounds { first_round_id: 1, last_round_id: 3, reason: VoidReason::NotOpened };
        notes.ended.note(&Effect::PassedOver(passed));
        notes.roll.note(&Effect::KeysInForce { session: 1 });
        notes.kept.push(Checkpoint {
            height: 7,
            last_round_id: Some(3),
            cleared_until_unix_s: None,
            finished: FinishedRounds::default(),
            refused: 0,
            refused_digest: [0; 32],
            active: vec![4],
        });
        let bytes = notes.to_bytes();
        assert_eq!(Notes::from_bytes(&bytes), Some(notes));
        for at in 0..bytes.len() {
            assert_eq!(Notes::from_bytes(&bytes[..at]), None, "cut at {at}");
        }
    }
}
