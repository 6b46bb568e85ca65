//! From orders to a sealed bid that is kept.

use super::ports::{ArchiveFailure, BidArchive, OrderSource};
use rand_core::CryptoRngCore;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::{
    AccountTerms, AvailableOpening, SealError, SealedBid, seal_bid, seal_bid_with_money,
};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::{MappingError, step_quantities};

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
    Archive(#[from] ArchiveFailure),
    /// Somebody else's bid lies where this member's should.
    #[error("the stored bid of the round is another account's: the data directory belongs to other keys")]
    OtherAccount,
    /// The thread ended by a panic.
    #[error("sealing ended in a panic: this is a bug, please report it")]
    Panicked,
    /// The process ends before the bid is made.
    #[error("the process is ending: no bid is made")]
    Ending,
}

/// Everything that sealing needs, so that it can run on another thread.
pub struct SealTask<A> {
    /// The member's keys.
    pub keyring: Arc<Keyring>,
    /// A state in which the round takes bids.
    pub state: State,
    /// The round.
    pub round_id: u64,
    /// What it trades.
    pub slot: Slot,
    /// The orders; none for a bid without any, which nobody can tell from another.
    pub orders: Option<Arc<dyn OrderSource>>,
    /// With money, what the bid may cost and trade.
    pub means: Option<Means>,
    /// Where the bid is kept.
    pub archive: A,
}

/// What a bid may cost and trade on a ledger with money.
#[derive(Debug, Clone)]
pub struct Means {
    /// What the ledger says of the account.
    pub terms: AccountTerms,
    /// What the owner knows of it.
    pub available: AvailableOpening,
}

/// Whether the orders, and not what they are sealed with, are the reason.
fn is_beyond_means(error: &SealError) -> bool {
    matches!(error, SealError::Balance | SealError::ImportCapacity | SealError::ExportCapacity)
}

impl<A: BidArchive> SealTask<A> {
    /// Seals the bid (about 100 ms for 64 ticks a side) and keeps it. What comes back is kept, and the only bid for its round.
    ///
    /// # Errors
    /// [`SealFailure`]; nothing may be sent then.
    pub fn run(self, rng: &mut impl CryptoRngCore) -> Result<SealedBid, SealFailure> {
        let community = self.state.community();
        let (market, shape) = (community.params(), community.bid_shape());
        let params = community.bid_params().ok_or(SealFailure::NoKeys)?;
        let round = community.round_context(self.round_id, self.slot);
        let account = self.keyring.account_key(round.key_epoch).verifying_key().to_bytes();
        let kept = match self.archive.bid(self.round_id, shape)? {
            // Before a restart.
            Some(bid) => bid,
            None => {
                let orders = self.orders.map_or_else(|| Ok(Vec::new()), |source| source.orders(self.slot));
                let orders = orders.map_err(SealFailure::Orders)?;
                let quantities_wh = step_quantities(&market.grid, &orders, u32::from(market.bits))?;
                let seal = |quantities_wh: &[u64], rng: &mut _| match &self.means {
                    None => seal_bid(params, &round, &self.keyring, quantities_wh, rng),
                    Some(Means { terms, available }) => {
                        let keyring = &self.keyring;
                        seal_bid_with_money(params, &round, keyring, quantities_wh, terms, available, rng)
                    }
                };
                let bid = match seal(&quantities_wh, rng) {
                    // Absence would be seen by everybody, so zeros are bid, which nobody can tell from other bids.
                    Err(error) if is_beyond_means(&error) => {
                        let round_id = self.round_id;
                        tracing::error!(round_id, %error, "a bid without orders is made");
                        seal(&vec![0; quantities_wh.len()], rng)?
                    }
                    sealed => sealed?,
                };
                self.archive.keep_bid(bid, shape)?
            }
        };
        if kept.account == account { Ok(kept) } else { Err(SealFailure::OtherAccount) }
    }
}
