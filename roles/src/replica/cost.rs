//! What gossip costs.

/// What the bids of other validators' gossip have cost since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct GossipWork {
    /// Bids whose signatures were checked.
    pub signatures: u64,
    /// Bids whose proofs were verified after that.
    pub proofs: u64,
    /// Of those the ones in messages that were false.
    pub false_proofs: u64,
    /// Messages that were their sender's fault.
    pub false_messages: u64,
}
