//! `GET /v1/status`: what a node says about itself and its ledger. Claims: whoever reads them chooses whom to ask by them and
//! believes nothing else because of them.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use veilgrid_ledger::hash::Hex32;

/// What a node says about itself and its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Version of the program.
    pub version: String,
    /// What it says about itself.
    #[serde(flatten)]
    pub node: StatusReport,
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the last final block.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hex32,
    /// Root of the state after it.
    pub state_root: Hex32,
    /// Its time, Unix milliseconds.
    pub time_unix_ms: u64,
    /// The last round that was opened or passed over.
    pub last_round_id: Option<u64>,
    /// Validators in force.
    pub validators: u16,
    /// How many of them open a sum.
    pub threshold: u16,
    /// Whether the keys of the market are generated.
    pub keys_ready: bool,
    /// The node's clock, for comparing others with it, Unix milliseconds; 0 when it does not say.
    #[serde(default)]
    pub clock_unix_ms: u64,
}

/// What a node says about itself beside the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusReport {
    /// "validator", "aggregator" or "participant".
    pub role: Cow<'static, str>,
    /// A validator's number, from 1.
    pub index: Option<u16>,
    /// Whether a validator holds shares of the keys in force; absent before there are keys, and for others.
    pub holds_shares: Option<bool>,
    /// Bids that wait for a block.
    pub pool_bids: u64,
    /// Other transactions that wait for a block.
    pub pool_transactions: u64,
    /// What a validator is doing: `validating`, `candidate`, `catching-up`; absent for others.
    pub mode: Option<Cow<'static, str>>,
    /// Last height with a certificate of its own.
    pub certified_height: Option<u64>,
    /// Seconds since a validator last voted, or since its engine began when it has not; absent without an engine.
    pub last_vote_age_s: Option<u64>,
    /// Whether a validator has voted for none of the blocks of the last half minute.
    pub votes_for_nothing: bool,
    /// Votes in certificates under a validator's key that its process has not given.
    pub unknown_votes: u64,
    /// A validator's clock against the others', when it is off by more than is allowed: ahead, or behind (negative), ms.
    pub clock_off_ms: Option<i64>,
    /// Validators that hold shares of the keys in force, as far as is known here; absent before there are keys.
    pub holders: Option<u16>,
    /// Rounds whose opening has stood still for too long.
    pub suspended_rounds: u64,
    /// Since the time of the last final block, seconds.
    pub last_block_age_s: Option<u64>,
    /// Validators whose engines are connected to this one's; of other processes: validators that answered when they were
    /// last asked.
    pub peers_connected: Option<u64>,
    /// Free bytes on the disk of `data_dir`.
    pub disk_free_bytes: Option<u64>,
    /// This machine's clock against those of f + 1 validators at least, as far as is certain: ahead, or behind (negative), ms.
    pub clock_skew_ms: Option<i64>,
    /// When the certificate of the API expires, seconds since 1970 UTC.
    pub certificate_expires_unix_s: Option<i64>,
    /// What wants a look although the node does its work.
    pub warnings: Vec<String>,
    /// Why the node does not do its work; absent when it does.
    pub trouble: Option<String>,
    /// Of a participant: what has happened to its bids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberCounts>,
    /// Why the node takes neither bids nor transactions now, although it has an intake; nothing of it is shown.
    #[serde(skip)]
    pub closed: Option<&'static str>,
}

/// How often what has happened to a member's bids since its process began, replayed rounds included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemberCounts {
    /// Own bids that were seen on the ledger.
    pub bids_on_ledger: u64,
    /// Receipts that were checked and kept by this process.
    pub receipts: u64,
    /// Rounds with an own bid that were settled with its fill.
    pub settled: u64,
    /// Rounds with an own bid that ended void.
    pub voided: u64,
    /// Rounds in which nobody could bid, because no block opened them in their time.
    pub passed_over: u64,
    /// Promises that were not kept.
    pub broken_promises: u64,
    /// Settlement points that do not hold the member's own fill.
    pub wrong_settlements: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> NodeStatus {
        NodeStatus {
            version: "0.1.0".to_owned(),
            node: StatusReport {
                role: "validator".into(),
                index: Some(3),
                mode: Some("validating".into()),
                clock_off_ms: Some(-7),
                warnings: vec!["a disk".to_owned()],
                ..StatusReport::default()
            },
            ledger_id: Hex32([1; 32]),
            height: 9,
            block_hash: Hex32([2; 32]),
            state_root: Hex32([3; 32]),
            time_unix_ms: u64::MAX,
            last_round_id: None,
            validators: 4,
            threshold: 2,
            keys_ready: true,
            clock_unix_ms: 5,
        }
    }

    #[test]
    fn a_status_is_flat_and_read_as_it_was_written() {
        let text = serde_json::to_value(status()).expect("JSON");
        assert_eq!(
            (&text["role"], &text["height"], &text["index"]),
            (&"validator".into(), &9.into(), &3.into())
        );
        assert_eq!(text["state_root"], "03".repeat(32));
        assert!(text.get("member").is_none() && text.get("closed").is_none(), "a validator's own: {text}");
        assert_eq!(serde_json::from_value::<NodeStatus>(text).expect("read"), status());
    }

    #[test]
    fn another_version_may_say_more_of_itself_or_less() {
        let mut text = serde_json::to_value(status()).expect("JSON");
        let members = text.as_object_mut().expect("an object");
        members
            .retain(|name, _| !["warnings", "mode", "pool_bids", "clock_unix_ms"].contains(&name.as_str()));
        members.insert("of_tomorrow".to_owned(), 1.into());
        let read: NodeStatus = serde_json::from_value(text).expect("read");
        assert_eq!((read.height, read.node.index, read.node.mode, read.clock_unix_ms), (9, Some(3), None, 0));
    }
}
