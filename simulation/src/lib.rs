//! A network of validators on a deterministic runtime: faults by seed, invariants after every run.
//!
//! One seed is one [`Plan`] and one run: four validators with the real engine, core, key holder, ledger and
//! cryptography over a simulated network, three to five members that seal real bids. The same seed gives the same run to
//! the bit. See [`run()`].

mod check;
mod chronicle;
mod clients;
mod dice;
mod liar;
mod market;
mod plan;
mod run;
mod validator;
mod wire;
mod world;

pub use market::VALIDATORS;
pub use plan::{InvalidBlock, Kept, Misbehaviour, Plan, Step};
pub use run::{Broken, PROGRESS_MS, Report, SHARES_MS, run};
