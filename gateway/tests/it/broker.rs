//! Home Assistant's side of a broker: mosquitto from Debian, which the test starts, kills and starts again.

use crate::house::{House, KEY};
use crate::played::{free_port, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use veilgrid_household::format_utc;

const USER: &str = "veilgrid";
const PASSWORD: &str = "not a secret";

/// mosquitto and its clients, where they are; they must not be missing where the gate says that they are there.
fn has_mosquitto() -> bool {
    let there = |program: &str| Command::new(program).arg("--help").output().is_ok();
    let all = ["mosquitto", "mosquitto_sub", "mosquitto_pub", "mosquitto_passwd"].into_iter().all(there);
    assert!(all || std::env::var_os("VEILGRID_NEEDS_MOSQUITTO").is_none(), "mosquitto is missing");
    if !all {
        eprintln!("LEFT OUT: no mosquitto here (Debian: mosquitto, mosquitto-clients)");
    }
    all
}

struct Broker {
    port: u16,
    child: Child,
}

impl Broker {
    /// Without a memory of its own: after a restart it has forgotten all that was retained.
    fn start(folder: &Path, port: u16) -> Self {
        let (config, passwords) = (folder.join("mosquitto.conf"), folder.join("passwords"));
        let made = Command::new("mosquitto_passwd")
            .arg("-b")
            .arg("-c")
            .arg(&passwords)
            .args([USER, PASSWORD])
            .status();
        assert!(made.expect("mosquitto_passwd").success());
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\npersistence false\nuser root\n",
            passwords.display()
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new("mosquitto");
        let child = command
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto");
        wait_for("mosquitto", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, child }
    }

    fn arguments(&self) -> Vec<String> {
        ["-h", "127.0.0.1", "-p", &self.port.to_string(), "-u", USER, "-P", PASSWORD]
            .map(str::to_owned)
            .to_vec()
    }

    fn publish(&self, topic: &str, text: &str, retained: bool) {
        let mut command = Command::new("mosquitto_pub");
        command.args(self.arguments()).args(["-q", "1", "-t", topic, "-m", text]);
        assert!(command.args(retained.then_some("-r")).status().expect("mosquitto_pub").success());
    }

    /// What is on the broker, by topic; of each the last.
    fn watch(&self) -> Watch {
        let mut command = Command::new("mosquitto_sub");
        command.args(self.arguments()).args(["-q", "1", "-t", "#", "-F", "%t %p"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("mosquitto_sub");
        let (texts, lines) = (Arc::new(Mutex::new(BTreeMap::new())), child.stdout.take().expect("piped"));
        let seen: Arc<Mutex<BTreeMap<String, String>>> = Arc::clone(&texts);
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if let Some((topic, text)) = line.split_once(' ') {
                    seen.lock().expect("texts").insert(topic.to_owned(), text.to_owned());
                }
            }
        });
        Watch { child, texts }
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Watch {
    child: Child,
    texts: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Watch {
    fn wait_for(&self, topic: &str, text: &str) {
        wait_for(&format!("{topic} {text}: {:?}", self.get(topic)), || {
            (self.get(topic)? == text).then_some(())
        });
    }

    fn get(&self, topic: &str) -> Option<String> {
        self.texts.lock().expect("texts").get(topic).cloned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn home_assistant_sees_an_account_and_its_settings_become_orders() {
    if !has_mosquitto() {
        return;
    }
    let mut house = House::new();
    let folder = house.folder.path().to_owned();
    let port = free_port();
    std::fs::write(folder.join("password"), format!("{PASSWORD}\n")).expect("written");
    house.last_round(3);
    (0..4).for_each(|validator| house.cleared(validator, 1, Some(28_755)));
    (0..4).for_each(|validator| house.cleared(validator, 2, None));
    house.results(&format!(
        "1,{},900,settled,1.2000000152587890625,0,28.755,28.755,34.50600043876171875\n",
        format_utc(house.start_of(1))
    ));
    // The broker is not there yet.
    let head = format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nusername = \"{USER}\"\npassword_file = \"password\"\n\
         zone = \"Europe/Vienna\"\nsettings = \"settings.toml\""
    );
    house.start(&head, "");
    let broker = Broker::start(&folder, port);
    let watch = broker.watch();
    let value = |name: &str| format!("veilgrid/{KEY}/{name}");
    let command = |name: &str| format!("veilgrid/{KEY}/set/{name}");
    let availability = format!("veilgrid/gateway/veilgrid-{}", &KEY[..16]);
    let discovery = format!("homeassistant/device/veilgrid_{KEY}/config");

    watch.wait_for(&availability, "online");
    watch.wait_for(&value("buy_price"), "0.28755");
    watch.wait_for(&value("next_buy_price"), "None");
    watch.wait_for(&value("bought"), "1.2000000152587890625");
    watch.wait_for(&value("bought_power"), "4800");
    watch.wait_for(&value("cost"), "0.3450600043876171875");
    // Larger than what the library sends without being told to.
    let text = wait_for("the configuration", || watch.get(&discovery));
    let device: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(device["device"]["name"], "Höme");
    for component in device["components"].as_object().expect("components").values() {
        let topic = component["state_topic"].as_str().expect("a topic").to_owned();
        wait_for(&topic, || watch.get(&topic));
    }

    // A battery that buys up to 9 ct/kWh; what it would sell for below that is refused, and said.
    broker.publish(&command("battery_kw"), "4.0", false);
    broker.publish(&command("battery_buy"), "9.005", false);
    let row = format!("{},buy,9.005,1.000", house.time_of(4));
    house.wait_for_row(&row, true);
    broker.publish(&command("battery_sell"), "9", false);
    wait_for("the refusal", || watch.get(&value("refusal")).filter(|text| text.contains("battery_sell")));
    watch.wait_for(&value("battery_sell"), "None");
    // A command that the broker keeps is taken once at most, and not again after each connection.
    broker.publish(&command("battery_kw"), "8", true);
    house.wait_for_row(&format!("{},buy,9.005,2.000", house.time_of(4)), true);
    broker.publish(&command("battery_kw"), "4", false);
    house.wait_for_row(&row, true);
    // Garbage and a flood harm nobody.
    (0..50).for_each(|n| broker.publish(&command("charge_kwh"), &format!("{n}garbage"), false));
    broker.publish(&command("nothing"), "1", false);

    // A car that lacks 2 kWh and leaves after four more slots, of which the first is traded now.
    broker.publish(&command("charge_kwh"), "2", false);
    broker.publish(&command("charge_kw"), "11", false);
    broker.publish(&command("charge_limit"), "28.755", false);
    broker.publish(&command("departure"), &format_utc(house.start_of(7)), false);
    house.wait_for_row(&format!("{},buy,28.755,0.500", house.time_of(3)), true);
    house.wait_for_row(&format!("{},buy,28.755,0.500", house.time_of(6)), true);

    // The broker is killed and has forgotten everything: configuration, availability and values are there again, and the
    // gateway hears commands.
    broker.kill();
    drop(watch);
    let broker = Broker::start(&folder, port);
    let watch = broker.watch();
    watch.wait_for(&availability, "online");
    wait_for("the configuration", || watch.get(&discovery).filter(|again| *again == text));
    watch.wait_for(&value("battery_buy"), "9.005");
    watch.wait_for(&value("charge_kwh"), "2");
    broker.publish(&command("battery_buy"), "8.5", false);
    house.wait_for_row(&format!("{},buy,8.5,1.000", house.time_of(4)), true);

    // Stopped in order it says so, and settings are there again after a restart.
    house.stop();
    watch.wait_for(&availability, "offline");
    house.start(&head, "");
    watch.wait_for(&availability, "online");
    house.wait_for_row(&format!("{},buy,8.5,1.000", house.time_of(4)), true);
    house.wait_for_row(&format!("{},buy,28.755,0.500", house.time_of(6)), true);
    house.stop();
}
