//! The mark on disk, and what is said about votes and clocks.

use super::*;
use crate::founding::tests::plan_of;
use crate::founding::{PublicPart, assemble};
use crate::keyfile::{AggregatorKeys, ParticipantKeys, RegistrarKeys, ValidatorKeys};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_800_000_000_000;

/// Four validators at height 0, and the consensus key of each.
fn network() -> (State, Vec<[u8; 32]>) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let plan = plan_of(30_000, NOW);
    let keys: Vec<ValidatorKeys> = (0..4).map(|_| ValidatorKeys::generate(&mut rng)).collect();
    let mut parts: Vec<PublicPart> = keys.iter().map(PublicPart::from).collect();
    parts.push(PublicPart::from(&AggregatorKeys::generate(&mut rng)));
    parts.push(PublicPart::from(&RegistrarKeys::generate(&mut rng)));
    parts.extend((0..2).map(|_| PublicPart::of_participant(&ParticipantKeys::generate(&mut rng), 1)));
    let genesis = assemble(&plan, &parts, NOW, &mut rng).expect("founded");
    let state = State::from_genesis_block(&genesis.block).expect("sound");
    (state, keys.iter().map(ValidatorKeys::consensus_key).collect())
}

fn mark(dir: &Path) -> Mark {
    Mark::from_bytes(&std::fs::read(dir.join(MARK_FILE)).expect("a mark")).expect("whole")
}

#[test]
fn the_mark_is_on_disk_before_a_vote_of_its_epoch() {
    let dir = tempfile::tempdir().expect("directory");
    let watch = Watch::open(dir.path(), [1; 32], 2_000).expect("opened");
    assert!(mark(dir.path()).forgiven_until_unix_ms > 0);
    watch.begins(7).expect("kept");
    assert!(mark(dir.path()).up_to > (7, 1));
    for view in 1..100 {
        watch.voted(7, view).expect("kept");
        assert!(mark(dir.path()).up_to > (7, view));
    }
}

#[test]
fn whoever_stopped_for_foreign_votes_does_not_start_with_the_same_engine() {
    let dir = tempfile::tempdir().expect("directory");
    let votes = dir.path().join("engine").join("validator-consensus-7");
    std::fs::create_dir_all(&votes).expect("made");
    let watch = Watch::open(dir.path(), [1; 32], 2_000).expect("opened");
    watch.begins(7).expect("kept");
    let later = wall_clock_unix_ms() + 60_000;
    for view in 200..203 {
        let signed = Signed { view: (7, view), height: view, block_unix_ms: later };
        watch.lock().votes.found(signed, 0);
    }
    let (state, _) = network();
    let watched = watch.lock().look(&state, later);
    let trouble = watched.trouble.expect("said before it stops");
    assert!(watched.unknown_votes > 0 && trouble.contains("its key may run twice"), "{trouble}");
    let why = watch.stop().expect("its key runs twice");
    assert!(why.contains("block 200") && why.contains("move engine/ out"), "{why}");
    let error = Watch::open(dir.path(), [1; 32], 2_000).expect_err("it stays stopped").to_string();
    assert!(error.contains("not its own") && error.contains("move engine/ out"), "{error}");
    std::fs::rename(dir.path().join("engine"), dir.path().join("engine.old")).expect("moved");
    Watch::open(dir.path(), [1; 32], 2_000).expect("it begins anew");
    std::fs::write(dir.path().join(MARK_FILE), b"no mark").expect("written");
    let error = Watch::open(dir.path(), [1; 32], 2_000).expect_err("damaged").to_string();
    assert!(error.contains("damaged") && error.contains("engine/"), "{error}");
}

#[test]
fn a_validator_that_votes_for_nothing_says_so() {
    let (state, keys) = network();
    let dir = tempfile::tempdir().expect("directory");
    let watch = Watch::open(dir.path(), keys[0], 2_000).expect("opened");
    watch.begins(0).expect("kept");
    let begun = watch.lock().engine_since_unix_ms.expect("an engine");
    let trouble = |watch: &Watch, ms: u64| watch.lock().look(&state, begun + ms).trouble;
    (0..SILENT_BLOCKS - 1).for_each(|_| watch.finalised());
    assert_eq!(trouble(&watch, SILENT_MS), None, "too few blocks");
    watch.finalised();
    assert_eq!(trouble(&watch, SILENT_MS - 1), None, "too early");
    let said = trouble(&watch, SILENT_MS).expect("it votes for nothing");
    assert!(said.contains("none of the last 10 blocks"), "{said}");
    // Also as numbers, for alarms: one that has never voted counts from the start of its engine.
    let watched = watch.lock().look(&state, begun + SILENT_MS);
    assert_eq!((watched.votes_for_nothing, watched.last_vote_age_s), (true, Some(SILENT_MS / 1_000)));
    watch.voted(0, 11).expect("kept");
    assert_eq!(trouble(&watch, SILENT_MS + 60_000), None, "voted for the last block");
    assert!(!watch.lock().look(&state, begun + SILENT_MS + 60_000).votes_for_nothing);
    // Somebody who is no validator now owes no votes.
    let other = Watch::open(dir.path(), [1; 32], 2_000).expect("opened");
    other.begins(0).expect("kept");
    (0..SILENT_BLOCKS).for_each(|_| other.finalised());
    assert_eq!(other.lock().look(&state, begun + 2 * SILENT_MS).trouble, None);
}

#[test]
fn a_wrong_clock_is_said_by_its_machine_alone() {
    let (state, keys) = network();
    let dir = tempfile::tempdir().expect("directory");
    let skew_ms = state.timing().max_clock_skew_ms;
    let watch = Watch::open(dir.path(), keys[0], skew_ms).expect("opened");
    let far = skew_ms + 5_000;
    watch.proposed(keys[1], NOW + far, NOW);
    let watched = watch.lock().look(&state, NOW);
    assert_eq!(
        (watched.trouble, watched.clock_off_ms),
        (None, None),
        "another one's clock is no trouble here"
    );
    assert_eq!(watch.lock().logged.get("clocks"), Some(&NOW), "but it is named in the log");
    watch.proposed(keys[2], NOW + far, NOW + 1_000);
    let watched = watch.lock().look(&state, NOW + 1_000);
    assert_eq!(watched.clock_off_ms, Some(1_000 - i64::try_from(far).expect("small")));
    let trouble = watched.trouble.expect("its own clock is off");
    assert!(trouble.contains("behind") && trouble.contains("NTP"), "{trouble}");
}

#[test]
fn what_stays_is_logged_once_a_minute() {
    let dir = tempfile::tempdir().expect("directory");
    let watch = Watch::open(dir.path(), [1; 32], 2_000).expect("opened");
    let due = |ms: u64| watch.lock().is_due("trouble", NOW + ms);
    assert_eq!([0, 1, 59_999, 60_000, 60_001].map(due), [true, false, false, true, false]);
}
