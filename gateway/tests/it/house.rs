//! A house: four validators that are played, the files of a participant, and a gateway that runs.

use crate::played::{Answers, serve, wait_for};
use std::path::PathBuf;
use std::thread::JoinHandle;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_gateway::{GatewayConfig, run};
use veilgrid_household::format_utc;

/// The account's key.
pub const KEY: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
pub const OWN: &str = "slot,side,price_ct_per_kwh,quantity_kwh\n*,buy,20,0.5\n";
const SLOT_S: i64 = 900;

pub struct House {
    pub folder: tempfile::TempDir,
    pub validators: Vec<Answers>,
    /// Start of the slot that this moment lies in: that of round 1.
    pub now_start: i64,
    running: Option<(Shutdown, JoinHandle<()>)>,
}

impl House {
    pub fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let now = i64::try_from(since.as_secs()).expect("not that late");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("own.csv"), OWN).expect("written");
        let validators: Vec<Answers> = (0..4).map(|_| Answers::default()).collect();
        Self { folder, validators, now_start: now - now % SLOT_S, running: None }
    }

    /// The slot of a round.
    pub fn start_of(&self, round_id: i64) -> i64 {
        self.now_start + (round_id - 1) * SLOT_S
    }

    /// `HH:MM` of the slot of a round.
    pub fn time_of(&self, round_id: i64) -> String {
        format_utc(self.start_of(round_id))[11..16].to_owned()
    }

    /// All validators but those left out say that this is the last round.
    pub fn last_round(&self, round_id: i64) {
        for validator in &self.validators {
            let zeros = "0".repeat(64);
            validator.set(
                "/v1/status",
                format!(
                    r#"{{"version":"1","role":"validator","ledger_id":"{zeros}","height":9,"block_hash":"{zeros}","state_root":"{zeros}",
                    "time_unix_ms":1,"last_round_id":{round_id},"validators":4,"threshold":3,"keys_ready":true}}"#
                ),
            );
            let start = self.start_of(round_id);
            validator.set(
                &format!("/v1/rounds/{round_id}"),
                format!(
                    r#"{{"round_id":{round_id},"stage":"bidding","slot":{{"start_unix_s":{start},"seconds":{SLOT_S}}}}}"#
                ),
            );
        }
    }

    /// One validator says that a round was cleared at this price, or without a trade.
    pub fn cleared(&self, validator: usize, round_id: i64, price_mct_per_kwh: Option<i64>) {
        let trade = price_mct_per_kwh.map_or("null".to_owned(), |price| {
            format!(
                r#"{{"buy_price_mct_per_kwh":{price},"sell_price_mct_per_kwh":{price},"price_low_mct_per_kwh":{price},
                "price_high_mct_per_kwh":{price},"lowest_buy_tick":1,"highest_sell_tick":1,"rationed":"none","fraction_q16":65536,
                "rest_q16":0}}"#
            )
        });
        let start = self.start_of(round_id);
        self.validators[validator].set(
            &format!("/v1/rounds/{round_id}"),
            format!(
                r#"{{"round_id":{round_id},"stage":"settled","slot":{{"start_unix_s":{start},"seconds":{SLOT_S}}},
                "outcome":{{"rule":"uniform","trade":{trade},"volume_wh":1}}}}"#
            ),
        );
    }

    /// What the participant writes of a round.
    pub fn results(&self, lines: &str) {
        let head = "round,slot_start,slot_seconds,status,bought_kwh,sold_kwh,buy_price_ct_per_kwh,sell_price_ct_per_kwh,cost_ct";
        std::fs::write(self.folder.path().join("results.csv"), format!("{head}\n{lines}")).expect("written");
    }

    pub fn orders(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("orders.csv")).unwrap_or_default()
    }

    /// Waits until the orders have this row, or have it no more.
    pub fn wait_for_row(&self, row: &str, there: bool) {
        wait_for(&format!("{row:?} there: {there}; {}", self.orders()), || {
            let orders = self.orders();
            (!orders.is_empty() && orders.contains(&format!("\n{row}\n")) == there).then_some(())
        });
    }

    /// Starts a gateway.
    pub fn start(&mut self, head: &str, account: &str) {
        let urls: Vec<String> =
            self.validators.iter().map(|one| format!("\"http://{}\"", serve(one))).collect();
        let text = format!(
            "validator_urls = [{}]\npoll_s = 1\n{head}\n[[accounts]]\nname = \"Höme\"\naccount_key = \"{KEY}\"\n\
             results = \"results.csv\"\nown_orders = \"own.csv\"\norders = \"orders.csv\"\n{account}\n",
            urls.join(", ")
        );
        let path: PathBuf = self.folder.path().join("gateway.toml");
        std::fs::write(&path, text).expect("written");
        let config = GatewayConfig::load(&path).expect("a configuration");
        let shutdown = Shutdown::new();
        let asked = shutdown.clone();
        let thread = std::thread::spawn(move || run(config, &asked).expect("it runs"));
        self.running = Some((shutdown, thread));
    }

    /// Stops it in order: the owner's own rows alone are left.
    pub fn stop(&mut self) {
        let (shutdown, thread) = self.running.take().expect("it runs");
        shutdown.trigger();
        thread.join().expect("no panic");
        assert_eq!(self.orders(), OWN);
    }
}
