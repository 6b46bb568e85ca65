//! Progress of a running day on standard error.

use crate::output;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use veilgrid_demo::DayEvent;

/// The bars: rounds of the day, bids of the round.
pub struct Watch {
    all: MultiProgress,
    rounds: ProgressBar,
    bids: ProgressBar,
}

impl Watch {
    /// Bars for a day; invisible when results go out as JSON or standard error is no terminal.
    pub fn new(slots: usize, members: usize, json: bool) -> Self {
        let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let all = MultiProgress::with_draw_target(target);
        let rounds = all.add(output::progress(slots as u64, "rounds", json));
        let bids = all.add(output::progress(members as u64, "generating keys", json));
        Self { all, rounds, bids }
    }

    /// What the day calls with its events.
    pub fn observer(&self) -> impl Fn(DayEvent) + Send + Sync + 'static {
        let (all, rounds, bids) = (self.all.clone(), self.rounds.clone(), self.bids.clone());
        move |event| match event {
            DayEvent::RoundOpened { round_id, .. } => {
                bids.set_position(0);
                bids.set_message(format!("round {round_id}: sealing"));
            }
            DayEvent::BidSealed { count, .. } => bids.set_position(count as u64),
            DayEvent::Closed { round_id, .. } => bids.set_message(format!("round {round_id}: opening")),
            DayEvent::Settled { .. } | DayEvent::RoundVoid { .. } => rounds.inc(1),
            DayEvent::FalseShare(refusal) => {
                // A named culprit is worth a line of its own even while the bars are drawn.
                let _ = all.println(format!("{refusal}"));
            }
            DayEvent::Cancelled => bids.set_message("stopping"),
            DayEvent::KeyGenerationStarted { .. }
            | DayEvent::KeyGenerationFinished { .. }
            | DayEvent::BidsVerified { .. }
            | DayEvent::ValueOpened { .. }
            | DayEvent::Cleared { .. } => {}
        }
    }

    /// Takes the bars away.
    pub fn finish(&self) {
        self.bids.finish_and_clear();
        self.rounds.finish_and_clear();
    }
}
