//! Rules that a plan undoes: tests see that an attacker finds the gap. Most are undone from outside of the validator that
//! keeps them; [`Rule::Queues`] is in the engine's own simulation.

use crate::market::TIMING;
use crate::plan::Plan;
use crate::wire;
use std::collections::BTreeSet;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::DecodeContext;
use veilgrid_roles::replica::GossipClass;

/// A rule of the validators that is undone above them, to see that a run without it breaks a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// What is acknowledged is sent on, though it came by gossip before.
    SentOn,
    /// Nothing is promised from two skews before the close on.
    LastPromise,
    /// Who has sent something false is not listened to for a while.
    Muting,
    /// Shares and key events do not wait behind bids.
    Lanes,
    /// Who sends more than is handled fills its own queue and nobody else's.
    Queues,
    /// The grace has f blocks more when an epoch of the engine ends among its blocks.
    GraceOverEpochs,
}

/// Blocks of an engine's epoch with [`Rule::GraceOverEpochs`] undone. The ledger's have more: it does not know that leaders
/// begin anew, so a grace over that has f + 1 blocks, and intakes reckon with as many. As in the ledger's epochs, whoever
/// leads the last block can lead the next epoch's first.
const UNSEEN_EPOCH_BLOCKS: u64 = 26;

impl Plan {
    /// Blocks of an epoch of the engine: the ledger's.
    pub(crate) fn epoch_blocks(&self) -> u64 {
        if self.undone == Some(Rule::GraceOverEpochs) { UNSEEN_EPOCH_BLOCKS } else { TIMING.epoch_blocks }
    }

    /// The ledger's epoch in which one of the engine begins.
    pub(crate) fn ledger_epoch(&self, engine_epoch: u64) -> u64 {
        TIMING.epoch_of(engine_epoch.saturating_mul(self.epoch_blocks()))
    }
}

/// What of its rules a validator breaks.
pub(crate) struct Undone {
    /// None of a validator that is false.
    rule: Option<Rule>,
    liar: Option<usize>,
    decode: DecodeContext,
    /// Bids that came by gossip.
    heard: BTreeSet<Hash>,
    /// Messages of the false validator.
    disguises: u64,
}

impl Undone {
    pub(crate) fn new(plan: &Plan, index: usize, decode: DecodeContext) -> Self {
        let rule = plan.undone.filter(|_| plan.liar() != Some(index));
        Self { rule, liar: plan.liar(), decode, heard: BTreeSet::new(), disguises: 0 }
    }

    /// The key under which a message is handled: with [`Rule::Muting`] undone the false validator is never known again.
    pub(crate) fn known_as(&mut self, key: &[u8; 32], sender: usize) -> [u8; 32] {
        let mut known_as = *key;
        if self.rule == Some(Rule::Muting) && self.liar == Some(sender) {
            self.disguises += 1;
            known_as[..8].copy_from_slice(&self.disguises.to_le_bytes());
        }
        known_as
    }

    /// Whose key it is that was handled under this one.
    pub(crate) fn true_key(&self, key: [u8; 32]) -> [u8; 32] {
        let liar_key = self.liar.map(consensus_key).filter(|_| self.rule == Some(Rule::Muting));
        liar_key.filter(|liar_key| liar_key[8..] == key[8..]).unwrap_or(key)
    }

    /// Bids came by gossip.
    pub(crate) fn heard(&mut self, bids: &[SealedBid]) {
        if self.rule == Some(Rule::SentOn) {
            self.heard.extend(bids.iter().map(SealedBid::digest));
        }
    }

    /// What it says of this: with [`Rule::SentOn`] undone no bid that it has heard of.
    pub(crate) fn kept(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        if self.rule != Some(Rule::SentOn) {
            return messages;
        }
        let of = |message: Vec<u8>| match wire::decode_bids(&message, &self.decode) {
            None => Some(message),
            Some((round_id, mut bids)) => {
                bids.retain(|bid| !self.heard.contains(&bid.digest()));
                (!bids.is_empty()).then(|| wire::encode_bids(round_id, &bids))
            }
        };
        messages.into_iter().filter_map(of).collect()
    }

    /// What passes bids on the way to the application: nothing with [`Rule::Lanes`] undone.
    pub(crate) fn is_urgent(&self) -> fn(&[u8]) -> bool {
        match self.rule {
            Some(Rule::Lanes) => |_| false,
            _ => |message| GossipClass::of(message) == GossipClass::Urgent,
        }
    }
}
