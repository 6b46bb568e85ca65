//! What energy costs outside of the market: retail and feed-in by time of use, and network fees by zone.

mod fees;
mod table;

use crate::grid::MAX_PRICE_MCT_PER_KWH;
use crate::units::format_ct_per_kwh;
use crate::utility::UtilityError;
use thiserror::Error;

pub use fees::{Fee, MAX_ZONES, ZoneFees};
pub use table::{DAY_MINUTES, MAX_DAYS, MAX_STRETCHES, Stretch, TariffDay, TariffTable};

/// Why tariffs or fees are refused; a stretch of the day is named as `17:00-20:00`, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum TariffError {
    /// A stretch does not begin where the one before it ends, or has no length.
    #[error(
        "{stretch}: a stretch of the day that is not empty has to begin at {expected}, where the one before it ends"
    )]
    Gap { stretch: String, expected: String },
    /// The last stretch does not end with the day.
    #[error("the stretches of the day end at {reached}; the last one has to end at 24:00")]
    End { reached: String },
    /// More stretches than slots of five minutes.
    #[error("{stretches} stretches of a day; at most {MAX_STRETCHES}")]
    TooManyStretches { stretches: usize },
    /// Members would trade with themselves through the grid.
    #[error(
        "{stretch}: feed-in {} ct/kWh is above retail {} ct/kWh; set it to at most retail",
        format_ct_per_kwh(*feed_in_mct_per_kwh), format_ct_per_kwh(*retail_mct_per_kwh)
    )]
    FeedInAboveRetail { stretch: String, feed_in_mct_per_kwh: i64, retail_mct_per_kwh: i64 },
    /// Beyond any market.
    #[error("{stretch}: a price is more than {} ct/kWh from zero", format_ct_per_kwh(MAX_PRICE_MCT_PER_KWH))]
    Price { stretch: String },
    /// A slot would have two prices.
    #[error("{stretch} ends inside of a slot of {slot_seconds} s; let stretches end where slots do")]
    InsideSlot { stretch: String, slot_seconds: u32 },
    /// The utility can have no such order in the market.
    #[error("{stretch}: {why}")]
    Utility { stretch: String, why: UtilityError },
    /// A table of nothing.
    #[error("a table of tariffs needs at least one day")]
    Empty,
    /// A change for time that has passed.
    #[error(
        "tariffs from {from_unix_s} on (seconds since 1970) were announced at {now_unix_s}: they have to apply later"
    )]
    Retroactive { from_unix_s: i64, now_unix_s: i64 },
    /// A change before another one.
    #[error(
        "tariffs from {from_unix_s} on (seconds since 1970): those from {last_unix_s} on are announced already"
    )]
    OutOfOrder { from_unix_s: i64, last_unix_s: i64 },
    /// More changes than a table holds.
    #[error("more than {MAX_DAYS} changes of the tariffs")]
    TooManyDays,
    /// A fee beyond any market.
    #[error("zone {zone}: a fee is above {} ct/kWh", format_ct_per_kwh(MAX_PRICE_MCT_PER_KWH))]
    Fee { zone: u16 },
    /// More zones than a market has.
    #[error("{zones} zones; at most {MAX_ZONES}")]
    TooManyZones { zones: usize },
    /// A zone without fees.
    #[error("zone {zone} has no fees; name them, zero where there are none")]
    UnknownZone { zone: u16 },
    /// A sum left 128 bits.
    #[error("a fee leaves 128 bits: energy is not in Wh/65536")]
    Overflow,
}
