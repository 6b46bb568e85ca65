//! Making a round's bid and getting it to the nodes.

use super::{Action, Active, Desk, DeskError, Sealing, Wanted};
use crate::member::delivery::{Answer, Delivery, Target, Terms};
use crate::member::ports::{BidArchive, OrderSource, ResultBook};
use crate::member::sealing::{SealFailure, SealTask};
use std::sync::Arc;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;

/// A node that has not answered for this long counts as silent, in milliseconds.
const SILENCE_MS: u64 = 2000;
/// First and longest pause before the same node is asked again, in milliseconds.
const PAUSES_MS: (u64, u64) = (500, 4000);
/// Pause before orders that can't be used are asked for again, in milliseconds.
const ORDERS_PAUSE_MS: u64 = 1000;

impl<A: BidArchive, R: ResultBook> Desk<A, R> {
    /// What is to be done now.
    pub fn turn(&mut self, now_unix_ms: u64) -> Vec<Action> {
        let wanted = self.wanted(now_unix_ms);
        let mut actions: Vec<_> =
            wanted.into_iter().filter_map(|wanted| self.seal(wanted, now_unix_ms)).collect();
        for (round_id, active) in &mut self.active {
            let before = active.delivery.fallback();
            let (round_id, bid) = (*round_id, &active.bid);
            let due = active.delivery.due(now_unix_ms).into_iter();
            actions.extend(due.map(|to| Action::Send { round_id, to, bid: Arc::clone(bid) }));
            if let Some(reason) = active.delivery.fallback().filter(|_| before.is_none()) {
                tracing::warn!(round_id, ?reason, "the bid goes to validators too");
            }
        }
        actions
    }

    fn seal(&mut self, wanted: Wanted, now_unix_ms: u64) -> Option<Action> {
        let Wanted { round_id, bidding_ms: (open_ms, last_promise_ms), .. } = wanted;
        let before = self.sealing.get(&round_id).copied();
        match before {
            Some(Sealing::UnderWay) => return None,
            Some(Sealing::After { unix_ms }) if now_unix_ms < unix_ms => return None,
            _ => {}
        }
        self.sealing.retain(|round, _| *round >= round_id);
        self.sealing.insert(round_id, Sealing::UnderWay);
        // Orders that can't be used may be put right for half of the bidding; then zeros are bid, because absence
        // would be seen by everybody.
        let half_ms = open_ms.saturating_add(last_promise_ms.saturating_sub(open_ms) / 2);
        let without_orders = now_unix_ms >= half_ms && matches!(before, Some(Sealing::After { .. }));
        if without_orders {
            tracing::error!(round_id, "the orders can't be used: a bid without orders is made");
        }
        Some(Action::Seal { wanted, without_orders })
    }

    /// Everything that the making of a bid needs; it may run on another thread.
    pub fn seal_task(&self, wanted: Wanted, orders: Option<Arc<dyn OrderSource>>) -> SealTask<A> {
        SealTask {
            keyring: Arc::clone(&self.keyring),
            state: self.state.clone(),
            round_id: wanted.round_id,
            slot: wanted.slot,
            orders,
            means: self.means(wanted.round_id),
            archive: self.archive.clone(),
        }
    }

    /// Takes what came of making a round's bid.
    ///
    /// # Errors
    /// The archive's: no other bid is made for this round, because two reveal their difference.
    pub fn sealed(
        &mut self,
        round_id: u64,
        sealed: Result<SealedBid, SealFailure>,
        now_unix_ms: u64,
    ) -> Result<(), DeskError> {
        match sealed {
            Ok(bid) => {
                self.sealing.remove(&round_id);
                tracing::info!(round_id, "the bid is sealed and kept");
                self.begin(bid, now_unix_ms);
            }
            Err(SealFailure::Archive(error)) => {
                tracing::error!(
                    round_id, %error,
                    "no bid: no other one is made for this round, because two reveal their difference. When the round is over \
                     the participant starts without it"
                );
                return Err(error.into());
            }
            // It stays under way, so that none is begun any more; nothing is wrong with that.
            Err(failure @ SealFailure::Ending) => tracing::debug!(round_id, %failure, "no bid"),
            Err(error) => {
                tracing::error!(round_id, %error, "no bid yet");
                let unix_ms = now_unix_ms.saturating_add(ORDERS_PAUSE_MS);
                self.sealing.insert(round_id, Sealing::After { unix_ms });
            }
        }
        Ok(())
    }

    /// Begins to deliver a bid that is kept. Receipts from before a restart count.
    pub fn begin(&mut self, bid: SealedBid, now_unix_ms: u64) {
        let round_id = bid.round_id;
        let Some(last_promise_unix_ms) = self.state.timing().last_promise_ms(round_id) else { return };
        let group = self.state.roster().group();
        let validators = group.validators;
        let mut delivery = Delivery::new(Terms {
            validators,
            needed: group.faults().saturating_add(1),
            first_validator: first_validator(&self.account, round_id, validators),
            last_promise_unix_ms,
            silence_ms: SILENCE_MS,
            pause_ms: PAUSES_MS.0,
            longest_pause_ms: PAUSES_MS.1,
        });
        let digest = bid.digest();
        for (from, receipt) in self.archive.receipts(round_id, validators) {
            if receipt.bid_digest == digest {
                delivery.answered(from, Answer::Receipt, now_unix_ms);
            }
        }
        if self.on_ledger.get(&round_id) == Some(&digest) {
            delivery.seen_on_ledger();
        }
        self.active.insert(round_id, Active { bid: Arc::new(bid), digest, delivery });
    }

    /// Takes what came of sending a round's bid to a node: a receipt, unchecked, or what its absence means.
    ///
    /// # Errors
    /// The archive's.
    pub fn posted(
        &mut self,
        round_id: u64,
        from: Target,
        posted: Result<Receipt, Answer>,
        now_unix_ms: u64,
    ) -> Result<Answer, DeskError> {
        let answer = match posted {
            Ok(receipt) if receipt.round_id == round_id => self.receipt(from, &receipt)?,
            Ok(_) => Answer::Refused,
            Err(answer) => answer,
        };
        self.answered(round_id, from, answer, now_unix_ms);
        Ok(answer)
    }

    /// Takes a receipt: checks that this node has signed it for this bid, and keeps it.
    ///
    /// # Errors
    /// The archive's. A false receipt is no error: the answer says what the node did.
    pub fn receipt(&mut self, from: Target, receipt: &Receipt) -> Result<Answer, DeskError> {
        let round_id = receipt.round_id;
        let named = (receipt.ledger_id, receipt.account, receipt.bid_digest);
        let ours = self.active.get(&round_id).map(|active| active.digest);
        let right =
            ours.is_some_and(|digest| named == (self.state.community().ledger_id(), self.account, digest));
        let signed = self.key_of(from).is_some_and(|key| receipt.verify(&key).is_ok());
        if !right || !signed {
            tracing::warn!(
                round_id,
                %from,
                "a receipt is not what was asked for: it is ignored"
            );
            return Ok(Answer::Refused);
        }
        self.archive.keep_receipt(from, receipt)?;
        self.counts.receipts = self.counts.receipts.saturating_add(1);
        Ok(Answer::Receipt)
    }

    /// Notes what came of sending a round's bid to somebody.
    pub fn answered(&mut self, round_id: u64, from: Target, answer: Answer, now_unix_ms: u64) {
        if let Some(active) = self.active.get_mut(&round_id) {
            active.delivery.answered(from, answer, now_unix_ms);
        }
    }

    fn key_of(&self, from: Target) -> Option<VerifyingKey> {
        match from {
            Target::Aggregator => Some(*self.state.community().receipt_key()),
            Target::Validator(number) => {
                let entry = self.state.roster().validators.get(usize::from(number.checked_sub(1)?))?;
                VerifyingKey::from_bytes(&entry.signing_key).ok()
            }
        }
    }
}

/// The validator that a member asks first: members and rounds spread over all of them.
fn first_validator(account: &PointBytes, round_id: u64, validators: u16) -> u16 {
    let spread = account
        .iter()
        .take(2)
        .fold(round_id, |spread, byte| spread.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let index = spread.checked_rem(u64::from(validators)).unwrap_or(0);
    u16::try_from(index).unwrap_or(0).saturating_add(1)
}
