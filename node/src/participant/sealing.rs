//! From orders to a sealed bid on disk.

use super::archive::{Archive, ArchiveError};
use super::orders::OrdersNote;
use rand_core::OsRng;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::{SealError, SealedBid, seal_bid};
use veilgrid_crypto::wallet::Wallet;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::{MappingError, Order, step_quantities};

/// Where a participant's orders come from; asked anew for every round.
pub trait OrderSource: Send + Sync + 'static {
    /// The orders for a slot; none at all is no error.
    ///
    /// # Errors
    /// Why they can't be read, in words. Nothing of the orders may be in it: it is logged.
    fn orders(&self, slot: Slot) -> Result<Vec<Order>, String>;

    /// What was found when they were last asked for.
    fn note(&self) -> Option<OrdersNote> {
        None
    }
}

/// Why there is no sealed bid.
#[derive(Debug, Error)]
pub enum SealFailure {
    /// The orders can't be read.
    #[error("the orders can't be read: {0}")]
    Orders(String),
    /// The orders do not fit the market. The message does not say which: it is logged.
    #[error("the orders do not fit the market's grid and the bits of its quantities")]
    Mapping(#[from] MappingError),
    /// The ledger has no keys.
    #[error("the ledger has no keys yet")]
    NoKeys,
    /// The quantities can't be sealed.
    #[error("the bid can't be sealed: {0}")]
    Seal(#[from] SealError),
    /// The sealed bid can't be kept, so it must not be sent.
    #[error("the sealed bid can't be kept and is not sent: {0}")]
    Archive(#[from] ArchiveError),
    /// Somebody else's bid lies where this member's should.
    #[error("the stored bid of the round is another account's: the data directory belongs to another wallet")]
    OtherAccount,
    /// The thread ended by a panic.
    #[error("sealing ended in a panic: this is a mistake of the program, please report it")]
    Panicked,
}

/// Everything that sealing needs, so that it can run on another thread.
pub struct SealTask {
    /// The wallet.
    pub wallet: Arc<Wallet>,
    /// A state in which the round takes bids.
    pub state: State,
    /// The round.
    pub round_id: u64,
    /// What it trades.
    pub slot: Slot,
    /// The orders; none for a bid without any, which nobody can tell from another.
    pub orders: Option<Arc<dyn OrderSource>>,
    /// Where the bid is kept.
    pub archive: Archive,
}

impl SealTask {
    /// Seals and keeps the bid. What comes back is on disk and the only bid for its round.
    ///
    /// # Errors
    /// [`SealFailure`]; nothing may be sent then.
    pub fn run(self) -> Result<SealedBid, SealFailure> {
        let community = self.state.community();
        let (market, shape) = (community.params(), community.bid_shape());
        let params = community.bid_params().ok_or(SealFailure::NoKeys)?;
        let round = community.round_context(self.round_id, self.slot);
        let account = self.wallet.account_key(round.key_epoch).verifying_key().to_bytes();
        let kept = match self.archive.bid(self.round_id, shape)? {
            // Before a restart.
            Some(bid) => bid,
            None => {
                let orders = self.orders.map_or_else(|| Ok(Vec::new()), |source| source.orders(self.slot));
                let orders = orders.map_err(SealFailure::Orders)?;
                let quantities_wh = step_quantities(&market.grid, &orders, u32::from(market.bits))?;
                let bid = seal_bid(params, &round, &self.wallet, &quantities_wh, &mut OsRng)?;
                self.archive.keep_bid(bid, shape)?
            }
        };
        if kept.account == account { Ok(kept) } else { Err(SealFailure::OtherAccount) }
    }
}
