//! A community, chains of blocks, and damage.
#![allow(dead_code, reason = "each test file uses a part")]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::finality::ConsensusKey;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};
use veilgrid_store::{Appended, Store};

/// A true genesis of four validators and two members.
pub fn genesis() -> Genesis {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut bytes = || SigningKey::generate(&mut rng).verifying_key().to_bytes();
    let accounts = [bytes(), bytes()];
    let registrar_key = bytes();
    let entry = |place: u8| ValidatorEntry {
        signing_key: bytes(),
        consensus_key: ConsensusKey::from_seed(&Secret::new([place; 32])).public(),
        envelope_key: EnvelopeKey::from_bytes(&[place; 32]).public().to_bytes(),
    };
    let roster = Roster { validators: (10..14).map(entry).collect() };
    let params = MarketParams {
        grid: Grid::new(1_000, 100, 2).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 2000,
        slot_seconds: 900,
        threshold: 3,
        timing: RoundTiming {
            first_open_unix_ms: 1_000_000,
            interval_ms: 30_000,
            bidding_ms: 20_000,
            grace_blocks: 2,
            opening_deadline_ms: 60_000,
            suspend_after_ms: 5_000,
            first_slot_start_unix_s: 9_000,
            epoch_blocks: 100,
            keygen_phase_blocks: 20,
            max_clock_skew_ms: 2_000,
        },
        capacity_classes: CapacityClasses::of_connections(900),
        money: None,
    };
    let genesis = Genesis {
        format_version: FORMAT_VERSION,
        nonce: [1; 32],
        registrar_key,
        members: Certificate::of_accounts(&params, 1, accounts),
        params,
        roster,
        aggregator_receipt_key: bytes(),
        aggregator_envelope_key: [2; 32],
        key_epoch: 1,
        first_session: 1,
    };
    genesis.checked().expect("genesis")
}

/// Blocks of transactions that are refused, with the state after the last.
pub fn chain(length: usize) -> (Vec<Block>, State) {
    let first = veilgrid_ledger::builder::genesis_block(genesis(), 5);
    let mut state = State::from_genesis_block(&first).expect("genesis");
    let mut blocks = vec![first];
    for height in 1..length as u64 {
        let body = vec![Transaction::CloseRound { round_id: height }];
        let block = Block::new(height, state.block_hash(), 5 + height, state.root(), body);
        state.apply_block(&block, &mut VerifyAll).expect("a sound header");
        blocks.push(block);
    }
    (blocks, state)
}

/// Blocks that link, every second one with so many bids of arbitrary bytes: rules are not the store's.
pub fn chain_with_bids(length: u64, bids_a_block: usize) -> Vec<Block> {
    let genesis = genesis();
    let DecodeContext::Rounds { shape, .. } = DecodeContext::of(&genesis) else { unreachable!() };
    let mut blocks = vec![veilgrid_ledger::builder::genesis_block(genesis, 5)];
    for height in 1..length {
        let parent = blocks.last().expect("a parent").hash();
        let mut transactions = vec![Transaction::CloseRound { round_id: height }];
        if height % 2 == 0 {
            let bid = |i: usize| {
                let bytes: Vec<u8> =
                    (0..shape.bid_bytes()).map(|j| (height as usize + i * 7 + j) as u8).collect();
                SealedBid::from_bytes(&bytes, shape).expect("the lengths of a bid")
            };
            let bids = (0..bids_a_block).map(bid).collect();
            transactions.push(Transaction::Bids { round_id: height, bids });
        }
        blocks.push(Block::new(height, parent, 5 + height, [3; 32], transactions));
    }
    blocks
}

pub fn certificate(height: u64) -> Vec<u8> {
    (0..100 + height % 50).map(|byte| (byte * 7 + height) as u8).collect()
}

/// A store of these blocks; blocks of odd height have their certificate.
pub fn filled(path: &Path, blocks: &[Block]) -> Store {
    let mut store = Store::open(path).expect("store");
    for block in blocks {
        assert_eq!(store.append(block, certificate_of(block).as_deref()).expect("append"), Appended::Written);
    }
    store
}

pub fn read_back(store: &Store) -> Vec<Block> {
    store.blocks().collect::<Result<_, _>>().expect("blocks")
}

pub fn certificate_of(block: &Block) -> Option<Vec<u8>> {
    let height = block.header.height;
    (height % 2 == 1).then(|| certificate(height))
}

pub fn copy_directory(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("directory").map(|entry| entry.expect("entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            fs::create_dir_all(&target).expect("directory");
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// All files below a directory, in order.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut entries: Vec<_> =
        fs::read_dir(directory).expect("directory").map(|entry| entry.expect("entry")).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        if entry.file_type().expect("type").is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

/// Numbers that look random and are the same each time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

/// Flips a bit, overwrites some bytes or cuts the file off, somewhere.
pub fn damage(path: &Path, sample: u64, numbers: &mut Numbers) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("file");
    let position = numbers.below(file.metadata().expect("file").len());
    if sample.is_multiple_of(4) {
        return file.set_len(position).expect("cut");
    }
    let mut bytes = vec![0; if sample % 4 == 1 { 16 } else { 1 }];
    file.seek(SeekFrom::Start(position)).expect("seek");
    let read = file.read(&mut bytes).expect("read");
    bytes.truncate(read);
    let bit = 1 << numbers.below(8);
    bytes.iter_mut().for_each(|byte| *byte ^= bit);
    file.seek(SeekFrom::Start(position)).expect("seek");
    file.write_all(&bytes).expect("write");
}
