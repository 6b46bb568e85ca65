//! A day of a community: who its members are and how much energy each of them loads, generates and charges.
//!
//! [`import_community`] reads measured (or published) quantities into whole Wh and reports what the rounding changed;
//! [`select_community`] picks the members and slots of a run; [`setm`] holds a published case study.

pub mod decimal;
pub mod import;
pub mod select;
pub mod setm;

use serde::Serialize;
use std::fmt;

pub use import::{ImportError, import_community};
pub use select::{SelectError, Selection, select_community};

/// What a member of the community is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Has load and generates.
    Prosumer,
    /// Has load only.
    Consumer,
    /// Charges vehicles.
    ChargingStation,
}

impl Role {
    /// Every role, in the order in which reports list them.
    pub const ALL: [Role; 3] = [Role::Prosumer, Role::Consumer, Role::ChargingStation];

    /// The name used in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Prosumer => "prosumer",
            Role::Consumer => "consumer",
            Role::ChargingStation => "charging_station",
        }
    }

    /// The role of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A member's energy in one slot, in whole Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotEnergy {
    /// Consumed, vehicles apart.
    pub load_wh: u64,
    /// Generated on the premises.
    pub generation_wh: u64,
    /// Charged into vehicles.
    pub ev_wh: u64,
}

/// One member with its whole series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Name in the data, unique in the community.
    pub id: String,
    /// What it is, the same in every slot.
    pub role: Role,
    /// Energy of every slot, as many as the community has slots.
    pub energy: Vec<SlotEnergy>,
}

/// What rounding to whole Wh changed, exactly, in thousandths of a Wh (10⁻⁶ kWh).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rounding {
    /// Values that were not whole Wh.
    pub changed_values: u64,
    /// Sum of (rounded - given): what the community gained or lost in total.
    pub signed_milliwatt_hours: i64,
    /// Sum of |rounded - given|.
    pub absolute_milliwatt_hours: u64,
}

/// The data of a community's day: its members and its slots. Built by [`import_community`], which checks that it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunityDay {
    /// Start of every slot, seconds since 1970-01-01T00:00:00Z, rising and equally spaced.
    pub slot_starts_unix_s: Vec<i64>,
    /// Members in the order of their ids.
    pub participants: Vec<Participant>,
    /// What the import rounded away.
    pub rounding: Rounding,
}

impl CommunityDay {
    /// Length of a slot in seconds; none if there is only one slot.
    pub fn slot_seconds(&self) -> Option<u32> {
        let (first, second) = (self.slot_starts_unix_s.first()?, self.slot_starts_unix_s.get(1)?);
        u32::try_from(second.checked_sub(*first)?).ok()
    }

    /// How many members have that role.
    pub fn count(&self, role: Role) -> usize {
        self.participants.iter().filter(|participant| participant.role == role).count()
    }
}
