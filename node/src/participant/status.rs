//! A small file for whoever watches the process: heights and counts, nothing of what is traded.

use super::MemberDesk;
use super::orders::OrdersNote;
use serde::Serialize;
use std::path::{Path, PathBuf};
use veilgrid_roles::member::Counts;
use veilgrid_store::files::replace;

/// What a participant says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Height of the last block that it has followed.
    pub height: u64,
    /// Time of that block, Unix milliseconds.
    pub block_time_unix_ms: u64,
    /// The last round that was opened or passed over.
    pub last_round: Option<u64>,
    /// Rounds with a bid under way.
    pub bids_under_way: Vec<u64>,
    /// Counts since the process began.
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether the wallet is what the ledger says; when it is not, nothing is bid or claimed. Always on ledgers without money.
    pub wallet_is_right: bool,
    /// Rounds whose fills wait to be claimed.
    pub unclaimed_rounds: Vec<u64>,
    /// The orders as they were last read; none before the first time.
    pub orders: Option<OrdersNote>,
}

impl Status {
    /// The status of a desk, with what is known of its orders.
    pub fn of(desk: &MemberDesk, orders: Option<OrdersNote>) -> Self {
        let state = desk.state();
        Self {
            height: state.height(),
            block_time_unix_ms: state.time_unix_ms(),
            last_round: state.last_round_id(),
            bids_under_way: desk.active().map(|(round_id, _)| round_id).collect(),
            counts: desk.counts(),
            wallet_is_right: desk.wallet_is_right(),
            unclaimed_rounds: desk
                .wallet()
                .into_iter()
                .flat_map(|wallet| wallet.unclaimed_rounds())
                .collect(),
            orders,
        }
    }
}

/// The file, rewritten when something has changed.
pub(super) struct StatusFile {
    path: PathBuf,
    last: Option<Status>,
}

impl StatusFile {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join("status.json"), last: None }
    }

    /// A status that can't be written stops nothing.
    pub(super) fn show(&mut self, status: Status) {
        if self.last.as_ref() == Some(&status) {
            return;
        }
        let written = serde_json::to_vec_pretty(&status)
            .map_err(std::io::Error::from)
            .and_then(|json| replace(&self.path, &json));
        match written {
            Ok(()) => self.last = Some(status),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the status file can't be written")
            }
        }
    }
}
