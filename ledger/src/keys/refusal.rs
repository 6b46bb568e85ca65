//! Why a key event is refused.

use thiserror::Error;
use veilgrid_crypto::keygen::Refusal as SessionRefusal;
use veilgrid_crypto::wire::WireError;

/// A rule about key sessions that a transaction breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyRefusal {
    /// Contextual: "A key event is of the session in progress."
    #[error("no key session {session} is in progress")]
    NoSession {
        /// The session named.
        session: u64,
    },
    /// Structural, with the session's context: "A key event has its one encoding."
    #[error("key session {session}: the event can't be read: {fault}")]
    KeyEventMalformed {
        /// The session.
        session: u64,
        /// What is wrong.
        fault: WireError,
    },
    /// Contextual: "A key event follows the rules of its session."
    #[error("key session {session}: {refusal}")]
    KeyEvent {
        /// The session.
        session: u64,
        /// The session's rule.
        refusal: Box<SessionRefusal>,
    },
}
