//! The client of a node's HTTP API.
//!
//! Every call has a bound in time and every answer a bound in size: a peer that is silent, slow or talkative costs no
//! more than these. Every call may be repeated without harm, because bids and batches are the same bytes each time;
//! [`Retry`] does so where the caller has no plan of its own for whom to ask next.

mod error;
mod frames;
mod http;
mod retry;

pub use error::{ClientError, Problem};
pub use frames::{CertifiedBlock, FrameError, read_frames, write_frame};
pub use http::{Client, ClientOptions, MAX_BLOCKS_ANSWER_BYTES, NodeStatus};
pub use retry::Retry;
