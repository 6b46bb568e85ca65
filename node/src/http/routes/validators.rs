//! `GET /v1/validators`.

use crate::http::server::Shared;
use actix_web::HttpResponse;
use actix_web::web::Data;
use veilgrid_api::ValidatorSet;

/// The validators in force and those to follow.
pub(super) async fn validators(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(ValidatorSet::of(&shared.services.ledger.state()))
}
