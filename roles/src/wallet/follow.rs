//! What the ledger does to the account.

use super::{Filled, Line, LineKind, Opening, PlacedBid, Wallet};
use crate::member::bid::fills;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::Identity;
use thiserror::Error;
use veilgrid_crypto::bid::{SealedBid, cost_opening, open_note};
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_crypto::keyring::RoundViewKey;
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_ledger::money::treasury::TreasuryAction;
use veilgrid_ledger::money::unclaimed::worth_of_a_wh;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::fill_weights;

/// The wallet and the ledger say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WalletFault {
    /// The account's points do not open to what the wallet has counted.
    #[error(
        "the ledger's balance of this account is not what the wallet has counted: it was rebuilt with other keys or another \
         ledger, or bids were made with another program under the same keys"
    )]
    Balance,
    /// A bid of this account that these keys do not open.
    #[error("the bid of this account in round {round_id} does not open with the wallet's keys")]
    Bid {
        /// The round.
        round_id: u64,
    },
}

impl Wallet {
    /// Takes a block: the state after it, its transactions, and what it did.
    ///
    /// # Errors
    /// [`WalletFault::Bid`].
    pub fn follow<'a, 'b>(
        &mut self,
        state: &State,
        transactions: &'b [Transaction],
        effects: impl IntoIterator<Item = &'a Effect>,
    ) -> Result<(), WalletFault> {
        let own = |transaction: &'b Transaction| match transaction {
            Transaction::Bids { bids, .. } => bids.iter().find(|bid| bid.account == self.account),
            _ => None,
        };
        let placed: Vec<&SealedBid> = transactions.iter().filter_map(own).collect();
        for effect in effects {
            if let Effect::BidsAccepted { round_id, bids } = effect
                && let Some(own) = bids.iter().find(|bid| bid.account == self.account)
                && let Some(bid) = placed.iter().find(|bid| bid.digest() == own.bid_digest)
            {
                self.bid_placed(state, *round_id, bid)?;
            }
            self.observe(state, effect);
        }
        Ok(())
    }

    /// Its own bid is on the ledger.
    ///
    /// # Errors
    /// [`WalletFault::Bid`].
    pub fn bid_placed(&mut self, state: &State, round_id: u64, bid: &SealedBid) -> Result<(), WalletFault> {
        let fault = WalletFault::Bid { round_id };
        let (community, context) = (state.community(), state.round_context(round_id).ok_or(fault)?);
        let (params, costs) = community.bid_params().zip(community.costs()).ok_or(fault)?;
        let view = self.view(round_id);
        let quantities_wh = open_note(params, &context, &view, bid).map_err(|_| fault)?;
        let (cost, blinding) = cost_opening(&quantities_wh, costs, &view, &bid.salt).ok_or(fault)?;
        let cost = Opening::new(*cost.expose(), *blinding.expose());
        self.debits = self.debits.plus(&cost);
        self.reserves.insert(round_id, cost);
        let quantities_wh = Secret::new(quantities_wh);
        self.bids.insert(round_id, PlacedBid { quantities_wh, salt: bid.salt, filled: None });
        Ok(())
    }

    /// Takes one effect; what own bids do comes from [`Self::bid_placed`].
    pub fn observe(&mut self, state: &State, effect: &Effect) {
        if self.number.is_none() {
            self.number = state.members().number_of(&self.account);
        }
        match effect {
            Effect::RoundOpened { round_id, .. } => {
                let open = self.free().plus(&self.credit_in_force(state)).plus(&self.debits);
                self.snapshots.insert(*round_id, open);
            }
            Effect::Settled(settled) => self.settled(state, settled),
            Effect::Voided { round_id, .. } => self.forget(*round_id),
            Effect::Claimed { round_id, accounts } if self.is_among(accounts) => {
                self.claimed(state, *round_id)
            }
            Effect::ClaimedByValidators { round_id, account } if self.is_among(&[*account]) => {
                self.claimed(state, *round_id);
            }
            Effect::TreasuryActed { action: TreasuryAction::Deposit(deposits), .. } => {
                let number = self.number;
                for deposit in deposits.iter().filter(|deposit| Some(deposit.number) == number) {
                    let kind = LineKind::Deposit { reference: deposit.reference };
                    let units = i128::from(deposit.amount_ct) * UNITS_PER_CT;
                    self.moved(state, &Opening::public(units), kind);
                }
            }
            Effect::Withdrawn { terms } if Some(terms.number) == self.number => {
                let amount = Opening::public(i128::from(terms.amount_ct) * UNITS_PER_CT);
                self.debits = self.debits.plus(&amount);
                let kind = LineKind::Withdrawal { debit_sequence: terms.debit_sequence };
                self.moved(state, &Opening::zero().minus(&amount), kind);
            }
            _ => {}
        }
    }

    fn is_among(&self, accounts: &[u32]) -> bool {
        self.number.is_some_and(|number| accounts.contains(&number))
    }

    /// The credit line counts while the certificate in force names one.
    fn credit_in_force(&self, state: &State) -> Opening {
        let member = state.members().member_of(&self.account);
        let named = member.is_some_and(|member| member.certificate.credit_line.is_some());
        if named { self.credit.clone() } else { Opening::zero() }
    }

    pub(super) fn view(&self, round_id: u64) -> RoundViewKey {
        self.keyring.round_view_key(self.key_epoch, round_id)
    }

    fn settled(&mut self, state: &State, settled: &SettledRound) {
        let round_id = settled.round_id;
        self.snapshots.remove(&round_id);
        if settled.outcome.trade.is_none() {
            return self.forget(round_id);
        }
        let weights = fill_weights(&state.community().params().grid, &settled.outcome);
        if let Some(bid) = self.bids.get_mut(&round_id) {
            let (bought, sold) = fills(&weights, bid.quantities_wh.expose());
            let [buying, selling] = worth_of_a_wh(&settled.outcome);
            let worth = (buying * i128::from(bought)).saturating_add(selling * i128::from(sold));
            let trade = settled.outcome.trade;
            bid.filled = trade.map(|trade| Filled {
                wh_q16: Secret::new([bought, sold]),
                worth_units: Secret::new(worth),
                slot: settled.slot,
                trade,
            });
        }
    }

    fn forget(&mut self, round_id: u64) {
        self.snapshots.remove(&round_id);
        self.reserves.remove(&round_id);
        self.bids.remove(&round_id);
    }

    fn claimed(&mut self, state: &State, round_id: u64) {
        let Some(bid) = self.bids.remove(&round_id) else { return };
        self.reserves.remove(&round_id);
        let Some(Filled { wh_q16, worth_units, slot, trade }) = bid.filled else { return };
        let r = self.view(round_id).randomness(&bid.salt);
        let [bought_wh_q16, sold_wh_q16] = *wh_q16.expose();
        let kind = LineKind::Fill { round_id, slot, bought_wh_q16, sold_wh_q16, trade };
        self.moved(state, &Opening::new(*worth_units.expose(), *r.expose()), kind);
    }

    fn moved(&mut self, state: &State, by: &Opening, kind: LineKind) {
        self.balance = self.balance.plus(by);
        let (height, time_unix_ms) = (state.height(), state.time_unix_ms());
        let (units, balance_units) = (by.units(), self.balance.units());
        self.lines.push(Line { height, time_unix_ms, kind, units, balance_units });
    }

    /// Compares with the ledger: its points have to be those of this opening.
    ///
    /// # Errors
    /// [`WalletFault::Balance`].
    pub fn check(&self, state: &State) -> Result<(), WalletFault> {
        let Some(account) = self.number.and_then(|number| state.accounts()?.account(number)) else {
            let empty = self.balance.units() == 0;
            return if empty { Ok(()) } else { Err(WalletFault::Balance) };
        };
        let blinding = self.balance.blinding();
        let r = blinding * RISTRETTO_BASEPOINT_TABLE;
        // Until the validators have generated it there are deposits alone, which have no blinding.
        let blinded = state.account_key().map_or_else(RistrettoPoint::identity, |key| blinding * key);
        let c = scalar_from_i128(self.balance.units()) * value_base() + blinded;
        if account.balance() == [encode_point(&r), encode_point(&c)] {
            Ok(())
        } else {
            Err(WalletFault::Balance)
        }
    }
}
