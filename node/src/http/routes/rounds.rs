//! `GET /v1/rounds/{id}`.

use crate::http::refusal::Refusal;
use crate::http::server::Shared;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use veilgrid_api::{Kind, RoundStatus, Stage};
use veilgrid_client::ledger_view::RoundEnd;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;

/// In which stage a round is, and how it ended.
pub(super) async fn round(path: Path<String>, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let round_id: u64 = path
        .parse()
        .map_err(|_| Refusal::new(Kind::BadRequest, "a round is named by its number, as in /v1/rounds/7"))?;
    let state = shared.services.ledger.state();
    let mut body = body_of(&state, round_id);
    if body.stage == Stage::Finished
        && let Some(end) = shared.services.ledger.end_of(round_id)
    {
        take_end(&mut body, end);
    }
    if body.stage == Stage::Upcoming && body.open_unix_ms.is_none() {
        return Err(Refusal::new(Kind::NotFound, format!("round {round_id} was not opened")));
    }
    Ok(HttpResponse::Ok().json(body))
}

fn body_of(state: &State, round_id: u64) -> RoundStatus {
    let round = state.round(round_id);
    let timing = state.timing();
    let mut body = RoundStatus {
        slot: round.map(|round| round.slot()),
        bids: round.map(|round| round.tally().count()),
        open_unix_ms: timing.open_ms(round_id),
        last_promise_unix_ms: timing.last_promise_ms(round_id),
        close_unix_ms: timing.close_ms(round_id),
        deadline_unix_ms: timing.deadline_ms(round_id),
        opened: round.map(|round| round.opened().to_vec()).unwrap_or_default(),
        outcome: round.and_then(|round| round.outcome().copied()),
        ..RoundStatus::at(round_id, Stage::Finished)
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

fn take_end(body: &mut RoundStatus, end: RoundEnd) {
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
