//! The HTTP API of validators and aggregators: its paths, requests, answers and refusals.
//!
//! Both sides use these definitions: the server in `node/src/http` and the client in `client`. Nothing here opens a
//! socket or knows an HTTP library.
//!
//! | path | what | type |
//! |---|---|---|
//! | `POST /v1/bids` | an enveloped bid for a receipt | octets, or [`ReceiptBody`] |
//! | `POST /v1/relay` | the aggregator's signed batch of bids | [`RelayAnswer`] |
//! | `POST /v1/transactions` | a key event or a change of validators | 202, no body |
//! | `GET /v1/status` | what the node says about itself and its ledger | [`NodeStatus`] |
//! | `GET /v1/genesis` | block 0 | octets |
//! | `GET /v1/validators` | the validators in force and those to follow | [`ValidatorSet`] |
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

pub mod bids;
pub mod blocks;
pub mod frames;
pub mod paths;
pub mod problem;
pub mod rounds;
pub mod status;
pub mod validators;

pub use bids::{MAX_TRANSACTION_BYTES, ReceiptBody, RelayAnswer, RelayedBid};
pub use blocks::BlocksQuery;
pub use frames::{CertifiedBlock, FrameError, MAX_NETWORK_BLOCK_BYTES, read_frames, write_frame};
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
