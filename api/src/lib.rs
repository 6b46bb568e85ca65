//! The HTTP API of validators and aggregators: its paths, requests, answers and refusals.
//!
//! Both sides use these definitions: the server in `node/src/http` and the client in `client`. Nothing here opens a
//! socket or knows an HTTP library.
//!
//! | path | what | type |
//! |---|---|---|
//! | `POST /v1/bids` | an enveloped bid for a receipt | octets, or [`ReceiptBody`] |
//! | `POST /v1/relay` | the aggregator's signed batch of bids | [`RelayAnswer`] |
//! | `POST /v1/transactions` | a key event, a change of validators, an order of the registrar or the treasury, new keys, a withdrawal, claims | 202, no body |
//! | `GET /v1/status` | what the node says about itself and its ledger | [`NodeStatus`] |
//! | `GET /v1/genesis` | block 0 | octets |
//! | `GET /v1/validators` | the validators in force and those to follow | [`ValidatorSet`] |
//! | `GET /v1/members` | the members, a page at a time ([`MembersQuery`]) | [`MembersPage`] |
//! | `GET /v1/accounts` | the accounts of a ledger with money, and the treasury ([`AccountsQuery`]) | [`AccountsPage`] |
//! | `GET /v1/accounts/{number}` | one account with its place in the tree of accounts | [`AccountState`] |
//! | `GET /v1/withdrawals` | withdrawals that are not paid ([`WithdrawalsQuery`]) | [`WithdrawalsPage`] |
//! | `GET /v1/blocks` | blocks with certificates ([`BlocksQuery`]) | [`frames`] |
//! | `GET /v1/rounds/{id}` | where a round stands and how it ended | [`RoundStatus`] |
//! | `GET /v1/healthz` | whether the node does its work | text |
//! | `GET /v1/metrics` | counters for Prometheus | text |
//!
//! A refusal is a [`Problem`] of one of the [`Kind`]s.
//!
//! ```
//! use veilgrid_api::{Kind, Problem, paths};
//!
//! let refusal = Problem::new(Kind::TooEarly, "round 7 opens in 12 s");
//! assert_eq!((refusal.status, refusal.named()), (425, Some(Kind::TooEarly)));
//! assert_eq!(paths::round(7), "/v1/rounds/7");
//! ```

pub mod accounts;
pub mod bids;
pub mod blocks;
pub mod frames;
pub mod members;
pub mod problem;
pub mod rounds;
pub mod status;
pub mod validators;

pub use accounts::{
    AccountEntry, AccountState, AccountsPage, AccountsQuery, NextWithdrawal, UnpaidWithdrawal,
    WithdrawalsPage, WithdrawalsQuery,
};
pub use bids::{MAX_TRANSACTION_BYTES, ReceiptBody, RelayAnswer, RelayedBid};
pub use blocks::BlocksQuery;
pub use frames::{CertifiedBlock, FrameError, MAX_NETWORK_BLOCK_BYTES, read_frames, write_frame};
pub use members::{MemberEntry, MembersPage, MembersQuery};
pub use problem::{Kind, Problem};
pub use rounds::{RoundStatus, Stage};
pub use status::{MemberCounts, NodeStatus, StatusReport};
pub use validators::{NumberedValidator, PendingSet, SessionInProgress, ValidatorSet};

/// The content type of blocks, bids, receipts and transactions.
pub const OCTETS: &str = "application/octet-stream";
/// The content type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Most bytes of an answer in JSON.
pub const MAX_JSON_BYTES: usize = 1 << 20;
/// Most bytes of a [`Problem`].
pub const MAX_PROBLEM_BYTES: usize = 16 << 10;

/// The paths of the API. All are below `/v1`; another version of the API is another prefix.
pub mod paths {
    /// An enveloped bid for a receipt.
    pub const BIDS: &str = "/v1/bids";
    /// The aggregator's signed batch of bids, to a validator.
    pub const RELAY: &str = "/v1/relay";
    /// A key event or a change of validators, to a validator.
    pub const TRANSACTIONS: &str = "/v1/transactions";
    /// What the node says about itself and its ledger.
    pub const STATUS: &str = "/v1/status";
    /// Block 0.
    pub const GENESIS: &str = "/v1/genesis";
    /// The validators in force and those to follow.
    pub const VALIDATORS: &str = "/v1/validators";
    /// The members.
    pub const MEMBERS: &str = "/v1/members";
    /// The accounts of a ledger with money.
    pub const ACCOUNTS: &str = "/v1/accounts";
    /// One account, as a router reads it; [`account`] makes the path of one.
    pub const ACCOUNT: &str = "/v1/accounts/{number}";
    /// Withdrawals that the treasury has not paid.
    pub const WITHDRAWALS: &str = "/v1/withdrawals";
    /// Blocks from a height on.
    pub const BLOCKS: &str = "/v1/blocks";
    /// A round, as a router reads it; [`round`] makes the path of one.
    pub const ROUND: &str = "/v1/rounds/{id}";
    /// Whether the node does its work.
    pub const HEALTHZ: &str = "/v1/healthz";
    /// Counters for Prometheus.
    pub const METRICS: &str = "/v1/metrics";

    /// The path of an account.
    pub fn account(number: u32) -> String {
        ACCOUNT.replace("{number}", &number.to_string())
    }

    /// The path of a round.
    pub fn round(round_id: u64) -> String {
        ROUND.replace("{id}", &round_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::paths::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_path_is_of_this_version_and_no_two_are_one() {
        let all = [
            BIDS,
            RELAY,
            TRANSACTIONS,
            STATUS,
            GENESIS,
            VALIDATORS,
            MEMBERS,
            ACCOUNTS,
            ACCOUNT,
            WITHDRAWALS,
            BLOCKS,
            ROUND,
            HEALTHZ,
            METRICS,
        ];
        assert!(all.iter().all(|path| path.starts_with("/v1/")));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(account(7), "/v1/accounts/7");
        assert_eq!(round(u64::MAX), "/v1/rounds/18446744073709551615");
    }
}
