//! Key shares with the session that they come from, and what a validator holds.

use super::bytes::{Sink, read_secret};
use super::view::View;
use veilgrid_crypto::keygen::KeyShares;
use veilgrid_crypto::wire::{Reader, WireError};

/// Shares and the number of their session.
pub(super) struct Held {
    pub(super) session: u64,
    pub(super) shares: KeyShares,
}

/// Whether a validator can help to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// No validator of the roster in force.
    NoValidator,
    /// No keys are in force yet.
    NoKeys,
    /// It holds the shares in force.
    Holds {
        /// The session that they come from.
        session: u64,
    },
    /// It is a validator and has no share: it missed the session, or its shares are not the ledger's. It has one again
    /// after the next resharing.
    Missing {
        /// The session whose shares are in force.
        session: u64,
    },
}

/// What a validator with these shares holds at a state.
pub(super) fn holding(current: Option<&Held>, view: &View<'_>) -> Holding {
    let Some(index) = view.index else { return Holding::NoValidator };
    let (Some(session), Some(keys)) = (view.sharing, view.keys) else { return Holding::NoKeys };
    let mine =
        |held: &&Held| held.session == session && held.shares.index() == index && keys.matches(&held.shares);
    match current.filter(mine) {
        Some(_) => Holding::Holds { session },
        None => Holding::Missing { session },
    }
}

impl Held {
    pub(super) fn write(&self, sink: &mut Sink) {
        sink.u64(self.session);
        sink.blob(self.shares.to_bytes().expose());
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let session = r.u64("session of shares")?;
        let shares = KeyShares::from_bytes(read_secret(r, "key shares")?.expose())?;
        Ok(Self { session, shares })
    }
}
