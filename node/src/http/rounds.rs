//! `GET /v1/rounds/{id}`.

use super::problem::{Kind, Problem};
use super::server::Shared;
use crate::ledger_view::RoundEnd;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Serialize;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::state::round::{OpenedSum, Slot};
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;

/// Where a round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Upcoming,
    Bidding,
    Grace,
    Opening,
    Suspended,
    Clearing,
    Settling,
    Voiding,
    Settled,
    Void,
    /// It is over, and how it ended is not known here: its bids were pruned before this process started, or very many
    /// rounds have ended since.
    Finished,
}

#[derive(Serialize)]
struct RoundBody {
    round_id: u64,
    stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<Slot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bids: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_unix_ms: Option<u64>,
    /// From here on no bid gets a receipt any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_promise_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_unix_ms: Option<u64>,
    /// Shares that the sum in opening still lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_shares: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    opened: Vec<OpenedSum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    void_reason: Option<VoidReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    void_reason_text: Option<String>,
}

/// In which stage a round is, and how it ended.
pub(super) async fn round(path: Path<String>, shared: Data<Shared>) -> Result<HttpResponse, Problem> {
    let round_id: u64 = path
        .parse()
        .map_err(|_| Problem::new(Kind::BadRequest, "a round is named by its number, as in /v1/rounds/7"))?;
    let state = shared.services.ledger.state();
    let mut body = body_of(&state, round_id);
    if body.stage == Stage::Finished
        && let Some(end) = shared.services.ledger.end_of(round_id)
    {
        take_end(&mut body, end);
    }
    if body.stage == Stage::Upcoming && body.open_unix_ms.is_none() {
        return Err(Problem::new(Kind::NotFound, format!("round {round_id} was not opened")));
    }
    Ok(HttpResponse::Ok().json(body))
}

fn body_of(state: &State, round_id: u64) -> RoundBody {
    let round = state.round(round_id);
    let timing = state.community().params().timing.as_ref();
    let mut body = RoundBody {
        round_id,
        stage: Stage::Finished,
        slot: round.map(|round| round.slot()),
        bids: round.map(|round| round.tally().count()),
        open_unix_ms: timing.and_then(|timing| timing.open_ms(round_id)),
        last_promise_unix_ms: timing.and_then(|timing| timing.last_promise_ms(round_id)),
        close_unix_ms: timing.and_then(|timing| timing.close_ms(round_id)),
        deadline_unix_ms: timing.and_then(|timing| timing.deadline_ms(round_id)),
        missing_shares: None,
        opened: round.map(|round| round.opened().to_vec()).unwrap_or_default(),
        outcome: round.and_then(|round| round.outcome().copied()),
        void_reason: None,
        void_reason_text: None,
    };
    body.stage = match state.expected(round_id) {
        Ok(Expected::NotOpened) => Stage::Upcoming,
        Ok(Expected::Bids { .. }) if round.is_some_and(|round| round.grace_from().is_some()) => Stage::Grace,
        Ok(Expected::Bids { .. }) => Stage::Bidding,
        Ok(Expected::Void { reason }) => {
            body.void_reason = Some(reason);
            Stage::Voiding
        }
        Ok(Expected::Shares(request)) => {
            body.missing_shares = Some(request.missing);
            if state.is_suspended(round_id) { Stage::Suspended } else { Stage::Opening }
        }
        Ok(Expected::Value { .. }) | Err(_) => Stage::Opening,
        Ok(Expected::Clear { .. }) => Stage::Clearing,
        Ok(Expected::Settle { .. }) => Stage::Settling,
        Ok(Expected::Done) => Stage::Finished,
    };
    body.void_reason_text = body.void_reason.map(|reason| reason.to_string());
    body
}

fn take_end(body: &mut RoundBody, end: RoundEnd) {
    match end {
        RoundEnd::Settled { slot, outcome, opened, bids } => {
            body.stage = Stage::Settled;
            body.slot = Some(slot);
            body.outcome = Some(outcome);
            body.opened = opened;
            body.bids = Some(bids);
        }
        RoundEnd::Voided { reason, bids } => {
            body.stage = Stage::Void;
            body.void_reason = Some(reason);
            body.void_reason_text = Some(reason.to_string());
            body.bids = Some(bids);
        }
    }
}
