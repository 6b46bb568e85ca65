//! What counts of a network's ledger: blocks that certificates cover. And blocks that the auditor knows already.

use crate::common;
use crate::story::{STORY, run, with_checkpoint};
use crate::world::EPOCH_BLOCKS;
use veilgrid_ledger::audit::certificates::MAX_UNCERTIFIED_TAIL;
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Pin, Record, ViolationRule};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::LedgerReader;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::verdicts::VerifyAll;

const TAIL: usize = MAX_UNCERTIFIED_TAIL as usize;

/// A ledger with the certificates of the blocks after `height` taken away.
fn uncertified_after(mut records: Vec<Record>, height: u64) -> Vec<Record> {
    for record in &mut records {
        match record {
            Record::Block(block, certificate) if block.header.height > height => *certificate = None,
            Record::Pruned(block, certificate) if block.header.height > height => *certificate = None,
            _ => {}
        }
    }
    records
}

/// The report as if the blocks after the last covered one were not there.
fn without_the_tail(report: AuditReport) -> AuditReport {
    let mut report = AuditReport { uncovered: None, ..report };
    report.certificates.uncertified_tail = 0;
    report
}

/// Rounds settle, go void and are passed over, transactions are refused, keys are made and validators change in such tails.
#[test]
fn nothing_that_is_reported_comes_from_blocks_that_no_certificate_covers() {
    let story = &*STORY;
    let receipts: Vec<_> = [1, 2, 5, 6].iter().flat_map(|round| story.receipts(*round)).collect();
    let audit = |records: Vec<Record>| {
        run(records, AuditRequest { receipts: receipts.clone(), ..story.request() }).expect("passes")
    };
    // The four have to certify their last block.
    let last_of_four = EPOCH_BLOCKS as usize - 1;
    for height in 0..story.tip() {
        let end = (height + TAIL).min(story.tip());
        let end = if height < last_of_four { end.min(last_of_four) } else { end };
        let records = story.records(|_| true);
        let report = audit(uncertified_after(records[..=end].to_vec(), height as u64));
        let uncovered = report.uncovered.expect("a tail");
        assert_eq!(
            (uncovered.blocks, uncovered.first_height, uncovered.last_height, uncovered.last_block_hash),
            ((end - height) as u64, height as u64 + 1, end as u64, story.blocks[end].hash())
        );
        assert_eq!(report.certificates.uncertified_tail, uncovered.blocks);
        assert_eq!((report.blocks, report.height), (height as u64 + 1, height as u64));
        assert_eq!(report.state_root, story.states[height].root(), "height {height}");
        let mut prefix = audit(records[..=height].to_vec());
        // No certificate was there to be checked.
        prefix.certificates.checked = true;
        assert_eq!(without_the_tail(report), prefix, "height {height}");
    }
}

/// The same where bids are pruned, on both sides of the last certificate.
#[test]
fn nothing_is_counted_of_pruned_blocks_that_no_certificate_covers() {
    let story = &*STORY;
    let pruned = story.pruned(story.pause, |_| true);
    for height in (story.pause - TAIL..story.tip()).filter(|height| *height >= EPOCH_BLOCKS as usize) {
        let end = (height + TAIL).min(story.tip());
        let report = story.audit(uncertified_after(pruned[..=end].to_vec(), height as u64)).expect("passes");
        let prefix = story.audit(pruned[..=height].to_vec()).expect("passes");
        assert_eq!(without_the_tail(report), prefix, "without a checkpoint, height {height}");
    }
    let (records, checkpoint) = story.checkpointed();
    for height in story.pause + 1..story.tip() {
        let of = |records: Vec<Record>| {
            story.audit(with_checkpoint(records, checkpoint.clone())).expect("the checkpoint is confirmed")
        };
        let end = (height + TAIL).min(story.tip());
        let report = of(uncertified_after(records[..=end].to_vec(), height as u64));
        assert_eq!(report.state_root, story.states[height].root());
        assert_eq!(without_the_tail(report), of(records[..=height].to_vec()), "height {height}");
    }
}

/// Threat: whoever hands on a ledger writes a block of a late time behind its first ones, in which there are no keys yet:
/// rounds are void. Were it certified, they would be.
#[test]
fn a_keyless_block_behind_certified_ones_voids_no_round() {
    let story = &*STORY;
    let mut state = story.states[2].clone();
    let close_ms = RoundTiming::close_ms(state.timing(), 3).expect("in the calendar");
    let block = Block::new(3, state.block_hash(), close_ms, state.root(), vec![]);
    state.apply_block(&block, &mut VerifyAll).expect("a sound block");
    let mut records = story.records(|_| true);
    records.truncate(3);
    let honest = story.audit(records.clone()).expect("passes");
    records.push(Record::Block(Box::new(block.clone()), None));
    let report = story.audit(records.clone()).expect("passes");
    assert_eq!((report.rounds_void, report.passed_rounds.len()), (0, 0));
    assert_eq!((report.height, report.uncovered.expect("named").blocks), (2, 1));
    assert_eq!(without_the_tail(report), honest);
    let keys = state.consensus_keys(0).expect("validators");
    let certificate = common::certificate(&state.community().ledger_id(), 0, &keys, &block.hash());
    records[3] = Record::Block(Box::new(block), Some(certificate));
    let certified = story.audit(records).expect("passes");
    assert_eq!((certified.rounds_void, certified.uncovered), (3, None));
}

#[test]
fn a_later_certificate_makes_all_before_it_count() {
    let story = &*STORY;
    let last_of_four = EPOCH_BLOCKS as usize - 1;
    let few = story.records(|height| [last_of_four, story.tip()].contains(&height));
    let all = story.audit(story.records(|_| true)).expect("passes");
    let mut report = story.audit(few).expect("passes");
    report.certificates.certificates = all.certificates.certificates;
    assert_eq!(report, all);
}

#[test]
fn a_pinned_block_is_there_and_covered_or_the_audit_fails() {
    let story = &*STORY;
    let (covered, tip) = (story.tip() as u64 - 3, story.tip() as u64);
    let audit = |height: u64, block_hash| {
        let pin = Some(Pin { height, block_hash });
        run(uncertified_after(story.records(|_| true), covered), AuditRequest { pin, ..story.request() })
    };
    let hash = |height: u64| story.blocks[height as usize].hash();
    for height in [0, 1, EPOCH_BLOCKS, covered] {
        let report = audit(height, hash(height)).expect("pinned");
        assert_eq!(report.pinned, Some(Pin { height, block_hash: hash(height) }));
    }
    for (height, pinned) in [(1, [7; 32]), (EPOCH_BLOCKS, hash(EPOCH_BLOCKS + 1)), (tip, [7; 32])] {
        let violation = audit(height, pinned).expect_err("another block");
        assert_eq!(violation.height, Some(height));
        assert_eq!(violation.rule, ViolationRule::PinnedBlock { found: hash(height), pinned });
    }
    let violation = audit(covered + 1, hash(covered + 1)).expect_err("not final");
    assert_eq!(violation.rule, ViolationRule::PinNotCovered { pinned: covered + 1, covered });
    let violation = audit(tip + 1, [7; 32]).expect_err("not there");
    assert_eq!(violation.rule, ViolationRule::PinNotReached { pinned: tip + 1, last: tip });
    // A pruned block has the hash that it always had.
    let pin = Some(Pin { height: 1, block_hash: hash(1) });
    let pruned = story.pruned(story.pause, |_| true);
    assert!(run(pruned.clone(), AuditRequest { pin, ..story.request() }).is_ok());
    let pin = Some(Pin { height: 1, block_hash: [7; 32] });
    let violation = run(pruned, AuditRequest { pin, ..story.request() }).expect_err("another block");
    assert!(matches!(violation.rule, ViolationRule::PinnedBlock { .. }));
}

/// The trailer names the state after the last block, which no certificate need cover.
#[test]
fn the_trailer_is_that_of_the_last_block_also_behind_the_last_certificate() {
    use veilgrid_ledger::audit::audit_export;
    use veilgrid_ledger::export::LedgerWriter;
    let story = &*STORY;
    let audit = |root| {
        let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
        for (height, block) in story.blocks.iter().enumerate() {
            writer.block(block).expect("memory");
            if height > 0 && height + 3 <= story.tip() {
                writer.certificate(&story.certificates[height]).expect("memory");
            }
        }
        let bytes = writer.finish(root).expect("memory");
        audit_export(LedgerReader::new(bytes.as_slice()).expect("a ledger"), story.request(), |_| {})
    };
    let report = audit(story.states[story.tip()].root()).expect("the true trailer");
    assert_eq!(report.state_root, story.states[story.tip() - 3].root());
    assert!(audit(report.state_root).is_err(), "the root of an earlier block");
}
