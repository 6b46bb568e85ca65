//! How rounds ended, as far as a process remembers it.

use std::collections::BTreeMap;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::state::round::{OpenedSum, Slot};
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::{Outcome, Purpose, SumKind, SumRequest};

/// Finished rounds whose end is remembered. Older ones are read from an export of the ledger.
const REMEMBERED_ROUNDS: usize = 4096;

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    /// With a result.
    Settled {
        /// What was traded.
        slot: Slot,
        /// The outcome.
        outcome: Outcome,
        /// The opened sums.
        opened: Vec<OpenedSum>,
        /// Number of bids.
        bids: u64,
    },
    /// Without one.
    Voided {
        /// Why.
        reason: VoidReason,
        /// Number of bids.
        bids: u64,
    },
}

/// How rounds ended, as far as it is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundEnds(BTreeMap<u64, RoundEnd>);

impl RoundEnds {
    /// Takes what a height or a transaction did.
    pub fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::PassedOver(passed) => {
                let remembered = REMEMBERED_ROUNDS as u64 - 1;
                let from = passed.first_round_id.max(passed.last_round_id.saturating_sub(remembered));
                let end = RoundEnd::Voided { reason: passed.reason, bids: 0 };
                self.0.extend((from..=passed.last_round_id).map(|round_id| (round_id, end.clone())));
            }
            other => self.0.extend(end_of(other)),
        }
        while self.0.len() > REMEMBERED_ROUNDS {
            self.0.pop_first();
        }
    }

    /// All of it, for the notes beside a saved state.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.length(self.0.len());
        for (round_id, end) in &self.0 {
            w.u64(*round_id);
            write_end(end, &mut w);
        }
        w.finish()
    }

    /// What [`RoundEnds::to_bytes`] has written.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let count = r.length("rounds", REMEMBERED_ROUNDS, 18)?;
        let ends = (0..count).map(|_| Ok((r.u64("round")?, read_end(&mut r)?)));
        let ends = ends.collect::<Result<_, WireError>>()?;
        r.finish()?;
        Ok(Self(ends))
    }

    /// How a round ended.
    pub fn of(&self, round_id: u64) -> Option<&RoundEnd> {
        self.0.get(&round_id)
    }
}

fn end_of(effect: &Effect) -> Option<(u64, RoundEnd)> {
    match effect {
        Effect::Settled(SettledRound { round_id, slot, opened, outcome, bids }) => {
            let (opened, bids) = (opened.clone(), bids.len() as u64);
            Some((*round_id, RoundEnd::Settled { slot: *slot, outcome: *outcome, opened, bids }))
        }
        Effect::Voided { round_id, reason, bids } => {
            Some((*round_id, RoundEnd::Voided { reason: *reason, bids: *bids }))
        }
        _ => None,
    }
}

const REASONS: [VoidReason; 4] =
    [VoidReason::TooFewBids, VoidReason::OpeningDeadline, VoidReason::NoKeys, VoidReason::NotOpened];
const KINDS: [SumKind; 4] = [SumKind::W, SumKind::Z, SumKind::S, SumKind::D];
const PURPOSES: [Purpose; 2] = [Purpose::Path, Purpose::Volume];
/// Longer than any outcome's encoding.
const MAX_OUTCOME_BYTES: usize = 256;

fn code_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    // There are a few of each.
    all.iter().position(|other| other == one).map_or(u8::MAX, |at| at as u8)
}

fn read_code<T: Copy>(all: &[T], r: &mut Reader<'_>, field: &'static str) -> Result<T, WireError> {
    let code = r.u8(field)?;
    all.get(usize::from(code)).copied().ok_or(WireError::Invalid { field, why: "there is no such one" })
}

fn write_end(end: &RoundEnd, w: &mut Writer) {
    match end {
        RoundEnd::Voided { reason, bids } => {
            w.u8(0).u8(code_of(&REASONS, reason)).u64(*bids);
        }
        RoundEnd::Settled { slot, outcome, opened, bids } => {
            w.u8(1).i64(slot.start_unix_s).u32(slot.seconds).blob(&outcome.to_bytes()).length(opened.len());
            for OpenedSum { request: SumRequest { kind, tick, purpose }, value_wh } in opened {
                w.u8(code_of(&KINDS, kind)).u8(code_of(&PURPOSES, purpose));
                w.i64(i64::from(*tick)).i64(*value_wh);
            }
            w.u64(*bids);
        }
    }
}

fn read_end(r: &mut Reader<'_>) -> Result<RoundEnd, WireError> {
    match r.u8("end of a round")? {
        0 => {
            let reason = read_code(&REASONS, r, "reason")?;
            Ok(RoundEnd::Voided { reason, bids: r.u64("bids")? })
        }
        1 => {
            let slot = Slot { start_unix_s: r.i64("slot")?, seconds: r.u32("slot length")? };
            let invalid = |field| WireError::Invalid { field, why: "no round ends so" };
            let outcome = Outcome::from_bytes(r.blob("outcome", MAX_OUTCOME_BYTES)?);
            let outcome = outcome.map_err(|_| invalid("outcome"))?;
            let count = r.length("opened sums", usize::MAX, 18)?;
            let opened = (0..count).map(|_| {
                let (kind, purpose) = (read_code(&KINDS, r, "sum")?, read_code(&PURPOSES, r, "purpose")?);
                let tick = i32::try_from(r.i64("tick")?).map_err(|_| invalid("tick"))?;
                Ok(OpenedSum {
                    request: SumRequest { kind, tick, purpose },
                    value_wh: r.i64("opened value")?,
                })
            });
            let opened = opened.collect::<Result<_, WireError>>()?;
            Ok(RoundEnd::Settled { slot, outcome, opened, bids: r.u64("bids")? })
        }
        _ => Err(WireError::Invalid { field: "end of a round", why: "there is no such one" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::state::effects::PassedRounds;

    #[test]
    fn rounds_that_were_passed_over_are_void_and_not_remembered_without_bound() {
        let reason = VoidReason::NotOpened;
        let passed = |first_round_id, last_round_id| {
            Effect::PassedOver(PassedRounds { first_round_id, last_round_id, reason })
        };
        let mut ends = RoundEnds::default();
        ends.note(&passed(3, 4));
        let void = RoundEnd::Voided { reason, bids: 0 };
        assert_eq!([2, 3, 4, 5].map(|id| ends.of(id)), [None, Some(&void), Some(&void), None]);
        ends.note(&passed(5, u64::MAX));
        assert_eq!((ends.0.len(), ends.of(3)), (REMEMBERED_ROUNDS, None));
        let oldest = u64::MAX - REMEMBERED_ROUNDS as u64 + 1;
        assert_eq!([oldest - 1, oldest, u64::MAX].map(|id| ends.of(id).is_some()), [false, true, true]);
    }

    #[test]
    fn what_is_noted_comes_back_and_nothing_else_is_read() {
        let grid = veilgrid_market::Grid::new(1_000, 10, 4).expect("grid");
        let book = [3, 0, 4, 2, 0, 4, 0, 0];
        let cleared = veilgrid_market::clear_plain(&grid, veilgrid_market::Rule::Uniform, true, &book);
        let outcome = cleared.expect("a book").outcome;
        let sum = |kind, tick, purpose, value_wh| OpenedSum {
            request: SumRequest { kind, tick, purpose },
            value_wh,
        };
        let opened =
            vec![sum(SumKind::W, -1, Purpose::Path, -9), sum(SumKind::D, 3, Purpose::Volume, i64::MAX)];
        let slot = Slot { start_unix_s: -900, seconds: 900 };
        let mut ends: BTreeMap<u64, RoundEnd> =
            BTreeMap::from([(7, RoundEnd::Settled { slot, outcome, opened, bids: 5 })]);
        ends.extend((8..).zip(REASONS.map(|reason| RoundEnd::Voided { reason, bids: 1 })));
        let ends = RoundEnds(ends);
        let bytes = ends.to_bytes();
        assert_eq!(RoundEnds::from_bytes(&bytes), Ok(ends));
        assert_eq!(RoundEnds::from_bytes(&RoundEnds::default().to_bytes()), Ok(RoundEnds::default()));
        for at in 0..bytes.len() {
            assert!(RoundEnds::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
