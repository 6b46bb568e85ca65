//! A member's money at its desk: what its bids may cost, and its claims.

use super::Desk;
use crate::member::ports::{BidArchive, ResultBook};
use crate::member::sealing::Means;
use crate::wallet::Wallet;
use rand_core::CryptoRngCore;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;

/// Pause before a claim that the ledger does not have is sent again, in milliseconds.
const CLAIM_PAUSE_MS: u64 = 4_000;

/// The wallet, and the claims that are under way.
pub(super) struct Purse {
    wallet: Wallet,
    /// Round → not again before this time, Unix milliseconds.
    sent: BTreeMap<u64, u64>,
    /// The wallet and the ledger differ: nothing is bid or claimed from there on.
    lost: bool,
}

impl Purse {
    /// The purse of a member on a ledger with money.
    pub fn new(keyring: &Arc<Keyring>, state: &State) -> Option<Self> {
        let key_epoch = state.community().genesis().key_epoch;
        state.accounts()?;
        let wallet = Wallet::new(Arc::clone(keyring), key_epoch);
        Some(Self { wallet, sent: BTreeMap::new(), lost: false })
    }
}

impl<A: BidArchive, R: ResultBook> Desk<A, R> {
    /// The member's wallet; none on a ledger without money.
    pub fn wallet(&self) -> Option<&Wallet> {
        self.purse.as_ref().map(|purse| &purse.wallet)
    }

    /// Whether wallet and ledger say the same of this member's account.
    pub fn wallet_is_right(&self) -> bool {
        self.purse.as_ref().is_none_or(|purse| !purse.lost)
    }

    pub(super) fn follow_money<'a>(
        &mut self,
        transactions: &[Transaction],
        effects: impl IntoIterator<Item = &'a Effect>,
    ) {
        let Some(purse) = &mut self.purse else { return };
        let followed = purse.wallet.follow(&self.state, transactions, effects);
        let right = followed.and_then(|()| purse.wallet.check(&self.state));
        if let Err(fault) = right
            && !purse.lost
        {
            tracing::error!(%fault, "no bid and no claim is made from here on: rebuild the wallet and compare");
            purse.lost = true;
        }
        let open: Vec<u64> = purse.wallet.unclaimed_rounds().collect();
        purse.sent.retain(|round_id, _| open.contains(round_id));
    }

    /// What a bid in this round may cost; none on a ledger without money.
    pub(super) fn means(&self, round_id: u64) -> Option<Means> {
        let terms = self.state.account_terms(round_id, &self.account)?;
        Some(Means { terms, available: self.wallet()?.available(round_id)? })
    }

    /// Whether a bid can be made now. With money each bid is the next debit after the account's last: while an earlier one is
    /// on its way, a later one would be made on what is about to change.
    pub(super) fn may_seal(&self, round_id: u64) -> bool {
        let Some(purse) = &self.purse else { return true };
        let under_way = |round: u64| {
            let on_ledger = self.on_ledger.contains_key(&round);
            round != round_id && !on_ledger && self.state.round(round).is_some_and(|round| round.takes_bids())
        };
        let earlier = self.active.keys().chain(self.sealing.keys()).any(|round| under_way(*round));
        !purse.lost && !earlier && self.means(round_id).is_some()
    }

    /// Rounds whose fills are to be claimed now. Each is named again after a pause until the ledger has its claim.
    pub fn claims_due(&mut self, now_unix_ms: u64) -> Vec<u64> {
        let Some(purse) = self.purse.as_mut().filter(|purse| !purse.lost) else { return Vec::new() };
        let waits = |sent: &BTreeMap<u64, u64>, round_id: &u64| {
            sent.get(round_id).is_none_or(|after_ms| now_unix_ms >= *after_ms)
        };
        let due: Vec<u64> =
            purse.wallet.unclaimed_rounds().filter(|round_id| waits(&purse.sent, round_id)).collect();
        let again_ms = now_unix_ms.saturating_add(CLAIM_PAUSE_MS);
        purse.sent.extend(due.iter().map(|round_id| (*round_id, again_ms)));
        due
    }

    /// The claim of a round's fill; none when there is nothing to claim any more.
    pub fn claim(&self, round_id: u64, rng: &mut impl CryptoRngCore) -> Option<Claims> {
        self.wallet()?.claim(&self.state, round_id, rng)
    }
}
