//! The long story of [`super::network`] with its first bids pruned.

use super::case::{Case, Expected};
use super::file::{Record, file};
use super::network::LONG;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::pruned::{PrunedBlock, PrunedTransaction};
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::transaction::Transaction;

fn has_bids(block: &Block) -> bool {
    block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. }))
}

/// Pruned up to `to` where `prunes` says so, with these checkpoints before block 1.
fn pruned(to: usize, prunes: impl Fn(&Block) -> bool, checkpoint: Option<&Checkpoint>) -> Vec<u8> {
    let (long, _) = &*LONG;
    let mut records = Vec::new();
    for (height, block) in long.blocks.iter().enumerate() {
        if height == 1 {
            records.extend(checkpoint.map(|checkpoint| Record::Checkpoint(checkpoint.to_bytes())));
        }
        let gone = height <= to && has_bids(block) && prunes(block);
        records.push(match gone {
            true => Record::Pruned(PrunedBlock::of(block.clone()).to_bytes()),
            false => Record::Block(block.to_bytes()),
        });
        records.extend((height > 0).then(|| long.usual(height)).flatten().map(Record::Certificate));
    }
    file(&records, long.root())
}

/// A pruned block in which a bid's digest is another one.
fn changed_digest(to: usize) -> Vec<u8> {
    let (long, _) = &*LONG;
    let mut records = long.records(|height| long.usual(height));
    let mut heights = long.blocks.iter().take(to + 1).filter(|block| has_bids(block));
    let block = heights.next().expect("bids").clone();
    let at = records
        .iter()
        .position(|record| matches!(record, Record::Block(bytes) if *bytes == block.to_bytes()));
    let mut changed = PrunedBlock::of(block);
    for transaction in &mut changed.transactions {
        if let PrunedTransaction::Bids { bid_digests, .. } = transaction {
            bid_digests[0][0] ^= 1;
        }
    }
    records[at.expect("there")] = Record::Pruned(changed.to_bytes());
    file(&records, long.root())
}

pub fn cases() -> Vec<Case> {
    let (long, pause) = &*LONG;
    let genesis = long.blocks[0].hash();
    let state = &long.states[*pause];
    let sound = state.checkpoint();
    let may = |block: &Block| state.may_prune(block);
    let case = |name: &str, about: &str, bytes, expected| {
        Case::new(&format!("pruned/{name}"), about, bytes, genesis, expected)
    };
    let broken = |name, about, checkpoint: Checkpoint, rule| {
        case(name, about, pruned(*pause, may, Some(&checkpoint)), Expected::Violates(rule))
    };
    let mut digest = sound.clone();
    digest.finished.digest[0] ^= 1;
    let later = Checkpoint { height: long.tip() as u64 + 5, ..sound.clone() };
    let active = Checkpoint { active: vec![5, 6], ..sound.clone() };
    vec![
        case(
            "checkpoint",
            "bids of finished rounds are gone, a checkpoint leads to the state",
            pruned(*pause, may, Some(&sound)),
            Expected::Passes,
        ),
        case(
            "no-checkpoint",
            "the same without the checkpoint",
            pruned(pause - 1, |_| true, None),
            Expected::Passes,
        ),
        broken(
            "checkpoint-digest",
            "a checkpoint has another digest of finished rounds",
            digest,
            "CheckpointRoot",
        ),
        broken("checkpoint-beyond", "a checkpoint is of a block that is not there", later, "CheckpointPlace"),
        broken(
            "checkpoint-active",
            "a checkpoint calls a round active whose bids are gone",
            active,
            "Pruned.BidsMissing",
        ),
        case(
            "digest",
            "a digest of a pruned bid is another one",
            changed_digest(*pause),
            Expected::Violates("Pruned.Block.Body"),
        ),
    ]
}
