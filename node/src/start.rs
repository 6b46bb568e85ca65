//! What processes that follow the ledger do when they start.

use crate::checks::{ClockSample, ClockState, check_clock_not_before, check_data_dir, wall_clock_unix_ms};
use crate::config::{ChecksConfig, HttpConfig, LimitsConfig, RelayLimitsConfig, ValidatorConfig};
use crate::error::NodeError;
use crate::http::{HealthDoor, HealthServer, HttpOptions, Metrics, Rate, Services};
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_ledger::state::State;
use veilgrid_store::{IntakeError, IntakeJournal};

/// How coarse the date of an answer is. Servers may keep it for a second, so it can be two seconds old.
const DATE_RESOLUTION_MS: u64 = 2000;

/// Checks the data directory and the disk.
///
/// # Errors
/// [`NodeError::Check`].
pub fn check_machine(data_dir: &Path, checks: &ChecksConfig) -> Result<(), NodeError> {
    veilgrid_store::files::make_private_directory(data_dir)
        .map_err(|error| NodeError::start(format!("data_dir {}", data_dir.display()), error))?;
    if veilgrid_store::files::is_private(data_dir).is_ok_and(|private| !private) {
        let data_dir = data_dir.display();
        tracing::warn!(%data_dir, "other users may enter data_dir: close it to them (chmod 700)");
    }
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
    let faulty = state.roster().group().faults();
    match crate::checks::check_clock(&samples, usize::from(faulty), checks)? {
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

/// Opens the journal of an intake. Damaged files of rounds are moved aside, and the promises before the damage kept.
///
/// # Errors
/// As [`IntakeJournal::open_or_rebuild`].
pub fn open_journal(directory: &Path) -> Result<IntakeJournal, IntakeError> {
    let (journal, damaged) = IntakeJournal::open_or_rebuild(directory)?;
    for round in damaged {
        tracing::error!(
            round_id = round.round_id, kept_entries = round.kept_entries, why = round.why,
            moved_to = %round.moved_to.display(),
            "the intake's journal of a round was damaged: members who hold receipts for lost bids send them again"
        );
    }
    Ok(journal)
}

/// The bounds of a client that hands batches on, from the configuration.
pub fn client_options(limits: &RelayLimitsConfig) -> ClientOptions {
    ClientOptions { intake: Duration::from_millis(limits.request_timeout_ms), ..ClientOptions::default() }
}

/// The server's bounds from the configuration.
pub fn http_options(http: &HttpConfig, limits: impl Into<LimitsConfig>) -> HttpOptions {
    let limits = limits.into();
    let mut options = HttpOptions::new(http.listen);
    options.tls = http.tls().map(|files| (files.certificate.clone(), files.key.clone()));
    options.max_connections = usize::try_from(limits.connections).unwrap_or(usize::MAX);
    let per_minute = limits.requests_per_minute;
    // What comes at once may be a sixth of a minute's share.
    options.rate = (per_minute > 0).then(|| Rate { per_minute, burst: per_minute.div_ceil(6) });
    let of_address = usize::try_from(limits.connections_per_address).unwrap_or(usize::MAX);
    // Nobody has all of them. Without a rate everybody may be one address: the one of a proxy.
    let share = of_address.min((options.max_connections / 2).max(1));
    options.max_connections_of_peer = (per_minute > 0).then_some(share);
    options
}

/// The same for a validator, whose places for the aggregator go to the addresses that its operator names.
pub fn validator_http_options(config: &ValidatorConfig) -> HttpOptions {
    HttpOptions {
        aggregator_addresses: config.aggregator_addresses.clone(),
        ..http_options(&config.http, config.limits)
    }
}

/// Shows that an address is free and one of this machine, before anything takes long: the listener comes later.
///
/// # Errors
/// [`NodeError::Start`] with the configuration's key.
pub fn check_listen(key: &str, listen: SocketAddr) -> Result<(), NodeError> {
    let advice = format!("choose an address of this machine and a free port ({key})");
    let what = format!("the listener on {listen}");
    let probe = TcpListener::bind(listen);
    probe.map(drop).map_err(|error| NodeError::start(what, format!("{error}; {advice}")))
}

/// Takes the address for health and metrics, if there is to be one.
///
/// # Errors
/// [`NodeError::Start`].
pub fn open_health(listen: Option<SocketAddr>) -> Result<Option<HealthDoor>, NodeError> {
    let Some(listen) = listen else {
        tracing::info!(
            "no health_listen: strangers who fill the public listener take health and metrics away"
        );
        return Ok(None);
    };
    HealthDoor::open(listen).map(Some).map_err(|error| NodeError::server("health and metrics", &error))
}

/// Lets health and metrics be asked for behind an address that was taken before.
///
/// # Errors
/// [`NodeError::Start`].
pub fn start_health(
    door: Option<HealthDoor>,
    services: Services,
    metrics: Option<&Arc<Metrics>>,
) -> Result<Option<HealthServer>, NodeError> {
    let Some(door) = door else { return Ok(None) };
    let started = HealthServer::start(door, services, metrics.map(Arc::clone));
    let server = started.map_err(|error| NodeError::server("health and metrics", &error))?;
    tracing::info!(addresses = ?server.addresses(), "health and metrics are shown");
    Ok(Some(server))
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

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::receipt::Receipt;
    use veilgrid_store::IntakeEntry;

    fn entry(round_id: u64, sequence: u64) -> IntakeEntry {
        let (ledger_id, account, bid_digest, signature) = ([1; 32], [2; 32], [3; 32], [4; 64]);
        let receipt = Receipt { ledger_id, round_id, account, bid_digest, sequence, signature };
        IntakeEntry { bid: vec![5; 100], receipt: receipt.to_bytes() }
    }

    #[test]
    fn limits_are_kept_as_they_are_written() {
        let http = HttpConfig {
            listen: "127.0.0.1:1".parse().expect("an address"),
            tls_certificate: None,
            tls_key: None,
        };
        for (per_minute, burst) in [(1, 1), (59, 10), (6_000, 1_000)] {
            let limits = LimitsConfig { requests_per_minute: per_minute, ..LimitsConfig::default() };
            assert_eq!(http_options(&http, limits).rate, Some(Rate { per_minute, burst }));
        }
        for (connections, of_address, of_peer) in [
            (1, 32, 1),
            (8, 32, 4),
            (60, 32, 30),
            (100, 32, 32),
            (1024, 32, 32),
            (1024, 16, 16),
            (1024, 900, 512),
        ] {
            let limits =
                LimitsConfig { connections, connections_per_address: of_address, ..LimitsConfig::default() };
            let options = http_options(&http, limits);
            assert_eq!(
                (options.max_connections, options.max_connections_of_peer),
                (connections as usize, Some(of_peer))
            );
        }
        let limits = LimitsConfig { requests_per_minute: 0, ..LimitsConfig::default() };
        let options = http_options(&http, limits);
        assert_eq!((options.rate, options.max_connections_of_peer), (None, None), "a proxy limits");
        let share = LimitsConfig::default().connections_per_address;
        assert!((16..=32).contains(&share), "four addresses must not fill the places of all: {share}");
    }

    #[test]
    fn an_address_that_is_taken_is_named_with_its_key() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let listen = taken.local_addr().expect("an address");
        let error = check_listen("p2p.listen", listen).expect_err("taken").to_string();
        assert!(error.contains(&listen.to_string()) && error.contains("(p2p.listen)"), "{error}");
        drop(taken);
        assert!(check_listen("p2p.listen", listen).is_ok());
    }

    #[test]
    fn a_damaged_journal_is_opened_with_what_is_left_and_with_new_numbers() {
        let data = tempfile::tempdir().expect("directory");
        let directory = data.path().join("intake");
        let mut journal = open_journal(&directory).expect("a new one");
        for sequence in 1..=3 {
            journal.record(&[entry(7, sequence)]).expect("recorded");
        }
        drop(journal);
        // The last bid: nobody can read any more which number its receipt had.
        let file = directory.join("round-0000000000000007.intake");
        let mut bytes = std::fs::read(&file).expect("read");
        *bytes.last_mut().expect("a byte") ^= 1;
        std::fs::write(&file, bytes).expect("written");

        let journal = open_journal(&directory).expect("opened all the same");
        assert_eq!(journal.load().expect("loaded")[&7], [entry(7, 1), entry(7, 2)]);
        assert!(journal.last_sequence() > 3, "{} was given before", journal.last_sequence());
        assert!(directory.join("round-0000000000000007.intake.damaged-1").exists(), "nothing is thrown away");
        let numbers = journal.last_sequence();
        drop(journal);
        assert_eq!(open_journal(&directory).expect("again").last_sequence(), numbers);
    }
}
