//! The journal of promises as an intake uses it: read after a restart, written before a receipt leaves.

use super::keeper::KeepError;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::{Admitted, Intake, RestoreError};
use veilgrid_store::{IntakeEntry, IntakeError, IntakeJournal};

/// Bids of a write to the journal: those of the largest grid are 300 KB each, and a write has a bound.
const ENTRIES_A_WRITE: usize = 64;

/// Why an intake does not start from its journal.
#[derive(Debug, Error)]
pub enum JournalFault {
    /// The journal can't be read.
    #[error("{0}")]
    Unreadable(#[from] IntakeError),
    /// An entry is no bid, or no receipt.
    #[error("the journal of bids is damaged: {0}; restore it from a backup")]
    Entry(#[from] WireError),
    /// The journal is not this intake's.
    #[error("{0}")]
    Restore(#[from] RestoreError),
}

/// An intake with every promise of the journal, and the promises that the ledger has not kept yet.
///
/// # Errors
/// [`JournalFault`]. A node must not take bids then: it could break promises.
pub fn restore(
    envelope_key: EnvelopeKey,
    receipt_key: SigningKey,
    state: State,
    journal: &IntakeJournal,
) -> Result<(Intake, Vec<Admitted>), JournalFault> {
    let shape = state.community().bid_shape();
    let mut journaled = Vec::new();
    for entry in journal.load()?.into_values().flatten() {
        journaled.push((SealedBid::from_bytes(&entry.bid, shape)?, Receipt::from_bytes(&entry.receipt)?));
    }
    Ok(Intake::restore(envelope_key, receipt_key, state, journal.last_sequence(), journaled)?)
}

/// Writes bids and receipts down; they are on disk when it returns.
///
/// # Errors
/// [`KeepError::NotDurable`]: none of the receipts may ever leave.
pub fn record(journal: &mut IntakeJournal, admitted: &[Admitted]) -> Result<(), KeepError> {
    let entry = |one: &Admitted| IntakeEntry { bid: one.bid.to_bytes(), receipt: one.receipt.to_bytes() };
    for some in admitted.chunks(ENTRIES_A_WRITE) {
        let entries: Vec<IntakeEntry> = some.iter().map(entry).collect();
        journal.record(&entries).map_err(|error| KeepError::NotDurable { why: error.to_string() })?;
    }
    Ok(())
}

/// The last round of which no promise is left to keep; none at first. Later ones are active, or yet to open.
pub fn last_round_over(state: &State) -> Option<u64> {
    let first_active = state.rounds().map(|round| round.round_id()).next();
    first_active.map_or_else(|| state.last_round_id(), |first| first.checked_sub(1))
}
