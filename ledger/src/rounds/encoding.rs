//! Canonical encodings of the market's types inside of transactions and of the state.

use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_market::{Outcome, Purpose, SumKind, SumRequest};

/// Longer than any outcome's encoding.
const MAX_OUTCOME_BYTES: usize = 256;

/// Appends an outcome, length first, as its length depends on whether anything is traded.
pub(crate) fn write_outcome(w: &mut Writer, outcome: &Outcome) {
    w.blob(&outcome.to_bytes());
}

/// Reads an outcome. That it is *the* outcome of a round is a rule of the state.
pub(crate) fn read_outcome(r: &mut Reader<'_>) -> Result<Outcome, WireError> {
    Outcome::from_bytes(r.blob("outcome", MAX_OUTCOME_BYTES)?)
        .map_err(|_| WireError::Invalid { field: "outcome", why: "no clearing has this outcome" })
}

/// Appends which sum is opened.
pub(crate) fn write_request(w: &mut Writer, request: &SumRequest) {
    let kind = match request.kind {
        SumKind::W => 0,
        SumKind::Z => 1,
        SumKind::S => 2,
        SumKind::D => 3,
    };
    let purpose = match request.purpose {
        Purpose::Path => 0,
        Purpose::Volume => 1,
    };
    w.u8(kind).u8(purpose).i64(i64::from(request.tick));
}
