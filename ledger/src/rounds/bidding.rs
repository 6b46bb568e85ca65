//! The first stage of a round: open, bids, close, void.

use super::round::{Opening, Round, Slot, Stage};
use crate::checks::semantic;
use crate::refusal::{Account, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::state::effects::{AcceptedBid, Effect};
use crate::state::{MAX_ACTIVE_ROUNDS, State, out_of_order};
use crate::transaction::{Transaction, TransactionKind, VoidReason};
use crate::verdicts::{BidVerdicts, BidsAsked};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;

/// Who has bid in a round so far, and with which R.
#[derive(Default)]
struct Bidders {
    accounts: BTreeSet<PointBytes>,
    handles: BTreeMap<PointBytes, PointBytes>,
}

impl State {
    pub(crate) fn open_round(
        &mut self,
        round_id: u64,
        slot_start_unix_s: i64,
        slot_seconds: u32,
    ) -> Result<Effect, Refusal> {
        self.check_open_time(round_id, slot_start_unix_s)?;
        // "Round ids rise strictly."
        if let Some(last) = self.last_round_id.filter(|last| round_id <= *last) {
            return Err(Refusal::Rounds(RoundRefusal::RoundIdNotRising { round: round_id, last }));
        }
        // "At most MAX_ACTIVE_ROUNDS rounds are active."
        if self.rounds.len() >= MAX_ACTIVE_ROUNDS {
            return Err(Refusal::Rounds(RoundRefusal::TooManyRounds {
                round: round_id,
                active: self.rounds.len(),
            }));
        }
        // "A slot is not bid for again while a round for it is active or once one was cleared."
        let slot = Slot { start_unix_s: slot_start_unix_s, seconds: slot_seconds };
        let cleared = self.cleared_until_unix_s.is_some_and(|end| slot.start_unix_s < end);
        if cleared || self.rounds().any(|round| round.slot.overlaps(&slot)) {
            return Err(Refusal::Rounds(RoundRefusal::SlotTaken { round: round_id }));
        }
        let params = self.community.params();
        // Of all that a round needs to know about its members, nothing changes from here on.
        let bidders = Arc::new(self.members.bidders(params, &slot));
        self.check_community_funds(round_id, &bidders)?;
        let snapshot = self.snapshot_for(&bidders);
        let mut round = Round::new(round_id, slot, params.steps(), bidders, snapshot);
        round.progress_ms = self.time_unix_ms;
        self.last_round_id = Some(round_id);
        self.rounds.insert(round_id, Arc::new(round));
        Ok(Effect::RoundOpened { round_id, slot })
    }

    /// The cheap rules come first (stage, membership, one bid, fresh R), the proofs last: who is not allowed to bid
    /// costs the ledger no verification.
    pub(crate) fn take_bids(
        &mut self,
        round_id: u64,
        bids: &[SealedBid],
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        if !matches!(round.stage, Stage::Bidding) {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::Bids));
        }
        let mut bidders = Bidders::default();
        bids.iter().try_for_each(|bid| {
            self.check_may_bid(round_id, &bid.account)?;
            self.check_bidder(round_id, Some(round), &mut bidders, bid)
        })?;
        let context = self.community.round_context(round_id, round.slot);
        let terms = self.terms_of(round_id, bids)?;
        let asked = BidsAsked { round: &context, bids, terms: terms.as_deref() };
        let verified = semantic::verified_bids(&self.community, asked, verdicts)?;
        let height = self.height;
        let round = self.active_mut(round_id)?;
        let mut accepted = Vec::with_capacity(verified.len());
        for bid in verified {
            accepted.push(AcceptedBid { account: bid.account(), bid_digest: bid.digest() });
            round.take_bid(bid, height);
        }
        self.hold_back(round_id, bids);
        Ok(Effect::BidsAccepted { round_id, bids: accepted })
    }

    /// The rules of bids that cost no proof, for all bids of a block on this state and before its execution: the stage of
    /// the round, membership, one bid per account, no R twice. A leader that fills a block with bids that nobody may place
    /// makes no voter verify one of them.
    ///
    /// # Errors
    /// The first transaction that breaks one of them, by its position, and the rule.
    pub fn check_bidders(&self, transactions: &[Transaction]) -> Result<(), (usize, Refusal)> {
        let mut bidders: BTreeMap<u64, Bidders> = BTreeMap::new();
        let mut opened: BTreeMap<u64, Slot> = BTreeMap::new();
        // An order of the registrar before an opening may let in or keep out somebody: its round is left to the execution,
        // which refuses the order first if the registrar has not signed it.
        let mut members_change = false;
        for (position, transaction) in transactions.iter().enumerate() {
            match transaction {
                Transaction::Registrar(_) => members_change = true,
                Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds } => {
                    let slot = Slot { start_unix_s: *slot_start_unix_s, seconds: *slot_seconds };
                    opened.insert(*round_id, slot);
                }
                Transaction::Bids { round_id, bids } => {
                    let round = self.round(*round_id);
                    let bidders = bidders.entry(*round_id).or_default();
                    let checked = match round {
                        Some(round) if !round.takes_bids() => {
                            Err(out_of_order(round, self.community.threshold(), TransactionKind::Bids))
                        }
                        None if !opened.contains_key(round_id) => {
                            Err(Refusal::Rounds(RoundRefusal::RoundNotActive { round: *round_id }))
                        }
                        _ => bids.iter().try_for_each(|bid| {
                            match opened.get(round_id).filter(|_| round.is_none()) {
                                Some(_) if members_change => {}
                                Some(slot) => self.check_will_bid(*round_id, &bid.account, slot)?,
                                None => self.check_may_bid(*round_id, &bid.account)?,
                            }
                            self.check_bidder(*round_id, round, bidders, bid)
                        }),
                    };
                    checked.map_err(|refusal| (position, refusal))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One bid an account, no R twice. `bidders` are those of the same transaction or block before this one.
    fn check_bidder(
        &self,
        round_id: u64,
        round: Option<&Round>,
        bidders: &mut Bidders,
        bid: &SealedBid,
    ) -> Result<(), Refusal> {
        let account = Account(bid.account);
        // "One bid per account and round."
        if round.is_some_and(|round| round.accounts.contains_key(&bid.account))
            || !bidders.accounts.insert(bid.account)
        {
            return Err(Refusal::Rounds(RoundRefusal::SecondBid { round: round_id, account }));
        }
        // "No R occurs twice in a round."
        let owner = round.and_then(|round| round.owner_of(&bid.r));
        if let Some(first) = owner.or_else(|| bidders.handles.get(&bid.r).copied()) {
            return Err(Refusal::Rounds(RoundRefusal::HandleRepeated {
                round: round_id,
                account,
                first: Account(first),
            }));
        }
        bidders.handles.insert(bid.r, bid.account);
        Ok(())
    }

    pub(crate) fn close_round(&mut self, round_id: u64) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        if !matches!(round.stage, Stage::Bidding) {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::CloseRound));
        }
        self.check_close_time(round)?;
        let bids = round.tally.count();
        let bid_set = round.tally.bid_set();
        // "At least min_bidders connection points have bid."
        let points = round.bidders.points(round.accounts.keys());
        let stage = if points < self.community.params().min_bidders as usize {
            Stage::TooFewBids
        } else {
            self.stage_after(round, &[])?
        };
        let time_unix_ms = self.time_unix_ms;
        let round = self.active_mut(round_id)?;
        (round.stage, round.progress_ms) = (stage, time_unix_ms);
        Ok(Effect::RoundClosed { round_id, bids, bid_set })
    }

    pub(crate) fn void(&mut self, round_id: u64, reason: VoidReason) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        // "A round is void for too few bids once it is closed, for its deadline while sums wait to be opened."
        let holds = match reason {
            VoidReason::TooFewBids => matches!(round.stage, Stage::TooFewBids),
            VoidReason::OpeningDeadline => {
                matches!(round.stage, Stage::Opening(_)) && self.is_past_deadline(round_id)
            }
            // Such a round is not active.
            VoidReason::NoKeys | VoidReason::NotOpened => false,
        };
        if !holds {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::Void));
        }
        let round = round.clone();
        self.release_costs(&round);
        self.finish_round(&round, &[reason as u8]);
        self.finished.voided = self.finished.voided.saturating_add(1);
        if reason == VoidReason::OpeningDeadline {
            // Shares may have been released: a second set of bids for the slot would reveal the difference.
            self.cleared_until_unix_s = self.cleared_until_unix_s.max(round.slot.end_unix_s());
        }
        Ok(Effect::Voided { round_id, reason, bids: round.tally.count() })
    }
}

impl Opening {
    /// The opening with this number, without shares yet.
    pub(crate) fn new(
        round: &Round,
        index: u32,
        request: veilgrid_market::SumRequest,
        weights: Vec<i64>,
        key_count: usize,
    ) -> Self {
        let c_sum = round.tally.weighted_sum(&weights);
        // The key of balances, which comes after the steps' with money, has no part in any sum of a round.
        let mut weights = weights;
        weights.resize(key_count, 0);
        Self { index, request, weights, c_sum, shares: Vec::new() }
    }
}
