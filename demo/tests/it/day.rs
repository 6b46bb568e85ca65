//! Whole days: to their end, without enough bidders, cancelled, and with what can't begin one.

use crate::common;
use crate::common::{
    MEMBERS, audited, blocks, check_against_plain_clearing, config, records, replayed, request, run,
    run_quietly,
};
use std::path::PathBuf;
use veilgrid_demo::{ConfigError, DayEvent, DayMoney, DayReport, RoundResult, Surroundings};
use veilgrid_ledger::audit::{AuditReport, ReceiptVerdict, audit_export};
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_scenario::community::Role;
use veilgrid_store::{Existing, Store, read_ledger};

#[test]
fn a_day_runs_to_its_end_and_everybody_agrees() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, events) = run_quietly(config(dir.path()));
    assert!(!report.cancelled && report.tip.false_shares.is_empty());
    assert_eq!(report.rounds.len(), 2);
    check_against_plain_clearing(&report);
    assert!(report.rounds.iter().all(|round| matches!(&round.result, RoundResult::Settled(o) if o.traded())));
    assert!(report.rounds.iter().all(|round| round.bids == MEMBERS as u64 && !round.opened.is_empty()));
    assert_eq!((report.rounds[0].round_id, report.rounds[0].slot_start_unix_s), (1, common::START + 900));

    assert_eq!(report.store_dirs.len(), 4);
    for dir in &report.store_dirs {
        let stored = blocks(dir);
        assert_eq!(stored.len() as u64, report.blocks());
        let state = replayed(&stored);
        assert_eq!((state.block_hash(), state.root()), (report.tip.block_hash, report.tip.state_root));
        // Simulated time only: keys come in the minute before the first bidding, which opens a slot length before its
        // slot; the last round is over before its slot begins.
        let times: Vec<u64> = stored.iter().map(|block| block.header.time_unix_ms).collect();
        let opens_ms = 1000 * common::START.unsigned_abs();
        assert_eq!(times[0], opens_ms - 60_000);
        let opened = stored.iter().find(|block| block.transactions.iter().any(is_opening)).expect("a round");
        assert_eq!(opened.header.time_unix_ms, opens_ms);
        let last = *times.last().expect("blocks");
        assert!((opens_ms + 900_000..opens_ms + 1_800_000).contains(&last), "{last}");
    }
    let audit = audited(records(&report.store_dirs[0]), &report);
    assert_eq!((audit.bids, audit.rounds_settled), (2 * MEMBERS as u64, 2));
    // Every block but the genesis has a certificate that the validators of this process have signed.
    assert!(audit.certificates.checked && audit.refused == 0);
    assert_eq!(audit.certificates.certificates, report.blocks() - 1);
    assert_eq!(audit.receipts.len(), 2 * MEMBERS);
    assert!(audit.receipts.iter().all(|finding| finding.verdict == ReceiptVerdict::Included));
    assert_eq!(report.receipt_findings.len(), 2 * MEMBERS);
    assert!(report.receipt_findings.iter().all(|finding| finding.verdict == ReceiptVerdict::Included));
    // The day's own auditor counted the same; it only got the receipts another way.
    assert_eq!(AuditReport { receipts: Vec::new(), ..audit }, report.audit);

    let members: Vec<_> = report.gains.iter().map(|line| (line.role, line.members)).collect();
    assert_eq!(members, [(Role::Prosumer, 3), (Role::Consumer, 3), (Role::ChargingStation, 1)]);
    assert!(report.gains.iter().map(|line| line.gain_mct).sum::<i128>() > 0);
    assert!(report.energy.iter().all(|line| line.account.is_balanced()));
    let bought: u128 = report.energy.iter().map(|line| line.account.bought_wh_q16).sum();
    assert_eq!(bought, report.rounds.iter().map(|round| round.market.bought_wh_q16).sum::<u128>());
    let money = report.money.expect("a day with money");
    assert_eq!((money.unclaimed, money.difference_units()), (0, 0), "money is neither lost nor made");
    assert_eq!(money.deposited_ct, u128::from(DayMoney::for_members(MEMBERS).deposit_ct) * 7 + 10_000);
    check_events(&events);
}

fn is_opening(transaction: &Transaction) -> bool {
    matches!(transaction, Transaction::OpenRound { .. })
}

fn check_events(events: &[DayEvent]) {
    let count = |wanted: fn(&DayEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert!(matches!(events[0], DayEvent::KeyGenerationStarted { validators: 4, threshold: 3, keys: 17 }));
    assert!(matches!(events[1], DayEvent::KeyGenerationFinished { .. }));
    assert_eq!(count(|event| matches!(event, DayEvent::RoundOpened { .. })), 2);
    assert_eq!(count(|event| matches!(event, DayEvent::BidSealed { total: MEMBERS, .. })), 2 * MEMBERS);
    assert_eq!(count(|event| matches!(event, DayEvent::Closed { .. })), 2);
    assert!(count(|event| matches!(event, DayEvent::ValueOpened { .. })) >= 2);
    assert_eq!(count(|event| matches!(event, DayEvent::Cleared { .. })), 2);
    assert_eq!(count(|event| matches!(event, DayEvent::Settled { .. })), 2);
    let verified = events.iter().map(|event| match event {
        DayEvent::BidsVerified { count, .. } => *count,
        _ => 0,
    });
    assert_eq!(verified.sum::<usize>(), 2 * MEMBERS);
}

#[test]
fn the_exported_ledger_passes_the_audit() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run_quietly(config(dir.path()));
    let store = Store::open(&report.store_dirs[0]).expect("closed after the day");
    let stored: Vec<_> = store.blocks().collect::<Result<_, _>>().expect("whole");
    let file = dir.path().join("ledger.vgl");
    store.export(&file, &replayed(&stored), Existing::Keep).expect("exported");
    let audit =
        audit_export(read_ledger(&file).expect("a file"), request(&report), |_| {}).expect("no violation");
    assert_eq!(audit, report.audit);
}

#[test]
fn two_days_of_one_seed_want_the_same_under_other_keys() {
    let (first, second) = (tempfile::tempdir().expect("directory"), tempfile::tempdir().expect("directory"));
    let ((a, _), (b, _)) = (run_quietly(config(first.path())), run_quietly(config(second.path())));
    assert_ne!(a.ledger_id, b.ledger_id);
    let markets = |report: &DayReport| -> Vec<_> {
        report.rounds.iter().map(|round| (round.market.clone(), round.result.clone())).collect()
    };
    assert_eq!(markets(&a), markets(&b));
    assert_eq!((a.gains, a.energy), (b.gains, b.energy));
}

#[test]
fn too_few_bidders_void_the_round_and_the_day_goes_on() {
    let dir = tempfile::tempdir().expect("directory");
    let mut config = config(dir.path());
    let offline = ["home-1", "home-2", "home-3", "roof-1", "station"].map(str::to_owned);
    config.absent.insert(1, offline.into());
    let (report, events) = run_quietly(config);
    assert_eq!(report.rounds[0].result, RoundResult::Void(VoidReason::TooFewBids));
    assert_eq!((report.rounds[0].bids, report.rounds[0].opened.len()), (2, 0));
    assert_eq!(report.rounds[0].market.bought_wh_q16, 0);
    assert!(matches!(report.rounds[1].result, RoundResult::Settled(_)));
    check_against_plain_clearing(&report);
    assert!(events.iter().any(|event| matches!(event, DayEvent::RoundVoid { round_id: 1, bids: 2, .. })));
    let audit = audited(records(&report.store_dirs[0]), &report);
    assert_eq!((audit.rounds_void, audit.rounds_settled), (1, 1));
    // A void round keeps its promises too: the bids are on the ledger.
    assert!(report.receipt_findings.iter().all(|finding| finding.verdict == ReceiptVerdict::Included));
}

/// Cancels at the first event that `when` accepts and checks that what is there is whole.
fn cancelled_at(when: fn(&DayEvent) -> bool) -> DayReport {
    let dir = tempfile::tempdir().expect("directory");
    let mut config = config(dir.path());
    // One bid after another, so that some wait for their turn when the day is cancelled.
    config.proof_threads = std::num::NonZeroUsize::new(1);
    let surroundings = Surroundings::local(&config.dir);
    let (report, events) = run(config, surroundings, move |event, cancel| {
        if when(event) {
            cancel.cancel();
        }
    });
    let report = report.expect("a cancelled day is no error");
    assert!(report.cancelled && events.last() == Some(&DayEvent::Cancelled));
    for dir in &report.store_dirs {
        let stored = records(dir);
        assert_eq!(stored.len() as u64, report.blocks());
        let audit = audited(stored, &report);
        assert_eq!((audit.state_root, audit.height), (report.tip.state_root, report.tip.height));
        let kept = [ReceiptVerdict::Included, ReceiptVerdict::RoundOpen];
        assert!(audit.receipts.iter().all(|finding| kept.contains(&finding.verdict)));
    }
    report
}

#[test]
fn a_day_cancelled_while_opening_audits_up_to_its_last_block() {
    let report = cancelled_at(|event| matches!(event, DayEvent::ValueOpened { .. }));
    assert_eq!(report.rounds.len(), 1);
    assert_eq!(report.rounds[0].result, RoundResult::Unfinished);
    assert_eq!(report.rounds[0].opened.len(), 1, "it ends after the block that is under way");
    assert_eq!(report.audit.rounds_unfinished.len(), 1);
}

#[test]
fn a_day_cancelled_while_bidding_audits_up_to_its_last_block() {
    let report = cancelled_at(|event| matches!(event, DayEvent::BidSealed { .. }));
    assert_eq!(report.rounds[0].result, RoundResult::Unfinished);
    assert!(report.rounds[0].opened.is_empty());
}

#[test]
fn a_day_cancelled_between_rounds_has_whole_rounds_only() {
    let report = cancelled_at(|event| matches!(event, DayEvent::Settled { round_id: 1 }));
    assert_eq!(report.rounds.len(), 1);
    assert!(matches!(report.rounds[0].result, RoundResult::Settled(_)));
    assert!(report.audit.rounds_unfinished.is_empty());
}

#[test]
fn a_directory_with_a_ledger_is_refused_before_keys_are_generated() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run_quietly(config(dir.path()));
    let surroundings = Surroundings::local(dir.path());
    let (again, events) = run(config(dir.path()), surroundings, |_, _| {});
    let error = again.expect_err("the directory is taken").to_string();
    assert!(error.contains("holds a ledger of") && error.contains("validator-1"), "{error}");
    assert!(events.is_empty());
    assert_eq!(blocks(&report.store_dirs[0]).len() as u64, report.blocks(), "nothing was changed");
}

#[test]
fn a_store_that_does_not_open_is_named() {
    let dir = tempfile::tempdir().expect("directory");
    std::fs::write(dir.path().join("validator-2"), b"a file").expect("written");
    let surroundings = Surroundings::local(dir.path());
    let (report, _) = run(config(dir.path()), surroundings, |_, _| {});
    let error = report.expect_err("no store").to_string();
    assert!(error.starts_with("validator 2: its store fails"), "{error}");
}

#[test]
fn each_rule_of_the_configuration_refuses() {
    let dir = PathBuf::from("unused");
    let refused = |change: fn(&mut veilgrid_demo::DayConfig)| {
        let mut config = config(&dir);
        change(&mut config);
        config.check().expect_err("refused")
    };
    assert_eq!(config(&dir).check(), Ok(()));
    assert_eq!(refused(|c| c.validators = 3), ConfigError::Validators { validators: 3 });
    assert_eq!(refused(|c| c.slots.clear()), ConfigError::NoSlots);
    assert_eq!(refused(|c| c.slots.swap(0, 1)), ConfigError::SlotOrder { index: 1 });
    assert_eq!(refused(|c| c.slots[1].start_unix_s -= 1), ConfigError::SlotOrder { index: 2 });
    let start_unix_s = 899;
    assert_eq!(refused(|c| c.slots[0].start_unix_s = 899), ConfigError::SlotStart { index: 1, start_unix_s });
    let duplicate = refused(|c| c.participants[1].id = "home-1".into());
    assert_eq!(duplicate, ConfigError::Duplicate { id: "home-1".into() });
    let short = refused(|c| c.participants[0].energy.truncate(2));
    assert_eq!(short, ConfigError::ShortSeries { id: "home-1".into(), slots: 2, index: 2 });
    let tariffs =
        refused(|c| c.tariffs = veilgrid_scenario::behaviour::Tariffs::new(5_000, 1_000).expect("tariffs"));
    assert!(matches!(tariffs, ConfigError::Terms(_)));
}
