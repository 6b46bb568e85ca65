//! The commands of a network as people call them: help, keys, founding, configurations, failures.

use crate::cli::{code, stderr, veilgrid};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the program with a passphrase in the environment, as a service would.
fn with_passphrase(args: &[&str], passphrase: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
    command.args(args).env("VEILGRID_PASSPHRASE", passphrase).stdin(std::process::Stdio::null());
    command.output().expect("the program runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Makes a key file and a file with its public part.
fn key(dir: &Path, kind: &str, name: &str) -> PathBuf {
    let (file, public) = (dir.join(format!("{name}.keys")), dir.join(format!("{name}.json")));
    let output =
        with_passphrase(&["keys", "new", "--kind", kind, "--out", text(&file)], "five random words here");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    std::fs::write(&public, &output.stdout).expect("written");
    public
}

/// A plan for an hour from now on; its slots are those of a day later.
fn plan(dir: &Path) -> PathBuf {
    plan_with(dir, "plan.toml", 3600, 86_400)
}

/// A plan whose round 1 opens so many seconds from now, and trades a slot that begins so much later.
fn plan_with(dir: &Path, name: &str, opens_in_s: i64, slot_after_s: i64) -> PathBuf {
    let path = dir.join(name);
    let quarter = (unix_s() + opens_in_s) / 900 * 900;
    let plan = format!(
        "[market]\nprice_min_mct_per_kwh = 8000\ntick_mct_per_kwh = 1000\nticks = 16\nmin_bidders = 2\n\
         max_members = 10\n[timing]\nfirst_open_unix_ms = {quarter}000\ninterval_ms = 900000\nbidding_ms = 600000\n\
         first_slot_start_unix_s = {}\nopening_deadline_ms = 900000\nepoch_blocks = 1000\n",
        quarter + slot_after_s
    );
    std::fs::write(&path, plan).expect("written");
    path
}

/// This machine's time.
#[allow(clippy::disallowed_types, reason = "the plan of a test; nothing hashed depends on it")]
fn unix_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("not that late")
}

#[test]
fn every_command_of_a_network_has_help_with_an_example() {
    let commands: [&[&str]; 13] = [
        &["validator"],
        &["aggregator"],
        &["participant"],
        &["gateway"],
        &["orders"],
        &["orders", "check"],
        &["localnet"],
        &["keys"],
        &["keys", "new"],
        &["keys", "show"],
        &["create-genesis"],
        &["genesis"],
        &["genesis", "show"],
    ];
    for command in commands {
        let output = veilgrid([command, &["--help"]].concat());
        assert_eq!(code(&output), 0);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        let called = format!("veilgrid {}", command.join(" "));
        assert!(help.contains("Example:") && help.contains(&called), "{called}: {help}");
        // A passphrase in the list of processes is no secret.
        assert!(!help.contains("--passphrase <") && !help.contains("--passphrase="), "{help}");
    }
    let all = String::from_utf8_lossy(&veilgrid(["--help"]).stdout).into_owned();
    let listed = |name: &str| all.lines().any(|line| line.split_whitespace().next() == Some(name));
    assert!(listed("create-genesis") && !listed("found"), "the earlier name works and is not shown: {all}");
}

#[test]
fn a_network_is_founded_from_public_parts() {
    let dir = tempfile::tempdir().expect("dir");
    let mut public: Vec<PathBuf> = (1..=4).map(|i| key(dir.path(), "validator", &format!("v{i}"))).collect();
    public.push(key(dir.path(), "aggregator", "a"));
    public.push(key(dir.path(), "registrar", "r"));
    public.extend((1..=2).map(|i| key(dir.path(), "participant", &format!("p{i}"))));
    let (plan, genesis) = (plan(dir.path()), dir.path().join("genesis.bin"));
    let mut args =
        vec!["create-genesis", "--plan", text(&plan), "--out", text(&genesis), "--json", "--public"];
    args.extend(public.iter().map(|path| text(path)));
    let founded = veilgrid(&args);
    assert_eq!(code(&founded), 0, "{}", stderr(&founded));
    let summary: serde_json::Value = serde_json::from_slice(&founded.stdout).expect("JSON");
    let hash = summary["genesis_hash"].as_str().expect("hash").to_owned();
    assert_eq!((&summary["threshold"], &summary["members"]), (&3.into(), &2.into()));
    assert_eq!((&summary["rule"], &summary["slot_seconds"]), (&"uniform".into(), &900.into()), "{summary}");
    let date = |name: &str| summary["dates"][name].as_str().expect("a date").to_owned();
    assert!(date("first_open") < date("first_close") && date("first_slot_start") < date("first_slot_end"));
    assert!(date("first_open").ends_with(":00Z") && summary["notes"] == serde_json::json!([]), "{summary}");

    let shown = veilgrid(["genesis", "show", text(&genesis), "--hash", &hash]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let table = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(table.contains(&hash));
    everything_is_shown(&table, &summary, &public);
    let other = veilgrid(["genesis", "show", text(&genesis), "--hash", &"0".repeat(64)]);
    assert_eq!(code(&other), 2);
    assert!(stderr(&other).contains(&hash), "{}", stderr(&other));
    let again = veilgrid(&args);
    assert_eq!(code(&again), 2, "nothing is overwritten");
    assert!(stderr(&again).contains("genesis.bin"));
    // A public part may come from a pipe, as `veilgrid keys` prints it; and the command may have its earlier name.
    let mut from_pipe = args.clone();
    from_pipe[0] = "found";
    let (last, out) = (from_pipe.len() - 1, dir.path().join("piped.bin"));
    (from_pipe[4], from_pipe[last]) = (text(&out), "-");
    let part = std::fs::File::open(&public[public.len() - 1]).expect("there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
    let founded = command.args(&from_pipe).stdin(part).output().expect("the program runs");
    let summary: serde_json::Value = serde_json::from_slice(&founded.stdout).expect("JSON");
    assert_eq!(summary["members"], 2, "{}", stderr(&founded));
    // Times that make no sense are refused with their dates, and nothing is written.
    for (name, opens_in_s, slot_after_s, words) in [
        ("past.toml", -3 * 365 * 86_400, 86_400, "would be void"),
        ("over.toml", 3600, -86_400, "over when the round opens"),
    ] {
        let plan = plan_with(dir.path(), name, opens_in_s, slot_after_s);
        let other = dir.path().join("other.bin");
        let mut senseless = args.clone();
        (senseless[2], senseless[4]) = (text(&plan), text(&other));
        let refused = veilgrid(&senseless);
        let message = stderr(&refused);
        assert!(code(&refused) == 2 && message.contains(words) && message.contains("T"), "{message}");
        assert!(message.contains(name) && !other.exists(), "{message}");
    }
    // So are epochs for which no validator may open enough files.
    let long = dir.path().join("long.toml");
    let epochs = std::fs::read_to_string(&plan)
        .expect("read")
        .replace("epoch_blocks = 1000", "epoch_blocks = 4000000000");
    std::fs::write(&long, epochs).expect("written");
    let (mut endless, other) = (args.clone(), dir.path().join("other.bin"));
    (endless[2], endless[4]) = (text(&long), text(&other));
    let refused = veilgrid(&endless);
    let message = stderr(&refused);
    assert!(code(&refused) == 2 && message.contains("long.toml") && !other.exists(), "{message}");
    assert!(
        message.contains("open files") && message.contains("65536") && message.contains("at most"),
        "{message}"
    );
    // Members may join later; a registrar, who enrols them, has to be there.
    let registrar = text(&public[public.len() - 3]);
    args.retain(|arg| *arg != registrar);
    args[4] = text(&other);
    let nobody = veilgrid(&args);
    assert_eq!(code(&nobody), 2);
    assert!(stderr(&nobody).contains("registrar") && !other.exists(), "{}", stderr(&nobody));
}

/// All parameters of the plan, and everybody's public keys, in the table and in the JSON.
fn everything_is_shown(table: &str, summary: &serde_json::Value, public: &[PathBuf]) {
    let json = summary.to_string();
    for part in public {
        let part: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(part).expect("a public part")).expect("JSON");
        let keys = part.as_object().expect("an object").iter().filter_map(|(_, value)| value.as_str());
        let keys: Vec<&str> = keys.filter(|key| key.len() == 64).collect();
        assert!(!keys.is_empty(), "{part}");
        for key in keys {
            assert!(table.contains(key) && json.contains(key), "{key} of {part}");
        }
    }
    let (parameters, timing) = (&summary["parameters"], &summary["timing"]);
    for (values, number) in [(parameters, 11), (timing, 10)] {
        let values = values.as_object().expect("an object");
        assert_eq!(values.len(), number);
        for (name, value) in values {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let line = table.lines().find(|line| line.contains(name));
            assert!(line.is_some_and(|line| line.contains(&value)), "{name} {value}: {table}");
        }
    }
    assert_eq!((&parameters["rule"], &parameters["bits"]), (&"uniform".into(), &16.into()));
    assert_eq!((&timing["epoch_blocks"], &timing["grace_blocks"]), (&1000.into(), &3.into()));
    assert_eq!((&summary["key_epoch"], &summary["member_accounts"][1].is_string()), (&1.into(), &true));
}

#[test]
fn key_files_open_with_their_passphrase_only() {
    let dir = tempfile::tempdir().expect("dir");
    let public = key(dir.path(), "participant", "me");
    let file = dir.path().join("me.keys");
    let shown = with_passphrase(&["keys", "show", text(&file)], "five random words here");
    assert_eq!(shown.stdout, std::fs::read(&public).expect("read"));
    let wrong = with_passphrase(&["keys", "show", text(&file)], "four random words here");
    assert_eq!(code(&wrong), 2);
    assert!(stderr(&wrong).contains("passphrase is wrong") && wrong.stdout.is_empty(), "{}", stderr(&wrong));
    let again =
        with_passphrase(&["keys", "new", "--kind", "validator", "--out", text(&file)], "five random words");
    assert!(code(&again) == 2 && stderr(&again).contains("never overwritten"), "{}", stderr(&again));
    let short = dir.path().join("short.keys");
    let weak = with_passphrase(&["keys", "new", "--kind", "validator", "--out", text(&short)], "short");
    assert!(code(&weak) == 2 && !short.exists(), "{}", stderr(&weak));
    let nobody = Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(["keys", "show", text(&file)])
        .env_remove("VEILGRID_PASSPHRASE")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("runs");
    assert!(code(&nobody) == 2 && stderr(&nobody).contains("VEILGRID_PASSPHRASE"), "{}", stderr(&nobody));
}

#[test]
fn configurations_are_printed_and_their_faults_named() {
    let dir = tempfile::tempdir().expect("dir");
    for file in ["genesis.bin", "keys", "passphrase"] {
        std::fs::write(dir.path().join(file), "not secret enough").expect("written");
    }
    let path = dir.path().join("v.toml");
    let config = "data_dir = \"data\"\ngenesis = \"genesis.bin\"\nkey_file = \"keys\"\npassphrase_file = \"passphrase\"\n\
        [http]\nlisten = \"127.0.0.1:8101\"\n[p2p]\nlisten = \"127.0.0.1:7101\"\n";
    std::fs::write(&path, config).expect("written");
    let args = ["validator", "--config", text(&path), "--print-config", "--p2p-listen", "127.0.0.1:7199"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
    let output = command.args(args).env("VEILGRID_VALIDATOR__LOG", "debug").output().expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(printed.contains("127.0.0.1:7199") && printed.contains("\"debug\""), "{printed}");
    assert!(!printed.contains("not secret enough"), "{printed}");

    std::fs::write(&path, config.replace("[p2p]", "lisen = 1\n[p2p]")).expect("written");
    let output = veilgrid(args);
    assert_eq!(code(&output), 3, "no restart mends it");
    assert!(
        stderr(&output).contains("v.toml") && stderr(&output).contains("http.lisen"),
        "{}",
        stderr(&output)
    );
    let missing = veilgrid(["aggregator", "--config", "no-such.toml"]);
    assert!(code(&missing) == 3 && stderr(&missing).contains("no-such.toml"));
}

#[test]
fn the_last_line_of_a_log_in_json_is_json_and_wrong_usage_of_a_process_is_final() {
    let last = |arguments: &[&str]| {
        let output = veilgrid(arguments.to_vec());
        let text = stderr(&output);
        let line = text.lines().last().expect("a line").to_owned();
        let value: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        (code(&output), value.and_then(|value| Some(value["fields"]["message"].as_str()?.to_owned())))
    };
    let (exit, message) = last(&["validator", "--config", "no-such.toml", "--log-json"]);
    assert!(exit == 3 && message.is_some_and(|text| text.contains("no-such.toml")));
    let (exit, message) = last(&["--log-json", "aggregator", "--configuration", "x"]);
    assert!(exit == 3 && message.is_some_and(|text| text.contains("--configuration")));
    let (exit, message) = last(&["--log-json", "audit", "no-such.vgl"]);
    assert!(exit == 2 && message.is_some_and(|text| text.contains("no-such.vgl")));
    let (exit, message) = last(&["--log-json", "audit", "--nothing"]);
    assert!(exit == 2 && message.is_some_and(|text| text.contains("--nothing")));
    // For people it is text.
    assert_eq!(last(&["validator", "--config", "no-such.toml"]), (3, None));
    assert_eq!(last(&["participant"]), (3, None));
    assert_eq!(last(&["--log", "error", "clear"]), (2, None));
    assert_eq!(code(&veilgrid(["--help"])), 0);
    assert_eq!(code(&veilgrid(["validator", "--help"])), 0);
}

#[test]
fn localnet_leaves_other_folders_alone() {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::write(dir.path().join("thesis.tex"), "").expect("written");
    let refused = veilgrid(["localnet", "--dir", text(dir.path())]);
    assert!(code(&refused) == 2 && stderr(&refused).contains("not empty"), "{}", stderr(&refused));
    let few = veilgrid(["localnet", "--validators", "3", "--dir", text(&dir.path().join("new"))]);
    assert!(code(&few) == 2 && stderr(&few).contains("4 to 128"), "{}", stderr(&few));
}

/// Threat: a node answers with what takes over the terminal of whoever asks it.
#[test]
fn no_control_character_of_an_answer_reaches_the_terminal() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let body = serde_json::json!({
        "ledger_id": "0".repeat(64), "height": 7, "epoch": 0, "epoch_blocks": 100, "since_epoch": 0, "threshold": 3,
        "keys": 4, "validators": [], "pending": null,
        "session": { "session": 1, "task": "\u{1b}[31mred", "phase": "\u{9b}2J" },
    })
    .to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("asked");
        // The head of a GET comes at once.
        let _ = stream.read(&mut [0; 4096]).expect("a request");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("answered");
    });
    let output = veilgrid(["validators", "show", "--url", &url]);
    answering.join().expect("answered");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert_eq!(code(&output), 0, "{shown:?}");
    assert!(
        shown.contains("\\u{1b}[31mred") && !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
}
