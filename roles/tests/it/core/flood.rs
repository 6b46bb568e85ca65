//! A validator that floods the others with false gossip.

use super::false_bid::sign;
use super::net::{KEY_EPOCH, Net, entry};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::wire::Reader;
use veilgrid_roles::core::MUTED_MS;

/// Version, kind, round, number of bids.
const HEAD_BYTES: usize = 14;
/// Where a bid's proof or signature is, counted from the end of the message.
const FROM_END: usize = 40;

/// The false copies cost their receiver one message of signatures and no proof, and the round clears.
#[test]
fn a_flood_of_false_bids_costs_one_message_a_while() {
    let mut net = Net::new(4, 0, 11);
    net.until_sharing(1);
    let settled = net.state().finished().settled;
    let round_id = net.bid();
    let message = net.cores[1].take_gossip().into_iter().max_by_key(Vec::len).expect("the bids");
    let flooder = entry(&net.keys[3]).consensus_key;
    let honest = entry(&net.keys[1]).consensus_key;
    for copy in 0..1_000u32 {
        let mut copied = message.clone();
        let at = copied.len() - FROM_END - copy as usize % 8;
        copied[at] ^= 1 << (copy / 8 % 8);
        net.cores[0].receive(&flooder, &copied);
        net.cores[0].receive(&flooder, &[9, 9]);
    }
    let work = net.cores[0].summary().gossip;
    assert_eq!((work.signatures, work.proofs, work.false_messages), (4, 0, 1), "{work:?}");
    assert_eq!(net.cores[0].take_faults().len(), 1);
    assert_eq!(net.cores[0].summary().bids, 0);
    // Nobody else is muted, and the flooder's shares and key events go on.
    net.cores[0].receive(&honest, &message);
    assert_eq!(net.cores[0].summary().bids, 4);
    net.until(180, "the round ends", |net| net.state().round(round_id).is_none());
    assert_eq!(net.state().finished().settled, settled + 1);
    // After a while it is listened to again.
    let until_ms = net.state().time_unix_ms() + MUTED_MS;
    net.until(5_000, "the time is over", |net| net.state().time_unix_ms() > until_ms);
    net.cores[0].receive(&flooder, &[9, 9]);
    assert_eq!(net.cores[0].take_faults().len(), 1);
}

/// Counts the lines of a log that an operator reads.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Shares and key events of a muted validator are read, and the log has one line of it a while all the same.
#[test]
fn a_flood_of_false_shares_leaves_one_line_in_the_log() {
    let mut net = Net::new(4, 0, 11);
    net.until_sharing(1);
    let [one, other] = [3, 2].map(|index| entry(&net.keys[index]).consensus_key);
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        for _ in 0..1_000 {
            // No share, in a message for one.
            net.cores[0].receive(&one, &[1, 2, 0, 0]);
        }
        assert_eq!(warnings.0.load(Ordering::Relaxed), 1);
        net.cores[0].receive(&other, &[1, 2, 0, 0]);
        assert_eq!(warnings.0.load(Ordering::Relaxed), 2, "another one is named too");
    });
}

/// Owners of accounts work with the flooder: their signatures are true, their proofs are not. That costs one batch a
/// while, and nobody searches it for the culprits.
#[test]
fn signed_bids_with_false_proofs_cost_one_batch_a_while() {
    let mut net = Net::new(4, 0, 12);
    net.until_sharing(1);
    let settled = net.state().finished().settled;
    let round_id = net.bid();
    let message = net.cores[1].take_gossip().into_iter().max_by_key(Vec::len).expect("the bids");
    let (flooder, honest) = (entry(&net.keys[3]).consensus_key, entry(&net.keys[1]).consensus_key);
    for salt in 0..50u8 {
        let falsified = falsified(&net, round_id, &message, salt);
        net.cores[0].receive(&flooder, &falsified);
    }
    let work = net.cores[0].summary().gossip;
    let found = (work.signatures, work.proofs, work.false_proofs, work.false_messages);
    assert_eq!(found, (4, 4, 4, 1), "{work:?}");
    net.cores[0].receive(&honest, &message);
    assert_eq!(net.cores[0].summary().bids, 4, "the accounts' true bids are taken from others");
    net.until(180, "the round ends", |net| net.state().round(round_id).is_none());
    assert_eq!(net.state().finished().settled, settled + 1);
}

/// The same bids with other salts and new signatures; their proofs belong to the old salts.
fn falsified(net: &Net, round_id: u64, message: &[u8], salt: u8) -> Vec<u8> {
    let (state, shape) = (net.cores[1].state(), net.cores[1].state().community().bid_shape());
    let (round, params) = (state.round_context(round_id).expect("open"), state.community().bid_params());
    let mut reader = Reader::new(&message[HEAD_BYTES..]);
    let mut falsified = message[..HEAD_BYTES].to_vec();
    let keys: Vec<_> = net.keyrings.iter().map(|keyring| keyring.account_key(KEY_EPOCH)).collect();
    for _ in &keys {
        let mut bid = SealedBid::read(&mut reader, shape).expect("a bid");
        bid.salt = [salt; 32];
        let owner = keys.iter().find(|key| key.verifying_key().to_bytes() == bid.account).expect("a member");
        sign(params.expect("keys"), &round, &mut bid, owner);
        falsified.extend(bid.to_bytes());
    }
    falsified
}
