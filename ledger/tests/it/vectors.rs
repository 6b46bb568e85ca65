//! Golden vectors of the encodings (`protocol-spec/vectors/encodings.json`).
//!
//! A change of the file is a change of the format and needs a new protocol version. `VEILGRID_BLESS=1 cargo test`
//! writes it anew; otherwise the code is compared with it. The community of `common` makes the values; the second and
//! third test take the file alone, so that they hold whatever becomes of `common`.

use crate::common::BOOK;
use crate::conformance::file::plain;
use crate::world::World;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::OnceLock;
use veilgrid_crypto::envelope::{EnvelopeKey, open_envelope, seal_envelope};
use veilgrid_crypto::keygen::{DealerPackage, deal};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, Writer};
use veilgrid_ledger::block::{Block, HEADER_BYTES};
use veilgrid_ledger::export::LedgerReader;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_ledger::verdicts::VerifyAll;

/// Bytes are hexadecimal, integers are plain.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vectors {
    market_params: String,
    market_digest: String,
    /// The genesis transaction without its kind.
    genesis: String,
    ledger_id: String,
    dealer_package: String,
    opening_share: String,
    receipt: SignedReceipt,
    envelope: Envelope,
    /// A ledger of a key session, a settled and a voided round, block by block: every kind of transaction is in it but a
    /// change of the validators and those of members and of money, which follow.
    blocks: Vec<BlockVector>,
    /// A ledger on which members join, change, are suspended and leave, and registrar and aggregator have new keys.
    members: Vec<BlockVector>,
    /// A ledger with money: deposits, bids within balances, claims, withdrawals, a payment.
    money: Vec<BlockVector>,
    /// The file of the blocks of the first ledger without certificates.
    file_bytes: u64,
    file_sha256: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SignedReceipt {
    aggregator_receipt_key: String,
    receipt: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Envelope {
    recipient_secret: String,
    recipient: String,
    ledger_id: String,
    round_id: u64,
    /// Seed of the ChaCha20 random source (`SeedableRng::from_seed`).
    rng_seed: String,
    plaintext: String,
    envelope: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BlockVector {
    header: String,
    hash: String,
    /// After the block.
    state_root: String,
    transactions: Vec<TransactionVector>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TransactionVector {
    kind: String,
    bytes: String,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/encodings.json")
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().expect("the right number of bytes")
}

fn computed() -> Vectors {
    let mut world = World::finished();
    world.opening_of(2, &BOOK[..1]);
    world.finish(2);
    let transactions: Vec<_> = world.blocks.iter().flat_map(|block| &block.transactions).collect();
    let share = transactions.iter().find_map(|transaction| match transaction {
        Transaction::OpeningShare { share, .. } => Some(share.to_bytes()),
        _ => None,
    });
    let bid = transactions.iter().find_map(|transaction| match transaction {
        Transaction::Bids { bids, .. } => Some(bids[0].clone()),
        _ => None,
    });
    let genesis = transactions[0].to_bytes()[1..].to_vec();
    let receipt = world.receipt(&bid.expect("a bid"));
    let file = plain(&world.blocks, world.state.root());
    let (of, sound) = (world.genesis().first_session().generation(), world.genesis());
    let mut rng = ChaCha20Rng::from_seed([69; 32]);
    let (package, _) = deal(&of, &world.validators[0].key, 1, &mut rng).expect("dealt");
    Vectors {
        market_params: hex::encode(encode_params(&sound.params)),
        market_digest: hex::encode(sound.params.digest()),
        genesis: hex::encode(genesis),
        ledger_id: hex::encode(sound.ledger_id()),
        dealer_package: hex::encode(package.to_bytes()),
        opening_share: hex::encode(share.expect("a share")),
        receipt: SignedReceipt {
            aggregator_receipt_key: hex::encode(sound.aggregator_receipt_key),
            receipt: hex::encode(receipt.to_bytes()),
        },
        envelope: envelope(),
        blocks: block_vectors(&world.blocks),
        members: block_vectors(&crate::conformance::members::story().blocks),
        money: block_vectors(&crate::conformance::money::story().world.blocks),
        file_bytes: file.len() as u64,
        file_sha256: hex::encode(Sha256::digest(&file)),
    }
}

fn encode_params(params: &MarketParams) -> Vec<u8> {
    let mut w = Writer::new();
    params.write(&mut w);
    w.finish()
}

fn envelope() -> Envelope {
    let (seed, secret, ledger_id, round_id) = ([70; 32], [71; 32], [72; 32], 96);
    let (key, plaintext) = (EnvelopeKey::from_bytes(&secret), b"the bytes of a sealed bid");
    let recipient = key.public();
    let mut rng = ChaCha20Rng::from_seed(seed);
    Envelope {
        recipient_secret: hex::encode(secret),
        recipient: hex::encode(recipient.to_bytes()),
        ledger_id: hex::encode(ledger_id),
        round_id,
        rng_seed: hex::encode(seed),
        plaintext: hex::encode(plaintext),
        envelope: hex::encode(seal_envelope(&recipient, &ledger_id, round_id, plaintext, &mut rng)),
    }
}

fn block_vectors(blocks: &[Block]) -> Vec<BlockVector> {
    let mut state = State::from_genesis_block(&blocks[0]).expect("genesis");
    let vector = |block: &Block| {
        if block.header.height > 0 {
            state.apply_block(block, &mut VerifyAll).expect("a true block");
        }
        let transaction = |transaction: &Transaction| TransactionVector {
            kind: transaction.kind().to_string(),
            bytes: hex::encode(transaction.to_bytes()),
        };
        BlockVector {
            header: hex::encode(&block.to_bytes()[..HEADER_BYTES]),
            hash: hex::encode(block.hash()),
            state_root: hex::encode(state.root()),
            transactions: block.transactions.iter().map(transaction).collect(),
        }
    };
    blocks.iter().map(vector).collect()
}

/// The file's vectors, after it was written anew if that is asked for: once, as the tests run side by side.
fn stored() -> Vectors {
    static TEXT: OnceLock<String> = OnceLock::new();
    serde_json::from_str(TEXT.get_or_init(bless_and_read)).expect("the file has the vectors' form")
}

fn bless_and_read() -> String {
    if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&computed()).expect("plain data");
        std::fs::write(path(), text + "\n").expect("the specification's folder is writable");
    }
    std::fs::read_to_string(path()).expect("protocol-spec/vectors/encodings.json is there")
}

/// The blocks of the file, joined from headers and transactions as section 8 of the specification says.
fn stored_blocks(vectors: &[BlockVector]) -> Vec<Block> {
    let mut context = DecodeContext::Genesis;
    let mut block = |vector: &BlockVector| {
        let mut w = Writer::new();
        w.bytes(&bytes(&vector.header)).length(vector.transactions.len());
        for transaction in &vector.transactions {
            w.blob(&bytes(&transaction.bytes));
        }
        let block = Block::from_bytes(&w.finish(), &context).expect("a block");
        if let Some(Transaction::Genesis(genesis)) = block.transactions.first() {
            context = DecodeContext::of(genesis);
        }
        block
    };
    vectors.iter().map(&mut block).collect()
}

#[test]
fn encodings_are_the_stored_ones_byte_for_byte() {
    let fields = |vectors: &Vectors| serde_json::to_value(vectors).expect("plain data");
    let (stored, computed) = (stored(), fields(&computed()));
    let all = fields(&stored);
    let changed = all.as_object().expect("fields").iter().find(|(name, value)| computed[name] != **value);
    assert_eq!(changed.map(|(name, _)| name), None, "the format of this field has changed");
    let kinds: std::collections::BTreeSet<&str> = stored
        .blocks
        .iter()
        .chain(&stored.members)
        .chain(&stored.money)
        .flat_map(|block| &block.transactions)
        .map(|t| t.kind.as_str())
        .collect();
    assert_eq!(kinds.len(), 20, "every kind of transaction is stored: {kinds:?}");
}

/// From the file alone, as an implementation in another language would use it.
#[test]
fn the_stored_ledger_is_executed_and_exported_as_stored() {
    let vectors = stored();
    let blocks = stored_blocks(&vectors.blocks);
    assert_eq!(block_vectors(&blocks), vectors.blocks);
    assert_eq!(block_vectors(&stored_blocks(&vectors.members)), vectors.members);
    assert_eq!(block_vectors(&stored_blocks(&vectors.money)), vectors.money);
    let file = plain(&blocks, array(&vectors.blocks.last().expect("blocks").state_root));
    assert_eq!(file.len() as u64, vectors.file_bytes);
    assert_eq!(hex::encode(Sha256::digest(&file)), vectors.file_sha256);
    let read: Result<Vec<Block>, _> = LedgerReader::new(file.as_slice()).expect("a ledger").collect();
    assert_eq!(read.expect("a whole file"), blocks);
}

#[test]
fn stored_values_decode_and_hold() {
    let vectors = stored();
    let params_bytes = bytes(&vectors.market_params);
    let mut r = Reader::new(&params_bytes);
    let params = MarketParams::read(&mut r).expect("parameters");
    assert_eq!((r.finish(), hex::encode(params.digest())), (Ok(()), vectors.market_digest.clone()));
    let blocks = stored_blocks(&vectors.blocks);
    let Transaction::Genesis(genesis) = &blocks[0].transactions[0] else { panic!("a genesis") };
    assert_eq!(hex::encode(genesis.ledger_id()), vectors.ledger_id);
    assert_eq!(vectors.blocks[0].transactions[0].bytes[2..], vectors.genesis);
    assert!(vectors.genesis.contains(&vectors.market_params));
    let of = genesis.first_session().generation();
    let package = DealerPackage::from_bytes(&bytes(&vectors.dealer_package), &of).expect("a package");
    assert_eq!(hex::encode(package.to_bytes()), vectors.dealer_package);
    let share = OpeningShare::from_bytes(&bytes(&vectors.opening_share)).expect("a share");
    assert_eq!(share.validator, 1);
    let receipt = Receipt::from_bytes(&bytes(&vectors.receipt.receipt)).expect("a receipt");
    let aggregator =
        VerifyingKey::from_bytes(&array(&vectors.receipt.aggregator_receipt_key)).expect("a key");
    assert_eq!(receipt.verify(&aggregator), Ok(()));
    let envelope = &vectors.envelope;
    let key = EnvelopeKey::from_bytes(&array(&envelope.recipient_secret));
    assert_eq!(hex::encode(key.public().to_bytes()), envelope.recipient);
    let plaintext = bytes(&envelope.plaintext);
    let opened =
        open_envelope(&key, &array(&envelope.ledger_id), &bytes(&envelope.envelope), plaintext.len());
    assert_eq!(opened, Ok((envelope.round_id, plaintext)));
}
