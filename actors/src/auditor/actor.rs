//! The auditor's actor.

use super::messages::{Audited, Conclude, ExpectBid};
use super::receipts::ReceiptBook;
use crate::follow::{FollowBlock, FollowFault};
use actix::{Actor, Context, Handler};
use veilgrid_ledger::audit::{AuditRequest, Auditor, Record, Violation};
use veilgrid_ledger::block::Block;

/// Blocks and receipts that may wait.
const MAILBOX: usize = 256;

/// An auditor. It verifies on its own thread.
pub struct AuditorActor {
    audit: Audit,
    receipts: ReceiptBook,
}

enum Audit {
    Running(Box<Auditor>),
    Failed(Violation),
    Reported,
}

impl AuditorActor {
    /// An auditor that trusts this genesis block, after checking it.
    pub fn new(genesis: &Block) -> Self {
        let request = AuditRequest { trusted_genesis: Some(genesis.hash()), ..AuditRequest::default() };
        let mut auditor = Box::new(Auditor::new(request));
        let audit = match auditor.block(genesis) {
            Ok(()) => Audit::Running(auditor),
            Err(violation) => Audit::Failed(violation),
        };
        Self { audit, receipts: ReceiptBook::default() }
    }
}

impl Actor for AuditorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FollowBlock> for AuditorActor {
    type Result = Result<(), FollowFault>;

    fn handle(&mut self, message: FollowBlock, _: &mut Self::Context) -> Self::Result {
        let Audit::Running(auditor) = &mut self.audit else { return Err(FollowFault::Ended) };
        let FollowBlock { block, certificate } = message;
        let certificate = certificate.map(|bytes| bytes.as_ref().clone());
        if let Err(violation) = auditor.record(&Record::Block(Box::new(block.as_ref().clone()), certificate))
        {
            self.audit = Audit::Failed(violation.clone());
            return Err(violation.into());
        }
        if let Some(state) = auditor.state() {
            self.receipts.look_up(state);
        }
        Ok(())
    }
}

impl Handler<ExpectBid> for AuditorActor {
    type Result = ();

    fn handle(&mut self, message: ExpectBid, _: &mut Self::Context) {
        self.receipts.expect(message.0);
        // Its bid may be on the ledger already, and its round may be finished with the next block.
        if let Audit::Running(auditor) = &self.audit
            && let Some(state) = auditor.state()
        {
            self.receipts.look_up(state);
        }
    }
}

impl Handler<Conclude> for AuditorActor {
    type Result = Result<Audited, FollowFault>;

    fn handle(&mut self, _: Conclude, _: &mut Self::Context) -> Self::Result {
        match std::mem::replace(&mut self.audit, Audit::Reported) {
            Audit::Running(auditor) => {
                let receipts = auditor.state().map(|state| self.receipts.findings(state)).unwrap_or_default();
                Ok(Audited { report: auditor.finish()?, receipts })
            }
            Audit::Failed(violation) => Err(violation.into()),
            Audit::Reported => Err(FollowFault::Ended),
        }
    }
}
