//! Certificates as a follower and an auditor see them.

pub use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::hash::Hash;

/// The certificates of the engine: the ledger itself knows of none.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineCertificates;

impl CertificateCheck for EngineCertificates {
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> Result<(), String> {
        veilgrid_engine::certificate::verify(ledger_id, epoch, validators, block_hash, certificate)
            .map_err(|fault| fault.to_string())
    }
}
