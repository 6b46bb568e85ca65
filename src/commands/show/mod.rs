//! `veilgrid show`: a ledger for people, or as JSON. It prints what the file says and checks only its form; `audit` checks.
//!
//! What stands in a network's blocks after the last certificate is shown with the note that it is not final.
//!
//! A network's ledger also holds transactions that were refused. Only its state machine knows which, so that one is
//! replayed: what is shown is what has happened.

mod args;
mod json;
mod print;

pub use args::{HELP, ShowArgs};

use crate::failure::Failure;
use crate::{input, output};
use print::{print_ledger, print_round};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use veilgrid_ledger::export::{Exported, LedgerReader};
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::pruned::PrunedTransaction;
use veilgrid_ledger::roster::Roster;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Skeleton;
use veilgrid_ledger::state::effects::{Effect, PassedRounds};
use veilgrid_ledger::state::round::OpenedSum;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Next, Outcome, next_step};

/// Runs the command.
///
/// # Errors
/// A file that can't be read or is damaged, a round that it does not have.
pub fn run(args: &ShowArgs) -> Result<(), Failure> {
    let ledger = read(&args.ledger)?;
    let Some(round_id) = args.number else {
        if args.json {
            return output::json(&json::ledger(&ledger));
        }
        print_ledger(&ledger);
        return Ok(());
    };
    if let Some((height, passed)) = ledger.passed().iter().find(|(_, passed)| passed.contains(round_id)) {
        let is_final = ledger.is_final_at(*height);
        if args.json {
            let status = print::void_status(passed.reason);
            return output::json(&json::passed(&ledger, round_id, status, is_final));
        }
        output::line(format!("round {round_id} is void: {}", passed.reason));
        print::print_finality(is_final);
        return Ok(());
    }
    let known = || ledger.rounds.keys().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let round = ledger.rounds.get(&round_id).ok_or_else(|| {
        Failure::file(&args.ledger, format!("no round {round_id}; it has the rounds {}", known()))
    })?;
    if args.json {
        return output::json(&json::round(round_id, round, ledger.is_final(round)));
    }
    print_round(round_id, round, ledger.is_final(round));
    Ok(())
}

/// What is shown of a ledger.
struct Shown {
    genesis: Genesis,
    genesis_hash: [u8; 32],
    blocks: u64,
    last_block: [u8; 32],
    rounds: BTreeMap<u64, ShownRound>,
    network: ShownNetwork,
}

/// What a ledger has besides rounds.
struct ShownNetwork {
    roster: Roster,
    /// Members at the end.
    members: usize,
    /// Orders of the registrar and new keys of offices, for people.
    member_orders: Vec<String>,
    certified: u64,
    sessions: Vec<String>,
    changes: Vec<String>,
    refused: Vec<(u64, TransactionKind, String)>,
    /// With the height of the block by which they were over.
    passed: Vec<(u64, PassedRounds)>,
    pruned_blocks: u64,
}

#[derive(Default)]
struct ShownRound {
    /// Height of the last block with something of it.
    last_height: u64,
    slot_start_unix_s: i64,
    slot_seconds: u32,
    /// Account and digest of each bid, in ledger order; pruned bids have no account.
    bids: Vec<(Option<[u8; 32]>, [u8; 32])>,
    closed: bool,
    /// Validators whose shares opened a sum, by the number of the opening.
    shares: BTreeMap<u32, Vec<u16>>,
    opened: Vec<OpenedSum>,
    outcome: Option<Outcome>,
    settlement_points: Vec<[u8; 32]>,
    void: Option<VoidReason>,
}

fn read(path: &Path) -> Result<Shown, Failure> {
    let file = input::open(path)?;
    let damaged = |error| Failure::file(path, error);
    let mut reader = LedgerReader::new(BufReader::new(file)).map_err(damaged)?;
    let mut records = reader.exported();
    let first = match records.next().transpose().map_err(damaged)? {
        Some(Exported::Block(block, _)) => block,
        _ => return Err(Failure::file(path, "the first block is no genesis")),
    };
    let [Transaction::Genesis(genesis)] = first.transactions.as_slice() else {
        return Err(Failure::file(path, "the first block is no genesis"));
    };
    let mut shown = Shown {
        genesis: (**genesis).clone(),
        genesis_hash: first.hash(),
        blocks: 1,
        last_block: first.hash(),
        rounds: BTreeMap::new(),
        network: ShownNetwork::of(genesis.roster.clone()),
    };
    let mut replay =
        Replay::Whole(State::from_genesis_block(&first).map_err(|error| Failure::file(path, error))?);
    for record in records {
        let record = record.map_err(damaged)?;
        // Shown is what can be known without it; whether it holds is the audit's to say.
        let Some(hash) = record.hash() else { continue };
        shown.blocks += 1;
        shown.last_block = hash;
        let (after, known) = replay
            .step(&record)
            .map_err(|error| Failure::file(path, format!("{error}; `veilgrid audit` names what is wrong")))?;
        replay = after;
        shown.record(record, known);
    }
    shown.network.roster = replay.state().roster().clone();
    shown.network.members = replay.state().members().len();
    Ok(shown)
}

/// What the state machine says about a block: what its height did, and each of its transactions, where it can tell.
struct Known {
    height: u64,
    at_start: Vec<Effect>,
    effects: Vec<Option<Effect>>,
}

/// The replay, from the first pruned block on without its pruned rounds.
enum Replay {
    Whole(State),
    Skeleton(Box<Skeleton>),
}

impl Replay {
    fn state(&self) -> &State {
        match self {
            Self::Whole(state) => state,
            Self::Skeleton(skeleton) => skeleton.partial(),
        }
    }

    fn step(self, record: &Exported) -> Result<(Self, Known), String> {
        let height = record.height();
        let mut skeleton = match (self, record) {
            (Self::Whole(mut state), Exported::Block(block, _)) => {
                let done = state.apply_block(block, &mut VerifyAll).map_err(|error| error.to_string())?;
                let effects = done.effects.into_iter().map(Some).collect();
                return Ok((Self::Whole(state), Known { height, at_start: done.at_start, effects }));
            }
            (Self::Whole(state), Exported::Pruned(..)) => {
                Box::new(Skeleton::new(state, None).map_err(|error| error.to_string())?)
            }
            (Self::Skeleton(skeleton), _) => skeleton,
            (Self::Whole(_), Exported::Checkpoint(_)) => return Err("a checkpoint is no block".to_owned()),
        };
        let step = match record {
            Exported::Block(block, _) => skeleton.full(block, &mut VerifyAll),
            Exported::Pruned(block, _) => skeleton.pruned(block, &mut VerifyAll),
            Exported::Checkpoint(_) => return Err("a checkpoint is no block".to_owned()),
        };
        let step = step.map_err(|error| format!("block {height}: {error}"))?;
        Ok((Self::Skeleton(skeleton), Known { height, at_start: step.at_start, effects: step.effects }))
    }
}

impl Shown {
    /// Rounds that no block opened in their time.
    fn passed(&self) -> &[(u64, PassedRounds)] {
        &self.network.passed
    }

    /// Blocks that no certificate covers, first and last: whoever wrote the file can have made them up.
    fn uncovered(&self) -> Option<(u64, u64)> {
        let certified = self.network.certified;
        let last = self.blocks.saturating_sub(1);
        (certified < last).then_some((certified.saturating_add(1), last))
    }

    /// Whether all that is shown of a round counts.
    fn is_final(&self, round: &ShownRound) -> bool {
        self.is_final_at(round.last_height)
    }

    fn is_final_at(&self, height: u64) -> bool {
        height <= self.network.certified
    }

    fn record(&mut self, record: Exported, known: Known) {
        let network = &mut self.network;
        network.certified = if record.certificate().is_some() { known.height } else { network.certified };
        network.pruned_blocks += u64::from(matches!(record, Exported::Pruned(..)));
        known.at_start.iter().for_each(|effect| network.at_start(known.height, effect));
        let height = record.height();
        let transactions: Vec<PrunedTransaction> = match record {
            Exported::Block(block, _) => {
                block.transactions.into_iter().map(PrunedTransaction::Full).collect()
            }
            Exported::Pruned(block, _) => block.transactions,
            Exported::Checkpoint(_) => return,
        };
        let mut effects = known.effects.into_iter();
        for transaction in transactions {
            match (effects.next().flatten(), transaction) {
                (Some(Effect::Refused(refusal)), PrunedTransaction::Full(transaction)) => {
                    self.network.refused.push((height, transaction.kind(), refusal.to_string()));
                }
                (effect, PrunedTransaction::Full(transaction)) => {
                    effect.iter().for_each(|effect| self.network.members(height, effect));
                    self.take(height, transaction);
                }
                (_, PrunedTransaction::Bids { round_id, bid_digests }) => {
                    let round = self.rounds.entry(round_id).or_default();
                    round.bids.extend(bid_digests.into_iter().map(|digest| (None, digest)));
                    round.last_height = height;
                }
            }
        }
    }

    fn take(&mut self, height: u64, transaction: Transaction) {
        let Some(round_id) = transaction.round_id() else { return };
        let params = &self.genesis.params;
        let round = self.rounds.entry(round_id).or_default();
        round.last_height = height;
        match transaction {
            Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } => {
                (round.slot_start_unix_s, round.slot_seconds) = (slot_start_unix_s, slot_seconds);
            }
            Transaction::Bids { bids, .. } => {
                round.bids.extend(bids.iter().map(|bid| (Some(bid.account), bid.digest())));
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
            // The others are about no round.
            _ => {}
        }
    }
}

impl ShownNetwork {
    fn of(roster: Roster) -> Self {
        Self {
            roster,
            members: 0,
            member_orders: Vec::new(),
            certified: 0,
            sessions: Vec::new(),
            changes: Vec::new(),
            refused: Vec::new(),
            passed: Vec::new(),
            pruned_blocks: 0,
        }
    }

    fn members(&mut self, height: u64, effect: &Effect) {
        match effect {
            Effect::MembersChanged { kind, accounts, .. } => {
                let numbers = accounts.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
                self.member_orders.push(format!("{kind} {numbers}, block {height}"));
            }
            Effect::KeysReplaced { kind } => self.member_orders.push(format!("{kind}, block {height}")),
            _ => {}
        }
    }

    fn at_start(&mut self, height: u64, effect: &Effect) {
        match effect {
            Effect::KeysAgreed { session, task, excluded, lacking, .. } => {
                let task = format!("{task:?}").to_lowercase();
                let without = |what: &str, who: &[u16]| match who {
                    [] => String::new(),
                    who => {
                        format!(", {what} {}", who.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))
                    }
                };
                let (excluded, lacking) = (without("excluded", excluded), without("without shares", lacking));
                self.sessions
                    .push(format!("{session} ({task}): agreed in block {height}{excluded}{lacking}"));
            }
            Effect::KeysAborted { session, task, reason } => {
                let task = format!("{task:?}").to_lowercase();
                self.sessions.push(format!("{session} ({task}): {reason}"));
            }
            Effect::PassedOver(passed) => self.passed.push((height, *passed)),
            Effect::ValidatorsChanged { epoch, validators } => {
                self.changes.push(format!("{validators} from epoch {epoch}, block {height}"));
            }
            _ => {}
        }
    }
}
