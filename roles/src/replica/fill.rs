//! What a proposer puts into a block: every transaction is tried on the draft, and those that are refused stay out.
//!
//! The order: what time makes due; bids of rounds that close soon; key events and changes of validators; what rounds that
//! are closed wait for, as far as it goes; bids of other rounds. These come last because they are what fills a block: the
//! end of one round must not wait for room behind the bids of the next one. Those of a round in grace have no other
//! blocks to go into, and were promised a place; they are no more than what its grace has room for
//! ([`Replica::offer_bids`]), so that key events wait for a few blocks at most.

use super::Replica;
use super::pool::may_come_later;
use super::pool::money::merged;
use crate::proposer::Step;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::builder::BlockDraft;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::keys::refusal::KeyRefusal;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::Transaction;

/// Bytes of a bids transaction in a block besides its bids: length, kind, round id, count.
const BIDS_HEAD_BYTES: usize = 4 + 1 + 8 + 4;

/// A close is soon when it is so many milliseconds away: two blocks of an idle network.
const SOON_MS: u64 = 2_000;

/// A transaction that did not get into the draft.
enum Left {
    /// The block is full.
    NoRoom,
    /// It breaks a rule.
    Refused(Refusal),
}

impl Replica {
    pub(super) fn fill(&mut self, draft: &mut BlockDraft<'_>, parent: &Hash) {
        for due in draft.due() {
            if let Err(Left::Refused(refusal)) = self.push(draft, due) {
                tracing::error!(%refusal, "a transaction that is due was refused");
            }
        }
        let round_ids: Vec<u64> = draft.state().rounds().map(|round| round.round_id()).collect();
        let (soon, later): (Vec<u64>, Vec<u64>) =
            round_ids.iter().partition(|round_id| closes_soon(draft.state(), **round_id));
        for round_id in soon {
            self.fill_bids(draft, round_id);
        }
        self.fill_events(draft, parent);
        for round_id in &round_ids {
            self.fill_steps(draft, *round_id);
        }
        for round_id in draft.state().overdue_rounds() {
            self.fill_overdue_claims(draft, round_id);
        }
        for round_id in later {
            self.fill_bids(draft, round_id);
        }
    }

    /// Shares of the claims that nobody has made in time, one account after another.
    fn fill_overdue_claims(&mut self, draft: &mut BlockDraft<'_>, round_id: u64) {
        while let Some(request) = draft.state().claim_request(round_id) {
            let opening_index = request.context.opening_index;
            let shares = self.pool.shares.for_request(draft.state(), &request);
            let share = |share| Transaction::OpeningShare { round_id, opening_index, share };
            let mut pushed = shares.into_iter().map(|one| self.push(draft, share(one)));
            if pushed.len() == 0 || pushed.any(|outcome| outcome.is_err()) {
                return;
            }
        }
    }

    fn push(&mut self, draft: &mut BlockDraft<'_>, transaction: Transaction) -> Result<(), Left> {
        let bytes = draft.bytes().saturating_add(4).saturating_add(transaction.to_bytes().len());
        if bytes > self.limits.max_block_bytes {
            return Err(Left::NoRoom);
        }
        match draft.try_push(transaction, &mut self.verdicts) {
            Ok(_) => Ok(()),
            Err(refusal) => {
                self.note_refusal(&refusal);
                Err(Left::Refused(refusal))
            }
        }
    }

    /// Key events in the order of their phases: a phase that is complete ends at once, so that one block may hold the
    /// events of several.
    fn fill_events(&mut self, draft: &mut BlockDraft<'_>, parent: &Hash) {
        let mut claims: BTreeMap<u64, Vec<(Hash, Claims)>> = BTreeMap::new();
        for (digest, transaction) in self.pool.events.untried(parent) {
            if let Transaction::Claims(one) = transaction {
                claims.entry(one.round_id).or_default().push((digest, one));
                continue;
            }
            match self.push(draft, transaction) {
                Ok(()) | Err(Left::NoRoom) => {}
                Err(Left::Refused(refusal)) if is_hopeless(&refusal) => self.pool.events.remove(&digest),
                Err(Left::Refused(_)) => self.pool.events.refused_on(&digest, parent),
            }
        }
        for claims in claims.into_values() {
            self.fill_claims(draft, claims, parent);
        }
    }

    /// The claims of a round as one transaction, which everybody checks as one batch; one by one when that is refused.
    fn fill_claims(&mut self, draft: &mut BlockDraft<'_>, claims: Vec<(Hash, Claims)>, parent: &Hash) {
        let together = merged(&claims.iter().map(|(_, claims)| claims).collect::<Vec<_>>());
        if together.is_some_and(|all| self.push(draft, all).is_ok()) {
            return;
        }
        for (digest, one) in claims {
            if let Err(Left::Refused(_)) = self.push(draft, Transaction::Claims(one)) {
                self.pool.events.refused_on(&digest, parent);
            }
        }
    }

    /// Shares, value, outcome, settlement or voiding of one round.
    fn fill_steps(&mut self, draft: &mut BlockDraft<'_>, round_id: u64) {
        loop {
            let transactions = match self.steps.next(draft.state(), round_id) {
                Ok(Step::Transactions(transactions)) => transactions,
                Ok(Step::Shares(request)) => {
                    let opening_index = request.context.opening_index;
                    let shares = self.pool.shares.for_request(draft.state(), &request);
                    let share = |share| Transaction::OpeningShare { round_id, opening_index, share };
                    shares.into_iter().map(share).collect()
                }
                Ok(Step::Wait) => return,
                Err(error) => return self.note_refusal(&error),
            };
            let mut pushed = transactions.into_iter().map(|transaction| self.push(draft, transaction));
            // Nothing to push, or something that did not go in: the round waits.
            if pushed.len() == 0 || pushed.any(|outcome| outcome.is_err()) {
                return;
            }
        }
    }

    /// As many bids of one round as there is room for. All bids of a transaction are refused together, so that one
    /// that is refused is taken out and the others are tried again.
    fn fill_bids(&mut self, draft: &mut BlockDraft<'_>, round_id: u64) {
        if !matches!(draft.state().expected(round_id), Ok(Expected::Bids { .. })) {
            return;
        }
        let left_bytes = self.limits.max_block_bytes.saturating_sub(draft.bytes());
        let mut bids = self.bids_for(draft.state(), round_id, left_bytes);
        while !bids.is_empty() {
            match self.push(draft, Transaction::Bids { round_id, bids: bids.clone() }) {
                Ok(()) | Err(Left::NoRoom) => return,
                Err(Left::Refused(refusal)) => {
                    let Some(account) = bidder(draft.state(), &refusal) else { return };
                    let (gone, rest): (Vec<_>, Vec<_>) = bids.into_iter().partition(|b| b.account == account);
                    if gone.is_empty() {
                        return;
                    }
                    bids = rest;
                    for bid in gone {
                        tracing::info!(round_id, %refusal, "a bid is dropped: the ledger refuses it");
                        self.pool.bids.remove(round_id, &bid.digest());
                    }
                }
            }
        }
    }

    /// The pooled bids of a round that a state can take, in the order in which they came, up to a number of bytes: of
    /// accounts that have no bid there, one each, and no R that is there.
    pub(super) fn bids_for(&self, state: &State, round_id: u64, left_bytes: usize) -> Vec<SealedBid> {
        let (Some(round), Some(params)) = (state.round(round_id), state.community().bid_params()) else {
            return Vec::new();
        };
        let room = left_bytes.saturating_sub(BIDS_HEAD_BYTES);
        let most = room.checked_div(params.shape().bid_bytes()).unwrap_or(0);
        let mut pooled = self.pool.bids.of_round(round_id).peekable();
        if most == 0 || pooled.peek().is_none() {
            return Vec::new();
        }
        let mut accounts: BTreeSet<PointBytes> = BTreeSet::new();
        let mut handles: BTreeSet<PointBytes> = BTreeSet::new();
        pooled
            .filter(|(_, bid)| {
                round.bid_of(&bid.account).is_none()
                    && round.owner_of(&bid.r).is_none()
                    && !accounts.contains(&bid.account)
                    && handles.insert(bid.r)
                    && accounts.insert(bid.account)
            })
            .take(most)
            .map(|(_, bid)| bid.clone())
            .collect()
    }
}

/// Whether a round is in grace at the state's time, or soon will be.
fn closes_soon(state: &State, round_id: u64) -> bool {
    let close_ms = state.timing().close_ms(round_id);
    close_ms.is_some_and(|close_ms| close_ms <= state.time_unix_ms().saturating_add(SOON_MS))
}

/// The account whose bid a refusal is about.
fn bidder(state: &State, refusal: &Refusal) -> Option<PointBytes> {
    match refusal {
        Refusal::Money(MoneyRefusal::DebitSequence { number, .. }) => {
            state.accounts()?.account(*number).map(|account| account.key())
        }
        Refusal::Rounds(RoundRefusal::NotAMember { account, .. })
        | Refusal::Rounds(RoundRefusal::HasLeft { account, .. })
        | Refusal::Rounds(RoundRefusal::Suspended { account, .. })
        | Refusal::Rounds(RoundRefusal::CertificateDates { account, .. })
        | Refusal::Rounds(RoundRefusal::JoinedLater { account, .. })
        | Refusal::Rounds(RoundRefusal::SecondBid { account, .. })
        | Refusal::Rounds(RoundRefusal::HandleRepeated { account, .. })
        | Refusal::Rounds(RoundRefusal::BidInvalid { account, .. }) => Some(account.0),
        _ => None,
    }
}

/// Whether a key event that is refused so is refused on every state. What is late or repeated leaves the pool when
/// the final state says so: the block on which it is late may not become final.
fn is_hopeless(refusal: &Refusal) -> bool {
    use veilgrid_crypto::keygen::Refusal::{Height, Late, Repeated};
    match refusal {
        Refusal::Keys(KeyRefusal::KeyEventMalformed { .. }) => true,
        Refusal::Keys(KeyRefusal::KeyEvent { refusal, .. }) => {
            let on_this_branch = matches!(**refusal, Height { .. } | Late { .. } | Repeated { .. });
            !on_this_branch && !may_come_later(refusal)
        }
        _ => false,
    }
}
