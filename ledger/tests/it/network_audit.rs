//! The audit of a network's ledger: certificates, key sessions, refusals.

use crate::common::certificate;
use crate::story::{STORY, run};
use crate::world::EPOCH_BLOCKS;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::ReceiptVerdict::{Included, Missing, RoundOpen, RoundUnknown};
use veilgrid_ledger::audit::certificates::MAX_UNCERTIFIED_TAIL;
use veilgrid_ledger::audit::{AuditRequest, Record, ViolationRule};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::effects::PassedRounds;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;

#[test]
fn a_certified_ledger_passes_and_everything_is_counted() {
    let story = &*STORY;
    let report = story.audit(story.records(|_| true)).expect("passes");
    let tip = story.tip() as u64;
    let certificates = report.certificates;
    assert!(certificates.checked);
    assert_eq!((certificates.certificates, certificates.covered_blocks), (tip, tip));
    assert_eq!((certificates.covered_height, certificates.uncertified_tail), (tip, 0));
    assert_eq!((report.rounds_settled, report.rounds_void), (3, 3));
    let (first_round_id, last_round_id, reason) = (3, 4, VoidReason::NotOpened);
    assert_eq!(report.passed_rounds, [PassedRounds { first_round_id, last_round_id, reason }]);
    let void = report.void_rounds[0];
    assert_eq!((void.round_id, void.reason, void.bids), (2, VoidReason::OpeningDeadline, 4));
    assert_eq!(report.suspended_rounds, [2].into());
    assert_eq!((report.refused, report.refused_by_kind[&TransactionKind::CloseRound]), (1, 1));
    assert_eq!(report.refused_listed[0].reason, "round 1 is not active: it was never opened or is finished");
    let changes: Vec<_> = report.validator_changes.iter().map(|c| (c.epoch, c.validators)).collect();
    assert_eq!(changes, [(1, 7)]);
    let sessions: Vec<_> =
        report.key_sessions.iter().map(|s| (s.session, s.task.as_str(), s.agreed)).collect();
    assert_eq!(sessions[..3], [(1, "generate", true), (2, "reshare", true), (3, "refresh", true)]);
    assert_eq!(report.state_root, story.states[story.tip()].root());
    assert_eq!((report.pruned.blocks, report.pruned.roots_unknown_from), (0, None));
}

#[test]
fn a_certificate_covers_the_blocks_before_it_of_the_same_validators() {
    let story = &*STORY;
    let last_of_four = EPOCH_BLOCKS as usize - 1;
    let tip = story.tip();
    // The epochs 1 and 2 have the same seven validators.
    let few = |height: usize| [last_of_four, tip - 3].contains(&height);
    let report = story.audit(story.records(few)).expect("passes");
    let counts = report.certificates;
    assert_eq!((counts.certificates, counts.covered_height, counts.uncertified_tail), (2, tip as u64 - 3, 3));
    assert_eq!(counts.covered_blocks, tip as u64 - 3);
    // The last block of the four has none: the seven can't vouch for the blocks that made them validators.
    let violation = story.audit(story.records(|height| height != last_of_four)).expect_err("not certified");
    let rule = ViolationRule::EpochNotCertified { epoch: 0, height: last_of_four as u64 };
    assert_eq!((violation.height, violation.rule), (Some(EPOCH_BLOCKS), rule));
}

#[test]
fn a_ledger_whose_end_was_never_final_is_refused() {
    let story = &*STORY;
    let tail = |blocks: usize| story.audit(story.records(|height| height + blocks <= story.tip()));
    let bound = MAX_UNCERTIFIED_TAIL as usize;
    assert_eq!(tail(bound).expect("passes").certificates.uncertified_tail, MAX_UNCERTIFIED_TAIL);
    let (from, blocks) = ((story.tip() - bound) as u64, MAX_UNCERTIFIED_TAIL + 1);
    assert_eq!(tail(bound + 1).expect_err("too long").rule, ViolationRule::NotFinal { from, blocks });
}

#[test]
fn a_certificate_that_does_not_hold_is_named_with_its_block() {
    let story = &*STORY;
    let of_other_block = story.certificates[8].clone();
    for (height, bytes) in [(7, of_other_block), (60, vec![]), (60, vec![1; 32])] {
        let mut records = story.records(|_| true);
        let Record::Block(_, certificate) = &mut records[height] else { panic!() };
        *certificate = Some(bytes);
        let violation = story.audit(records).expect_err("a false certificate");
        assert_eq!(violation.height, Some(height as u64));
        let epoch = height as u64 / EPOCH_BLOCKS;
        assert!(matches!(violation.rule, ViolationRule::Certificate { epoch: found, .. } if found == epoch));
    }
    // By the validators of another epoch.
    let mut records = story.records(|_| true);
    let (id, hash) = (story.states[0].community().ledger_id(), story.blocks[50].hash());
    let four = story.states[0].consensus_keys(0).expect("validators");
    let Record::Block(_, bytes) = &mut records[50] else { panic!() };
    *bytes = Some(certificate(&id, 1, &four, &hash));
    assert!(matches!(
        story.audit(records).expect_err("false").rule,
        ViolationRule::Certificate { epoch: 1, .. }
    ));
    // The genesis is trusted by its hash.
    let mut records = story.records(|_| true);
    let Record::Block(_, first) = &mut records[0] else { panic!() };
    *first = Some(vec![1]);
    assert_eq!(story.audit(records).expect_err("stray").rule, ViolationRule::StrayCertificate);
}

/// The story up to round 6, which takes bids, and behind it blocks that nobody has certified: they close the round.
fn forged_close() -> Vec<Record> {
    let story = &*STORY;
    let mut state = story.states[story.pause].clone();
    let timing = *state.timing();
    let close_ms = RoundTiming::close_ms(&timing, 6).expect("in the calendar");
    let mut records = story.records(|_| true);
    records.truncate(story.pause + 1);
    while state.round(6).is_some_and(|round| round.takes_bids()) {
        let due = state.due(close_ms);
        let block = Block::new(state.height() + 1, state.block_hash(), close_ms, state.root(), due);
        state.apply_block(&block, &mut VerifyAll).expect("a sound block");
        records.push(Record::from(block));
    }
    assert!(records.len() - story.pause - 1 <= MAX_UNCERTIFIED_TAIL as usize);
    records
}

/// Threat: whoever hands on a ledger writes blocks of its own behind the final ones, in which a promise is broken.
#[test]
fn receipts_are_judged_by_final_blocks_alone() {
    let story = &*STORY;
    let id = story.states[0].community().ledger_id();
    let on_ledger = story.blocks[story.pause].transactions.iter().find_map(|transaction| match transaction {
        Transaction::Bids { bids, .. } => Some((bids[0].account, bids[0].digest())),
        _ => None,
    });
    let (account, digest) = on_ledger.expect("bids of round 6");
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let mut receipt = |round_id, account, digest| {
        Receipt::issue(&story.receipt_key, id, round_id, account, digest, 1, &mut rng)
    };
    let receipts = [receipt(6, account, digest), receipt(6, [1; 32], [2; 32]), receipt(5, [1; 32], [2; 32])];
    let verdicts = |records: Vec<Record>| {
        let request = AuditRequest { receipts: receipts.to_vec(), ..story.request() };
        let report = run(records, request).expect("passes");
        report.receipts.iter().map(|finding| finding.verdict).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(forged_close()), [Included, RoundOpen, Missing]);
    // Were the blocks final, they would prove it.
    let mut certified = forged_close();
    let Some(Record::Block(last, bytes)) = certified.last_mut() else { panic!() };
    let state = &story.states[story.pause];
    let validators = state.consensus_keys(state.epoch()).expect("validators");
    *bytes = Some(certificate(&id, state.epoch(), &validators, &last.hash()));
    assert_eq!(verdicts(certified), [Included, Missing, Missing]);
    // The bid itself is no more than a claim in a block that nobody has certified, and so is the round.
    let mut records = forged_close();
    for record in &mut records[story.pause..] {
        let Record::Block(_, certificate) = record else { panic!() };
        *certificate = None;
    }
    let by_then = story.states[story.pause - 1].round(6).is_some();
    let expected = if by_then { RoundOpen } else { RoundUnknown };
    assert_eq!(verdicts(records), [expected, expected, Missing]);
}
