//! The auditor: follows the blocks with no secret, verifies everything itself, and looks for the bids of receipts.
//!
//! A violation ends its audit; the report of a day is then an error that names the first broken rule. An auditor
//! that is started again begins at the genesis; it keeps nothing worth a supervisor.

mod actor;
mod messages;
mod receipts;

pub use actor::AuditorActor;
pub use messages::{Audited, Conclude, ExpectBid};
pub use receipts::ReceiptBook;
