//! evcc: the tariff forecast over HTTP, and charging plans that are asked for.

use crate::accounts::Wishes;
use crate::config::LoadpointConfig;
use crate::run::View;
use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use veilgrid_evcc::{Side, forecast, read_plan};
use veilgrid_household::decimal::parse_ct_per_kwh;

/// For a whole answer of evcc, and the most bytes of it.
const ANSWER: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Connections to the forecast at once.
const CONNECTIONS: usize = 32;

type Views = watch::Receiver<Arc<View>>;

/// Serves `/evcc/buy` and `/evcc/sell`.
///
/// # Errors
/// An address that can't be had.
pub fn serve(listen: SocketAddr, views: Views) -> std::io::Result<Server> {
    let app = move || {
        App::new()
            .app_data(Data::new(views.clone()))
            .route("/evcc/buy", web::get().to(|views: Data<Views>| async move { answer(&views, Side::Buy) }))
            .route(
                "/evcc/sell",
                web::get().to(|views: Data<Views>| async move { answer(&views, Side::Sell) }),
            )
    };
    let server = HttpServer::new(app).workers(1).max_connections(CONNECTIONS).disable_signals();
    Ok(server.client_request_timeout(ANSWER).shutdown_timeout(1).bind(listen)?.run())
}

/// Nothing is served while prices are not known: evcc then keeps what it has, and does not take an empty forecast for one.
fn answer(views: &Views, side: Side) -> HttpResponse {
    let view = Arc::clone(&views.borrow());
    match &view.outlook {
        Some(outlook) => {
            HttpResponse::Ok().content_type("application/json").body(forecast(outlook, side, view.now_unix_s))
        }
        None => HttpResponse::ServiceUnavailable().body("the validators do not answer; try again\n"),
    }
}

/// Asks for a loadpoint's plan for ever.
pub async fn follow_plan(config: LoadpointConfig, device: String, wishes: Wishes, every: Duration) {
    let Ok(limit_mct_per_kwh) = parse_ct_per_kwh(&config.limit_ct_per_kwh) else { return };
    let mut silent = false;
    loop {
        let plan = match fetch(&config.plan_url).await {
            Ok(json) => read_plan(&json, limit_mct_per_kwh).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        match plan {
            Ok(wish) => {
                wishes.set(&device, wish);
                if std::mem::take(&mut silent) {
                    tracing::info!(url = config.plan_url, "evcc's plan is read again");
                }
            }
            // The last plan counts until its slots are over.
            Err(why) if !silent => {
                silent = true;
                tracing::warn!(url = config.plan_url, "no plan of evcc: {why}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(every).await;
    }
}

async fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build();
    let client = client.map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(|error| error.without_url().to_string())?;
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
        if bytes.len().saturating_add(part.len()) > MAX_ANSWER_BYTES {
            return Err(format!("the answer has more than {MAX_ANSWER_BYTES} bytes"));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
