//! Decoders of what only a network has: key sessions, changes of the validators, checkpoints, gossip, batches that an
//! aggregator sends on, certificates.

use crate::signed::Electorate;
use bolero::check;
use curve25519_dalek::Scalar;
use std::collections::BTreeSet;
use std::sync::Mutex;
use veilgrid_crypto::keygen::Event;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::wire::WireError;
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::network::network;
use veilgrid_fuzz::property::{CASES, Decoder, bounded};
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::audit::QuorumCertificates;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{Exported, LedgerReader, LedgerWriter, ReadError, Trailer};
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_roles::replica::{GossipFault, Limits, Replica};

#[test]
fn genesis_of_a_network() {
    let decode = |bytes: &[u8]| Transaction::from_bytes(bytes, &DecodeContext::Genesis);
    let target = Decoder::new(&network().genesis, 0, decode, Transaction::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn transaction_of_a_network() {
    let decode = |bytes: &[u8]| Transaction::from_bytes(bytes, &network().later);
    let target = Decoder::new(&network().transactions, 0, decode, Transaction::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn block_of_a_network() {
    let decode = |bytes: &[u8]| Block::from_bytes(bytes, &network().later);
    let target = Decoder::new(&network().blocks, 0, decode, Block::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn pruned_block_of_a_network() {
    let decode = |bytes: &[u8]| PrunedBlock::from_bytes(bytes, &network().later);
    let target = Decoder::new(&network().pruned_blocks, 0, decode, PrunedBlock::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn checkpoint() {
    let target = Decoder::new(&network().checkpoints, 0, Checkpoint::from_bytes, Checkpoint::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

/// A message of the session of this place; what a session of another task says is malformed or another message.
fn event<const SESSION: usize>(bytes: &[u8]) -> Result<Event, WireError> {
    Event::from_bytes(bytes, &network().sessions[SESSION].0)
}

fn key_events<const SESSION: usize>() {
    let events = &network().sessions[SESSION].1;
    let kinds: BTreeSet<u8> = events.iter().map(|bytes| bytes[0]).collect();
    assert_eq!(kinds, (0..5).collect(), "messages of all kinds");
    let target = Decoder::new(events, 0, event::<SESSION>, Event::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn key_event_of_a_generation() {
    key_events::<0>();
}

#[test]
fn key_event_of_a_resharing() {
    key_events::<1>();
}

#[test]
fn key_event_of_a_refresh() {
    key_events::<2>();
}

type Records = (Vec<Exported>, Trailer);

fn read_records(bytes: &[u8]) -> Result<Records, ReadError> {
    let mut reader = LedgerReader::new(bytes)?;
    let records = reader.exported().collect::<Result<_, _>>()?;
    Ok((records, *reader.trailer().expect("the file was read to its end")))
}

fn write_records((records, trailer): &Records) -> Vec<u8> {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for record in records {
        match record {
            Exported::Block(block, _) => writer.block(block),
            Exported::Pruned(block, _) => writer.pruned(block),
            Exported::Checkpoint(checkpoint) => writer.checkpoint(&checkpoint.to_bytes()),
        }
        .expect("memory");
        if let Some(certificate) = record.certificate() {
            writer.certificate(certificate).expect("memory");
        }
    }
    writer.finish(trailer.state_root).expect("memory")
}

#[test]
fn ledger_file_of_a_network() {
    let target = Decoder::new(&network().file, 2 << 20, read_records, write_records);
    check!().with_iterations(CASES / 10).with_type::<Case>().for_each(|case| target.case(case));
}

/// A batch that is sent on is taken as its aggregator has signed it or not at all.
#[test]
fn relayed_bids() {
    let (key, batches) = &network().relayed;
    let (ledger_id, shape) =
        (network().state.community().ledger_id(), network().state.community().bid_shape());
    let open =
        |bytes: &[u8]| bounded(bytes, 1 << 12, |bytes| RelayedBids::open(bytes, shape, &ledger_id, key));
    assert_eq!(batches.iter().map(|batch| open(batch).expect("signed").len()).collect::<Vec<_>>(), [4, 1, 0]);
    check!().with_iterations(CASES / 10).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(batches);
        assert_eq!(open(&bytes).is_ok(), batches.contains(&bytes));
    });
}

/// What verifying a handful of bids or a key event may take, whatever the message.
const VERIFICATION_BYTES: u64 = 64 << 20;

/// Validators in four states of the ledger get the changed messages of all of them, one after another: the pools hold
/// what the cases before have left.
#[test]
fn gossip_message() {
    let samples = &network().gossip;
    let messages: Vec<Vec<u8>> = samples.iter().map(|(_, _, message)| message.clone()).collect();
    let replicas: Vec<Mutex<Replica>> = samples
        .iter()
        .map(|(state, ..)| Mutex::new(Replica::new(state.clone(), Limits::default())))
        .collect();
    for ((_, from, message), replica) in samples.iter().zip(&replicas) {
        let mut replica = replica.lock().expect("whole");
        assert_eq!(replica.receive(from, message), Ok(()));
        assert!(matches!(replica.receive(from, &message[..1]), Err(GossipFault::Malformed(_))));
    }
    let waiting: Vec<usize> =
        replicas.iter().map(|replica| waiting(&replica.lock().expect("whole"))).collect();
    assert!(waiting.iter().all(|count| *count > 0), "each message was news: {waiting:?}");
    check!().with_iterations(CASES / 5).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(&messages);
        for ((_, from, _), replica) in samples.iter().zip(&replicas) {
            let mut replica = replica.lock().expect("whole");
            let _ = bounded(&bytes, VERIFICATION_BYTES, |bytes| replica.receive(from, bytes));
        }
    });
}

/// Entries of the pool.
fn waiting(replica: &Replica) -> usize {
    let summary = replica.summary();
    summary.bids + summary.shares + summary.key_events + summary.roster_changes
}

/// A certificate holds as it was signed or not at all.
#[test]
fn certificate_of_a_block() {
    let scalars = (1..=4u64).map(Scalar::from).collect();
    let voters = Electorate { ledger_id: [4; 32], epoch: 300, scalars };
    let (keys, block) = (voters.keys(), [5; 32]);
    let certificates = [voters.certificate(&block, &[0, 1, 2]), voters.by_all(&block)];
    let check = |bytes: &[u8]| {
        let check = |bytes: &[u8]| QuorumCertificates.check(&voters.ledger_id, 300, &keys, &block, bytes);
        bounded(bytes, 1 << 16, check)
    };
    certificates.iter().for_each(|bytes| assert_eq!(check(bytes), Ok(())));
    assert!(check(&voters.certificate(&block, &[1, 3])).is_err(), "two of four are no quorum");
    check!().with_iterations(CASES / 10).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(&certificates);
        assert_eq!(check(&bytes).is_ok(), certificates.contains(&bytes));
    });
}
