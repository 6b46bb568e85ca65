//! The figures of a run.

use super::NetworkArgs;
use super::round::Measured;
use super::statistics::Spread;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use std::collections::BTreeMap;
use veilgrid_store::LedgerBytes;

/// Memory of a process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MemoryFigures {
    /// Resident, MiB.
    pub resident_mib: f64,
    /// Most that was resident in the round, or since the start where the system resets no peaks, MiB.
    pub peak_mib: f64,
    /// Most that was resident ever, MiB.
    pub highest_mib: f64,
}

impl MemoryFigures {
    pub fn new(resident_kib: u64, peak_kib: u64, highest_kib: u64) -> Self {
        let mib = |kib: u64| kib as f64 / 1024.0;
        Self { resident_mib: mib(resident_kib), peak_mib: mib(peak_kib), highest_mib: mib(highest_kib) }
    }
}

/// What a ledger takes.
#[derive(Debug, Default, Serialize)]
pub struct Storage {
    /// Bids of the measured rounds.
    pub bids: u64,
    /// Blocks of the whole ledger.
    pub blocks: u64,
    /// Bytes of all blocks with all bids in them, over the bids: everything that the ledger took counts.
    pub ledger_bytes_per_bid: f64,
    /// Bytes of certificates, over the bids.
    pub certificate_bytes_per_bid: f64,
    /// Bytes of a bid itself.
    pub bid_bytes: f64,
    /// Blocks that validator 1 keeps without bids.
    pub pruned_blocks: u64,
    /// Bytes of blocks that stay for ever, over the bids: all that is no bid's body.
    pub pruned_ledger_bytes_per_bid: f64,
    /// What validator 1 stores, bytes of blocks.
    pub stored_block_bytes: u64,
    /// The part of them that are bids.
    pub stored_bid_bytes: u64,
    /// Bytes of validator 1's folders on the disk.
    pub disk_bytes: BTreeMap<&'static str, u64>,
}

impl Storage {
    /// Of the whole ledger as an observer has it, and of what a validator keeps.
    pub fn new(
        bids: u64,
        whole: &LedgerBytes,
        kept: &LedgerBytes,
        disk_bytes: BTreeMap<&'static str, u64>,
    ) -> Self {
        let each = |bytes: u64| bytes as f64 / bids.max(1) as f64;
        Self {
            bids,
            blocks: whole.blocks,
            ledger_bytes_per_bid: each(whole.block_bytes),
            certificate_bytes_per_bid: each(whole.certificate_bytes),
            bid_bytes: each(whole.bid_bytes),
            pruned_blocks: kept.pruned_blocks,
            pruned_ledger_bytes_per_bid: each(kept.block_bytes.saturating_sub(kept.bid_bytes)),
            stored_block_bytes: kept.block_bytes,
            stored_bid_bytes: kept.bid_bytes,
            disk_bytes,
        }
    }
}

/// Everything that a run measured.
#[derive(Debug, Serialize)]
pub struct Report {
    bench: &'static str,
    validators: u16,
    bids: usize,
    ticks: u32,
    threads: usize,
    /// From the first process's start to the keys in force.
    keys_s: f64,
    idle_blocks_per_s: f64,
    memory_idle: BTreeMap<String, MemoryFigures>,
    memory_end: BTreeMap<String, MemoryFigures>,
    pruning: bool,
    storage: Storage,
    rounds: Vec<Measured>,
}

impl Report {
    pub fn new(
        args: &NetworkArgs,
        keys_s: f64,
        idle_blocks_per_s: f64,
        memory_idle: BTreeMap<String, MemoryFigures>,
        memory_end: BTreeMap<String, MemoryFigures>,
        storage: Storage,
        rounds: Vec<Measured>,
    ) -> Self {
        Self {
            bench: "network",
            validators: args.validators,
            bids: args.bids,
            ticks: args.ticks,
            threads: rayon::current_num_threads(),
            keys_s,
            idle_blocks_per_s,
            memory_idle,
            memory_end,
            pruning: args.prune,
            storage,
            rounds,
        }
    }

    /// Whether the network has kept its promises.
    ///
    /// # Errors
    /// What it has not kept. The figures stand all the same.
    pub fn verdict(&self) -> Result<(), Failure> {
        for round in &self.rounds {
            let id = round.round_id;
            let fault = if round.honest_receipts > round.honest_in_round {
                Some("a bid with a receipt is not in the round")
            } else if round.honest_in_round < round.honest_bids {
                Some("honest bids are missing")
            } else if round.bids_in_round > round.honest_bids as u64 {
                Some("an invalid submission is in the round")
            } else if !round.outcome_is_right {
                Some("the outcome differs from that of the same quantities in plaintext")
            } else {
                None
            };
            if let Some(fault) = fault {
                return Err(Failure::Input(format!("round {id}: {fault}")));
            }
        }
        Ok(())
    }

    /// Tables for people.
    pub fn print(&self) {
        let mut table = output::table(&["measured", "value"]);
        for (name, value) in self.rows() {
            table.add_row([name, value]);
        }
        output::line(table);
        output::line(self.rounds_table());
        if self.rounds.iter().any(|round| round.flood > 0) {
            output::line(self.flood_table());
        }
    }

    fn rows(&self) -> Vec<(String, String)> {
        let storage = &self.storage;
        let mib = |bytes: &u64| format!("{:.1} MiB", *bytes as f64 / 1048576.0);
        let mut rows = vec![
            ("validators, bids a round".to_owned(), format!("{}, {}", self.validators, self.bids)),
            ("grid, bits".to_owned(), format!("{} ticks a side, {}", self.ticks, super::BITS)),
            ("threads of the machine".to_owned(), self.threads.to_string()),
            ("first process to keys in force".to_owned(), format!("{:.1} s", self.keys_s)),
            ("blocks a second, idle".to_owned(), format!("{:.2}", self.idle_blocks_per_s)),
            ("a bid itself".to_owned(), format!("{:.0} bytes", storage.bid_bytes)),
            ("ledger a bid, all blocks".to_owned(), format!("{:.0} bytes", storage.ledger_bytes_per_bid)),
            ("certificates a bid".to_owned(), format!("{:.0} bytes", storage.certificate_bytes_per_bid)),
            (
                "ledger a bid without bids' bodies".to_owned(),
                format!("{:.0} bytes", storage.pruned_ledger_bytes_per_bid),
            ),
            ("blocks, of these pruned".to_owned(), format!("{}, {}", storage.blocks, storage.pruned_blocks)),
            ("validator 1 stores, blocks".to_owned(), mib(&storage.stored_block_bytes)),
        ];
        for (part, bytes) in &storage.disk_bytes {
            rows.push((format!("validator 1 on disk, {part}"), mib(bytes)));
        }
        for attack in ["silent validator", "gossip flood"] {
            if let Some(slower) = self.slower(attack) {
                rows.push((format!("close to cleared with a {attack} / without"), format!("{slower:.2}")));
            }
        }
        for (name, end) in &self.memory_end {
            let idle = self.memory_idle.get(name).copied().unwrap_or_default();
            let text =
                format!("{:.0} / {:.0} / {:.0} MiB", idle.resident_mib, end.resident_mib, end.highest_mib);
            rows.push((format!("{name}, memory idle / end / peak"), text));
        }
        rows
    }

    /// Median time from close to cleared under an attack of the last validator, over that of the rounds without any.
    fn slower(&self, attack: &str) -> Option<f64> {
        let median = |attack: Option<&str>| {
            let rounds = self.rounds.iter().filter(|round| round.flood == 0 && round.attack == attack);
            Spread::of(rounds.map(|round| round.close_to_cleared_ms as f64).collect())
        };
        Some(median(Some(attack))?.p50_ms / median(None)?.p50_ms)
    }

    fn rounds_table(&self) -> comfy_table::Table {
        let mut header = vec!["of a round".to_owned()];
        header.extend(self.rounds.iter().map(|round| match (round.flood, round.attack) {
            (0, None) => format!("round {}", round.round_id),
            (_, None) => format!("round {}, flood", round.round_id),
            (_, Some(attack)) => format!("round {}, {attack}", round.round_id),
        }));
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = output::table(&header);
        type Cell = fn(&Measured) -> String;
        let rows: [(&str, Cell); 15] = [
            ("invalid submissions", |r| r.flood.to_string()),
            ("false gossip messages", |r| r.false_gossip.to_string()),
            ("honest bids, receipts, in the round", |r| {
                format!("{}, {}, {}", r.honest_bids, r.honest_receipts, r.honest_in_round)
            }),
            ("receipt p50 / p99 / max, ms", |r| {
                r.receipt.map_or_else(
                    || "-".to_owned(),
                    |t| format!("{:.0} / {:.0} / {:.0}", t.p50_ms, t.p99_ms, t.max_ms),
                )
            }),
            ("sent again", |r| r.honest_retries.to_string()),
            ("all honest bids sent in, ms", |r| r.sending_ms.to_string()),
            ("flood sent in, ms", |r| r.flood_ms.to_string()),
            ("close to closing block, ms", |r| r.close_to_close_block_ms.to_string()),
            ("close to cleared, ms", |r| r.close_to_cleared_ms.to_string()),
            ("closing block to cleared, ms", |r| r.close_block_to_cleared_ms.to_string()),
            ("close to settled, ms", |r| r.close_to_settled_ms.to_string()),
            ("opened sums, blocks", |r| format!("{}, {}", r.openings, r.opening_blocks)),
            ("blocks a second, opening", |r| format!("{:.1}", r.opening_blocks_per_s)),
            ("aggregator before / after / peak, MiB", |r| memory_cell(r, "aggregator")),
            ("validator 1 before / after / peak, MiB", |r| memory_cell(r, "validator-1")),
        ];
        for (name, cell) in rows {
            let cells = std::iter::once(name.to_owned()).chain(self.rounds.iter().map(cell));
            table.add_row(cells);
        }
        table
    }

    fn flood_table(&self) -> comfy_table::Table {
        let mut totals: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (fault, answers) in self.rounds.iter().flat_map(|round| &round.flood_answers) {
            for (answer, count) in answers {
                *totals.entry((fault, answer)).or_default() += count;
            }
        }
        let mut table = output::table(&["submission of the flood", "answer", "number"]);
        for ((fault, answer), count) in totals {
            table.add_row([fault.to_owned(), answer.to_owned(), count.to_string()]);
        }
        table
    }
}

fn memory_cell(round: &Measured, name: &str) -> String {
    let of = |figures: &BTreeMap<String, MemoryFigures>| figures.get(name).copied().unwrap_or_default();
    let (before, after) = (of(&round.memory_before), of(&round.memory_after));
    format!("{:.0} / {:.0} / {:.0}", before.resident_mib, after.resident_mib, after.peak_mib)
}
