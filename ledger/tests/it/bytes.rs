//! Bytes from outside: every byte of an exported ledger counts, and no input makes a decoder panic.

use crate::common::*;
use crate::world::World;
use proptest::prelude::*;
use rayon::prelude::*;
use std::sync::OnceLock;
use veilgrid_ledger::block::{Block, HEADER_BYTES};
use veilgrid_ledger::export::{LedgerReader, ReadError};
use veilgrid_ledger::genesis::FORMAT_VERSION;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction, TransactionKind};
use veilgrid_ledger::verdicts::VerifyAll;

fn ledger() -> &'static World {
    static LEDGER: OnceLock<World> = OnceLock::new();
    LEDGER.get_or_init(World::finished)
}

fn read_all(bytes: &[u8]) -> Result<Vec<Block>, ReadError> {
    LedgerReader::new(bytes)?.collect()
}

#[test]
fn a_file_reads_back_as_it_was_written() {
    let bytes = ledger().export();
    let mut reader = LedgerReader::new(bytes.as_slice()).expect("reader");
    let blocks: Vec<_> = reader.by_ref().collect::<Result<_, _>>().expect("blocks");
    assert_eq!(blocks, ledger().blocks);
    let trailer = reader.trailer().expect("trailer");
    assert_eq!((trailer.blocks, trailer.state_root), (blocks.len() as u64, ledger().state.root()));
    assert_eq!(reader.offset(), bytes.len() as u64);
    assert_eq!(export(&blocks, trailer.state_root), bytes, "one ledger has one file");
}

#[test]
fn every_flipped_byte_of_a_file_is_found() {
    let bytes = ledger().export();
    (0..bytes.len()).into_par_iter().for_each(|position| {
        for flip in [1u8, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= flip;
            assert!(read_all(&changed).is_err(), "byte {position} can be changed by {flip:#x}");
        }
    });
}

#[test]
fn every_cut_and_every_addition_is_found() {
    let bytes = ledger().export();
    (0..bytes.len()).into_par_iter().for_each(|length| {
        assert!(matches!(read_all(&bytes[..length]), Err(ReadError::Truncated { .. })), "cut at {length}");
    });
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(read_all(&longer), Err(ReadError::Trailing { offset }) if offset == bytes.len() as u64));
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let bytes = ledger().export();
    let changed = |position: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[position] = value;
        read_all(&bytes).expect_err("damage")
    };
    assert!(matches!(changed(0, b'X'), ReadError::NotALedger));
    assert!(matches!(changed(8, 3), ReadError::Version { found: 3 }));
    assert!(matches!(changed(10, 5), ReadError::StrayCheckpoint { offset: 10 }));
    assert!(matches!(changed(10, 6), ReadError::UnknownRecord { offset: 10, tag: 6 }));
    assert!(matches!(changed(14, 0xff), ReadError::TooLong { offset: 15, .. }));
    let body = 15 + HEADER_BYTES;
    // A list of one transaction, a genesis: count, length, kind, and then the format.
    let format = body + 4 + 4 + 1;
    for (version, advice) in [(3, "read it with the program that wrote it"), (5, "use a newer program")] {
        assert_eq!(bytes[format..format + 2], FORMAT_VERSION.to_le_bytes());
        let error = changed(format, version);
        assert!(matches!(error, ReadError::LedgerFormat { .. }), "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    assert!(matches!(changed(body + 8, 9), ReadError::Block { offset: 15, position: 0, .. }));
    let end = bytes.len();
    assert!(matches!(changed(end - 1, !bytes[end - 1]), ReadError::Digest { .. }));
    assert!(matches!(read_all(&export(&[], [0; 32])), Err(ReadError::Empty)));
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    assert!(matches!(LedgerReader::new(Broken).err(), Some(ReadError::Io { offset: 0, .. })));
    let text = changed(end - 1, !bytes[end - 1]).to_string();
    assert_eq!(
        text,
        format!("the digest at byte {} does not match: some byte before it was changed", end - 32)
    );
}

#[test]
fn a_trailer_of_other_blocks_is_found() {
    // Written by an author who computes the digest anew: a block more in the file than the trailer counts.
    use sha2::{Digest, Sha256};
    let blocks = &ledger().blocks;
    let bytes = ledger().export();
    let tail = 1 + 8 + 32 + 32 + 32;
    for change in 0..2 {
        let mut body = bytes[..bytes.len() - 32].to_vec();
        let trailer = body.len() + 32 - tail;
        match change {
            0 => body[trailer + 1] = (blocks.len() - 1) as u8,
            _ => body[trailer + 9] ^= 1,
        }
        let label = veilgrid_crypto::labels::LEDGER_FILE;
        let mut digest = Sha256::new();
        digest.update((label.len() as u64).to_le_bytes());
        digest.update(label);
        digest.update(&body);
        body.extend_from_slice(&digest.finalize());
        assert!(matches!(read_all(&body), Err(ReadError::Trailer { .. })));
    }
}

/// Every byte of every transaction that somebody proves: flipped, with all hashes computed anew, it is refused. (When
/// a round is opened and closed is the word of whoever orders the blocks, so those two are not among them.)
#[test]
fn every_flipped_byte_of_a_proved_transaction_is_refused() {
    let mut state = State::from_genesis_block(&ledger().blocks[0]).expect("genesis");
    let mut flips = 0;
    for block in &ledger().blocks[1..] {
        state.begin_block(block.header.time_unix_ms);
        flips += flip_all(&mut state, &block.transactions);
    }
    assert!(flips > 4_000, "only {flips} bytes were tried");
}

fn flip_all(state: &mut State, transactions: &[Transaction]) -> usize {
    let context = state.community().decode_context();
    let mut flips = 0;
    for transaction in transactions {
        if !matches!(transaction.kind(), TransactionKind::OpenRound | TransactionKind::CloseRound) {
            let bytes = transaction.to_bytes();
            flips += bytes.len();
            (0..bytes.len()).into_par_iter().for_each(|position| {
                let mut changed = bytes.clone();
                changed[position] ^= 1;
                let Ok(changed) = Transaction::from_bytes(&changed, &context) else { return };
                let mut state = state.clone();
                let refused = state.apply_transaction(&changed, &mut VerifyAll).is_err();
                assert!(refused, "{}: byte {position} can be changed", transaction.kind());
            });
        }
        state.apply_transaction(transaction, &mut VerifyAll).expect("accepted");
    }
    flips
}

#[test]
fn every_flipped_byte_of_a_genesis_is_found_against_its_trusted_hash() {
    let genesis = &ledger().blocks[0];
    let bytes = genesis.to_bytes();
    let trusted = genesis.hash();
    (0..bytes.len()).into_par_iter().for_each(|position| {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        let Ok(block) = Block::from_bytes(&changed, &DecodeContext::Genesis) else { return };
        // In the header the hash changes; in the body the body hash does not hold.
        assert!(block.hash() != trusted || block.check_body().is_err(), "byte {position} can be changed");
    });
}

#[test]
fn transactions_encode_as_they_decode() {
    let context = ledger().state.community().decode_context();
    for block in &ledger().blocks {
        let context = if block.header.height == 0 { DecodeContext::Genesis } else { context };
        for transaction in &block.transactions {
            let bytes = transaction.to_bytes();
            assert_eq!(Transaction::from_bytes(&bytes, &context).as_ref(), Ok(transaction));
            let mut longer = bytes.clone();
            longer.push(0);
            assert!(Transaction::from_bytes(&longer, &context).is_err(), "trailing byte");
            assert!(Transaction::from_bytes(&bytes[..bytes.len() - 1], &context).is_err(), "cut");
        }
        assert_eq!(Block::from_bytes(&block.to_bytes(), &context).as_ref(), Ok(block));
    }
    let void =
        Transaction::Void { round_id: 4, reason: veilgrid_ledger::transaction::VoidReason::TooFewBids };
    assert_eq!(Transaction::from_bytes(&void.to_bytes(), &context), Ok(void));
}

#[test]
fn a_genesis_only_stands_at_the_start() {
    let context = ledger().state.community().decode_context();
    let genesis = ledger().blocks[0].transactions[0].to_bytes();
    assert!(Transaction::from_bytes(&genesis, &context).is_err());
    let close = Transaction::CloseRound { round_id: 1 }.to_bytes();
    assert!(Transaction::from_bytes(&close, &DecodeContext::Genesis).is_err());
}

#[test]
fn lists_are_bounded_before_they_are_read() {
    let context = ledger().state.community().decode_context();
    for kind in [2u8, 7] {
        let mut bytes = vec![kind];
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(Transaction::from_bytes(&bytes, &context).is_err());
    }
}

fn without_panic(bytes: &[u8]) {
    let context = ledger().state.community().decode_context();
    for context in [DecodeContext::Genesis, context] {
        if let Ok(transaction) = Transaction::from_bytes(bytes, &context) {
            assert_eq!(transaction.to_bytes(), bytes, "one value has one encoding");
            let _ = ledger().state.clone().apply_transaction(&transaction, &mut VerifyAll);
        }
        if let Ok(block) = Block::from_bytes(bytes, &context) {
            assert_eq!(block.to_bytes(), bytes);
        }
    }
    let _ = audit_file(bytes, request());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        without_panic(&bytes);
    }

    #[test]
    // All kinds and the first one that is none.
    fn random_transactions_never_panic(kind in 0u8..12, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut all = vec![kind];
        all.extend(bytes);
        without_panic(&all);
    }

    #[test]
    fn mutated_transactions_have_one_encoding(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let all: Vec<_> = ledger().blocks.iter().flat_map(|block| &block.transactions).collect();
        let mut bytes = pick.get(&all).to_bytes();
        for (position, value) in edits {
            let position = position.index(bytes.len());
            bytes[position] = value;
        }
        without_panic(&bytes[..=cut.index(bytes.len())]);
        without_panic(&bytes);
    }

    #[test]
    fn files_with_random_content_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"VGLEDGER\x01\x00\x01".to_vec();
        file.extend(bytes);
        let _ = audit_file(&file, request());
    }
}
