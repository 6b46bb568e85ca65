//! What tests of the ledger share: a market of four prices, its members, and audits of ledgers that they make.
#![allow(dead_code, reason = "each test file uses a part")]

use std::convert::Infallible;
use std::sync::Arc;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::audit::{
    AuditError, AuditReport, AuditRequest, CertificateCheck, Record, Violation, audit, audit_export,
};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::export::{LedgerReader, LedgerWriter};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};

pub const EPOCH: u64 = 5;
pub const SLOT_SECONDS: u32 = 900;
pub const START_MS: u64 = 1_700_000_000_000;
pub const EPOCH_BLOCKS: u64 = 40;
pub const PHASE_BLOCKS: u32 = 6;
/// Sells at the ticks 0 and 1, buys at 2 and 1 (step 2j sells at tick j, step 2j + 1 buys): tick 1 is marginal.
pub const BOOK: [[u64; 8]; 4] = [
    [40, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 30, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 50, 0, 0],
    [0, 0, 0, 7, 0, 0, 0, 0],
];

pub fn timing() -> RoundTiming {
    RoundTiming {
        first_open_unix_ms: START_MS + 10_000,
        interval_ms: 1_000,
        bidding_ms: 600,
        grace_blocks: 2,
        opening_deadline_ms: 2_000,
        suspend_after_ms: 500,
        first_slot_start_unix_s: 1_700_000_100,
        epoch_blocks: EPOCH_BLOCKS,
        keygen_phase_blocks: PHASE_BLOCKS,
        max_clock_skew_ms: 250,
    }
}

/// The market of four validators.
pub fn params(rule: Rule, open_volume: bool) -> MarketParams {
    MarketParams {
        grid: Grid::new(10_000, 1_000, 4).expect("grid"),
        bits: 8,
        rule,
        open_volume,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: SLOT_SECONDS,
        threshold: 3,
        timing: timing(),
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
    }
}

pub fn account(keyring: &Keyring) -> [u8; 32] {
    keyring.account_key(EPOCH).verifying_key().to_bytes()
}

/// The opening of a round at its place in the calendar.
pub fn open_round(round_id: u64) -> Transaction {
    let slot_start_unix_s = timing().slot_start_unix_s(round_id, SLOT_SECONDS).expect("a slot");
    Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds: SLOT_SECONDS }
}

/// A certificate that names everything that a true one is bound to, and that anybody can make.
pub fn certificate(ledger_id: &Hash, epoch: u64, validators: &[[u8; 32]], block_hash: &Hash) -> Vec<u8> {
    [ledger_id.as_slice(), &epoch.to_le_bytes(), validators.as_flattened(), block_hash].concat()
}

/// Accepts such certificates.
#[derive(Debug)]
pub struct Check;

impl CertificateCheck for Check {
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        bytes: &[u8],
    ) -> Result<(), String> {
        let sound = bytes == certificate(ledger_id, epoch, validators, block_hash);
        if sound { Ok(()) } else { Err("not this block's".to_owned()) }
    }
}

/// An audit that takes such certificates and trusts any genesis.
pub fn request() -> AuditRequest {
    AuditRequest { certificates: Arc::new(Check), ..AuditRequest::default() }
}

/// The certificate of a block of a ledger whose validators do not change.
pub fn certified(genesis: &Block, block: &Block) -> Option<Vec<u8>> {
    let Transaction::Genesis(genesis) = &genesis.transactions[0] else { panic!("a genesis") };
    let epoch = genesis.params.timing.epoch_of(block.header.height);
    let validators = genesis.roster.consensus_keys();
    (block.header.height > 0).then(|| certificate(&genesis.ledger_id(), epoch, &validators, &block.hash()))
}

/// The file of a ledger whose validators do not change, with a certificate for every block.
pub fn export(blocks: &[Block], state_root: [u8; 32]) -> Vec<u8> {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for block in blocks {
        writer.block(block).expect("memory");
        if let Some(certificate) = certified(&blocks[0], block) {
            writer.certificate(&certificate).expect("memory");
        }
    }
    writer.finish(state_root).expect("memory")
}

/// An audit of a ledger whose validators do not change, every block certified.
pub fn audit_blocks(blocks: &[Block]) -> Result<AuditReport, Violation> {
    let request = AuditRequest { trusted_genesis: Some(blocks[0].hash()), ..request() };
    let record = |block: &Block| Record::Block(Box::new(block.clone()), certified(&blocks[0], block));
    let records = blocks.iter().map(|block| Ok::<_, Infallible>(record(block)));
    audit(records, request, |_| {}).map_err(|error| match error {
        AuditError::Violation(violation) => violation,
        AuditError::Read { source, .. } => match source {},
    })
}

pub fn audit_file(bytes: &[u8], request: AuditRequest) -> Result<AuditReport, String> {
    let reader = LedgerReader::new(bytes).map_err(|error| error.to_string())?;
    audit_export(reader, request, |_| {}).map_err(|error| error.to_string())
}

/// Rebuilds a ledger from changed transactions as an attacker would: every body hash, parent hash and state root is
/// computed anew.
pub fn forge(blocks: &[Block], change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Vec<Block> {
    let mut bodies: Vec<Vec<Transaction>> = blocks.iter().map(|block| block.transactions.clone()).collect();
    change(&mut bodies);
    let mut forged = vec![blocks[0].clone()];
    let mut state = State::from_genesis_block(&blocks[0]).expect("the genesis stays");
    for (body, original) in bodies.into_iter().zip(blocks).skip(1) {
        let parent = forged.last().expect("a parent");
        let (height, time) = (parent.header.height + 1, original.header.time_unix_ms);
        let block = Block::new(height, parent.hash(), time, state.root(), body);
        state.apply_block(&block, &mut VerifyAll).expect("a sound header");
        forged.push(block);
    }
    forged
}
