//! `veilgrid bill order`: a member signs, with its own key file, who may get to know the totals of its bills.

use crate::failure::Failure;
use crate::output;
use clap::Args;
use rand_core::OsRng;
use std::path::PathBuf;
use veilgrid_billing::period::Period;
use veilgrid_billing::standing::{Opens, OrderTerms, StandingOrder};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_node::keyfile::{ParticipantKeys, open};
use veilgrid_node::passphrase;
use veilgrid_store::files::write_new;

/// What `bill order --help` says after its options.
pub const HELP: &str = "\
Example:
  veilgrid bill order --key-file me.keys --community \"Sonnengemeinschaft Lindenhof\" --payee \"Sonnengemeinschaft Lindenhof\" \\
    --account flat-2 --number 1 --from 2026-03 --out flat-2.json

Give the file to whoever makes the bills. The payee then gets the total of each bill from that month on, and can collect or pay it; it gets no \
line of it and no reading. To take it back sign another with a higher number and --revoke.

Fields of --json: those of the order: format, community, payee, account, number, from, until (or null), opens (total or nothing), account_key, signature.";

/// Arguments of `bill order`.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The member's key file
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// The community's name, as its file has it
    #[arg(long, value_name = "NAME")]
    pub community: String,
    /// Who gets to know the totals: the creditor's name
    #[arg(long, value_name = "NAME")]
    pub payee: String,
    /// The account
    #[arg(long, value_name = "ID")]
    pub account: String,
    /// Number of the order; of several the highest holds
    #[arg(long, value_name = "N")]
    pub number: u64,
    /// The first month
    #[arg(long, value_name = "MONTH")]
    pub from: Period,
    /// The last month [default: until it is taken back]
    #[arg(long, value_name = "MONTH")]
    pub until: Option<Period>,
    /// Take an earlier order back
    #[arg(long)]
    pub revoke: bool,
    /// Key epoch of the account key
    #[arg(long, value_name = "E", default_value_t = 1)]
    pub key_epoch: u64,
    /// The file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print the order as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// A key file that can't be opened, months in the wrong order, a file that exists.
pub fn run(args: &OrderArgs) -> Result<(), Failure> {
    if let Some(until) = args.until.filter(|until| *until < args.from) {
        return Err(Failure::Input(format!("--until {until} is before --from {}", args.from)));
    }
    let passphrase =
        passphrase::existing(args.passphrase_file.as_deref(), &args.key_file).map_err(Failure::input)?;
    let (_, keys) = open::<ParticipantKeys>(&args.key_file, &passphrase).map_err(Failure::input)?;
    let key = Keyring::from_seed(&keys.seed).account_key(args.key_epoch);
    let terms = OrderTerms {
        community: args.community.clone(),
        payee: args.payee.clone(),
        account: args.account.clone(),
        number: args.number,
        from: args.from,
        until: args.until,
        opens: if args.revoke { Opens::Nothing } else { Opens::Total },
    };
    let order = StandingOrder::sign(terms, &key, &mut OsRng);
    let mut bytes = serde_json::to_vec_pretty(&order).map_err(Failure::input)?;
    bytes.push(b'\n');
    write_new(&args.out, &bytes).map_err(Failure::input)?;
    if args.json {
        return output::json(&order);
    }
    output::line(format!("signed, in {}; give it to whoever makes the bills", args.out.display()));
    Ok(())
}
