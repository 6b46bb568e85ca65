//! A dishonest author of a ledger: content is changed and everything that can be computed anew is computed anew, body
//! hashes, parent hashes, state roots and the file's trailer. The audit must still find the rule that is broken.

mod common;

use common::*;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::audit::{AuditRequest, ViolationRule};
use veilgrid_ledger::refusal::{BlockFault, Refusal, Waits};
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

/// The refusal that the audit of a forged ledger ends with, from the blocks and from a file.
fn found(change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Refusal {
    let (_, chain) = finished();
    refusal_of(&chain, change)
}

fn refusal_of(chain: &Chain, change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Refusal {
    let forged = forge(&chain.blocks, change);
    assert_ne!(forged, chain.blocks, "something has to be changed");
    let violation = audit_blocks(&forged).expect_err("the audit must fail");
    let request = AuditRequest { trusted_genesis: Some(forged[0].hash()), ..AuditRequest::default() };
    let from_file = audit_file(&export(&forged, [7; 32]), request).expect_err("the audit must fail");
    assert_eq!(from_file, violation.to_string());
    match violation.rule {
        ViolationRule::Block(BlockFault::Refused(refusal)) => {
            assert_eq!(violation.round, Some(1));
            *refusal
        }
        other => panic!("{other}"),
    }
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
fn an_honest_chain_passes_when_rebuilt() {
    let (_, chain) = finished();
    let rebuilt = forge(&chain.blocks, |_| {});
    assert_eq!(rebuilt, chain.blocks);
    assert!(audit_blocks(&rebuilt).is_ok());
}

#[test]
fn a_bid_altered() {
    assert!(matches!(edit_bids(|bids| bids[2].note[3] ^= 1), Refusal::BidInvalid { .. }));
    assert!(matches!(edit_bids(|bids| bids[2].salt[0] ^= 1), Refusal::BidInvalid { .. }));
}

#[test]
fn a_bid_moved_to_another_account() {
    let refusal = edit_bids(|bids| {
        let (first, second) = (bids[0].account, bids[1].account);
        bids[0].account = second;
        bids[1].account = first;
    });
    assert!(matches!(refusal, Refusal::BidInvalid { .. }));
}

#[test]
fn a_bid_moved_to_another_round() {
    let mut community = Community::new();
    let mut chain = Chain::new(&community);
    chain.whole_round(&mut community, 1, &BOOK);
    let bid = match &chain.blocks[2].transactions[0] {
        Transaction::Bids { bids, .. } => bids[0].clone(),
        other => panic!("{other:?}"),
    };
    chain.push(vec![open_round(2)]);
    let moved = |round_id| {
        let mut bid = bid.clone();
        bid.round_id = round_id;
        chain.refusal(Transaction::Bids { round_id: 2, bids: vec![bid] })
    };
    assert!(matches!(moved(1), Refusal::BidOfOtherRound { .. }));
    assert!(matches!(moved(2), Refusal::BidInvalid { .. }));
}

/// Nobody signs the opening of a round: the bids themselves are bound to its slot.
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
        assert!(matches!(refusal, Refusal::BidInvalid { .. }), "{refusal:?}");
    }
}

#[test]
fn a_bid_moved_to_another_step() {
    assert!(matches!(edit_bids(|bids| bids[0].c.swap(0, 2)), Refusal::BidInvalid { .. }));
}

#[test]
fn a_bid_repeated() {
    assert!(matches!(edit_bids(|bids| bids.push(bids[0].clone())), Refusal::SecondBid { .. }));
}

#[test]
fn a_bid_dropped() {
    // The shares are bound to the set of bids, so a smaller set has no opening.
    let refusal = edit_bids(|bids| {
        bids.pop();
    });
    assert!(matches!(refusal, Refusal::ShareInvalid { opening: 0, .. }));
}

#[test]
fn bids_in_another_order() {
    assert!(matches!(edit_bids(|bids| bids.swap(0, 1)), Refusal::ShareInvalid { .. }));
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
        assert!(matches!(refusal, Refusal::ShareInvalid { opening: 0, .. }));
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
    assert!(matches!(refusal, Refusal::ShareInvalid { opening: 0, .. }));
}

#[test]
fn a_share_dropped() {
    let refusal = found(|bodies| {
        let body = bodies.iter_mut().find(|body| body[0].kind() == TransactionKind::OpeningShare);
        body.expect("shares").pop();
    });
    let (waits, found) = (Waits::Shares, TransactionKind::OpenedValue);
    assert_eq!(refusal, Refusal::OutOfOrder { round: 1, waits, found });
}

#[test]
fn an_opened_value_changed() {
    let refusal = found(|bodies| {
        edit(bodies, TransactionKind::OpenedValue, |transaction| match transaction {
            Transaction::OpenedValue { value_wh, .. } => *value_wh += 1,
            other => panic!("{other:?}"),
        });
    });
    assert!(matches!(refusal, Refusal::ValueWrong { opening: 0, .. }));
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
    assert_eq!(refusal, Refusal::WrongOutcome { round: 1 });
}

#[test]
fn a_fraction_changed() {
    let refusal = changed_outcome(|outcome| outcome.trade.as_mut().expect("trade").fraction_q16 -= 1);
    assert_eq!(refusal, Refusal::WrongOutcome { round: 1 });
}

#[test]
fn a_volume_changed() {
    let refusal = changed_outcome(|outcome| outcome.volume_wh = outcome.volume_wh.map(|wh| wh + 1));
    assert_eq!(refusal, Refusal::WrongOutcome { round: 1 });
}

#[test]
fn a_fill_changed() {
    let refusal = found(|bodies| {
        edit(bodies, TransactionKind::Settle, |transaction| match transaction {
            Transaction::Settle { points, .. } => points.swap(0, 1),
            other => panic!("{other:?}"),
        });
    });
    assert!(matches!(refusal, Refusal::SettlementPoint { .. }));
}

#[test]
fn clearing_before_the_openings() {
    let refusal = found(|bodies| {
        let (clear, index) = bodies
            .iter()
            .enumerate()
            .find_map(|(i, body)| (body[0].kind() == TransactionKind::Clear).then(|| (body.clone(), i)))
            .expect("clear");
        bodies.remove(index);
        let first_share =
            bodies.iter().position(|body| body[0].kind() == TransactionKind::OpeningShare).expect("shares");
        bodies.insert(first_share, clear);
    });
    let (waits, found) = (Waits::Shares, TransactionKind::Clear);
    assert_eq!(refusal, Refusal::OutOfOrder { round: 1, waits, found });
}

#[test]
fn an_opening_off_the_path() {
    // After the last opening of the path, before the outcome, validators release shares of one step's total.
    let (mut community, mut chain) = (Community::new(), Chain::new(&Community::new()));
    chain.bid_and_close(&mut community, 1, &BOOK);
    let mut last = None;
    while let Ok(expected) = chain.state.expected(1) {
        match expected {
            veilgrid_ledger::state::expected::Expected::Shares(request) => last = Some(request),
            veilgrid_ledger::state::expected::Expected::Clear { .. } => break,
            _ => {}
        }
        chain.step(&mut community, 1);
    }
    let mut request = last.expect("an opening");
    request.context.opening_index += 1;
    request.weights = vec![1, 0, 0, 0, 0, 0, 0, 0];
    let shares: Vec<_> = (1..=3)
        .map(|validator| Transaction::OpeningShare {
            round_id: 1,
            opening_index: request.context.opening_index,
            share: community.share(&chain.state, &request, validator),
        })
        .collect();
    chain.finish(&mut community, 1);
    let refusal = refusal_of(&chain, |bodies| {
        let clear = bodies.iter().position(|body| body[0].kind() == TransactionKind::Clear).expect("clear");
        bodies[clear].splice(0..0, shares);
    });
    let (waits, found) = (Waits::Clear, TransactionKind::OpeningShare);
    assert_eq!(refusal, Refusal::OutOfOrder { round: 1, waits, found });
}

#[test]
fn another_genesis_than_the_trusted_one() {
    let (_, chain) = finished();
    let request = AuditRequest { trusted_genesis: Some([1; 32]), ..AuditRequest::default() };
    let error = audit_file(&chain.export(), request).expect_err("untrusted");
    assert!(error.contains("this is another ledger"), "{error}");
}

#[test]
fn another_final_state_in_the_trailer() {
    let (_, chain) = finished();
    let error = audit_file(&export(&chain.blocks, [7; 32]), AuditRequest::default()).expect_err("wrong root");
    assert!(error.contains("trailer"), "{error}");
}

#[test]
fn a_changed_state_root_between_blocks() {
    let (_, mut chain) = finished();
    let last = chain.blocks.pop().expect("block");
    let (header, body) = (last.header, last.transactions);
    let mut root = header.prior_state_root;
    root[0] ^= 1;
    let height = header.height;
    let block =
        veilgrid_ledger::block::Block::new(height, header.parent_hash, header.time_unix_ms, root, body);
    chain.blocks.push(block);
    let violation = audit_blocks(&chain.blocks).expect_err("wrong root");
    assert!(matches!(violation.rule, ViolationRule::Block(BlockFault::PriorStateRoot { .. })));
    assert_eq!(violation.height, Some(height));
}
