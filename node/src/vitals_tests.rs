//! What is found wrong, when it is said, and what is shown.

use super::*;
use crate::checks::ClockSample;
use veilgrid_client::shutdown::Shutdown;

const NOW: u64 = 1_800_000_000_000;

/// Of four validators with keys, of which three open a sum; at height 0.
fn vitals(disk: DiskWatch) -> Vitals {
    let mut roll = ShareRoll::default();
    roll.note(&Effect::KeysInForce { session: 1 });
    let vitals = Vitals::new(Path::new("."), disk, roll, &crate::founding::tests::state_of_four());
    vitals.set_longest_silence(Duration::from_secs(600));
    vitals
}

fn shown(vitals: &Vitals) -> StatusReport {
    vitals.complete(StatusReport::default(), None)
}

#[test]
fn what_is_wrong_is_said_at_once_then_once_a_minute_and_when_it_is_over() {
    let vitals = vitals(DiskWatch::default());
    let mut inner = vitals.lock();
    let few = || vec![few_holders(2, 4, 3).expect("too few")];
    let both = || few().into_iter().chain([silent(Duration::from_secs(31))]).collect::<Vec<_>>();
    let mut due = |findings: Vec<Finding>, ms: u64| {
        let (due, ended) = inner.due(findings, NOW + ms);
        (due.iter().map(|finding| finding.key).collect::<Vec<_>>(), ended)
    };
    assert_eq!(due(few(), 0), (vec!["few holders of shares"], vec![]));
    assert_eq!(due(both(), 2_000), (vec!["no blocks"], vec![]), "what is new is said at once");
    assert_eq!(due(both(), 59_999), (vec![], vec![]));
    assert_eq!(due(both(), 60_000), (vec!["few holders of shares"], vec![]));
    assert_eq!(due(few(), 61_000), (vec![], vec!["no blocks"]));
    assert_eq!(due(vec![], 61_001), (vec![], vec!["few holders of shares"]));
    assert_eq!(due(vec![], 200_000), (vec![], vec![]), "it is over once");
    assert_eq!(due(few(), 200_001), (vec!["few holders of shares"], vec![]));
}

/// A validator without shares, whose clock is so far ahead of this machine's.
fn answer(index: u16, ahead_ms: u64) -> Answer {
    let report = StatusReport {
        index: Some(index),
        mode: Some("validating".into()),
        holds_shares: Some(index != 2),
        ..StatusReport::default()
    };
    let status = crate::survey::status_of(0, report);
    let clock = ClockSample {
        peer_unix_ms: NOW + ahead_ms,
        resolution_ms: 1,
        sent_unix_ms: NOW,
        received_unix_ms: NOW,
    };
    Answer { status, clock: Some(clock) }
}

#[test]
fn what_validators_say_of_themselves_is_counted_and_shown() {
    let vitals = vitals(DiskWatch::default());
    assert_eq!((shown(&vitals).holders, shown(&vitals).clock_skew_ms), (Some(4), None));
    vitals.surveyed(&[answer(1, 0), answer(2, 7_000), answer(3, 8_000)]);
    let report = shown(&vitals);
    assert_eq!((report.holders, report.peers_connected), (Some(3), Some(3)));
    assert!(report.warnings[0].contains("3 of 4") && report.trouble.is_none(), "{report:?}");
    // One of f + 1 is honest, and this machine is behind them.
    assert_eq!(report.clock_skew_ms, Some(-7_000));
    // With what this process knows of itself there are too few.
    let report = vitals.complete(StatusReport::default(), Some(4));
    assert_eq!(report.holders, Some(2));
    assert!(report.trouble.is_some_and(|trouble| trouble.contains("3 are needed")));
    // Engines that are connected say more than answers over HTTP.
    vitals.set_engine_peers(Some(1));
    assert_eq!(shown(&vitals).peers_connected, Some(1));
    // What they said was of the shares before.
    let (height, block_hash, state_root) = (1, [0; 32], [0; 32]);
    let at_start = vec![Effect::KeysInForce { session: 2 }];
    vitals.note(&BlockEffects { height, block_hash, state_root, at_start, effects: vec![] });
    assert_eq!((shown(&vitals).holders, shown(&vitals).warnings.len()), (Some(4), 0));
}

#[test]
fn certificate_disk_and_age_are_in_the_report_of_every_process() {
    let directory = tempfile::tempdir().expect("directory");
    let shutdown = Shutdown::new();
    // More than any disk has.
    let full = DiskWatch::start(directory.path(), u64::MAX, &shutdown).expect("a thread");
    let vitals = vitals(full);
    vitals.set_certificate(Some(1_600_000_000));
    let report = vitals
        .complete(StatusReport { trouble: Some("starting".to_owned()), ..StatusReport::default() }, None);
    let trouble = report.trouble.expect("trouble");
    assert!(trouble.starts_with("starting; ") && trouble.contains("MiB are free"), "{trouble}");
    assert!(report.warnings[0].contains("has expired"), "{:?}", report.warnings);
    assert_eq!(report.certificate_expires_unix_s, Some(1_600_000_000));
    assert!(report.disk_free_bytes.is_some_and(|bytes| bytes > 0));
    assert!(report.last_block_age_s.is_some());
    shutdown.trigger();
}

#[test]
fn exactly_enough_holders_are_a_warning_and_fewer_an_error_and_trouble() {
    let found = |holders| {
        few_holders(holders, 5, 4).map(|finding| (finding.is_error, finding.is_trouble, finding.text))
    };
    assert_eq!(found(5), None);
    let (is_error, is_trouble, text) = found(4).expect("just enough");
    assert_eq!((is_error, is_trouble), (false, false));
    assert!(text.contains("4 of 5"), "{text}");
    let (is_error, is_trouble, text) = found(3).expect("too few");
    assert_eq!((is_error, is_trouble), (true, true));
    assert!(text.contains("3 of 5") && text.contains("4 are needed"), "{text}");
}

#[test]
fn a_certificate_is_said_two_weeks_before_it_expires() {
    let found = |left_s| expiring(1_000_000_000 + left_s, 1_000_000_000).map(|finding| finding.is_error);
    assert_eq!((found(CERTIFICATE_SOON_S), found(CERTIFICATE_SOON_S - 1)), (None, Some(false)));
    assert_eq!((found(1), found(0), found(i64::from(i32::MIN))), (Some(false), Some(true), Some(true)));
}

#[test]
fn idle_blocks_come_far_more_often_than_silence_is_told() {
    let idle = Duration::from_millis(veilgrid_roles::replica::Limits::default().idle_interval_ms);
    assert!(idle * 10 <= LONGEST_SILENCE, "{idle:?}");
}
