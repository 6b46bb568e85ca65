//! How phases end, and what a session ends in.

use super::{Abort, AbortReason, Agreement, DealerFault, Phase, ReceiverFault, Refusal, Session};
use crate::keygen::context::Task;
use crate::keygen::lagrange::lagrange_at_zero;
use crate::keygen::public::{Points, generated, refreshed, reshared};

impl Session {
    /// Passes to the block of `height`; every phase whose deadline is before it ends.
    ///
    /// # Errors
    /// [`Refusal::Height`] for a height below the last one.
    pub fn advance(&mut self, height: u64) -> Result<(), Refusal> {
        if height < self.height {
            return Err(Refusal::Height { height, seen: self.height });
        }
        self.height = height;
        self.close_phases();
        Ok(())
    }

    /// Ends all phases that are complete or over.
    pub(super) fn close_phases(&mut self) {
        loop {
            let (until, complete) = match self.phase {
                Phase::Announcing => {
                    (self.schedule.announce_until, self.announced.iter().all(Option::is_some))
                }
                Phase::Dealing => {
                    let done = self.dealers.iter().all(|d| d.delivery.is_some() || d.fault.is_some());
                    (self.schedule.deal_until, done)
                }
                Phase::Judging => {
                    let mut parties = self.announced.iter().zip(&self.verdicts);
                    (
                        self.schedule.judge_until,
                        parties.all(|(key, verdict)| key.is_none() || verdict.is_some()),
                    )
                }
                Phase::Answering => {
                    let over = self.complaints.is_empty() || self.too_many_reveals();
                    (self.schedule.answer_until, over)
                }
                Phase::Ended => return,
            };
            if !complete && self.height <= until {
                return;
            }
            let ended = match self.phase {
                Phase::Announcing => self.end_announcing(),
                Phase::Dealing => self.end_dealing(),
                Phase::Judging => self.end_judging(),
                Phase::Answering | Phase::Ended => self.end_answering().map(Some),
            };
            match ended {
                Ok(None) => self.enter(self.phase.next()),
                Ok(Some(agreement)) => self.end(Ok(agreement)),
                Err(reason) => self.end(Err(self.abort(reason))),
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.absorb(&[]);
    }

    fn end(&mut self, outcome: Result<Agreement, Abort>) {
        self.enter(Phase::Ended);
        self.complaints.clear();
        self.outcome = Some(outcome);
    }

    fn abort(&self, reason: AbortReason) -> Abort {
        Abort { reason, dealer_faults: self.dealer_faults(), receiver_faults: self.receiver_faults() }
    }

    fn end_announcing(&mut self) -> Result<Option<Agreement>, AbortReason> {
        let silent = (1..).zip(&self.announced).filter(|(_, key)| key.is_none());
        self.receiver_faults.extend(silent.map(|(receiver, _)| (receiver, ReceiverFault::NoKey)));
        self.check_receivers()
    }

    fn end_dealing(&mut self) -> Result<Option<Agreement>, AbortReason> {
        for dealer in 1..=self.ctx.dealers.validators {
            let state = &self.dealers[usize::from(dealer) - 1];
            if state.package.is_none() {
                self.exclude(dealer, DealerFault::NoPackage);
            } else if state.delivery.is_none() {
                self.exclude(dealer, DealerFault::NoDelivery);
            }
        }
        self.check_dealers()
    }

    /// Convicts whom the number of complaints convicts, dealers first: among more than f' receivers one is honest and
    /// has complained about a false dealer. Of the dealers that are left at most f are false.
    fn end_judging(&mut self) -> Result<Option<Agreement>, AbortReason> {
        for (receiver, verdict) in (1..).zip(&self.verdicts) {
            match verdict {
                Some(complaints) => {
                    self.complaints.extend(complaints.iter().map(|dealer| (*dealer, receiver)))
                }
                None => {
                    self.receiver_faults.entry(receiver).or_insert(ReceiverFault::NoVerdict);
                }
            }
        }
        // With f = 0 nobody is known to be honest, and nobody is convicted by numbers.
        let too_many = |complaints: usize, faults: u16| faults > 0 && complaints > faults.into();
        for dealer in self.participants() {
            let complaints = self.complaints_against(dealer).len();
            if too_many(complaints, self.ctx.receivers.faults()) {
                self.exclude(dealer, DealerFault::Accused { complaints });
            }
        }
        for receiver in 1..=self.ctx.receivers.validators {
            let complaints = self.complaints.iter().filter(|(_, r)| *r == receiver).count();
            if too_many(complaints, self.ctx.dealers.faults()) {
                self.complaints.retain(|(_, r)| *r != receiver);
                self.receiver_faults.insert(receiver, ReceiverFault::FalseComplaints { complaints });
            }
        }
        self.check_receivers()?;
        self.check_dealers()
    }

    fn end_answering(&mut self) -> Result<Agreement, AbortReason> {
        if self.too_many_reveals() {
            let disputes = self.answers.keys().copied().collect();
            return Err(AbortReason::TooManyReveals { disputes, allowed: self.ctx.receivers.faults() });
        }
        while let Some((dealer, receiver)) = self.complaints.first().copied() {
            self.exclude(dealer, DealerFault::Unanswered { receiver });
        }
        self.check_dealers()?;
        self.conclude()
    }

    /// "Of no dealer more than f' shares are revealed." The bound is one of each dealer, because each polynomial stands
    /// for itself: a bound over all dealers would let one false validator abort every session, by false shares for one
    /// receiver and a complaint about one dealer. With f' > 0 the conviction by numbers keeps it already; with f' = 0,
    /// which convicts nobody, it ends the session at the first answer.
    fn too_many_reveals(&self) -> bool {
        let allowed = usize::from(self.ctx.receivers.faults());
        // At most f' complaints about a dealer are open, so the numbers are small.
        self.answers
            .keys()
            .any(|(dealer, _)| self.answers.range((*dealer, 0)..=(*dealer, u16::MAX)).count() > allowed)
    }

    /// "At least t' receivers answer for their shares."
    fn check_receivers(&self) -> Result<Option<Agreement>, AbortReason> {
        let found = self.announced.len().saturating_sub(self.receiver_faults.len());
        let needed = self.ctx.receivers.threshold;
        if found < needed.into() { Err(AbortReason::TooFewReceivers { found, needed }) } else { Ok(None) }
    }

    /// "At least t dealers qualify."
    fn check_dealers(&self) -> Result<Option<Agreement>, AbortReason> {
        let (found, needed) = (self.participants().len(), self.ctx.dealers.threshold);
        if found < needed.into() { Err(AbortReason::TooFewDealers { found, needed }) } else { Ok(None) }
    }

    /// Adds up what the qualified dealers dealt.
    fn conclude(&mut self) -> Result<Agreement, AbortReason> {
        let mut dealers = self.participants();
        if self.ctx.task == Task::Reshare {
            dealers.truncate(self.ctx.dealers.threshold.into());
            self.weights = lagrange_at_zero(&dealers);
        }
        let states = dealers.iter().map(|dealer| &self.dealers[usize::from(*dealer) - 1]);
        let points: Vec<&Points> =
            states.filter_map(|state| state.package.as_ref()).map(|package| &package.points).collect();
        let public = match (self.ctx.task, &self.previous) {
            (Task::Refresh, Some(previous)) => refreshed(previous, &points),
            (Task::Reshare, Some(previous)) => reshared(previous, self.ctx.receivers, &self.weights, &points),
            _ => generated(self.ctx.receivers, &points).map_err(AbortReason::Keys)?,
        };
        let (dealer_faults, receiver_faults) = (self.dealer_faults(), self.receiver_faults());
        Ok(Agreement { public, dealers, dealer_faults, receiver_faults })
    }
}

impl Phase {
    fn next(self) -> Self {
        match self {
            Self::Announcing => Self::Dealing,
            Self::Dealing => Self::Judging,
            Self::Judging => Self::Answering,
            Self::Answering | Self::Ended => Self::Ended,
        }
    }
}
