//! Ledgers of a network on the command line: what receipts of validators prove, stores that were pruned, what counts, where
//! two copies part, and the conformance kit.

#[path = "../common/mod.rs"]
mod cli;
#[path = "../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../ledger/tests/common/signed.rs"]
mod signed;
#[path = "../../ledger/tests/common/network.rs"]
mod world;

mod copies;
mod kit;
mod pruned;
mod receipts;

use curve25519_dalek::Scalar;
use signed::Electorate;
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::timing::RoundTiming;
use world::World;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The certificate of a block by all validators of its epoch; none of the genesis.
fn certificate(world: &World, block: &Block) -> Option<Vec<u8>> {
    let epoch = world.timing().epoch_of(block.header.height);
    let roster = world.state.roster().expect("a network");
    let scalar =
        |entry: &veilgrid_ledger::roster::ValidatorEntry| Scalar::from_bytes_mod_order(entry.signing_key);
    let scalars = roster.validators.iter().map(scalar).collect();
    let voters = Electorate { ledger_id: world.state.community().ledger_id(), epoch, scalars };
    (block.header.height > 0).then(|| voters.by_all(&block.hash()))
}

/// Blocks with the certificates of some heights.
fn write_blocks(
    world: &World,
    blocks: &[Block],
    root: [u8; 32],
    certified: impl Fn(u64) -> bool,
    path: &Path,
) {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for block in blocks {
        writer.block(block).expect("memory");
        if let Some(certificate) = certificate(world, block).filter(|_| certified(block.header.height)) {
            writer.certificate(&certificate).expect("memory");
        }
    }
    std::fs::write(path, writer.finish(root).expect("memory")).expect("writable");
}

fn write_ledger(world: &World, path: &Path) {
    write_blocks(world, &world.blocks, world.state.root(), |_| true, path);
}

fn close(world: &mut World, round_id: u64) {
    world.due_at(world.ms(RoundTiming::close_ms, round_id));
    while world.state.round(round_id).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
}
