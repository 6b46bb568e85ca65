//! What a validator owes the ledger.

use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::transaction::Transaction;

/// What a key holder has made for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    /// An event of a key session.
    KeyEvent {
        /// Number of the session.
        session: u64,
        /// The event's bytes.
        event: Vec<u8>,
    },
    /// A share that a round waits for.
    Share {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// The share.
        share: OpeningShare,
    },
}

impl From<Owed> for Transaction {
    fn from(owed: Owed) -> Self {
        match owed {
            Owed::KeyEvent { session, event } => Self::KeyEvent { session, event },
            Owed::Share { round_id, opening_index, share } => {
                Self::OpeningShare { round_id, opening_index, share }
            }
        }
    }
}
