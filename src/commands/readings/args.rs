//! Arguments of `veilgrid readings`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What `readings import --help` says after its options.
const IMPORT_HELP: &str = "\
Example:
  veilgrid readings import march.csv --into readings --zone Europe/Vienna --stamp begin
  veilgrid readings import lastgang.csv --into readings --zone Europe/Berlin --stamp end --decimal comma --unit kWh --meter DE0001 --direction consumption
  veilgrid readings import march.csv --into readings --zone Europe/Vienna --capacities connections.csv --json

CSV: one line per meter and interval, columns by name in any order. What the first lines show with certainty is detected (delimiter, decimal \
mark, columns, units in the header, offsets from UTC); what they leave open is asked for, and the message names the option. \
Missing is an empty cell, NaN or a dash, and never zero.

Other formats say all of that themselves and are known by their first bytes: NEM12 (streams E and B; a stream's meter is NMI/number); \
logs of P1 telegrams, whose checksums are checked, and of SML telegrams as lines of arrival time and hex: an interval has a value where the register was \
read at its begin and at its end, or up to ten seconds later; the EDA portal's workbook (what the meters counted; L1, L2, L3 are the grades); \
Green Button XML.

A corrected value becomes a new revision of its day; what was known before stays. The same file again changes nothing. A run that was \
cut off goes on where it last wrote to disk when it is started again. A file that is refused before the first write, some millions of \
values, leaves its days as they were.

--capacities: CSV with the columns meter,import_kw,export_kw, as certified; a value of more than a fifth above is refused, which is how Wh that \
were entered as kWh are found.

Fields of --json: import, source, format, columns [{role, title}] (of CSV), notes [text], interval_s (null where intervals are made from stands of a register),  readings, missing, first_start, last_start (null without \
readings), filled_slots (without what a run that was cut off wrote last), revised_days, corrected_slots, \
rounding {values, added_nano_wh, moved_nano_wh}, resumed_at_byte (or null), already_imported, capacities_checked, dry_run.";

const STATUS_HELP: &str = "\
Example:
  veilgrid readings status readings
  veilgrid readings status readings --from 2026-03-01 --to 2026-03-31 --json

Fields of --json: zone, slot_seconds, from, to, series [{meter, direction, slots, measured, substituted, estimated, missing, revised_days, \
days [{date, slots, measured, substituted, estimated, missing, revisions}] (with --days)}].";

const GAPS_HELP: &str = "\
Example:
  veilgrid readings gaps readings
  veilgrid readings gaps readings --meter AT0010000000000000000000000000001 --json

Exit code 0 also when there are gaps: `missing_slots` counts them.

Fields of --json: zone, slot_seconds, from, to, missing_slots, gaps [{meter, direction, start, end, slots}].";

const SESSION_HELP: &str = "\
Example:
  veilgrid readings session begin.ocmf end.ocmf --public-key 3059301306072A8648CE3D020106082A8648CE3D030107034200…
  veilgrid readings session record.ocmf --public-key $(cat charger.key) --json

The key is the certified one of the charger, from its label or its registration; one inside of a record counts for nothing. \
A session is refused when a signature does not hold for the exact bytes, the meter was not in order, its clock was not synchronised, or more than one \
register was read at begin and end.

Fields of --json: meter, direction, begin, end, begin_wh, end_wh, energy_wh (exact decimal numbers as text), register (OBIS), pagination, \
payload_sha256 (both a text per record).";

/// Arguments of `readings`.
#[derive(Debug, Args)]
pub struct ReadingsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ReadingsCommand,
}

/// What `readings` does.
#[derive(Debug, Subcommand)]
pub enum ReadingsCommand {
    /// Read a file of meter readings into a folder of days
    #[command(after_help = IMPORT_HELP)]
    Import(Box<ImportArgs>),
    /// How complete the readings are, by meter and grade
    #[command(after_help = STATUS_HELP)]
    Status(SurveyArgs),
    /// Slots without a value
    #[command(after_help = GAPS_HELP)]
    Gaps(SurveyArgs),
    /// Check a signed charging session (OCMF) and say what was charged
    #[command(after_help = SESSION_HELP)]
    Session(SessionArgs),
}

/// Arguments of `readings import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub source: PathBuf,
    /// The folder of readings; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// The file's format [default: by its first bytes]
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// Zone whose calendar days a new folder has [default: the zone of --zone]
    #[arg(long, value_name = "ZONE")]
    pub calendar: Option<String>,
    /// Minutes of a slot of a new folder
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub slot_minutes: u32,
    /// Zone of times without an offset: a name like Europe/Vienna, UTC, or +01:00 for clocks that are never put
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Option<String>,
    /// Which end of its interval a time is
    #[arg(long, value_enum)]
    pub stamp: Option<StampArg>,
    /// Length of the file's intervals [default: a slot, where times are just that far apart]
    #[arg(long, value_name = "N")]
    pub interval_minutes: Option<u32>,
    /// What separates fields: one character, or `tab`
    #[arg(long, value_name = "C")]
    pub delimiter: Option<String>,
    /// Decimal mark
    #[arg(long, value_enum)]
    pub decimal: Option<DecimalArg>,
    /// Unit of all values: Wh, kWh, MWh, or mean power W, kW
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
    /// Order of dates like 05/06/2026
    #[arg(long, value_enum)]
    pub date_order: Option<DateOrderArg>,
    /// Whose readings these are, where the file does not say it
    #[arg(long, value_name = "ID")]
    pub meter: Option<String>,
    /// Which way the energy went, where the file does not say it
    #[arg(long, value_enum)]
    pub direction: Option<DirectionArg>,
    /// The value column is signed; which way is above zero
    #[arg(long, value_enum)]
    pub sign: Option<DirectionArg>,
    /// Which of two is meant where the repeated hour of October is in the file once
    #[arg(long, value_enum)]
    pub repeated_hour: Option<HalfArg>,
    /// What a column is, by the header's exact text: begin, end, time, date, clock, meter, consumption, generation, value,
    /// direction, grade
    #[arg(long = "column", value_name = "ROLE=NAME")]
    pub columns: Vec<String>,
    /// Lines before the header
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip_lines: u64,
    /// Certified capacities of the connections, CSV: meter,import_kw,export_kw
    #[arg(long, value_name = "FILE")]
    pub capacities: Option<PathBuf>,
    /// Certified capacity of all connections, both ways
    #[arg(long, value_name = "KW", conflicts_with = "capacities")]
    pub capacity_kw: Option<String>,
    /// Slots held in memory between two writes; a million take 12 MiB
    #[arg(long, value_name = "N", default_value_t = 8_000_000)]
    pub hold_slots: usize,
    /// Read and check everything, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `readings status` and `readings gaps`.
#[derive(Debug, Args)]
pub struct SurveyArgs {
    /// The folder of readings
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// One meter alone
    #[arg(long, value_name = "ID")]
    pub meter: Option<String>,
    /// First day [default: the first that any meter has]
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Last day [default: the last that any meter has]
    #[arg(long, value_name = "DATE")]
    pub to: Option<String>,
    /// Day by day
    #[arg(long)]
    pub days: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `readings session`.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// A record with begin and end, or one of each
    #[arg(value_name = "RECORD", required = true, num_args = 1..=2)]
    pub records: Vec<PathBuf>,
    /// The charger's certified key: SubjectPublicKeyInfo in hex or base64
    #[arg(long, value_name = "KEY")]
    pub public_key: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Comma-separated values and their like
    Csv,
    /// Interval data of the Australian market
    Nem12,
    /// Telegrams of the customer port of Dutch, Belgian, Swedish and other meters (DSMR P1)
    P1,
    /// Telegrams of German meters, a line each: time of arrival, bytes in hex
    Sml,
    /// Workbook of energy data from the Austrian EDA portal
    Eda,
    /// Green Button XML
    GreenButton,
}

/// Begin or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StampArg {
    /// 00:00 is 00:00 to 00:15
    Begin,
    /// 00:15 is 00:00 to 00:15
    End,
}

/// Decimal marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecimalArg {
    /// 1.25
    Point,
    /// 1,25
    Comma,
}

/// Orders of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DateOrderArg {
    /// 31/12/2026
    DayFirst,
    /// 12/31/2026
    MonthFirst,
}

/// Directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DirectionArg {
    /// Out of the grid
    Consumption,
    /// Into the grid
    Generation,
}

/// Halves of the repeated hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HalfArg {
    /// Before clocks were put back
    Earlier,
    /// After
    Later,
}
