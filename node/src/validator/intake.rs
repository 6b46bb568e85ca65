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
use veilgrid_actors::aggregator::{AggregatorActor, Confirm, Keep, Keeper, journal};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_ledger::state::State;

/// Starts both with every promise of the journal.
pub(super) fn start(
    directory: &Path,
    keys: &ValidatorKeys,
    application: &Arc<Mutex<NodeApplication>>,
    state: State,
) -> Result<(Addr<AggregatorActor>, Addr<KeeperActor>), NodeError> {
    let start = |error: &dyn std::fmt::Display| NodeError::start("the intake's journal", error);
    let promises = open_journal(directory).map_err(|error| start(&error))?;
    let (envelope, signing) = (keys.envelope.clone(), keys.signing.clone());
    let restored = journal::restore(envelope, signing, state, &promises);
    let (intake, promised) = restored.map_err(|fault| start(&fault))?;
    let verdicts = lock(application).core.verdicts();
    let proofs = ProofPool::new("intake", None, CancelFlag::default())
        .map_err(|error| NodeError::start("the threads for proofs", error))?;
    let promised = promised.into_iter().map(|one| one.bid);
    let keeper = KeeperActor::new(promises, Arc::clone(application), promised);
    let keeper = KeeperActor::start_in_arbiter(&Arbiter::new().handle(), |_| keeper);
    let keep = Keeper::journal(keeper.clone().recipient::<Keep>(), keeper.clone().recipient::<Confirm>());
    let clock = Arc::new(wall_clock_unix_ms);
    // Envelopes are opened and signatures checked on a thread of its own, so that requests are never held up.
    let intake = AggregatorActor::start_in_arbiter(&Arbiter::new().handle(), move |_| {
        AggregatorActor::new(intake, proofs, verdicts, keep, clock)
    });
    Ok((intake, keeper))
}
