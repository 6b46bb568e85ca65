//! A validator's intake: the actor that opens and checks bids, and the keeper of what it promises.

use super::application::NodeApplication;
use super::keeper::KeeperActor;
use super::parts::lock;
use crate::checks::wall_clock_unix_ms;
use crate::error::NodeError;
use crate::keyfile::ValidatorKeys;
use crate::start::open_journal;
use actix::{Actor, Addr, Arbiter};
use std::path::Path;
use std::sync::{Arc, Mutex};
use veilgrid_actors::aggregator::{AggregatorActor, Confirm, Keep, Keeper};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::{Admitted, Intake};
use veilgrid_store::IntakeJournal;

/// Starts both with every promise of the journal.
pub(super) fn start(
    directory: &Path,
    keys: &ValidatorKeys,
    application: &Arc<Mutex<NodeApplication>>,
    state: State,
) -> Result<(Addr<AggregatorActor>, Addr<KeeperActor>), NodeError> {
    let start = |error: &dyn std::fmt::Display| NodeError::start("the intake's journal", error);
    let journal = open_journal(directory).map_err(|error| start(&error))?;
    let (intake, promised) = restore(&journal, keys, state).map_err(|why| start(&why))?;
    let verdicts = lock(application).core.verdicts();
    let proofs = ProofPool::new("intake", None, CancelFlag::default())
        .map_err(|error| NodeError::start("the threads for proofs", error))?;
    let promised = promised.into_iter().map(|one| one.bid);
    let keeper = KeeperActor::new(journal, Arc::clone(application), promised);
    let keeper = KeeperActor::start_in_arbiter(&Arbiter::new().handle(), |_| keeper);
    let journal = Keeper::journal(keeper.clone().recipient::<Keep>(), keeper.clone().recipient::<Confirm>());
    let clock = Arc::new(wall_clock_unix_ms);
    // Envelopes are opened and signatures checked on a thread of its own, so that requests are never held up.
    let intake = AggregatorActor::start_in_arbiter(&Arbiter::new().handle(), move |_| {
        AggregatorActor::new(intake, proofs, verdicts, journal, clock)
    });
    Ok((intake, keeper))
}

/// The intake with the promises of the journal, and those that the ledger has not kept yet.
fn restore(
    journal: &IntakeJournal,
    keys: &ValidatorKeys,
    state: State,
) -> Result<(Intake, Vec<Admitted>), String> {
    let shape = state.community().bid_shape();
    let entries = journal.load().map_err(|error| error.to_string())?;
    let mut journaled = Vec::new();
    for entry in entries.into_values().flatten() {
        let bid = SealedBid::from_bytes(&entry.bid, shape).map_err(|error| error.to_string())?;
        let receipt = Receipt::from_bytes(&entry.receipt).map_err(|error| error.to_string())?;
        journaled.push((bid, receipt));
    }
    let (envelope, signing) = (keys.envelope.clone(), keys.signing.clone());
    Intake::restore(envelope, signing, state, journal.last_sequence(), journaled)
        .map_err(|error| error.to_string())
}
