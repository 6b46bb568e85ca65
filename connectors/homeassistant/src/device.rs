//! Topics and the retained configuration.

use crate::sensors::SENSORS;
use crate::settings::Setting;
use serde_json::{Map, Value, json};

/// The topics of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    account_key: String,
}

impl Topics {
    /// Those of this account key, 64 hex digits.
    pub fn new(account_key: &str) -> Self {
        Self { account_key: account_key.to_owned() }
    }

    /// Where a sensor's or a setting's value is.
    pub fn value(&self, name: &str) -> String {
        format!("veilgrid/{}/{name}", self.account_key)
    }

    /// Where a setting is changed.
    pub fn command(&self, setting: Setting) -> String {
        format!("veilgrid/{}/set/{}", self.account_key, setting.name())
    }

    /// All settings of the account, for a subscription.
    pub fn commands(&self) -> String {
        format!("veilgrid/{}/set/+", self.account_key)
    }

    /// The setting that a topic changes; none for other topics.
    pub fn setting_of(&self, topic: &str) -> Option<Setting> {
        let name = topic.strip_prefix(&format!("veilgrid/{}/set/", self.account_key))?;
        Setting::ALL.into_iter().find(|setting| setting.name() == name)
    }

    /// Where Home Assistant looks for the configuration.
    pub fn discovery(&self, prefix: &str) -> String {
        format!("{prefix}/device/veilgrid_{}/config", self.account_key)
    }
}

/// What Home Assistant is told of an account.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its key.
    pub account_key: &'a str,
    /// The topic that says whether the gateway is there.
    pub availability: &'a str,
    /// Whether settings change anything: the account has orders to write.
    pub has_settings: bool,
    /// Version of the program.
    pub version: &'a str,
}

impl Device<'_> {
    /// The retained configuration: one device with all its entities.
    pub fn discovery(&self) -> Value {
        let id = format!("veilgrid_{}", self.account_key);
        let topics = Topics::new(self.account_key);
        let mut components = Map::new();
        for sensor in SENSORS {
            let mut entity = json!({
                "platform": "sensor",
                "name": sensor.title,
                "unique_id": format!("{id}_{}", sensor.name),
                "state_topic": topics.value(sensor.name),
            });
            let optional = [
                ("unit_of_measurement", sensor.unit),
                ("device_class", sensor.device_class),
                ("state_class", sensor.state_class),
                ("icon", sensor.icon),
                ("entity_category", sensor.category),
            ];
            for (key, value) in optional {
                if let Some(value) = value {
                    put(&mut entity, key, value.into());
                }
            }
            if let Some(decimals) = sensor.decimals {
                put(&mut entity, "suggested_display_precision", decimals.into());
            }
            if sensor.has_attributes {
                put(
                    &mut entity,
                    "json_attributes_topic",
                    topics.value(&format!("{}_attributes", sensor.name)).into(),
                );
            }
            components.insert(sensor.name.to_owned(), entity);
        }
        for setting in Setting::ALL.into_iter().filter(|_| self.has_settings) {
            components.insert(setting.name().to_owned(), setting.entity(&id, &topics));
        }
        json!({
            "device": { "identifiers": [id], "name": self.name, "manufacturer": "veilgrid", "model": "Account",
                        "sw_version": self.version },
            "origin": { "name": "veilgrid gateway", "sw_version": self.version },
            "availability": [{ "topic": self.availability }],
            "qos": 1,
            "components": components,
        })
    }
}

pub(crate) fn put(entity: &mut Value, key: &str, value: Value) {
    if let Some(entity) = entity.as_object_mut() {
        entity.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn device(key: &str, name: &str) -> Value {
        let device = Device {
            name,
            account_key: key,
            availability: "veilgrid/g/status",
            has_settings: true,
            version: "1",
        };
        device.discovery()
    }

    #[test]
    fn names_of_two_accounts_do_not_meet_whatever_people_call_them() {
        let ids = |key: &str, name: &str| -> BTreeSet<String> {
            let device = device(key, name);
            let components = device["components"].as_object().expect("components").values();
            components.flat_map(|c| [&c["unique_id"], &c["state_topic"]]).map(|v| v.to_string()).collect()
        };
        let (a, b) = (ids(&"a".repeat(64), "Müller"), ids(&"b".repeat(64), "Muller"));
        assert_eq!(a.len(), 2 * (SENSORS.len() + Setting::ALL.len()));
        assert!(a.is_disjoint(&b));
    }

    #[test]
    fn classes_and_units_are_those_that_home_assistant_takes_together() {
        for (name, component) in
            device(&"a".repeat(64), "Home")["components"].as_object().expect("components")
        {
            let of = |key: &str| component.get(key).and_then(Value::as_str);
            // From sensor/const.py: what a device class allows.
            match (of("platform"), of("device_class")) {
                (Some("sensor"), Some("energy")) => {
                    assert_eq!(
                        (of("unit_of_measurement"), of("state_class")),
                        (Some("kWh"), Some("total_increasing"))
                    );
                }
                (Some("sensor"), Some("monetary")) => {
                    assert_eq!((of("unit_of_measurement"), of("state_class")), (Some("EUR"), Some("total")));
                }
                (Some("sensor"), Some("power")) => {
                    assert_eq!(
                        (of("unit_of_measurement"), of("state_class")),
                        (Some("W"), Some("measurement"))
                    );
                }
                (Some("sensor" | "number" | "text"), _) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_command_is_known_by_its_whole_topic() {
        let topics = Topics::new(&"a".repeat(64));
        for setting in Setting::ALL {
            assert_eq!(topics.setting_of(&topics.command(setting)), Some(setting));
        }
        assert_eq!(topics.setting_of("veilgrid/b/set/charge_kwh"), None);
        assert_eq!(topics.setting_of(&topics.value("charge_kwh")), None);
    }
}
