//! The conductor: moves the simulated clock, tells everybody when to act, and collects the report.

use crate::founding::Cast;
use crate::members::{BidNews, MemberLink};
use crate::money;
use crate::orderer::{Decided, Ended, Halt, LedgerTip, NextBlock};
use crate::report::{DayReport, MarketRow, RoundResult, RoundRow, RoundTimings};
use crate::simulation;
use crate::{DayConfig, DayError, DayEvent, MarketSlot, Observer};
use std::sync::Arc;
use std::time::Duration;
use veilgrid_actors::aggregator::VerificationTime;
use veilgrid_actors::auditor::{Audited, Conclude, ExpectBid};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::follow::FollowFault;
use veilgrid_actors::member::Turn;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_actors::validator::Tip;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::round::OpenedSum;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;
use veilgrid_roles::member;
use veilgrid_scenario::behaviour::{Gains, Plan};

/// How often the conductor looks for a cancellation while it waits for bids.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Runs the rounds of a day.
pub(crate) struct Conductor<'a> {
    config: &'a DayConfig,
    cast: Cast,
    observer: &'a Observer,
    cancel: &'a CancelFlag,
    receipts: Vec<Receipt>,
    rounds: Vec<RoundRow>,
    verification: Duration,
}

/// How a round's blocks ended.
enum RoundEnd {
    Settled(Outcome),
    Voided(VoidReason),
    Cancelled,
}

/// What the bidding came to.
struct Bidding {
    plans: Vec<Plan>,
    proving: Duration,
}

impl<'a> Conductor<'a> {
    pub(crate) fn new(
        config: &'a DayConfig,
        cast: Cast,
        observer: &'a Observer,
        cancel: &'a CancelFlag,
    ) -> Self {
        let (receipts, rounds) = (Vec::new(), Vec::new());
        Self { config, cast, observer, cancel, receipts, rounds, verification: Duration::ZERO }
    }

    pub(crate) async fn run(mut self) -> Result<DayReport, DayError> {
        let mut gains = simulation::enrol(&self.cast.members)?;
        let played = self.play(&mut gains).await;
        let played = match played {
            Ok(false) => self.claimed().await.map(|()| false),
            other => other,
        };
        // Also after an error: whatever block is under way is finished before the threads end.
        let tip = self.cast.orderer.send(Halt).await.map_err(DayError::lost("the orderer"));
        let cancelled = played?;
        if cancelled {
            (self.observer)(DayEvent::Cancelled);
        }
        self.report(tip?, gains, cancelled).await
    }

    /// All rounds, or those until the cancellation; true when cancelled.
    async fn play(&mut self, gains: &mut Gains) -> Result<bool, DayError> {
        for slot in &self.config.slots {
            // The configuration was checked: each slot has a round.
            let Some(round_id) = self.config.round_of(*slot) else { continue };
            if self.cancel.is_cancelled() || !self.round(round_id, *slot, gains).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// After the last round everybody's claims come in.
    async fn claimed(&mut self) -> Result<(), DayError> {
        if self.config.money.is_some() {
            self.cast.state = money::until_claimed(&self.cast.orderer).await?;
        }
        Ok(())
    }

    /// One round; false when it was cancelled before its end.
    async fn round(&mut self, round_id: u64, slot: MarketSlot, gains: &mut Gains) -> Result<bool, DayError> {
        let began = Stopwatch::start();
        let (opens_ms, closes_ms) = self.times(round_id);
        self.cast.clock.advance_to(opens_ms);
        let opened =
            |effect: &Effect| matches!(effect, Effect::RoundOpened { round_id: id, .. } if *id == round_id);
        while !self.next_block().await?.effects.all().any(opened) {}

        let bidding = self.bidding(round_id, slot).await?;
        let mut timings = RoundTimings { proving: bidding.proving, ..RoundTimings::default() };
        timings.bidding = began.elapsed();
        timings.verification = self.verification_since_last().await?;
        let mut row = RoundRow {
            round_id,
            slot: slot.index,
            slot_start_unix_s: slot.start_unix_s,
            bids: bidding.plans.len() as u64,
            result: RoundResult::Unfinished,
            opened: Vec::new(),
            market: simulation::market_row(&self.config.params.grid, &bidding.plans)?,
            timings,
        };
        let closed = Stopwatch::start();
        self.cast.clock.advance_to(closes_ms);
        let end = self.finish(round_id, &mut row.opened).await?;
        row.timings.opening = closed.elapsed();
        let finished = !matches!(end, RoundEnd::Cancelled);
        row.result = self.result(round_id, end, gains, &mut row.market)?;
        tracing::info!(round_id, bids = row.bids, openings = row.opened.len(), finished, "round");
        self.rounds.push(row);
        Ok(finished)
    }

    async fn next_block(&self) -> Result<Arc<Decided>, DayError> {
        Ok(self.cast.orderer.send(NextBlock).await.map_err(DayError::lost("the orderer"))??)
    }

    /// When a round's bidding begins and ends, Unix milliseconds.
    fn times(&self, round_id: u64) -> (u64, u64) {
        let timing = self.cast.state.timing();
        (timing.open_ms(round_id).unwrap_or(0), timing.close_ms(round_id).unwrap_or(0))
    }

    /// Tells the members that are present that the round is open and hands their receipts to the auditor, until all have one
    /// or somebody cancels.
    async fn bidding(&mut self, round_id: u64, slot: MarketSlot) -> Result<Bidding, DayError> {
        let began = Stopwatch::start();
        let present = |member: &&MemberLink| !self.config.is_absent(slot, &member.id);
        let bidders: Vec<MemberLink> = self.cast.members.iter().filter(present).cloned().collect();
        for bidder in &bidders {
            let turned = bidder.turn.send(Turn).await.map_err(DayError::lost(&bidder.id))?;
            turned.map_err(|source| DayError::Member { id: bidder.id.clone(), source })?;
        }
        let (mut sealed, mut proving, mut plans) = (0, None, Vec::with_capacity(bidders.len()));
        while plans.len() < bidders.len() && !self.cancel.is_cancelled() {
            let Ok(news) = tokio::time::timeout(CANCEL_POLL, self.cast.news.recv()).await else {
                still_there(&bidders)?;
                continue;
            };
            let Some(news) = news.filter(|news| news.round_id == round_id) else { continue };
            let Some(member) = self.cast.members.get(news.member) else { continue };
            match news.what {
                BidNews::Sealed => {
                    sealed += 1;
                    self.tell_sealed(round_id, sealed, bidders.len());
                    proving = (sealed == bidders.len()).then(|| began.elapsed());
                }
                BidNews::Promised(receipt) => {
                    plans.push(member.owner.plan());
                    self.keep_receipt(receipt).await?;
                }
                // What the cancellation has stopped is no error.
                BidNews::Failed(_) if self.cancel.is_cancelled() => break,
                BidNews::Failed(why) => return Err(self.bid_error(member.id.clone(), why).await?),
            }
        }
        Ok(Bidding { plans, proving: proving.unwrap_or_else(|| began.elapsed()) })
    }

    fn tell_sealed(&self, round_id: u64, count: usize, total: usize) {
        // A proof that was under way when the day was cancelled comes to nothing.
        if !self.cancel.is_cancelled() {
            (self.observer)(DayEvent::BidSealed { round_id, count, total });
        }
    }

    async fn keep_receipt(&mut self, receipt: Receipt) -> Result<(), DayError> {
        self.receipts.push(receipt.clone());
        self.cast.auditor.send(ExpectBid(receipt)).await.map_err(DayError::lost("the auditor"))
    }

    /// When the orderer has stopped, its reason is the day's.
    async fn bid_error(&self, id: String, why: String) -> Result<DayError, DayError> {
        let ended = self.cast.orderer.send(Ended).await.map_err(DayError::lost("the orderer"))?;
        Ok(ended.map_or(DayError::Bid { id, why }, DayError::Order))
    }

    async fn verification_since_last(&mut self) -> Result<Duration, DayError> {
        let total = self.cast.aggregator.send(VerificationTime).await;
        let total = total.map_err(DayError::lost("the aggregator"))?;
        let since = total.saturating_sub(self.verification);
        self.verification = total;
        Ok(since)
    }

    /// Closes the round and drives it to its end, one block after another, or to the cancellation.
    async fn finish(&self, round_id: u64, opened: &mut Vec<OpenedSum>) -> Result<RoundEnd, DayError> {
        if self.cancel.is_cancelled() {
            return Ok(RoundEnd::Cancelled);
        }
        loop {
            let decided = self.next_block().await?;
            for effect in decided.effects.all().filter(|effect| round_of(effect) == Some(round_id)) {
                match effect {
                    Effect::ValueOpened { request, value_wh, .. } => {
                        opened.push(OpenedSum { request: *request, value_wh: *value_wh });
                    }
                    Effect::Settled(settled) => return Ok(RoundEnd::Settled(settled.outcome)),
                    Effect::Voided { reason, .. } => return Ok(RoundEnd::Voided(*reason)),
                    _ => {}
                }
            }
            if self.cancel.is_cancelled() {
                return Ok(RoundEnd::Cancelled);
            }
        }
    }

    /// Every member has checked its own settlement point; the simulation sums up what they traded.
    fn result(
        &self,
        round_id: u64,
        end: RoundEnd,
        gains: &mut Gains,
        row: &mut MarketRow,
    ) -> Result<RoundResult, DayError> {
        let outcome = match end {
            RoundEnd::Cancelled => return Ok(RoundResult::Unfinished),
            RoundEnd::Voided(reason) => return Ok(RoundResult::Void(reason)),
            RoundEnd::Settled(outcome) => outcome,
        };
        for member in &self.cast.members {
            let what = match member.owner.result(round_id) {
                Some(member::RoundResult::Settled(fill)) => {
                    simulation::record(self.config, gains, row, member, &fill)?;
                    continue;
                }
                Some(member::RoundResult::NoBid) => continue,
                Some(member::RoundResult::Wrong) => "has a settlement point that does not hold its fill",
                Some(member::RoundResult::Missing) => "was settled without its bid",
                _ => "was settled, and it can't tell what it traded",
            };
            return Err(DayError::Result { id: member.id.clone(), round_id, what });
        }
        Ok(RoundResult::Settled(outcome))
    }

    async fn report(self, tip: LedgerTip, gains: Gains, cancelled: bool) -> Result<DayReport, DayError> {
        self.check_agreement(&tip).await?;
        let Audited { report: audit, receipts: receipt_findings } = self.audited(&tip).await?;
        let money = if cancelled { None } else { money::report(&self.cast.state, &self.cast.members)? };
        let mut accounts = Vec::with_capacity(self.cast.members.len());
        for member in &self.cast.members {
            accounts.push((member.role, member.owner.account()));
        }
        Ok(DayReport {
            ledger_id: self.cast.state.community().ledger_id(),
            genesis_hash: self.cast.genesis_hash,
            tip,
            rounds: self.rounds,
            gains: gains.summary(),
            money,
            energy: simulation::by_role(&accounts),
            receipts: self.receipts,
            receipt_findings,
            audit,
            cancelled,
            key_generation: self.cast.key_generation,
            store_dirs: self.cast.store_dirs,
        })
    }

    /// "All validators end with the same ledger and the same state", except those that it has left behind and named.
    async fn check_agreement(&self, tip: &LedgerTip) -> Result<(), DayError> {
        let left_behind = |validator: u16| tip.left_behind.iter().any(|(left, _)| *left == validator);
        for (validator, address) in (1u16..).zip(&self.cast.validators) {
            if left_behind(validator) {
                continue;
            }
            let at = address.send(Tip).await.map_err(DayError::lost(format!("validator {validator}")))??;
            if (at.height, at.block_hash, at.state_root) != (tip.height, tip.block_hash, tip.state_root) {
                return Err(DayError::Disagreement { validator, height: at.height });
            }
        }
        Ok(())
    }

    async fn audited(&self, tip: &LedgerTip) -> Result<Audited, DayError> {
        let audited = self.cast.auditor.send(Conclude).await.map_err(DayError::lost("the auditor"))?;
        let audited = audited.map_err(|fault: FollowFault| DayError::Audit(fault))?;
        let report = &audited.report;
        if (report.height, report.block_hash, report.state_root)
            != (tip.height, tip.block_hash, tip.state_root)
        {
            return Err(DayError::AuditDisagreement { height: report.height });
        }
        Ok(audited)
    }
}

/// The round that an effect is about, as far as a conductor waits for it.
fn round_of(effect: &Effect) -> Option<u64> {
    match effect {
        Effect::ValueOpened { round_id, .. } => Some(*round_id),
        other => other.ended_round(),
    }
}

/// A member that has ended in a panic says nothing any more.
fn still_there(members: &[MemberLink]) -> Result<(), DayError> {
    match members.iter().find(|member| !member.turn.connected()) {
        Some(gone) => Err(DayError::ActorLost { who: gone.id.clone() }),
        None => Ok(()),
    }
}
