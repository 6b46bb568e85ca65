//! From arguments and data to the day that is traded.

use super::DemoArgs;
use crate::failure::Failure;
use crate::input;
use std::path::Path;
use veilgrid_demo::DayConfig;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_market::Rule;
use veilgrid_roles::committee::{one_process_timing, threshold_for};
use veilgrid_scenario::community::{Rounding, select_community};

/// Bits of a quantity: 65 kWh a step are enough for a household's slot.
const BITS: u8 = 16;

/// A day that can begin.
pub struct Plan {
    /// Everything that the actors need.
    pub config: DayConfig,
    /// What rounding to whole Wh has changed, over all of the data.
    pub rounding: Rounding,
    /// Participants in the data.
    pub available: usize,
}

/// Reads the data, chooses participants and slots and checks all parameters; nothing is written.
///
/// # Errors
/// What is impossible, and what would be possible.
pub fn plan(args: &DemoArgs, out: &Path) -> Result<Plan, Failure> {
    let tariffs = input::tariffs(&args.retail, &args.feed_in)?;
    let community = input::community(args.data.as_deref())?;
    let selection =
        select_community(&community, args.participants, args.slots, args.seed).map_err(Failure::input)?;
    let slot_seconds = community
        .slot_seconds()
        .ok_or_else(|| Failure::Input("the data has a single slot: its length can't be told".to_owned()))?;
    let params = MarketParams {
        grid: tariffs.grid(args.ticks).map_err(Failure::input)?,
        bits: BITS,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: args.min_bidders,
        max_members: u32::try_from(args.participants).map_err(Failure::input)?,
        slot_seconds,
        threshold: threshold_for(args.validators),
        timing: one_process_timing(0, 0, slot_seconds),
        capacity_classes: CapacityClasses::of_connections(slot_seconds),
        money: None,
    };
    let config = DayConfig::from_selection(
        &community,
        &selection,
        params,
        tariffs,
        args.validators,
        args.seed,
        out.join("validators"),
    );
    config.check().map_err(Failure::input)?;
    config.market().check(args.validators).map_err(Failure::input)?;
    Ok(Plan { config, rounding: community.rounding, available: community.participants.len() })
}
