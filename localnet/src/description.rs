//! What is remembered of a local network, and what may be asked for when it goes on.

use crate::LocalnetError;
use crate::plan::{NetworkPlan, fit_skew};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;
use veilgrid_node::founding::MoneyPlan;

/// What describes a network; written after everything else, so that a half-founded one is not taken for whole.
pub(crate) const DESCRIPTION: &str = "localnet.json";
const FORMAT: u16 = 1;
/// From founding to the first round, seconds: the validators find each other and generate the keys.
const LEAD_S: u64 = 20;

/// What was asked for; what is not said is as the network was founded, or the default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Validators; default 4.
    pub validators: Option<u16>,
    /// Participants; default 5.
    pub participants: Option<u32>,
    /// Seconds from one round's opening to the next; default 30.
    pub interval_s: Option<u64>,
    /// Ticks of the price grid; default 64.
    pub ticks: Option<u32>,
    /// First port; default 18000.
    pub base_port: Option<u16>,
    /// Seed of what members want; default 1.
    pub seed: Option<u64>,
    /// Seconds from founding to the first round; default 20.
    pub lead_s: Option<u64>,
    /// Blocks between a round's close and the block that fixes its bids; default 3.
    pub grace_blocks: Option<u32>,
    /// Seconds after its close in which a round has to be cleared; default two intervals.
    pub deadline_s: Option<u64>,
    /// Blocks of an engine epoch; default 120.
    pub epoch_blocks: Option<u64>,
    /// Finished rounds after which validators drop a round's bids; default: never.
    pub prune_after_rounds: Option<u64>,
    /// Members have balances, which begin with this many ct each; none: no money.
    pub deposit_ct: Option<u64>,
    /// The processes are started next, so their ports have to be free: that is looked at before anything is made.
    pub starts_next: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub(crate) format: u16,
    pub(crate) validators: u16,
    pub(crate) participants: u32,
    pub(crate) interval_s: u64,
    pub(crate) ticks: u32,
    pub(crate) base_port: u16,
    pub(crate) seed: u64,
    pub(crate) lead_s: u64,
    pub(crate) grace_blocks: u32,
    pub(crate) deadline_s: u64,
    pub(crate) epoch_blocks: u64,
    pub(crate) prune_after_rounds: Option<u64>,
    /// What each member's balance begins with, ct; none: no money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deposit_ct: Option<u64>,
}

impl Description {
    pub(crate) fn of(options: &Options) -> Self {
        let interval_s = options.interval_s.unwrap_or(30);
        Self {
            format: FORMAT,
            validators: options.validators.unwrap_or(4),
            participants: options.participants.unwrap_or(5),
            interval_s,
            ticks: options.ticks.unwrap_or(64),
            base_port: options.base_port.unwrap_or(18_000),
            seed: options.seed.unwrap_or(1),
            lead_s: options.lead_s.unwrap_or(LEAD_S),
            grace_blocks: options.grace_blocks.unwrap_or(3),
            deadline_s: options.deadline_s.unwrap_or(interval_s.saturating_mul(2)),
            epoch_blocks: options.epoch_blocks.unwrap_or(120),
            prune_after_rounds: options.prune_after_rounds,
            deposit_ct: options.deposit_ct,
        }
    }

    pub(crate) fn plan(&self, now_unix_ms: u64) -> NetworkPlan {
        let mut plan = NetworkPlan::for_trials(
            self.validators,
            self.participants,
            self.ticks,
            self.interval_s.saturating_mul(1000),
            now_unix_ms.saturating_add(self.lead_s.saturating_mul(1000)),
            self.base_port,
            self.seed,
        );
        plan.founding.timing.grace_blocks = self.grace_blocks;
        plan.founding.timing.opening_deadline_ms = self.deadline_s.saturating_mul(1000);
        plan.founding.timing.epoch_blocks = self.epoch_blocks;
        fit_skew(&mut plan.founding.timing);
        plan.prune_after_rounds = self.prune_after_rounds;
        plan.founding.market.money = self.deposit_ct.map(|_| MoneyPlan::default());
        plan
    }
}

pub(crate) fn read_description(dir: &Path) -> Result<Option<Description>, LocalnetError> {
    let path = dir.join(DESCRIPTION);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|reason| LocalnetError::file(&path, reason))?,
    };
    let fault = |reason: String| LocalnetError::Description { path: path.clone(), reason };
    let description: Description = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
    if description.format != FORMAT {
        return Err(fault(format!("format {} where this program reads {FORMAT}", description.format)));
    }
    Ok(Some(description))
}

/// What is asked for has to be what is there.
pub(crate) fn same(dir: &Path, options: &Options, found: &Description) -> Result<(), LocalnetError> {
    let pairs = [
        ("validators:", options.validators.map(u64::from), u64::from(found.validators)),
        ("participants:", options.participants.map(u64::from), u64::from(found.participants)),
        ("an interval (s) of", options.interval_s, found.interval_s),
        ("ticks:", options.ticks.map(u64::from), u64::from(found.ticks)),
        ("the base port", options.base_port.map(u64::from), u64::from(found.base_port)),
        ("the seed", options.seed, found.seed),
        ("seconds before the first round:", options.lead_s, found.lead_s),
        ("grace blocks:", options.grace_blocks.map(u64::from), u64::from(found.grace_blocks)),
        ("a deadline (s) of", options.deadline_s, found.deadline_s),
        ("blocks of an epoch:", options.epoch_blocks, found.epoch_blocks),
    ];
    let rounds = options.prune_after_rounds.filter(|asked| Some(*asked) != found.prune_after_rounds);
    if let Some(asked) = rounds {
        let found = found.prune_after_rounds.map_or_else(|| "never".to_owned(), |found| found.to_string());
        return Err(LocalnetError::Pruning { dir: dir.to_owned(), found, asked });
    }
    if let Some(asked) = options.deposit_ct.filter(|asked| Some(*asked) != found.deposit_ct) {
        return Err(LocalnetError::Money { dir: dir.to_owned(), found: found.deposit_ct, asked });
    }
    for (what, asked, found) in pairs {
        if let Some(asked) = asked.filter(|asked| *asked != found) {
            return Err(LocalnetError::Different { dir: dir.to_owned(), what, found, asked });
        }
    }
    Ok(())
}
