//! What an audit says of a ledger with money.

use crate::common::*;
use crate::conformance::money::{rows, story};
use crate::purses::*;
use crate::tampering::refusal_of;
use crate::world::World;
use veilgrid_ledger::audit::{AuditRequest, ReceiptVerdict};
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_market::Rule;

#[test]
fn the_audit_counts_money() {
    let market = story();
    let report = audit_blocks(&market.world.blocks).expect("no violation");
    let money = report.money.expect("a ledger with money");
    assert_eq!((money.accounts, money.deposits, money.withdrawals), (4, 5, 2));
    assert_eq!((money.deposited_ct, money.withdrawn_ct), (COMMUNITY_CT + 45, 6));
    assert_eq!((money.paid, money.unpaid), (1, 1));
    assert_eq!((money.claims, money.claims_by_validators), (3, 1));
    assert_eq!((money.unclaimed_rounds, money.unclaimed_fills), (0, 0));
    assert_eq!(report.transactions[&TransactionKind::OpeningShare], report.shares);
    // What the purses know of all accounts and fills together is what is public of them.
    let members: i128 = market.purses.iter().map(|purse| purse.balance.units).sum();
    assert_eq!(i128::from(money.members_units), members + market.unclaimed());
    let outstanding = i128::from(money.deposited_ct - money.withdrawn_ct) * UNITS_PER_CT;
    assert_eq!(i128::from(money.members_units) + i128::from(money.community_units), outstanding);
    for (kind, count) in [
        (TransactionKind::Deposit, 2),
        (TransactionKind::Paid, 1),
        (TransactionKind::Withdraw, 2),
        (TransactionKind::Claims, 1),
    ] {
        assert_eq!(report.transactions[&kind], count, "{kind}");
    }
    let mut waiting = Market::funded();
    waiting.round(1);
    let of_waiting = audit_blocks(&waiting.world.blocks).expect("no violation").money.expect("money");
    assert_eq!((of_waiting.unclaimed_rounds, of_waiting.unclaimed_fills), (1, 4));
    let file = audit_file(&market.world.export(), request()).expect("no violation");
    assert_eq!(file.money, Some(money));
    assert_eq!(audit_blocks(&World::finished().blocks).expect("no violation").money, None);
}

/// Under the true certificates no entry can be changed; certified anew, each change is recorded as refused.
#[test]
fn no_entry_about_money_can_be_changed() {
    let market = story();
    for (name, _, rule, edit) in rows() {
        let refusal = refusal_of(&market.world, |bodies| edit.apply(bodies));
        let found = format!("{refusal:?}");
        assert!(found.contains(rule), "{name}: {found}");
    }
}

/// Verdicts on receipts of the aggregator for these bids, on the ledger as it is.
fn verdicts(world: &mut World, bids: &[&veilgrid_crypto::bid::SealedBid]) -> Vec<ReceiptVerdict> {
    let receipts = bids.iter().map(|bid| world.receipt(bid)).collect();
    let report = audit_file(&world.export(), AuditRequest { receipts, ..request() }).expect("passes");
    report.receipts.iter().map(|finding| finding.verdict).collect()
}

#[test]
fn a_promised_bid_that_its_account_has_overtaken_is_no_broken_promise() {
    let mut market = Market::funded();
    // A debit before the round opens overtakes nothing that was promised for it.
    let early = market.withdraws(3, 1);
    market.push(vec![early]);
    market.world.open_round(1);
    market.follow();
    let sealed = market.bids(1, &BOOK);
    market.push(vec![Transaction::Bids { round_id: 1, bids: sealed[..1].to_vec() }]);
    // The second takes money out, the third bids in a round that overlaps, the fourth does nothing.
    let withdrawal = market.withdraws(1, 1);
    market.push(vec![withdrawal]);
    let open = market.world.open(2);
    market.world.at(market.world.ms(RoundTiming::open_ms, 2), vec![open]);
    market.follow();
    let elsewhere = market.seal(2, 2, &BOOK[2]).expect("funded");
    market.push(vec![Transaction::Bids { round_id: 2, bids: vec![elsewhere] }]);
    use ReceiptVerdict::*;
    let promised = [&sealed[0], &sealed[1], &sealed[2], &sealed[3]];
    let open = [Included, RoundOpen, RoundOpen, RoundOpen];
    assert_eq!(verdicts(&mut market.world, &promised), open);
    market.world.close(1);
    market.follow();
    assert_eq!(verdicts(&mut market.world, &promised), [Included, Overtaken, Overtaken, Missing]);
    assert!(!Overtaken.is_broken_promise());
    // A debit after the close overtakes nothing either.
    let late = market.withdraws(3, 1);
    market.push(vec![late]);
    assert_eq!(verdicts(&mut market.world, &promised)[3], Missing);
}

/// Without money nobody overtakes itself: the same two rounds, and a broken promise.
#[test]
fn without_money_a_bid_in_another_round_excuses_nobody() {
    let mut world = World::keyed(4);
    world.open_round(1);
    let promised = world.bid(1, 2, &BOOK[2]);
    let open = world.open(2);
    world.at(world.ms(RoundTiming::open_ms, 2), vec![open]);
    let elsewhere = world.bid(2, 2, &BOOK[2]);
    world.push(vec![Transaction::Bids { round_id: 2, bids: vec![elsewhere] }]);
    world.close(1);
    assert_eq!(verdicts(&mut world, &[&promised]), [ReceiptVerdict::Missing]);
}

/// Windows and threads decide about time alone, with money too.
#[test]
fn reading_ahead_changes_nothing_with_money() {
    use veilgrid_ledger::foresight::Window;
    let mut market = Market::of_one_epoch(money_params(Rule::Uniform));
    market.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    for round_id in 1..=3 {
        market.round(round_id);
        market.claim_all(round_id);
        let withdrawal = market.withdraws(0, 1);
        market.push(vec![withdrawal]);
    }
    let bytes = market.world.export();
    let of = |window| audit_file(&bytes, AuditRequest { window, ..request() }).expect("passes");
    let expected = of(Window::Bids(0));
    assert_eq!(expected.rounds_settled, 3);
    for window in [Window::Full, Window::Bids(1), Window::Bids(3), Window::Bids(5)] {
        assert_eq!(of(window), expected, "{window:?}");
    }
}

/// Whoever has no bids has no accounts: nobody goes on from there as if nothing were missing.
#[test]
fn a_ledger_with_money_is_not_pruned() {
    use veilgrid_ledger::audit::{Record, ViolationRule};
    use veilgrid_ledger::pruned::PrunedBlock;
    use veilgrid_ledger::state::State;
    use veilgrid_ledger::state::checkpoint::{Skeleton, SkeletonFault};
    let market = story();
    let blocks = &market.world.blocks;
    let state = &market.world.state;
    assert!(blocks.iter().all(|block| !state.may_prune(block)), "none of them");
    let genesis = State::from_genesis_block(&blocks[0]).expect("genesis");
    for checkpoint in [None, Some(state.checkpoint())] {
        let fault = Skeleton::new(genesis.clone(), checkpoint.clone()).err();
        assert_eq!(fault, Some(SkeletonFault::Money));
        let mut records: Vec<Record> = blocks
            .iter()
            .map(|block| {
                let has_bids = block.transactions.iter().any(|tx| tx.kind() == TransactionKind::Bids);
                let certificate = certified(&blocks[0], block);
                if has_bids {
                    Record::Pruned(Box::new(PrunedBlock::of(block.clone())), certificate)
                } else {
                    Record::Block(Box::new(block.clone()), certificate)
                }
            })
            .collect();
        if let Some(checkpoint) = checkpoint {
            records.insert(1, Record::Checkpoint(Box::new(checkpoint)));
        }
        let violation = crate::story::run(records, request()).expect_err("pruned");
        let money = ViolationRule::Pruned(Box::new(SkeletonFault::Money));
        assert_eq!(violation.rule, money, "{violation}");
    }
}
