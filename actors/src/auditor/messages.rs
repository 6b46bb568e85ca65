//! What the auditor is told and what it answers.

use crate::follow::FollowFault;
use actix::Message;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditReport, ReceiptFinding};

/// A member's receipt, whose bid has to be on the ledger when the round is closed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ExpectBid(pub Receipt);

/// Ends the audit.
#[derive(Message)]
#[rtype(result = "Result<Audited, FollowFault>")]
pub struct Conclude;

/// What the auditor found: no violation.
#[derive(Debug, Clone)]
pub struct Audited {
    /// What was checked, and how many of each.
    pub report: AuditReport,
    /// What became of the receipts' bids.
    pub receipts: Vec<ReceiptFinding>,
}
