//! Whole days: to their end, without enough bidders, cancelled, with a liar, and with a disk that is full.

mod common;

use actix::{Actor, Context, Handler, Recipient, ResponseFuture};
use common::{MEMBERS, blocks, config, params, records, replayed, run, run_quietly};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use veilgrid_actors::day::{ConfigError, DayError, DayEvent, DayReport, RoundResult, Surroundings};
use veilgrid_actors::orderer::OrderError;
use veilgrid_actors::validator::{
    Acknowledgement, Finalise, Gossip, Gossiped, Journal, JournalError, Propose, StoreJournal, ValidatorFault,
};
use veilgrid_ledger::audit::{
    AuditReport, AuditRequest, QuorumCertificates, ReceiptVerdict, Record, audit, audit_export,
};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_market::{Rationed, clear_plain};
use veilgrid_roles::community::Role;
use veilgrid_roles::replica::Proposal;
use veilgrid_store::{Existing, Store, StoreError, read_ledger};

/// Audits a stored ledger with the receipts of the day, trusting the report's genesis.
fn audited(records: Vec<Record>, report: &DayReport) -> AuditReport {
    let request = AuditRequest { receipts: report.receipts.clone(), ..request(report) };
    audit(records.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("no violation")
}

fn request(report: &DayReport) -> AuditRequest {
    AuditRequest {
        trusted_genesis: Some(report.genesis_hash),
        certificates: Some(Arc::new(QuorumCertificates)),
        ..AuditRequest::default()
    }
}

/// The opened sums and the outcome are those of the members' orders in the clear.
fn check_against_plain_clearing(report: &DayReport) {
    let params = params();
    for round in &report.rounds {
        let RoundResult::Settled(outcome) = &round.result else { continue };
        let totals = &round.market.step_totals_wh;
        let plain = clear_plain(&params.grid, params.rule, params.open_volume, totals).expect("a book");
        let opened: Vec<_> = round.opened.iter().map(|sum| (sum.request, sum.value_wh)).collect();
        assert_eq!(opened, plain.opened, "round {}", round.round_id);
        assert_eq!(*outcome, plain.outcome);
        let rest = outcome.trade.map_or((Rationed::None, 0), |trade| (trade.rationed, trade.rest_q16.into()));
        let (bought, sold) = (round.market.bought_wh_q16, round.market.sold_wh_q16);
        match rest {
            (Rationed::Demand, rest) => assert_eq!(bought + rest, sold),
            (Rationed::Supply, rest) => assert_eq!(bought, sold + rest),
            (Rationed::None, _) => assert_eq!(bought, sold),
        }
    }
}

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
    check_events(&events);
}

fn is_opening(transaction: &Transaction) -> bool {
    matches!(transaction, Transaction::OpenRound { .. })
}

fn check_events(events: &[DayEvent]) {
    let count = |wanted: fn(&DayEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert!(matches!(events[0], DayEvent::KeyGenerationStarted { validators: 4, threshold: 3, keys: 16 }));
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

/// Stands between the orderer and a validator and changes the proof of each of its shares.
struct Liar(Recipient<Gossip>);

impl Actor for Liar {
    type Context = Context<Self>;
}

impl Handler<Gossip> for Liar {
    type Result = ResponseFuture<Result<Gossiped, ValidatorFault>>;

    fn handle(&mut self, message: Gossip, _: &mut Self::Context) -> Self::Result {
        let request = self.0.send(message);
        Box::pin(async move {
            let mut gossiped = request.await.expect("the validator")?;
            // The response stands at the end of a share; bids and key events are longer by far.
            for message in gossiped.messages.iter_mut().filter(|message| message.len() < 200) {
                *message.last_mut().expect("bytes") ^= 1;
            }
            Ok(gossiped)
        })
    }
}

/// Stands between the orderer and a validator and changes the state root of its acknowledgements.
struct Stray(Recipient<Finalise>);

impl Actor for Stray {
    type Context = Context<Self>;
}

impl Handler<Finalise> for Stray {
    type Result = ResponseFuture<Result<Acknowledgement, ValidatorFault>>;

    fn handle(&mut self, message: Finalise, _: &mut Self::Context) -> Self::Result {
        let request = self.0.send(message);
        Box::pin(async move {
            let mut acknowledged = request.await.expect("the validator")?;
            acknowledged.state_root[0] ^= u8::from(acknowledged.height == 3);
            Ok(acknowledged)
        })
    }
}

fn with_strays(dir: &std::path::Path, strays: &'static [u16]) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    surroundings.network = Box::new(move |mut links| {
        for link in links.iter_mut().filter(|link| strays.contains(&link.validator)) {
            link.finalise = Stray(link.finalise.clone()).start().recipient();
        }
        links
    });
    surroundings
}

#[test]
fn a_validator_with_another_state_is_left_behind_and_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_strays(dir.path(), &[4]), |_, _| {});
    let report = report.expect("three of four are enough");
    let [(4, why)] = report.tip.left_behind.as_slice() else { panic!("{:?}", report.tip.left_behind) };
    assert!(why.contains("validator 4 has another state after block 3"), "{why}");
    check_against_plain_clearing(&report);
    assert_eq!(report.whole_store(), Some(&report.store_dirs[0]));
    let audit = audited(records(&report.store_dirs[0]), &report);
    assert_eq!(audit.certificates.covered_blocks, report.blocks() - 1);
}

#[test]
fn two_validators_with_another_state_stop_the_day_and_are_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_strays(dir.path(), &[1, 4]), |_, _| {});
    let Err(DayError::Order(error)) = report else { panic!("two of four can't decide: {report:?}") };
    let text = error.to_string();
    assert!(text.contains("validator 1 has another state") && text.contains("validator 4 has"), "{text}");
}

/// Stands between the orderer and a validator and changes what it proposes.
struct FalseLeader(Recipient<Propose>, fn(Proposal) -> Proposal);

impl Actor for FalseLeader {
    type Context = Context<Self>;
}

impl Handler<Propose> for FalseLeader {
    type Result = ResponseFuture<Result<Proposal, ValidatorFault>>;

    fn handle(&mut self, message: Propose, _: &mut Self::Context) -> Self::Result {
        let (request, lie) = (self.0.send(message), self.1);
        Box::pin(async move { Ok(lie(request.await.expect("the validator")?)) })
    }
}

/// A block from the future, which nobody votes for.
fn too_late(proposal: Proposal) -> Proposal {
    match proposal {
        Proposal::Block(mut block) => {
            block.header.time_unix_ms += 1_000_000;
            Proposal::Block(block)
        }
        wait @ Proposal::Wait { .. } => wait,
    }
}

#[test]
fn a_leader_whose_blocks_nobody_votes_for_or_that_only_waits_is_passed_over() {
    let lies: [fn(Proposal) -> Proposal; 4] = [
        too_late,
        |_| Proposal::Wait { ms: 0 },
        |_| Proposal::Wait { ms: 20 },
        |_| Proposal::Wait { ms: u64::MAX },
    ];
    for lie in lies {
        let dir = tempfile::tempdir().expect("directory");
        let mut surroundings = Surroundings::local(dir.path());
        surroundings.network = Box::new(move |mut links| {
            links[1].propose = FalseLeader(links[1].propose.clone(), lie).start().recipient();
            links
        });
        let (report, _) = run(config(dir.path()), surroundings, |_, _| {});
        let report = report.expect("three of four are enough");
        assert!(report.rounds.iter().all(|round| matches!(round.result, RoundResult::Settled(_))));
        check_against_plain_clearing(&report);
        let audit = audited(records(&report.store_dirs[1]), &report);
        assert_eq!(audit.certificates.covered_blocks, report.blocks() - 1);
        assert!(report.tip.left_behind.is_empty(), "its own copy is whole");
    }
}

fn with_liars(dir: &std::path::Path, liars: &'static [u16]) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    surroundings.network = Box::new(move |mut links| {
        for link in links.iter_mut().filter(|link| liars.contains(&link.validator)) {
            link.gossip = Liar(link.gossip.clone()).start().recipient();
        }
        links
    });
    surroundings
}

#[test]
fn a_validator_with_false_shares_is_named_and_the_sums_are_right() {
    let dir = tempfile::tempdir().expect("directory");
    let config = config(dir.path());
    let (report, events) = run(config, with_liars(dir.path(), &[2]), |_, _| {});
    let report = report.expect("three of four are enough");
    assert!(matches!(report.rounds[0].result, RoundResult::Settled(_)));
    check_against_plain_clearing(&report);
    let openings: usize = report.rounds.iter().map(|round| round.opened.len()).sum();
    assert!((1..=openings).contains(&report.tip.false_shares.len()), "{:?}", report.tip.false_shares);
    assert!(report.tip.false_shares.iter().all(|share| share.fault.validator == 2));
    assert!(events.iter().any(|event| matches!(event, DayEvent::FalseShare(_))));
}

#[test]
fn two_validators_with_false_shares_stop_the_day_and_are_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_liars(dir.path(), &[2, 4]), |_, _| {});
    let Err(DayError::Order(OrderError::Stalled { round_id: 1, false_shares })) = report else {
        panic!("two of four can't open: {report:?}")
    };
    let named: BTreeSet<u16> = false_shares.iter().map(|share| share.fault.validator).collect();
    assert_eq!(named, BTreeSet::from([2, 4]), "{false_shares:?}");
}

/// A disk that is full from some block on, for so many tries.
struct FullDisk {
    inner: StoreJournal,
    from_height: u64,
    tries: u32,
    path: PathBuf,
}

impl Journal for FullDisk {
    fn open(
        &mut self,
        visit: &mut dyn FnMut(Block) -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        self.inner.open(visit)
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        if block.header.height >= self.from_height && self.tries > 0 {
            self.tries -= 1;
            return Err(StoreError::DiskFull { path: self.path.clone() }.into());
        }
        self.inner.append(block, certificate)
    }
}

/// These validators' disks are full for so many tries.
fn with_full_disks(dir: &std::path::Path, full: &'static [u16], tries: u32) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    let below = dir.to_owned();
    surroundings.journals = Box::new(move |validator| {
        let path = below.join(format!("validator-{validator}"));
        let inner = StoreJournal::new(path.clone());
        if full.contains(&validator) {
            Box::new(FullDisk { inner, from_height: 4, tries, path })
        } else {
            Box::new(inner)
        }
    });
    surroundings
}

#[test]
fn a_validator_whose_disk_was_full_for_a_moment_catches_up() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_full_disks(dir.path(), &[3], 2), |_, _| {});
    let report = report.expect("three of four are enough");
    assert!(report.tip.left_behind.is_empty(), "{:?}", report.tip.left_behind);
    assert_eq!(blocks(&report.store_dirs[2]).len() as u64, report.blocks());
}

#[test]
fn a_full_disk_is_named_and_leaves_whole_ledgers() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_full_disks(dir.path(), &[1], u32::MAX), |_, _| {});
    let report = report.expect("three of four are enough");
    let [(1, why)] = report.tip.left_behind.as_slice() else { panic!("{:?}", report.tip.left_behind) };
    assert!(why.contains("no space left"), "{why}");
    assert_eq!(report.whole_store(), Some(&report.store_dirs[1]));
    for (dir, count) in report.store_dirs.iter().zip([4, report.blocks(), report.blocks(), report.blocks()]) {
        let stored = blocks(dir);
        assert_eq!(stored.len() as u64, count, "{}", dir.display());
        let request = AuditRequest::default();
        audit(stored.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("a whole ledger");
    }
}

#[test]
fn two_full_disks_end_the_day_with_their_names_and_leave_whole_ledgers() {
    // Whoever's turn it is: one of them, or one of the others.
    for full in [&[1, 2], &[2, 3], &[3, 4], &[1, 4]] {
        let dir = tempfile::tempdir().expect("directory");
        let (report, events) =
            run(config(dir.path()), with_full_disks(dir.path(), full, u32::MAX), |_, _| {});
        let error = report.expect_err("two of four can't decide").to_string();
        assert!(full.iter().all(|validator| error.contains(&format!("validator {validator}"))), "{error}");
        assert!(error.contains("no space left"), "{error}");
        assert!(!events.iter().any(|event| matches!(event, DayEvent::Settled { .. })));
        for validator in 1..=4 {
            let stored = blocks(&dir.path().join(format!("validator-{validator}")));
            assert!((4..=5).contains(&stored.len()), "validator {validator}");
            let request = AuditRequest::default();
            audit(stored.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("a whole ledger");
        }
    }
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
    let refused = |change: fn(&mut veilgrid_actors::day::DayConfig)| {
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
        refused(|c| c.tariffs = veilgrid_roles::behaviour::Tariffs::new(5_000, 1_000).expect("tariffs"));
    assert!(matches!(tariffs, ConfigError::Terms(_)));
}
