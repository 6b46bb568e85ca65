//! What a gateway knows of a household and what it may ask for, whatever protocol the household's devices speak.
//!
//! | module | what |
//! |---|---|
//! | [`outlook`] | cleared prices of slots, past and ahead; a slot without a trade has none |
//! | [`fills`] | what the account traded, from its `results.csv`, with all decimals |
//! | [`wish`] | what a device wants: energy in certain slots, or by a departure |
//! | [`orders`] | the owner's own rows and the wishes as one file of orders |
//! | [`decimal`] | prices and energy as exact text in the units that peers use |
//!
//! Values in, values out: no clock, no disk, no socket. Prices are integers in mct/kWh, energy integers in Wh; a price that is not
//! known is `None` and stays so in every connector.
//!
//! ```
//! use veilgrid_household::decimal::eur_per_kwh;
//! assert_eq!(eur_per_kwh(28_755), "0.28755");
//! ```
#![forbid(unsafe_code)]

pub mod decimal;
pub mod fills;
pub mod orders;
pub mod outlook;
pub mod wish;

pub use decimal::{DecimalFault, instant};
pub use fills::{Fills, FillsError};
pub use orders::{OrdersFault, Window};
pub use outlook::{Outlook, SlotPrice};
pub use veilgrid_market::timestamp::format_utc;
pub use wish::{Row, Wish};
