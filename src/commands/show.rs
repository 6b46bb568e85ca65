//! `veilgrid show`: a ledger for people. It prints what the file says and checks only its form; `audit` checks.

use crate::cli::ShowArgs;
use crate::failure::Failure;
use crate::output;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use veilgrid_ledger::export::LedgerReader;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::state::round::OpenedSum;
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_market::units::format_ct_per_kwh;
use veilgrid_market::{Next, Outcome, next_step};

/// Runs the command.
///
/// # Errors
/// A file that can't be read or is damaged, a round that it does not have.
pub fn run(args: &ShowArgs) -> Result<(), Failure> {
    let ledger = read(&args.ledger)?;
    match args.number {
        None => {
            print_ledger(&ledger);
            Ok(())
        }
        Some(round_id) => {
            let known = || ledger.rounds.keys().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let round = ledger.rounds.get(&round_id).ok_or_else(|| {
                Failure::file(&args.ledger, format!("no round {round_id}; it has the rounds {}", known()))
            })?;
            print_round(round_id, round);
            Ok(())
        }
    }
}

/// What is shown of a ledger.
struct Shown {
    genesis: Genesis,
    genesis_hash: [u8; 32],
    blocks: u64,
    last_block: [u8; 32],
    rounds: BTreeMap<u64, ShownRound>,
}

#[derive(Default)]
struct ShownRound {
    slot_start_unix_s: i64,
    slot_seconds: u32,
    /// Account and digest of each bid, in ledger order.
    bids: Vec<([u8; 32], [u8; 32])>,
    closed: bool,
    /// Validators whose shares opened a sum, by the number of the opening.
    shares: BTreeMap<u32, Vec<u16>>,
    opened: Vec<OpenedSum>,
    outcome: Option<Outcome>,
    settlement_points: Vec<[u8; 32]>,
    void: Option<VoidReason>,
}

fn read(path: &Path) -> Result<Shown, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let damaged = |error| Failure::file(path, error);
    let mut reader = LedgerReader::new(BufReader::new(file)).map_err(damaged)?;
    let first = reader.next().transpose().map_err(damaged)?;
    let Some((first, [Transaction::Genesis(genesis)])) =
        first.as_ref().map(|block| (block, block.transactions.as_slice()))
    else {
        return Err(Failure::file(path, "the first block is no genesis"));
    };
    let mut shown = Shown {
        genesis: (**genesis).clone(),
        genesis_hash: first.hash(),
        blocks: 1,
        last_block: first.hash(),
        rounds: BTreeMap::new(),
    };
    for block in reader {
        let block = block.map_err(damaged)?;
        shown.blocks += 1;
        shown.last_block = block.hash();
        for transaction in block.transactions {
            shown.take(transaction);
        }
    }
    Ok(shown)
}

impl Shown {
    fn take(&mut self, transaction: Transaction) {
        let Some(round_id) = transaction.round_id() else { return };
        let params = &self.genesis.draft.params;
        let round = self.rounds.entry(round_id).or_default();
        match transaction {
            Transaction::Genesis(_) => {}
            Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } => {
                (round.slot_start_unix_s, round.slot_seconds) = (slot_start_unix_s, slot_seconds);
            }
            Transaction::Bids { bids, .. } => {
                round.bids.extend(bids.iter().map(|bid| (bid.account, bid.digest())));
            }
            Transaction::CloseRound { .. } => round.closed = true,
            Transaction::OpeningShare { opening_index, share, .. } => {
                round.shares.entry(opening_index).or_default().push(share.validator);
            }
            Transaction::OpenedValue { value_wh, .. } => {
                let before: Vec<i64> = round.opened.iter().map(|sum| sum.value_wh).collect();
                let next = next_step(&params.grid, params.rule, params.open_volume, &before);
                if let Ok(Next::Open(request)) = next {
                    round.opened.push(OpenedSum { request, value_wh });
                }
            }
            Transaction::Clear { outcome, .. } => round.outcome = Some(outcome),
            Transaction::Settle { points, .. } => round.settlement_points = points,
            Transaction::Void { reason, .. } => round.void = Some(reason),
        }
    }
}

impl ShownRound {
    fn status(&self) -> String {
        match (self.void, self.outcome, self.settlement_points.is_empty()) {
            (Some(VoidReason::TooFewBids), _, _) => "void: too few bids".to_owned(),
            (None, Some(_), false) => "settled".to_owned(),
            (None, Some(_), true) => "cleared".to_owned(),
            (None, None, _) if self.closed => "opening".to_owned(),
            (None, None, _) => "open".to_owned(),
        }
    }
}

fn print_ledger(ledger: &Shown) {
    let draft = &ledger.genesis.draft;
    let params = &draft.params;
    let top = params.grid.price_mct_per_kwh(params.grid.ticks() - 1);
    let mut head = output::table(&["ledger", "value"]);
    let mut row = |what: &str, value: String| {
        head.add_row([what.to_owned(), value]);
    };
    row("ledger id", hex::encode(ledger.genesis.ledger_id()));
    row("genesis block", hex::encode(ledger.genesis_hash));
    row("last block", hex::encode(ledger.last_block));
    row("blocks", ledger.blocks.to_string());
    row("members", draft.members.len().to_string());
    row("validators", format!("{}, {} of them open a sum", draft.validators.len(), params.threshold));
    row(
        "price grid ct/kWh",
        format!(
            "{} to {} by {}",
            format_ct_per_kwh(params.grid.price_min_mct_per_kwh()),
            format_ct_per_kwh(top),
            format_ct_per_kwh(params.grid.tick_mct_per_kwh())
        ),
    );
    row("rule", format!("{:?}, at least {} bids", params.rule, params.min_bidders));
    row("bits of a quantity", params.bits.to_string());
    output::line(head);
    let mut rounds =
        output::table(&["round", "slot (UTC)", "bids", "status", "price ct/kWh", "volume kWh", "rationed"]);
    for (round_id, round) in &ledger.rounds {
        let of = |show: fn(&Outcome) -> String| round.outcome.as_ref().map_or_else(|| "-".to_owned(), show);
        rounds.add_row([
            round_id.to_string(),
            output::utc(round.slot_start_unix_s),
            round.bids.len().to_string(),
            round.status(),
            of(output::price),
            of(output::volume),
            of(output::rationing),
        ]);
    }
    output::line(rounds);
}

fn print_round(round_id: u64, round: &ShownRound) {
    let from = output::utc(round.slot_start_unix_s);
    output::line(format!("round {round_id}, slot from {from}, {} s: {}", round.slot_seconds, round.status()));
    if let Some(outcome) = &round.outcome {
        let (price, volume) = (output::price(outcome), output::volume(outcome));
        output::line(format!(
            "price {price} ct/kWh, volume {volume} kWh, rationed {}",
            output::rationing(outcome)
        ));
    }
    let mut opened = output::table(&["opened sum", "value Wh", "why", "shares of validators"]);
    for (index, sum) in (0u32..).zip(&round.opened) {
        let shares = round.shares.get(&index).map_or(&[][..], Vec::as_slice);
        opened.add_row([
            sum.request.to_string(),
            sum.value_wh.to_string(),
            format!("{:?}", sum.request.purpose).to_lowercase(),
            shares.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
        ]);
    }
    output::line(opened);
    let mut bids = output::table(&["account (pseudonym)", "bid digest", "settlement point (sealed fill)"]);
    for (position, (account, digest)) in round.bids.iter().enumerate() {
        let point = round.settlement_points.get(position).map_or_else(|| "-".to_owned(), hex::encode);
        bids.add_row([hex::encode(&account[..16]), hex::encode(&digest[..16]), point]);
    }
    output::line(bids);
}
