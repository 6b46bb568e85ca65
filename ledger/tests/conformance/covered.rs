//! A block behind the last certificate, which counts for nothing, and pinned blocks: all of one small ledger.

use super::case::{Case, Expected};
use super::file::file;
use super::network::{Ledger, case};
use crate::world::World;
use veilgrid_ledger::timing::RoundTiming;

/// Block 1 is certified; block 2 is of the time at which round 1 is over, and there are no keys yet: it voids the round.
fn ledger() -> Ledger {
    let mut world = World::new(4);
    world.push(vec![]);
    world.at(world.ms(RoundTiming::close_ms, 1), vec![]);
    Ledger::of(&world)
}

/// Of this ledger, with certificates up to a height.
fn certified_to(ledger: &Ledger, last: usize) -> Vec<u8> {
    file(&ledger.records(|height| (height <= last).then(|| ledger.certificate(height))), ledger.root())
}

pub fn cases() -> Vec<Case> {
    let ledger = ledger();
    let hash = |height: usize| ledger.blocks[height].hash();
    let bytes = certified_to(&ledger, 1);
    let pinned = |name: &str, about: &str, height: u64, hash: [u8; 32], expected| {
        let case = case(name, about, bytes.clone(), expected).of_file("network/uncovered");
        Case { pin: Some((height, hash)), ..case }
    };
    vec![
        case(
            "uncovered",
            "a block without a certificate is of the time at which round 1 is over, before there are keys: the round is \
             not void by it",
            bytes.clone(),
            Expected::Passes,
        ),
        case(
            "uncovered-certified",
            "the same block with a certificate: round 1 is void",
            certified_to(&ledger, 2),
            Expected::Passes,
        ),
        pinned("pin", "the auditor knows block 1", 1, hash(1), Expected::Passes),
        pinned(
            "pin-other",
            "the auditor knows another block 1",
            1,
            hash(2),
            Expected::Violates("PinnedBlock"),
        ),
        pinned(
            "pin-uncovered",
            "the auditor knows block 2, which no certificate covers",
            2,
            hash(2),
            Expected::Violates("PinNotCovered"),
        ),
        pinned(
            "pin-beyond",
            "the auditor knows block 3, and the ledger ends at block 2",
            3,
            hash(2),
            Expected::Violates("PinNotReached"),
        ),
    ]
}
