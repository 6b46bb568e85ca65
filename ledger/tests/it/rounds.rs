//! Rounds from the first bid to the settlement, and what an audit says about them.

use crate::common::*;
use crate::world::World;
use veilgrid_crypto::bid::RoundContext;
use veilgrid_crypto::group::{decode_point, encode_point, scalar_from_i64, value_base};
use veilgrid_ledger::audit::{AuditRequest, ReceiptVerdict};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::propose;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerdictCache, VerifyAll};
use veilgrid_market::{Rationed, Rule, SumRequest, clear_plain, fill_weights};

fn opened(world: &World) -> Vec<(SumRequest, i64)> {
    let value = |effect: &Effect| match effect {
        Effect::ValueOpened { request, value_wh, .. } => Some((*request, *value_wh)),
        _ => None,
    };
    world.all_effects().filter_map(value).collect()
}

fn totals(book: &[[u64; 8]]) -> Vec<u64> {
    (0..8).map(|step| book.iter().map(|bid| bid[step]).sum()).collect()
}

#[test]
fn opened_is_exactly_the_clearing_path() {
    // Balanced, demand long, supply long, no trade, everything at the edges.
    let books: [[[u64; 8]; 2]; 5] = [
        [[10, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 10, 0, 0]],
        [[10, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 25, 0, 0]],
        [[0, 0, 255, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 25, 0, 3]],
        [[0; 8], [0; 8]],
        [[0, 0, 0, 0, 0, 0, 9, 0], [0, 0, 0, 0, 0, 0, 0, 4]],
    ];
    for (rule, open_volume) in [(Rule::Uniform, true), (Rule::Uniform, false), (Rule::TradeReduction, true)] {
        for book in &books {
            let mut world = World::of_market(4, params(rule, open_volume), 4).with_keys();
            world.opening_of(1, book);
            world.finish(1);
            let plain =
                clear_plain(&world.genesis().params.grid, rule, open_volume, &totals(book)).expect("plain");
            assert_eq!(opened(&world), plain.opened);
            let cleared = world.all_effects().find_map(|effect| match effect {
                Effect::Cleared { outcome, .. } => Some(*outcome),
                _ => None,
            });
            assert_eq!(cleared, Some(plain.outcome));
            assert_eq!(audit_blocks(&world.blocks).expect("audit").conservation_checks, 1);
        }
    }
}

#[test]
fn each_owner_finds_its_fill_in_its_settlement_point() {
    let world = World::finished();
    let Some(Effect::Settled(settled)) = world.all_effects().last() else { panic!("settled") };
    let params = &world.genesis().params;
    let weights = fill_weights(&params.grid, &settled.outcome);
    assert_eq!(settled.outcome.trade.expect("trade").rationed, Rationed::Supply);
    let bids = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|tx| match tx {
        Transaction::Bids { bids, .. } => Some(bids),
        _ => None,
    });
    let keys = world.state.community().keys().expect("keys").keys();
    for (member, bid) in bids.expect("bids").iter().enumerate() {
        let view = world.keyrings[member].round_view_key(EPOCH, 1);
        let r = view.randomness(&bid.salt);
        let point = decode_point("settlement", &settled.bids[member].settlement_point);
        let mask: curve25519_dalek::RistrettoPoint = keys
            .iter()
            .zip(&weights)
            .map(|(key, weight)| key * (scalar_from_i64(*weight) * r.expose()))
            .sum();
        let fill: i64 =
            weights.iter().zip(BOOK[member]).map(|(w, x)| w * i64::try_from(x).expect("small")).sum();
        let expected = mask + value_base() * scalar_from_i64(fill);
        assert_eq!(point.map(|p| encode_point(&p)), Ok(encode_point(&expected)), "member {member}");
    }
}

#[test]
fn the_audit_counts_everything() {
    let mut world = World::finished();
    let values = opened(&world).len() as u64;
    let report = audit_blocks(&world.blocks).expect("audit");
    assert!(report.genesis_trusted);
    assert_eq!(report.blocks, world.blocks.len() as u64);
    assert_eq!((report.bids, report.settlement_points, report.shares), (4, 4, 3 * values));
    assert_eq!((report.rounds_cleared, report.rounds_settled, report.rounds_void), (1, 1, 0));
    assert_eq!((report.key_generation.packages, report.key_generation.proofs), (4, 32));
    assert_eq!(report.transactions[&TransactionKind::OpeningShare], 3 * values);
    assert_eq!(report.opened_values.len() as u64, values);
    assert_eq!(report.rounds_unfinished, []);
    assert_eq!((report.state_root, report.block_hash), (world.state.root(), world.state.block_hash()));
    let json = serde_json::to_string(&report).expect("json");
    assert!(json.contains("\"opening_share\":") && json.contains("\"kind\":\"W\""), "{json}");
    world.blocks.pop();
    assert_eq!(audit_blocks(&world.blocks).expect("audit").rounds_unfinished[0].waits_for, "its settlement");
}

#[test]
fn an_unfinished_ledger_audits_up_to_its_last_block() {
    let world = World::finished();
    let opens = |block: &Block| block.transactions.iter().any(|t| t.kind() == TransactionKind::OpenRound);
    let opening = world.blocks.iter().position(opens).expect("a round");
    for length in 1..=world.blocks.len() {
        let report = audit_blocks(&world.blocks[..length]).expect("audit");
        assert_eq!(report.height as usize, length - 1);
        let finished = report.rounds_settled == 1;
        assert_eq!(finished, length == world.blocks.len());
        assert_eq!(report.rounds_unfinished.len(), usize::from(!finished && length > opening));
    }
}

#[test]
fn too_few_bids_void_a_round_and_open_nothing() {
    let mut world = World::keyed(4);
    world.opening_of(1, &BOOK[..1]);
    assert_eq!(world.state.expected(1), Ok(Expected::Void { reason: VoidReason::TooFewBids }));
    world.finish(1);
    assert_eq!(world.state.finished().voided, 1);
    let report = audit_blocks(&world.blocks).expect("audit");
    assert_eq!((report.rounds_void, report.rounds_cleared, report.bids), (1, 0, 1));
    assert!(report.opened_values.is_empty(), "nothing of a void round is opened");
}

#[test]
fn rounds_may_overlap_in_time() {
    let mut world = World::keyed(4);
    world.opening(1);
    world.opening(2);
    while world.advance(2) | world.advance(1) {}
    let report = audit_blocks(&world.blocks).expect("audit");
    assert_eq!((report.rounds_settled, report.bids), (2, 8));
    assert_eq!(world.state.rounds().count(), 0);
}

#[test]
fn one_block_can_hold_all_openings_and_the_settlement() {
    let mut world = World::keyed(4);
    world.opening(1);
    let parent = world.state.clone();
    let before = world.blocks.len();
    world.finish(1);
    let all: Vec<_> = world.blocks[before..].iter().flat_map(|block| block.transactions.clone()).collect();
    let (_, short, _) = propose(&parent, all, parent.time_unix_ms(), &mut VerifyAll).expect("accepted");
    assert_eq!(short.finished().digest, world.state.finished().digest);
    assert_ne!(short.root(), world.state.root(), "the root names the block");
}

#[test]
fn what_intake_verified_is_not_verified_again_and_nothing_else_is_trusted() {
    let mut world = World::keyed(4);
    world.open_round(1);
    let bids: Vec<_> = (0..4).map(|m| world.bid(1, m, &BOOK[m])).collect();
    let (params, context) = (
        world.state.community().bid_params().expect("keys").clone(),
        world.state.round_context(1).expect("open"),
    );
    let mut cache = VerdictCache::new(3);
    let mut broken = bids.clone();
    broken[1].proof[0] ^= 1;
    assert!(cache.verify(&params, BidsAsked::without_money(&context, &broken))[1].is_err());
    assert_eq!(cache.len(), 3, "faults are not remembered, the bound holds");
    let verdicts = cache.verify(&params, BidsAsked::without_money(&context, &bids));
    assert!(verdicts.iter().zip(&bids).all(|(v, bid)| v.as_ref().expect("valid").digest() == bid.digest()));
    let other = RoundContext { round_id: 2, ..context };
    assert!(
        cache.verify(&params, BidsAsked::without_money(&other, &bids)).iter().all(Result::is_err),
        "a verdict is for one round"
    );
    assert!(cache.verify(&params, BidsAsked::without_money(&context, &broken))[1].is_err());

    let mut with_cache = world.state.clone();
    let transaction = Transaction::Bids { round_id: 1, bids };
    with_cache.apply_transaction(&transaction, &mut cache).expect("accepted");
    world.push(vec![transaction.clone()]);
    let mut without = world.state.clone();
    assert!(without.apply_transaction(&transaction, &mut cache).is_err(), "the cache bypasses no other rule");
    cache.forget_up_to(1);
    assert!(cache.is_empty());
}

#[test]
fn receipts_tell_censorship_from_everything_else() {
    let mut world = World::keyed(4);
    world.opening_of(1, &BOOK[..2]);
    let bids = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|found| match found {
        Transaction::Bids { bids, .. } => Some(bids[0].clone()),
        _ => None,
    });
    let included = bids.expect("bids");
    world.open_round(3);
    let dropped = world.bid(1, 2, &BOOK[2]);
    let passed_over = world.bid(2, 2, &BOOK[2]);
    let waiting = world.bid(3, 2, &BOOK[2]);
    let unknown = world.bid(4, 2, &BOOK[2]);
    let other = world.bid(1, 0, &BOOK[1]);
    let mut receipts: Vec<_> =
        [&included, &dropped, &passed_over, &waiting, &unknown, &other].map(|bid| world.receipt(bid)).into();
    let mut false_receipt = receipts[1].clone();
    false_receipt.account = world.account(3);
    receipts.push(false_receipt);
    let request = AuditRequest { receipts, ..request() };
    let report = audit_file(&world.export(), request).expect("audit");
    let verdicts: Vec<_> = report.receipts.iter().map(|finding| finding.verdict).collect();
    use ReceiptVerdict::*;
    assert_eq!(verdicts, [Included, Missing, Missing, RoundOpen, RoundUnknown, OtherBid, Worthless]);
    assert!(!report.genesis_trusted);
}

#[test]
fn replay_is_deterministic_and_its_cost_is_that_of_active_rounds() {
    let mut world = World::keyed(4);
    for round_id in 1..=3 {
        world.round(round_id);
    }
    let mut replay = State::from_genesis_block(&world.blocks[0]).expect("genesis");
    for block in &world.blocks[1..] {
        replay.apply_block(block, &mut VerifyAll).expect("replay");
    }
    assert_eq!(replay.root(), world.state.root());
    assert_eq!(replay.rounds().count(), 0, "finished rounds are folded");
    assert_eq!(replay.expected(3), Ok(Expected::Done));
    assert_eq!(replay.expected(4), Ok(Expected::NotOpened));
}
