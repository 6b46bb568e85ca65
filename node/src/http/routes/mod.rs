//! Which paths there are, and what each takes. HEAD is GET without the body, OPTIONS says what a path takes, and any other
//! method is 405 with `Allow`.

mod accounts;
mod bids;
mod ledger;
mod members;
mod rounds;
mod validators;

use super::refusal::Refusal;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};
use veilgrid_api::{Kind, paths};

const READING: &str = "GET, HEAD, OPTIONS";
const TAKING: &str = "POST, OPTIONS";

/// The whole API.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(taking(paths::BIDS, bids::bids))
        .service(taking(paths::RELAY, bids::relay))
        .service(taking(paths::TRANSACTIONS, bids::transactions))
        .service(reading(paths::GENESIS, ledger::genesis))
        .service(reading(paths::VALIDATORS, validators::validators))
        .service(reading(paths::MEMBERS, members::members))
        .service(reading(paths::ACCOUNTS, accounts::accounts))
        .service(reading(paths::ACCOUNT, accounts::account))
        .service(reading(paths::WITHDRAWALS, accounts::withdrawals))
        .service(reading(paths::BLOCKS, ledger::blocks))
        .service(reading(paths::ROUND, rounds::round));
    health_routes(config);
}

/// What a process says about itself: on the listener for health and metrics there is nothing else.
pub(super) fn health_routes(config: &mut ServiceConfig) {
    config
        .service(reading(paths::STATUS, ledger::status))
        .service(reading(paths::HEALTHZ, ledger::healthz))
        .service(reading(paths::METRICS, ledger::metrics));
}

/// A path that is read.
fn reading<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A> + Clone,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .route(web::method(Method::OPTIONS).to(async || methods(READING)))
        .default_service(web::to(async || wrong(READING)))
}

/// A path that takes something.
fn taking<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .route(web::method(Method::OPTIONS).to(async || methods(TAKING)))
        .default_service(web::to(async || wrong(TAKING)))
}

fn methods(allow: &'static str) -> HttpResponse {
    HttpResponse::NoContent().insert_header((ALLOW, allow)).finish()
}

fn wrong(allow: &'static str) -> Result<HttpResponse, Refusal> {
    Err(Refusal::wrong_method(allow))
}

pub(super) async fn nowhere() -> Result<HttpResponse, Refusal> {
    Err(Refusal::new(Kind::NotFound, "no such path: the API is below /v1"))
}
