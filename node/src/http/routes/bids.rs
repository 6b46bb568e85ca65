//! `POST /v1/bids`, `POST /v1/relay`, `POST /v1/transactions`.

use crate::http::body::{octets, peer_of};
use crate::http::refusal::{Refusal, kind_of};
use crate::http::server::Shared;
use crate::http::services::{SubmitError, SubmitTransaction};
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use veilgrid_actors::aggregator::{BidRefusal, SubmitBids, SubmitEnvelope};
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::{Kind, MAX_TRANSACTION_BYTES, OCTETS, ReceiptBody, RelayAnswer, RelayedBid};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::intake::{envelope_bytes, shape_of};

fn absent(what: &str) -> Refusal {
    Refusal::new(Kind::NotFound, format!("this node takes no {what}: ask another one"))
}

/// A node whose receipts would be worth nothing gives none.
fn check_open(shared: &Shared) -> Result<(), Refusal> {
    match (shared.services.status)().closed {
        Some(why) => Err(Refusal::new(Kind::Unavailable, why)),
        None => Ok(()),
    }
}

fn gone() -> Refusal {
    Refusal::new(Kind::Unavailable, "the node is ending: send the same bytes to another one")
}

fn late() -> Refusal {
    Refusal::new(Kind::Overloaded, "the answer takes too long: send the same bytes again later")
}

/// An envelope for a receipt.
pub(super) async fn bids(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Refusal> {
    let intake = shared.services.intake.as_ref().ok_or_else(|| absent("bids"))?;
    check_open(&shared)?;
    let bound = envelope_bytes(shared.services.ledger.state().community().params());
    let (envelope, place) =
        octets(&request, payload, bound, shared.options.body_timeout, &shared.uploads).await?;
    let began = Stopwatch::start();
    // From here on the intake bounds what waits.
    drop(place);
    let answer = timeout(shared.options.answer_timeout, intake.send(SubmitEnvelope(envelope))).await;
    let receipt = answer.map_err(|_| late())?.map_err(|_| gone())??;
    shared.metrics.receipt(began.elapsed());
    Ok(answer_receipt(&request, &receipt))
}

/// Octets, unless only JSON is asked for.
fn answer_receipt(request: &HttpRequest, receipt: &Receipt) -> HttpResponse {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("application/json") && !accept.contains(OCTETS) {
        return HttpResponse::Ok().json(ReceiptBody::from(receipt));
    }
    HttpResponse::Ok().content_type(OCTETS).body(receipt.to_bytes())
}

/// A batch of the aggregator. 200 means that each bid was looked at; what became of it stands beside it.
pub(super) async fn relay(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Refusal> {
    let relay = shared.services.relay.as_ref().ok_or_else(|| absent("relayed bids"))?;
    check_open(&shared)?;
    let state = shared.services.ledger.state();
    let community = state.community();
    let shape = shape_of(community.params());
    let peer = peer_of(request.peer_addr());
    let places = shared.relay_places.of(peer, &shared.large_uploads);
    let bound = RelayedBids::max_bytes(shape);
    let (bytes, _place) = octets(&request, payload, bound, shared.options.body_timeout, places).await?;
    let bids = RelayedBids::open(&bytes, shape, &community.ledger_id(), community.receipt_key())?;
    let takes_bids = |round_id| matches!(state.expected(round_id), Ok(Expected::Bids { .. }));
    if bids.first().is_some_and(|bid| takes_bids(bid.round_id)) {
        shared.relay_places.prove(peer, Sha256::digest(&bytes).into());
    }
    let digests: Vec<[u8; 32]> = bids.iter().map(|bid| bid.digest()).collect();
    let answer = timeout(shared.options.answer_timeout, relay.send(SubmitBids(bids))).await;
    let answers = answer.map_err(|_| late())?.map_err(|_| gone())?;
    let bids = digests.iter().zip(answers).map(|(digest, answer)| relayed(&shared, digest, answer)).collect();
    Ok(HttpResponse::Ok().json(RelayAnswer { bids }))
}

fn relayed(shared: &Shared, digest: &[u8; 32], answer: Result<Receipt, BidRefusal>) -> RelayedBid {
    match answer {
        Ok(receipt) => {
            shared.metrics.relayed();
            RelayedBid::taken(*digest, &receipt)
        }
        Err(refusal) => {
            let kind = kind_of(&refusal);
            shared.metrics.refusal(kind);
            RelayedBid::refused(*digest, kind, refusal.to_string())
        }
    }
}

/// A key event, a change of validators, an order of the registrar or a replacement of keys. 202 means that it is in the pool.
pub(super) async fn transactions(
    request: HttpRequest,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Refusal> {
    let submit = shared.services.submit.as_ref().ok_or_else(|| absent("transactions"))?;
    check_open(&shared)?;
    let (bytes, _place) =
        octets(&request, payload, MAX_TRANSACTION_BYTES, shared.options.body_timeout, &shared.large_uploads)
            .await?;
    let context = shared.services.ledger.state().community().decode_context();
    let transaction = Transaction::from_bytes(&bytes, &context)
        .map_err(|error| Refusal::new(Kind::BadRequest, format!("no transaction of this ledger: {error}")))?;
    let from_outside = matches!(
        transaction,
        Transaction::KeyEvent { .. }
            | Transaction::ChangeValidators(_)
            | Transaction::Registrar(_)
            | Transaction::ReplaceKeys(_)
            | Transaction::Treasury(_)
            | Transaction::Withdraw(_)
            | Transaction::Claims(_)
    );
    if !from_outside {
        let detail = format!("{} comes from validators only, not over HTTP", transaction.kind());
        return Err(Refusal::new(Kind::RefusedTransaction, detail));
    }
    let answer = timeout(shared.options.answer_timeout, submit.send(SubmitTransaction(transaction))).await;
    match answer.map_err(|_| late())?.map_err(|_| gone())? {
        // Known: whoever has lost the answer sends it again.
        Ok(()) | Err(SubmitError::Known) => Ok(HttpResponse::Accepted().finish()),
        Err(error @ SubmitError::Refused(_)) => {
            Err(Refusal::new(Kind::RefusedTransaction, error.to_string()))
        }
        Err(error @ SubmitError::Full) => Err(Refusal::new(Kind::Overloaded, error.to_string())),
    }
}
