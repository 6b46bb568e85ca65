//! Ledger files in which every certificate is true.
#![allow(dead_code, reason = "each test file uses a part")]

use crate::signed::Electorate;
use crate::world::World;
use curve25519_dalek::Scalar;
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::roster::ValidatorEntry;

/// The certificate of a block by all validators of its epoch; none of the genesis.
pub fn certificate(world: &World, block: &Block) -> Option<Vec<u8>> {
    let epoch = world.timing().epoch_of(block.header.height);
    let roster = world.state.roster();
    let scalar = |entry: &ValidatorEntry| Scalar::from_bytes_mod_order(entry.signing_key);
    let scalars = roster.validators.iter().map(scalar).collect();
    let voters = Electorate { ledger_id: world.state.community().ledger_id(), epoch, scalars };
    (block.header.height > 0).then(|| voters.by_all(&block.hash()))
}

/// Blocks with the certificates of some heights.
pub fn write_blocks(
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

pub fn write_ledger(world: &World, path: &Path) {
    write_blocks(world, &world.blocks, world.state.root(), |_| true, path);
}
