//! One measured round.

use super::members::{Fault, Sealed};
use super::report::MemoryFigures;
use super::session::{Attack, Session, per_second};
use super::statistics::Spread;
use crate::failure::Failure;
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked};
use veilgrid_localnet::load::{Answer, Batch, Outcome, Seen, send};
use veilgrid_market::Outcome as Cleared;
use veilgrid_node::checks::wall_clock_unix_ms;

/// Honest requests under way at once.
const AT_ONCE: usize = 32;
/// Honest members of one address: far below what an address may send at once.
const MEMBERS_PER_ADDRESS: usize = 500;
/// Requests of the flood under way at once, from all of its addresses.
const FLOOD_AT_ONCE: usize = 128;
/// Nothing is sent so shortly before the last promise.
const BEFORE_END_MS: u64 = 300;
/// How long the aggregator may be behind the follower.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Rounds that may be missed because sealing took longer than thought.
const MISSED_ROUNDS: usize = 4;

/// The figures of a round. Times are this machine's, as a follower of one validator sees blocks.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    /// The round.
    pub round_id: u64,
    /// Invalid submissions in its bidding time.
    pub flood: usize,
    /// What the last validator did, if it was not honest.
    pub attack: Option<&'static str>,
    /// Messages that it sent to each of the others, from the opening to the settlement.
    pub false_gossip: u64,
    /// Bids of honest members that were sent.
    pub honest_bids: usize,
    /// Those of them with a receipt.
    pub honest_receipts: usize,
    /// Those of them in the round.
    pub honest_in_round: usize,
    /// All bids in the round.
    pub bids_in_round: u64,
    /// Requests of honest members beyond the first for each bid.
    pub honest_retries: u32,
    /// What honest members got instead of a receipt.
    pub honest_without_receipt: BTreeMap<String, u64>,
    /// From the first request to the receipt, of honest members.
    pub receipt: Option<Spread>,
    /// From the first honest request to the last receipt.
    pub sending_ms: u64,
    /// From the end of bidding to the block that closes the round: what the grace takes.
    pub close_to_close_block_ms: u64,
    /// From the end of bidding to the outcome.
    pub close_to_cleared_ms: u64,
    /// From the block that closes the round to the outcome.
    pub close_block_to_cleared_ms: u64,
    /// From the end of bidding to the settlement.
    pub close_to_settled_ms: u64,
    /// Sums that were opened.
    pub openings: u64,
    /// Blocks from the close to the outcome.
    pub opening_blocks: u64,
    /// The same a second.
    pub opening_blocks_per_s: f64,
    /// Whether the outcome is that of the same quantities in plaintext.
    pub outcome_is_right: bool,
    /// What became of the flood: fault → answer → number.
    pub flood_answers: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// How long the flood took, milliseconds.
    pub flood_ms: u64,
    /// Resident memory of the processes when the round opened.
    pub memory_before: BTreeMap<String, MemoryFigures>,
    /// The same after the settlement, with the round's peak where the system tells.
    pub memory_after: BTreeMap<String, MemoryFigures>,
}

/// What a flood sends, each with what is wrong with it.
type Invalid = Vec<(Fault, Vec<u8>)>;

impl Session {
    /// Seals, waits for the round, sends, follows it to its end.
    ///
    /// # Errors
    /// A round that is void or does not end, and what [`Session::wait_for`] says.
    pub fn round(&mut self, flood: usize) -> Result<Measured, Failure> {
        let (sealed, invalid) = self.prepare(flood)?;
        let round_id = sealed.round_id;
        let timing = *self.timing();
        let close_ms = timing.close_ms(round_id).unwrap_or(u64::MAX);
        let last_promise_ms = timing.last_promise_ms(round_id).unwrap_or(u64::MAX);
        self.progress.say(format!("round {round_id}: waiting for its opening"));
        let until_open = timing.open_ms(round_id).unwrap_or(0).saturating_sub(wall_clock_unix_ms());
        self.wait_for("the round's opening", Duration::from_millis(until_open + 30_000), |seen| {
            let opened = |effect: &Effect| matches!(effect, Effect::RoundOpened { round_id: found, .. } if *found == round_id);
            seen.effects.effects.iter().any(opened).then_some(())
        })?;
        while !self.network.aggregator_takes_bids(round_id).map_err(Failure::input)? {
            self.check()?;
            if wall_clock_unix_ms() >= last_promise_ms {
                let why = format!("the aggregator has not seen round {round_id} in time");
                return Err(Failure::Input(why));
            }
            std::thread::sleep(ASK_EVERY);
        }
        self.network.reset_peaks();
        let mut measured = Measured {
            round_id,
            flood,
            attack: self.attack.name(),
            honest_bids: sealed.bids.len(),
            memory_before: self.memory(),
            ..Measured::default()
        };
        self.progress.say(match flood {
            0 => format!("round {round_id}: sending {} bids", sealed.bids.len()),
            _ => format!("round {round_id}: sending {} bids among {flood} invalid ones", sealed.bids.len()),
        });
        let sent_before = self.send_gossip(&sealed)?;
        self.load(&mut measured, &sealed, invalid, last_promise_ms.saturating_sub(BEFORE_END_MS))?;
        self.progress.say(format!("round {round_id}: waiting for its settlement"));
        self.follow(&mut measured, &sealed, close_ms)?;
        measured.memory_after = self.memory();
        if let Attack::Gossip(hostile) = &self.attack {
            measured.false_gossip = hostile.sent().saturating_sub(sent_before);
        }
        Ok(measured)
    }

    /// Lets the attacker begin, if there is one; what it had sent before.
    fn send_gossip(&self, sealed: &Sealed) -> Result<u64, Failure> {
        let Attack::Gossip(hostile) = &self.attack else { return Ok(0) };
        let sent_before = hostile.sent();
        hostile.send(self.members.false_gossip(&self.state, sealed, self.hostile)?);
        Ok(sent_before)
    }

    /// Everything that a round's members send, before the round opens. The bids are verified here once, so that the
    /// follower of this process has no proofs to verify while the network is measured.
    fn prepare(&mut self, flood: usize) -> Result<(Sealed, Invalid), Failure> {
        let timing = *self.timing();
        for _ in 0..MISSED_ROUNDS {
            self.check()?;
            let now_ms = wall_clock_unix_ms();
            let since_ms = now_ms.saturating_add(self.sealing_ms).saturating_sub(timing.first_open_unix_ms);
            let round_id = since_ms.div_ceil(timing.interval_ms.max(1)) + 1;
            self.progress.say(format!("round {round_id}: sealing {} bids", self.bids));
            let bar = self.progress.bar(self.bids);
            let sealed = self.members.seal(&self.state, round_id, &bar);
            bar.finish_and_clear();
            let sealed = sealed?;
            self.verify(&sealed)?;
            let invalid = match flood {
                0 => Vec::new(),
                _ => self.members.flood(&self.state, &sealed, flood)?,
            };
            if wall_clock_unix_ms() < timing.open_ms(round_id).unwrap_or(0) {
                return Ok((sealed, invalid));
            }
            self.sealing_ms = self.sealing_ms.saturating_mul(2);
            self.progress.say(format!("round {round_id} opened before all bids were sealed: the next one"));
        }
        let why =
            "sealing takes longer than a round: leave more time with --bidding-s, or ask for fewer --bids";
        Err(Failure::Input(why.to_owned()))
    }

    fn verify(&mut self, sealed: &Sealed) -> Result<(), Failure> {
        let params = self.state.community().bid_params();
        let params = params.ok_or_else(|| Failure::Input("the ledger has no keys".to_owned()))?;
        let mut verdicts = self.verdicts.clone();
        let asked = BidsAsked::without_money(&sealed.context, &sealed.bids);
        let fault = verdicts.verify(params, asked).into_iter().find_map(Result::err);
        fault.map_or(Ok(()), |fault| Err(Failure::Input(format!("a sealed bid does not verify: {fault}"))))
    }

    /// Honest bids and the flood at the same time.
    fn load(
        &mut self,
        measured: &mut Measured,
        sealed: &Sealed,
        invalid: Invalid,
        until_ms: u64,
    ) -> Result<(), Failure> {
        let url = self.network.aggregator_url();
        let (faults, batches) = flood_batches(invalid, usize::from(self.flood_addresses));
        let began_ms = wall_clock_unix_ms();
        let (honest, flooded) = std::thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let answers = send(&url, batches, until_ms, &self.shutdown);
                (answers, wall_clock_unix_ms().saturating_sub(began_ms))
            });
            let honest = send(&url, honest_batches(sealed), until_ms, &self.shutdown);
            measured.sending_ms = wall_clock_unix_ms().saturating_sub(began_ms);
            (honest, flood.join())
        });
        let (flooded, flood_ms) =
            flooded.map_err(|_| Failure::Input("the flood ended in a panic".to_owned()))?;
        measured.flood_ms = if measured.flood > 0 { flood_ms } else { 0 };
        let honest: Vec<Answer> = honest.map_err(Failure::input)?.into_iter().flatten().collect();
        note_honest(measured, sealed, &self.state, &honest)?;
        for (faults, answers) in faults.iter().zip(flooded.map_err(Failure::input)?) {
            for (fault, answer) in faults.iter().zip(answers) {
                let answers = measured.flood_answers.entry(fault.name()).or_default();
                *answers.entry(name_of(&answer.outcome)).or_default() += 1;
            }
        }
        Ok(())
    }

    /// The blocks until the settlement. They were noted while bids were sent.
    fn follow(&mut self, measured: &mut Measured, sealed: &Sealed, close_ms: u64) -> Result<(), Failure> {
        let deadline_ms = self.timing().deadline_ms(sealed.round_id).unwrap_or(close_ms);
        let within = Duration::from_millis(deadline_ms.saturating_sub(wall_clock_unix_ms()) + 30_000);
        let mut life = Life::new(sealed);
        let ended = self.wait_for("the round's settlement", within, |seen| life.note(seen))?;
        let (closed, cleared, settled_ms) = ended.map_err(Failure::Input)?;
        let digests: BTreeSet<[u8; 32]> = sealed.bids.iter().map(|bid| bid.digest()).collect();
        measured.honest_in_round = digests.intersection(&life.accepted).count();
        measured.bids_in_round = life.accepted.len() as u64;
        measured.close_to_close_block_ms = closed.1.saturating_sub(close_ms);
        measured.close_to_cleared_ms = cleared.1.saturating_sub(close_ms);
        measured.close_block_to_cleared_ms = cleared.1.saturating_sub(closed.1);
        measured.close_to_settled_ms = settled_ms.saturating_sub(close_ms);
        measured.openings = life.openings;
        measured.opening_blocks = cleared.0.saturating_sub(closed.0);
        measured.opening_blocks_per_s =
            per_second(measured.opening_blocks, measured.close_block_to_cleared_ms);
        measured.outcome_is_right = life.outcome == Some(sealed.expected);
        Ok(())
    }
}

/// Height and time of a block.
type At = (u64, u64);

/// What the ledger has said about a round.
struct Life {
    round_id: u64,
    accepted: BTreeSet<[u8; 32]>,
    closed: Option<At>,
    cleared: Option<At>,
    outcome: Option<Cleared>,
    openings: u64,
}

impl Life {
    fn new(sealed: &Sealed) -> Self {
        let accepted = BTreeSet::new();
        Self { round_id: sealed.round_id, accepted, closed: None, cleared: None, outcome: None, openings: 0 }
    }

    /// Looks at a block; once the round has ended: when it was closed, cleared and settled, or why it is void.
    fn note(&mut self, seen: &Seen) -> Option<Result<(At, At, u64), String>> {
        let at = (seen.effects.height, seen.at_unix_ms);
        for effect in seen.effects.all() {
            match effect {
                Effect::PassedOver(passed) if passed.contains(self.round_id) => {
                    return Some(Err(format!("round {} is void: {}", self.round_id, passed.reason)));
                }
                Effect::BidsAccepted { round_id, bids } if *round_id == self.round_id => {
                    self.accepted.extend(bids.iter().map(|bid| bid.bid_digest));
                }
                Effect::RoundClosed { round_id, .. } if *round_id == self.round_id => self.closed = Some(at),
                Effect::ValueOpened { round_id, .. } if *round_id == self.round_id => self.openings += 1,
                Effect::Cleared { round_id, outcome } if *round_id == self.round_id => {
                    (self.cleared, self.outcome) = (Some(at), Some(*outcome));
                }
                Effect::Settled(settled) if settled.round_id == self.round_id => {
                    let known =
                        self.closed.zip(self.cleared).map(|(closed, cleared)| (closed, cleared, at.1));
                    return Some(known.ok_or_else(|| "the round was settled and never closed".to_owned()));
                }
                Effect::Voided { round_id, reason, bids } if *round_id == self.round_id => {
                    return Some(Err(format!("round {round_id} with {bids} bids is void: {reason}")));
                }
                _ => {}
            }
        }
        None
    }
}

fn honest_batches(sealed: &Sealed) -> Vec<Batch> {
    let addresses = sealed.envelopes.len().div_ceil(MEMBERS_PER_ADDRESS).max(1);
    let each = sealed.envelopes.len().div_ceil(addresses).max(1);
    let batch = |(place, envelopes): (usize, &[Vec<u8>])| Batch {
        address: address(1, place + 1),
        envelopes: envelopes.to_vec(),
        at_once: AT_ONCE.div_ceil(addresses),
        insists: true,
    };
    sealed.envelopes.chunks(each).enumerate().map(batch).collect()
}

/// The flood over its addresses, from 127.0.0.2 on, each with all faults in a random order.
fn flood_batches(mut invalid: Vec<(Fault, Vec<u8>)>, addresses: usize) -> (Vec<Vec<Fault>>, Vec<Batch>) {
    for place in (1..invalid.len()).rev() {
        invalid.swap(place, OsRng.next_u64() as usize % (place + 1));
    }
    let each = invalid.len().div_ceil(addresses.max(1)).max(1);
    let at_once = FLOOD_AT_ONCE.div_ceil(addresses.max(1));
    let mut invalid = invalid.into_iter();
    let (mut faults, mut batches) = (Vec::new(), Vec::new());
    for place in 0..addresses {
        let (of_batch, envelopes): (Vec<Fault>, Vec<Vec<u8>>) = invalid.by_ref().take(each).unzip();
        if !envelopes.is_empty() {
            faults.push(of_batch);
            batches.push(Batch { address: address(0, place + 2), envelopes, at_once, insists: false });
        }
    }
    (faults, batches)
}

/// 127.0.`third`.`last`.
fn address(third: u8, last: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, third, u8::try_from(last).unwrap_or(u8::MAX)).into()
}

fn name_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Receipt(_) => "receipt".to_owned(),
        Outcome::Refused(kind) => kind.clone(),
        Outcome::Failed(_) => "no answer".to_owned(),
        Outcome::NotSent => "not sent".to_owned(),
    }
}

/// Receipts have to be the aggregator's, for these very bids.
fn note_honest(
    measured: &mut Measured,
    sealed: &Sealed,
    state: &State,
    answers: &[Answer],
) -> Result<(), Failure> {
    let key = state.community().receipt_key();
    let mut times_ms = Vec::with_capacity(answers.len());
    for (bid, answer) in sealed.bids.iter().zip(answers) {
        measured.honest_retries += answer.attempts.saturating_sub(1);
        let Outcome::Receipt(bytes) = &answer.outcome else {
            *measured.honest_without_receipt.entry(name_of(&answer.outcome)).or_default() += 1;
            continue;
        };
        let receipt = Receipt::from_bytes(bytes).map_err(Failure::input)?;
        receipt.verify(key).map_err(Failure::input)?;
        if (receipt.round_id, receipt.account, receipt.bid_digest)
            != (sealed.round_id, bid.account, bid.digest())
        {
            return Err(Failure::Input("the aggregator has signed a receipt for another bid".to_owned()));
        }
        measured.honest_receipts += 1;
        times_ms.push(answer.after.as_secs_f64() * 1e3);
    }
    measured.receipt = Spread::of(times_ms);
    Ok(())
}
