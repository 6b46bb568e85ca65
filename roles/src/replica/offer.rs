//! The ways into the pool: what this validator's own intake and key holder offer, and what comes by gossip.

use super::Replica;
use super::error::{GossipFault, OfferRefusal, Offered};
use super::gossip;
use super::item::{Item, OpeningId};
use super::pool::{key_in, key_of};
use super::verdicts::BidJob;
use crate::bidder::{bid_on_ledger, check_first, check_handle, check_member};
use std::collections::BTreeMap;
use veilgrid_crypto::bid::{BidFault, RoundContext, SealedBid};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::members::offices::KeyReplacement;
use veilgrid_ledger::members::order::RegistrarOrder;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::treasury::TreasuryOrder;
use veilgrid_ledger::money::withdrawal::Withdrawal;
use veilgrid_ledger::refusal::Account;
use veilgrid_ledger::roster::RosterChange;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked};

/// Rounds after the last one on the final ledger whose bids are taken already: another validator may be some blocks
/// ahead.
const ROUNDS_AHEAD: u64 = 2;

/// The pool holds this part of an open round's bytes for each of them.
const PART_OF_COMING_ROUNDS: usize = 4;

impl Replica {
    /// Offers bids of one round that came from outside: from a member, or from the aggregator. One answer per bid, in
    /// order. Their proofs are verified together unless that was done before. All that are taken are gossiped, also those
    /// that have come by gossip before: whoever takes a bid promises it a place, and others may not know it. No more are
    /// taken than the round's grace has room for.
    pub fn offer_bids(&mut self, round_id: u64, bids: Vec<SealedBid>) -> Vec<Result<Offered, OfferRefusal>> {
        let digests: Vec<Hash> = bids.iter().map(SealedBid::digest).collect();
        let answers = self.take_bids(round_id, bids, self.backlog_bytes());
        for (digest, answer) in digests.into_iter().zip(&answers) {
            if answer.is_ok() {
                self.bring_in(Item::Bid { round_id, digest });
            }
        }
        answers
    }

    /// Sends on what was taken from outside and waits for its place on the ledger: what is known may be known to this
    /// validator alone.
    fn bring_in(&mut self, item: Item) {
        if self.pool.has(&item) {
            self.outbox.add(item);
        }
    }

    /// Offers this validator's own share of an opening, made on the final state.
    ///
    /// # Errors
    /// Not awaited, or false.
    pub fn offer_share(
        &mut self,
        round_id: u64,
        opening_index: u32,
        share: OpeningShare,
    ) -> Result<Offered, OfferRefusal> {
        let sharing = self.state.sharing().unwrap_or(0);
        let opening = OpeningId { sharing, round_id, opening_index };
        // Who offers its own share has its number.
        let key = key_of(&self.state, share.validator).unwrap_or_default();
        let offered = self.pool.shares.offer(&self.state, opening, &key, share)?;
        self.bring_in(Item::Share { opening, owner: (share.validator, key) });
        Ok(offered)
    }

    /// Offers the bytes of an event of the key session in progress, its own or one from outside.
    ///
    /// # Errors
    /// Not of the session, refused by it for good, or no room.
    pub fn offer_key_event(&mut self, session: u64, event: &[u8]) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_event(&self.state, session, event)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// Offers an order of the registrar.
    ///
    /// # Errors
    /// Not signed by the registrar, refused by the ledger, or no room.
    pub fn offer_order(&mut self, order: &RegistrarOrder) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_order(&self.state, order)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// Offers new keys of the registrar or the aggregator that t validators have signed.
    ///
    /// # Errors
    /// Refused by the ledger, or no room.
    pub fn offer_replacement(&mut self, replacement: &KeyReplacement) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_replacement(&self.state, replacement)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// Offers an order of the treasury.
    ///
    /// # Errors
    /// Not signed by the treasury, refused by the ledger, or no room.
    pub fn offer_treasury_order(&mut self, order: &TreasuryOrder) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_treasury_order(&self.state, order)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// Offers a withdrawal.
    ///
    /// # Errors
    /// Refused by the ledger, or no room.
    pub fn offer_withdrawal(&mut self, withdrawal: &Withdrawal) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_withdrawal(&self.state, withdrawal)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// Offers claims of a round.
    ///
    /// # Errors
    /// The first that is refused by the ledger, or no room.
    pub fn offer_claims(&mut self, claims: &Claims) -> Result<Offered, OfferRefusal> {
        let offered = self.pool.events.offer_claims(&self.state, claims)?;
        let any_new = offered.iter().any(|(_, offered)| *offered == Offered::New);
        offered.into_iter().for_each(|(digest, _)| self.bring_in(Item::Transaction(digest)));
        Ok(if any_new { Offered::New } else { Offered::Known })
    }

    /// Offers a change of validators that t of the current ones have signed.
    ///
    /// # Errors
    /// Not valid for the current roster, or no room.
    pub fn offer_roster_change(&mut self, change: &RosterChange) -> Result<Offered, OfferRefusal> {
        let (digest, offered) = self.pool.events.offer_change(&self.state, change)?;
        self.bring_in(Item::Transaction(digest));
        Ok(offered)
    }

    /// The bids among these whose proofs would have to be verified if they were offered, to be verified elsewhere
    /// before; none when there is nothing to verify.
    pub fn bid_job(&self, round_id: u64, bids: Vec<SealedBid>) -> Option<BidJob> {
        let context = self.context_of(round_id).ok()?;
        let is_new = |bid: &SealedBid| self.check_cheaply(round_id, bid) == Ok(Offered::New);
        let bids: Vec<SealedBid> = bids.into_iter().filter(is_new).collect();
        self.job(context, bids)
    }

    /// The work of verifying these bids, of which the cheap rules hold; none when there are none.
    pub(super) fn job(&self, context: RoundContext, bids: Vec<SealedBid>) -> Option<BidJob> {
        let terms = self.state.terms_of(context.round_id, &bids).ok()?;
        let (state, verdicts) = (self.state.clone(), self.verdicts.clone());
        (!bids.is_empty()).then_some(BidJob { state, context, bids, terms, verdicts })
    }

    /// Messages for all validators: what is new from outside, and what is not on the ledger for too long.
    pub fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        let mut bids: BTreeMap<u64, Vec<&SealedBid>> = BTreeMap::new();
        let mut messages = Vec::new();
        for item in self.outbox.take(&self.state) {
            match item {
                Item::Bid { round_id, digest } => {
                    bids.entry(round_id).or_default().extend(self.pool.bids.get(round_id, &digest));
                }
                Item::Share { opening, owner } => {
                    let share = self.pool.shares.get(&opening, &owner);
                    messages.extend(share.map(|share| gossip::encode_share(&opening, *share)));
                }
                Item::Transaction(digest) => {
                    messages.extend(self.pool.events.get(&digest).and_then(gossip::encode_transaction));
                }
            }
        }
        if let Some(params) = self.state.community().bid_params() {
            let encode = |(round_id, bids)| gossip::encode_bids(round_id, params.shape(), bids);
            messages.extend(bids.iter().flat_map(|(round_id, bids)| encode((*round_id, bids.as_slice()))));
        }
        messages
    }

    /// A share is only taken from its owner, so that nobody is named for what others sent. Whose number is whose is
    /// known for the sharing in force. A share of a later one is kept when the sender has its number today or among the
    /// validators to come; whether it has it then is asked again when the share is needed.
    pub(super) fn take_share_of(
        &mut self,
        from: &[u8; 32],
        opening: OpeningId,
        share: OpeningShare,
    ) -> Result<Option<OfferRefusal>, GossipFault> {
        let consensus_keys = self.state.roster().consensus_keys();
        let sender = (1u16..).zip(&consensus_keys).find(|(_, key)| *key == from).map(|(number, _)| number);
        let (is_current, validator) = (opening.sharing == self.state.sharing().unwrap_or(0), share.validator);
        let to_come = || key_in(self.state.session_receivers(), validator);
        match sender {
            Some(sender) if sender == validator => {
                Ok(self.pool.shares.offer(&self.state, opening, from, share).err())
            }
            _ if !is_current && to_come() == Some(*from) => {
                Ok(self.pool.shares.offer(&self.state, opening, from, share).err())
            }
            _ if !is_current => Ok(None),
            Some(sender) => Err(GossipFault::NotTheOwner { validator, sender }),
            None => Err(GossipFault::Stranger),
        }
    }

    /// Takes what came by gossip: it is not sent on.
    pub(super) fn take_transaction(&mut self, transaction: &Transaction) -> Result<Offered, OfferRefusal> {
        let taken = match transaction {
            Transaction::KeyEvent { session, event } => {
                self.pool.events.offer_event(&self.state, *session, event)
            }
            Transaction::ChangeValidators(change) => self.pool.events.offer_change(&self.state, change),
            Transaction::Registrar(order) => self.pool.events.offer_order(&self.state, order),
            Transaction::ReplaceKeys(replacement) => {
                self.pool.events.offer_replacement(&self.state, replacement)
            }
            Transaction::Treasury(order) => self.pool.events.offer_treasury_order(&self.state, order),
            Transaction::Withdraw(withdrawal) => self.pool.events.offer_withdrawal(&self.state, withdrawal),
            Transaction::Claims(claims) => {
                let offered = self.pool.events.offer_claims(&self.state, claims)?;
                let new = offered.iter().find(|(_, offered)| *offered == Offered::New);
                return Ok(new.map_or(Offered::Known, |(_, offered)| *offered));
            }
            other => Err(OfferRefusal::Kind { found: other.kind() }),
        };
        taken.map(|(_, offered)| offered)
    }

    /// The cheap rules first, then the proofs of all that are left in one batch. `backlog_bytes` is how much of the
    /// round may wait.
    fn take_bids(
        &mut self,
        round_id: u64,
        bids: Vec<SealedBid>,
        backlog_bytes: usize,
    ) -> Vec<Result<Offered, OfferRefusal>> {
        let context = match self.context_of(round_id) {
            Ok(context) => context,
            Err(refusal) => return bids.iter().map(|_| Err(refusal.clone())).collect(),
        };
        let mut answers: Vec<Result<Offered, OfferRefusal>> =
            bids.iter().map(|bid| self.check_cheaply(round_id, bid)).collect();
        self.check_backlog(round_id, &bids, &mut answers, backlog_bytes);
        let new: Vec<usize> = (0..bids.len()).filter(|at| answers[*at] == Ok(Offered::New)).collect();
        let unverified: Vec<SealedBid> = new.iter().map(|at| bids[*at].clone()).collect();
        let terms = self.state.terms_of(round_id, &unverified).ok();
        let verdicts = match (self.state.community().bid_params(), &terms) {
            (Some(params), Some(terms)) => {
                let asked = BidsAsked { round: &context, bids: &unverified, terms: terms.as_deref() };
                self.verdicts.verify(params, asked)
            }
            _ => Vec::new(),
        };
        for ((at, bid), verdict) in new.into_iter().zip(unverified).zip(verdicts) {
            answers[at] = match verdict {
                Ok(_) => self.pool_bid(bid),
                Err(fault) => {
                    Err(OfferRefusal::BidInvalid { round_id, account: Account(bid.account), fault })
                }
            };
        }
        answers
    }

    /// Puts a verified bid in. Room and R are looked for again: bids of the same batch have taken some.
    pub(super) fn pool_bid(&mut self, bid: SealedBid) -> Result<Offered, OfferRefusal> {
        let (round_id, digest, bytes) = (bid.round_id, bid.digest(), bid.to_bytes().len());
        if self.pool.bids.get(round_id, &digest).is_some() {
            return Ok(Offered::Known);
        }
        check_handle(&self.state, &bid, self.pool.bids.owner_of(round_id, &bid.r))?;
        let bound = self.bound_of(round_id);
        self.pool.bids.room(round_id, &bid.account, bytes, bound)?;
        self.pool.bids.insert(digest, bid, bytes);
        Ok(Offered::New)
    }

    /// The context that bids of a round are bound to, while the round takes bids or soon will.
    pub(super) fn context_of(&self, round_id: u64) -> Result<RoundContext, OfferRefusal> {
        let not_open = OfferRefusal::NotOpen { round_id };
        let community = self.state.community();
        if community.bid_params().is_none() {
            return Err(OfferRefusal::NoKeys);
        }
        match self.state.expected(round_id) {
            Ok(Expected::Bids { .. }) => self.state.round_context(round_id).ok_or(not_open),
            // With money a bid is for what its account has available when the round opens.
            Ok(Expected::NotOpened) if self.state.accounts().is_some() => Err(not_open),
            Ok(Expected::NotOpened) => {
                let near = self.state.last_round_id().unwrap_or(0).saturating_add(ROUNDS_AHEAD);
                let seconds = community.params().slot_seconds;
                let start = self.state.timing().slot_start_unix_s(round_id, seconds);
                let start_unix_s = start.filter(|_| round_id <= near).ok_or(not_open)?;
                Ok(community.round_context(round_id, Slot { start_unix_s, seconds }))
            }
            _ => Err(not_open),
        }
    }

    /// Every rule but the proof's and the backlog's. [`Offered::New`] says that the proof is to be verified.
    pub(super) fn check_cheaply(&self, round_id: u64, bid: &SealedBid) -> Result<Offered, OfferRefusal> {
        if bid.round_id != round_id {
            let account = Account(bid.account);
            let fault = BidFault::Round { bid: bid.round_id, round: round_id };
            return Err(OfferRefusal::BidInvalid { round_id, account, fault });
        }
        let member = check_member(&self.state, bid);
        if self.state.round(round_id).is_none() && member.is_err() {
            // Who may bid is fixed when the round opens. Until then another validator, some blocks ahead, may know more.
            return Err(OfferRefusal::NotOpen { round_id });
        }
        member?;
        let digest = bid.digest();
        if self.pool.bids.get(round_id, &digest).is_some() {
            return Ok(Offered::Known);
        }
        let on_ledger = bid_on_ledger(&self.state, round_id, &bid.account);
        check_first(bid, &digest, on_ledger)?;
        if on_ledger.is_some() {
            return Ok(Offered::Known);
        }
        check_handle(&self.state, bid, self.pool.bids.owner_of(round_id, &bid.r))?;
        self.state.terms_of(round_id, std::slice::from_ref(bid))?;
        self.pool.bids.room(round_id, &bid.account, bid.to_bytes().len(), self.bound_of(round_id))?;
        Ok(Offered::New)
    }

    /// The most bytes of a round's bids. One that is not open yet has a part of what an open one has, and neither takes
    /// anything from another's.
    fn bound_of(&self, round_id: u64) -> usize {
        match self.state.expected(round_id) {
            Ok(Expected::NotOpened) => self.limits.pool_bytes / PART_OF_COMING_ROUNDS,
            _ => self.limits.pool_bytes,
        }
    }
}
