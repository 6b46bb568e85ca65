//! A dishonest author of a ledger: content is changed and everything that can be computed anew is computed anew, body
//! hashes, parent hashes, state roots and the file's trailer. The audit must still find the rule that is broken.

use crate::common::*;
use crate::world::World;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::audit::{AuditError, AuditRequest, Record, ViolationRule, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::refusal::{BlockFault, Refusal, Waits};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_ledger::verdicts::VerifyAll;

/// The refusal that a forged ledger records first.
fn found(change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Refusal {
    refusal_of(&World::finished(), change)
}

/// Under the certificates of the true blocks the forged ledger fails. When dishonest validators certify it anew, what was
/// changed is refused, in the audit's list too, and the round does not end as it did.
pub fn refusal_of(world: &World, change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Refusal {
    let forged = forge(&world.blocks, change);
    assert_ne!(forged, world.blocks, "something has to be changed");
    let old = |block: &Block| {
        let same_height = world.blocks.iter().find(|true_one| true_one.header.height == block.header.height);
        same_height.and_then(|true_one| certified(&world.blocks[0], true_one))
    };
    let record = |block: &Block| Record::Block(Box::new(block.clone()), old(block));
    let records = forged.iter().map(|block| Ok::<_, std::convert::Infallible>(record(block)));
    let error = audit(records, request(), |_| {}).expect_err("certificates of other blocks");
    let AuditError::Violation(violation) = error;
    assert!(matches!(violation.rule, ViolationRule::Certificate { .. }), "{violation}");

    let report = audit_blocks(&forged).expect("certified anew");
    let from_file = audit_file(
        &export(&forged, report.state_root),
        AuditRequest { trusted_genesis: Some(forged[0].hash()), ..request() },
    );
    assert_eq!(from_file, Ok(report.clone()));
    let mut state = State::from_genesis_block(&forged[0]).expect("genesis");
    let effects = forged[1..]
        .iter()
        .flat_map(|block| state.apply_block(block, &mut VerifyAll).expect("a sound header").effects);
    let refused: Vec<_> = effects
        .filter_map(|effect| match effect {
            Effect::Refused(refusal) => Some(*refusal),
            _ => None,
        })
        .collect();
    assert_eq!(report.refused, refused.len() as u64);
    assert_eq!(report.refused_listed[0].reason, refused[0].to_string());
    refused.into_iter().next().expect("a refusal")
}

fn begins_with(body: &[Transaction], kind: TransactionKind) -> bool {
    body.first().is_some_and(|transaction| transaction.kind() == kind)
}

fn edit(bodies: &mut [Vec<Transaction>], kind: TransactionKind, change: impl FnOnce(&mut Transaction)) {
    let all = bodies.iter_mut().flatten();
    change(all.into_iter().find(|transaction| transaction.kind() == kind).expect("there"));
}

fn edit_bids(change: impl FnOnce(&mut Vec<SealedBid>)) -> Refusal {
    found(|bodies| {
        edit(bodies, TransactionKind::Bids, |transaction| match transaction {
            Transaction::Bids { bids, .. } => change(bids),
            other => panic!("{other:?}"),
        });
    })
}

#[test]
fn an_honest_ledger_passes_when_rebuilt() {
    let world = World::finished();
    let rebuilt = forge(&world.blocks, |_| {});
    assert_eq!(rebuilt, world.blocks);
    assert_eq!(audit_blocks(&rebuilt).expect("honest").refused, 0);
}

#[test]
fn a_bid_altered() {
    assert!(matches!(
        edit_bids(|bids| bids[2].note[3] ^= 1),
        Refusal::Rounds(RoundRefusal::BidInvalid { .. })
    ));
    assert!(matches!(
        edit_bids(|bids| bids[2].salt[0] ^= 1),
        Refusal::Rounds(RoundRefusal::BidInvalid { .. })
    ));
}

#[test]
fn a_bid_moved_to_another_account() {
    let refusal = edit_bids(|bids| {
        let (first, second) = (bids[0].account, bids[1].account);
        bids[0].account = second;
        bids[1].account = first;
    });
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::BidInvalid { .. })));
}

#[test]
fn a_bid_moved_to_another_round() {
    let mut world = World::keyed(4);
    world.round(1);
    let bids = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|found| match found {
        Transaction::Bids { bids, .. } => Some(bids[0].clone()),
        _ => None,
    });
    let bid = bids.expect("bids");
    world.open_round(2);
    let moved = |round_id| {
        let mut bid = bid.clone();
        bid.round_id = round_id;
        world.refusal(Transaction::Bids { round_id: 2, bids: vec![bid] })
    };
    assert!(matches!(moved(1), Refusal::Rounds(RoundRefusal::BidOfOtherRound { .. })));
    assert!(matches!(moved(2), Refusal::Rounds(RoundRefusal::BidInvalid { .. })));
}

/// Nobody signs the opening of a round: the calendar has one slot for it, and the bids themselves are bound to it.
#[test]
fn a_round_moved_to_another_slot() {
    type Change = fn(&mut i64, &mut u32);
    let changes: [Change; 2] = [|start, _| *start += 900, |start, _| *start -= 86_400];
    for change in changes {
        let refusal = found(|bodies| {
            edit(bodies, TransactionKind::OpenRound, |transaction| match transaction {
                Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } => {
                    change(slot_start_unix_s, slot_seconds);
                }
                other => panic!("{other:?}"),
            });
        });
        assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::NotDue { round: 1, .. })), "{refusal:?}");
    }
}

#[test]
fn a_bid_moved_to_another_step() {
    assert!(matches!(
        edit_bids(|bids| bids[0].c.swap(0, 2)),
        Refusal::Rounds(RoundRefusal::BidInvalid { .. })
    ));
}

#[test]
fn a_bid_repeated() {
    assert!(matches!(
        edit_bids(|bids| bids.push(bids[0].clone())),
        Refusal::Rounds(RoundRefusal::SecondBid { .. })
    ));
}

#[test]
fn a_bid_dropped() {
    // The shares are bound to the set of bids, so a smaller set has no opening.
    let refusal = edit_bids(|bids| {
        bids.pop();
    });
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ShareInvalid { opening: 0, .. })));
}

#[test]
fn bids_in_another_order() {
    assert!(matches!(edit_bids(|bids| bids.swap(0, 1)), Refusal::Rounds(RoundRefusal::ShareInvalid { .. })));
}

#[test]
fn a_share_changed() {
    for byte in [0, 40, 70] {
        let refusal = found(|bodies| {
            edit(bodies, TransactionKind::OpeningShare, |transaction| match transaction {
                Transaction::OpeningShare { share, .. } => match byte {
                    0 => share.point[1] ^= 1,
                    40 => share.challenge[1] ^= 1,
                    _ => share.response[1] ^= 1,
                },
                other => panic!("{other:?}"),
            });
        });
        assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ShareInvalid { opening: 0, .. })));
    }
}

#[test]
fn a_share_of_another_opening() {
    let refusal = found(|bodies| {
        let all: Vec<_> = bodies.iter().flatten().cloned().collect();
        let later = all.iter().find_map(|transaction| match transaction {
            Transaction::OpeningShare { opening_index: 1, share, .. } => Some(*share),
            _ => None,
        });
        edit(bodies, TransactionKind::OpeningShare, |transaction| match transaction {
            Transaction::OpeningShare { share, .. } => *share = later.expect("a second opening"),
            other => panic!("{other:?}"),
        });
    });
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ShareInvalid { opening: 0, .. })));
}

#[test]
fn a_share_dropped() {
    let refusal = found(|bodies| {
        let body = bodies.iter_mut().find(|body| begins_with(body, TransactionKind::OpeningShare));
        body.expect("shares").pop();
    });
    let (waits, found) = (Waits::Shares, TransactionKind::OpenedValue);
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::OutOfOrder { round: 1, waits, found }));
}

#[test]
fn an_opened_value_changed() {
    let refusal = found(|bodies| {
        edit(bodies, TransactionKind::OpenedValue, |transaction| match transaction {
            Transaction::OpenedValue { value_wh, .. } => *value_wh += 1,
            other => panic!("{other:?}"),
        });
    });
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ValueWrong { opening: 0, .. })));
}

fn changed_outcome(change: impl FnOnce(&mut veilgrid_market::Outcome)) -> Refusal {
    found(|bodies| {
        edit(bodies, TransactionKind::Clear, |transaction| match transaction {
            Transaction::Clear { outcome, .. } => change(outcome),
            other => panic!("{other:?}"),
        });
    })
}

#[test]
fn a_price_changed() {
    let refusal = changed_outcome(|outcome| {
        let trade = outcome.trade.as_mut().expect("trade");
        for price in [
            &mut trade.buy_price_mct_per_kwh,
            &mut trade.sell_price_mct_per_kwh,
            &mut trade.price_low_mct_per_kwh,
            &mut trade.price_high_mct_per_kwh,
        ] {
            *price += 1_000;
        }
    });
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::WrongOutcome { round: 1 }));
}

#[test]
fn a_fraction_changed() {
    let refusal = changed_outcome(|outcome| outcome.trade.as_mut().expect("trade").fraction_q16 -= 1);
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::WrongOutcome { round: 1 }));
}

#[test]
fn a_volume_changed() {
    let refusal = changed_outcome(|outcome| outcome.volume_wh = outcome.volume_wh.map(|wh| wh + 1));
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::WrongOutcome { round: 1 }));
}

#[test]
fn a_fill_changed() {
    let refusal = found(|bodies| {
        edit(bodies, TransactionKind::Settle, |transaction| match transaction {
            Transaction::Settle { points, .. } => points.swap(0, 1),
            other => panic!("{other:?}"),
        });
    });
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::SettlementPoint { .. })));
}

#[test]
fn clearing_before_the_openings() {
    let refusal = found(|bodies| {
        let (clear, index) = bodies
            .iter()
            .enumerate()
            .find_map(|(i, body)| (begins_with(body, TransactionKind::Clear)).then(|| (body.clone(), i)))
            .expect("clear");
        bodies.remove(index);
        let first_share =
            bodies.iter().position(|body| begins_with(body, TransactionKind::OpeningShare)).expect("shares");
        bodies.insert(first_share, clear);
    });
    let (waits, found) = (Waits::Shares, TransactionKind::Clear);
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::OutOfOrder { round: 1, waits, found }));
}

#[test]
fn an_opening_off_the_path() {
    // After the last opening of the path, before the outcome, validators release shares of one step's total.
    let mut world = World::keyed(4);
    world.opening(1);
    let mut last = None;
    while let Ok(expected) = world.state.expected(1) {
        match expected {
            Expected::Shares(request) => last = Some(request),
            Expected::Clear { .. } => break,
            _ => {}
        }
        world.advance(1);
    }
    let mut request = last.expect("an opening");
    request.context.opening_index += 1;
    request.weights = vec![1, 0, 0, 0, 0, 0, 0, 0];
    let shares: Vec<_> = (1..=3)
        .map(|validator| Transaction::OpeningShare {
            round_id: 1,
            opening_index: request.context.opening_index,
            share: world.share(&request, validator),
        })
        .collect();
    world.finish(1);
    let refusal = refusal_of(&world, |bodies| {
        let clear = bodies.iter().position(|body| begins_with(body, TransactionKind::Clear)).expect("clear");
        bodies[clear].splice(0..0, shares);
    });
    let (waits, found) = (Waits::Clear, TransactionKind::OpeningShare);
    assert_eq!(refusal, Refusal::Rounds(RoundRefusal::OutOfOrder { round: 1, waits, found }));
}

#[test]
fn another_genesis_than_the_trusted_one() {
    let world = World::finished();
    let request = AuditRequest { trusted_genesis: Some([1; 32]), ..request() };
    let error = audit_file(&world.export(), request).expect_err("untrusted");
    assert!(error.contains("this is another ledger"), "{error}");
}

#[test]
fn another_final_state_in_the_trailer() {
    let world = World::finished();
    let error = audit_file(&export(&world.blocks, [7; 32]), request()).expect_err("wrong root");
    assert!(error.contains("trailer"), "{error}");
}

#[test]
fn a_changed_state_root_between_blocks() {
    let mut world = World::finished();
    let last = world.blocks.pop().expect("block");
    let (header, body) = (last.header, last.transactions);
    let mut root = header.prior_state_root;
    root[0] ^= 1;
    let height = header.height;
    let block = Block::new(height, header.parent_hash, header.time_unix_ms, root, body);
    world.blocks.push(block);
    let violation = audit_blocks(&world.blocks).expect_err("wrong root");
    assert!(matches!(violation.rule, ViolationRule::Block(BlockFault::PriorStateRoot { .. })));
    assert_eq!(violation.height, Some(height));
}

/// Of what the registrar has signed nothing can be changed: not a class, a number, a name, or which order it is.
#[test]
fn a_changed_order_of_the_registrar() {
    let mut world = World::new(4);
    let (_, certificate) = world.newcomer(200);
    let enrol = world.ordered(Action::Enrol(vec![certificate]));
    world.push(vec![enrol]);
    world.push(vec![]);
    let found = |edit: fn(&mut RegistrarOrder)| {
        refusal_of(&world, |bodies| {
            self::edit(bodies, TransactionKind::Enrol, |transaction| match transaction {
                Transaction::Registrar(order) => edit(order),
                other => panic!("{other:?}"),
            });
        })
    };
    let class: fn(&mut RegistrarOrder) = |order| match &mut order.action {
        Action::Enrol(certificates) => certificates[0].export_class = 1,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(class), Refusal::Members(MembersRefusal::Signature));
    assert_eq!(found(|order| order.signature[1] ^= 1), Refusal::Members(MembersRefusal::Signature));
    assert_eq!(
        found(|order| order.action = Action::Leave(vec![1])),
        Refusal::Members(MembersRefusal::Signature)
    );
    let sequence = MembersRefusal::Sequence { found: 1, expected: 0 };
    assert_eq!(found(|order| order.sequence = 1), Refusal::Members(sequence));
}
