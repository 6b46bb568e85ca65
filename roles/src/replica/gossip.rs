//! Gossip among validators: its wire form, and what of its own pool is still to be sent.
//!
//! ```text
//! version u8 ‖ 0 ‖ round id u64 ‖ count u32 ‖ bids         bids of one round
//! version u8 ‖ 1 ‖ transaction                             a key event, a change of validators
//! version u8 ‖ 2 ‖ sharing u64 ‖ transaction               a share, and the key session that it was made with
//! ```
//!
//! A validator sends what has come to it from outside, to all others at once, and once however often it is offered. It
//! does so too when the same came by gossip before: that may have been told to it alone, and what it acknowledges it has
//! to bring in by itself. What only came by gossip is never sent on, so that a message causes no echo: a bid is sent by
//! as many validators as members have handed it to. What is not on the ledger some blocks later is sent again: that
//! repairs loss, and serves validators that were away.

use super::item::{Item, MAX_GOSSIP_BYTES, OpeningId};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction, TransactionKind};

/// What is not on the ledger after this many blocks is sent again ...
const REPEAT_AFTER_BLOCKS: u64 = 8;

/// ... or after this much block time, in milliseconds.
const REPEAT_AFTER_MS: u64 = 2_000;

const VERSION: u8 = 1;
const BIDS: u8 = 0;
const TRANSACTION: u8 = 1;
const SHARE: u8 = 2;
const KEY_EVENT: u8 = TransactionKind::KeyEvent as u8;
/// Version, kind, round id, number of bids.
const BIDS_HEAD_BYTES: usize = 1 + 1 + 8 + 4;

/// How much a message may cost whoever gets it, told from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GossipClass {
    /// Shares and key events: one signature or one small proof each, and rounds and keys wait for them.
    Urgent,
    /// Everything else: many proofs in a message, or nobody knows what.
    Heavy,
}

impl GossipClass {
    /// The class of a message.
    pub fn of(message: &[u8]) -> Self {
        match message {
            [VERSION, SHARE, ..] | [VERSION, TRANSACTION, KEY_EVENT, ..] => Self::Urgent,
            _ => Self::Heavy,
        }
    }
}

/// A decoded message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Bids of one round.
    Bids {
        /// The round.
        round_id: u64,
        /// The bids, not verified.
        bids: Vec<SealedBid>,
    },
    /// One transaction.
    Transaction(Box<Transaction>),
    /// An opening share.
    Share {
        /// Number of the key session whose shares it was made with.
        sharing: u64,
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// The share, not verified.
        share: OpeningShare,
    },
}

/// Encodes bids of one round into as many messages as it takes.
pub(super) fn encode_bids(round_id: u64, shape: BidShape, bids: &[&SealedBid]) -> Vec<Vec<u8>> {
    let room = MAX_GOSSIP_BYTES.saturating_sub(BIDS_HEAD_BYTES);
    let fit = room.checked_div(shape.bid_bytes()).unwrap_or(0).max(1);
    bids.chunks(fit)
        .map(|chunk| {
            let mut w = Writer::new();
            w.u8(VERSION).u8(BIDS).u64(round_id).length(chunk.len());
            for bid in chunk {
                w.bytes(&bid.to_bytes());
            }
            w.finish()
        })
        .collect()
}

/// Encodes a transaction; none when it does not fit a message. It then waits for its own validator's turn to propose.
pub(super) fn encode_transaction(transaction: &Transaction) -> Option<Vec<u8>> {
    let mut w = Writer::new();
    w.u8(VERSION).u8(TRANSACTION).bytes(&transaction.to_bytes());
    let message = w.finish();
    (message.len() <= MAX_GOSSIP_BYTES).then_some(message)
}

/// Encodes a share.
pub(super) fn encode_share(opening: &OpeningId, share: OpeningShare) -> Vec<u8> {
    let OpeningId { sharing, round_id, opening_index } = *opening;
    let mut w = Writer::new();
    w.u8(VERSION).u8(SHARE).u64(sharing);
    w.bytes(&Transaction::OpeningShare { round_id, opening_index, share }.to_bytes());
    w.finish()
}

/// Decodes a message.
pub(super) fn decode(message: &[u8], context: &DecodeContext) -> Result<Message, WireError> {
    let mut r = Reader::new(message);
    if r.u8("gossip version")? != VERSION {
        return Err(WireError::Invalid { field: "gossip version", why: "this program reads version 1" });
    }
    match r.u8("gossip kind")? {
        BIDS => {
            let DecodeContext::Rounds { shape, max_bids } = context else {
                return Err(WireError::Invalid { field: "gossip kind", why: "the ledger has no bids yet" });
            };
            let round_id = r.u64("round id")?;
            let count = r.length("bids", *max_bids as usize, shape.bid_bytes())?;
            let bids = (0..count).map(|_| SealedBid::read(&mut r, *shape)).collect::<Result<_, _>>()?;
            r.finish()?;
            Ok(Message::Bids { round_id, bids })
        }
        TRANSACTION => {
            let bytes = r.bytes("transaction", r.remaining())?;
            Ok(Message::Transaction(Box::new(Transaction::from_bytes(bytes, context)?)))
        }
        SHARE => {
            let sharing = r.u64("sharing")?;
            let bytes = r.bytes("opening share", r.remaining())?;
            let Transaction::OpeningShare { round_id, opening_index, share } =
                Transaction::from_bytes(bytes, context)?
            else {
                return Err(WireError::Invalid { field: "gossip kind", why: "it holds no opening share" });
            };
            Ok(Message::Share { sharing, round_id, opening_index, share })
        }
        _ => Err(WireError::Invalid { field: "gossip kind", why: "the format has no such message" }),
    }
}

/// What this validator has to send, and when it sent it.
#[derive(Default)]
pub(super) struct Outbox {
    /// Height and time of the final block at the last sending; none when it is to be sent.
    items: BTreeMap<Item, Option<(u64, u64)>>,
    /// Whether anything is to be sent, so that asking costs nothing when nothing is.
    waiting: bool,
}

impl Outbox {
    /// Number of entries, sent or not.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Takes up what is pooled and not the outbox's business yet. What is there already is not sent again for it.
    pub(super) fn add(&mut self, item: Item) {
        if let Entry::Vacant(entry) = self.items.entry(item) {
            entry.insert(None);
            self.waiting = true;
        }
    }

    /// What is to be sent now; it counts as sent at this state.
    pub(super) fn take(&mut self, at: &State) -> Vec<Item> {
        if !std::mem::take(&mut self.waiting) {
            return Vec::new();
        }
        let sent = Some((at.height(), at.time_unix_ms()));
        let waiting = self.items.iter_mut().filter(|(_, last)| last.is_none());
        waiting
            .map(|(item, last)| {
                *last = sent;
                *item
            })
            .collect()
    }

    /// Follows the ledger: forgets what has left the pool, and lets what is still there be sent again in due time.
    pub(super) fn follow(&mut self, at: &State, is_pooled: impl Fn(&Item) -> bool) {
        self.items.retain(|item, _| is_pooled(item));
        for last in self.items.values_mut() {
            let due = last.is_none_or(|(height, time_unix_ms)| {
                at.height().saturating_sub(height) >= REPEAT_AFTER_BLOCKS
                    || at.time_unix_ms().saturating_sub(time_unix_ms) >= REPEAT_AFTER_MS
            });
            if due {
                *last = None;
                self.waiting = true;
            }
        }
    }
}
