//! When a bid is sent to whom: a state machine over a clock that the caller turns, without any network.
//!
//! ```text
//! aggregator asked ──receipt──> watch ──bid on the ledger──────────────> done
//!      │                          └──not there at half of the time left──┐
//!      └──refusal, or silence────────────────────────────────────────────┴─> validators, until f+1 receipts
//! ```
//!
//! The bid is the same bytes for everybody and every time, so nothing is lost by asking once more than needed. With
//! receipts of f+1 validators at least one honest one has the bid, and what it acknowledged before the close is on the
//! ledger after the grace. An aggregator that gives receipts and drops bids therefore delays a bid and gains nothing.

use std::fmt;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The aggregator.
    Aggregator,
    /// A validator, by its number from 1.
    Validator(u16),
}

/// As part of file names and evidence.
impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aggregator => out.write_str("aggregator"),
            Self::Validator(number) => write!(out, "validator-{number}"),
        }
    }
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A receipt that was checked and stored.
    Receipt,
    /// A refusal that will be the same next time.
    Refused,
    /// No answer, or one that may be another next time.
    Failed,
    /// The node has not seen the round open yet: it is asked again in a moment, as if it had not answered.
    Early,
}

/// Why validators are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The aggregator refuses, or can't be reached.
    NotTaken,
    /// The aggregator does not answer.
    Silent,
    /// The aggregator has given a receipt and the bid is not on the ledger.
    NotOnLedger,
}

/// The circumstances of one delivery. Times are Unix milliseconds of the member's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Validators of the roster.
    pub validators: u16,
    /// Receipts of validators that are enough: f+1.
    pub needed: u16,
    /// The validator that is asked first, from 1; members spread over them.
    pub first_validator: u16,
    /// Nothing is sent from here on: no node promises anything any more.
    pub last_promise_unix_ms: u64,
    /// A node that has not answered for this long counts as silent.
    pub silence_ms: u64,
    /// First pause before the same node is asked again; doubles.
    pub pause_ms: u64,
    /// Longest pause.
    pub longest_pause_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Not asked yet.
    Fresh,
    /// Asked; silent when it takes too long, and its answer still counts.
    Asked { since_ms: u64 },
    /// To be asked again.
    Pausing { until_ms: u64 },
    /// It has given a receipt.
    Receipted { at_ms: u64 },
    /// It refuses for good.
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Way {
    route: Route,
    failures: u32,
    /// When it was asked first.
    first_ms: Option<u64>,
    /// Its last answer was that the round is not open yet.
    early: bool,
}

impl Way {
    const FRESH: Self = Self { route: Route::Fresh, failures: 0, first_ms: None, early: false };

    fn ask(&mut self, now_ms: u64) {
        self.route = Route::Asked { since_ms: now_ms };
        self.first_ms.get_or_insert(now_ms);
    }

    fn can_be_asked(&self, now_ms: u64) -> bool {
        match self.route {
            Route::Fresh => true,
            Route::Pausing { until_ms } => until_ms <= now_ms,
            Route::Asked { .. } | Route::Receipted { .. } | Route::Refused => false,
        }
    }
}

/// The delivery of one bid.
#[derive(Debug, Clone)]
pub struct Delivery {
    terms: Terms,
    aggregator: Way,
    validators: Vec<Way>,
    on_ledger: bool,
    fallback: Option<Fallback>,
}

impl Delivery {
    /// A delivery that has not begun.
    pub fn new(terms: Terms) -> Self {
        let validators = vec![Way::FRESH; usize::from(terms.validators)];
        Self { terms, aggregator: Way::FRESH, validators, on_ledger: false, fallback: None }
    }

    /// Why validators are or were asked; none while the aggregator does its work.
    pub fn fallback(&self) -> Option<Fallback> {
        self.fallback
    }

    /// Whether the bid is on the ledger.
    pub fn is_on_ledger(&self) -> bool {
        self.on_ledger
    }

    /// Validators that have given a receipt.
    pub fn validator_receipts(&self) -> u16 {
        let given = self.validators.iter().filter(|way| matches!(way.route, Route::Receipted { .. })).count();
        u16::try_from(given).unwrap_or(u16::MAX)
    }

    /// Whether the aggregator has given a receipt.
    pub fn aggregator_receipt(&self) -> bool {
        matches!(self.aggregator.route, Route::Receipted { .. })
    }

    /// The bid is on the ledger: nothing more is to be done.
    pub fn seen_on_ledger(&mut self) {
        self.on_ledger = true;
    }

    /// Notes an answer. Of a node that was not asked it is a receipt from before a restart.
    pub fn answered(&mut self, target: Target, answer: Answer, now_ms: u64) {
        let terms = self.terms;
        let Some(way) = self.way_mut(target) else { return };
        if matches!(way.route, Route::Receipted { .. }) {
            return;
        }
        way.early = answer == Answer::Early;
        way.route = match answer {
            Answer::Early => Route::Pausing { until_ms: now_ms.saturating_add(terms.pause_ms / 2) },
            Answer::Receipt => Route::Receipted { at_ms: now_ms },
            Answer::Refused => Route::Refused,
            Answer::Failed => {
                let pause_ms = terms.pause_ms.saturating_mul(2u64.saturating_pow(way.failures));
                way.failures = way.failures.saturating_add(1);
                Route::Pausing { until_ms: now_ms.saturating_add(pause_ms.min(terms.longest_pause_ms)) }
            }
        };
    }

    /// Who is to be sent the bid now. The caller sends it and reports the answer, whenever it comes.
    pub fn due(&mut self, now_ms: u64) -> Vec<Target> {
        let mut due = Vec::new();
        if self.on_ledger || now_ms >= self.terms.last_promise_unix_ms {
            return due;
        }
        if self.aggregator.can_be_asked(now_ms) && !self.has_enough_validators() {
            self.aggregator.ask(now_ms);
            due.push(Target::Aggregator);
        }
        if let Some(reason) = self.reason_for_validators(now_ms) {
            self.fallback.get_or_insert(reason);
            self.ask_validators(now_ms, &mut due);
        }
        due
    }

    fn has_enough_validators(&self) -> bool {
        self.validator_receipts() >= self.terms.needed
    }

    fn is_silent(&self, way: &Way, now_ms: u64) -> bool {
        match way.route {
            Route::Asked { since_ms } => now_ms.saturating_sub(since_ms) >= self.terms.silence_ms,
            _ => false,
        }
    }

    fn asked_for_long(&self, now_ms: u64) -> bool {
        let since = self.aggregator.first_ms.map(|first_ms| now_ms.saturating_sub(first_ms));
        since.is_some_and(|since| since >= self.terms.silence_ms)
    }

    fn reason_for_validators(&self, now_ms: u64) -> Option<Fallback> {
        match self.aggregator.route {
            Route::Receipted { at_ms } => {
                let left_ms = self.terms.last_promise_unix_ms.saturating_sub(at_ms);
                (now_ms >= at_ms.saturating_add(left_ms / 2)).then_some(Fallback::NotOnLedger)
            }
            // Members see a round open before the aggregator as often as after it.
            Route::Pausing { .. } if self.aggregator.early && !self.asked_for_long(now_ms) => self.fallback,
            Route::Refused | Route::Pausing { .. } => Some(Fallback::NotTaken),
            Route::Asked { .. } if self.is_silent(&self.aggregator, now_ms) => Some(Fallback::Silent),
            // It failed before and is asked again: whoever was asked meanwhile is not given up.
            Route::Asked { .. } | Route::Fresh => self.fallback,
        }
    }

    /// Asks as many validators as are missing; silent ones do not count, so that others take their place.
    fn ask_validators(&mut self, now_ms: u64, due: &mut Vec<Target>) {
        let counts = |way: &&Way| match way.route {
            Route::Receipted { .. } => true,
            Route::Asked { .. } => !self.is_silent(way, now_ms),
            _ => false,
        };
        let counting = self.validators.iter().filter(counts).count();
        let mut missing = usize::from(self.terms.needed).saturating_sub(counting);
        let count = self.validators.len();
        let first = usize::from(self.terms.first_validator.saturating_sub(1));
        // Those that were never asked first, then those whose pause is over.
        for again in [false, true] {
            for step in 0..count {
                let index = first.saturating_add(step).checked_rem(count).unwrap_or(0);
                let Some(way) = self.validators.get_mut(index).filter(|_| missing > 0) else { continue };
                if way.can_be_asked(now_ms) && (again || way.route == Route::Fresh) {
                    way.ask(now_ms);
                    due.push(Target::Validator(u16::try_from(index).unwrap_or(u16::MAX).saturating_add(1)));
                    missing = missing.saturating_sub(1);
                }
            }
        }
    }

    fn way_mut(&mut self, target: Target) -> Option<&mut Way> {
        match target {
            Target::Aggregator => Some(&mut self.aggregator),
            Target::Validator(number) => self.validators.get_mut(usize::from(number.checked_sub(1)?)),
        }
    }
}

#[cfg(test)]
mod tests;
