//! Signature schemes by epoch, for the parts of the engine that verify certificates of any epoch.

use crate::keys::{self, Scheme};
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::PrivateKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_ledger::finality::ValidatorSetFault;

/// The schemes of the epochs that are known so far.
#[derive(Clone)]
pub(crate) struct Schemes {
    ledger_id: [u8; 32],
    secret: Arc<PrivateKey>,
    known: Arc<Mutex<BTreeMap<u64, Arc<Scheme>>>>,
}

impl Schemes {
    pub fn new(ledger_id: [u8; 32], secret: PrivateKey) -> Self {
        Self { ledger_id, secret: Arc::new(secret), known: Arc::default() }
    }

    /// Adds the validators of an epoch.
    pub fn learn(&self, epoch: u64, validators: &[[u8; 32]]) -> Result<(), ValidatorSetFault> {
        let scheme = keys::scheme(&self.ledger_id, validators, &self.secret)?;
        self.map().insert(epoch, Arc::new(scheme));
        Ok(())
    }

    pub fn get(&self, epoch: u64) -> Option<Arc<Scheme>> {
        self.map().get(&epoch).cloned()
    }

    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Scheme>>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.get(epoch.get()).map(Scoped::scheme)
    }
}
