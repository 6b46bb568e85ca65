//! `GET /v1/rounds/{id}`: where a round stands and how it ended.

use serde::{Deserialize, Serialize};
use std::fmt;
use veilgrid_ledger::state::round::{OpenedSum, Slot};
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;

/// Where a round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// No block has opened it yet.
    Upcoming,
    /// It takes bids.
    Bidding,
    /// It gives no receipts any more; bids that have one may still come onto the ledger.
    Grace,
    /// Validators release their shares of a sum.
    Opening,
    /// The same, and it has stood still for too long.
    Suspended,
    /// Its price is due.
    Clearing,
    /// Everybody's settlement point is due.
    Settling,
    /// Its end without a result is due.
    Voiding,
    /// It has a result.
    Settled,
    /// It ended without one.
    Void,
    /// It is over, and how it ended is not known to this node: its bids were pruned before the process started, or very many
    /// rounds have ended since.
    Finished,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 11] = [
        Self::Upcoming,
        Self::Bidding,
        Self::Grace,
        Self::Opening,
        Self::Suspended,
        Self::Clearing,
        Self::Settling,
        Self::Voiding,
        Self::Settled,
        Self::Void,
        Self::Finished,
    ];

    /// The word by which the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Bidding => "bidding",
            Self::Grace => "grace",
            Self::Opening => "opening",
            Self::Suspended => "suspended",
            Self::Clearing => "clearing",
            Self::Settling => "settling",
            Self::Voiding => "voiding",
            Self::Settled => "settled",
            Self::Void => "void",
            Self::Finished => "finished",
        }
    }

    /// True when nothing more happens in the round.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Settled | Self::Void | Self::Finished)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a node says about a round. What is not known (yet) is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundStatus {
    /// Its number.
    pub round_id: u64,
    /// Where it stands.
    pub stage: Stage,
    /// What is traded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// Its bids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bids: Option<u64>,
    /// From here on it takes bids, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_unix_ms: Option<u64>,
    /// From here on no bid gets a receipt any more, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_promise_unix_ms: Option<u64>,
    /// When its bidding ends, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_unix_ms: Option<u64>,
    /// When it has to be cleared, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_unix_ms: Option<u64>,
    /// Shares that the sum in opening still lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_shares: Option<u16>,
    /// The sums that were opened, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<OpenedSum>,
    /// How it was cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_reason: Option<VoidReason>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_reason_text: Option<String>,
}

impl RoundStatus {
    /// A round at this stage, of which nothing else is known.
    pub fn at(round_id: u64, stage: Stage) -> Self {
        Self {
            round_id,
            stage,
            slot: None,
            bids: None,
            open_unix_ms: None,
            last_promise_unix_ms: None,
            close_unix_ms: None,
            deadline_unix_ms: None,
            missing_shares: None,
            opened: Vec::new(),
            outcome: None,
            void_reason: None,
            void_reason_text: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_market::{Purpose, SumKind, SumRequest};

    #[test]
    fn a_round_is_read_as_it_was_written_and_what_is_unknown_is_left_out() {
        let upcoming = RoundStatus::at(3, Stage::Upcoming);
        assert_eq!(serde_json::to_string(&upcoming).expect("JSON"), r#"{"round_id":3,"stage":"upcoming"}"#);
        let request = SumRequest { kind: SumKind::W, tick: -1, purpose: Purpose::Path };
        let full = RoundStatus {
            slot: Some(Slot { start_unix_s: 1_800_000_000, seconds: 900 }),
            opened: vec![OpenedSum { request, value_wh: -5 }],
            void_reason: Some(VoidReason::NoKeys),
            ..RoundStatus::at(4, Stage::Void)
        };
        for round in [upcoming, full] {
            let text = serde_json::to_string(&round).expect("JSON");
            assert_eq!(serde_json::from_str::<RoundStatus>(&text).expect("read"), round, "{text}");
        }
    }

    #[test]
    fn stages_are_called_as_they_are_written_and_three_are_the_end() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).expect("JSON"), stage.name());
        }
        let over = Stage::ALL.into_iter().filter(|stage| stage.is_over());
        assert_eq!(over.collect::<Vec<_>>(), [Stage::Settled, Stage::Void, Stage::Finished]);
    }
}
