//! What a transaction or a block has done, for those who act on it: intake, validators, members, the audit's counts.

use super::round::{OpenedSum, Slot};
use crate::hash::Hash;
use crate::members::order::AccountNumber;
use crate::money::treasury::TreasuryAction;
use crate::money::withdrawal::WithdrawalTerms;
use crate::refusal::Refusal;
use crate::transaction::{TransactionKind, VoidReason};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::Task;
use veilgrid_market::{Outcome, SumRequest};

/// The effects of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEffects {
    /// The block's height.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash,
    /// The state root after it, which the next block's header carries.
    pub state_root: Hash,
    /// What the height and the time do before any transaction.
    pub at_start: Vec<Effect>,
    /// One effect a transaction, in order.
    pub effects: Vec<Effect>,
}

impl BlockEffects {
    /// All effects: of height and time first, then of the transactions.
    pub fn all(&self) -> impl Iterator<Item = &Effect> + Clone {
        self.at_start.iter().chain(&self.effects)
    }

    /// [`Self::all`] as owned values.
    pub fn into_all(self) -> impl Iterator<Item = Effect> {
        self.at_start.into_iter().chain(self.effects)
    }
}

impl Effect {
    /// The round that this ends, with a result or without one; rounds that were passed over were never there.
    pub fn ended_round(&self) -> Option<u64> {
        match self {
            Self::Settled(settled) => Some(settled.round_id),
            Self::Voided { round_id, .. } => Some(*round_id),
            _ => None,
        }
    }
}

/// The effect of a transaction, or of a height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Bids may come.
    RoundOpened {
        /// The round.
        round_id: u64,
        /// What it trades.
        slot: Slot,
    },
    /// Bids are in the tally.
    BidsAccepted {
        /// The round.
        round_id: u64,
        /// The bids in ledger order.
        bids: Vec<AcceptedBid>,
    },
    /// The set of bids is frozen.
    RoundClosed {
        /// The round.
        round_id: u64,
        /// Number of bids.
        bids: u64,
        /// Digest of the set.
        bid_set: Hash,
    },
    /// A share is in.
    ShareAccepted {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// Whose share.
        validator: u16,
    },
    /// A sum is open.
    ValueOpened {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// Which sum.
        request: SumRequest,
        /// Its value in Wh.
        value_wh: i64,
    },
    /// The outcome is fixed.
    Cleared {
        /// The round.
        round_id: u64,
        /// The outcome.
        outcome: Outcome,
    },
    /// The round is finished.
    Settled(SettledRound),
    /// The round is finished without a result.
    Voided {
        /// The round.
        round_id: u64,
        /// Why.
        reason: VoidReason,
        /// Number of bids.
        bids: u64,
    },
    /// The time of these rounds has passed and no block has opened them: they are void without a bid.
    PassedOver(PassedRounds),
    /// The transaction broke this rule and had no effect.
    Refused(Box<Refusal>),
    /// A key session has begun.
    SessionStarted {
        /// Its number.
        session: u64,
        /// What it deals.
        task: Task,
    },
    /// A message of the key session counts.
    KeyEventAccepted {
        /// The session.
        session: u64,
        /// The dealer that the message excludes: it signed something false.
        excluded: Option<u16>,
    },
    /// A key session has ended in keys, the same for everybody.
    KeysAgreed {
        /// The session.
        session: u64,
        /// What it dealt.
        task: Task,
        /// Digest of keys and share keys.
        keys_digest: Hash,
        /// How many validators dealt or were to.
        dealers: u16,
        /// Dealers that were false or silent.
        excluded: Vec<u16>,
        /// Receivers without shares of their own.
        lacking: Vec<u16>,
    },
    /// A key session has ended without keys.
    KeysAborted {
        /// The session.
        session: u64,
        /// What it dealt.
        task: Task,
        /// Why.
        reason: String,
    },
    /// From here on the shares of this session open sums.
    KeysInForce {
        /// The session.
        session: u64,
    },
    /// Other validators are asked for.
    ValidatorsProposed {
        /// How many.
        validators: u16,
        /// Digest of their roster.
        roster_digest: Hash,
    },
    /// Other validators are in force.
    ValidatorsChanged {
        /// The first epoch of theirs.
        epoch: u64,
        /// How many they are.
        validators: u16,
    },
    /// Members were enrolled, updated, suspended or have left, for rounds that open from here on.
    MembersChanged {
        /// Number of the registrar's order.
        sequence: u64,
        /// Enrol, update, suspend or leave.
        kind: TransactionKind,
        /// The accounts, in the order in which they were named.
        accounts: Vec<AccountNumber>,
    },
    /// The treasury has received or paid out money.
    TreasuryActed {
        /// Number of its order.
        sequence: u64,
        /// What it said.
        action: TreasuryAction,
    },
    /// A member has taken money out.
    Withdrawn {
        /// Account, debit sequence, amount, reference.
        terms: WithdrawalTerms,
    },
    /// Fills of a round are on their owners' balances.
    Claimed {
        /// The round.
        round_id: u64,
        /// The accounts in rising order.
        accounts: Vec<AccountNumber>,
    },
    /// Validators have put a fill on its owner's balance, who did not in time.
    ClaimedByValidators {
        /// The round.
        round_id: u64,
        /// The account.
        account: AccountNumber,
    },
    /// The registrar or the aggregator has other keys.
    KeysReplaced {
        /// Whose they are.
        kind: TransactionKind,
    },
}

/// Rounds that no block opened in their time, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PassedRounds {
    /// The first one.
    pub first_round_id: u64,
    /// The last one, not before the first.
    pub last_round_id: u64,
    /// Why: [`VoidReason::NoKeys`] or [`VoidReason::NotOpened`].
    pub reason: VoidReason,
}

impl PassedRounds {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.last_round_id.saturating_sub(self.first_round_id).saturating_add(1)
    }

    /// Whether this round is one of them.
    pub fn contains(&self, round_id: u64) -> bool {
        (self.first_round_id..=self.last_round_id).contains(&round_id)
    }
}

/// A bid that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedBid {
    /// The bidder.
    pub account: PointBytes,
    /// Digest of the bid.
    pub bid_digest: Hash,
}

/// A settled round. The state forgets it except for the digest of finished rounds; whoever needs it keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRound {
    /// The round.
    pub round_id: u64,
    /// What was traded.
    pub slot: Slot,
    /// The opened sums.
    pub opened: Vec<OpenedSum>,
    /// The outcome.
    pub outcome: Outcome,
    /// The bids in ledger order.
    pub bids: Vec<SettledBid>,
}

/// What is left of a bid after its settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledBid {
    /// The bidder.
    pub account: PointBytes,
    /// Digest of the bid.
    pub bid_digest: Hash,
    /// R of the bid.
    pub r: PointBytes,
    /// Σ q_k·C_k: with R a ciphertext of the fill in Wh/2^16.
    pub settlement_point: PointBytes,
}
