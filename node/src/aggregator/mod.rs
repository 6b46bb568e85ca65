//! The aggregator: takes envelopes, gives receipts, sends bids on to the validators.
//!
//! ```text
//! HTTP ──envelope──> intake (AggregatorActor) ──Keep──> Forwarder ──journal, then POST /v1/relay──> validators
//!                        ^                                 ^
//!                        └────────── Advance ──────────────┴── follower <── blocks of any validator
//! ```
//!
//! A receipt leaves when the bid is in the journal and f+1 validators have acknowledged it: at least one honest one
//! then brings it onto the ledger, whatever becomes of this process. When fewer can be reached, the sender gets no
//! receipt and goes to the validators itself.
//!
//! # Restart
//! Nothing is kept but the journal and the blocks. The state is rebuilt from the blocks, the promises from the
//! journal; bids that the ledger does not have yet are sent on again.

mod forwarder;
mod pending;
mod run;

pub use forwarder::{Forwarder, ForwarderOptions, Journaled, Ledger, Relay, Relayed};
pub use pending::{Acknowledgement, Pending};
pub use run::run;
