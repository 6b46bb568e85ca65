//! What receipts of validators prove, and rounds that nobody could bid in.

use super::{close, text, write_ledger};
use crate::cli::{code, json, stderr, veilgrid};
use crate::common::BOOK;
use crate::world::{World, receipt_key};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;

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
    let told = |line: &str| line.contains(&away) && line.contains(" are void: nobody could bid");
    assert!(audited.lines().any(told), "{audited}");
    let report = json(&veilgrid(["audit", text(&ledger), "--json"]));
    let passed = report["passed_rounds"].as_array().expect("a list");
    assert_eq!((&passed[0]["last_round_id"], &passed[0]["reason"]), (&1.into(), &"NoKeys".into()));
    let numbers = passed.iter().map(|p| (p["first_round_id"].as_u64(), p["last_round_id"].as_u64()));
    let numbers: u64 = numbers.map(|(first, last)| last.expect("a number") + 1 - first.expect("one")).sum();
    assert_eq!(report["rounds_void"].as_u64(), Some(numbers));
}
