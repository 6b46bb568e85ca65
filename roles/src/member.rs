//! A participant: its wallet, its owner's orders, the bid of the current slot and what became of it.

use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::{BidParams, NoteError, RoundContext, SealError, SealedBid, open_note, seal_bid};
use veilgrid_crypto::envelope::{EnvelopePublicKey, seal_envelope};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_crypto::wallet::Wallet;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::{Grid, MappingError, Order, Trade, fill_weights, step_quantities};

/// Why an owner gives no orders, or does not take a result.
pub type OwnerRefusal = Box<dyn std::error::Error + Send + Sync>;

/// Whoever decides what a member asks for: a person, a program, or a model of one in a simulation.
pub trait Owner {
    /// The orders of a slot; none at all for a bid that trades nothing.
    ///
    /// # Errors
    /// Why there are none.
    fn orders(&mut self, slot: Slot) -> Result<Vec<Order>, OwnerRefusal>;

    /// What the orders of a slot came to, Wh/2^16: zeros when the round was void.
    ///
    /// # Errors
    /// Why it can't be so.
    fn settled(&mut self, slot: Slot, bought_wh_q16: u64, sold_wh_q16: u64) -> Result<(), OwnerRefusal>;
}

/// Why a member can't bid or can't accept a result.
#[derive(Debug, Error)]
pub enum MemberError {
    /// The owner refuses.
    #[error("member {id}: {source}")]
    Owner {
        /// The member.
        id: String,
        /// Why.
        source: OwnerRefusal,
    },
    /// An order does not fit the grid or the bits.
    #[error("member {id}: {source}")]
    Mapping {
        /// The member.
        id: String,
        /// Why.
        source: MappingError,
    },
    /// The ledger's result has no bid of this member although it bid: evidence against whoever gave the receipt.
    #[error("member {id}: round {round_id} was settled without its bid")]
    BidMissing {
        /// The member.
        id: String,
        /// The round.
        round_id: u64,
    },
    /// The settlement point of the ledger does not hold this member's fill.
    #[error("member {id}: the settlement point of round {round_id} does not hold its fill")]
    WrongSettlement {
        /// The member.
        id: String,
        /// The round.
        round_id: u64,
    },
}

/// What a member traded in a round. Only the member knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill {
    /// Energy bought, Wh/2^16.
    pub bought_wh_q16: u64,
    /// Energy sold, Wh/2^16.
    pub sold_wh_q16: u64,
    /// The round's terms; none when nothing was traded or the round was void.
    pub trade: Option<Trade>,
}

/// Why a settled round is not what a bidder's own bid says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FillFault {
    /// "A round is settled with every bid that was promised a place."
    #[error("the round was settled without this bid")]
    Missing,
    /// "One bid an account and round."
    #[error("the round was settled with another bid of the account")]
    OtherBid,
    /// "A settlement point holds exactly the owner's fill."
    #[error("the settlement point does not hold the fill")]
    WrongPoint,
    /// "Rounds are settled under keys."
    #[error("the ledger has no keys")]
    NoKeys,
}

/// What a bidder knows of its own bid.
#[derive(Clone)]
pub struct OwnBid {
    /// The pseudonym.
    pub account: PointBytes,
    /// Digest of the bid's bytes.
    pub digest: [u8; 32],
    /// The bid's salt.
    pub salt: [u8; 32],
    /// What it asks for, Wh, one quantity a step.
    pub quantities_wh: Vec<u64>,
}

impl OwnBid {
    /// Reads the own bid back from its sealed bytes, all that a bidder has to keep.
    ///
    /// # Errors
    /// [`NoteError`] when it is another wallet's bid.
    pub fn open(
        wallet: &Wallet,
        params: &BidParams,
        round: &RoundContext,
        bid: &SealedBid,
    ) -> Result<Self, NoteError> {
        let view = wallet.round_view_key(round.key_epoch, round.round_id);
        let quantities_wh = open_note(params, round, &view, bid)?;
        Ok(Self { account: bid.account, digest: bid.digest(), salt: bid.salt, quantities_wh })
    }

    /// The own fill of a settled round, computed from the public outcome and checked against the ledger's settlement
    /// point, which holds it and nothing else.
    ///
    /// # Errors
    /// [`FillFault`]: evidence against the validators, or against whoever gave a receipt.
    pub fn fill(
        &self,
        wallet: &Wallet,
        key_epoch: u64,
        community: &Community,
        settled: &SettledRound,
    ) -> Result<Fill, FillFault> {
        let own = settled.bids.iter().find(|bid| bid.account == self.account).ok_or(FillFault::Missing)?;
        if own.bid_digest != self.digest {
            return Err(FillFault::OtherBid);
        }
        let weights = fill_weights(&community.params().grid, &settled.outcome);
        let (bought, sold) = fills(&weights, &self.quantities_wh);
        let r = wallet.round_view_key(key_epoch, settled.round_id).randomness(&self.salt);
        let net = i64::try_from(i128::from(bought) - i128::from(sold)).unwrap_or(i64::MAX);
        let params = community.bid_params().ok_or(FillFault::NoKeys)?;
        if !settlement_point_holds(params, &r, &weights, net, &own.settlement_point) {
            return Err(FillFault::WrongPoint);
        }
        Ok(Fill { bought_wh_q16: bought, sold_wh_q16: sold, trade: settled.outcome.trade })
    }
}

/// A bid in the making: everything that sealing needs, so that it can run on another thread.
#[derive(Clone)]
pub struct SealJob {
    wallet: Arc<Wallet>,
    quantities_wh: Vec<u64>,
}

impl SealJob {
    /// Seals the bid (about 100 ms for 64 ticks a side). The caller persists the bytes before it sends them.
    ///
    /// # Errors
    /// Quantities that do not fit the parameters, which [`Member::form`] excludes.
    pub fn seal(
        &self,
        params: &BidParams,
        round: &RoundContext,
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> Result<SealedBid, SealError> {
        seal_bid(params, round, &self.wallet, &self.quantities_wh, rng)
    }
}

/// Puts a sealed bid into an envelope for the aggregator.
pub fn envelope_for(
    aggregator: &EnvelopePublicKey,
    ledger_id: &[u8; 32],
    bid: &SealedBid,
    rng: &mut impl rand_core::CryptoRngCore,
) -> Vec<u8> {
    seal_envelope(aggregator, ledger_id, bid.round_id, &bid.to_bytes(), rng)
}

/// A participant whose orders come from an owner of type `O`.
pub struct Member<O> {
    id: String,
    wallet: Arc<Wallet>,
    key_epoch: u64,
    owner: O,
    pending: Option<Pending>,
}

struct Pending {
    slot: Slot,
    round_id: u64,
    quantities_wh: Vec<u64>,
    /// Salt and digest of the sealed bid.
    sealed: Option<([u8; 32], [u8; 32])>,
}

impl<O: Owner> Member<O> {
    /// A member with its wallet and its owner.
    pub fn new(id: String, wallet: Wallet, key_epoch: u64, owner: O) -> Self {
        Self { id, wallet: Arc::new(wallet), key_epoch, owner, pending: None }
    }

    /// The name in the data; never on the ledger.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// The pseudonym.
    pub fn account(&self) -> PointBytes {
        self.wallet.account_key(self.key_epoch).verifying_key().to_bytes()
    }

    /// Forms the bid of a slot: the owner's orders, mapped to the steps of the grid. A member with nothing to trade
    /// forms a zero bid, which nobody can tell from any other.
    ///
    /// # Errors
    /// The owner's or the grid's refusal.
    pub fn form(
        &mut self,
        slot: Slot,
        round_id: u64,
        grid: &Grid,
        bits: u32,
    ) -> Result<SealJob, MemberError> {
        let orders =
            self.owner.orders(slot).map_err(|source| MemberError::Owner { id: self.id.clone(), source })?;
        let quantities_wh = step_quantities(grid, &orders, bits)
            .map_err(|source| MemberError::Mapping { id: self.id.clone(), source })?;
        let job = SealJob { wallet: Arc::clone(&self.wallet), quantities_wh: quantities_wh.clone() };
        self.pending = Some(Pending { slot, round_id, quantities_wh, sealed: None });
        Ok(job)
    }

    /// Remembers which bid was sealed, and its salt, from which the bid's randomness follows.
    pub fn sealed(&mut self, bid: &SealedBid) {
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.round_id == bid.round_id) {
            pending.sealed = Some((bid.salt, bid.digest()));
        }
    }

    /// Takes the settled round: computes the own fill from the public outcome, checks that the ledger's settlement
    /// point holds exactly it, and tells the owner.
    ///
    /// # Errors
    /// A missing bid, a wrong settlement point, or the owner's refusal.
    pub fn settle(&mut self, community: &Community, settled: &SettledRound) -> Result<Fill, MemberError> {
        let round_id = settled.round_id;
        let Some(pending) = self.pending.take_if(|pending| pending.round_id == round_id) else {
            return Ok(Fill::default());
        };
        let missing = || MemberError::BidMissing { id: self.id.clone(), round_id };
        let (salt, digest) = pending.sealed.ok_or_else(missing)?;
        let Pending { slot, quantities_wh, .. } = pending;
        let own = OwnBid { account: self.account(), digest, salt, quantities_wh };
        let fill =
            own.fill(&self.wallet, self.key_epoch, community, settled).map_err(|fault| match fault {
                FillFault::Missing | FillFault::OtherBid => missing(),
                FillFault::WrongPoint | FillFault::NoKeys => {
                    MemberError::WrongSettlement { id: self.id.clone(), round_id }
                }
            })?;
        self.tell(slot, fill.bought_wh_q16, fill.sold_wh_q16)?;
        Ok(fill)
    }

    /// The round was void: nothing was traded.
    ///
    /// # Errors
    /// The owner's refusal.
    pub fn voided(&mut self, round_id: u64) -> Result<(), MemberError> {
        match self.pending.take_if(|pending| pending.round_id == round_id) {
            Some(pending) => self.tell(pending.slot, 0, 0),
            None => Ok(()),
        }
    }

    fn tell(&mut self, slot: Slot, bought_wh_q16: u64, sold_wh_q16: u64) -> Result<(), MemberError> {
        self.owner
            .settled(slot, bought_wh_q16, sold_wh_q16)
            .map_err(|source| MemberError::Owner { id: self.id.clone(), source })
    }
}

/// Energy bought and sold by a bid under public fill weights, Wh/2^16. Market bounds keep both inside 63 bits.
fn fills(weights: &[i64], quantities_wh: &[u64]) -> (u64, u64) {
    let side = |sign: i64| -> u64 {
        let terms = weights.iter().zip(quantities_wh).filter(|(weight, _)| weight.signum() == sign);
        terms.fold(0u64, |sum, (weight, wh)| sum.saturating_add(weight.unsigned_abs().saturating_mul(*wh)))
    };
    (side(1), side(-1))
}
