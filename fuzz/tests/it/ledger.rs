//! Decoders of outcomes, transactions, blocks and ledger files.

use bolero::check;
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::property::{CASES, Decoder};
use veilgrid_fuzz::samples::samples;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::export::{Exported, LedgerReader, LedgerWriter, ReadError, Trailer};
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_market::Outcome;

#[test]
fn outcome() {
    let target = Decoder::new(&samples().outcomes, 0, Outcome::from_bytes, Outcome::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn genesis_transaction() {
    let decode = |bytes: &[u8]| Transaction::from_bytes(bytes, &DecodeContext::Genesis);
    let target = Decoder::new(&samples().genesis, 0, decode, Transaction::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

/// The ledger id names the whole genesis: what is changed starts another ledger, whose members and validators sign for
/// that one, or none.
#[test]
fn a_changed_genesis_starts_another_ledger_or_none() {
    let samples = &samples().genesis;
    let starts = |bytes: &[u8]| match Transaction::from_bytes(bytes, &DecodeContext::Genesis) {
        Ok(Transaction::Genesis(genesis)) => {
            let state = State::from_genesis_block(&genesis_block(*genesis, 0)).ok();
            state.map(|state| state.community().ledger_id())
        }
        _ => None,
    };
    let own = starts(&samples[0]);
    assert!(own.is_some());
    check!().with_iterations(CASES / 20).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(samples);
        assert!(bytes == samples[0] || starts(&bytes) != own);
    });
}

#[test]
fn later_transaction() {
    let decode = |bytes: &[u8]| Transaction::from_bytes(bytes, &samples().later);
    let target = Decoder::new(&samples().transactions, 0, decode, Transaction::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn first_block() {
    let decode = |bytes: &[u8]| Block::from_bytes(bytes, &DecodeContext::Genesis);
    let target = Decoder::new(&samples().genesis_block, 0, decode, Block::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn later_block() {
    let decode = |bytes: &[u8]| Block::from_bytes(bytes, &samples().later);
    let target = Decoder::new(&samples().blocks, 0, decode, Block::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn pruned_block() {
    let decode = |bytes: &[u8]| PrunedBlock::from_bytes(bytes, &samples().later);
    let target = Decoder::new(&samples().pruned_blocks, 0, decode, PrunedBlock::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

fn read_file(bytes: &[u8]) -> Result<(Vec<Block>, Trailer), ReadError> {
    let mut reader = LedgerReader::new(bytes)?;
    let blocks = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((blocks, *reader.trailer().expect("the file was read to its end")))
}

fn write_file((blocks, trailer): &(Vec<Block>, Trailer)) -> Vec<u8> {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for block in blocks {
        writer.block(block).expect("memory");
    }
    writer.finish(trailer.state_root).expect("memory")
}

/// The reader takes a mebibyte for a block before its bytes are there.
#[test]
fn ledger_file() {
    let target = Decoder::new(&samples().file, 2 << 20, read_file, write_file);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

fn read_records(bytes: &[u8]) -> Result<(Vec<Exported>, Trailer), ReadError> {
    let mut reader = LedgerReader::new(bytes)?;
    let records = reader.exported().collect::<Result<_, _>>()?;
    Ok((records, *reader.trailer().expect("the file was read to its end")))
}

fn write_records((records, trailer): &(Vec<Exported>, Trailer)) -> Vec<u8> {
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
fn ledger_file_with_certificates() {
    let target = Decoder::new(&samples().certified_files, 2 << 20, read_records, write_records);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}
