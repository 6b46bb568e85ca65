//! From arguments and data to the day that is traded.

use crate::cli::DemoArgs;
use crate::failure::Failure;
use crate::input;
use std::path::Path;
use veilgrid_demo::DayConfig;
use veilgrid_ledger::params::MarketParams;
use veilgrid_market::{Grid, Rule, Side, parse_price};
use veilgrid_roles::committee::{one_process_timing, threshold_for};
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_scenario::community::{CommunityDay, Rounding, import_community, select_community};

/// The built-in day: SimBench, see `data/community_day/README.md` for source and licence (ODbL 1.0).
const BUILT_IN: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/community_day/community_day.csv"));
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
    let tariffs = tariffs(args)?;
    let community = read(args)?;
    let selection =
        select_community(&community, args.participants, args.slots, args.seed).map_err(Failure::input)?;
    let slot_seconds = community
        .slot_seconds()
        .ok_or_else(|| Failure::Input("the data has a single slot: its length can't be told".to_owned()))?;
    let params = MarketParams {
        grid: grid(&tariffs, args.ticks)?,
        bits: BITS,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: args.min_bidders,
        max_members: u32::try_from(args.participants).map_err(Failure::input)?,
        slot_seconds,
        threshold: threshold_for(args.validators),
        timing: one_process_timing(0, 0, slot_seconds),
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

fn read(args: &DemoArgs) -> Result<CommunityDay, Failure> {
    match &args.data {
        None => import_community(BUILT_IN.as_bytes()).map_err(Failure::input),
        Some(path) => import_community(input::open(path)?).map_err(|error| Failure::file(path, error)),
    }
}

fn tariffs(args: &DemoArgs) -> Result<Tariffs, Failure> {
    let price = |name: &str, text: &str, side: Side| {
        parse_price(1, side, text).map_err(|_| {
            Failure::Input(format!("--{name} {text}: give a price in ct/kWh, for example 32, 8.5 or -1"))
        })
    };
    let (retail, feed_in) =
        (price("retail", &args.retail, Side::Buy)?, price("feed-in", &args.feed_in, Side::Sell)?);
    Tariffs::new(retail, feed_in).map_err(Failure::input)
}

/// A grid of `ticks` prices from the feed-in tariff to the retail tariff: nobody has a reason to trade outside.
fn grid(tariffs: &Tariffs, ticks: u32) -> Result<Grid, Failure> {
    let (low, high) = (tariffs.feed_in_mct_per_kwh(), tariffs.retail_mct_per_kwh());
    let gaps = u64::from(ticks.max(2) - 1);
    let tick = high.abs_diff(low).div_ceil(gaps).max(2).next_multiple_of(2);
    Grid::new(low, tick, ticks).map_err(Failure::input)
}
