//! The process: one thread on which every peer has a task.
#![allow(clippy::disallowed_types, reason = "prices are of now; the rooms below are told the time")]

use crate::accounts::Account;
use crate::config::GatewayConfig;
use crate::evcc;
use crate::market::Market;
use crate::mqtt::{Mqtt, MqttAccount};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::watch;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientError, ClientOptions};
use veilgrid_household::{Fills, Outlook};

/// Why a gateway does not start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// A validator's address, or the authorities' file.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The broker's settings: files that can't be read.
    #[error("{0}")]
    Mqtt(String),
    /// A listener.
    #[error("{key} {address}: {reason}; choose an address of this machine and a free port")]
    Listen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// The system's reason.
        reason: std::io::Error,
    },
}

/// What is known at a moment, for every connector.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// When, Unix seconds.
    pub now_unix_s: i64,
    /// Prices; none while fewer than f + 1 validators answer.
    pub outlook: Option<Outlook>,
    /// What each account traded, in the configuration's order; none where it is not known.
    pub fills: Vec<Option<Arc<Fills>>>,
}

/// Runs a gateway until it is asked to stop.
///
/// # Errors
/// [`GatewayError`]; once it runs it goes on whatever its peers do.
pub fn run(config: GatewayConfig, shutdown: &Shutdown) -> Result<(), GatewayError> {
    actix_rt::System::new().block_on(run_here(config, shutdown))
}

async fn run_here(config: GatewayConfig, shutdown: &Shutdown) -> Result<(), GatewayError> {
    let options = ClientOptions::default().trusting(config.ca_file.as_deref());
    let clients: Result<Vec<Client>, ClientError> =
        config.validator_urls.iter().map(|url| Client::new(url, &options)).collect();
    let mut market = Market::new(clients?);
    let every = Duration::from_secs(config.poll_s);
    let (views, view) = watch::channel(Arc::new(View::default()));
    if let Some(evcc) = &config.evcc {
        let failed = |reason| GatewayError::Listen { key: "evcc.listen", address: evcc.listen, reason };
        actix_rt::spawn(evcc::serve(evcc.listen, view.clone()).map_err(failed)?);
        tracing::info!(listen = %evcc.listen, "prices for evcc at /evcc/buy and /evcc/sell");
    }
    let config_mqtt = config.mqtt;
    let mut accounts: Vec<Account> = config.accounts.into_iter().map(Account::new).collect();
    for account in &accounts {
        for (index, loadpoint) in account.config.evcc_loadpoints.iter().enumerate() {
            let device = format!("evcc loadpoint {index}");
            actix_rt::spawn(evcc::follow_plan(loadpoint.clone(), device, account.wishes.clone(), every));
        }
    }
    let mqtt = match &config_mqtt {
        Some(mqtt) => {
            let of = |account: &Account| MqttAccount {
                name: account.config.name.clone(),
                account_key: account.config.account_key.clone(),
                has_settings: account.config.orders.is_some(),
                wishes: account.wishes.clone(),
            };
            let mqtt =
                Mqtt::new(mqtt.clone(), accounts.iter().map(of).collect()).map_err(GatewayError::Mqtt)?;
            Some(actix_rt::spawn(mqtt.run(view.clone())))
        }
        None => None,
    };
    let mut silent = false;
    loop {
        let looked = tokio::select! {
            () = shutdown.wait() => break,
            looked = market.look() => looked,
        };
        match &looked {
            Err(why) if !silent => tracing::warn!("too few validators answer: {why}"),
            Ok(()) if silent => tracing::info!("validators answer again"),
            _ => {}
        }
        silent = looked.is_err();
        accounts.iter_mut().for_each(|account| account.look(market.window(), market.outlook()));
        views.send_replace(Arc::new(View {
            now_unix_s: now_unix_s(),
            outlook: looked.is_ok().then(|| market.outlook().clone()),
            fills: accounts.iter().map(|account| account.fills.clone()).collect(),
        }));
        tokio::select! {
            () = shutdown.wait() => break,
            () = tokio::time::sleep(every) => {}
        }
    }
    accounts.iter_mut().for_each(Account::leave);
    // Whoever waits for views goes when there are no more.
    drop(views);
    if let Some(mqtt) = mqtt {
        let _ = mqtt.await;
    }
    Ok(())
}

/// The system's clock, Unix seconds.
pub fn now_unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
