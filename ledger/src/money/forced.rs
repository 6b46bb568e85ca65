//! Claims that validators make for members that do not.
//!
//! What a fill is worth is F = Σ w_k·C_k for public weights; its claim is C' = F − r·K with K = Σ w_k·Y_k − Y_0. The owner
//! knows r. Without it t validators give their shares of r·K, by the same proofs as for a sum of a round: the weights of the
//! steps, and −1 for the key of balances. Nothing is opened: C' is the very point that the owner would have claimed.

use super::accounts::Accounts;
use super::refusal::MoneyRefusal;
use super::unclaimed::{Unclaimed, worth_of_a_wh};
use crate::members::order::AccountNumber;
use crate::refusal::Refusal;
use crate::rounds::refusal::RoundRefusal;
use crate::state::State;
use crate::state::effects::Effect;
use crate::state::expected::{Opens, ShareRequest};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use veilgrid_crypto::group::decode_point;
use veilgrid_crypto::money::claim::Fill;
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::opening::{OpeningContext, OpeningShare, VerifiedShare, combine, verify_share};
use veilgrid_market::fill_weights;

/// Numbers of openings from here on are claims: this and the account's number.
pub const FORCED_CLAIMS: u32 = 1 << 31;

/// Rounds whose release of shares validators remember for sure: they remember as many slots, and one that had no shares
/// released takes no place.
pub const REMEMBERED_ROUNDS: u64 = 64;

/// Most rounds whose overdue claims are asked for at once.
const MAX_ASKED_ROUNDS: usize = 8;

impl State {
    /// Settled rounds with a fill that nobody has claimed in time, some of them: oldest first, those last for which validators
    /// may not remember any more what they have released. Those they never claim, and they must not be in others' way.
    pub fn overdue_rounds(&self) -> Vec<u64> {
        let Some(rules) = self.community().params().money else { return Vec::new() };
        let overdue = |unclaimed: &&Unclaimed| {
            self.time_unix_ms() >= unclaimed.settled_ms().saturating_add(rules.claim_ms)
        };
        let rounds = self.accounts().into_iter().flat_map(Accounts::unclaimed).filter(overdue);
        let first_remembered = self.last_round_id().unwrap_or(0).saturating_sub(REMEMBERED_ROUNDS - 1);
        let (remembered, older): (Vec<u64>, Vec<u64>) =
            rounds.map(Unclaimed::round_id).partition(|round_id| *round_id >= first_remembered);
        remembered.into_iter().chain(older).take(MAX_ASKED_ROUNDS).collect()
    }

    /// The claim that validators are asked for in a settled round: that of the lowest account number whose time is over.
    pub fn claim_request(&self, round_id: u64) -> Option<Box<ShareRequest>> {
        let unclaimed = self.accounts()?.unclaimed_of(round_id)?;
        let claim_ms = self.community().params().money?.claim_ms;
        if self.time_unix_ms() < unclaimed.settled_ms().saturating_add(claim_ms) {
            return None;
        }
        let (number, fill) = unclaimed.open().first_key_value()?;
        let threshold = self.community().threshold();
        let have: Vec<u16> = unclaimed.shares().iter().map(|(share, _)| share.validator).collect();
        Some(Box::new(ShareRequest {
            opens: Opens::Claim(*number),
            context: self.claim_context(unclaimed, *number)?,
            weights: self.claim_weights(unclaimed),
            r_total: decode_point("R of the bid", &fill.r).ok()?,
            missing: threshold.saturating_sub(u16::try_from(have.len()).unwrap_or(u16::MAX)),
            have,
        }))
    }

    /// What validators are asked for in a round: shares of a sum while it is active, of an overdue claim afterwards.
    pub fn share_request(&self, round_id: u64) -> Option<Box<ShareRequest>> {
        match self.expected(round_id) {
            Ok(crate::state::expected::Expected::Shares(request)) => Some(request),
            _ => self.claim_request(round_id),
        }
    }

    fn claim_context(&self, unclaimed: &Unclaimed, number: AccountNumber) -> Option<OpeningContext> {
        Some(OpeningContext {
            ledger_id: self.community().ledger_id(),
            round_id: unclaimed.round_id(),
            // Numbers beyond 2^31 are never given in practice; their owners claim by themselves.
            opening_index: FORCED_CLAIMS.checked_add(number)?,
            bid_set: unclaimed.bid_set(),
        })
    }

    /// Weights of the steps' keys, and −1 for the key of balances.
    fn claim_weights(&self, unclaimed: &Unclaimed) -> Vec<i64> {
        let [buying, selling] = worth_of_a_wh(unclaimed.outcome());
        let of_step = |weight: i64| {
            let worth = if weight > 0 { buying } else { -selling };
            // Prices have 40 bits and fractions 17.
            i64::try_from(worth.saturating_mul(weight.into())).unwrap_or(i64::MAX)
        };
        let weights = fill_weights(&self.community().params().grid, unclaimed.outcome());
        weights.into_iter().map(of_step).chain([-1]).collect()
    }

    /// A validator's share of an overdue claim; with the last one that is missing the claim is made.
    pub(crate) fn take_claim_share(
        &mut self,
        round: u64,
        opening: u32,
        share: &OpeningShare,
    ) -> Result<Effect, Refusal> {
        let validator = share.validator;
        let number = opening.saturating_sub(FORCED_CLAIMS);
        let request = self.claim_request(round).filter(|request| request.opens == Opens::Claim(number));
        let request = request.ok_or(MoneyRefusal::NotOverdue { round, number })?;
        if validator == 0 || validator > self.community().validators() {
            return Err(RoundRefusal::UnknownValidator { round, opening, validator }.into());
        }
        if request.have.contains(&validator) {
            return Err(RoundRefusal::SecondShare { round, opening, validator }.into());
        }
        let keys = self.community().keys().ok_or(MoneyRefusal::NoKeys)?;
        let verified = verify_share(&request.context, &request.weights, keys, &request.r_total, share)
            .map_err(|fault| RoundRefusal::ShareInvalid { round, opening, fault })?;
        let accepted = Effect::ShareAccepted { round_id: round, opening_index: opening, validator };
        let claimed = if request.missing <= 1 { Some(self.forced(round, number, verified)?) } else { None };
        let Some(accounts) = self.accounts_mut() else { return Err(MoneyRefusal::NoMoney.into()) };
        match claimed {
            None => {
                accounts.add_share(round, (*share, verified));
                Ok(accepted)
            }
            Some(c) => {
                accounts.claim(round, number, request.r_total, c);
                Ok(Effect::ClaimedByValidators { round_id: round, account: number })
            }
        }
    }

    /// C' from the shares that are there and the last one.
    fn forced(
        &self,
        round: u64,
        number: AccountNumber,
        last: VerifiedShare,
    ) -> Result<RistrettoPoint, Refusal> {
        let opening = FORCED_CLAIMS.saturating_add(number);
        let unclaimed = self.accounts().and_then(|accounts| accounts.unclaimed_of(round));
        let unclaimed = unclaimed.ok_or(MoneyRefusal::NothingToClaim { round, number })?;
        let fill = unclaimed.open().get(&number).ok_or(MoneyRefusal::NothingToClaim { round, number })?;
        let shares: Vec<VerifiedShare> =
            unclaimed.shares().iter().map(|(_, share)| *share).chain([last]).collect();
        let worth = worth(fill, worth_of_a_wh(unclaimed.outcome()));
        let keys = self.community().keys().ok_or(MoneyRefusal::NoKeys)?;
        let combined = combine(keys, &shares, &worth);
        Ok(combined.map_err(|fault| RoundRefusal::NotCombined { round, opening, fault })?)
    }
}

/// F: what a fill is worth, as a ciphertext under the keys of the steps.
fn worth(fill: &Fill, weights: [i128; 2]) -> RistrettoPoint {
    // Everybody has computed the sides; the identity, where nothing is filled, is no encoding that decodes here.
    let side = |side| decode_point("side", side).unwrap_or_else(|_| RistrettoPoint::identity());
    RistrettoPoint::vartime_multiscalar_mul(weights.map(scalar_from_i128), fill.sides.iter().map(side))
}
