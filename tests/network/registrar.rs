//! Members who join and leave while rounds go on, by the registrar's command.

use crate::harness::{Network, Plan, program, succeed, validator};
use crate::membership::text_of;
use serde_json::Value;

/// Its process runs before anybody has enrolled it.
const NEWCOMER: &str = "participant-004";

impl Network {
    /// Folder and key of somebody who is not in the genesis; the account key.
    fn settle_stranger(&self) -> String {
        let (home, model) = (self.home(NEWCOMER), self.home("participant-001"));
        std::fs::create_dir(&home).expect("a folder");
        for file in ["participant.toml", "orders.csv"] {
            std::fs::copy(model.join(file), home.join(file)).expect("copied");
        }
        let (keys, passphrase) = (home.join("keys"), self.dir.join("passphrase"));
        let made = program(&[
            "keys",
            "new",
            "--kind",
            "participant",
            "--out",
            keys.to_str().expect("UTF-8"),
            "--passphrase-file",
            passphrase.to_str().expect("UTF-8"),
        ]);
        let public: Value = serde_json::from_str(&succeed(&made)).expect("JSON");
        text_of(&public["account_key"])
    }

    fn registrar(&self, words: &[&str]) -> std::process::Output {
        let keys = self.home("registrar").join("keys");
        let passphrase = self.dir.join("passphrase");
        let urls: Vec<String> =
            [1, 2].map(|index| format!("http://127.0.0.1:{}", self.http_port(&validator(index)))).to_vec();
        let mut all = vec!["registrar"];
        all.extend(words);
        all.extend(["--json", "--key-file", keys.to_str().expect("UTF-8")]);
        all.extend(["--passphrase-file", passphrase.to_str().expect("UTF-8"), "--url"]);
        all.extend(urls.iter().map(String::as_str));
        program(&all)
    }

    fn ordered(&self, words: &[&str]) -> Value {
        serde_json::from_str(&succeed(&self.registrar(words))).expect("JSON")
    }

    fn settled_of_newcomer(&self) -> usize {
        let results = self.home(NEWCOMER).join("data").join("results.csv");
        let text = std::fs::read_to_string(results).unwrap_or_default();
        text.lines().filter(|line| line.contains(",settled,")).count()
    }
}

#[test]
fn a_member_joins_trades_is_suspended_and_leaves_while_rounds_go_on() {
    let mut network = Network::start_all("registrar", Plan::default());
    let account = network.settle_stranger();
    network.start(NEWCOMER);
    network.wait_for_keys(120);
    let table = network.dir.join("members.csv");
    let table = table.to_str().expect("UTF-8").to_owned();
    let header = "account_key,connection_point,role,import_class,export_class\n";
    let write = |rows: &str| std::fs::write(&table, format!("{header}{rows}\n")).expect("written");

    // What is wrong is said with its line before anything is signed.
    write(&format!("{account},AT001,consumer,99,0"));
    let refused = network.registrar(&["enrol", &table]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && message.contains("line 2: import_class is 99"), "{message}");
    write(&format!("{account},AT001,consumer,3,0"));
    let tried = network.ordered(&["enrol", &table, "--dry-run"]);
    assert_eq!((&tried["dry_run"], &tried["members"]), (&true.into(), &3.into()), "{tried}");

    let enrolled = network.ordered(&["enrol", &table]);
    assert_eq!(
        (&enrolled["members"], &enrolled["orders"][0]["kind"]),
        (&4.into(), &"enrol".into()),
        "{enrolled}"
    );
    // Again: nothing is left to do.
    let again = network.ordered(&["enrol", &table]);
    assert_eq!(
        (&again["unchanged"], again["orders"].as_array().map(Vec::len)),
        (&1.into(), Some(0)),
        "{again}"
    );
    network.wait_for("a round that the newcomer trades in", 120, |network| {
        (network.settled_of_newcomer() > 0).then_some(())
    });

    let suspended = network.ordered(&["suspend", &account]);
    assert_eq!((&suspended["members"], &suspended["orders"][0]["sequence"]), (&4.into(), &1.into()));
    let left = network.ordered(&["leave", "4"]);
    assert_eq!(left["members"], 3, "{left}");
    let unknown = network.registrar(&["leave", "4"]);
    assert_eq!(unknown.status.code(), Some(2));
    // The others go on without it.
    let round = network.wait_for_bidding(0);
    network.wait_for_clearing(round);
    let url = format!("http://127.0.0.1:{}", network.http_port(&validator(3)));
    let shown = succeed(&program(&["registrar", "members", "--json", "--url", &url]));
    let members: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&members["count"], &members["sequence"]), (&3.into(), &3.into()), "{members}");

    network.agree();
    network.stop(&validator(1));
    let report = network.audit(1);
    let counts = &report["members"];
    assert_eq!((&counts["members"], &counts["enrolled"], &counts["left"]), (&3.into(), &1.into(), &1.into()));
    assert_eq!(counts["suspensions"], 1, "{report}");
    network.finish();
}
