//! What rounds and transactions about money do to the state.

use super::accounts::Accounts;
use super::claims::Claims;
use super::market::{UNITS_PER_CT, farthest_price};
use super::refusal::MoneyRefusal;
use super::treasury::{MAX_ENTRIES_PER_ORDER, TreasuryOrder};
use super::unclaimed::Unclaimed;
use super::withdrawal::Withdrawal;
use crate::hash::Hash;
use crate::members::bidders::BidderSet;
use crate::members::order::AccountNumber;
use crate::refusal::{Account, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::state::State;
use crate::state::effects::Effect;
use crate::state::round::Round;
use curve25519_dalek::ristretto::RistrettoPoint;
use std::sync::Arc;
use veilgrid_crypto::bid::{AccountTerms, SealedBid};
use veilgrid_crypto::group::{PointBytes, decode_point, encode_point, value_base};
use veilgrid_crypto::money::claim::{Claim, Fill};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::tally::settlement_sides;
use veilgrid_market::{Outcome, community_flow_q16, fill_weights};

/// A bound of a round's rest in Wh/2^16: as many units as its bidders, of whom import and export capacities are given, may
/// trade Wh.
fn rest_below_q16(capacities_wh: impl Iterator<Item = [u64; 2]>) -> i128 {
    let [import, export] =
        capacities_wh.fold([0u128; 2], |sums, wh| [sums[0] + u128::from(wh[0]), sums[1] + u128::from(wh[1])]);
    i128::try_from(import.max(export)).unwrap_or(i128::MAX)
}

fn capacities_of(bidders: &BidderSet) -> impl Iterator<Item = [u64; 2]> {
    bidders.iter().map(|(_, bidder)| [bidder.import_wh, bidder.export_wh])
}

impl State {
    /// The ledger's accounts; none on a ledger without money.
    pub fn accounts(&self) -> Option<&Accounts> {
        self.accounts.as_deref()
    }

    fn accounts_or_refuse(&self) -> Result<&Accounts, MoneyRefusal> {
        self.accounts().ok_or(MoneyRefusal::NoMoney)
    }

    pub(crate) fn accounts_mut(&mut self) -> Option<&mut Accounts> {
        self.accounts.as_mut().map(Arc::make_mut)
    }

    /// "A round opens only if the community's account can pay for its rounding rest": of every open round less than a
    /// 2^16th of all capacities, at the price farthest from zero.
    pub(crate) fn check_community_funds(&self, round: u64, bidders: &BidderSet) -> Result<(), MoneyRefusal> {
        let Some(accounts) = self.accounts() else { return Ok(()) };
        // Who may bid in the rounds that are open may have been more than now.
        let open = self.rounds().map(|round| self.funds_for(capacities_of(round.bidders())));
        let needed = open.fold(self.funds_for(capacities_of(bidders)), i128::saturating_add);
        let held = accounts.community_units();
        if held < needed {
            let ct = |units: i128| i64::try_from(units / UNITS_PER_CT).unwrap_or(i64::MAX);
            let needed_ct = ct(needed.saturating_add(UNITS_PER_CT - 1));
            return Err(MoneyRefusal::CommunityFunds { round, needed_ct, held_ct: ct(held) });
        }
        Ok(())
    }

    /// What a round of bidders with these capacities may cost the community's account, in units.
    pub(crate) fn funds_for(&self, capacities_wh: impl Iterator<Item = [u64; 2]>) -> i128 {
        let price = i128::from(farthest_price(&self.community().params().grid).unsigned_abs());
        rest_below_q16(capacities_wh).saturating_mul(price)
    }

    /// The credit line of a bidder; its commitment is a point, which its certificate's check has decoded.
    fn credit_of(&self, number: AccountNumber) -> Option<RistrettoPoint> {
        let credit = self.members().member(number)?.certificate.credit_line?;
        decode_point("credit line", &credit).ok()
    }

    /// Fixes for a round what each account has available.
    pub(crate) fn snapshot_for(&self, bidders: &BidderSet) -> Option<Arc<super::snapshot::Snapshot>> {
        let accounts = self.accounts()?;
        let numbers = bidders.iter().map(|(_, bidder)| (bidder.number, self.credit_of(bidder.number)));
        Some(Arc::new(accounts.snapshot(numbers)))
    }

    /// What the next bid of an account in an active round has to prove; none on a ledger without money, and for accounts
    /// that may not bid in it.
    pub fn account_terms(&self, round_id: u64, account: &PointBytes) -> Option<AccountTerms> {
        let round = self.round(round_id)?;
        let bidder = round.bidders().get(account)?;
        let owner = self.accounts()?.account(bidder.number)?;
        let available = round.snapshot()?.available(bidder.number, &owner.debits())?;
        Some(AccountTerms {
            // The market's rules keep classes to 32 bits.
            import_wh: u32::try_from(bidder.import_wh).ok()?,
            export_wh: u32::try_from(bidder.export_wh).ok()?,
            available: encode_point(&available),
            debit_sequence: owner.debit_sequence(),
            costs: self.community().costs()?.clone(),
        })
    }

    /// The terms of these bids, or none without money. The cheap rule comes first: a bid that was made on an earlier state
    /// of its account costs no verification.
    ///
    /// # Errors
    /// A bidder that may not bid in the round; [`MoneyRefusal::DebitSequence`].
    pub fn terms_of(&self, round: u64, bids: &[SealedBid]) -> Result<Option<Vec<AccountTerms>>, Refusal> {
        if self.accounts().is_none() {
            return Ok(None);
        }
        let of = |bid: &SealedBid| {
            let account = Account(bid.account);
            let terms = self.account_terms(round, &bid.account);
            let terms = terms.ok_or(Refusal::Rounds(RoundRefusal::NotAMember { round, account }))?;
            let number = self.members().number_of(&bid.account).unwrap_or_default();
            let found = bid.money.as_ref().map_or(0, |money| money.debit_sequence);
            self.check_sequence(number, found)?;
            Ok(terms)
        };
        bids.iter().map(of).collect::<Result<_, Refusal>>().map(Some)
    }

    fn check_sequence(&self, number: AccountNumber, found: u64) -> Result<(), MoneyRefusal> {
        let account = self.accounts_or_refuse()?.account(number).ok_or(MoneyRefusal::Unknown { number })?;
        let expected = account.debit_sequence();
        if found != expected {
            return Err(MoneyRefusal::DebitSequence { number, found, expected });
        }
        Ok(())
    }

    /// The costs of accepted bids are held back.
    pub(crate) fn hold_back(&mut self, round_id: u64, bids: &[SealedBid]) {
        let numbers: Vec<Option<AccountNumber>> =
            bids.iter().map(|bid| self.members().number_of(&bid.account)).collect();
        let Some(accounts) = self.accounts_mut() else { return };
        for (number, bid) in numbers.into_iter().zip(bids) {
            let cost = bid.money.as_ref().and_then(|money| decode_point("cost", &money.cost).ok());
            if let (Some(account), Some(cost)) = (number.and_then(|n| accounts.account_mut(n)), cost) {
                account.reserve(round_id, cost);
            }
        }
    }

    /// A round has ended without a trade: nothing is held back for it.
    pub(crate) fn release_costs(&mut self, round: &Round) {
        let Some(accounts) = self.accounts_mut() else { return };
        for bid in round.bids() {
            let bidder = round.bidders().get(&bid.account());
            if let Some(account) = bidder.and_then(|bidder| accounts.account_mut(bidder.number)) {
                account.release(round.round_id());
            }
        }
    }

    /// A round is settled: the community's account takes its part, and fills wait to be claimed.
    pub(crate) fn settle_money(&mut self, round: &Round, outcome: &Outcome) {
        if outcome.trade.is_none() {
            return self.release_costs(round);
        }
        let weights = fill_weights(&self.community.params().grid, outcome);
        let (settled_ms, bid_set) = (self.time_unix_ms, round.tally().bid_set());
        let Some(accounts) = self.accounts_mut() else { return };
        let fills = round.bids().filter_map(|bid| {
            let number = round.bidders().get(&bid.account())?.number;
            let (account, r) = (bid.account(), bid.r_bytes());
            Some((number, Fill { account, bid: bid.digest(), r, sides: settlement_sides(bid, &weights) }))
        });
        let unclaimed =
            Unclaimed::new(round.round_id(), round.slot(), *outcome, settled_ms, bid_set, fills.collect());
        accounts.await_claims(unclaimed);
        accounts.add_to_community(community_flow_q16(outcome));
    }

    /// Whether the ledger takes an order of the treasury now.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check_treasury_order(&self, order: &TreasuryOrder) -> Result<(), MoneyRefusal> {
        self.after_treasury_order(order).map(|_| ())
    }

    fn after_treasury_order(&self, order: &TreasuryOrder) -> Result<Accounts, MoneyRefusal> {
        let accounts = self.accounts_or_refuse()?;
        let (found, expected) = (order.sequence, accounts.treasury_sequence());
        if found != expected {
            return Err(MoneyRefusal::Sequence { found, expected });
        }
        let entries = order.action.entries();
        if !(1..=MAX_ENTRIES_PER_ORDER).contains(&entries) {
            return Err(MoneyRefusal::Entries { entries });
        }
        let key = self.community().treasury_key().ok_or(MoneyRefusal::NoMoney)?;
        order.verify(&self.community().ledger_id(), key)?;
        accounts.after_order(&order.action)
    }

    pub(crate) fn take_treasury_order(&mut self, order: &TreasuryOrder) -> Result<Effect, Refusal> {
        let next = self.after_treasury_order(order)?;
        self.accounts = Some(Arc::new(next));
        Ok(Effect::TreasuryActed { sequence: order.sequence, action: order.action.clone() })
    }

    /// Whether the ledger takes a withdrawal now.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check_withdrawal(&self, withdrawal: &Withdrawal) -> Result<(), MoneyRefusal> {
        let accounts = self.accounts_or_refuse()?;
        let terms = &withdrawal.terms;
        let number = terms.number;
        let account = accounts.account(number).ok_or(MoneyRefusal::Unknown { number })?;
        self.check_sequence(number, terms.debit_sequence)?;
        if terms.amount_ct == 0 {
            return Err(MoneyRefusal::Nothing { number });
        }
        let account_key = self.account_key().ok_or(MoneyRefusal::NoKeys)?;
        let units = i128::from(terms.amount_ct) * UNITS_PER_CT;
        let rest = account.free() - scalar_from_i128(units) * value_base();
        withdrawal.verify(&self.community().ledger_id(), &account.key(), account_key, &rest)
    }

    pub(crate) fn take_withdrawal(&mut self, withdrawal: &Withdrawal) -> Result<Effect, Refusal> {
        self.check_withdrawal(withdrawal)?;
        let (terms, time_unix_ms) = (withdrawal.terms, self.time_unix_ms);
        if let Some(accounts) = self.accounts_mut() {
            accounts.withdraw(&terms, time_unix_ms);
        }
        Ok(Effect::Withdrawn { terms })
    }

    /// Y_0, the key that balances are under.
    pub fn account_key(&self) -> Option<&RistrettoPoint> {
        self.community().bid_params().and_then(|params| params.account_key())
    }

    /// The rules of the claims of a round, and the account's fill in it, for its owner; none when it has nothing to claim.
    pub fn claimable(
        &self,
        round_id: u64,
        number: AccountNumber,
    ) -> Option<(veilgrid_crypto::money::claim::ClaimRules, Fill)> {
        let unclaimed = self.accounts()?.unclaimed_of(round_id)?;
        let fill = unclaimed.open().get(&number)?.clone();
        Some((self.claim_rules(unclaimed)?, fill))
    }

    fn claim_rules(&self, unclaimed: &Unclaimed) -> Option<veilgrid_crypto::money::claim::ClaimRules> {
        let community = self.community();
        unclaimed.rules(community.ledger_id(), &community.params().grid, community.bid_params()?)
    }

    /// Whether the ledger takes these claims now.
    ///
    /// # Errors
    /// The rule that is broken, by the first account that breaks it.
    pub fn check_claims(&self, claims: &Claims) -> Result<(), MoneyRefusal> {
        self.verified_claims(claims).map(|_| ())
    }

    /// The accounts with the points that go to their balances.
    fn verified_claims(
        &self,
        claims: &Claims,
    ) -> Result<Vec<(AccountNumber, [RistrettoPoint; 2])>, MoneyRefusal> {
        let (accounts, round) = (self.accounts_or_refuse()?, claims.round_id);
        if claims.claims.is_empty() || !claims.claims.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(MoneyRefusal::ClaimOrder { round });
        }
        let unclaimed = accounts.unclaimed_of(round);
        let fill = |(number, claim): &(AccountNumber, Claim)| {
            let number = *number;
            let fill = unclaimed.and_then(|unclaimed| unclaimed.open().get(&number));
            fill.map(|fill| (fill.clone(), claim.clone()))
                .ok_or(MoneyRefusal::NothingToClaim { round, number })
        };
        let pairs: Vec<(Fill, Claim)> = claims.claims.iter().map(fill).collect::<Result<_, _>>()?;
        let rules =
            unclaimed.and_then(|unclaimed| self.claim_rules(unclaimed)).ok_or(MoneyRefusal::NoKeys)?;
        let verdicts = rules.verify(&pairs);
        let numbers = claims.claims.iter().map(|(number, _)| *number);
        let verified = numbers.zip(&pairs).zip(verdicts).map(|((number, (fill, claim)), verdict)| {
            let refuse = |fault| MoneyRefusal::Claim { round, number, fault: Box::new(fault) };
            verdict.map_err(refuse)?;
            let r = decode_point("R of the bid", &fill.r).map_err(|error| refuse(error.into()))?;
            let points = claim.decoded_points().map_err(|error| refuse(error.into()))?;
            let c = points.first().copied().ok_or(MoneyRefusal::NothingToClaim { round, number })?;
            Ok((number, [r, c]))
        });
        verified.collect()
    }

    pub(crate) fn take_claims(&mut self, claims: &Claims) -> Result<Effect, Refusal> {
        let verified = self.verified_claims(claims)?;
        let round_id = claims.round_id;
        let numbers: Vec<AccountNumber> = verified.iter().map(|(number, _)| *number).collect();
        if let Some(accounts) = self.accounts_mut() {
            verified.into_iter().for_each(|(number, [r, c])| accounts.claim(round_id, number, r, c));
        }
        Ok(Effect::Claimed { round_id, accounts: numbers })
    }

    /// An account's entry and the hashes that lead from it to the root of the accounts.
    pub fn account_path(&self, number: AccountNumber) -> Option<(Vec<Hash>, usize, usize)> {
        self.accounts()?.path(number)
    }
}
