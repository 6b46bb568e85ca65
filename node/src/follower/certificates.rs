//! Certificates as a follower sees them.

use veilgrid_ledger::hash::Hash;

/// Decides whether a certificate makes a block final. A trait, so that the rules of the chain can be tested without
/// an engine.
pub trait CertificateCheck: Send + 'static {
    /// Checks that `certificate` names the block and is one of `validators`, the consensus keys of `epoch`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> Result<(), String>;
}

/// The certificates of the engine.
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
