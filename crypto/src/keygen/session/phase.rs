//! The phases of a session.

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Receivers announce their one-time keys.
    Announcing,
    /// Dealers publish packages and deliver sealed shares.
    Dealing,
    /// Receivers acknowledge or complain.
    Judging,
    /// Dealers answer complaints.
    Answering,
    /// There is an outcome.
    Ended,
}
