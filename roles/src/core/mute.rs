//! Validators that have sent something false, and until when their bids are not looked at.
//!
//! What is false costs its receiver a batch of proofs, and its sender nothing. So after the first such message of a
//! validator its bids, and all else that may be heavy, are dropped unread for [`MUTED_MS`] of block time. Its shares and
//! key events still come in: they cost little, rounds and keys may depend on them, and a rule can also be broken by
//! accident, such as a changed disk.

use std::collections::BTreeMap;

/// How long a validator is muted, in milliseconds of block time: as long as the engine refuses a peer that broke one of
/// its own rules.
pub const MUTED_MS: u64 = 60_000;

/// Most validators that are muted at a time. Only peers of the engine can be.
const MAX_MUTED: usize = 1_024;

/// Consensus keys, with the block time (Unix milliseconds) at which each is listened to again.
#[derive(Default)]
pub(super) struct Muted(BTreeMap<[u8; 32], u64>);

impl Muted {
    /// Whether the peer is muted at this block time.
    pub(super) fn has(&self, peer: &[u8; 32], now_unix_ms: u64) -> bool {
        self.0.get(peer).is_some_and(|until_unix_ms| now_unix_ms < *until_unix_ms)
    }

    /// Mutes a peer from this block time on.
    pub(super) fn mute(&mut self, peer: &[u8; 32], now_unix_ms: u64) {
        self.0.retain(|_, until_unix_ms| now_unix_ms < *until_unix_ms);
        if self.0.len() < MAX_MUTED {
            self.0.insert(*peer, now_unix_ms.saturating_add(MUTED_MS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_muted_for_a_while_and_nobody_else_is() {
        let mut muted = Muted::default();
        let [one, other] = [[1; 32], [2; 32]];
        assert!(!muted.has(&one, 5));
        muted.mute(&one, 5);
        assert!(muted.has(&one, 5) && muted.has(&one, 5 + MUTED_MS - 1) && !muted.has(&other, 5));
        assert!(!muted.has(&one, 5 + MUTED_MS));
        muted.mute(&other, 5 + MUTED_MS);
        assert_eq!(muted.0.len(), 1, "who is over is forgotten");
    }
}
