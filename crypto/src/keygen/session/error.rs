//! What can go wrong in a session, with the party that it is about, and what a session ends in.

use super::phase::Phase;
use crate::keygen::party::Party;
use crate::keygen::{KeyGenError, ThresholdKeys};
use crate::wire::WireError;
use thiserror::Error;

/// Why an event was refused. A refused event has no effect; deadlines that had passed before it do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Blocks come in order.
    #[error("the event is of height {height}, the session has seen height {seen}")]
    Height {
        /// Height of the event.
        height: u64,
        /// Last height.
        seen: u64,
    },
    /// A number that the session does not have.
    #[error("the session has no {party}")]
    UnknownParty {
        /// The party that the event names.
        party: Party,
    },
    /// Not signed by the party that the event names, or signed for another session or task.
    #[error("the event names {party} and does not carry its signature for this session")]
    Signature {
        /// The party that the event names; anybody can write a name.
        party: Party,
    },
    /// Before its phase.
    #[error("{party} is early: the event belongs to phase {due:?}, the session is in phase {phase:?}")]
    Early {
        /// The signer.
        party: Party,
        /// The phase of such events.
        due: Phase,
        /// The session's phase.
        phase: Phase,
    },
    /// After its phase.
    #[error("{party} is late: the event belongs to phase {due:?}, the session is in phase {phase:?}")]
    Late {
        /// The signer.
        party: Party,
        /// The phase of such events.
        due: Phase,
        /// The session's phase.
        phase: Phase,
    },
    /// The second event of its kind from its signer; the first one counts.
    #[error("{party} has sent such an event before; the first one counts")]
    Repeated {
        /// The signer.
        party: Party,
    },
    /// A one-time key that is no key.
    #[error("receiver {receiver} announced a key that cannot be used: {source}")]
    OneTimeKey {
        /// The signer.
        receiver: u16,
        /// What is wrong with it.
        source: WireError,
    },
    /// The dealer has been excluded before.
    #[error("dealer {dealer} is excluded from the session")]
    Excluded {
        /// The signer.
        dealer: u16,
    },
    /// A delivery without a package before it.
    #[error("dealer {dealer} delivers shares of a package that is not on the ledger")]
    NoPackage {
        /// The signer.
        dealer: u16,
    },
    /// A verdict of a receiver that announced no key, so nothing was sealed for it.
    #[error("receiver {receiver} announced no key and has nothing to judge")]
    NothingSealed {
        /// The signer.
        receiver: u16,
    },
    /// A complaint about a dealer that delivered nothing or is excluded, twice the same, or not in rising order.
    #[error(
        "receiver {receiver} cannot complain about dealer {dealer}: it takes no part, or is named out of order"
    )]
    Complaint {
        /// The signer.
        receiver: u16,
        /// The dealer complained about.
        dealer: u16,
    },
    /// An answer that nobody asked for. It is refused before anything is read from it, yet its shares are public.
    #[error("dealer {dealer} answers a complaint of receiver {receiver} that is not open")]
    NoComplaint {
        /// The signer.
        dealer: u16,
        /// The receiver of the shares.
        receiver: u16,
    },
}

impl Refusal {
    /// Who is to blame: the signer, once its signature has been checked.
    pub fn culprit(&self) -> Option<Party> {
        match *self {
            Self::Height { .. } | Self::UnknownParty { .. } | Self::Signature { .. } => None,
            Self::Early { party, .. } | Self::Late { party, .. } | Self::Repeated { party } => Some(party),
            Self::OneTimeKey { receiver, .. }
            | Self::NothingSealed { receiver }
            | Self::Complaint { receiver, .. } => Some(Party::Receiver(receiver)),
            Self::Excluded { dealer } | Self::NoPackage { dealer } | Self::NoComplaint { dealer, .. } => {
                Some(Party::Dealer(dealer))
            }
        }
    }
}

/// What an accepted event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It counts.
    Accepted,
    /// It is signed and false: its dealer is excluded ([`super::Session::dealer_faults`] tells why).
    Excluded {
        /// The dealer.
        dealer: u16,
    },
}

/// Why a dealer is excluded. It still receives shares.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DealerFault {
    /// No package before the deadline.
    #[error("published no package in time")]
    NoPackage,
    /// A package and no delivery before the deadline.
    #[error("delivered no shares in time")]
    NoDelivery,
    /// A package that does not hold.
    #[error("published a false package: {0}")]
    Package(KeyGenError),
    /// A delivery of another package than the published one.
    #[error("delivered shares of another package than it published")]
    OtherPackage,
    /// A delivery that is not for exactly the receivers that announced a key, or of a wrong length.
    #[error("delivered to other receivers than those that announced a key, or a wrong length")]
    Receivers,
    /// More receivers complain than can be false.
    #[error("{complaints} receivers complain, more than can be false")]
    Accused {
        /// Number of complaints.
        complaints: usize,
    },
    /// A complaint without answer before the deadline.
    #[error("left the complaint of receiver {receiver} unanswered")]
    Unanswered {
        /// The first receiver without an answer.
        receiver: u16,
    },
    /// An answer that does not match the commitments.
    #[error("answered the complaint of receiver {receiver} with a false share of key {key}")]
    FalseAnswer {
        /// The receiver that complained.
        receiver: u16,
        /// The first key with a false share.
        key: u32,
    },
}

/// Why a receiver does not count as one that has its shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiverFault {
    /// No one-time key before the deadline: nothing could be sealed for it.
    #[error("announced no key in time")]
    NoKey,
    /// No acknowledgement and no complaint before the deadline.
    #[error("neither acknowledged its shares nor complained in time")]
    NoVerdict,
    /// It complains about more dealers than can be false; its complaints do not count.
    #[error("complains about {complaints} dealers, more than can be false")]
    FalseComplaints {
        /// Number of complaints about dealers that are not convicted themselves.
        complaints: usize,
    },
}

/// What everybody agrees on at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The keys and share keys.
    pub public: ThresholdKeys,
    /// The dealers whose sharings are in the shares, in rising order: all that qualified, or the first t of them in a
    /// resharing.
    pub dealers: Vec<u16>,
    /// The excluded dealers.
    pub dealer_faults: Vec<(u16, DealerFault)>,
    /// The receivers that did not take part.
    pub receiver_faults: Vec<(u16, ReceiverFault)>,
}

/// Why a session ended without keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AbortReason {
    /// Less receivers than must be able to open.
    #[error(
        "{found} receivers take part, at least {needed} are needed; start a new session when more are there"
    )]
    TooFewReceivers {
        /// Receivers that take part.
        found: usize,
        /// t'.
        needed: u16,
    },
    /// Less dealers than the threshold.
    #[error("{found} dealers qualify, at least {needed} are needed; start a new session")]
    TooFewDealers {
        /// Dealers that qualify.
        found: usize,
        /// t.
        needed: u16,
    },
    /// More shares of one dealer were revealed than may be. Of each pair one party is false.
    #[error("a dealer has revealed more than {allowed} shares; of each pair one is false: {disputes:?}")]
    TooManyReveals {
        /// Dealer and receiver of each revealed share.
        disputes: Vec<(u16, u16)>,
        /// f'.
        allowed: u16,
    },
    /// The sum of the sharings gives unusable keys.
    #[error("{0}")]
    Keys(KeyGenError),
}

/// A session that ended without keys. Nothing that it dealt may be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the session is aborted: {reason}")]
pub struct Abort {
    /// Why.
    pub reason: AbortReason,
    /// The dealers known to be false or silent.
    pub dealer_faults: Vec<(u16, DealerFault)>,
    /// The receivers known to be false or silent.
    pub receiver_faults: Vec<(u16, ReceiverFault)>,
}
