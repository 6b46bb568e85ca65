//! Why a block gets no vote, an offer is not taken, and a gossip message is a peer's fault.

use super::pool::money::MAX_CLAIMS_AT_ONCE;
use thiserror::Error;
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::keygen;
use veilgrid_crypto::opening::ShareFault;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::refusal::{Account, BlockError, Refusal};
use veilgrid_ledger::roster::RosterError;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::transaction::TransactionKind;

/// Why a block gets no vote. The rule stands above each variant in quotation marks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VoteRefusal {
    /// "A block is executed on the state after its parent." The parent has to be learnt first.
    #[error("block {height}: its parent {} was not executed here", hex8(.parent))]
    UnknownParent {
        /// The block's height.
        height: u64,
        /// The parent that it names.
        parent: Hash,
    },
    /// "Block time is near to the voters' clocks."
    #[error(
        "block {height}: its time {block_unix_ms} ms is more than {skew_ms} ms away from {now_unix_ms} ms; \
         check the clocks of this validator and of the proposer"
    )]
    Clock {
        /// The block's height.
        height: u64,
        /// Block time, milliseconds since 1970 UTC.
        block_unix_ms: u64,
        /// The voter's clock, milliseconds since 1970 UTC.
        now_unix_ms: u64,
        /// Allowed difference, milliseconds.
        skew_ms: u64,
    },
    /// "A block fits the network's bound."
    #[error("block {height} has {bytes} bytes, {bound} are allowed")]
    TooLarge {
        /// The block's height.
        height: u64,
        /// Encoded length.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// "Header, body, structure and proofs are right."
    #[error("{0}")]
    Block(Box<BlockError>),
    /// "A block begins with what its time makes due."
    #[error("block {height}: a transaction of kind {missing} is due at position {position} and is not there")]
    DueMissing {
        /// The block's height.
        height: u64,
        /// Where it has to stand, from 0.
        position: usize,
        /// What is due.
        missing: TransactionKind,
    },
    /// "No transaction of a block is refused."
    #[error("block {height}, transaction {position}: {refusal}")]
    Refused {
        /// The block's height.
        height: u64,
        /// Position of the first refused transaction, from 0.
        position: usize,
        /// The rule that it breaks.
        refusal: Box<Refusal>,
    },
}

impl From<BlockError> for VoteRefusal {
    fn from(error: BlockError) -> Self {
        Self::Block(Box::new(error))
    }
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is in the pool now.
    New,
    /// It was in the pool or on the ledger before.
    Known,
}

/// Why an offer does not enter the pool.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OfferRefusal {
    /// The transaction is of a kind that validators derive or that has its own way in.
    #[error("a transaction of kind {found} is not offered, or not this way")]
    Kind {
        /// The kind.
        found: TransactionKind,
    },
    /// More claims at once than are taken from outside.
    #[error("{found} claims at once: send at most {MAX_CLAIMS_AT_ONCE}")]
    ManyClaims {
        /// How many.
        found: usize,
    },
    /// Bids for a round that takes none now.
    #[error("round {round_id} takes no bids now")]
    NotOpen {
        /// The round.
        round_id: u64,
    },
    /// The ledger has no keys yet.
    #[error("the ledger has no keys yet: wait until its key session has ended")]
    NoKeys,
    /// A rule of the ledger about who may bid: membership, one bid per account and round, no R twice. By the pool too.
    #[error("{0}")]
    Ledger(Box<Refusal>),
    /// The pool has enough bids of this account in this round.
    #[error("round {round_id}: other bids of account {account} wait already")]
    AccountFull {
        /// The round.
        round_id: u64,
        /// The bidder.
        account: Account,
    },
    /// The pool is full; for a bid, its round's part of it.
    #[error("the pool is full ({bytes} of {bound} bytes): try again later")]
    PoolFull {
        /// Bytes that are in it: of bids those of the same round.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// As many bids of the round wait as the blocks of its grace hold for sure.
    #[error("round {round_id}: {bytes} bytes of bids wait for blocks, {bound} fit for sure: try again later")]
    Backlog {
        /// The round.
        round_id: u64,
        /// Bytes of its bids that wait.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// Proof or signature of the bid is false.
    #[error("round {round_id}: the bid of account {account} is invalid: {fault}")]
    BidInvalid {
        /// The round.
        round_id: u64,
        /// The account that the bid names.
        account: Account,
        /// What is wrong.
        fault: BidFault,
    },
    /// A share of an opening that is over, or of one too far ahead.
    #[error("round {round_id} does not wait for a share of opening {opening_index}")]
    ShareNotAwaited {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
    },
    /// A share under a number that no validator has.
    #[error("round {round_id}, opening {opening_index}: there is no validator {validator}")]
    UnknownValidator {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// The number.
        validator: u16,
    },
    /// The share's proof is false.
    #[error("round {round_id}, opening {opening_index}: {fault}")]
    ShareFalse {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// What is false, with the validator.
        fault: ShareFault,
    },
    /// The validator has sent a false share of this opening before.
    #[error("round {round_id}, opening {opening_index}: validator {validator} has sent a false share before")]
    Culprit {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// The validator.
        validator: u16,
    },
    /// No key session is in progress, or another one.
    #[error("no key session of number {session} is in progress")]
    NoSession {
        /// The session that the event names.
        session: u64,
    },
    /// The key event is no event of the session.
    #[error("key event: {0}")]
    EventMalformed(WireError),
    /// The session refuses the key event.
    #[error("key event: {0}")]
    EventRefused(keygen::Refusal),
    /// The pool has enough events of this party.
    #[error("other key events of {party} wait already")]
    PartyFull {
        /// The signer.
        party: keygen::Party,
    },
    /// The change of validators is not valid now.
    #[error("change of validators: {0}")]
    Change(#[from] RosterError),
    /// The ledger does not take the registrar's order, or the replacement of keys, now.
    #[error("{0}")]
    Members(#[from] MembersRefusal),
    /// The ledger does not take an order of the treasury, a withdrawal or a claim now.
    #[error("{0}")]
    Money(#[from] MoneyRefusal),
}

impl From<Refusal> for OfferRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Ledger(Box::new(refusal))
    }
}

impl OfferRefusal {
    /// Whether whoever sent it could have known better: nobody honest hands such a thing on.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Kind { .. }
            | Self::BidInvalid { .. }
            | Self::UnknownValidator { .. }
            | Self::EventMalformed(_)
            | Self::ShareFalse { .. } => true,
            Self::Ledger(refusal) => matches!(**refusal, Refusal::Rounds(RoundRefusal::NotAMember { .. })),
            Self::EventRefused(refusal) => {
                use keygen::Refusal::{Signature, UnknownParty};
                matches!(refusal, Signature { .. } | UnknownParty { .. })
            }
            // The rest may be late, early, or seen from another height.
            _ => false,
        }
    }
}

/// Why a gossip message is its sender's fault. Late, early and repeated messages are not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GossipFault {
    /// Longer than a message may be.
    #[error("the message has {bytes} bytes, {} are allowed", super::item::MAX_GOSSIP_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// No message of this format.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] WireError),
    /// The sender is no validator of this ledger.
    #[error("the sender is not a validator of the current roster")]
    Stranger,
    /// A share under the number of another validator. Validators send their shares themselves.
    #[error("the message holds a share of validator {validator}, the sender is validator {sender}")]
    NotTheOwner {
        /// Whose share it claims to be.
        validator: u16,
        /// Who sent it.
        sender: u16,
    },
    /// "An account has a few bids in a round, and a message holds each once." The pool of whoever is honest holds no more.
    #[error("the message holds too many bids of account {account} in round {round_id}, or one of them twice")]
    Crowded {
        /// The round.
        round_id: u64,
        /// The bidder.
        account: Account,
    },
    /// "Whoever sends bids has verified them." Which ones are false is not searched for.
    #[error("not all proofs of the message's {bids} bids of round {round_id} hold")]
    FalseProofs {
        /// The round.
        round_id: u64,
        /// How many bids were verified together.
        bids: usize,
    },
    /// Something in the message is false.
    #[error("{count} entries of the message are false, the first one: {first}")]
    False {
        /// How many.
        count: usize,
        /// The first one's fault.
        first: OfferRefusal,
    },
}

impl GossipFault {
    /// Whether its sender is not listened to for a while. Who has which number is seen from different heights, so what
    /// depends on that is not enough.
    pub fn mutes(&self) -> bool {
        !matches!(self, Self::Stranger | Self::NotTheOwner { .. })
    }
}

pub(super) fn hex8(bytes: &[u8; 32]) -> String {
    bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
