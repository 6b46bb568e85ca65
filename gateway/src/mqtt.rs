//! MQTT with Home Assistant discovery: one connection, one device an account.
//!
//! The broker keeps configuration, availability and values (retained); the connection's last will says `offline`. After each
//! connection all of it is sent and subscribed anew: a broker that was restarted may have forgotten everything. Nothing here waits
//! for the broker, so that one that hangs delays neither prices nor orders.

use crate::accounts::Wishes;
use crate::config::MqttConfig;
use crate::run::{View, now_unix_s};
use rumqttc::{AsyncClient, ClientError, Event, EventLoop, LastWill, MqttOptions, Packet, Publish, QoS};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use veilgrid_homeassistant::sensors::{self, REFUSAL};
use veilgrid_homeassistant::{Device, Setting, Settings, Topics, UNKNOWN};
use veilgrid_readings::Zone;
use veilgrid_store::files;

/// Most bytes of a message either way. The library's own bound is 10 KiB, above which it drops messages without a word.
const MAX_PACKET_BYTES: usize = 256 << 10;
/// Messages that wait for the broker; more are dropped and sent again with the next look.
const MAX_WAITING: usize = 4096;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(2);
/// Where Home Assistant says that it has started.
const BIRTH: &str = "status";

/// One account as the broker's clients see it.
pub struct MqttAccount {
    pub name: String,
    pub account_key: String,
    pub has_settings: bool,
    pub wishes: Wishes,
}

struct Shown {
    account: MqttAccount,
    topics: Topics,
    settings: Settings,
}

/// The connection and what was sent over it.
pub struct Mqtt {
    config: MqttConfig,
    zone: Zone,
    client: AsyncClient,
    events: EventLoop,
    availability: String,
    shown: Vec<Shown>,
    /// The last text of each topic; what is the same is not sent again.
    sent: BTreeMap<String, String>,
    connected: bool,
    silent: bool,
    kept: Option<Vec<u8>>,
}

impl Mqtt {
    /// A connection that is not made yet.
    ///
    /// # Errors
    /// A password file or settings that can't be read.
    pub fn new(config: MqttConfig, accounts: Vec<MqttAccount>) -> Result<Self, String> {
        let zone = Zone::named(&config.zone).map_err(|error| format!("mqtt.zone: {error}"))?;
        let first = accounts.first().map(|account| account.account_key.as_str()).unwrap_or_default();
        let id = format!("veilgrid-{}", first.get(..16).unwrap_or(first));
        let availability = format!("veilgrid/gateway/{id}");
        let mut options = MqttOptions::new(&id, &config.host, config.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true);
        options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
        options.set_last_will(LastWill::new(&availability, "offline", QoS::AtLeastOnce, true));
        if let Some(user) = &config.username {
            options.set_credentials(user, config.password()?);
        }
        let (client, events) = AsyncClient::new(options, MAX_WAITING);
        let kept = Kept::read(&config.settings)?;
        let shown = accounts.into_iter().map(|account| kept.shown(account)).collect();
        let kept = None;
        let sent = BTreeMap::new();
        Ok(Self {
            config,
            zone,
            client,
            events,
            availability,
            shown,
            sent,
            connected: false,
            silent: false,
            kept,
        })
    }

    /// Works for ever.
    pub async fn run(mut self, mut views: watch::Receiver<Arc<View>>) {
        self.wish();
        loop {
            tokio::select! {
                event = self.events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => self.connect(&views.borrow().clone()),
                    Ok(Event::Incoming(Packet::Publish(message))) => self.take(&message, &views.borrow().clone()),
                    Ok(_) => {}
                    Err(error) => {
                        self.connected = false;
                        if !std::mem::replace(&mut self.silent, true) {
                            tracing::warn!(host = self.config.host, "no MQTT broker: {error}");
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                changed = views.changed() => {
                    if changed.is_err() {
                        return self.leave().await;
                    }
                    let view = Arc::clone(&views.borrow_and_update());
                    self.show(&view);
                    self.keep();
                }
            }
        }
    }

    fn connect(&mut self, view: &View) {
        self.connected = true;
        if std::mem::take(&mut self.silent) {
            tracing::info!(host = self.config.host, "the MQTT broker is there again");
        }
        let commands =
            self.shown.iter().filter(|shown| shown.account.has_settings).map(|shown| shown.topics.commands());
        let birth = format!("{}/{BIRTH}", self.config.discovery_prefix);
        for topic in commands.chain([birth]) {
            if let Err(error) = self.client.try_subscribe(&topic, QoS::AtLeastOnce) {
                tracing::error!(topic, "not subscribed: {error}");
            }
        }
        self.announce();
        self.show(view);
    }

    /// Sends configuration and values anew.
    fn announce(&mut self) {
        self.sent.clear();
        for index in 0..self.shown.len() {
            let Some(Shown { account, topics, .. }) = self.shown.get(index) else { continue };
            let device = Device {
                name: &account.name,
                account_key: &account.account_key,
                availability: &self.availability,
                has_settings: account.has_settings,
                version: env!("CARGO_PKG_VERSION"),
            };
            let (topic, text) =
                (topics.discovery(&self.config.discovery_prefix), device.discovery().to_string());
            self.send(topic, text);
            self.send_value(index, REFUSAL, UNKNOWN.to_owned());
        }
        self.send(self.availability.clone(), "online".to_owned());
    }

    fn show(&mut self, view: &View) {
        if !self.connected {
            return;
        }
        let (outlook, now) = (view.outlook.as_ref(), now_unix_s());
        let ahead = sensors::ahead(outlook, now).to_string();
        for index in 0..self.shown.len() {
            let fills = view.fills.get(index).and_then(Option::as_deref);
            for (name, text) in sensors::values(outlook, fills, now) {
                self.send_value(index, name, text);
            }
            self.send_value(index, "buy_price_attributes", ahead.clone());
            self.show_settings(index);
        }
    }

    fn show_settings(&mut self, index: usize) {
        for setting in Setting::ALL {
            let Some(shown) = self.shown.get(index).filter(|shown| shown.account.has_settings) else {
                return;
            };
            let text = shown.settings.get(setting).unwrap_or(UNKNOWN).to_owned();
            self.send_value(index, setting.name(), text);
        }
    }

    fn send_value(&mut self, index: usize, name: &str, text: String) {
        if let Some(shown) = self.shown.get(index) {
            self.send(shown.topics.value(name), text);
        }
    }

    fn send(&mut self, topic: String, text: String) {
        if self.sent.get(&topic) == Some(&text) {
            return;
        }
        match self.client.try_publish(&topic, QoS::AtLeastOnce, true, text.clone()) {
            Ok(()) => drop(self.sent.insert(topic, text)),
            // Sent with the next look.
            Err(ClientError::TryRequest(_) | ClientError::Request(_)) => drop(self.sent.remove(&topic)),
        }
    }

    fn take(&mut self, message: &Publish, view: &View) {
        if message.topic == format!("{}/{BIRTH}", self.config.discovery_prefix) {
            if message.payload.as_ref() == b"online" && !message.retain {
                self.announce();
                self.show(view);
            }
            return;
        }
        // One that the broker keeps would be taken again after every connection, long after it was meant.
        if message.retain {
            return;
        }
        let found = self.shown.iter_mut().enumerate().find_map(|(index, shown)| {
            shown
                .account
                .has_settings
                .then(|| shown.topics.setting_of(&message.topic))?
                .map(|setting| (index, shown, setting))
        });
        let Some((index, shown, setting)) = found else { return };
        let now = now_unix_s();
        let refusal = match shown.settings.set(setting, &message.payload, now, &self.zone) {
            Ok(()) => {
                if setting == Setting::ChargeKwh {
                    // What it lacks now is besides what was delivered before.
                    shown.account.wishes.forget(CAR, now);
                }
                UNKNOWN.to_owned()
            }
            Err(fault) => {
                tracing::warn!(account = shown.account.name, setting = setting.name(), "refused: {fault}");
                format!("{}: {fault}", setting.name())
            }
        };
        self.wish();
        // Whoever shows a value optimistically is told what holds.
        let topic = self.shown.get(index).map(|shown| shown.topics.value(setting.name())).unwrap_or_default();
        self.sent.remove(&topic);
        self.show_settings(index);
        self.send_value(index, REFUSAL, refusal.chars().take(250).collect());
    }

    fn wish(&self) {
        for Shown { account, settings, .. } in &self.shown {
            account.wishes.set(CAR, settings.car());
            let [buys, sells] = settings.battery();
            account.wishes.set("battery buys", buys);
            account.wishes.set("battery sells", sells);
        }
    }

    /// Keeps settings and what was asked for on disk, once a look at most.
    fn keep(&mut self) {
        let kept = Kept {
            accounts: self
                .shown
                .iter()
                .map(|Shown { account, settings, .. }| {
                    let of = KeptAccount { settings: settings.named(), asked_wh: account.wishes.asked(CAR) };
                    (account.account_key.clone(), of)
                })
                .collect(),
        };
        let Ok(text) = toml::to_string(&kept).map(String::into_bytes) else { return };
        if self.kept.as_ref() == Some(&text) {
            return;
        }
        match files::write_durably(&self.config.settings, &text) {
            Ok(()) => self.kept = Some(text),
            Err(error) => {
                tracing::error!(file = %self.config.settings.display(), "settings are not kept over a restart: {error}");
            }
        }
    }

    /// Says that it goes, and waits for the broker for a moment.
    async fn leave(mut self) {
        self.keep();
        if self.connected {
            self.send(self.availability.clone(), "offline".to_owned());
            let _ = self.client.try_disconnect();
            let end = async { while self.events.poll().await.is_ok() {} };
            let _ = tokio::time::timeout(PAUSE, end).await;
        }
    }
}

/// Under which name the car's wish stands.
const CAR: &str = "car";

/// What is kept over a restart.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Kept {
    accounts: BTreeMap<String, KeptAccount>,
}

#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
struct KeptAccount {
    settings: BTreeMap<String, String>,
    /// What was asked for the car, Wh by start of the slot (Unix seconds, as text: a TOML key).
    asked_wh: BTreeMap<String, u64>,
}

impl Kept {
    fn read(path: &std::path::Path) -> Result<Self, String> {
        let fault = |why: String| {
            format!("mqtt.settings {}: {why}; mend it, or move it away and set all anew", path.display())
        };
        if !path.exists() {
            return Ok(Self::default());
        }
        let file = files::open(path).map_err(|error| fault(error.to_string()))?;
        let bytes = files::read_at_most(path, file, 1 << 20).map_err(|error| fault(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
        toml::from_str(&text).map_err(|error| fault(error.to_string()))
    }

    fn shown(&self, account: MqttAccount) -> Shown {
        let topics = Topics::new(&account.account_key);
        let kept = self.accounts.get(&account.account_key).cloned().unwrap_or_default();
        let (settings, refused) = Settings::from_named(&kept.settings);
        if !refused.is_empty() {
            tracing::error!(
                account = account.name,
                "kept settings that can't be used are left out: {}",
                refused.join(", ")
            );
        }
        account.wishes.remember(CAR, &kept.asked_wh);
        Shown { account, topics, settings }
    }
}
