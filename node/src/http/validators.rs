//! `GET /v1/validators`.

use super::problem::{Kind, Problem};
use super::server::Shared;
use crate::roster::ValidatorSet;
use actix_web::HttpResponse;
use actix_web::web::Data;

/// The validators in force and those to follow.
pub(super) async fn validators(shared: Data<Shared>) -> Result<HttpResponse, Problem> {
    let set = ValidatorSet::of(&shared.services.ledger.state()).ok_or_else(|| {
        Problem::new(Kind::NotFound, "one process extends this ledger: it has no validators to replace")
    })?;
    Ok(HttpResponse::Ok().json(set))
}
