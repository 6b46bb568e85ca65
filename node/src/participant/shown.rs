//! What a participant shows to whoever watches it: heights and counts, nothing of what is traded.

use super::MemberDesk;
use crate::http::Services;
use crate::vitals::Vitals;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_api::{MemberCounts, StatusReport};
use veilgrid_client::follower::Accepted;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_roles::member::Counts;

/// What is shown to whoever watches the process. Clones show the same.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) vitals: Vitals,
    view: LedgerView,
    member: Arc<Mutex<(Counts, bool)>>,
}

impl Shown {
    pub(super) fn new(vitals: Vitals, view: LedgerView, desk: &MemberDesk) -> Self {
        let member = (desk.counts(), desk.wallet_is_right());
        Self { vitals, view, member: Arc::new(Mutex::new(member)) }
    }

    /// What has happened to its own bids, and whether its wallet is what the ledger says.
    pub(super) fn count(&self, desk: &MemberDesk) {
        let member = (desk.counts(), desk.wallet_is_right());
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = member;
    }

    /// What stands behind the listener for health and metrics.
    pub(super) fn services(&self, shutdown: &Shutdown) -> Services {
        let (vitals, shutdown, member) = (self.vitals.clone(), shutdown.clone(), Arc::clone(&self.member));
        let status = move || {
            let (counts, wallet_is_right) = *member.lock().unwrap_or_else(PoisonError::into_inner);
            let report = StatusReport {
                role: "participant".into(),
                trouble: trouble_of(shutdown.is_triggered(), wallet_is_right),
                warnings: warnings_of(&counts),
                member: Some(shown(counts)),
                ..StatusReport::default()
            };
            vitals.complete(report, None)
        };
        let ledger = self.view.clone();
        Services { intake: None, relay: None, submit: None, ledger, status: Arc::new(status) }
    }

    /// Takes the next block.
    pub(super) fn take(&self, block: &Accepted) {
        self.vitals.note(&block.effects);
        self.vitals.look(&block.state);
        self.view.publish(block.state.clone(), &block.effects);
    }
}

/// The counts in the API's form.
fn shown(counts: Counts) -> MemberCounts {
    let Counts { bids_on_ledger, receipts, settled, voided, passed_over, broken_promises, wrong_settlements } =
        counts;
    MemberCounts {
        bids_on_ledger,
        receipts,
        settled,
        voided,
        passed_over,
        broken_promises,
        wrong_settlements,
    }
}

/// Why the process does not do its work.
fn trouble_of(is_ending: bool, wallet_is_right: bool) -> Option<String> {
    let found = [
        is_ending.then_some("the process is ending"),
        (!wallet_is_right).then_some(
            "the wallet is not what the ledger says: nothing is bid and nothing is claimed; compare with `veilgrid wallet show`",
        ),
    ];
    let found: Vec<&str> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// What a member should look into.
fn warnings_of(counts: &Counts) -> Vec<String> {
    let found = [
        (counts.broken_promises, "promises were not kept: see evidence/"),
        (counts.wrong_settlements, "settlement points do not hold its own fill: see evidence/"),
    ];
    found.iter().filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} {text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_that_differs_from_the_ledger_is_trouble() {
        assert_eq!(trouble_of(false, true), None);
        assert!(trouble_of(false, false).is_some_and(|text| text.contains("nothing is bid")));
        assert!(trouble_of(true, false).is_some_and(|text| text.contains("ending; the wallet")));
    }

    #[test]
    fn a_member_that_was_wronged_is_warned() {
        assert!(warnings_of(&Counts::default()).is_empty());
        let counts = Counts { broken_promises: 2, wrong_settlements: 1, settled: 9, ..Counts::default() };
        let warnings = warnings_of(&counts);
        assert!(warnings.len() == 2 && warnings[0].starts_with("2 promises"), "{warnings:?}");
    }
}
