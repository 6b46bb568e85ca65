//! Bills without a market of bids: what meters show, and four rules that divide the community's money by it.
//!
//! Per slot, B is what members draw in all and S what they feed in in all; members trade min(B, S) with each other, and
//! the community buys B − S from the utility at retail r, or sells it S − B at the feed-in tariff f. The rules differ in
//! who bears how much of it.
//!
//! | rule | a buyer pays per kWh | a seller gets per kWh |
//! |---|---|---|
//! | tariffs | r | f, and all of B and S is the utility's |
//! | mid-market rate | m = (r + f)/2, or (S·m + (B − S)·r)/B when demand is long | m, or (B·m + (S − B)·f)/S when supply is long |
//! | supply-demand ratio, x = S/B | x·p + (1 − x)·r up to x = 1, then f | p = r·f/((r − f)·x + f) up to x = 1, then f |
//! | bill sharing | the day's cost of imports by what each drew in the day | the day's income of exports by what each fed in |
//!
//! Definitions as compared by Zhou, Wu and Long, "Evaluation of peer-to-peer energy sharing mechanisms based on a
//! multiagent simulation framework", Applied Energy 222 (2018); mid-market rate and bill sharing come from Long et al.,
//! "Peer-to-peer energy trading in a community microgrid" (IEEE PES General Meeting 2017), the ratio from Liu et al.,
//! "Energy-sharing model with price-based demand response for microgrids of peer-to-peer prosumers" (IEEE Transactions on
//! Power Systems 32, 2017). Shares are by what a meter shows: own generation that is used at once is nobody else's matter.
//!
//! Money is in mct/kWh times Wh/2^16, exact; where a price is no whole number the total is exact and the members' parts
//! are next to theirs (`split`).

use super::split::split;
use super::{CompareError, WH_Q16};
use crate::behaviour::Tariffs;
use crate::community::Participant;

/// One mct/kWh in the unit of money for a Wh.
const ONE_Q16: i128 = WH_Q16 as i128;

/// What the members' meters show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meters {
    /// By slot and member: Wh drawn from the grid, negative when fed in.
    net_wh: Vec<Vec<i64>>,
    members: usize,
}

/// What everybody pays for a day, in mct/kWh times Wh/2^16; below zero, what it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bills {
    /// By member.
    pub members_q16: Vec<i128>,
    /// What the community pays to the utility.
    pub utility_q16: i128,
    /// Per slot, what is bought from the utility, Wh/2^16.
    pub from_utility_wh_q16: Vec<u128>,
    /// Per slot, what is sold to it, Wh/2^16.
    pub to_utility_wh_q16: Vec<u128>,
    /// What is bought from it after the last slot, Wh/2^16.
    pub late_wh_q16: u128,
}

/// A slot's energy as the rules see it.
struct Slot {
    drawn_wh: Vec<u128>,
    fed_wh: Vec<u128>,
    demand_wh: i128,
    supply_wh: i128,
}

impl Meters {
    /// The meters of a day in which everybody uses energy when the data says.
    ///
    /// # Errors
    /// [`CompareError::NoMembers`], [`CompareError::Overflow`] for quantities of no community.
    pub fn of(members: &[&Participant]) -> Result<Self, CompareError> {
        let slots = members.first().ok_or(CompareError::NoMembers)?.energy.len();
        let net = |member: &Participant, slot: usize| {
            let energy = member.energy.get(slot)?;
            let drawn_wh = energy.load_wh.checked_add(energy.ev_wh)?;
            i64::try_from(i128::from(drawn_wh) - i128::from(energy.generation_wh)).ok()
        };
        let of_slot = |slot| members.iter().map(|member| net(member, slot)).collect::<Option<Vec<i64>>>();
        let net_wh = (0..slots).map(of_slot).collect::<Option<_>>().ok_or(CompareError::Overflow)?;
        Ok(Self { net_wh, members: members.len() })
    }

    /// Meters by slot and member, Wh drawn from the grid, negative when fed in. None unless every slot has one of each
    /// member.
    pub fn from_net_wh(net_wh: Vec<Vec<i64>>) -> Option<Self> {
        let members = net_wh.first()?.len();
        net_wh.iter().all(|slot| slot.len() == members).then_some(Self { net_wh, members })
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        self.net_wh.iter().map(|net_wh| {
            let drawn_wh: Vec<u128> = net_wh.iter().map(|wh| u128::from(wh.max(&0).unsigned_abs())).collect();
            let fed_wh: Vec<u128> = net_wh.iter().map(|wh| u128::from(wh.min(&0).unsigned_abs())).collect();
            // As many 63-bit numbers as fit into memory stay far below 127 bits.
            let sum = |parts: &[u128]| parts.iter().fold(0i128, |sum, wh| sum.saturating_add_unsigned(*wh));
            Slot { demand_wh: sum(&drawn_wh), supply_wh: sum(&fed_wh), drawn_wh, fed_wh }
        })
    }

    fn empty(&self) -> Bills {
        Bills { members_q16: vec![0; self.members], ..Bills::default() }
    }

    /// Everybody with the utility alone.
    ///
    /// # Errors
    /// [`CompareError::Overflow`].
    pub fn at_tariffs(&self, tariffs: Tariffs) -> Result<Bills, CompareError> {
        let mut bills = self.empty();
        for slot in self.slots() {
            bills.exchange(tariffs, slot.demand_wh, slot.supply_wh)?;
            bills.at_price(&slot.drawn_wh, price_q16(tariffs.retail_mct_per_kwh()))?;
            bills.at_price(&slot.fed_wh, -price_q16(tariffs.feed_in_mct_per_kwh()))?;
        }
        Ok(bills)
    }

    /// The mid-market rate.
    ///
    /// # Errors
    /// [`CompareError::Overflow`].
    pub fn at_mid_market_rate(&self, tariffs: Tariffs) -> Result<Bills, CompareError> {
        // Half a mct is whole in 1/2^16 of one.
        let sum = i128::from(tariffs.retail_mct_per_kwh()) + i128::from(tariffs.feed_in_mct_per_kwh());
        self.with_inner_price(tariffs, |_, _| Some(sum * ONE_Q16 / 2))
    }

    /// Supply-demand ratio pricing; none where it has no price: it divides by the feed-in tariff, which has to be above
    /// zero.
    ///
    /// # Errors
    /// [`CompareError::Overflow`].
    pub fn at_supply_demand_ratio(&self, tariffs: Tariffs) -> Result<Option<Bills>, CompareError> {
        let (retail, feed_in) =
            (i128::from(tariffs.retail_mct_per_kwh()), i128::from(tariffs.feed_in_mct_per_kwh()));
        if feed_in <= 0 {
            return Ok(None);
        }
        let price = |demand_wh: i128, supply_wh: i128| {
            if supply_wh > demand_wh {
                return Some(feed_in * ONE_Q16);
            }
            // r·f/((r − f)·S/B + f), rounded down to 1/2^16 mct.
            let above = retail.checked_mul(feed_in)?.checked_mul(ONE_Q16)?.checked_mul(demand_wh)?;
            let below =
                (retail - feed_in).checked_mul(supply_wh)?.checked_add(feed_in.checked_mul(demand_wh)?)?;
            above.checked_div(below)
        };
        self.with_inner_price(tariffs, price).map(Some)
    }

    /// A price between members per slot: the short side trades all at it, and the long side's members share alike what
    /// that and the utility come to. `price` gives it from B and S, which are both above zero, in 1/2^16 mct/kWh.
    fn with_inner_price(
        &self,
        tariffs: Tariffs,
        price: impl Fn(i128, i128) -> Option<i128>,
    ) -> Result<Bills, CompareError> {
        let mut bills = self.empty();
        for slot in self.slots() {
            let (demand_wh, supply_wh) = (slot.demand_wh, slot.supply_wh);
            let utility_q16 =
                bills.exchange(tariffs, (demand_wh - supply_wh).max(0), (supply_wh - demand_wh).max(0))?;
            let inner_q16 = match demand_wh.min(supply_wh) {
                0 => 0,
                inner_wh => price(demand_wh, supply_wh)
                    .and_then(|price_q16| price_q16.checked_mul(inner_wh))
                    .ok_or(CompareError::Overflow)?,
            };
            let (buyers_q16, sellers_q16) = if demand_wh >= supply_wh {
                (inner_q16.checked_add(utility_q16), Some(-inner_q16))
            } else {
                (Some(inner_q16), utility_q16.checked_sub(inner_q16))
            };
            bills.shared(&slot.drawn_wh, buyers_q16)?;
            bills.shared(&slot.fed_wh, sellers_q16)?;
        }
        Ok(bills)
    }

    /// Bill sharing over the whole day.
    ///
    /// # Errors
    /// [`CompareError::Overflow`].
    pub fn by_bill_sharing(&self, tariffs: Tariffs) -> Result<Bills, CompareError> {
        let mut bills = self.empty();
        let (mut imports_q16, mut exports_q16) = (0i128, 0i128);
        let (mut drawn_wh, mut fed_wh) = (vec![0u128; self.members], vec![0u128; self.members]);
        for slot in self.slots() {
            let utility_q16 = bills.exchange(
                tariffs,
                (slot.demand_wh - slot.supply_wh).max(0),
                (slot.supply_wh - slot.demand_wh).max(0),
            )?;
            let side = if slot.demand_wh >= slot.supply_wh { &mut imports_q16 } else { &mut exports_q16 };
            *side = side.checked_add(utility_q16).ok_or(CompareError::Overflow)?;
            for (sums, parts) in [(&mut drawn_wh, &slot.drawn_wh), (&mut fed_wh, &slot.fed_wh)] {
                for (sum, part) in sums.iter_mut().zip(parts) {
                    *sum = sum.checked_add(*part).ok_or(CompareError::Overflow)?;
                }
            }
        }
        bills.shared(&drawn_wh, Some(imports_q16))?;
        bills.shared(&fed_wh, Some(exports_q16))?;
        Ok(bills)
    }
}

fn price_q16(price_mct_per_kwh: i64) -> i128 {
    i128::from(price_mct_per_kwh) * ONE_Q16
}

impl Bills {
    /// Books a slot's exchange with the utility and returns what it costs the community.
    fn exchange(&mut self, tariffs: Tariffs, bought_wh: i128, sold_wh: i128) -> Result<i128, CompareError> {
        let cost = |wh: i128, price: i64| price_q16(price).checked_mul(wh);
        let cost_q16 = cost(bought_wh, tariffs.retail_mct_per_kwh())
            .zip(cost(sold_wh, tariffs.feed_in_mct_per_kwh()))
            .and_then(|(pays, gets)| pays.checked_sub(gets))
            .ok_or(CompareError::Overflow)?;
        self.utility_q16 = self.utility_q16.checked_add(cost_q16).ok_or(CompareError::Overflow)?;
        let q16 = |wh: i128| wh.checked_mul(ONE_Q16).and_then(|q16| u128::try_from(q16).ok());
        self.from_utility_wh_q16.push(q16(bought_wh).ok_or(CompareError::Overflow)?);
        self.to_utility_wh_q16.push(q16(sold_wh).ok_or(CompareError::Overflow)?);
        Ok(cost_q16)
    }

    /// Every member at one price for its energy.
    fn at_price(&mut self, energy_wh: &[u128], price_q16: i128) -> Result<(), CompareError> {
        let cost = |wh: &u128| i128::try_from(*wh).ok()?.checked_mul(price_q16);
        let parts = energy_wh.iter().map(cost).collect::<Option<Vec<_>>>().ok_or(CompareError::Overflow)?;
        self.add(&parts)
    }

    /// An amount, in proportion to energy.
    fn shared(&mut self, energy_wh: &[u128], total_q16: Option<i128>) -> Result<(), CompareError> {
        let parts = total_q16.and_then(|total| split(total, energy_wh)).ok_or(CompareError::Overflow)?;
        self.add(&parts)
    }

    fn add(&mut self, parts_q16: &[i128]) -> Result<(), CompareError> {
        for (member, part) in self.members_q16.iter_mut().zip(parts_q16) {
            *member = member.checked_add(*part).ok_or(CompareError::Overflow)?;
        }
        Ok(())
    }
}
