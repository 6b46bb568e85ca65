//! Why a call has no answer.

use std::fmt::Display;
use std::path::PathBuf;
use thiserror::Error;
use veilgrid_api::{Kind, Problem};

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is none that this client calls.
    #[error("{url:?} is no address of a node: {why}; write http://host:port or https://host:port")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file of trusted authorities can't be used.
    #[error("ca_file {}: {why}; give a file of PEM certificates of authorities, or none", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS set-up failed.
    #[error("the HTTP client can't be set up: {0}")]
    SetUp(String),
    /// No connection, or it broke.
    #[error("{node} can't be reached: {why}")]
    Unreachable {
        /// Address of the node.
        node: String,
        /// What happened.
        why: String,
    },
    /// No answer in time.
    #[error("{node} has not answered within {waited_ms} ms")]
    Silent {
        /// Address of the node.
        node: String,
        /// How long was waited.
        waited_ms: u64,
    },
    /// An answer began and does not go on, or too slowly.
    #[error(
        "{node} has begun an answer and sent {received} bytes of it within {waited_ms} ms: it is given up"
    )]
    Stalled {
        /// Address of the node.
        node: String,
        /// Bytes of the answer that came.
        received: usize,
        /// How long was waited after its beginning.
        waited_ms: u64,
    },
    /// The node refuses.
    #[error("{node} answers {status} {}: {}", .problem.title, .problem.detail)]
    Refused {
        /// Address of the node.
        node: String,
        /// HTTP status.
        status: u16,
        /// Why.
        problem: Box<Problem>,
    },
    /// The answer is larger than any true one.
    #[error("{node} sends more than {bound} bytes")]
    TooLong {
        /// Address of the node.
        node: String,
        /// Most bytes of this answer.
        bound: usize,
    },
    /// The answer is not of the API's form.
    #[error("{node} sends an answer that can't be read: {why}")]
    Malformed {
        /// Address of the node.
        node: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ClientError {
    /// An answer that can't be read.
    pub fn malformed(node: &str, why: impl Display) -> Self {
        Self::Malformed { node: node.to_owned(), why: why.to_string() }
    }

    /// Whether the node says that it does not have what was asked for: blocks whose bids it has pruned.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Refused { status: 404, problem, .. } if problem.named() == Some(Kind::NotFound))
    }

    /// Whether the node has begun an answer and not finished it in time.
    pub fn is_stall(&self) -> bool {
        matches!(self, Self::Stalled { .. })
    }

    /// Whether the node has sent what no honest node sends.
    pub fn is_misbehaviour(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::Malformed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_and_misbehaviour_are_told_apart() {
        let refused = |problem| ClientError::Refused { node: "n".into(), status: 404, problem };
        let problem = Box::new(Problem::new(Kind::NotFound, "block 7"));
        assert!(refused(problem.clone()).is_absence() && !refused(problem).is_misbehaviour());
        assert!(!refused(Box::default()).is_absence(), "of no node");
        let malformed = ClientError::Malformed { node: "n".into(), why: "x".into() };
        assert!(!malformed.is_absence() && malformed.is_misbehaviour());
    }
}
