//! This validator's own votes on their way to what remembers them.

use crate::application::VoteWitness;
use crate::fault::EngineFault;
use crate::keys::{Digest, Scheme};
use crate::shared::Faults;
use commonware_actor::Feedback;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::{Epochable as _, Reporter, Viewable as _};
use commonware_utils::Participant;
use std::sync::Arc;

/// Passes every report of the consensus on, and own votes for finality to the witness too. The consensus reports an own
/// vote when it is in its journal and, after a restart, when it is read from there.
#[derive(Clone)]
pub(crate) struct Witnessing<W> {
    pub inner: W,
    pub witness: Option<Arc<dyn VoteWitness>>,
    /// This validator's place in the epoch's set.
    pub me: Option<Participant>,
    pub faults: Faults,
}

impl<W: Reporter<Activity = Activity<Scheme, Digest>>> Reporter for Witnessing<W> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        if let (Some(witness), Activity::Finalize(vote)) = (&self.witness, &activity)
            && self.me == Some(vote.signer())
            && let Err(error) = witness.voted(vote.epoch().get(), vote.view().get())
        {
            self.faults.report(EngineFault::witness(error));
        }
        self.inner.report(activity)
    }
}
