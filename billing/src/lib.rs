//! Bills of a sharing community: values in, values out.
//!
//! Who runs this holds the readings (the reading authority); it is not the community's operator. The path of a month:
//!
//! 1. [`community::Community`] is read from its files: accounts, meters, prices, fees, creditor;
//! 2. [`readings::complete`] refuses a month in which a value is missing, or rests on what the market does not let be billed;
//! 3. [`settle::settle`] shares the energy out and adds each account's lines up, in exact integers;
//! 4. [`correction::difference`] is what later readings change in a month that was billed;
//! 5. [`bill::Bill`] puts both on a bill, rounded once, down to a cent; [`run::Run`] chains finals by digests;
//! 6. [`opened::Opened`] is what the operator gets: totals that members opened by their [`standing::StandingOrder`], and public sums.
//!
//! ```
//! use veilgrid_billing::money::Amount;
//! // 1.5 kWh at 12.345 ct/kWh: 18.5175 ct, of which 18 are billed.
//! let amount = Amount::of(1_500 << 16, 12_345).expect("in bounds");
//! assert_eq!((amount.floor_ct(), amount.exact_ct()), (Some(18), "18.5175".to_owned()));
//! ```
//!
//! Units are in the names: energy in Wh, `q16` is Wh/2^16, prices in mct/kWh; money is exact in [`money::Amount`] and whole cents on a
//! bill. The clock's time and random numbers are arguments.
#![forbid(unsafe_code)]

pub mod bill;
pub mod community;
pub mod correction;
pub mod money;
pub mod opened;
pub mod payment;
pub mod period;
pub mod readings;
pub mod run;
pub mod settle;
pub mod standing;
pub mod tariffs;
