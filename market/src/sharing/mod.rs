//! Energy sharing: members do nothing, and what the community generated in a slot is shared out among those who consumed in it,
//! by a public key.
//!
//! Over the accounts of a slot, D is the sum of what was consumed and G of what was generated. The [`SharingKey`] says which part
//! of G each consumer gets, at most its own consumption; the producers deliver it in proportion to what they generated, and what
//! rounding leaves over, less than G units of Wh/2^16, is the community's account's ([`share_slot`]).
//!
//! 1. [`parse_readings`] and [`parse_static_keys`] or [`parse_slot_keys`] read the files;
//! 2. [`check_minimums`] names a slot in which too few accounts take part;
//! 3. [`share_plain`] shares out readings that are known. Where they are sealed, [`SlotTotals`] says what follows from the sums
//!    that were opened.
//!
//! ```
//! use veilgrid_market::sharing::{SharingKey, parse_readings, share_plain};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let csv = "slot_start,account,direction,energy_wh\n\
//!            2026-06-21T10:00:00Z,flat,consumption,100\n\
//!            2026-06-21T10:00:00Z,shop,consumption,300\n\
//!            2026-06-21T10:00:00Z,roof,generation,200\n";
//! let shared = share_plain(&parse_readings(csv.as_bytes())?, &SharingKey::ProRata)?;
//! // Half of what each consumed.
//! assert_eq!(shared[0].consumers_q16, [50 << 16, 150 << 16]);
//! assert_eq!(shared[0].producers_q16, [200 << 16]);
//! # Ok(())
//! # }
//! ```

mod error;
mod keys;
mod plain;
mod readings;
mod rows;
mod rule;

pub use error::{KeysError, MinimumError, ReadingsError, RowsError, SharingError};
pub use keys::{ShareKeys, SharePpm, SharingKey, WHOLE_PPM, parse_slot_keys, parse_static_keys};
pub use plain::{check_minimums, share_plain};
pub use readings::{Direction, Reading, Readings, SlotReadings, parse_readings};
pub use rows::{MAX_ROWS, MAX_ROWS_BYTES};
pub use rule::{MAX_SLOT_WH, SlotShares, SlotTotals, share_slot};
