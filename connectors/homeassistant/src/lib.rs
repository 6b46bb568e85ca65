//! An account as a device of Home Assistant over MQTT.
//!
//! | module | what |
//! |---|---|
//! | [`device`] | its topics, and the retained configuration by which Home Assistant finds it |
//! | [`sensors`] | prices, fill, energy and cost as text with all decimals; what is not known is `None` |
//! | [`settings`] | limits, battery and departure: text from a command topic, checked, and the wishes that follow |
//!
//! Names of topics and entities are made of the account key, 64 hex digits: what people call an account is shown and never
//! part of a name, so that two accounts whose names differ by an umlaut do not meet.
#![forbid(unsafe_code)]

pub mod device;
pub mod sensors;
pub mod settings;

pub use device::{Device, Topics};
pub use settings::{Setting, SettingFault, Settings};

/// What Home Assistant's MQTT platforms read as "not known".
pub const UNKNOWN: &str = "None";
