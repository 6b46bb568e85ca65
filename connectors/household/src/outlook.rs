//! Cleared prices of slots.

use std::collections::BTreeMap;

/// Most slots that are kept: eight days of quarter-hours.
pub const MAX_SLOTS: usize = 768;

/// What a slot was cleared at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotPrice {
    /// Start of delivery, Unix seconds.
    pub start_unix_s: i64,
    /// Length of the slot, seconds.
    pub seconds: u32,
    /// What buys pay and sells get, mct/kWh; none when nothing was traded.
    pub prices: Option<(i64, i64)>,
}

impl SlotPrice {
    /// Where it ends.
    pub fn end_unix_s(&self) -> i64 {
        self.start_unix_s.saturating_add(i64::from(self.seconds))
    }

    /// What buys pay, mct/kWh.
    pub fn buy_mct_per_kwh(&self) -> Option<i64> {
        self.prices.map(|(buy, _)| buy)
    }

    /// What sells get, mct/kWh.
    pub fn sell_mct_per_kwh(&self) -> Option<i64> {
        self.prices.map(|(_, sell)| sell)
    }
}

/// All slots whose round is over, by start. A slot that is not in it has no result yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    slots: BTreeMap<i64, SlotPrice>,
}

impl Outlook {
    /// Takes a slot in; of too many the oldest goes.
    pub fn insert(&mut self, slot: SlotPrice) {
        self.slots.insert(slot.start_unix_s, slot);
        while self.slots.len() > MAX_SLOTS {
            self.slots.pop_first();
        }
    }

    /// The slot that this instant lies in.
    pub fn at(&self, unix_s: i64) -> Option<&SlotPrice> {
        let (_, slot) = self.slots.range(..=unix_s).next_back()?;
        (unix_s < slot.end_unix_s()).then_some(slot)
    }

    /// Slots that end after this instant, by start.
    pub fn from(&self, unix_s: i64) -> impl Iterator<Item = &SlotPrice> {
        self.slots.values().filter(move |slot| slot.end_unix_s() > unix_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_holds_its_start_and_not_its_end() {
        let mut outlook = Outlook::default();
        let slot = |start_unix_s, prices| SlotPrice { start_unix_s, seconds: 900, prices };
        outlook.insert(slot(900, Some((20_000, 19_000))));
        outlook.insert(slot(2700, None));
        assert_eq!(outlook.at(900).and_then(SlotPrice::buy_mct_per_kwh), Some(20_000));
        assert_eq!(outlook.at(1799).and_then(SlotPrice::sell_mct_per_kwh), Some(19_000));
        assert_eq!((outlook.at(899), outlook.at(1800)), (None, None));
        assert_eq!(outlook.at(2700).map(|slot| slot.prices), Some(None), "over, and nothing was traded");
        assert_eq!(outlook.from(1800).count(), 1);
        (0..2000).for_each(|n| outlook.insert(slot(n * 900, None)));
        assert_eq!(outlook.from(i64::MIN).count(), MAX_SLOTS);
    }
}
