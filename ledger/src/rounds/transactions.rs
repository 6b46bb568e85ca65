//! The encodings of the transactions about rounds (kinds 1 to 8): round id, then the fields (specification section 8.4).

use super::encoding::{read_outcome, write_outcome};
use crate::genesis::read_points;
use crate::transaction::{SHARE_BYTES, Transaction, VoidReason};
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Appends what stands behind the kind; nothing for a transaction about no round.
pub(crate) fn write(transaction: &Transaction, w: &mut Writer) {
    let Some(round_id) = transaction.round_id() else { return };
    w.u64(round_id);
    match transaction {
        Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } => {
            w.i64(*slot_start_unix_s).u32(*slot_seconds);
        }
        Transaction::Bids { bids, .. } => {
            w.length(bids.len());
            for bid in bids {
                w.bytes(&bid.to_bytes());
            }
        }
        Transaction::CloseRound { .. } => {}
        Transaction::OpeningShare { opening_index, share, .. } => {
            w.u32(*opening_index).bytes(&share.to_bytes());
        }
        Transaction::OpenedValue { opening_index, value_wh, .. } => {
            w.u32(*opening_index).i64(*value_wh);
        }
        Transaction::Clear { outcome, .. } => write_outcome(w, outcome),
        Transaction::Settle { points, .. } => {
            w.length(points.len()).bytes(points.as_flattened());
        }
        Transaction::Void { reason, .. } => {
            w.u8(*reason as u8);
        }
        // Of other domains, which write them.
        _ => {}
    }
}

/// Reads what stands behind the kind.
///
/// # Errors
/// Anything that is not the one canonical encoding.
pub(crate) fn read(
    r: &mut Reader<'_>,
    kind: u8,
    shape: BidShape,
    max_bids: usize,
) -> Result<Transaction, WireError> {
    let round_id = r.u64("round id")?;
    Ok(match kind {
        1 => Transaction::OpenRound {
            round_id,
            slot_start_unix_s: r.i64("slot start")?,
            slot_seconds: r.u32("slot length")?,
        },
        2 => {
            let count = r.length("bids", max_bids, shape.bid_bytes())?;
            let bids = (0..count).map(|_| SealedBid::read(r, shape)).collect::<Result<_, _>>()?;
            Transaction::Bids { round_id, bids }
        }
        3 => Transaction::CloseRound { round_id },
        4 => Transaction::OpeningShare {
            round_id,
            opening_index: r.u32("opening index")?,
            share: OpeningShare::from_bytes(r.bytes("opening share", SHARE_BYTES)?)?,
        },
        5 => Transaction::OpenedValue {
            round_id,
            opening_index: r.u32("opening index")?,
            value_wh: r.i64("opened value")?,
        },
        6 => Transaction::Clear { round_id, outcome: read_outcome(r)? },
        7 => Transaction::Settle { round_id, points: read_points(r, "settlement points", max_bids)? },
        _ => {
            let reason = match r.u8("void reason")? {
                0 => VoidReason::TooFewBids,
                1 => VoidReason::OpeningDeadline,
                _ => {
                    let why = "no reason has this number";
                    return Err(WireError::Invalid { field: "void reason", why });
                }
            };
            Transaction::Void { round_id, reason }
        }
    })
}
