//! What processes that follow the ledger do when they start.

use crate::checks::{ClockSample, ClockState, check_clock_not_before, check_data_dir, wall_clock_unix_ms};
use crate::client::{Client, ClientOptions};
use crate::config::{ChecksConfig, HttpConfig, LimitsConfig};
use crate::error::NodeError;
use crate::http::{HttpOptions, Rate};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use veilgrid_ledger::state::State;

/// How coarse the date of an answer is. Servers may keep it for a second, so it can be two seconds old.
const DATE_RESOLUTION_MS: u64 = 2000;

/// Checks the data directory and the disk.
///
/// # Errors
/// [`NodeError::Check`].
pub fn check_machine(data_dir: &Path, checks: &ChecksConfig) -> Result<(), NodeError> {
    crate::files::make_private_directory(data_dir)
        .map_err(|error| NodeError::start(format!("data_dir {}", data_dir.display()), error))?;
    Ok(check_data_dir(data_dir, checks)?)
}

/// Compares the clock with the genesis and with validators.
///
/// # Errors
/// [`NodeError::Check`].
pub async fn check_clock(
    validators: &[Client],
    genesis_unix_ms: u64,
    state: &State,
    checks: &ChecksConfig,
) -> Result<(), NodeError> {
    check_clock_not_before(wall_clock_unix_ms(), genesis_unix_ms, checks)?;
    let mut samples = Vec::new();
    for validator in validators {
        let sent_unix_ms = wall_clock_unix_ms();
        if let Ok(Some(peer_unix_s)) = validator.clock_unix_s().await {
            samples.push(ClockSample {
                peer_unix_ms: peer_unix_s.saturating_mul(1000),
                resolution_ms: DATE_RESOLUTION_MS,
                sent_unix_ms,
                received_unix_ms: wall_clock_unix_ms(),
            });
        }
    }
    let roster = state.roster().map_or(0, |roster| roster.validators.len());
    let faulty = roster.saturating_sub(1) / 3;
    match crate::checks::check_clock(&samples, faulty, checks)? {
        ClockState::Sound => {}
        ClockState::Unknown => tracing::debug!("too few validators answer to compare clocks"),
        ClockState::Skewed { skew_ms } => {
            tracing::warn!(
                skew_ms,
                "this machine's clock differs from the validators': synchronise it (NTP)"
            );
        }
    }
    Ok(())
}

/// The client's bounds from the configuration.
pub fn client_options(limits: &LimitsConfig) -> ClientOptions {
    ClientOptions { intake: Duration::from_millis(limits.request_timeout_ms), ..ClientOptions::default() }
}

/// The server's bounds from the configuration.
pub fn http_options(http: &HttpConfig, limits: &LimitsConfig) -> HttpOptions {
    let mut options = HttpOptions::new(http.listen);
    options.tls = http.tls().map(|files| (files.certificate.clone(), files.key.clone()));
    options.max_connections = usize::try_from(limits.connections).unwrap_or(usize::MAX);
    options.rate = match limits.requests_per_minute {
        0 => None,
        // What comes at once may be a sixth of a minute's share.
        per_minute => Some(Rate { per_second: per_minute.div_ceil(60), burst: per_minute.div_ceil(6) }),
    };
    options
}

/// Runs a process's tasks on this thread; blocking work goes to threads of its own.
///
/// # Errors
/// [`NodeError::Start`] when the system has no more threads or files.
pub fn block_on<T>(process: impl Future<Output = T>) -> Result<T, NodeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| NodeError::start("the process", error))?;
    let done = runtime.block_on(process);
    // A long poll or a proof that nobody waits for any more ends with the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(done)
}
