//! Ledgers of a network on the command line: what receipts of validators prove, and stores that were pruned.

#[path = "common/mod.rs"]
mod cli;
#[path = "../ledger/tests/common/mod.rs"]
mod common;
#[path = "../ledger/tests/common/signed.rs"]
mod signed;
#[path = "../ledger/tests/common/network.rs"]
mod world;

use cli::{code, json, stderr, veilgrid};
use common::BOOK;
use curve25519_dalek::Scalar;
use signed::Electorate;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::validator::state_of;
use veilgrid_store::Store;
use world::{World, receipt_key};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The certificate of a block by all validators of its epoch; none of the genesis.
fn certificate(world: &World, block: &Block) -> Option<Vec<u8>> {
    let epoch = world.timing().epoch_of(block.header.height);
    let roster = world.state.roster().expect("a network");
    let scalar =
        |entry: &veilgrid_ledger::roster::ValidatorEntry| Scalar::from_bytes_mod_order(entry.signing_key);
    let scalars = roster.validators.iter().map(scalar).collect();
    let voters = Electorate { ledger_id: world.state.community().ledger_id(), epoch, scalars };
    (block.header.height > 0).then(|| voters.by_all(&block.hash()))
}

/// A round of four validators that closes without the last member's bid.
fn left_out() -> (World, SealedBid) {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let Transaction::Bids { round_id, mut bids } = world.bids(1, &BOOK) else { panic!("bids") };
    let bid = bids.pop().expect("a bid");
    world.push(vec![Transaction::Bids { round_id, bids }]);
    close(&mut world, 1);
    (world, bid)
}

fn close(world: &mut World, round_id: u64) {
    world.due_at(world.ms(RoundTiming::close_ms, round_id));
    while world.state.round(round_id).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
}

fn write_ledger(world: &World, path: &Path) {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for block in &world.blocks {
        writer.block(block).expect("memory");
        if let Some(certificate) = certificate(world, block) {
            writer.certificate(&certificate).expect("memory");
        }
    }
    std::fs::write(path, writer.finish(world.state.root()).expect("memory")).expect("writable");
}

/// One honest validator may have been cut off; of f + 1 one is honest and was not.
#[test]
fn receipts_of_f_validators_pass_the_audit_and_one_more_fails_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ledger, receipts) = (dir.path().join("network.vgl"), dir.path().join("receipts.txt"));
    let (mut world, bid) = left_out();
    write_ledger(&world, &ledger);
    let id = world.state.community().ledger_id();
    // 0 is the aggregator, the others are people.
    let mut audit = |who: &[usize], more: &[&str]| {
        let lines = who.iter().zip(1..).map(|(who, sequence)| {
            let key = if *who == 0 { receipt_key() } else { world.validators[*who].key.clone() };
            let (account, digest) = (bid.account, bid.digest());
            let receipt = Receipt::issue(&key, id, 1, account, digest, sequence, &mut world.rng);
            hex::encode(receipt.to_bytes()) + "\n"
        });
        std::fs::write(&receipts, lines.collect::<String>()).expect("writable");
        veilgrid(["audit", text(&ledger), "--receipts", text(&receipts)].iter().chain(more))
    };
    // One validator, the same one twice, one that is none.
    for few in [&[1][..], &[1, 1], &[5]] {
        let passed = audit(few, &[]);
        assert_eq!(code(&passed), 0, "{few:?}: {}", stderr(&passed));
    }
    let said = String::from_utf8(audit(&[1], &[]).stdout).expect("UTF-8");
    let account = hex::encode(&bid.account[..8]);
    assert!(said.contains("not enough receipts to prove it") && said.contains(&account), "{said}");
    let report = json(&audit(&[1], &["--json"]));
    assert_eq!(
        (&report["ok"], &report["receipts"][0]["verdict"]),
        (&true.into(), &"too_few_receipts".into())
    );
    // Two of four are f + 1; the aggregator promises alone.
    for enough in [&[1, 2][..], &[0]] {
        let failed = audit(enough, &[]);
        assert_eq!(code(&failed), 1, "{enough:?}");
        assert!(
            stderr(&failed).contains("round 1") && stderr(&failed).contains(&account),
            "{}",
            stderr(&failed)
        );
    }
}

/// A network that was away for two rounds, and before that had no keys for one.
#[test]
fn rounds_that_nobody_could_bid_in_are_shown_and_audited_as_void() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = dir.path().join("network.vgl");
    let mut world = World::new(4);
    world.at(world.ms(RoundTiming::close_ms, 1), vec![]);
    world.until_sharing(1);
    let cleared = world.timing().round_at(world.state.time_unix_ms() + 2_000).map_or(4, |round_id| round_id);
    world.round(cleared);
    world.due_at(world.ms(RoundTiming::open_ms, cleared + 3));
    write_ledger(&world, &ledger);
    let said = |arguments: &[&str]| {
        let done = veilgrid(arguments);
        assert_eq!(code(&done), 0, "{}", stderr(&done));
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let shown = said(&["show", text(&ledger)]);
    let away = format!("{}-{}", cleared + 1, cleared + 2);
    let row = |what: &str, status: &str| {
        let has = |line: &str| line.contains(&format!(" {what} ")) && line.contains(status);
        assert!(shown.lines().any(has), "{what}: {status}: {shown}");
    };
    row("1", "void: no keys yet");
    row(&cleared.to_string(), "settled");
    row(&away, "void: never opened");
    let last = (cleared + 2).to_string();
    assert!(said(&["show", text(&ledger), "round", &last]).contains("no block opened it"), "round {last}");
    let audited = said(&["audit", text(&ledger)]);
    assert!(audited.contains(&format!("rounds {away} are void: nobody could bid")), "{audited}");
    let report = json(&veilgrid(["audit", text(&ledger), "--json"]));
    let passed = report["passed_rounds"].as_array().expect("a list");
    assert_eq!((&passed[0]["last_round_id"], &passed[0]["reason"]), (&1.into(), &"NoKeys".into()));
    let numbers = passed.iter().map(|p| (p["first_round_id"].as_u64(), p["last_round_id"].as_u64()));
    let numbers: u64 = numbers.map(|(first, last)| last.expect("a number") + 1 - first.expect("one")).sum();
    assert_eq!(report["rounds_void"].as_u64(), Some(numbers));
}

/// Two settled rounds. When round 2 takes bids round 1 is over: that state is the one of the checkpoint.
struct Story {
    world: World,
    pause: State,
}

static STORY: LazyLock<Story> = LazyLock::new(|| {
    let mut world = World::keyed(4);
    world.round(1);
    world.bidding(2);
    let pause = world.state.clone();
    close(&mut world, 2);
    world.finish(2);
    Story { world, pause }
});

/// The story in a store, pruned up to the pause.
fn pruned(dir: &Path, checkpoint: &Checkpoint, prunes: impl Fn(&Block) -> bool) -> PathBuf {
    let path = dir.join("ledger");
    let mut store = Store::open(&path).expect("a store");
    for block in &STORY.world.blocks {
        store.append(block, certificate(&STORY.world, block).as_deref()).expect("appended");
    }
    let pruning = store.prune_bodies(STORY.pause.height(), &checkpoint.to_bytes(), prunes).expect("pruned");
    assert!(pruning.blocks > 0);
    path
}

fn export(store: &Path, ledger: &Path) -> Output {
    veilgrid(["export", text(store), text(ledger)])
}

#[test]
fn a_pruned_store_is_replayed_exported_and_audited() {
    let dir = tempfile::tempdir().expect("a folder");
    let (pause, tip) = (&STORY.pause, &STORY.world.state);
    let path = pruned(dir.path(), &pause.checkpoint().expect("a network"), |block| pause.may_prune(block));
    let store = Store::open(&path).expect("a store");
    let state = state_of(&store, &path).expect("replayed");
    assert_eq!((state.height(), state.root()), (tip.height(), tip.root()));
    drop(store);
    let ledger = dir.path().join("ledger.vgl");
    let exported = export(&path, &ledger);
    assert_eq!(code(&exported), 0, "{}", stderr(&exported));
    let genesis = hex::encode(STORY.world.blocks[0].hash());
    let report = json(&veilgrid(["audit", text(&ledger), "--genesis", &genesis, "--json"]));
    assert_eq!(report["ok"], true);
    assert_eq!(
        (&report["height"], &report["state_root"]),
        (&tip.height().into(), &hex::encode(tip.root()).into())
    );
    let pruned = &report["pruned"];
    assert_eq!(
        (&pruned["checkpoints"], &pruned["roots_unknown_from"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(pruned["rounds_by_digest"], serde_json::json!([[1, 1]]));
    assert_eq!((&report["rounds_settled"], &report["bids"]), (&1.into(), &4.into()), "round 2 is whole");
    assert_eq!(report["certificates"]["covered_height"], tip.height());
}

#[test]
fn a_pruned_store_that_does_not_replay_is_exported_by_nobody() {
    let pause = &STORY.pause;
    let sound = pause.checkpoint().expect("a network");
    let mut settled = sound.clone();
    settled.finished.settled += 1;
    let later = Checkpoint { height: STORY.world.state.height() + 1, ..sound.clone() };
    let careful = |block: &Block| pause.may_prune(block);
    type Prunes<'a> = &'a dyn Fn(&Block) -> bool;
    let cases: [(&str, Checkpoint, Prunes<'_>, &str); 3] = [
        ("a false number", settled, &careful, "not the state that the next block names"),
        ("bids of an active round", sound, &|_| true, "round 2"),
        ("a checkpoint that is not reached", later, &careful, "has no bids any more"),
    ];
    for (what, checkpoint, prunes, why) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        let path = pruned(dir.path(), &checkpoint, prunes);
        let store = Store::open(&path).expect("a store");
        let error = state_of(&store, &path).err().expect(what).to_string();
        assert!(
            error.contains("the pruned ledger does not replay") && error.contains(why),
            "{what}: {error}"
        );
        drop(store);
        let ledger = dir.path().join("ledger.vgl");
        let refused = export(&path, &ledger);
        assert_eq!(code(&refused), 2, "{what}");
        assert!(stderr(&refused).contains(why), "{what}: {}", stderr(&refused));
        assert!(!ledger.exists(), "{what}");
    }
}

/// The conformance kit of the specification, judged by the command and its engine's certificates: exit code, whether
/// a violation is named, every fact that the index has. `ledger/tests/conformance/` makes the kit and compares the rules.
#[test]
fn the_command_judges_the_conformance_kit_as_its_index_says() {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-spec/conformance");
    let index = std::fs::read(kit.join("index.json")).expect("the kit's index");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
    let ledgers = index["ledgers"].as_array().expect("a list");
    assert!(ledgers.len() > 100, "{}", ledgers.len());
    for ledger in ledgers {
        let field = |name: &str| ledger[name].as_str();
        let (name, file) = (&ledger["name"], kit.join(field("file").expect("a file")));
        let mut arguments =
            vec!["audit", text(&file), "--json", "--genesis", field("genesis").expect("a hash")];
        let receipts = field("receipts").map(|file| kit.join(file));
        arguments.extend(receipts.iter().flat_map(|file| ["--receipts", text(file)]));
        let output = veilgrid(&arguments);
        assert_eq!(
            Some(u64::from(code(&output).unsigned_abs())),
            ledger["exit"].as_u64(),
            "{name}: {}",
            stderr(&output)
        );
        if code(&output) == 2 {
            assert!(output.stdout.is_empty(), "{name}: what is no ledger has no report");
            continue;
        }
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["ok"], field("verdict") == Some("passes"), "{name}");
        for (fact, value) in ledger["facts"].as_object().into_iter().flatten() {
            match fact.as_str() {
                "receipt_verdicts" => {
                    let findings = report["receipts"].as_array().expect("a list").iter();
                    let verdicts: Vec<_> = findings.map(|finding| finding["verdict"].clone()).collect();
                    assert_eq!(*value, serde_json::Value::from(verdicts), "{name}");
                }
                // Not in the report: prices are shown by `show`, names of rules as sentences.
                "outcomes" | "refusals" => {}
                _ => assert_eq!(report[fact], *value, "{name}: {fact}"),
            }
        }
    }
}
