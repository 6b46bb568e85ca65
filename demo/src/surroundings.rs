//! What a day takes from outside: where validators store their blocks, and what lies between them and the orderer.

use crate::orderer::ValidatorLink;
use std::path::{Path, PathBuf};
use veilgrid_actors::validator::{Journal, StoreJournal};

/// Opens the journal of a validator (from 1).
type Journals = Box<dyn Fn(u16) -> Box<dyn Journal> + Send>;
/// Stands between orderer and validators.
type Network = Box<dyn FnOnce(Vec<ValidatorLink>) -> Vec<ValidatorLink> + Send>;

/// The world around a community.
pub struct Surroundings {
    /// Where each validator's blocks go.
    pub journals: Journals,
    /// The way from the orderer to the validators: a simulated network, or none. Called once, inside the day's actor
    /// system, so it may start actors of its own.
    pub network: Network,
}

impl Surroundings {
    /// One store a validator below `dir`, and no network.
    pub fn local(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self {
            journals: Box::new(move |validator| Box::new(StoreJournal::new(store_dir(&dir, validator)))),
            network: Box::new(|links| links),
        }
    }
}

/// The store of a validator (from 1).
pub(crate) fn store_dir(dir: &Path, validator: u16) -> PathBuf {
    dir.join(format!("validator-{validator}"))
}
