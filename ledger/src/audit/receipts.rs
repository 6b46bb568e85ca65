//! Receipts against a ledger: a signed promise whose bid is missing from its closed round is evidence of censorship.
//!
//! The aggregator promises alone. Of a network's validators f may be faulty, and an honest one may have been cut off:
//! only f + 1 of those in force, for one and the same bid, promise it a place.
//!
//! With money a bid names its account's debit sequence. An account that makes another debit while a round takes bids, a
//! withdrawal or a bid in another round, may have overtaken its own promised bid, which nobody can put on the ledger then.

use crate::hash::{Hash, serialize_hex};
use crate::members::order::AccountNumber;
use crate::roster::Roster;
use crate::state::State;
use crate::state::effects::Effect;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;

/// What a ledger says about a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptVerdict {
    /// The bid is on the ledger.
    Included,
    /// The digest of the bid is in a pruned block of its round. Whether the rules accepted it can't be recomputed.
    IncludedByDigest,
    /// The round is pruned and the bid's digest is not among those that are left. Whether it was left out, or the round
    /// holds another bid of the account, only the bids would tell: ask for a copy that has them.
    NotCheckable,
    /// The round takes bids still: the bid may come.
    RoundOpen,
    /// The ledger does not have the round yet.
    RoundUnknown,
    /// The round is closed without any bid of the account, and the aggregator or f + 1 validators had promised the bid a
    /// place; or no block opened it in its time, and the aggregator had. With the bid itself, valid at the close, this
    /// proves censorship.
    Missing,
    /// The round holds another bid of the account: no censorship of the account, but a receipt of the aggregator that
    /// was not kept.
    OtherBid,
    /// The same for a receipt of a validator: it proves nothing. An account can give two bids to different validators,
    /// and the ledger takes the first.
    SecondBid,
    /// The round is closed without any bid of the account, which made another debit while the round took bids: a bid that was sealed
    /// before it has no place on the ledger, by its account's own doing. Only the bid itself, with its debit sequence, would
    /// tell that it was left out.
    Overtaken,
    /// The bid is not on the ledger, and fewer than f + 1 validators have signed receipts for it: it proves nothing.
    TooFewReceipts,
    /// The receipt is for another ledger, or signed neither by this ledger's aggregator nor by a validator of the
    /// round's time: it proves nothing.
    Worthless,
}

impl ReceiptVerdict {
    /// Whether somebody has broken a promise.
    pub fn is_broken_promise(self) -> bool {
        matches!(self, Self::Missing | Self::OtherBid)
    }
}

/// A receipt with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReceiptFinding {
    /// The round that the receipt names.
    pub round_id: u64,
    /// The account that the receipt names.
    #[serde(serialize_with = "serialize_hex")]
    pub account: PointBytes,
    /// Digest of the bid that the receipt names.
    #[serde(serialize_with = "serialize_hex")]
    pub bid_digest: Hash,
    /// The receipt's running number.
    pub sequence: u64,
    /// What the ledger says.
    pub verdict: ReceiptVerdict,
}

/// Collects what a replay says about some receipts; memory grows with the receipts, not with the ledger.
pub(super) struct ReceiptCheck {
    receipts: Vec<Receipt>,
    /// (round, account) of the receipts → digest of the bid on the ledger.
    bids: BTreeMap<(u64, PointBytes), Option<Hash>>,
    /// Rounds of the receipts.
    rounds: BTreeSet<u64>,
    opened: BTreeSet<u64>,
    closed: BTreeSet<u64>,
    /// (round, account) for bids in other rounds while the round took bids.
    bid_elsewhere: BTreeSet<(u64, PointBytes)>,
    /// (round, account number) for withdrawals while it did.
    withdrawn: BTreeSet<(u64, AccountNumber)>,
    /// Rounds that were not recomputed, because bids of theirs are pruned.
    lost: BTreeSet<u64>,
    /// Bid digests of the receipts, by round; set when the digest was in a pruned block.
    pruned: BTreeMap<(u64, Hash), bool>,
    /// The first and the last set of validators that were in force while a round of the receipts took bids, as
    /// positions in [`State::rosters`].
    in_force: BTreeMap<u64, (usize, usize)>,
    /// The same of the aggregator's keys, as positions in
    /// [`Offices::receipt_keys`](crate::members::offices::Offices::receipt_keys).
    aggregators: BTreeMap<u64, (usize, usize)>,
}

/// What a receipt names: round, account and digest of the bid.
type Promised = (u64, PointBytes, Hash);

/// Who has signed a receipt.
enum Signer {
    Aggregator,
    /// As position of the set in [`State::rosters`] and place in it; the same person may be in several sets.
    Validator(Vec<(usize, usize)>),
    Nobody,
}

impl ReceiptCheck {
    pub(super) fn new(receipts: Vec<Receipt>) -> Self {
        let bids = receipts.iter().map(|receipt| ((receipt.round_id, receipt.account), None)).collect();
        let rounds = receipts.iter().map(|receipt| receipt.round_id).collect();
        let pruned = receipts.iter().map(|receipt| ((receipt.round_id, receipt.bid_digest), false)).collect();
        let (opened, closed, lost, in_force, aggregators) = Default::default();
        let (bid_elsewhere, withdrawn) = Default::default();
        Self {
            receipts,
            bids,
            rounds,
            opened,
            closed,
            bid_elsewhere,
            withdrawn,
            lost,
            pruned,
            in_force,
            aggregators,
        }
    }

    /// A round was opened or closed, in a block of which more need not be known, by the validators that are in force and under the
    /// aggregator that is.
    pub(super) fn observe_term(&mut self, round_id: u64, state: &State) {
        if !self.rounds.contains(&round_id) {
            return;
        }
        let note = |terms: &mut BTreeMap<u64, (usize, usize)>, count: usize| {
            if let Some(last) = count.checked_sub(1) {
                terms.entry(round_id).and_modify(|(_, until)| *until = last).or_insert((last, last));
            }
        };
        note(&mut self.in_force, state.rosters().count());
        note(&mut self.aggregators, state.offices().receipt_keys().len());
    }

    pub(super) fn observe(&mut self, effect: &Effect) {
        match effect {
            Effect::RoundOpened { round_id, .. } if self.rounds.contains(round_id) => {
                self.opened.insert(*round_id);
            }
            Effect::RoundClosed { round_id, .. } if self.rounds.contains(round_id) => {
                self.closed.insert(*round_id);
            }
            Effect::BidsAccepted { round_id, bids } => {
                for other in self.taking_bids().filter(|other| other != round_id).collect::<Vec<_>>() {
                    self.bid_elsewhere.extend(bids.iter().map(|bid| (other, bid.account)));
                }
                for bid in bids {
                    if let Some(digest) = self.bids.get_mut(&(*round_id, bid.account)) {
                        *digest = Some(bid.bid_digest);
                    }
                }
            }
            Effect::Withdrawn { terms } => {
                let rounds: Vec<u64> = self.taking_bids().collect();
                self.withdrawn.extend(rounds.into_iter().map(|round_id| (round_id, terms.number)));
            }
            _ => {}
        }
    }

    /// Rounds of the receipts that take bids at this point of the ledger.
    fn taking_bids(&self) -> impl Iterator<Item = u64> {
        self.opened.difference(&self.closed).copied()
    }

    /// With money: whether the account of a receipt has made another debit while the round took bids.
    fn overtaken(&self, state: &State, receipt: &Receipt) -> bool {
        let Some(accounts) = state.accounts() else { return false };
        let (round_id, account) = (receipt.round_id, receipt.account);
        let of_round = (round_id, AccountNumber::MIN)..=(round_id, AccountNumber::MAX);
        let mut withdrawn =
            self.withdrawn.range(of_round).filter_map(|(_, number)| accounts.account(*number));
        self.bid_elsewhere.contains(&(round_id, account)) || withdrawn.any(|owner| owner.key() == account)
    }

    /// Bids of which a pruned block has the digests.
    pub(super) fn observe_digests(&mut self, round_id: u64, digests: &[Hash]) {
        if self.rounds.contains(&round_id) {
            for digest in digests {
                self.pruned.entry((round_id, *digest)).and_modify(|found| *found = true);
            }
        }
    }

    /// Rounds that were not recomputed: of their bids the digests alone are known.
    pub(super) fn observe_lost<'a>(&mut self, rounds: impl IntoIterator<Item = &'a u64>) {
        self.lost.extend(rounds.into_iter().filter(|round_id| self.rounds.contains(round_id)));
    }

    /// The same when a checkpoint says that they are finished: their receipts can't be kept any more.
    pub(super) fn observe_finished(&mut self, rounds: &BTreeSet<u64>) {
        self.observe_lost(rounds);
        self.closed.extend(self.rounds.intersection(rounds));
    }

    /// What a ledger that ends in `state` says about the receipts.
    pub(super) fn findings(&self, state: &State) -> Vec<ReceiptFinding> {
        let validators = Validators::of(state);
        let signers: Vec<Signer> = self.receipts.iter().map(|r| self.signer(state, &validators, r)).collect();
        let promised = self.promised(&validators, &signers);
        let findings = self.receipts.iter().zip(&signers).map(|(receipt, signer)| ReceiptFinding {
            round_id: receipt.round_id,
            account: receipt.account,
            bid_digest: receipt.bid_digest,
            sequence: receipt.sequence,
            verdict: self.verdict(state, receipt, signer, &promised),
        });
        findings.collect()
    }

    fn verdict(
        &self,
        state: &State,
        receipt: &Receipt,
        signer: &Signer,
        promised: &BTreeSet<Promised>,
    ) -> ReceiptVerdict {
        if matches!(signer, Signer::Nobody) {
            return ReceiptVerdict::Worthless;
        }
        let missing = || match signer {
            Signer::Validator(_) if !promised.contains(&named(receipt)) => ReceiptVerdict::TooFewReceipts,
            _ if self.overtaken(state, receipt) => ReceiptVerdict::Overtaken,
            _ => ReceiptVerdict::Missing,
        };
        let by_digest = self.pruned.get(&(receipt.round_id, receipt.bid_digest)) == Some(&true);
        match self.bids.get(&(receipt.round_id, receipt.account)).copied().flatten() {
            Some(digest) if digest == receipt.bid_digest => ReceiptVerdict::Included,
            Some(_) if matches!(signer, Signer::Validator(_)) => ReceiptVerdict::SecondBid,
            Some(_) => ReceiptVerdict::OtherBid,
            None if by_digest => ReceiptVerdict::IncludedByDigest,
            // The aggregator's promise is broken by another bid as well; of validators that proves nothing. With money, debits
            // of pruned bids may have overtaken it.
            None if self.lost.contains(&receipt.round_id) => match missing() {
                few @ ReceiptVerdict::TooFewReceipts => few,
                _ if state.accounts().is_some() => ReceiptVerdict::NotCheckable,
                broken if matches!(signer, Signer::Aggregator) && self.closed.contains(&receipt.round_id) => {
                    broken
                }
                _ => ReceiptVerdict::NotCheckable,
            },
            None if self.closed.contains(&receipt.round_id) => missing(),
            None if self.opened.contains(&receipt.round_id) => ReceiptVerdict::RoundOpen,
            // Round ids rise strictly: a round that was passed over never comes.
            None if state.last_round_id().is_some_and(|last| receipt.round_id <= last) => missing(),
            None => ReceiptVerdict::RoundUnknown,
        }
    }

    fn signer(&self, state: &State, validators: &Validators, receipt: &Receipt) -> Signer {
        let community = state.community();
        if receipt.ledger_id != community.ledger_id() {
            return Signer::Nobody;
        }
        let (first, last) = self.aggregators.get(&receipt.round_id).copied().unwrap_or((0, usize::MAX));
        let keys = state.offices().receipt_keys().enumerate().filter(|(at, _)| (first..=last).contains(at));
        let mut keys = keys.filter_map(|(_, key)| VerifyingKey::from_bytes(key).ok());
        if keys.any(|key| receipt.verify(&key).is_ok()) {
            return Signer::Aggregator;
        }
        // Of a round that was never opened nobody knows its validators.
        let (first, last) = self.in_force.get(&receipt.round_id).copied().unwrap_or((0, usize::MAX));
        match validators.who_signed(receipt, first, last) {
            who if who.is_empty() => Signer::Nobody,
            who => Signer::Validator(who),
        }
    }

    /// The bids to which f + 1 validators of one set, in force while the round took bids, have promised a place.
    fn promised(&self, validators: &Validators, signers: &[Signer]) -> BTreeSet<Promised> {
        let mut promises: BTreeMap<(Promised, usize), BTreeSet<usize>> = BTreeMap::new();
        // An honest validator takes bids of open rounds only: receipts for others promise nothing.
        let opened =
            self.receipts.iter().zip(signers).filter(|(r, _)| self.in_force.contains_key(&r.round_id));
        for (receipt, signer) in opened {
            let Signer::Validator(who) = signer else { continue };
            for (set, place) in who {
                promises.entry((named(receipt), *set)).or_default().insert(*place);
            }
        }
        let enough = |set: usize, who: usize| validators.0.get(set).is_some_and(|keys| who > keys.faults);
        let promised = promises.into_iter().filter(|((_, set), who)| enough(*set, who.len()));
        promised.map(|((bid, _), _)| bid).collect()
    }
}

fn named(receipt: &Receipt) -> Promised {
    (receipt.round_id, receipt.account, receipt.bid_digest)
}

/// All sets of validators that were ever in force. They take bids too, and sign receipts with their signing keys.
struct Validators(Vec<Keys>);

struct Keys {
    /// f.
    faults: usize,
    keys: Vec<VerifyingKey>,
}

impl Validators {
    fn of(state: &State) -> Self {
        let keys = |roster: &Roster| Keys {
            faults: usize::from(roster.group().faults()),
            // The rules let no roster in whose keys are none.
            keys: roster.verifying_keys().unwrap_or_default(),
        };
        Self(state.rosters().map(keys).collect())
    }

    /// Those who have signed a receipt, as set and place in it, among the sets `first..=last`.
    fn who_signed(&self, receipt: &Receipt, first: usize, last: usize) -> Vec<(usize, usize)> {
        let sets = self.0.iter().enumerate().filter(|(set, _)| (first..=last).contains(set));
        let all =
            sets.flat_map(|(set, keys)| (0..).zip(&keys.keys).map(move |(place, key)| (set, place, key)));
        let signed = all.filter(|(_, _, key)| receipt.verify(key).is_ok());
        signed.map(|(set, place, _)| (set, place)).collect()
    }
}
