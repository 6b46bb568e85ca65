//! Ledger files as chapter 9 writes them down, without the program's writer: what it would refuse to write can be
//! written too.

use sha2::{Digest, Sha256};
use veilgrid_crypto::labels;
use veilgrid_ledger::block::{Block, HEADER_BYTES};

/// A record of a file.
#[derive(Clone)]
pub enum Record {
    Block(Vec<u8>),
    Pruned(Vec<u8>),
    Certificate(Vec<u8>),
    Checkpoint(Vec<u8>),
}

/// Chapter 8: each part with its length before it, the label too.
pub fn hash(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let framed = std::iter::once(&label).chain(parts);
    let framed = framed.flat_map(|part| [&(part.len() as u64).to_le_bytes()[..], part].concat());
    Sha256::digest(framed.collect::<Vec<u8>>()).into()
}

/// A whole file with trailer and digest.
pub fn file(records: &[Record], state_root: [u8; 32]) -> Vec<u8> {
    let mut bytes = [b"VGLEDGER".as_slice(), &2u16.to_le_bytes()].concat();
    let (mut blocks, mut last) = (0u64, [0; 32]);
    for record in records {
        let (tag, payload) = match record {
            Record::Block(payload) => (1u8, payload),
            Record::Pruned(payload) => (3, payload),
            Record::Certificate(payload) => (4, payload),
            Record::Checkpoint(payload) => (5, payload),
        };
        if matches!(tag, 1 | 3) {
            blocks += 1;
            last = hash(labels::LEDGER_BLOCK, &[&payload[..HEADER_BYTES]]);
        }
        bytes.push(tag);
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend(payload);
    }
    bytes.push(2);
    bytes.extend(blocks.to_le_bytes());
    bytes.extend(last);
    bytes.extend(state_root);
    let label = labels::LEDGER_FILE;
    let digest = Sha256::new().chain_update((label.len() as u64).to_le_bytes()).chain_update(label);
    let digest = digest.chain_update(&bytes).finalize();
    bytes.extend(digest);
    bytes
}

/// The file of whole blocks without certificates.
pub fn plain(blocks: &[Block], state_root: [u8; 32]) -> Vec<u8> {
    let records: Vec<_> = blocks.iter().map(|block| Record::Block(block.to_bytes())).collect();
    file(&records, state_root)
}

/// The bytes of a block with one more transaction, which need not decode: its header names it.
pub fn with_raw_transaction(block: &Block, raw: &[u8]) -> Vec<u8> {
    let digests = block.transactions.iter().map(|transaction| transaction.digest());
    let digests: Vec<[u8; 32]> = digests.chain([hash(labels::LEDGER_TRANSACTION, &[raw])]).collect();
    let mut bytes = block.to_bytes()[..HEADER_BYTES - 32].to_vec();
    bytes.extend(hash(labels::LEDGER_BODY, &[digests.as_flattened()]));
    bytes.extend((digests.len() as u32).to_le_bytes());
    let whole: Vec<Vec<u8>> = block.transactions.iter().map(|transaction| transaction.to_bytes()).collect();
    for transaction in whole.iter().map(Vec::as_slice).chain([raw]) {
        bytes.extend((transaction.len() as u32).to_le_bytes());
        bytes.extend(transaction);
    }
    bytes
}
