//! The owners of the day's members: a model of each decides what its member asks for.

use crate::MarketSlot;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Order;
use veilgrid_roles::member::{Owner, OwnerRefusal};
use veilgrid_scenario::behaviour::{Bidder, EnergyAccount, Plan};
use veilgrid_scenario::community::SlotEnergy;

/// A member's owner, played by a model. Clones are handles of one owner: the member's actor asks it for orders, and the
/// simulation looks at what it had in mind.
#[derive(Clone)]
pub struct SimulatedOwner(Arc<Mutex<Model>>);

struct Model {
    bidder: Box<dyn Bidder + Send>,
    /// Its own meter data, one entry a slot of the day.
    energy: Vec<SlotEnergy>,
    /// Start of a market slot, Unix seconds, to its place in the day.
    places: BTreeMap<i64, usize>,
    plan: Plan,
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
        Self(Arc::new(Mutex::new(Model { bidder, energy, places, plan: Plan::default() })))
    }

    /// What it wanted when it was last asked. Nobody but the simulation sees it.
    pub(crate) fn plan(&self) -> Plan {
        self.model().plan.clone()
    }

    /// Where its energy came from and went to so far.
    pub(crate) fn account(&self) -> EnergyAccount {
        self.model().bidder.account()
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

impl Owner for SimulatedOwner {
    fn orders(&mut self, slot: Slot) -> Result<Vec<Order>, OwnerRefusal> {
        let mut model = self.model();
        let place = model.place(slot)?;
        // The configuration is checked: every member has data for every market slot.
        let energy = model.energy.get(place).copied().unwrap_or_default();
        model.plan = model.bidder.plan(place, energy)?;
        Ok(model.plan.orders.clone())
    }

    fn settled(&mut self, slot: Slot, bought_wh_q16: u64, sold_wh_q16: u64) -> Result<(), OwnerRefusal> {
        let mut model = self.model();
        let place = model.place(slot)?;
        Ok(model.bidder.settle(place, bought_wh_q16.into(), sold_wh_q16.into())?)
    }
}
