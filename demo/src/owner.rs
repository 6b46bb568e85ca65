//! The owners of the day's members: a model of each decides what its member asks for.

use crate::MarketSlot;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Order;
use veilgrid_roles::member::{OrderSource, ResultBook, ResultsFailure, RoundResult};
use veilgrid_scenario::behaviour::{Bidder, EnergyAccount, Plan};
use veilgrid_scenario::community::SlotEnergy;

/// A member's owner, played by a model. Clones are handles of one owner: the member asks it for orders and tells it results, and
/// the simulation looks at what it had in mind.
#[derive(Clone)]
pub struct SimulatedOwner(Arc<Mutex<Model>>);

struct Model {
    bidder: Box<dyn Bidder + Send>,
    /// Its own meter data, one entry per slot of the day.
    energy: Vec<SlotEnergy>,
    /// Start of a market slot, Unix seconds, to its place in the day.
    places: BTreeMap<i64, usize>,
    plan: Plan,
    /// The slot that it was last asked for, until it hears what came of it.
    planned: Option<Slot>,
    /// The last round that ended, and how.
    last: Option<(u64, RoundResult)>,
}

/// A slot that the day does not trade.
#[derive(Debug, thiserror::Error)]
#[error("the slot that starts at {start_unix_s} s is none of the day's market slots")]
struct NoSlot {
    start_unix_s: i64,
}

impl SimulatedOwner {
    /// An owner with a model of what it does, its meter data and the day's market slots.
    pub fn new(bidder: Box<dyn Bidder + Send>, energy: Vec<SlotEnergy>, slots: &[MarketSlot]) -> Self {
        let places = slots.iter().map(|slot| (slot.start_unix_s, slot.index)).collect();
        Self(Arc::new(Mutex::new(Model {
            bidder,
            energy,
            places,
            plan: Plan::default(),
            planned: None,
            last: None,
        })))
    }

    /// What it wanted when it was last asked. Nobody but the simulation sees it.
    pub(crate) fn plan(&self) -> Plan {
        self.model().plan.clone()
    }

    /// Where its energy came from and went to so far.
    pub(crate) fn account(&self) -> EnergyAccount {
        self.model().bidder.account()
    }

    /// How a round ended for its member, as far as it was told.
    pub(crate) fn result(&self, round_id: u64) -> Option<RoundResult> {
        self.model().last.filter(|(round, _)| *round == round_id).map(|(_, result)| result)
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        // A model that panicked has ended its member's actor, and the day with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    fn place(&self, slot: Slot) -> Result<usize, NoSlot> {
        self.places.get(&slot.start_unix_s).copied().ok_or(NoSlot { start_unix_s: slot.start_unix_s })
    }
}

impl OrderSource for SimulatedOwner {
    fn orders(&self, slot: Slot) -> Result<Vec<Order>, String> {
        let mut model = self.model();
        let place = model.place(slot).map_err(|error| error.to_string())?;
        // The configuration is checked: every member has data for every market slot.
        let energy = model.energy.get(place).copied().unwrap_or_default();
        model.plan = model.bidder.plan(place, energy).map_err(|error| error.to_string())?;
        model.planned = Some(slot);
        Ok(model.plan.orders.clone())
    }
}

impl ResultBook for SimulatedOwner {
    fn write(&mut self, round_id: u64, slot: Slot, result: RoundResult) -> Result<(), ResultsFailure> {
        let mut model = self.model();
        model.last = Some((round_id, result));
        let (bought_wh_q16, sold_wh_q16) = match result {
            RoundResult::Settled(fill) => (fill.bought_wh_q16, fill.sold_wh_q16),
            RoundResult::Void => (0, 0),
            // Its member did not bid, or does not accept the result: the model hears of true fills only.
            _ => return Ok(()),
        };
        if model.planned.take_if(|planned| *planned == slot).is_some() {
            let refuse = |why: String| ResultsFailure { why };
            let place = model.place(slot).map_err(|error| refuse(error.to_string()))?;
            let settled = model.bidder.settle(place, bought_wh_q16.into(), sold_wh_q16.into());
            settled.map_err(|error| refuse(error.to_string()))?;
        }
        Ok(())
    }

    fn write_not_opened(
        &mut self,
        _: RangeInclusive<u64>,
        _: &dyn Fn(u64) -> Option<Slot>,
    ) -> Result<(), ResultsFailure> {
        // A model plans the day's market slots only.
        Ok(())
    }
}
