//! A validator that is false: what it makes of what an honest core proposes and says.

use crate::dice::rng;
use crate::flood::Flooder;
use crate::hold::Hold;
use crate::market::{Market, TIMING};
use crate::misbehaviour::{InvalidBlock, Misbehaviour};
use crate::plan::Plan;
use crate::wire::{self, Message};
use rand_chacha::ChaCha20Rng;
use std::sync::Arc;
use veilgrid_crypto::keygen::{Event, Phase, Verdict};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_roles::keyholder::KeyHolder;

/// Further ahead than voters allow, in milliseconds.
const TOO_FAR_AHEAD_MS: u64 = 5_000;
/// The second story is told again after this many blocks.
const REPEAT_BLOCKS: u64 = 6;
/// A round that is never reached.
const NO_ROUND: u64 = 1 << 40;

/// Who is to hear a message.
pub(crate) enum Audience {
    All,
    /// Validators with an even index.
    Even,
    /// The others.
    Odd,
    One(usize),
    Nobody,
}

impl Audience {
    pub(crate) fn has(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Even => index.is_multiple_of(2),
            Self::Odd => !index.is_multiple_of(2),
            Self::One(only) => *only == index,
            Self::Nobody => false,
        }
    }
}

/// A false validator's second mind.
pub(crate) struct Liar {
    how: Misbehaviour,
    /// Of validators, from 1.
    number: u16,
    key: SigningKey,
    decode: DecodeContext,
    /// The same signing key with other secrets: whatever it deals is another story.
    twin: KeyHolder,
    twin_rng: ChaCha20Rng,
    second_story: Vec<Transaction>,
    hold: Hold,
    flooder: Option<Flooder>,
}

impl Liar {
    pub(crate) fn new(market: &Arc<Market>, plan: &Plan, index: usize, how: Misbehaviour) -> Self {
        let key = market.keys[index].clone();
        let flooder = match how {
            Misbehaviour::Flood(flood) => Some(Flooder::new(flood, market.clone(), plan.seed)),
            _ => None,
        };
        Self {
            how,
            number: index as u16 + 1,
            twin: KeyHolder::new(key.clone()),
            key,
            decode: market.decode,
            twin_rng: rng(plan.seed, 3),
            second_story: Vec::new(),
            hold: Hold::new(plan.epoch_blocks()),
            flooder,
        }
    }

    /// A block was applied: the twin deals as well.
    pub(crate) fn follow(&mut self, state: &State) {
        let deals = state.session().is_some_and(|session| session.phase() > Phase::Announcing);
        if self.how != Misbehaviour::TwoStories || !deals {
            return;
        }
        let owed = self.twin.act(state, &mut self.twin_rng).owed;
        self.second_story.extend(owed.into_iter().map(Transaction::from));
        if state.height().is_multiple_of(REPEAT_BLOCKS) {
            self.second_story.extend(self.twin.pending(state).into_iter().map(Transaction::from));
        }
        self.second_story.retain(|one| matches!(one, Transaction::KeyEvent { .. }));
    }

    /// What it says instead of what an honest core would say.
    pub(crate) fn gossip(
        &mut self,
        messages: Vec<Vec<u8>>,
        state: &State,
        now_ms: u64,
    ) -> Vec<(Vec<u8>, Audience)> {
        let mut said: Vec<(Vec<u8>, Audience)> = Vec::new();
        for message in messages {
            match wire::decode(&message, &self.decode) {
                Some(Message::Transaction(transaction)) => {
                    let audience = if self.how == Misbehaviour::TwoStories && self.deals(&transaction, state)
                    {
                        Audience::Even
                    } else {
                        Audience::All
                    };
                    let kept = self.changed(transaction, state);
                    said.extend(kept.map(|one| (wire::encode(&Message::Transaction(one)), audience)));
                }
                Some(Message::Share(sharing, share)) => {
                    let kept = self.changed(share, state);
                    said.extend(kept.map(|one| (wire::encode(&Message::Share(sharing, one)), Audience::All)));
                }
                None => said.push(self.passed_on(message)),
            }
        }
        let second = std::mem::take(&mut self.second_story).into_iter();
        said.extend(second.map(|one| (wire::encode(&Message::Transaction(one)), Audience::Odd)));
        if let Some(flooder) = &mut self.flooder {
            said.extend(flooder.says(state, now_ms).into_iter().map(|message| (message, Audience::All)));
        }
        said
    }

    /// Who is to hear of bids that members handed to it.
    fn passed_on(&mut self, bids: Vec<u8>) -> (Vec<u8>, Audience) {
        let audience = match self.how {
            Misbehaviour::Whisperer(told) => Audience::One(told),
            ref how if how.keeps_bids() => Audience::Nobody,
            _ => Audience::All,
        };
        if let Some(flooder) = &mut self.flooder {
            flooder.keeps(&bids);
        }
        (bids, audience)
    }

    /// The time at which it says that it proposes.
    pub(crate) fn clock_ms(&self, now_ms: u64) -> u64 {
        match self.how {
            Misbehaviour::FastLeader(_) => now_ms + TIMING.max_clock_skew_ms,
            _ => now_ms,
        }
    }

    /// Whether it keeps the block that it could propose now.
    pub(crate) fn holds_back(&mut self, block: &Block, now_ms: u64) -> bool {
        self.how == Misbehaviour::EpochsEnd && self.hold.keeps(block, now_ms)
    }

    /// Whether this block is to begin a round's grace early, as it ends an epoch.
    pub(crate) fn ends_epoch(&self, block: &Block) -> bool {
        self.how == Misbehaviour::EpochsEnd && self.hold.ends_epoch(block)
    }

    /// It has seen a block that may become final.
    pub(crate) fn sees(&mut self, block: &Block) {
        if let Some(flooder) = &mut self.flooder {
            flooder.sees(block);
        }
    }

    /// What it proposes instead of what an honest core would propose.
    pub(crate) fn block(&self, block: Block, state: &State) -> Block {
        let header = block.header;
        let (mut root, mut time_ms) = (header.prior_state_root, header.time_unix_ms);
        let mut transactions: Vec<Transaction> =
            block.transactions.into_iter().filter_map(|one| self.changed(one, state)).collect();
        match &self.how {
            Misbehaviour::InvalidBlocks(InvalidBlock::WrongRoot) => root[0] ^= 1,
            Misbehaviour::InvalidBlocks(InvalidBlock::RefusedTransaction) => {
                transactions.push(Transaction::CloseRound { round_id: NO_ROUND });
            }
            Misbehaviour::InvalidBlocks(InvalidBlock::BadShare) => transactions.push(self.bad_share(state)),
            Misbehaviour::InvalidBlocks(InvalidBlock::FromTheFuture) => time_ms += TOO_FAR_AHEAD_MS,
            Misbehaviour::InvalidBlocks(InvalidBlock::DueLeftOut) => transactions.retain(|one| !is_due(one)),
            how if how.keeps_bids() || *how == Misbehaviour::Censor => {
                transactions.retain(|one| !matches!(one, Transaction::Bids { .. }));
            }
            _ => {}
        }
        Block::new(header.height, header.parent_hash, time_ms, root, transactions)
    }

    /// What becomes of one of its own transactions; those of others stay.
    fn changed(&self, transaction: Transaction, state: &State) -> Option<Transaction> {
        match (&self.how, transaction) {
            (Misbehaviour::FalseShares, Transaction::OpeningShare { round_id, opening_index, mut share })
                if share.validator == self.number =>
            {
                share.response[0] ^= 1;
                Some(Transaction::OpeningShare { round_id, opening_index, share })
            }
            (Misbehaviour::SilentDealer, transaction) => {
                let own = event_of(&transaction, state).is_some_and(|event| self.speaks(&event));
                (!own).then_some(transaction)
            }
            (Misbehaviour::TamperedDelivery(victims), transaction) => {
                Some(self.tampered(transaction, victims, state))
            }
            (Misbehaviour::TwoDisputes(victim, accused), transaction) => {
                Some(self.complained(self.tampered(transaction, &[*victim], state), *accused, state))
            }
            (_, transaction) => Some(transaction),
        }
    }

    fn deals(&self, transaction: &Transaction, state: &State) -> bool {
        let event = event_of(transaction, state);
        event.is_some_and(|event| {
            matches!(event, Event::Package(_) | Event::Delivery(_)) && self.speaks(&event)
        })
    }

    /// Whether the event is its own.
    fn speaks(&self, event: &Event) -> bool {
        let speaker = match event {
            Event::Announcement(event) => event.receiver,
            Event::Package(package) => package.dealer(),
            Event::Delivery(event) => event.dealer,
            Event::Verdict(event) => event.receiver,
            Event::Answer(event) => event.shares.dealer,
        };
        speaker == self.number
    }

    /// Flips a bit of what is sealed for each of `victims`, and signs that.
    fn tampered(&self, transaction: Transaction, victims: &[u16], state: &State) -> Transaction {
        let Some(Event::Delivery(mut delivery)) = event_of(&transaction, state) else { return transaction };
        let Some(session) = state.session().filter(|_| delivery.dealer == self.number) else {
            return transaction;
        };
        for (_, sealed) in delivery.sealed.iter_mut().filter(|(receiver, _)| victims.contains(receiver)) {
            sealed[40] ^= 1;
        }
        // The same bytes whenever it is asked.
        delivery.sign(session.context(), &self.key, &mut rng(0, 4));
        let session = session.context().session;
        Transaction::KeyEvent { session, event: Event::Delivery(delivery).to_bytes() }
    }

    /// Complains about a dealer that was true to it, and signs that.
    fn complained(&self, transaction: Transaction, accused: u16, state: &State) -> Transaction {
        let Some(Event::Verdict(verdict)) = event_of(&transaction, state) else { return transaction };
        let running = state.session().filter(|_| verdict.receiver == self.number);
        // A complaint about a dealer that does not take part would be refused.
        let Some(session) = running.filter(|session| session.has_delivered(accused)) else {
            return transaction;
        };
        let mut complaints = verdict.complaints;
        complaints.push(accused);
        complaints.sort_unstable();
        complaints.dedup();
        // The same bytes whenever it is asked.
        let (context, mut rng) = (session.context(), rng(0, 5));
        let verdict = Verdict::sign(context, self.number, complaints, &self.key, &mut rng);
        Transaction::KeyEvent { session: context.session, event: Event::Verdict(verdict).to_bytes() }
    }

    fn bad_share(&self, state: &State) -> Transaction {
        let round_id = state.last_round_id().unwrap_or(1);
        let share =
            OpeningShare { validator: self.number, point: [0; 32], challenge: [0; 32], response: [0; 32] };
        Transaction::OpeningShare { round_id, opening_index: 0, share }
    }
}

fn is_due(transaction: &Transaction) -> bool {
    matches!(
        transaction,
        Transaction::OpenRound { .. } | Transaction::CloseRound { .. } | Transaction::Void { .. }
    )
}

/// The event of a transaction of the session in progress.
fn event_of(transaction: &Transaction, state: &State) -> Option<Event> {
    let Transaction::KeyEvent { session, event } = transaction else { return None };
    let running = state.session().filter(|running| running.context().session == *session)?;
    Event::from_bytes(event, running.context()).ok()
}
