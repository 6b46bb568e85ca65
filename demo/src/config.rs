//! What a day needs to know.

use crate::money::DayMoney;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use thiserror::Error;
use veilgrid_ledger::params::MarketParams;
use veilgrid_roles::committee::one_process_timing;
use veilgrid_scenario::behaviour::{Day, MarketTerms, Tariffs, TermsError};
use veilgrid_scenario::community::{CommunityDay, Participant, Selection};

/// Fewest validators: with less than 3f + 1 = 4 not even one may be faulty.
pub const MIN_VALIDATORS: u16 = 4;

/// A slot with a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketSlot {
    /// Index into the participants' series.
    pub index: usize,
    /// Start of the slot, seconds since 1970 UTC.
    pub start_unix_s: i64,
}

/// A day.
#[derive(Debug, Clone)]
pub struct DayConfig {
    /// The members with their series.
    pub participants: Vec<Participant>,
    /// The slots that are traded, rising.
    pub slots: Vec<MarketSlot>,
    /// The market's rules except the times of rounds: whatever is given here, they follow from the slots
    /// ([`DayConfig::market`]). `threshold` has
    /// to fit `validators` ([`veilgrid_roles::committee::threshold_for`]).
    pub params: MarketParams,
    /// Whether there is money, and how much.
    pub money: Option<DayMoney>,
    /// What everybody pays and gets without the market.
    pub tariffs: Tariffs,
    /// Number of validators, at least [`MIN_VALIDATORS`].
    pub validators: u16,
    /// Epoch of the account keys.
    pub key_epoch: u64,
    /// Decides what members want; keys never come from it.
    pub seed: u64,
    /// The validators' stores are made below this directory, which is made if it is missing.
    pub dir: PathBuf,
    /// Threads that make proofs, and as many that verify them, by default one a core.
    pub proof_threads: Option<NonZeroUsize>,
    /// Members that are offline in a slot (by its index) and send no bid.
    pub absent: BTreeMap<usize, BTreeSet<String>>,
}

/// A day that can't begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Too few validators.
    #[error("{validators} validators: at least {MIN_VALIDATORS} are needed, so that one may be faulty")]
    Validators {
        /// What was asked for.
        validators: u16,
    },
    /// No slots.
    #[error("no market slots: choose at least one")]
    NoSlots,
    /// Slots out of order or overlapping.
    #[error(
        "slot {index} starts before the slot in front of it has ended: list the slots in rising order, once each"
    )]
    SlotOrder {
        /// The slot.
        index: usize,
    },
    /// A slot between two slots of the day.
    #[error(
        "slot {index} does not start a whole number of slots after the first one: the day's slots are of one length"
    )]
    SlotGrid {
        /// The slot.
        index: usize,
    },
    /// A slot so early that its bidding would begin before 1970.
    #[error("slot {index} starts at {start_unix_s} s: bidding would begin before 1970")]
    SlotStart {
        /// The slot.
        index: usize,
        /// Its start.
        start_unix_s: i64,
    },
    /// Two members of one name.
    #[error("two participants are called `{id}`: names are unique")]
    Duplicate {
        /// The name.
        id: String,
    },
    /// A member without data for a slot.
    #[error("participant `{id}` has data for {slots} slots, slot {index} is traded: complete its series")]
    ShortSeries {
        /// The member.
        id: String,
        /// What it has.
        slots: usize,
        /// What is needed.
        index: usize,
    },
    /// Tariffs and grid do not fit.
    #[error("tariffs: {0}")]
    Terms(#[from] TermsError),
}

impl DayConfig {
    /// A day of a selection from a community's data.
    pub fn from_selection(
        community: &CommunityDay,
        selection: &Selection,
        params: MarketParams,
        tariffs: Tariffs,
        validators: u16,
        seed: u64,
        dir: PathBuf,
    ) -> Self {
        let start = |index: &usize| community.slot_starts_unix_s.get(*index).copied();
        let slots = selection
            .slots
            .iter()
            .filter_map(|index| start(index).map(|start_unix_s| MarketSlot { index: *index, start_unix_s }));
        Self {
            money: Some(DayMoney::for_members(selection.members(community).count())),
            participants: selection.members(community).cloned().collect(),
            slots: slots.collect(),
            params,
            tariffs,
            validators,
            key_epoch: 1,
            seed,
            dir,
            proof_threads: None,
            absent: BTreeMap::new(),
        }
    }

    /// Checks what the genesis does not check.
    ///
    /// # Errors
    /// [`ConfigError`], one variant per rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.validators < MIN_VALIDATORS {
            return Err(ConfigError::Validators { validators: self.validators });
        }
        let last = self.slots.last().ok_or(ConfigError::NoSlots)?;
        let slot_seconds = i64::from(self.params.slot_seconds);
        for pair in self.slots.windows(2) {
            let ended = pair[0].start_unix_s.saturating_add(slot_seconds) <= pair[1].start_unix_s;
            if !ended || pair[0].index >= pair[1].index {
                return Err(ConfigError::SlotOrder { index: pair[1].index });
            }
        }
        for MarketSlot { index, start_unix_s } in self.slots.iter().copied() {
            if start_unix_s < slot_seconds || start_unix_s > i64::MAX / 1000 {
                return Err(ConfigError::SlotStart { index, start_unix_s });
            }
            if self.round_of(MarketSlot { index, start_unix_s }).is_none() {
                return Err(ConfigError::SlotGrid { index });
            }
        }
        let mut names = BTreeSet::new();
        for participant in &self.participants {
            let id = participant.id.clone();
            if !names.insert(&participant.id) {
                return Err(ConfigError::Duplicate { id });
            }
            let slots = participant.energy.len();
            if slots <= last.index {
                return Err(ConfigError::ShortSeries { id, slots, index: last.index });
            }
        }
        self.terms()?;
        Ok(())
    }

    pub(crate) fn terms(&self) -> Result<MarketTerms, TermsError> {
        MarketTerms::new(&self.params.grid, u32::from(self.params.bits), self.tariffs)
    }

    pub(crate) fn day(&self) -> Day {
        let market_slots = self.slots.iter().map(|slot| slot.index).collect();
        Day { slot_seconds: self.params.slot_seconds, market_slots }
    }

    /// The market's rules with the times of its rounds: the first slot's bidding opens one slot length before that slot.
    pub fn market(&self) -> MarketParams {
        let first_slot_start_unix_s = self.slots.first().map_or(0, |slot| slot.start_unix_s);
        let slot_seconds = self.params.slot_seconds;
        let opens_s = first_slot_start_unix_s.saturating_sub(i64::from(slot_seconds));
        let opens_ms = u64::try_from(opens_s).unwrap_or(0).saturating_mul(1000);
        let timing = one_process_timing(opens_ms, first_slot_start_unix_s, slot_seconds);
        MarketParams { timing, ..self.params.clone() }
    }

    /// The round that trades a slot; none for a slot between those of the calendar.
    pub(crate) fn round_of(&self, slot: MarketSlot) -> Option<u64> {
        let since = slot.start_unix_s.checked_sub(self.slots.first()?.start_unix_s)?;
        let seconds = i64::from(self.params.slot_seconds);
        let slots = since.checked_div(seconds).filter(|_| since.checked_rem(seconds) == Some(0))?;
        u64::try_from(slots).ok()?.checked_add(1)
    }

    pub(crate) fn is_absent(&self, slot: MarketSlot, id: &str) -> bool {
        self.absent.get(&slot.index).is_some_and(|members| members.contains(id))
    }
}
