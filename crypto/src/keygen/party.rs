//! Who takes part in a session.

use core::fmt;

/// A party of a session. In all but a resharing dealer i and receiver i are one validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A dealer, 1..=n.
    Dealer(u16),
    /// A receiver, 1..=n'.
    Receiver(u16),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dealer(number) => write!(f, "dealer {number}"),
            Self::Receiver(number) => write!(f, "receiver {number}"),
        }
    }
}
