//! `veilgrid compare`: the auction beside other ways to share a community's energy, on one day's data.

mod picture;
mod table;

use crate::failure::Failure;
use crate::{input, output};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use veilgrid_market::Grid;
use veilgrid_market::units::format_ct_per_kwh;
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_scenario::community::{CommunityDay, Participant, select_community};
use veilgrid_scenario::compare::{Comparable, Comparison, Mechanism, MechanismResult};
use veilgrid_store::files::write_new;

/// Bits of a quantity, as in the demo.
const BITS: u32 = 16;

/// What `compare --help` says after its options.
pub const HELP: &str = "\
Example:
  veilgrid compare
  veilgrid compare --svg day.svg
  veilgrid compare --data my-day.csv --retail 28.5 --feed-in 6.5 --json

Retail and feed-in only: everybody with the utility alone. Mid-market rate: members trade at the middle of the two. \
Supply-demand ratio: at a price that falls from retail to feed-in as supply rises to demand. Bill sharing: the \
community's import cost and export income of the day, divided by what each meter drew and fed in. In these, everybody \
uses energy when the data says. Auction: the demo's members and the demo's clearing rule, in plaintext, in every slot of \
the day; members shift what can wait, and the utility serves the rest. What still waits at the day's end is bought at retail, \
what is stored by then is paid for and counts for nothing. Peak import: that of a slot of the day; what waits longer is in none.

Costs are a whole day's, for energy alone: no network fees, no taxes. Self-sufficiency: the part of the consumption \
that was not bought from the utility. Self-consumption: the part of the generation that was not sold to it.

Fields of --json: retail_mct_per_kwh, feed_in_mct_per_kwh, grid {price_min_mct_per_kwh, tick_mct_per_kwh, ticks}, seed, \
slots, slot_seconds, members, consumption_wh, generation_wh, mechanisms [{mechanism, roles [{role, members, cost_mct, \
cost_per_member_mct}], cost_mct, members_q16, public_account_q16, utility_q16 (exact, in mct/kWh times Wh/65536: members \
and public account add up to the utility), from_utility_wh, to_utility_wh, self_sufficiency_permille, \
self_consumption_permille, peak_import_w}], left_out [{mechanism, reason}], auction {traded_slots, volume_wh, \
mean_price_mct_per_kwh, at_tariffs_mct (the same use without the market), stored_wh, waiting_wh}.";

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Community data as CSV (slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh), `-` for standard input; default: the
    /// built-in day
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Participants, chosen across the roles in proportion [default: all]
    #[arg(long, value_name = "N")]
    pub participants: Option<usize>,
    /// Retail tariff, ct/kWh: what energy from the utility costs
    #[arg(long, value_name = "CT", default_value = "32", allow_negative_numbers = true)]
    pub retail: String,
    /// Feed-in tariff, ct/kWh: what the utility pays for surplus; below zero, what it charges for it
    #[arg(long, value_name = "CT", default_value = "8", allow_negative_numbers = true)]
    pub feed_in: String,
    /// Ticks of the auction's price grid, a power of two; it goes from feed-in to retail
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Seed of limit prices and charging sessions
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Draw the comparison as a picture into this file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// Unusable data or tariffs, an existing picture.
pub fn run(args: &CompareArgs) -> Result<(), Failure> {
    if let Some(path) = args.svg.as_ref().filter(|path| path.exists()) {
        return Err(Failure::file(path, "exists already; name a new file, nothing is overwritten"));
    }
    let tariffs = input::tariffs(&args.retail, &args.feed_in)?;
    let grid = tariffs.grid(args.ticks).map_err(Failure::input)?;
    let community = input::community(args.data.as_deref())?;
    let slot_seconds = community
        .slot_seconds()
        .ok_or_else(|| Failure::Input("the data has a single slot: its length can't be told".to_owned()))?;
    let members = members(&community, args)?;
    let day = Comparable { members, slot_seconds, tariffs, grid, bits: BITS, seed: args.seed };
    let comparison = day.compare().map_err(Failure::input)?;
    if let Some(path) = &args.svg {
        let picture = picture::draw(&comparison, &headline(&day));
        write_new(path, picture.as_bytes()).map_err(Failure::input)?;
    }
    if args.json {
        return output::json(&Report::of(&day, &comparison));
    }
    table::print(&comparison, &headline(&day));
    Ok(())
}

fn members<'a>(community: &'a CommunityDay, args: &CompareArgs) -> Result<Vec<&'a Participant>, Failure> {
    match args.participants {
        None => Ok(community.participants.iter().collect()),
        Some(count) => {
            let slots = community.slot_starts_unix_s.len();
            let selection = select_community(community, count, slots, args.seed).map_err(Failure::input)?;
            let member = |index: &usize| community.participants.get(*index);
            Ok(selection.participants.iter().filter_map(member).collect())
        }
    }
}

/// What the day is, in a line.
fn headline(day: &Comparable<'_>) -> String {
    let price = |mct: i64| format_ct_per_kwh(mct);
    format!(
        "{} members, {} slots of {} minutes, retail {} and feed-in {} ct/kWh",
        day.members.len(),
        day.members.first().map_or(0, |member| member.energy.len()),
        day.slot_seconds / 60,
        price(day.tariffs.retail_mct_per_kwh()),
        price(day.tariffs.feed_in_mct_per_kwh()),
    )
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    tariffs: Tariffs,
    grid: Grid,
    seed: u64,
    slots: usize,
    slot_seconds: u32,
    members: usize,
    consumption_wh: u128,
    generation_wh: u128,
    mechanisms: &'a [MechanismResult],
    left_out: Vec<LeftOut>,
    auction: AuctionJson,
}

#[derive(Serialize)]
struct LeftOut {
    mechanism: Mechanism,
    reason: &'static str,
}

#[derive(Serialize)]
struct AuctionJson {
    traded_slots: usize,
    volume_wh: u128,
    mean_price_mct_per_kwh: Option<i128>,
    at_tariffs_mct: i128,
    stored_wh: i128,
    waiting_wh: i128,
}

impl<'a> Report<'a> {
    fn of(day: &Comparable<'_>, comparison: &'a Comparison) -> Self {
        let auction = &comparison.auction;
        Self {
            tariffs: day.tariffs,
            grid: day.grid,
            seed: day.seed,
            slots: auction.bills.from_utility_wh_q16.len(),
            slot_seconds: day.slot_seconds,
            members: day.members.len(),
            consumption_wh: comparison.consumption_wh,
            generation_wh: comparison.generation_wh,
            mechanisms: &comparison.results,
            left_out: comparison
                .left_out
                .iter()
                .map(|&(mechanism, reason)| LeftOut { mechanism, reason })
                .collect(),
            auction: AuctionJson {
                traded_slots: auction.traded_slots,
                volume_wh: auction.volume_wh,
                mean_price_mct_per_kwh: auction.mean_price_mct_per_kwh(),
                at_tariffs_mct: auction.at_tariffs_mct(),
                stored_wh: auction.stored_wh(),
                waiting_wh: auction.waiting_wh(),
            },
        }
    }
}
