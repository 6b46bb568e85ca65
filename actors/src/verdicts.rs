//! Verdicts that intake and ledger of one process share, so that it verifies a bid once.
//!
//! In the demo aggregator and orderer are one operator's process and neither is trusted; validators and the auditor
//! never look into it and verify on their own.

pub use veilgrid_roles::replica::SharedVerdicts;
