//! What of money silently does not happen: fills that nobody claims, withdrawals that nobody pays, rounds that no community can
//! fund. Everything else goes on meanwhile, so somebody has to count. No rule follows from it.

use super::accounts::Accounts;
use super::market::UNITS_PER_CT;
use crate::state::round::Slot;
use crate::state::{MAX_ACTIVE_ROUNDS, State};
use serde::{Deserialize, Serialize};

/// Counts of a final state. Times are Unix milliseconds of blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyWatch {
    /// Fills that are not claimed, overdue or not.
    pub unclaimed_fills: u64,
    /// Those that their owners have not claimed in time, and validators not yet.
    pub overdue_fills: u64,
    /// When the time for the first of them was over.
    pub overdue_since_unix_ms: Option<u64>,
    /// Withdrawals that the treasury has not paid.
    pub unpaid: u64,
    /// What they come to, ct.
    pub unpaid_ct: u64,
    /// When the first of them was made.
    pub unpaid_since_unix_ms: Option<u64>,
    /// What the community's account has to hold so that the next round is opened beside no other one, ct.
    pub round_needs_ct: u64,
    /// What it has to hold beside as many open rounds as there may be, ct: with that no round is ever passed over for it.
    pub rounds_need_ct: u64,
    /// What it holds, rounded down, ct; below zero it is in debt.
    pub community_ct: i64,
    /// Withdrawals less deposits, where members with credit lines owe so much more than the treasury holds, ct.
    pub overdrawn_ct: u64,
}

impl MoneyWatch {
    /// Whether the next round is not opened, for want of money on the community's account.
    pub fn is_unfunded(&self) -> bool {
        i128::from(self.community_ct) < i128::from(self.round_needs_ct)
    }

    /// Whether rounds that overlap may not be opened for the same reason.
    pub fn is_short(&self) -> bool {
        i128::from(self.community_ct) < i128::from(self.rounds_need_ct)
    }
}

impl State {
    /// What an operator should know of the ledger's money; none on a ledger without.
    pub fn money_watch(&self) -> Option<MoneyWatch> {
        let (accounts, rules) = (self.accounts()?, self.community().params().money?);
        let mut watch = MoneyWatch { unclaimed_fills: 0, ..counts_of(accounts) };
        for round in accounts.unclaimed() {
            let fills = round.open().len() as u64;
            watch.unclaimed_fills = watch.unclaimed_fills.saturating_add(fills);
            let over_ms = round.settled_ms().saturating_add(rules.claim_ms);
            if self.time_unix_ms() >= over_ms {
                watch.overdue_fills = watch.overdue_fills.saturating_add(fills);
                let first = watch.overdue_since_unix_ms.map_or(over_ms, |since| since.min(over_ms));
                watch.overdue_since_unix_ms = Some(first);
            }
        }
        let round = self.next_round_needs_units();
        watch.round_needs_ct = rounded_up_ct(round);
        watch.rounds_need_ct = rounded_up_ct(round.saturating_mul(MAX_ACTIVE_ROUNDS as i128));
        Some(watch)
    }

    /// What the community's account has to hold for the next round alone, in units.
    fn next_round_needs_units(&self) -> i128 {
        let params = self.community().params();
        let next = self.last_round_id().unwrap_or(0).saturating_add(1);
        let start = self.timing().slot_start_unix_s(next, params.slot_seconds);
        // After the last slot of all there is no round that needs anything.
        start.map_or(0, |start_unix_s| {
            let slot = Slot { start_unix_s, seconds: params.slot_seconds };
            self.funds_for(self.members().capacities_wh(params, &slot))
        })
    }
}

fn counts_of(accounts: &Accounts) -> MoneyWatch {
    let unpaid_ct = accounts.unpaid().fold(0, |sum: u64, (_, _, amount_ct)| sum.saturating_add(amount_ct));
    let overdrawn = accounts.withdrawn_ct().saturating_sub(accounts.deposited_ct());
    MoneyWatch {
        unpaid: accounts.unpaid().len() as u64,
        unpaid_ct,
        unpaid_since_unix_ms: accounts.unpaid_since_unix_ms(),
        community_ct: i64::try_from(accounts.community_units().div_euclid(UNITS_PER_CT)).unwrap_or(i64::MAX),
        overdrawn_ct: u64::try_from(overdrawn).unwrap_or(u64::MAX),
        ..MoneyWatch::default()
    }
}

fn rounded_up_ct(units: i128) -> u64 {
    u64::try_from(units.saturating_add(UNITS_PER_CT - 1) / UNITS_PER_CT).unwrap_or(u64::MAX)
}
