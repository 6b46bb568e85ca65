//! The tables of a ledger and of a round.

use super::{Shown, ShownNetwork, ShownRound};
use crate::output;
use std::collections::BTreeMap;
use veilgrid_ledger::state::effects::PassedRounds;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;
use veilgrid_market::units::format_ct_per_kwh;

impl ShownNetwork {
    fn print(&self) {
        let mut head = output::table(&["network", "value"]);
        head.add_row(["last block with a certificate".to_owned(), self.certified.to_string()]);
        head.add_row(["blocks without their bids".to_owned(), self.pruned_blocks.to_string()]);
        head.add_row(["transactions refused".to_owned(), self.refused.len().to_string()]);
        self.sessions.iter().for_each(|session| {
            head.add_row(["key session".to_owned(), session.clone()]);
        });
        self.member_orders.iter().for_each(|order| {
            head.add_row(["members".to_owned(), order.clone()]);
        });
        self.changes.iter().for_each(|change| {
            head.add_row(["validators".to_owned(), change.clone()]);
        });
        output::line(head);
        let mut validators = output::table(&["validator", "signing key", "consensus key"]);
        for (number, entry) in (1..).zip(&self.roster.validators) {
            validators.add_row([
                format!("{number}"),
                hex::encode(&entry.signing_key[..16]),
                hex::encode(&entry.consensus_key[..16]),
            ]);
        }
        output::line(validators);
        if !self.refused.is_empty() {
            let mut refused = output::table(&["block", "refused", "why"]);
            for (height, kind, why) in &self.refused {
                refused.add_row([height.to_string(), kind.to_string(), why.clone()]);
            }
            output::line(refused);
        }
    }
}

impl ShownRound {
    pub(super) fn status(&self) -> String {
        match (self.void, self.outcome, self.settlement_points.is_empty()) {
            (Some(reason), _, _) => void_status(reason).to_owned(),
            (None, Some(_), false) => "settled".to_owned(),
            (None, Some(_), true) => "cleared".to_owned(),
            (None, None, _) if self.closed => "opening".to_owned(),
            (None, None, _) => "open".to_owned(),
        }
    }
}

pub(super) fn void_status(reason: VoidReason) -> &'static str {
    match reason {
        VoidReason::TooFewBids => "void: too few bids",
        VoidReason::OpeningDeadline => "void: sums not opened in time",
        VoidReason::NoKeys => "void: no keys yet",
        VoidReason::NotOpened => "void: never opened",
    }
}

fn with_finality(status: String, is_final: bool) -> String {
    if is_final { status } else { format!("{status}, not final") }
}

/// One row for rounds that were passed over one after another.
fn passed_row(ledger: &Shown, height: u64, passed: &PassedRounds) -> [String; 7] {
    let (first, last) = (passed.first_round_id, passed.last_round_id);
    let params = &ledger.genesis.params;
    let slot = params.timing.slot_start_unix_s(first, params.slot_seconds);
    let which = if first == last { first.to_string() } else { format!("{first}-{last}") };
    let slot = slot.map_or_else(|| "-".to_owned(), output::utc);
    let nothing = || "-".to_owned();
    let status = with_finality(void_status(passed.reason).to_owned(), ledger.is_final_at(height));
    [which, slot, "0".to_owned(), status, nothing(), nothing(), nothing()]
}

pub(super) fn print_ledger(ledger: &Shown) {
    let (genesis, group) = (&ledger.genesis, ledger.network.roster.group());
    let (params, validators, threshold) = (&genesis.params, group.validators, group.threshold);
    let top = params.grid.price_mct_per_kwh(params.grid.ticks() - 1);
    let mut head = output::table(&["ledger", "value"]);
    let mut row = |what: &str, value: String| {
        head.add_row([what.to_owned(), value]);
    };
    row("ledger id", hex::encode(ledger.genesis.ledger_id()));
    row("genesis block", hex::encode(ledger.genesis_hash));
    row("last block", hex::encode(ledger.last_block));
    row("blocks", ledger.blocks.to_string());
    row("members", ledger.network.members.to_string());
    row("validators", format!("{validators}, {threshold} of them open a sum"));
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
    ledger.network.print();
    let mut rounds =
        output::table(&["round", "slot (UTC)", "bids", "status", "price ct/kWh", "volume kWh", "rationed"]);
    let mut rows: BTreeMap<u64, [String; 7]> = BTreeMap::new();
    for (round_id, round) in &ledger.rounds {
        // Bids for it that were refused and pruned since leave their digests.
        if ledger.passed().iter().any(|(_, passed)| passed.contains(*round_id)) {
            continue;
        }
        let of = |show: fn(&Outcome) -> String| round.outcome.as_ref().map_or_else(|| "-".to_owned(), show);
        let row = [
            round_id.to_string(),
            output::utc(round.slot_start_unix_s),
            round.bids.len().to_string(),
            with_finality(round.status(), ledger.is_final(round)),
            of(output::price),
            of(output::volume),
            of(output::rationing),
        ];
        rows.insert(*round_id, row);
    }
    rows.extend(
        ledger.passed().iter().map(|(at, passed)| (passed.first_round_id, passed_row(ledger, *at, passed))),
    );
    rows.into_values().for_each(|row| {
        rounds.add_row(row);
    });
    output::line(rounds);
    if let Some((first, last)) = ledger.uncovered() {
        output::line(format!(
            "blocks {first} to {last} are in no certificate: what they say is not final, and whoever wrote the file can have \
             made it up"
        ));
    }
}

/// Says of a round that it does not count yet.
pub(super) fn print_finality(is_final: bool) {
    if !is_final {
        output::line("not final: something of it is in blocks that no certificate covers");
    }
}

pub(super) fn print_round(round_id: u64, round: &ShownRound, is_final: bool) {
    let from = output::utc(round.slot_start_unix_s);
    output::line(format!("round {round_id}, slot from {from}, {} s: {}", round.slot_seconds, round.status()));
    print_finality(is_final);
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
        let account = account.map_or_else(|| "pruned".to_owned(), |account| hex::encode(&account[..16]));
        bids.add_row([account, hex::encode(&digest[..16]), point]);
    }
    output::line(bids);
}
