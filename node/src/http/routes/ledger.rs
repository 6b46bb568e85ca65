//! `GET /v1/status`, `/v1/genesis`, `/v1/blocks`, `/v1/healthz`, `/v1/metrics`.

use crate::checks::wall_clock_unix_ms;
use crate::http::refusal::Refusal;
use crate::http::server::Shared;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use veilgrid_api::blocks::{ANSWER_BYTES, BlocksQuery, LONGEST_WAIT, MAX_BLOCKS};
use veilgrid_api::{Kind, NodeStatus, OCTETS, StatusReport, write_frame};
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_ledger::hash::Hex32;

/// What the node says about itself.
pub(super) async fn status(shared: Data<Shared>) -> HttpResponse {
    let latest = shared.services.ledger.latest();
    let state = &latest.state;
    HttpResponse::Ok().json(NodeStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: (shared.services.status)(),
        ledger_id: Hex32(state.community().ledger_id()),
        height: state.height(),
        block_hash: Hex32(state.block_hash()),
        state_root: Hex32(latest.state_root),
        time_unix_ms: state.time_unix_ms(),
        last_round_id: state.last_round_id(),
        validators: state.community().validators(),
        threshold: state.community().threshold(),
        keys_ready: state.community().bid_params().is_some(),
        clock_unix_ms: wall_clock_unix_ms(),
    })
}

/// Block 0.
pub(super) async fn genesis(shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let (block, _) = shared
        .services
        .ledger
        .block(0)
        .ok_or_else(|| Refusal::new(Kind::NotFound, "this node does not have block 0"))?;
    Ok(HttpResponse::Ok().content_type(OCTETS).body(block))
}

/// Blocks from a height on, with their certificates; waits for the first one as long as asked.
pub(super) async fn blocks(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let wanted = Query::<BlocksQuery>::from_query(request.query_string()).map_err(|error| {
        Refusal::new(Kind::BadRequest, format!("ask for from=H&max=N&wait_ms=W: {error}"))
    })?;
    let ledger = &shared.services.ledger;
    ledger.wait_for(wanted.from, Duration::from_millis(wanted.wait_ms).min(LONGEST_WAIT)).await;
    let most = wanted.max.min(MAX_BLOCKS as u64);
    let end = wanted.from.saturating_add(most).min(ledger.height().saturating_add(1));
    if ledger.block(wanted.from).is_none() && wanted.from < end {
        let detail = format!("this node does not have block {}: ask another one", wanted.from);
        return Err(Refusal::new(Kind::NotFound, detail));
    }
    let body = Blocks { ledger: ledger.clone(), next: wanted.from, end, left: ANSWER_BYTES };
    Ok(HttpResponse::Ok().content_type(OCTETS).body(body))
}

/// Blocks in their frames, read one at a time as the peer takes them: a slow peer holds one block in memory.
struct Blocks {
    ledger: LedgerView,
    next: u64,
    end: u64,
    left: usize,
}

impl MessageBody for Blocks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let body = self.get_mut();
        if body.next >= body.end || body.left == 0 {
            return Poll::Ready(None);
        }
        // Fewer blocks than asked for are no error: the peer asks for the rest.
        let Some((block, certificate)) = body.ledger.block(body.next) else { return Poll::Ready(None) };
        let mut frame = Vec::with_capacity(block.len() + certificate.as_ref().map_or(0, Vec::len) + 8);
        write_frame(&mut frame, &block, certificate.as_deref());
        body.next += 1;
        body.left = body.left.saturating_sub(frame.len());
        Poll::Ready(Some(Ok(Bytes::from(frame))))
    }
}

/// 200 when the node does its work, with what wants a look all the same.
pub(super) async fn healthz(shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let StatusReport { trouble, warnings, .. } = (shared.services.status)();
    match trouble {
        None => {
            let lines = warnings.iter().map(|warning| format!("warning: {warning}\n"));
            let text = std::iter::once("ok\n".to_owned()).chain(lines).collect::<String>();
            Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
        }
        Some(trouble) => Err(Refusal::new(Kind::Unavailable, trouble)),
    }
}

/// Counters for Prometheus.
pub(super) async fn metrics(shared: Data<Shared>) -> HttpResponse {
    let text = shared.metrics.text(&shared.services);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
