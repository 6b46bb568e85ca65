//! The treasury's and a member's commands on a network whose rounds go on.

use crate::harness::{Network, Plan, participant, program, succeed, validator};
use serde_json::Value;
use std::process::Output;

impl Network {
    fn urls(&self, validators: &[u16]) -> Vec<String> {
        let url = |index: &u16| format!("http://127.0.0.1:{}", self.http_port(&validator(*index)));
        validators.iter().map(url).collect()
    }

    fn with_keys(&self, words: &[&str], of: &str, urls: &[String]) -> Output {
        let (keys, passphrase) = (self.home(of).join("keys"), self.dir.join("passphrase"));
        let mut all = words.to_vec();
        all.extend(["--json", "--key-file", keys.to_str().expect("UTF-8")]);
        all.extend(["--passphrase-file", passphrase.to_str().expect("UTF-8"), "--url"]);
        all.extend(urls.iter().map(String::as_str));
        program(&all)
    }

    fn treasury(&self, words: &[&str]) -> Output {
        let all: Vec<&str> = ["treasury"].iter().chain(words).copied().collect();
        self.with_keys(&all, "treasury", &self.urls(&[1, 2]))
    }

    fn books(&self, validators: &[u16]) -> Value {
        let urls = self.urls(validators);
        let mut all = vec!["treasury", "status", "--json", "--url"];
        all.extend(urls.iter().map(String::as_str));
        serde_json::from_str(&succeed(&program(&all))).expect("JSON")
    }

    fn wallet(&self, words: &[&str], number: u32) -> Output {
        let genesis = std::fs::read_to_string(self.dir.join("genesis.hash")).expect("a hash");
        let mut all: Vec<&str> = ["wallet"].iter().chain(words).copied().collect();
        all.extend(["--genesis", genesis.trim()]);
        self.with_keys(&all, &participant(number), &self.urls(&[2]))
    }
}

fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
}

fn told(output: &Output) -> Value {
    serde_json::from_str(&succeed(output)).expect("JSON")
}

#[test]
fn money_comes_is_traded_with_taken_out_and_paid() {
    let mut network = Network::start_all("money", Plan { money: true, ..Plan::default() });
    network.wait_for_keys(120);
    // Everybody begins with nothing. A wrong payment is said before anything is signed.
    refused(
        &network.treasury(&["deposit", "--account", "9", "--amount", "5", "--reference", "a"]),
        "number 9",
    );
    refused(&network.treasury(&["paid", "1/0"]), "no withdrawal 1/0");
    let payments = network.dir.join("payments.csv");
    std::fs::write(&payments, "account,amount_eur,reference\n1,50.00,a\n2,50.00,b\n3,50.00,c\n0,1.00,d\n")
        .expect("written");
    let payments = payments.to_str().expect("UTF-8");
    let entered = told(&network.treasury(&["deposit", payments, "--order", "0"]));
    assert_eq!((&entered["next_order"], &entered["orders"][0]["amount_ct"]), (&1.into(), &15_100.into()));
    refused(&network.treasury(&["deposit", payments, "--order", "0"]), "not 0");

    let round = network.wait_for_bidding(0);
    network.wait_for_clearing(round);
    // A withdrawal may lose against the participant's next bid; then the command says so and is given again.
    let withdrawn = network.wait_for("a withdrawal", 120, |network| {
        let output = network.wallet(&["withdraw", "--amount", "12.50"], 1);
        output.status.success().then(|| told(&output))
    });
    assert_eq!(withdrawn["amount_ct"], 1_250, "{withdrawn}");
    let name = format!("{}/{}", withdrawn["number"], withdrawn["debit_sequence"]);
    refused(&network.wallet(&["withdraw", "--amount", "1000"], 1), "can't be withdrawn");
    refused(&network.wallet(&["withdraw", "--amount", "0.005"], 1), "part of a cent");

    let books = network.wait_for("the withdrawal at all nodes", 30, |network| {
        let books = network.books(&[1, 2, 3, 4]);
        (books["unpaid"].as_array().is_some_and(|unpaid| unpaid.len() == 1)).then_some(books)
    });
    assert_eq!((&books["unpaid_ct"], &books["nodes"]), (&1_250.into(), &4.into()), "{books}");
    assert_eq!(books["warnings"].as_array().map(Vec::len), Some(0), "{books}");
    let paid = told(&network.treasury(&["paid", &name, "--order", "1"]));
    assert_eq!((&paid["next_order"], &paid["orders"][0]["kind"]), (&2.into(), &"paid".into()), "{paid}");
    refused(&network.treasury(&["paid", &name]), "waits to be paid");

    // What the wallet is rebuilt to is what the ledger has, or it would say so.
    let shown = told(&network.wallet(&["statement"], 1));
    let lines = shown["lines"].as_array().expect("lines");
    let kinds: Vec<_> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert!(["deposit", "fill", "withdrawal"].iter().all(|kind| kinds.contains(kind)), "{shown}");
    network.agree();
    network.stop(&validator(1));
    let report = network.audit(1);
    let money = &report["money"];
    assert_eq!((&money["paid"], &money["unpaid"]), (&1.into(), &0.into()), "{report}");
    assert_eq!(money["withdrawn_ct"], 1_250, "{report}");
    network.finish();
}
