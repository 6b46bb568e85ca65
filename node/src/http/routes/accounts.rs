//! `GET /v1/accounts`, `/v1/accounts/{number}`, `/v1/withdrawals`.

use crate::http::refusal::Refusal;
use crate::http::server::Shared;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use veilgrid_api::{AccountState, AccountsPage, AccountsQuery, Kind, WithdrawalsPage, WithdrawalsQuery};
use veilgrid_ledger::members::order::AccountNumber;

/// A page of the accounts.
pub(super) async fn accounts(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let wanted = Query::<AccountsQuery>::from_query(request.query_string())
        .map_err(|error| Refusal::new(Kind::BadRequest, format!("ask for from=NUMBER&max=N: {error}")))?;
    let page = AccountsPage::of(&shared.services.ledger.state(), &wanted).ok_or_else(no_money)?;
    Ok(HttpResponse::Ok().json(page))
}

/// One account.
pub(super) async fn account(number: Path<String>, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let text = number.into_inner();
    let number: AccountNumber = text.parse().map_err(|_| {
        Refusal::new(Kind::BadRequest, "an account is asked for by its number, such as /v1/accounts/7")
    })?;
    let latest = shared.services.ledger.latest();
    if latest.state.accounts().is_none() {
        return Err(no_money());
    }
    let account = AccountState::of(&latest.state, latest.state_root, number)
        .ok_or_else(|| Refusal::new(Kind::NotFound, format!("no account has the number {number}")))?;
    Ok(HttpResponse::Ok().json(account))
}

/// A page of the withdrawals that are not paid.
pub(super) async fn withdrawals(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, Refusal> {
    let wanted = Query::<WithdrawalsQuery>::from_query(request.query_string()).map_err(|error| {
        Refusal::new(Kind::BadRequest, format!("ask for from=NUMBER&from_debit=N&max=N: {error}"))
    })?;
    let page = WithdrawalsPage::of(&shared.services.ledger.state(), &wanted).ok_or_else(no_money)?;
    Ok(HttpResponse::Ok().json(page))
}

fn no_money() -> Refusal {
    Refusal::new(Kind::NotFound, "this ledger has no money: its market's parameters name no treasury")
}
