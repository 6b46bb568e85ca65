//! How many files a process may have open, and how many it may need. One that reaches its limit can neither write its
//! stores nor take connections, and validators that were founded together reach it together.

use crate::checks::CheckError;
use crate::http::FILES_BESIDE;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process asks the system for, if it may have as much.
const WANTED: u64 = 65_536;
/// A connection of the server, from before its handshake on, and the second handle by which it is cut off.
const FILES_A_CONNECTION: u64 = 2;
/// Fewer connections than that are no service: one household's.
const LEAST_CONNECTIONS: u64 = 64;
/// Stores, logs, requests to others, the runtime.
const OTHER_FILES: u64 = 256;

/// What a process may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Connections that its server is to take at once.
    pub connections: u32,
    /// Files of a validator's engine.
    pub engine: Option<EngineNeed>,
}

/// What a validator's engine may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineNeed {
    /// Blocks of an epoch.
    pub epoch_blocks: u64,
    /// Files.
    pub files: u64,
}

impl EngineNeed {
    /// The need of an engine with epochs of this many blocks and so many other validators.
    pub fn of(epoch_blocks: u64, peers: usize) -> Self {
        let (kept, peers) =
            (veilgrid_engine::blocks_kept(epoch_blocks), peers.try_into().unwrap_or(u64::MAX));
        Self { epoch_blocks, files: veilgrid_engine::open_files(epoch_blocks, kept, peers) }
    }
}

impl Need {
    /// Open files beside those of the connections that are configured.
    fn own_files(&self) -> u64 {
        let beside = if self.connections == 0 { 0 } else { FILES_BESIDE };
        self.engine.map_or(0, |engine| engine.files).saturating_add(OTHER_FILES).saturating_add(beside)
    }

    fn least_connections(&self) -> u64 {
        LEAST_CONNECTIONS.min(self.connections.into())
    }

    /// Open files of a process with all its connections.
    pub fn files(&self) -> u64 {
        u64::from(self.connections).saturating_mul(FILES_A_CONNECTION).saturating_add(self.own_files())
    }

    /// The least limit with which a process works: all that it does itself, and some connections.
    pub fn least(&self) -> u64 {
        self.least_connections().saturating_mul(FILES_A_CONNECTION).saturating_add(self.own_files())
    }

    /// How many of the connections fit a limit; no limit fits all.
    ///
    /// # Errors
    /// [`CheckError::OpenFiles`] when the process would not work.
    pub fn fitting(&self, limit: Option<u64>) -> Result<u32, CheckError> {
        match limit {
            Some(limit) if limit < self.least() => Err(CheckError::OpenFiles { limit, need: *self }),
            Some(limit) => {
                let fitting = limit.saturating_sub(self.own_files()) / FILES_A_CONNECTION;
                Ok(u32::try_from(fitting).map_or(self.connections, |fitting| fitting.min(self.connections)))
            }
            None => Ok(self.connections),
        }
    }
}

/// Whether a validator of a network with such epochs works with the limit that the handbook's units allow. It does whatever
/// its connections are: it takes as many as fit.
///
/// # Errors
/// What it would need, and the longest epoch that fits.
pub fn check_epochs(epoch_blocks: u64, validators: usize) -> Result<(), String> {
    let peers = validators.saturating_sub(1);
    let need =
        |blocks: u64| Need { connections: u32::MAX, engine: Some(EngineNeed::of(blocks, peers)) }.least();
    let needed = need(epoch_blocks);
    if needed <= WANTED {
        return Ok(());
    }
    // The need grows with the epoch.
    let (mut fits, mut too_long) = (0, epoch_blocks);
    while too_long - fits > 1 {
        let middle = fits.midpoint(too_long);
        if need(middle) <= WANTED { fits = middle } else { too_long = middle }
    }
    Err(format!(
        "timing.epoch_blocks = {epoch_blocks}: a validator with epochs of so many blocks and {peers} others needs {needed} open \
         files, and the units allow {WANTED} (LimitNOFILE); choose {fits} blocks at most"
    ))
}

/// Raises the limit as far as this process may and needs to, says it, and compares it with the need. Many systems begin
/// with 1,024, and allow more to whoever asks. Returns how many connections fit: all, or fewer with a warning.
///
/// # Errors
/// [`CheckError::OpenFiles`] when the limit is too low for the process to work.
pub fn secure(need: Need) -> Result<u32, CheckError> {
    let (before, limit) = raise(need.files().max(WANTED));
    let shown = |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    tracing::info!(limit = shown(limit), at_start = shown(before), needed = need.files(), "open files");
    let connections = need.fitting(limit)?;
    if connections < need.connections {
        tracing::warn!(
            limit = shown(limit),
            needed = need.files(),
            connections,
            "the limit of open files allows fewer connections than limits.connections: raise it (LimitNOFILE in the \
             unit, ulimit -Hn in a shell)"
        );
    }
    Ok(connections)
}

/// The limit before, and now; none stands for no limit.
fn raise(wanted: u64) -> (Option<u64>, Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
    {
        tracing::warn!(%error, wanted, "the limit of open files can't be raised");
    }
    (limit.current, getrlimit(Resource::Nofile).current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_as_many_open_files_as_it_may() {
        let few = Rlimit { current: Some(512), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, few).expect("lowered");
        let may = few.maximum.map_or(WANTED, |most| most.min(WANTED));
        assert_eq!(raise(WANTED), (Some(512), Some(may)));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(may));
    }

    #[test]
    fn a_limit_below_the_need_is_refused_with_the_numbers() {
        let aggregator = Need { connections: 1_024, engine: None };
        assert_eq!((aggregator.files(), aggregator.least()), (2_400, 480));
        let text = aggregator.fitting(Some(479)).expect_err("too few").to_string();
        let parts = ["479", "480", "2400", "1024 connections", "LimitNOFILE"];
        assert!(parts.iter().all(|part| text.contains(part)) && !text.contains("epoch"), "{text}");

        // No limit that processes ask for fits the longest epochs that the ledger allows.
        let longest = EngineNeed::of(u32::MAX.into(), 3);
        let validator = Need { engine: Some(longest), ..aggregator };
        let text = validator.fitting(Some(WANTED)).expect_err("too many").to_string();
        let numbers = ["epochs of 4294967295 blocks", &longest.files.to_string(), "65536"];
        assert!(numbers.iter().all(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn epochs_that_need_more_files_than_units_allow_are_refused_with_the_longest_that_fits() {
        assert_eq!([60, 20_000, 100_000].map(|blocks| check_epochs(blocks, 128)), [const { Ok(()) }; 3]);
        let text = check_epochs(u32::MAX.into(), 4).expect_err("too long");
        let longest: u64 = text.rsplit(' ').nth(3).and_then(|word| word.parse().ok()).expect("a number");
        let least = |blocks| Need { connections: 64, engine: Some(EngineNeed::of(blocks, 3)) }.least();
        assert!(text.contains(&least(u32::MAX.into()).to_string()), "{text}");
        assert!(least(longest) <= WANTED && least(longest + 1) > WANTED, "{text}");
        assert_eq!((check_epochs(longest, 4), check_epochs(longest + 1, 4).is_err()), (Ok(()), true));
    }

    #[test]
    fn a_low_limit_takes_connections_and_nothing_else() {
        let aggregator = Need { connections: 1_024, engine: None };
        let fitting =
            [480, 481, 482, 1_120, 2_400, u64::MAX].map(|limit| aggregator.fitting(Some(limit)).ok());
        assert_eq!(fitting, [64, 64, 65, 384, 1_024, 1_024].map(Some));
        assert_eq!(aggregator.fitting(None).ok(), Some(1_024));
        let few = Need { connections: 10, engine: None };
        assert_eq!((few.least(), few.fitting(Some(372)).ok()), (372, Some(10)), "fewer were never asked for");

        // Validators with the epochs of localnet work with the limit that most systems begin with.
        for epoch_blocks in [60, 120] {
            let validator = Need { engine: Some(EngineNeed::of(epoch_blocks, 3)), ..aggregator };
            assert!(validator.fitting(Some(1_024)).is_ok(), "{epoch_blocks}: {}", validator.least());
        }
        // Those of the handbook's with what they ask for.
        let validator = Need { engine: Some(EngineNeed::of(20_000, 30)), ..aggregator };
        assert_eq!(validator.fitting(Some(4_608)).ok(), Some(1_024), "{}", validator.files());
    }
}
