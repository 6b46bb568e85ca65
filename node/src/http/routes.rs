//! Which paths there are, and what each takes. HEAD is GET without the body, OPTIONS says what a path takes, and any other
//! method is 405 with `Allow`.

use super::problem::{Kind, Problem};
use super::{bids, ledger, rounds, validators};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};

const READING: &str = "GET, HEAD, OPTIONS";
const TAKING: &str = "POST, OPTIONS";

/// The whole API.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(taking("/v1/bids", bids::bids))
        .service(taking("/v1/relay", bids::relay))
        .service(taking("/v1/transactions", bids::transactions))
        .service(reading("/v1/genesis", ledger::genesis))
        .service(reading("/v1/validators", validators::validators))
        .service(reading("/v1/blocks", ledger::blocks))
        .service(reading("/v1/rounds/{id}", rounds::round));
    health_routes(config);
}

/// What a process says about itself: on the listener for health and metrics there is nothing else.
pub(super) fn health_routes(config: &mut ServiceConfig) {
    config
        .service(reading("/v1/status", ledger::status))
        .service(reading("/v1/healthz", ledger::healthz))
        .service(reading("/v1/metrics", ledger::metrics));
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

fn wrong(allow: &'static str) -> Result<HttpResponse, Problem> {
    Err(Problem::wrong_method(allow))
}

pub(super) async fn nowhere() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound, "no such path: the API is below /v1"))
}
