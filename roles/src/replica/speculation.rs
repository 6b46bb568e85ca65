//! Blocks that were executed and are not final yet.

use std::collections::BTreeMap;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};

/// Most executed blocks that are kept. One that was pushed out is executed again when it is needed: the engine asks
/// for each parent and hands in the ancestors that are missing.
const MAX_EXECUTED: usize = 256;

/// A block after its execution.
pub(super) struct Executed {
    /// Hash of its parent.
    pub(super) parent: Hash,
    /// The state after it.
    pub(super) state: State,
    /// What it did.
    pub(super) effects: BlockEffects,
}

impl Executed {
    /// The first transaction that was refused, with its position.
    pub(super) fn first_refusal(&self) -> Option<(usize, &Refusal)> {
        self.effects.effects.iter().enumerate().find_map(|(position, effect)| match effect {
            Effect::Refused(refusal) => Some((position, refusal.as_ref())),
            _ => None,
        })
    }
}

/// Executed blocks on top of the final one, by their hashes: a tree, as more than one child of a block may be
/// proposed before one is final.
#[derive(Default)]
pub(super) struct Speculation {
    blocks: BTreeMap<Hash, (u64, Executed)>,
    executed: u64,
}

impl Speculation {
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<&Executed> {
        self.blocks.get(hash).map(|(_, executed)| executed)
    }

    /// Keeps an executed block; the one that was executed longest ago makes room.
    pub(super) fn insert(&mut self, executed: Executed) {
        while self.blocks.len() >= MAX_EXECUTED {
            let oldest = self.blocks.iter().min_by_key(|(_, (at, _))| *at).map(|(hash, _)| *hash);
            let Some(oldest) = oldest else { break };
            self.blocks.remove(&oldest);
        }
        self.executed = self.executed.saturating_add(1);
        self.blocks.insert(executed.effects.block_hash, (self.executed, executed));
    }

    /// Takes a block out that became final.
    pub(super) fn take(&mut self, hash: &Hash) -> Option<Executed> {
        self.blocks.remove(hash).map(|(_, executed)| executed)
    }

    /// Forgets everything that does not descend from the block with this hash.
    pub(super) fn keep_descendants_of(&mut self, hash: &Hash) {
        let mut by_height: Vec<(u64, Hash, Hash)> = self
            .blocks
            .iter()
            .map(|(hash, (_, executed))| (executed.effects.height, *hash, executed.parent))
            .collect();
        by_height.sort_unstable();
        for (_, block, parent) in by_height {
            if parent != *hash && !self.blocks.contains_key(&parent) {
                self.blocks.remove(&block);
            }
        }
    }
}
