//! The audit of a network's ledger whose old blocks have lost their bids.

use crate::common;
use crate::common::{BOOK, certificate, request};
use crate::story::{STORY, run, with_checkpoint};
use crate::world;
use crate::world::World;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditReport, AuditRequest, ReceiptVerdict, Record, ViolationRule};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::pruned::{PrunedBlock, PrunedTransaction};
use veilgrid_ledger::refusal::BlockFault;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::{Checkpoint, Skeleton, SkeletonFault};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

/// The story leaves out two rounds: pruned blocks tell as well as whole ones which.
fn passed(report: &AuditReport) -> Vec<(u64, u64)> {
    report.passed_rounds.iter().map(|passed| (passed.first_round_id, passed.last_round_id)).collect()
}

#[test]
fn without_a_checkpoint_the_rest_is_recomputed_and_its_roots_are_not() {
    let story = &*STORY;
    // Everything of round 5 is pruned, round 6 is whole; then the same a block later, with bids of round 6 gone.
    let report = story.audit(story.pruned(story.pause - 1, |_| true)).expect("passes");
    assert_eq!(report.pruned.rounds_by_digest, [(1, 2), (5, 5)]);
    assert_eq!((report.rounds_settled, report.bids, report.pruned.bid_digests), (1, 4, 12));
    assert_eq!(passed(&report), [(3, 4)]);
    assert_eq!(report.pruned.roots_unknown_from, Some(1));
    // The header of block 1 carries the root of the genesis' state, which is known.
    assert_eq!(report.pruned.roots_not_compared, [(2, story.tip() as u64)]);
    assert_eq!(report.state_root, [0; 32]);
    let sessions: Vec<_> = report.key_sessions.iter().map(|s| (s.session, s.agreed)).collect();
    assert_eq!(sessions[..3], [(1, true), (2, true), (3, true)]);
    assert_eq!((report.validator_changes.len(), report.certificates.uncertified_tail), (1, 0));
    let report = story.audit(story.pruned(story.pause, |_| true)).expect("passes");
    assert_eq!(report.pruned.rounds_by_digest, [(1, 2), (5, 6)]);
    assert_eq!((report.rounds_settled, report.pruned.bid_digests), (0, 16));
}

/// A checkpoint is confirmed by the next header also when that one's block is pruned: whoever hands on a ledger may prune it.
#[test]
fn a_pruned_block_behind_a_checkpoint_confirms_it_or_not() {
    let story = &*STORY;
    // Round 6 is open and has no bids yet; the next block brings them and is pruned too.
    let height = story.pause - 1;
    let sound = story.states[height].checkpoint();
    let records = story.pruned(story.pause, |_| true);
    let report = story.audit(with_checkpoint(records.clone(), sound.clone())).expect("true");
    let pruned = &report.pruned;
    assert_eq!((pruned.checkpoints, pruned.roots_unknown_from), (1, Some(story.pause as u64)));
    let (last, behind) = (height as u64, story.pause as u64 + 1);
    assert_eq!(pruned.roots_not_compared, [(2, last), (behind, story.tip() as u64)]);
    let mut wrong = sound;
    wrong.finished.digest[0] ^= 1;
    let violation = story.audit(with_checkpoint(records, wrong)).expect_err("false");
    assert_eq!(violation.height, Some(story.pause as u64));
    assert!(matches!(violation.rule, ViolationRule::CheckpointRoot { .. }), "{violation}");
}

/// What is said of rounds that were never opened does not depend on what was recomputed, refused openings included.
#[test]
fn a_skeleton_knows_which_rounds_were_passed_over() {
    let mut world = World::keyed(4);
    let (second, fifth) = (world.ms(RoundTiming::open_ms, 2), world.ms(RoundTiming::open_ms, 5));
    let Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } = world.open(3) else { panic!() };
    // Of the wrong slot, for the wrong time: both are refused, and round 2 is passed over.
    let false_slot = Transaction::OpenRound { round_id: 2, slot_start_unix_s, slot_seconds };
    world.force_at(second, vec![false_slot, world.open(4)]);
    world.round(3);
    world.due_at(fifth);
    // Again, in the bidding time of the same round.
    world.force(vec![world.open(5)]);
    let checkpoint = Checkpoint { active: vec![5], ..world.state.checkpoint() };
    let genesis = State::from_genesis_block(&world.blocks[0]).expect("genesis");
    let mut skeleton = Skeleton::new(genesis, Some(checkpoint)).expect("ahead");
    for (block, whole) in world.blocks[1..].iter().zip(&world.effects) {
        let step = skeleton.full(block, &mut VerifyAll).expect("replayed");
        assert_eq!(step.at_start, whole.at_start, "block {}", whole.height);
        let refused = |effect: Option<&Effect>| matches!(effect, Some(Effect::Refused(_)));
        for (found, known) in step.effects.iter().zip(&whole.effects) {
            assert_eq!(refused(found.as_ref()), refused(Some(known)), "block {}: {known:?}", whole.height);
        }
    }
    assert!(skeleton.lost_rounds().is_empty(), "its bids are all there");
    let (state, _) = skeleton.complete().ok().expect("at its height");
    assert_eq!(state.root(), world.state.root());
}

#[test]
fn a_changed_pruned_block_is_a_violation() {
    let story = &*STORY;
    let bids_at = |records: &[Record]| {
        let has = |record: &Record| match record {
            Record::Pruned(block, _) => {
                block.transactions.iter().any(|t| matches!(t, PrunedTransaction::Bids { .. }))
            }
            _ => false,
        };
        records.iter().position(has).expect("bids")
    };
    for change in 0..3 {
        let mut records = story.pruned(story.pause, |_| true);
        let at = bids_at(&records);
        let Record::Pruned(block, certificate) = &mut records[at] else { panic!() };
        let expected = match change {
            0 => {
                let PrunedTransaction::Bids { bid_digests, .. } = &mut block.transactions[0] else {
                    panic!()
                };
                bid_digests[1][0] ^= 1;
                BlockFault::Body
            }
            1 => {
                block.transactions.clear();
                BlockFault::Body
            }
            _ => {
                block.header.parent_hash[0] ^= 1;
                let (found, expected) = (block.header.parent_hash, story.blocks[at - 1].hash());
                BlockFault::Parent { found, expected }
            }
        };
        assert!(certificate.is_some());
        let violation = story.audit(records).expect_err("changed");
        assert_eq!(violation.height, Some(at as u64));
        assert_eq!(violation.rule, ViolationRule::from(SkeletonFault::Block(expected)));
    }
    // An author who computes the hashes anew has no certificate for them.
    let mut records = story.pruned(story.pause, |_| true);
    let at = bids_at(&records);
    let Record::Block(block, _) = &mut records[at - 1] else {
        let Record::Pruned(block, certificate) = &mut records[at - 1] else { panic!() };
        block.header.time_unix_ms += 1;
        assert!(certificate.is_some());
        let violation = story.audit(records).expect_err("changed");
        return assert!(matches!(violation.rule, ViolationRule::Certificate { .. }), "{violation}");
    };
    block.header.time_unix_ms += 1;
    assert!(story.audit(records).is_err());
}

#[test]
fn from_a_checkpoint_the_rest_is_replayed_with_its_roots() {
    let story = &*STORY;
    let (records, checkpoint) = story.checkpointed();
    assert_eq!(checkpoint.active, [6]);
    assert!(records.iter().any(|record| matches!(record, Record::Pruned(..))));
    let report = story.audit(with_checkpoint(records, checkpoint)).expect("passes");
    assert_eq!((report.pruned.checkpoints, report.pruned.roots_unknown_from), (1, None));
    assert_eq!(report.pruned.rounds_by_digest, [(1, 2), (5, 5)]);
    assert_eq!((report.rounds_settled, report.bids), (1, 4));
    assert_eq!(passed(&report), [(3, 4)]);
    assert_eq!(report.state_root, story.states[story.tip()].root());
    assert_eq!(report.height, story.tip() as u64);
}

/// What an author of false checkpoints does to a true one.
type Change = Box<dyn Fn(&mut Checkpoint)>;

#[test]
fn a_checkpoint_is_true_in_every_part() {
    let story = &*STORY;
    let (records, sound) = story.checkpointed();
    let changes: Vec<(&str, Change)> = vec![
        ("the last round", Box::new(|c| c.last_round_id = Some(7))),
        ("no last round", Box::new(|c| c.last_round_id = None)),
        ("cleared slots", Box::new(|c| c.cleared_until_unix_s = c.cleared_until_unix_s.map(|s| s - 900))),
        ("settled rounds", Box::new(|c| c.finished.settled += 1)),
        ("void rounds", Box::new(|c| c.finished.voided -= 1)),
        ("the digest of rounds", Box::new(|c| c.finished.digest[0] ^= 1)),
        ("refusals", Box::new(|c| c.refused = 0)),
        ("the digest of refusals", Box::new(|c| c.refused_digest[0] ^= 1)),
        ("an active round", Box::new(|c| c.active.clear())),
        // Round 6 is settled by then.
        ("a later height", Box::new(|c| c.height = STORY.tip() as u64 - 2)),
    ];
    for (what, change) in changes {
        let mut checkpoint = sound.clone();
        change(&mut checkpoint);
        let next = checkpoint.height + 1;
        let violation = story.audit(with_checkpoint(records.clone(), checkpoint)).expect_err(what);
        assert_eq!(violation.height, Some(next), "{what}");
        assert!(matches!(violation.rule, ViolationRule::CheckpointRoot { .. }), "{what}: {violation}");
    }
    // A finished round that is said to be active has no bids to replay.
    let lost = Checkpoint { active: vec![5, 6], ..sound.clone() };
    let violation = story.audit(with_checkpoint(records, lost)).expect_err("no bids");
    assert_eq!(violation.rule, ViolationRule::from(SkeletonFault::BidsMissing { round: 5 }));
    let all = story.pruned(story.pause, |_| true);
    let violation = story.audit(with_checkpoint(all, sound)).expect_err("no bids");
    assert_eq!(violation.rule, ViolationRule::from(SkeletonFault::BidsMissing { round: 6 }));
}

#[test]
fn a_checkpoint_has_its_place_and_is_confirmed_by_a_final_block() {
    let story = &*STORY;
    let (records, checkpoint) = story.checkpointed();
    let rule = |records: Vec<Record>| story.audit(records).expect_err("misplaced").rule;
    let record = || Record::Checkpoint(Box::new(checkpoint.clone()));
    let placed = |at: usize| {
        let mut records = records.clone();
        records.insert(at, record());
        records
    };
    assert!(matches!(rule(placed(0)), ViolationRule::CheckpointPlace { .. }));
    // After the block that it is of, and a second one among pruned blocks.
    let height = story.pause as u64;
    let late = rule(story.records(|_| true).into_iter().chain([record()]).collect());
    let tip = story.tip() as u64;
    assert_eq!(late, ViolationRule::from(SkeletonFault::Height { found: height, height: tip }));
    let twice = with_checkpoint(placed(1), checkpoint.clone());
    assert!(matches!(rule(twice), ViolationRule::CheckpointPlace { .. }));
    // The ledger ends before its block, at its block, and behind it without a certificate.
    let cut = |blocks: usize| with_checkpoint(records[..blocks].to_vec(), checkpoint.clone());
    for blocks in [story.pause, story.pause + 1] {
        assert!(matches!(rule(cut(blocks)), ViolationRule::CheckpointPlace { .. }), "{blocks} blocks");
    }
    assert!(story.audit(cut(story.pause + 2)).is_ok());
    let mut uncertified = cut(story.pause + 2);
    let Some(Record::Block(_, last)) = uncertified.last_mut() else { panic!() };
    *last = None;
    assert!(matches!(rule(uncertified), ViolationRule::CheckpointPlace { .. }));
}

#[test]
fn every_height_without_bids_in_the_way_can_be_a_checkpoint() {
    let story = &*STORY;
    for height in (1..story.tip()).step_by(3) {
        let state = &story.states[height];
        let records = story.pruned(height, |block| state.may_prune(block));
        let checkpoint = state.checkpoint();
        let report = story.audit(with_checkpoint(records, checkpoint)).expect("passes");
        assert_eq!(report.state_root, story.states[story.tip()].root(), "from height {height}");
    }
}

/// Whoever hands on a ledger can add a true checkpoint of any height: what is there is recomputed all the same.
#[test]
fn a_checkpoint_switches_no_check_off() {
    let story = &*STORY;
    for height in 1..story.tip() {
        let checkpoint = story.states[height].checkpoint();
        let report = story.audit(with_checkpoint(story.records(|_| true), checkpoint.clone()));
        let report = report.expect("true and superfluous");
        assert_eq!((report.rounds_settled, report.bids), (3, 16), "checkpoint of {height}");
        assert!(report.pruned.rounds_by_digest.is_empty());
        let mut wrong = checkpoint;
        wrong.refused += 1;
        let violation = story.audit(with_checkpoint(story.records(|_| true), wrong)).expect_err("false");
        assert!(matches!(violation.rule, ViolationRule::CheckpointPlace { .. }), "{violation}");
    }
    // Round 1 alone is pruned, the checkpoint is far behind: rounds 2 and 5 are recomputed.
    let state = &story.states[story.pause];
    let first_end = story.states.iter().position(|state| state.finished().settled == 1).expect("settled");
    let records = story.pruned(first_end, |block| state.may_prune(block));
    let receipts = [2, 5].map(|round| story.receipts(round)).concat();
    let request = AuditRequest { receipts, ..story.request() };
    let report = run(with_checkpoint(records, state.checkpoint()), request);
    let report = report.expect("passes");
    assert_eq!(report.pruned.rounds_by_digest, [(1, 1)]);
    assert_eq!((report.rounds_settled, report.bids), (2, 12));
    assert!(!report.receipts.is_empty());
    assert!(report.receipts.iter().all(|finding| finding.verdict == ReceiptVerdict::Included));
}

/// Pruned to some height by the checkpoint of that one, or of a later one as stores did it once, and copied at some moment
/// after it: everybody was honest, and the audit says so.
#[test]
fn every_pruning_and_every_copy_of_it_audits_with_all_receipts() {
    let story = &*STORY;
    let rounds = [1, 2, 5, 6];
    let receipts: Vec<_> = rounds.iter().flat_map(|round| story.receipts(*round)).collect();
    assert_eq!(receipts.len(), 16);
    let has_bids = |block: &Block, of: u64| {
        let is = |tx: &Transaction| matches!(tx, Transaction::Bids { round_id, .. } if *round_id == of);
        block.transactions.iter().any(is)
    };
    let bids_of = |round| story.blocks.iter().find(|block| has_bids(block, round)).expect("bids");
    let ends = |height: usize| story.states[height].finished() != story.states[height - 1].finished();
    let chosen = |height: &usize| height.is_multiple_of(16) || ends(*height);
    for height in (1..story.tip()).filter(chosen) {
        for later in (height..story.tip()).step_by(24) {
            let checkpoint = story.states[later].checkpoint();
            let goes = |block: &Block| block.header.height <= height as u64 && checkpoint.may_prune(block);
            let records = story.pruned(height, goes);
            for blocks in (later + 2..=story.blocks.len()).step_by(8) {
                let copy = with_checkpoint(records[..blocks].to_vec(), checkpoint.clone());
                let request = AuditRequest { receipts: receipts.clone(), ..story.request() };
                let report = run(copy, request).expect("everybody was honest");
                for finding in &report.receipts {
                    use ReceiptVerdict::{Included, IncludedByDigest, RoundOpen, RoundUnknown};
                    let bids = bids_of(finding.round_id);
                    // Whatever is there is recomputed, whichever checkpoint stands before it.
                    let fits: &[_] = match bids.header.height {
                        at if at >= blocks as u64 => &[RoundOpen, RoundUnknown],
                        _ if goes(bids) => &[IncludedByDigest],
                        _ => &[Included],
                    };
                    let what = format!("pruned to {height} by a checkpoint of {later}, {blocks} blocks");
                    assert!(fits.contains(&finding.verdict), "{what}: {finding:?}");
                }
            }
        }
    }
}

/// A round has its bids in two blocks, one of them is pruned: the bids of the other one are still there.
#[test]
fn bids_that_are_left_of_a_pruned_round_count_by_their_digests() {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let Transaction::Bids { round_id, bids } = world.bids(1, &BOOK) else { panic!("bids") };
    let first_height = world.state.height() + 1;
    for half in bids.chunks(2) {
        world.push(vec![Transaction::Bids { round_id, bids: half.to_vec() }]);
    }
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    world.finish(1);
    let checkpoint = world.state.checkpoint();
    (0..2).for_each(|_| drop(world.step()));
    let id = world.state.community().ledger_id();
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(5);
    let key = world::receipt_key();
    let receipt = |bid: &SealedBid| Receipt::issue(&key, id, 1, bid.account, bid.digest(), 1, &mut rng);
    let receipts: Vec<_> = bids.iter().map(receipt).collect();
    let certified = |block: &Block| common::certified(&world.blocks[0], block);
    let records = world.blocks.iter().map(|block| match block.header.height == first_height {
        true => Record::Pruned(Box::new(PrunedBlock::of(block.clone())), certified(block)),
        false => Record::Block(Box::new(block.clone()), certified(block)),
    });
    let records: Vec<_> = records.collect();
    for records in [records.clone(), with_checkpoint(records, checkpoint)] {
        let request = AuditRequest { receipts: receipts.clone(), ..request() };
        let report = run(records, request).expect("everybody was honest");
        assert_eq!(report.pruned.rounds_by_digest, [(1, 1)]);
        let verdicts: Vec<_> = report.receipts.iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [ReceiptVerdict::IncludedByDigest; 4]);
    }
}

#[test]
fn checkpoints_have_one_encoding() {
    let (_, checkpoint) = STORY.checkpointed();
    let bytes = checkpoint.to_bytes();
    assert_eq!(Checkpoint::from_bytes(&bytes), Ok(checkpoint.clone()));
    for (position, byte) in bytes.iter().enumerate() {
        let mut flipped = bytes.clone();
        flipped[position] = byte ^ 2;
        if let Ok(decoded) = Checkpoint::from_bytes(&flipped) {
            assert_eq!(decoded.to_bytes(), flipped);
            assert_ne!(decoded, checkpoint);
        }
        assert!(Checkpoint::from_bytes(&bytes[..position]).is_err());
    }
    for active in [vec![6, 6], vec![6, 5], (1..=9).collect()] {
        let unsorted = Checkpoint { active, ..checkpoint.clone() };
        assert!(Checkpoint::from_bytes(&unsorted.to_bytes()).is_err());
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(Checkpoint::from_bytes(&longer).is_err());
}

#[test]
fn receipts_are_looked_up_in_pruned_rounds() {
    let story = &*STORY;
    let id = story.states[0].community().ledger_id();
    let bids_of = |round: u64| {
        let bids = story.blocks.iter().flat_map(|block| &block.transactions);
        bids.filter_map(move |transaction| match transaction {
            Transaction::Bids { round_id, bids } if *round_id == round => Some(bids[0].clone()),
            _ => None,
        })
    };
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(3);
    let mut receipt = |round_id, account, digest| {
        Receipt::issue(&story.receipt_key, id, round_id, account, digest, 1, &mut rng)
    };
    let (old, late) = (bids_of(5).next().expect("a bid"), bids_of(6).next().expect("a bid"));
    let receipts = vec![
        receipt(5, old.account, old.digest()),
        receipt(5, old.account, [1; 32]),
        receipt(6, late.account, late.digest()),
        receipt(6, old.account, old.digest()),
    ];
    let request = AuditRequest { receipts, ..story.request() };
    let (records, checkpoint) = story.checkpointed();
    let report = run(with_checkpoint(records, checkpoint), request).expect("passes");
    let verdicts: Vec<_> = report.receipts.iter().map(|finding| finding.verdict).collect();
    use ReceiptVerdict::{Included, IncludedByDigest, Missing, OtherBid};
    assert_eq!(verdicts[..3], [IncludedByDigest, Missing, Included]);
    assert!(matches!(verdicts[3], OtherBid | Missing), "{:?}", verdicts[3]);
}

/// Threat: a checkpoint with numbers that no ledger reaches, and blocks behind it that its author has made to fit. They
/// count on without a panic until somebody asks for the certificates that they do not have.
#[test]
fn impossible_numbers_of_a_checkpoint_stop_no_audit() {
    let story = &*STORY;
    let (mut records, mut checkpoint) = story.checkpointed();
    (checkpoint.finished.settled, checkpoint.finished.voided) = (u64::MAX, u64::MAX);
    checkpoint.refused = u64::MAX;
    let skeleton = Skeleton::new(story.states[0].clone(), Some(checkpoint.clone()));
    let mut skeleton = skeleton.expect("a checkpoint that is ahead");
    for record in &records[1..=story.pause] {
        let step = match record {
            Record::Block(block, _) => skeleton.full(block, &mut VerifyAll),
            Record::Pruned(block, _) => skeleton.pruned(block, &mut VerifyAll),
            Record::Checkpoint(_) => panic!("there is none yet"),
        };
        step.expect("the story's own block");
    }
    let (mut state, _) = skeleton.complete().ok().expect("at the checkpoint");
    records.truncate(story.pause + 1);
    // Round 6 is settled, and a transaction is refused.
    for block in &story.blocks[story.pause + 1..] {
        let mut transactions = block.transactions.clone();
        transactions.push(Transaction::CloseRound { round_id: 1 });
        let time_unix_ms = block.header.time_unix_ms;
        let (height, parent) = (state.height() + 1, state.block_hash());
        let block = Block::new(height, parent, time_unix_ms, state.root(), transactions);
        state.apply_block(&block, &mut VerifyAll).expect("a sound header");
        let (id, validators) = (state.community().ledger_id(), state.roster().consensus_keys());
        let certificate = certificate(&id, state.epoch(), &validators, &block.hash());
        records.push(Record::Block(Box::new(block), Some(certificate)));
    }
    assert_eq!((state.finished().settled, state.refused()), (u64::MAX, u64::MAX));
    let mut records = with_checkpoint(records, checkpoint);
    assert_eq!(story.audit(records.clone()).expect("nothing else is wrong").rounds_settled, 1);
    for record in &mut records[story.pause + 2..] {
        let Record::Block(_, certificate) = record else { panic!("whole blocks follow") };
        *certificate = None;
    }
    assert!(story.audit(records).is_err());
}
