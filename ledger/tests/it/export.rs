//! Ledger files with certificates and pruned blocks: what was written comes back, every change is found, and files of
//! the first format stay readable.

use crate::common::*;
use crate::world::World;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{
    Exported, FILE_VERSION, LedgerReader, LedgerWriter, MAX_CERTIFICATE_BYTES, ReadError, WriteError,
};
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::FinishedRounds;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::transaction::Transaction;

const ROOT: [u8; 32] = [8; 32];

fn blocks() -> &'static [Block] {
    static LEDGER: OnceLock<World> = OnceLock::new();
    &LEDGER.get_or_init(World::finished).blocks
}

fn has_bids(block: &Block) -> bool {
    block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. }))
}

fn checkpoint() -> Checkpoint {
    let finished = FinishedRounds { settled: 6, voided: 1, digest: [4; 32] };
    let (refused, refused_digest) = (1, [5; 32]);
    let (last_round_id, cleared_until_unix_s) = (Some(7), None);
    let active = vec![2, 9];
    Checkpoint { height: 3, last_round_id, cleared_until_unix_s, finished, refused, refused_digest, active }
}

/// The ledger with its bids pruned and every second block certified.
fn records() -> Vec<Exported> {
    let certificate =
        |height: u64| height.is_multiple_of(2).then(|| vec![height as u8; 70 + height as usize]);
    let mut exported: Vec<_> = blocks()
        .iter()
        .map(|block| match has_bids(block) {
            true => Exported::Pruned(PrunedBlock::of(block.clone()), certificate(block.header.height)),
            false => Exported::Block(block.clone(), certificate(block.header.height)),
        })
        .collect();
    assert!(exported.iter().any(|record| matches!(record, Exported::Pruned(_, Some(_) | None))));
    exported.insert(1, Exported::Checkpoint(checkpoint()));
    exported
}

/// The file, and where its records begin.
fn write(records: &[Exported]) -> (Vec<u8>, Vec<usize>) {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    let mut lengths = vec![10];
    for record in records {
        let block = match record {
            Exported::Block(block, _) => {
                writer.block(block).expect("memory");
                block.to_bytes().len()
            }
            Exported::Pruned(block, _) => {
                writer.pruned(block).expect("memory");
                block.to_bytes().len()
            }
            Exported::Checkpoint(checkpoint) => {
                writer.checkpoint(&checkpoint.to_bytes()).expect("memory");
                checkpoint.to_bytes().len()
            }
        };
        lengths.push(5 + block);
        if let Some(certificate) = record.certificate() {
            writer.certificate(certificate).expect("memory");
            lengths.push(5 + certificate.len());
        }
    }
    let starts = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    let starts = starts.collect();
    (writer.finish(ROOT).expect("memory"), starts)
}

fn read(bytes: &[u8]) -> Result<Vec<Exported>, ReadError> {
    let mut reader = LedgerReader::new(bytes)?;
    let records: Result<Vec<_>, _> = reader.exported().collect();
    assert_eq!(reader.trailer().is_some(), records.is_ok(), "a trailer after a whole file only");
    records
}

/// A changed file as an author makes it who computes the digest anew.
fn with_digest(mut body: Vec<u8>) -> Vec<u8> {
    let label = veilgrid_crypto::labels::LEDGER_FILE;
    let mut digest = Sha256::new();
    digest.update((label.len() as u64).to_le_bytes());
    digest.update(label);
    digest.update(&body);
    body.extend_from_slice(&digest.finalize());
    body
}

#[test]
fn pruned_blocks_and_certificates_come_back() {
    let records = records();
    let (bytes, _) = write(&records);
    assert_eq!(read(&bytes).expect("a whole file"), records);
    let of_blocks = records.iter().filter(|record| record.hash().is_some());
    for (record, block) in of_blocks.zip(blocks()) {
        assert_eq!((record.height(), record.hash()), (block.header.height, Some(block.hash())));
        if let Exported::Pruned(pruned, _) = record {
            assert_eq!(pruned.check_body(), Ok(()));
        }
    }
    let mut reader = LedgerReader::new(bytes.as_slice()).expect("reader");
    assert_eq!(reader.exported().count(), records.len());
    assert_eq!(reader.offset(), bytes.len() as u64);
    assert_eq!(reader.trailer().expect("trailer").blocks, blocks().len() as u64);
}

#[test]
fn whole_blocks_are_an_iterator_over_certificates() {
    let certified: Vec<_> =
        blocks().iter().map(|block| Exported::Block(block.clone(), Some(vec![1, 2, 3]))).collect();
    let (bytes, _) = write(&certified);
    let reader = LedgerReader::new(bytes.as_slice()).expect("reader");
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().expect("blocks"), blocks());
    // A pruned block ends it: nobody replays what is not there.
    let (bytes, starts) = write(&records());
    let first = blocks().iter().position(has_bids).expect("bids");
    let record = starts[1 + first + first.div_ceil(2)] as u64;
    let mut reader = LedgerReader::new(bytes.as_slice()).expect("reader");
    assert_eq!(reader.by_ref().take(first).filter(Result::is_ok).count(), first);
    let error = reader.next().expect("an error").expect_err("pruned");
    assert!(
        matches!(error, ReadError::Pruned { offset, height } if height == first as u64 && offset == record),
        "{error} at {record}"
    );
    assert!(reader.next().is_none() && reader.trailer().is_none());
}

#[test]
fn every_flipped_byte_is_found() {
    let (bytes, _) = write(&records());
    (0..bytes.len()).into_par_iter().for_each(|position| {
        for flip in [1u8, 2, 4, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= flip;
            assert!(read(&changed).is_err(), "byte {position} can be changed by {flip:#x}");
        }
    });
}

#[test]
fn a_file_that_is_cut_gives_the_blocks_before_the_cut() {
    let records = records();
    let (bytes, starts) = write(&records);
    for (index, start) in starts.iter().enumerate() {
        for length in [start.saturating_sub(1), *start, start + 1, start + 4] {
            if length < 10 {
                continue;
            }
            let mut reader = LedgerReader::new(&bytes[..length]).expect("the start is there");
            let mut read = Vec::new();
            let error = loop {
                match reader.exported().next() {
                    Some(Ok(record)) => read.push(record),
                    Some(Err(error)) => break error,
                    None => panic!("record {index}: cut at {length} and not found"),
                }
            };
            assert!(matches!(error, ReadError::Truncated { .. }), "{error}");
            assert!(reader.exported().next().is_none());
            // A certificate that is cut off is missing; its block is there.
            for (read, record) in read.iter().zip(&records) {
                assert_eq!(read.hash(), record.hash());
            }
            let whole = starts.iter().filter(|start| **start <= length).count();
            assert!(read.len() < whole, "{} of {whole} records", read.len());
        }
    }
}

#[test]
fn swapped_tags_are_found_though_the_digest_holds() {
    let records = records();
    let (bytes, starts) = write(&records);
    let body = &bytes[..bytes.len() - 32];
    for start in &starts {
        let tag = body[*start];
        for other in (0..=5).filter(|other| *other != tag) {
            let mut changed = body.to_vec();
            changed[*start] = other;
            let error = read(&with_digest(changed)).expect_err("another tag");
            // A trailer too early ends the file where its digest does not stand.
            let early = other == 2;
            assert!(early || !matches!(error, ReadError::Digest { .. }), "tag {tag} as {other}: {error}");
        }
    }
}

#[test]
fn a_certificate_stands_behind_one_block() {
    let records = records();
    let (bytes, starts) = write(&records);
    let body = &bytes[..bytes.len() - 32];
    let start = starts.iter().position(|start| body[*start] == 4).expect("a certificate");
    let certificate = body[starts[start]..starts[start + 1]].to_vec();
    // Twice, and before any block.
    for (place, offset) in [(starts[start + 1], starts[start + 1]), (10, 10)] {
        let mut changed = body.to_vec();
        changed.splice(place..place, certificate.clone());
        let error = read(&with_digest(changed)).expect_err("stray");
        assert!(
            matches!(error, ReadError::StrayCertificate { offset: found } if found == offset as u64),
            "{error}"
        );
    }
    for length in [0, MAX_CERTIFICATE_BYTES as u32 + 1, u32::MAX] {
        let mut changed = body.to_vec();
        changed[starts[start] + 1..starts[start] + 5].copy_from_slice(&length.to_le_bytes());
        let error = read(&with_digest(changed)).expect_err("length");
        assert!(
            matches!(error, ReadError::CertificateLength { length: found, .. } if found == length),
            "{error}"
        );
    }
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    assert!(matches!(writer.certificate(b"c"), Err(WriteError::StrayCertificate { position: 0, bytes: 1 })));
    writer.block(&blocks()[0]).expect("memory");
    let long = vec![0; MAX_CERTIFICATE_BYTES + 1];
    for wrong in [b"".as_slice(), &long] {
        assert!(matches!(writer.certificate(wrong), Err(WriteError::CertificateLength { position: 0, .. })));
    }
    writer.certificate(&long[1..]).expect("memory");
    assert!(matches!(writer.certificate(b"c"), Err(WriteError::StrayCertificate { position: 1, bytes: 1 })));
}

#[test]
fn files_of_the_first_format_stay_readable_and_have_its_records_only() {
    let first = |bytes: &[u8]| {
        let mut body = bytes[..bytes.len() - 32].to_vec();
        assert_eq!(body[8..10], FILE_VERSION.to_le_bytes());
        body[8] = 1;
        with_digest(body)
    };
    let whole: Vec<_> = blocks().iter().map(|block| Exported::Block(block.clone(), None)).collect();
    let old = first(&write(&whole).0);
    let reader = LedgerReader::new(old.as_slice()).expect("reader");
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().expect("blocks"), blocks());
    assert!(audit_file(&old, request()).is_err_and(|why| why.contains("in no certificate")), "it is audited");
    let (bytes, starts) = write(&records());
    let error = read(&first(&bytes)).expect_err("records of the second format");
    assert!(
        matches!(error, ReadError::UnknownRecord { offset, tag: 4 } if offset == starts[1] as u64),
        "{error}"
    );
    for version in [0u8, FILE_VERSION as u8 + 1] {
        let mut other = bytes.clone();
        other[8] = version;
        assert!(matches!(read(&other), Err(ReadError::Version { found }) if found == u16::from(version)));
    }
}

#[test]
fn a_block_without_bids_has_one_form() {
    let block = &blocks()[1];
    assert!(!has_bids(block));
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    writer.block(&blocks()[0]).expect("memory");
    writer.pruned(&PrunedBlock::of(block.clone())).expect("memory");
    let error = read(&writer.finish(ROOT).expect("memory")).expect_err("never pruned");
    assert!(matches!(error, ReadError::Block { position: 1, .. }), "{error}");
}

#[test]
fn a_checkpoint_stands_once_before_block_1() {
    let bytes = checkpoint().to_bytes();
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    let early = writer.checkpoint(&bytes);
    assert!(matches!(early, Err(WriteError::Checkpoint { position: 0, .. })));
    writer.block(&blocks()[0]).expect("memory");
    assert!(matches!(writer.checkpoint(&[0; 2000]), Err(WriteError::Checkpoint { bytes: 2000, .. })));
    writer.checkpoint(&bytes).expect("memory");
    assert!(matches!(writer.checkpoint(&bytes), Err(WriteError::Checkpoint { position: 1, .. })));

    let (file, starts) = write(&records());
    // Block 0 has a certificate, so the checkpoint is the third record.
    let (at, end) = (starts[2], starts[3]);
    let record = &file[at..end];
    let twice = [&file[..end], record, &file[end..file.len() - 32]].concat();
    let late = [&file[..at], &file[end..starts[4]], record, &file[starts[4]..file.len() - 32]].concat();
    for (body, place) in [(twice, end), (late, starts[4] - record.len())] {
        let found = read(&with_digest(body));
        assert!(
            matches!(found, Err(ReadError::StrayCheckpoint { offset }) if offset == place as u64),
            "{found:?}"
        );
    }
    let mut cut = file[..at].to_vec();
    cut.extend_from_slice(&[5, 3, 0, 0, 0, 1, 2, 3]);
    cut.extend_from_slice(&file[end..file.len() - 32]);
    assert!(matches!(read(&with_digest(cut)), Err(ReadError::Checkpoint { .. })));
}
