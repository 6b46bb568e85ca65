//! How a validator is false.

/// How a validator is false for the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Votes for two blocks wherever it can, and is silent after the first epoch.
    DoubleVoter,
    /// Proposes blocks that the rules refuse.
    InvalidBlocks(InvalidBlock),
    /// Leaves all bids out of the blocks that it proposes, which no rule forbids.
    Censor,
    /// Censors, and tells bids that members hand to it to the validator with this index alone. Members go to that one next.
    Whisperer(usize),
    /// Censors and tells nobody of bids. It holds the last block of an epoch back until it begins a round's grace, when it
    /// leads the next epoch's first block too.
    EpochsEnd,
    /// Censors and tells nobody of bids; the times of its blocks are as far ahead as voters allow. Members bid around the
    /// close, and come to it first, then to the honest validator with this index, whose clock is slow.
    FastLeader(usize),
    /// Censors, tells nobody of bids, and sends at the rate that the network allows.
    Flood(Flood),
    /// Its opening shares are false, in gossip and in the blocks that it proposes.
    FalseShares,
    /// Deals twice and tells each validator one of the two stories.
    TwoStories,
    /// Seals false shares for these receivers (numbers from 1), under its signature.
    TamperedDelivery(Vec<u16>),
    /// Seals false shares for the first of these receivers and complains about the second one as dealer, which is honest
    /// (numbers from 1): two disputes in every session, in which nobody can be convicted.
    TwoDisputes(u16, u16),
    /// Takes part in consensus and says nothing in key sessions.
    SilentDealer,
}

impl Misbehaviour {
    /// Whether it leaves bids out of its blocks, and keeps those that are handed to it from others or from most of them.
    pub(crate) fn keeps_bids(&self) -> bool {
        matches!(self, Self::Whisperer(_) | Self::EpochsEnd | Self::FastLeader(_) | Self::Flood(_))
    }
}

/// What a validator floods the others with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// What is no message.
    Garbage,
    /// Bids with false signatures, while members are promised their places; then everything.
    Signatures,
    /// The same with false proofs, which members have signed that are false as well.
    ProofsAtPromises,
    /// The same when shares of the first opening are awaited.
    ProofsAtOpenings,
    /// True bids, again and again.
    Repetitions,
}

/// What is wrong with a proposed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidBlock {
    /// Another state root than its parent's.
    WrongRoot,
    /// A transaction that the state refuses.
    RefusedTransaction,
    /// A false opening share at the end.
    BadShare,
    /// A time that is further ahead than voters allow.
    FromTheFuture,
    /// What its time makes due is left out.
    DueLeftOut,
}
