//! `GET /v1/members`.

use crate::http::refusal::Refusal;
use crate::http::server::Shared;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use veilgrid_api::{Kind, MembersPage, MembersQuery};

/// A page of the members.
pub(super) async fn members(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let wanted = Query::<MembersQuery>::from_query(request.query_string())
        .map_err(|error| Refusal::new(Kind::BadRequest, format!("ask for from=NUMBER&max=N: {error}")))?;
    Ok(HttpResponse::Ok().json(MembersPage::of(&shared.services.ledger.state(), &wanted)))
}
