//! What an operator sees when the market stands still although every process runs: health, status, metrics, log.

use crate::harness::{Network, Plan, validator};
use crate::http;
use serde_json::Value;

/// Rounds that outlive the test, and no resharing that would mend what is broken here.
const PLAN: Plan = Plan {
    validators: 4,
    participants: 2,
    lead_s: 10,
    interval_s: 24,
    deadline_s: 600,
    grace_blocks: 3,
    epoch_blocks: 100_000,
    newcomers: 0,
    prune_after_rounds: None,
    money: false,
};

/// Longer than anything here takes on a machine that has much else to do.
const LONG_S: u64 = 240;

impl Network {
    /// Status code and text of a process's health, on the listener of its own.
    fn health(&self, name: &str) -> Option<(u16, String)> {
        let (code, body) = http::get(self.health_port(name), "/v1/healthz")?;
        Some((code, String::from_utf8_lossy(&body).into_owned()))
    }

    fn status_on_health(&self, name: &str) -> Option<Value> {
        http::json(self.health_port(name), "/v1/status")
    }

    fn metric(&self, name: &str, metric: &str) -> Option<u64> {
        let (_, body) = http::get(self.health_port(name), "/v1/metrics")?;
        let text = String::from_utf8_lossy(&body).into_owned();
        text.lines().find_map(|line| line.strip_prefix(&format!("{metric} "))?.parse().ok())
    }

    /// Waits until all of these say the same of themselves.
    fn wait_for_lights(&mut self, names: &[&str], code: u16, says: &str) {
        self.wait_for(&format!("{code} and {says:?} of {names:?}"), LONG_S, |network| {
            let told =
                |name: &&str| network.health(name).is_some_and(|(c, text)| c == code && text.contains(says));
            names.iter().all(told).then_some(())
        });
    }

    /// Waits until the logs of all of these have such a line.
    fn wait_for_line(&mut self, names: &[&str], level: &str, says: &str) {
        self.wait_for(&format!("{level} {says:?} in the logs of {names:?}"), LONG_S, |network| {
            let has = |name: &&str| {
                network.log(name).lines().any(|line| line.contains(level) && line.contains(says))
            };
            names.iter().all(has).then_some(())
        });
    }

    /// Starts a validator again without its key shares, as one that has run an old folder.
    fn lose_shares(&mut self, name: &str) {
        self.stop(name);
        std::fs::remove_file(self.home(name).join("data/shares.vgkeys")).expect("removed");
        self.start(name);
    }
}

const ALL: [&str; 6] =
    ["validator-1", "validator-2", "validator-3", "validator-4", "aggregator", "participant-001"];

#[test]
fn too_few_holders_of_shares_and_no_blocks_are_said_by_every_light() {
    let mut network = Network::found("lights", PLAN);
    let config = network.home("participant-001").join("participant.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let port = network.health_port("participant-001");
    std::fs::write(&config, format!("health_listen = \"127.0.0.1:{port}\"\n{text}")).expect("written");
    network.start_validators();
    network.start("aggregator");
    network.start_participants();
    network.wait_for_keys(LONG_S);
    network.wait_for_lights(&ALL, 200, "ok");
    network.wait_for("all holders and peers are counted", LONG_S, |network| {
        let counted = ALL.iter().all(|name| network.metric(name, "veilgrid_holders") == Some(4));
        let peers = |name: &str| network.metric(name, "veilgrid_peers_connected");
        (counted && peers("validator-1") == Some(3) && peers("aggregator") == Some(4)).then_some(())
    });
    assert_eq!(network.metric("validator-2", "veilgrid_holds_shares"), Some(1));
    for name in ALL {
        assert!(network.metric(name, "veilgrid_disk_free_bytes").is_some_and(|free| free > 0), "{name}");
        assert!(network.metric(name, "veilgrid_last_block_age_seconds").is_some(), "{name}");
    }
    assert!(network.metric("participant-001", "veilgrid_member_broken_promises_total") == Some(0));

    // Two of four are gone: nobody can say more than that no block comes.
    network.kill("validator-3");
    network.kill("validator-4");
    let left = ["validator-1", "validator-2", "aggregator", "participant-001"];
    network.wait_for_lights(&left, 503, "no final block for");
    network.wait_for_line(&left, "WARN", "no final block for");
    network.start("validator-3");
    network.start("validator-4");
    network.wait_for_lights(&ALL, 200, "ok");

    // Just enough: a warning, and nobody is woken.
    network.lose_shares("validator-4");
    let others = ["validator-1", "validator-2", "validator-3", "aggregator"];
    network.wait_for_lights(&others, 200, "warning: 3 of 4 validators hold key shares");
    for name in others {
        let status = network.status_on_health(name).expect("an answer");
        assert_eq!((&status["holders"], &status["trouble"]), (&3.into(), &Value::Null), "{status}");
    }

    network.wait_for_line(&others, "WARN", "3 of 4 validators hold");
    // And the one that lacks them says so itself: with more to spare nobody else would.
    network.wait_for_lights(&["validator-4"], 200, "warning: this validator holds no key shares");
    network.wait_for_line(&["validator-4"], "WARN", "this validator holds no key shares");

    // One fewer, and everybody's lights are red, before a round has to find out.
    network.lose_shares("validator-3");
    let all_but_members: Vec<&str> =
        ALL.into_iter().filter(|name| !name.starts_with("participant")).collect();
    network.wait_for_lights(&all_but_members, 503, "2 of 4 validators hold key shares and 3 are needed");
    for name in &all_but_members {
        assert_eq!(network.metric(name, "veilgrid_holders"), Some(2));
        assert_eq!(network.metric(name, "veilgrid_healthy"), Some(0));
    }
    network.wait_for_line(&all_but_members, "ERROR", "2 of 4 validators hold");
    // A member sees it by the opening that stands still; it is open on the main listener too.
    network.wait_for_lights(&["participant-001"], 503, "2 of 4 validators hold key shares");
    network.wait_for("a suspended round is counted", LONG_S, |network| {
        ALL.iter().all(|name| network.metric(name, "veilgrid_rounds_suspended") >= Some(1)).then_some(())
    });
    let main = http::get(network.http_port("validator-1"), "/v1/healthz").expect("an answer");
    assert_eq!(main.0, 503);
    assert_eq!(network.status(&validator(3)).expect("an answer")["holds_shares"], false);
    network.finish();
}
