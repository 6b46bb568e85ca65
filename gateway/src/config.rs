//! What a gateway is told: one TOML file. It holds no secret, only paths to files that hold one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_household::decimal::parse_ct_per_kwh;

/// Most bytes of a configuration.
const MAX_BYTES: u64 = 1 << 20;
/// Most accounts of a gateway.
const MAX_ACCOUNTS: usize = 64;

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum GatewayConfigError {
    /// "The file can be read."
    #[error("configuration {}: {reason}; give the path of a TOML file that this user may read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// "The file is TOML, and every key of it is known and has its type."
    #[error("configuration {}: {reason}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Place and reason.
        reason: String,
    },
    /// "The values fit together."
    #[error("configuration {}: {key}: {reason}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// HTTP addresses of validators; of a price f + 1 of them have to say the same.
    pub validator_urls: Vec<String>,
    /// Authorities that are trusted beside the public ones, PEM.
    pub ca_file: Option<PathBuf>,
    /// Seconds between two looks at prices, fills and plans.
    #[serde(default = "default_poll_s")]
    pub poll_s: u64,
    /// What is logged.
    #[serde(default = "default_log")]
    pub log: String,
    /// Where evcc reads prices.
    pub evcc: Option<EvccConfig>,
    /// The broker of the household.
    pub mqtt: Option<MqttConfig>,
    /// The accounts of this household.
    pub accounts: Vec<AccountConfig>,
}

/// The listener for evcc.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvccConfig {
    /// Its address. Prices are public; still, an address of the own network is enough.
    pub listen: SocketAddr,
}

/// The broker of the household's own network: without TLS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "default_mqtt_port")]
    pub port: u16,
    /// As whom the gateway comes; nobody without it.
    pub username: Option<String>,
    /// File with the password (mode 600), its first line.
    pub password_file: Option<PathBuf>,
    /// Where Home Assistant looks for devices.
    #[serde(default = "default_discovery_prefix")]
    pub discovery_prefix: String,
    /// Where people live who write 07:00 for a departure.
    pub zone: String,
    /// File in which settings are kept over a restart; the gateway writes it.
    pub settings: PathBuf,
}

impl MqttConfig {
    /// The password; empty without a file.
    ///
    /// # Errors
    /// Why the file can't be read.
    pub fn password(&self) -> Result<String, String> {
        let Some(path) = &self.password_file else { return Ok(String::new()) };
        let fault = |why: String| format!("mqtt.password_file {}: {why}", path.display());
        let file = veilgrid_store::files::open(path).map_err(|error| fault(error.to_string()))?;
        let bytes = veilgrid_store::files::read_at_most(path, file, 4096)
            .map_err(|error| fault(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| fault("not UTF-8 text".to_owned()))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn check(&self) -> Result<(), (String, String)> {
        if self.discovery_prefix.is_empty() || self.discovery_prefix.contains(['+', '#', '\0']) {
            return Err((
                "mqtt.discovery_prefix".to_owned(),
                "is no topic; homeassistant is usual".to_owned(),
            ));
        }
        if self.password_file.is_some() && self.username.is_none() {
            return Err((
                "mqtt.username".to_owned(),
                "a password without a user; set both or neither".to_owned(),
            ));
        }
        let zone = veilgrid_readings::Zone::named(&self.zone);
        zone.map(drop).map_err(|error| ("mqtt.zone".to_owned(), error.to_string()))
    }
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// What people call it.
    pub name: String,
    /// Its account key, 64 hex digits, as `veilgrid keys show` prints it.
    pub account_key: String,
    /// `results.csv` of its participant's `data_dir`.
    pub results: PathBuf,
    /// The owner's own rows, which stay; without it there are none.
    pub own_orders: Option<PathBuf>,
    /// The participant's file of orders, which the gateway writes. Without it nothing is ordered.
    pub orders: Option<PathBuf>,
    /// Loadpoints of evcc whose plans become orders.
    #[serde(default)]
    pub evcc_loadpoints: Vec<LoadpointConfig>,
}

/// A loadpoint of evcc.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadpointConfig {
    /// `http://HOST:7070/api/loadpoints/1/plan`.
    pub plan_url: String,
    /// The most that its energy may cost, ct/kWh, as text.
    pub limit_ct_per_kwh: String,
}

fn default_poll_s() -> u64 {
    10
}

fn default_mqtt_port() -> u16 {
    1883
}

fn default_discovery_prefix() -> String {
    "homeassistant".to_owned()
}

fn default_log() -> String {
    "info".to_owned()
}

impl GatewayConfig {
    /// Reads and checks a file; its relative paths start at its folder.
    ///
    /// # Errors
    /// [`GatewayConfigError`].
    pub fn load(path: &Path) -> Result<Self, GatewayConfigError> {
        let unreadable = |reason: String| GatewayConfigError::Unreadable { path: path.to_owned(), reason };
        let file = veilgrid_store::files::open(path).map_err(|error| unreadable(error.to_string()))?;
        let bytes = veilgrid_store::files::read_at_most(path, file, MAX_BYTES)
            .map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("not UTF-8 text".to_owned()))?;
        Self::parse(path, &text)
    }

    /// The effective values as TOML.
    ///
    /// # Errors
    /// A value that TOML has no form for, which no loaded configuration has.
    pub fn print(&self) -> Result<String, GatewayConfigError> {
        let form = |error: toml::ser::Error| GatewayConfigError::Form {
            path: PathBuf::new(),
            reason: error.to_string(),
        };
        toml::to_string_pretty(self).map_err(form)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, GatewayConfigError> {
        let form = |reason: String| GatewayConfigError::Form { path: path.to_owned(), reason };
        let mut config: Self = toml::from_str(text).map_err(|error| form(error.to_string()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        config.paths().into_iter().for_each(|path| *path = folder.join(&*path));
        let fault = |(key, reason)| GatewayConfigError::Fault { path: path.to_owned(), key, reason };
        config.check().map_err(fault)?;
        Ok(config)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths: Vec<&mut PathBuf> = self.ca_file.iter_mut().collect();
        if let Some(mqtt) = &mut self.mqtt {
            paths.push(&mut mqtt.settings);
            paths.extend(mqtt.password_file.as_mut());
        }
        for account in &mut self.accounts {
            paths.push(&mut account.results);
            paths.extend(account.own_orders.as_mut());
            paths.extend(account.orders.as_mut());
        }
        paths
    }

    fn check(&self) -> Result<(), (String, String)> {
        let fault = |key: &str, reason: String| Err((key.to_owned(), reason));
        if self.validator_urls.is_empty() {
            return fault("validator_urls", "none; name those of several operators".to_owned());
        }
        for url in &self.validator_urls {
            veilgrid_client::check_address(url)
                .map_err(|error| ("validator_urls".to_owned(), error.to_string()))?;
        }
        if !(1..=3600).contains(&self.poll_s) {
            return fault("poll_s", format!("{} is not 1 to 3600", self.poll_s));
        }
        if self.accounts.is_empty() || self.accounts.len() > MAX_ACCOUNTS {
            return fault(
                "accounts",
                format!("{} accounts; 1 to {MAX_ACCOUNTS} are served", self.accounts.len()),
            );
        }
        if let Some(mqtt) = &self.mqtt {
            mqtt.check()?;
        }
        let (mut keys, mut files) = (BTreeSet::new(), BTreeSet::new());
        for account in &self.accounts {
            let key = &account.account_key;
            if key.len() != 64 || !key.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
                return fault("accounts.account_key", format!("{key:?} is not 64 small hex digits"));
            }
            if !keys.insert(key) {
                return fault(
                    "accounts.account_key",
                    format!("{key} is there twice; each account is one device"),
                );
            }
            if account.name.trim().is_empty() || account.name.chars().any(char::is_control) {
                return fault("accounts.name", format!("{:?} is no name", account.name));
            }
            if account.own_orders.is_some() && account.own_orders == account.orders {
                return fault(
                    "accounts.own_orders",
                    "is the file that is written; name another one".to_owned(),
                );
            }
            if account.orders.as_ref().is_some_and(|orders| !files.insert(orders)) {
                return fault("accounts.orders", "two accounts write the same file".to_owned());
            }
            for loadpoint in &account.evcc_loadpoints {
                loadpoint.check(account.orders.is_some())?;
            }
        }
        Ok(())
    }
}

impl LoadpointConfig {
    fn check(&self, orders: bool) -> Result<(), (String, String)> {
        let key = |key: &str| format!("accounts.evcc_loadpoints.{key}");
        if !self.plan_url.starts_with("http://") && !self.plan_url.starts_with("https://") {
            return Err((
                key("plan_url"),
                format!("{:?} does not begin with http:// or https://", self.plan_url),
            ));
        }
        let limit = parse_ct_per_kwh(&self.limit_ct_per_kwh);
        limit.map_err(|error| (key("limit_ct_per_kwh"), error.to_string()))?;
        match orders {
            true => Ok(()),
            false => Err((key("plan_url"), "its account has no `orders` to write plans to".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(extra: &str) -> String {
        let key = "0a".repeat(32);
        format!(
            "validator_urls = [\"http://127.0.0.1:1\"]\n[[accounts]]\nname = \"Home\"\naccount_key = \"{key}\"\n\
             results = \"r.csv\"\norders = \"o.csv\"\n{extra}"
        )
    }

    fn refused(text: &str) -> String {
        GatewayConfig::parse(Path::new("/etc/v/gateway.toml"), text).expect_err("refused").to_string()
    }

    #[test]
    fn paths_start_at_the_file_s_folder_and_the_rest_has_defaults() {
        let config = GatewayConfig::parse(Path::new("/etc/v/gateway.toml"), &text("")).expect("read");
        assert_eq!(config.accounts[0].results, Path::new("/etc/v/r.csv"));
        assert_eq!((config.poll_s, config.log.as_str()), (10, "info"));
    }

    #[test]
    fn faults_name_their_key() {
        for (extra, says) in [
            ("own_orders = \"o.csv\"\n", "accounts.own_orders"),
            ("pasword = \"x\"\n", "pasword"),
            ("[[accounts.evcc_loadpoints]]\nplan_url = \"ftp://x\"\nlimit_ct_per_kwh = \"1\"\n", "plan_url"),
            (
                "[[accounts.evcc_loadpoints]]\nplan_url = \"http://x\"\nlimit_ct_per_kwh = \"1.0001\"\n",
                "limit_ct_per_kwh",
            ),
        ] {
            let told = refused(&text(extra));
            assert!(told.contains(says) && told.contains("gateway.toml"), "{told}");
        }
        assert!(refused(&text("").replace("0a0a", "0A0a")).contains("account_key"));
        let account =
            text("").split_once("[[").map(|(_, account)| format!("\n[[{account}")).unwrap_or_default();
        let told = refused(&(text("") + &account));
        assert!(told.contains("gateway.toml") && told.contains("account_key"), "{told}");
    }
}
