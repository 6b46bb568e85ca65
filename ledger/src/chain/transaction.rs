//! The transactions of a ledger and their one canonical encoding.

use crate::genesis::Genesis;
use crate::hash::{Hash, hash};
use crate::members::offices::KeyReplacement;
use crate::members::order::RegistrarOrder;
use crate::money::claims::Claims;
use crate::money::treasury::TreasuryOrder;
use crate::money::withdrawal::Withdrawal;
use crate::roster::RosterChange;
use crate::rounds;
use core::fmt;
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::labels;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_market::Outcome;

/// Bytes of an encoded opening share.
pub const SHARE_BYTES: usize = 98;

/// One step of a ledger's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    /// The first transaction of block 0 and of no other.
    Genesis(Box<Genesis>),
    /// Opens a round for bids.
    OpenRound {
        /// Greater than every earlier round's.
        round_id: u64,
        /// Start of the delivery slot, seconds since 1970 UTC.
        slot_start_unix_s: i64,
        /// Length of the slot in seconds, the market's.
        slot_seconds: u32,
    },
    /// Sealed bids for an open round.
    Bids {
        /// The round.
        round_id: u64,
        /// The bids in the order in which they enter the tally.
        bids: Vec<SealedBid>,
    },
    /// Ends the bidding and freezes the set of bids.
    CloseRound {
        /// The round.
        round_id: u64,
    },
    /// A validator's share of the sum that the round waits for.
    OpeningShare {
        /// The round.
        round_id: u64,
        /// Number of the opening in the round, from 0.
        opening_index: u32,
        /// The share with its proof.
        share: OpeningShare,
    },
    /// The value of a sum for which enough shares are there.
    OpenedValue {
        /// The round.
        round_id: u64,
        /// Number of the opening in the round, from 0.
        opening_index: u32,
        /// The sum in Wh.
        value_wh: i64,
    },
    /// The result that follows from the opened values.
    Clear {
        /// The round.
        round_id: u64,
        /// Price, volume and rationing.
        outcome: Outcome,
    },
    /// Everybody's fill, each encrypted to its owner.
    Settle {
        /// The round.
        round_id: u64,
        /// Σ q_k·C_k of each bid, in the order of the bids.
        points: Vec<PointBytes>,
    },
    /// Ends a round without a result.
    Void {
        /// The round.
        round_id: u64,
        /// Why.
        reason: VoidReason,
    },
    /// A message of the key session in progress.
    KeyEvent {
        /// Number of the session.
        session: u64,
        /// The event, encoded; the session's context is needed to decode it.
        event: Vec<u8>,
    },
    /// Replaces the validators at the beginning of an epoch, once they hold shares.
    ChangeValidators(Box<RosterChange>),
    /// The registrar enrols, updates, suspends or takes out members: four kinds.
    Registrar(Box<RegistrarOrder>),
    /// Replaces the registrar's or the aggregator's keys: two kinds.
    ReplaceKeys(Box<KeyReplacement>),
    /// The treasury has received or paid out money: two kinds.
    Treasury(Box<TreasuryOrder>),
    /// A member takes money out.
    Withdraw(Box<Withdrawal>),
    /// Members put what their fills of a round are worth on their balances.
    Claims(Claims),
}

/// Why a round ends without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum VoidReason {
    /// Fewer bids than the market's minimum.
    TooFewBids,
    /// Its sums were not opened in time: too few validators released shares.
    OpeningDeadline,
    /// No block opened it in its time, because there were no keys yet. No transaction says so: the time does.
    NoKeys,
    /// No block opened it in its time: there was none, or too many rounds were active. No transaction says so either.
    NotOpened,
}

impl fmt::Display for VoidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooFewBids => "fewer bids than the market's minimum",
            Self::OpeningDeadline => "its sums were not opened before the deadline",
            Self::NoKeys => "nobody could bid: there were no keys yet while its bidding lasted",
            Self::NotOpened => "nobody could bid: no block opened it while its bidding lasted",
        })
    }
}

/// The kinds of [`Transaction`], for counts and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the transactions")]
pub enum TransactionKind {
    Genesis,
    OpenRound,
    Bids,
    CloseRound,
    OpeningShare,
    OpenedValue,
    Clear,
    Settle,
    Void,
    KeyEvent,
    ChangeValidators,
    Enrol,
    Update,
    Suspend,
    Leave,
    ReplaceRegistrar,
    ReplaceAggregator,
    Deposit,
    Paid,
    Withdraw,
    Claims,
}

impl fmt::Display for TransactionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Genesis => "genesis",
            Self::OpenRound => "open-round",
            Self::Bids => "bids",
            Self::CloseRound => "close-round",
            Self::OpeningShare => "opening-share",
            Self::OpenedValue => "opened-value",
            Self::Clear => "clear",
            Self::Settle => "settle",
            Self::Void => "void",
            Self::KeyEvent => "key-event",
            Self::ChangeValidators => "change-validators",
            Self::Enrol => "enrol",
            Self::Update => "update",
            Self::Suspend => "suspend",
            Self::Leave => "leave",
            Self::ReplaceRegistrar => "replace-registrar",
            Self::ReplaceAggregator => "replace-aggregator",
            Self::Deposit => "deposit",
            Self::Paid => "paid",
            Self::Withdraw => "withdraw",
            Self::Claims => "claims",
        })
    }
}

/// What a decoder has to know to frame transactions: bids have no length fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeContext {
    /// Nothing is known yet: only a genesis can be read.
    Genesis,
    /// Blocks after the genesis.
    Rounds {
        /// Lengths of a bid.
        shape: BidShape,
        /// Most bids of a round, the market's `max_members`.
        max_bids: u32,
    },
}

impl DecodeContext {
    /// The context of the blocks that follow this genesis.
    pub fn of(genesis: &Genesis) -> Self {
        Self::Rounds { shape: genesis.params.bid_shape(), max_bids: genesis.params.max_members }
    }
}

impl Transaction {
    /// The kind.
    pub fn kind(&self) -> TransactionKind {
        match self {
            Self::Genesis(_) => TransactionKind::Genesis,
            Self::OpenRound { .. } => TransactionKind::OpenRound,
            Self::Bids { .. } => TransactionKind::Bids,
            Self::CloseRound { .. } => TransactionKind::CloseRound,
            Self::OpeningShare { .. } => TransactionKind::OpeningShare,
            Self::OpenedValue { .. } => TransactionKind::OpenedValue,
            Self::Clear { .. } => TransactionKind::Clear,
            Self::Settle { .. } => TransactionKind::Settle,
            Self::Void { .. } => TransactionKind::Void,
            Self::KeyEvent { .. } => TransactionKind::KeyEvent,
            Self::ChangeValidators(_) => TransactionKind::ChangeValidators,
            Self::Registrar(order) => order.action.kind(),
            Self::ReplaceKeys(replacement) => replacement.keys.kind(),
            Self::Treasury(order) => order.action.kind(),
            Self::Withdraw(_) => TransactionKind::Withdraw,
            Self::Claims(_) => TransactionKind::Claims,
        }
    }

    /// The round that the transaction is about, if it is about one.
    pub fn round_id(&self) -> Option<u64> {
        match self {
            Self::Genesis(_)
            | Self::KeyEvent { .. }
            | Self::ChangeValidators(_)
            | Self::Registrar(_)
            | Self::ReplaceKeys(_)
            | Self::Treasury(_)
            | Self::Withdraw(_) => None,
            Self::OpenRound { round_id, .. }
            | Self::Bids { round_id, .. }
            | Self::CloseRound { round_id }
            | Self::OpeningShare { round_id, .. }
            | Self::OpenedValue { round_id, .. }
            | Self::Clear { round_id, .. }
            | Self::Settle { round_id, .. }
            | Self::Void { round_id, .. } => Some(*round_id),
            Self::Claims(claims) => Some(claims.round_id),
        }
    }

    /// Canonical encoding: the kind's number, then the fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.kind() as u8);
        match self {
            Self::Genesis(genesis) => genesis.write(&mut w),
            Self::KeyEvent { session, event } => {
                w.u64(*session).blob(event);
            }
            Self::ChangeValidators(change) => change.write(&mut w),
            Self::Registrar(order) => order.write(&mut w),
            Self::ReplaceKeys(replacement) => replacement.write(&mut w),
            Self::Treasury(order) => order.write(&mut w),
            Self::Withdraw(withdrawal) => withdrawal.write(&mut w),
            Self::Claims(claims) => claims.write(&mut w),
            Self::OpenRound { .. }
            | Self::Bids { .. }
            | Self::CloseRound { .. }
            | Self::OpeningShare { .. }
            | Self::OpenedValue { .. }
            | Self::Clear { .. }
            | Self::Settle { .. }
            | Self::Void { .. } => rounds::transactions::write(self, &mut w),
        }
        w.finish()
    }

    /// The digest that a block's body hash is made of. That of bids comes from the digests of the bids, so that their
    /// bodies can be pruned.
    pub fn digest(&self) -> Hash {
        match self {
            Self::Bids { round_id, bids } => bids_digest(*round_id, bids.iter().map(SealedBid::digest)),
            _ => hash(labels::LEDGER_TRANSACTION, &[&self.to_bytes()]),
        }
    }

    /// Decodes one transaction.
    ///
    /// # Errors
    /// Anything that is not the one canonical encoding, a genesis where none can be, and any other transaction where
    /// only a genesis can be.
    pub fn from_bytes(bytes: &[u8], context: &DecodeContext) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let kind = r.u8("transaction kind")?;
        let transaction = match context {
            DecodeContext::Genesis if kind == TransactionKind::Genesis as u8 => {
                Self::Genesis(Box::new(Genesis::read(&mut r)?))
            }
            DecodeContext::Rounds { shape, max_bids } => {
                read_later(&mut r, kind, *shape, *max_bids as usize)?
            }
            DecodeContext::Genesis => {
                let why = "a ledger begins with a genesis";
                return Err(WireError::Invalid { field: "transaction kind", why });
            }
        };
        r.finish()?;
        Ok(transaction)
    }
}

/// Digest of a transaction of bids with these digests.
pub(crate) fn bids_digest(round_id: u64, bids: impl Iterator<Item = Hash>) -> Hash {
    let digests: Vec<Hash> = bids.collect();
    hash(labels::LEDGER_BIDS, &[&round_id.to_le_bytes(), digests.as_flattened()])
}

/// Reads a transaction of any block but the first.
fn read_later(
    r: &mut Reader<'_>,
    kind: u8,
    shape: BidShape,
    max_bids: usize,
) -> Result<Transaction, WireError> {
    if kind == TransactionKind::Genesis as u8 || kind > TransactionKind::Claims as u8 {
        let why = "no transaction of a block after the first has this number";
        return Err(WireError::Invalid { field: "transaction kind", why });
    }
    if kind == TransactionKind::KeyEvent as u8 {
        let session = r.u64("key session")?;
        return Ok(Transaction::KeyEvent { session, event: r.blob("key event", r.remaining())?.to_vec() });
    }
    if kind == TransactionKind::ChangeValidators as u8 {
        return Ok(Transaction::ChangeValidators(Box::new(RosterChange::read(r)?)));
    }
    if (TransactionKind::Enrol as u8..=TransactionKind::Leave as u8).contains(&kind) {
        return Ok(Transaction::Registrar(Box::new(RegistrarOrder::read(r, kind)?)));
    }
    if kind == TransactionKind::ReplaceRegistrar as u8 || kind == TransactionKind::ReplaceAggregator as u8 {
        return Ok(Transaction::ReplaceKeys(Box::new(KeyReplacement::read(r, kind)?)));
    }
    if kind == TransactionKind::Deposit as u8 || kind == TransactionKind::Paid as u8 {
        return Ok(Transaction::Treasury(Box::new(TreasuryOrder::read(r, kind)?)));
    }
    if kind == TransactionKind::Withdraw as u8 {
        return Ok(Transaction::Withdraw(Box::new(Withdrawal::read(r)?)));
    }
    if kind == TransactionKind::Claims as u8 {
        return Ok(Transaction::Claims(Claims::read(r, max_bids)?));
    }
    rounds::transactions::read(r, kind, shape, max_bids)
}
