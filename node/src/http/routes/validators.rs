//! `GET /v1/validators`.

use crate::http::refusal::Refusal;
use crate::http::server::Shared;
use actix_web::HttpResponse;
use actix_web::web::Data;
use veilgrid_api::{Kind, ValidatorSet};

/// The validators in force and those to follow.
pub(super) async fn validators(shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let set = ValidatorSet::of(&shared.services.ledger.state()).ok_or_else(|| {
        Refusal::new(Kind::NotFound, "one process extends this ledger: it has no validators to replace")
    })?;
    Ok(HttpResponse::Ok().json(set))
}
