//! A member's own bid: its envelopes, and its fill of a settled round.

use super::delivery::Target;
use thiserror::Error;
use veilgrid_crypto::bid::{BidParams, NoteError, RoundContext, SealedBid, open_note};
use veilgrid_crypto::envelope::{EnvelopePublicKey, seal_envelope};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_market::{Trade, fill_weights};

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
    /// "One bid per account and round."
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
    /// What it asks for, Wh, one quantity per step.
    pub quantities_wh: Vec<u64>,
}

impl OwnBid {
    /// Reads its own bid back from its sealed bytes, all that a bidder has to keep.
    ///
    /// # Errors
    /// [`NoteError`] when it is another member's bid.
    pub fn open(
        keyring: &Keyring,
        params: &BidParams,
        round: &RoundContext,
        bid: &SealedBid,
    ) -> Result<Self, NoteError> {
        let view = keyring.round_view_key(round.key_epoch, round.round_id);
        let quantities_wh = open_note(params, round, &view, bid)?;
        Ok(Self { account: bid.account, digest: bid.digest(), salt: bid.salt, quantities_wh })
    }

    /// Its own fill of a settled round, computed from the public outcome and checked against the ledger's settlement
    /// point, which holds it and nothing else.
    ///
    /// # Errors
    /// [`FillFault`]: evidence against the validators, or against whoever gave a receipt.
    pub fn fill(
        &self,
        keyring: &Keyring,
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
        let r = keyring.round_view_key(key_epoch, settled.round_id).randomness(&self.salt);
        let net = i64::try_from(i128::from(bought) - i128::from(sold)).unwrap_or(i64::MAX);
        let params = community.bid_params().ok_or(FillFault::NoKeys)?;
        if !settlement_point_holds(params, &r, &weights, net, &own.settlement_point) {
            return Err(FillFault::WrongPoint);
        }
        Ok(Fill { bought_wh_q16: bought, sold_wh_q16: sold, trade: settled.outcome.trade })
    }
}

/// Puts a sealed bid into an envelope.
pub fn envelope_for(
    recipient: &EnvelopePublicKey,
    ledger_id: &[u8; 32],
    bid: &SealedBid,
    rng: &mut impl rand_core::CryptoRngCore,
) -> Vec<u8> {
    seal_envelope(recipient, ledger_id, bid.round_id, &bid.to_bytes(), rng)
}

/// Puts a sealed bid into an envelope to a recipient's key as the ledger names it; none when the ledger has no usable one.
pub fn envelope_to(
    state: &State,
    to: Target,
    bid: &SealedBid,
    rng: &mut impl rand_core::CryptoRngCore,
) -> Option<Vec<u8>> {
    let community = state.community();
    let key = match to {
        Target::Aggregator => community.envelope_key(),
        Target::Validator(number) => {
            let index = usize::from(number.checked_sub(1)?);
            state.roster().validators.get(index)?.envelope_key
        }
    };
    let key = EnvelopePublicKey::from_bytes(&key).ok()?;
    Some(envelope_for(&key, &community.ledger_id(), bid, rng))
}

/// Energy bought and sold by a bid under public fill weights, Wh/2^16. Market bounds keep both inside 63 bits.
pub(crate) fn fills(weights: &[i64], quantities_wh: &[u64]) -> (u64, u64) {
    let side = |sign: i64| -> u64 {
        let terms = weights.iter().zip(quantities_wh).filter(|(weight, _)| weight.signum() == sign);
        terms.fold(0u64, |sum, (weight, wh)| sum.saturating_add(weight.unsigned_abs().saturating_mul(*wh)))
    };
    (side(1), side(-1))
}
