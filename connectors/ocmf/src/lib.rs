//! Charging sessions from signed records in the Open Charge Metering Format (S.A.F.E., OCMF 1.0 to 1.4), for bills.
//!
//! A signature covers the exact bytes of a record's payload: they are checked as they were given, and nothing is written anew. The key is the
//! one that was certified for the charger; one that the record brings along counts for nothing. A session is billable when the same
//! register was read at its begin and its end, the meter was in order, no error flag was set and its clock was
//! synchronised; everything else is refused with its reason.
#![forbid(unsafe_code)]

mod record;

pub use record::{Key, Session, session};
