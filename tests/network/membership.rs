//! Validators that are replaced and added while the network runs, by the commands that operators have.

use crate::harness::{Network, Plan, participant, program, succeed, validator};
use serde_json::Value;

/// Blocks of an epoch, the fewest that a key session of 12 blocks a phase allows.
const EPOCH_BLOCKS: u64 = 56;

pub fn text_of(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn run(arguments: &[&str]) -> String {
    succeed(&program(arguments))
}

impl Network {
    /// Makes keys and folders of newcomers, and gives everybody their addresses.
    pub fn settle_newcomers(&self) {
        let Plan { validators, newcomers, .. } = self.plan;
        if newcomers == 0 {
            return;
        }
        let passphrase = self.path("passphrase");
        let mut texts: Vec<(u16, String)> = Vec::new();
        for index in validators + 1..=validators + newcomers {
            let home = self.home(&validator(index));
            std::fs::create_dir(&home).expect("made");
            let keys = home.join("keys");
            let arguments = ["keys", "new", "--kind", "validator", "--passphrase-file", &passphrase, "--out"];
            let public = run(&[&arguments[..], &[keys.to_str().expect("UTF-8")]].concat());
            std::fs::write(self.path(&format!("validator-{index}.json")), &public).expect("written");
            texts.push((index, public));
        }
        let shown = run(&["genesis", "show", "--json", &self.path("genesis.bin")]);
        let genesis: Value = serde_json::from_str(&shown).expect("JSON");
        let mut keys: Vec<(u16, String)> = (1..=validators)
            .map(|index| (index, text_of(&genesis["validators"][usize::from(index) - 1]["consensus_key"])))
            .collect();
        keys.extend(texts.iter().map(|(index, public)| {
            let public: Value = serde_json::from_str(public).expect("JSON");
            (*index, text_of(&public["consensus_key"]))
        }));
        for (index, _) in &texts {
            let config = self.newcomer_config(*index, &keys);
            std::fs::write(self.home(&validator(*index)).join("validator.toml"), config).expect("written");
        }
        let newcomers: Vec<u16> = texts.iter().map(|(index, _)| *index).collect();
        (1..=validators).for_each(|index| self.introduce(&validator(index), "validator", &newcomers, &keys));
        self.introduce("aggregator", "aggregator", &newcomers, &[]);
        (1..=self.plan.participants).for_each(|number| {
            self.introduce(&participant(number), "participant", &newcomers, &[]);
        });
    }

    /// Adds newcomers to the configuration of a process.
    fn introduce(&self, name: &str, kind: &str, newcomers: &[u16], keys: &[(u16, String)]) {
        let path = self.home(name).join(format!("{kind}.toml"));
        let text = std::fs::read_to_string(&path).expect("a configuration");
        let urls: String = newcomers.iter().map(|index| format!("\"{}\", ", self.url(*index))).collect();
        let known = keys.iter().filter(|(index, _)| newcomers.contains(index));
        let peers: String = known.map(|(index, key)| self.peer(*index, key)).collect();
        let text = text.replacen("validator_urls = [", &format!("validator_urls = [{urls}"), 1) + &peers;
        std::fs::write(&path, text).expect("written");
    }

    fn newcomer_config(&self, index: u16, keys: &[(u16, String)]) -> String {
        let others = || keys.iter().filter(|(other, _)| *other != index);
        let urls: Vec<String> = others().map(|(other, _)| format!("\"{}\"", self.url(*other))).collect();
        let peers: String = others().map(|(other, key)| self.peer(*other, key)).collect();
        format!(
            "data_dir = \"data\"\ngenesis = \"../genesis.bin\"\nkey_file = \"keys\"\n\
             passphrase_file = \"../passphrase\"\nvalidator_urls = [{}]\nlog = \"info\"\n\
             [http]\nlisten = \"127.0.0.1:{}\"\n[p2p]\nlisten = \"127.0.0.1:{}\"\n{peers}",
            urls.join(", "),
            self.http_port(&validator(index)),
            self.p2p_port(index)
        )
    }

    fn peer(&self, index: u16, key: &str) -> String {
        let address = format!("127.0.0.1:{}", self.p2p_port(index));
        format!("\n[[p2p.peers]]\nconsensus_key = \"{key}\"\naddress = \"{address}\"\n")
    }

    fn url(&self, index: u16) -> String {
        format!("http://127.0.0.1:{}", self.http_port(&validator(index)))
    }

    /// Where a validator listens for the others.
    fn p2p_port(&self, index: u16) -> u16 {
        let Plan { validators, newcomers, .. } = self.plan;
        self.http_port(&validator(index)) + if index > validators { newcomers } else { validators }
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// The validators in force as a node sees them.
    fn set(&self, index: u16) -> Value {
        let text = run(&["validators", "show", "--json", "--url", &self.url(index)]);
        serde_json::from_str(&text).expect("JSON")
    }

    fn endorse(&self, file: &str, index: u16) -> std::process::Output {
        let config = self.home(&validator(index)).join("validator.toml");
        program(&["validators", "endorse", file, "--config", config.to_str().expect("UTF-8")])
    }
}

/// 1, 2, 3, 4 become 1, 2, 3, 5, 6.
#[test]
fn validators_are_replaced_and_added_while_rounds_go_on() {
    let plan =
        Plan { lead_s: 15, interval_s: 24, epoch_blocks: EPOCH_BLOCKS, newcomers: 2, ..Plan::default() };
    let mut network = Network::found("membership", plan);
    // Everything runs from the start; 5 and 6 are nobody yet.
    network.start_validators();
    network.start("aggregator");
    network.start_participants();
    for index in [5, 6] {
        network.wait_for("candidates that follow", 60, |network| {
            let status = network.status(&validator(index))?;
            let trouble = status["trouble"].as_str().unwrap_or_default().to_owned();
            let follows = trouble.starts_with("candidate") && status["height"].as_u64() > Some(0);
            (follows && status["index"].is_null() && status["mode"] == "candidate").then_some(())
        });
    }
    network.wait_for_keys(120);

    propose_and_submit(&network);
    network.wait_for("the change on the ledger", 60, |network| {
        (!network.set(2)["pending"].is_null()).then_some(())
    });
    // Five bear one failure, and this one is away from before the session to after the change: from here on the dealing,
    // the votes and the shares of all others are needed, those of both newcomers too.
    network.kill("validator-1");
    let changed = network.wait_for("the new validators", 120, |network| {
        let set = network.set(2);
        (set["validators"].as_array().expect("a list").len() == 5).then_some(set)
    });
    assert_eq!(changed["pending"], Value::Null, "{changed}");
    assert!(changed["since_epoch"].as_u64() >= Some(1), "{changed}");
    network.wait_for("newcomers with shares, and nobody in 4's place", 90, |network| {
        let newcomer = |index: u16, number: u16| {
            let status = network.status(&validator(index))?;
            let works = status["holds_shares"] == true && status["trouble"].is_null();
            (works && status["index"] == number && status["mode"] == "validating").then_some(())
        };
        newcomer(5, 4)?;
        newcomer(6, 5)?;
        let retired = network.status("validator-4")?;
        (retired["mode"] == "candidate" && retired["index"].is_null()).then_some(())
    });
    let before = network.status("validator-2").expect("it answers")["last_round_id"].as_u64().unwrap_or(0);
    let round_id = network.wait_for_bidding(before);
    network.wait_for_clearing(round_id);

    network.start("validator-1");
    network.wait_for("validator-1 back at its place", 90, |network| {
        (network.status("validator-1")?["mode"] == "validating").then_some(())
    });
    network.agree();
    assert!(network.log("validator-1").contains("the ledger is an epoch or more ahead"));
    network.stop("validator-5");
    let report = network.audit(5);
    let changes = report["validator_changes"].as_array().expect("changes");
    assert_eq!((changes.len(), &changes[0]["validators"]), (1, &5.into()), "{report}");
    assert_eq!(&changes[0]["epoch"], &changed["since_epoch"]);
    let sessions = report["key_sessions"].as_array().expect("sessions");
    let reshared = sessions.iter().find(|session| session["task"] == "reshare").expect("one for the change");
    let lacking = &reshared["lacking"];
    assert_eq!(
        (&reshared["agreed"], lacking),
        (&true.into(), &vec![1].into()),
        "candidates take part: {report}"
    );
    network.promises_kept(&report, round_id);
    network.stop("validator-4");
    network.audit(4);
    network.finish();
}

/// 1, 2, 3, 4 become 1, 2, 3, 5 while 4 hears nothing: the others don't know it any more when it does.
#[test]
fn a_validator_that_is_cut_off_while_it_is_replaced_finds_out() {
    let plan = Plan { epoch_blocks: EPOCH_BLOCKS, newcomers: 1, ..Plan::default() };
    let mut network = Network::found("cut-off", plan);
    network.start_validators();
    network.wait_for_keys(120);
    let (url, file, public) = (network.url(1), network.path("change.json"), network.path("validator-5.json"));
    run(&["validators", "propose", "--url", &url, "--add", &public, "--remove", "4", "--out", &file]);
    for index in [2, 3, 4] {
        succeed(&network.endorse(&file, index));
    }
    run(&["validators", "submit", &file, "--url", &url]);
    network.wait_for("the change on the ledger", 60, |network| {
        (!network.set(1)["pending"].is_null()).then_some(())
    });
    network.signal("validator-4", "STOP");
    let since = network.wait_for("an epoch with the new validators behind it", 300, |network| {
        let set = network.set(1);
        let (epoch, since) = (set["epoch"].as_u64()?, set["since_epoch"].as_u64()?);
        (since > 0 && epoch > since).then_some(since)
    });
    // Processes know the last few sets of their time; these know nothing of 4 any more, and refuse it.
    for index in 1..=3 {
        let name = validator(index);
        network.stop(&name);
        network.start(&name);
        network.wait_for("a validator that validates again", 90, |network| {
            let status = network.status(&name)?;
            (status["mode"] == "validating" && status["certified_height"].is_u64()).then_some(())
        });
    }
    network.signal("validator-4", "CONT");
    let height = network.height("validator-1").expect("it answers");
    network.wait_for("validator-4 as a candidate", 120, |network| {
        let status = network.status("validator-4")?;
        let follows = status["mode"] == "candidate" && status["height"].as_u64() >= Some(height);
        follows.then_some(())
    });
    assert_eq!(network.set(4)["since_epoch"], since);
    assert!(network.log("validator-4").contains("have gone on without this one"));
    network.agree();
    network.finish();
}

/// The way of a proposal, with what is refused on it.
fn propose_and_submit(network: &Network) {
    let (first, file, copy) = (network.url(1), network.path("change.json"), network.path("copy.json"));
    let (five, six) = (network.path("validator-5.json"), network.path("validator-6.json"));
    let propose =
        ["validators", "propose", "--url", &first, "--add", &five, &six, "--remove", "4", "--out", &file];
    let text = run(&propose);
    assert!(text.contains("goes:  validator 4") && text.contains("comes: validator 5"), "{text}");
    assert_eq!(program(&propose).status.code(), Some(2), "nothing is overwritten");

    let newcomer = network.endorse(&file, 5);
    assert!(!newcomer.status.success());
    assert!(String::from_utf8_lossy(&newcomer.stderr).contains("none of the present validators"));
    std::fs::copy(&file, &copy).expect("copied");
    succeed(&network.endorse(&file, 1));
    assert!(succeed(&network.endorse(&file, 1)).contains("had signed"));
    succeed(&network.endorse(&file, 2));
    let submit = |files: &[&str], index: u16| {
        let url = network.url(index);
        program(&[&["validators", "submit"], files, &["--url", &url]].concat())
    };
    let few = submit(&[&file], 1);
    assert_eq!(few.status.code(), Some(2));
    let text = String::from_utf8_lossy(&few.stderr).into_owned();
    assert!(text.contains("2 valid signatures, 3 are needed: validators 3, 4"), "{text}");
    // The third one signs a copy elsewhere.
    succeed(&network.endorse(&copy, 3));
    // A candidate takes nothing.
    assert!(String::from_utf8_lossy(&submit(&[&file, &copy], 5).stderr).contains("not in the validator set"));
    let text = succeed(&submit(&[&file, &copy], 1));
    assert!(text.contains("signed by validators 1, 2, 3"), "{text}");
}
