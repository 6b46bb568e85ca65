//! `veilgrid share`: a community's readings, shared out by a public key.

mod days;
mod quorum;
mod report;
mod sealed;
mod settled;
mod vectors;

use crate::failure::Failure;
use crate::{input, output};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use veilgrid_market::sharing::{
    Readings, SharingKey, SlotShares, check_minimums, parse_readings, parse_slot_keys, parse_static_keys,
    share_plain,
};
use veilgrid_market::timestamp::format_utc;

/// What `share --help` says after its options.
pub const HELP: &str = "\
Example:
  veilgrid share data/sharing/s3_pro_rata.csv --key pro-rata
  veilgrid share data/sharing/s3_static.csv --key static --keys data/sharing/s3_static.keys.csv
  veilgrid share data/sharing/s3_slots.csv --key slots --keys data/sharing/s3_slots.keys.csv --plain --json

Each account's day is sealed under keys that four validators of this process generate, and checked; three of them open only the sums that the key needs: consumption and generation of a slot pro rata, generation and what is shared under the others. The result is that of --plain, to the unit.

READINGS.csv: slot_start,account,direction,energy_wh with an RFC 3339 instant, a name, consumption or generation, and whole Wh. A \
reading that is missing has no row; it is never zero. KEYS.csv: account,share_ppm for --key static, slot_start,account,share_ppm for \
--key slots; the shares of a slot add up to at most 1000000.

Fields of --json: slots [{slot_start, consumption_wh, generation_wh, shared_q16, fraction_consumption_q16 (null but for pro-rata), \
fraction_generation_q16, rounding_q16 (what the community's account delivers), consumers {account: q16}, producers {account: \
q16}}]; q16 is Wh/2^16. Sealed also opened [{slot_start, what (consumption, generation: value in Wh; shared: in Wh/2^16), value}]: every \
sum that anybody but the accounts themselves has read. Under static and slots nobody opens consumption_wh; it is what the file says.";

/// Arguments of `share`.
#[derive(Debug, Args)]
pub struct ShareArgs {
    /// The readings, `-` for standard input
    #[arg(value_name = "READINGS.csv")]
    readings: PathBuf,
    /// How generation is shared out among consumers
    #[arg(long, value_enum)]
    key: KeyArg,
    /// The shares, for static and slots
    #[arg(long, value_name = "KEYS.csv")]
    keys: Option<PathBuf>,
    /// Share out in plaintext: no keys, no proofs
    #[arg(long)]
    plain: bool,
    /// Fewest accounts whose consumption may be added up in a slot; nobody at all is all right. Under static and slots only
    /// accounts with a share above 0 count
    #[arg(long, value_name = "K", default_value_t = 1)]
    min_consumers: usize,
    /// Fewest accounts whose generation may be added up in a slot
    #[arg(long, value_name = "K", default_value_t = 1)]
    min_producers: usize,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Sharing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyArg {
    /// In proportion to consumption
    ProRata,
    /// By fixed shares
    Static,
    /// By shares for each slot
    Slots,
}

/// What is to be shared out.
struct Community {
    readings: Readings,
    key: SharingKey,
}

/// Runs the command.
///
/// # Errors
/// Unusable input; a slot in which too few take part.
pub fn run(args: &ShareArgs) -> Result<(), Failure> {
    let community = read(args)?;
    let (slots, opened) = if args.plain {
        (plain(args, &community)?, None)
    } else {
        let sealed = sealed::sealed(&community, args.json)?;
        (sealed.slots, Some(sealed.opened))
    };
    if args.json {
        output::json(&report::result_json(&community.readings, &slots, opened.as_deref()))
    } else {
        report::print(&community.readings, &slots, opened.as_deref());
        Ok(())
    }
}

fn read(args: &ShareArgs) -> Result<Community, Failure> {
    let wrong = |text: &str| Err(Failure::Input(text.to_owned()));
    match (args.key, &args.keys) {
        (KeyArg::ProRata, Some(_)) => {
            return wrong(
                "--key pro-rata has no shares: leave out --keys, or take --key static or --key slots",
            );
        }
        (KeyArg::Static | KeyArg::Slots, None) => {
            return wrong("--key static and --key slots need --keys KEYS.csv with the shares");
        }
        (_, Some(keys)) if is_standard_input(keys) && is_standard_input(&args.readings) => {
            return wrong(
                "readings and keys can't both come from standard input: name a file for one of them",
            );
        }
        _ => {}
    }
    let readings = parse_readings(input::open(&args.readings)?);
    let readings = readings.map_err(|error| Failure::file(&args.readings, error))?;
    let key = match &args.keys {
        None => SharingKey::ProRata,
        Some(path) => {
            let file = input::open(path)?;
            let parse = if args.key == KeyArg::Static { parse_static_keys } else { parse_slot_keys };
            parse(file).map_err(|error| Failure::file(path, error))?
        }
    };
    name_idle_shares(&key, &readings);
    let minimums = check_minimums(&readings, &key, args.min_consumers, args.min_producers);
    minimums.map_err(|error| Failure::file(&args.readings, error))?;
    Ok(Community { readings, key })
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == input::STANDARD_INPUT
}

/// Shares of accounts without readings are no mistake, but nobody gets what is theirs: that is said.
fn name_idle_shares(key: &SharingKey, readings: &Readings) {
    for (account, slot) in key.without_readings(readings) {
        let slot = slot.map_or_else(String::new, |start| format!(" for {}", format_utc(start)));
        let account = output::harmless(account);
        eprintln!("note: {account} has a share{slot} and no reading of consumption: nobody gets that part");
    }
}

fn plain(args: &ShareArgs, community: &Community) -> Result<Vec<SlotShares>, Failure> {
    share_plain(&community.readings, &community.key).map_err(|error| Failure::file(&args.readings, error))
}
