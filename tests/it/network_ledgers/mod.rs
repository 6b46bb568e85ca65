//! Ledgers of a network on the command line: what receipts of validators prove, stores that were pruned, what counts, where
//! two copies part, and the conformance kit.

mod copies;
mod kit;
mod pruned;
mod receipts;

use crate::certified::{certificate, write_blocks, write_ledger};
use crate::world::World;
use std::path::Path;
use veilgrid_ledger::timing::RoundTiming;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn close(world: &mut World, round_id: u64) {
    world.due_at(world.ms(RoundTiming::close_ms, round_id));
    while world.state.round(round_id).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
}
