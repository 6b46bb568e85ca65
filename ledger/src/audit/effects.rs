//! What an audit counts of the effects of a block, and the conservation of each cleared round.

use super::auditor::Auditor;
use super::conservation;
use super::report::RefusedTransaction;
use super::violation::{ConservationError, Violation, ViolationRule};
use crate::state::State;
use crate::state::effects::Effect;
use crate::state::round::OpenedSum;
use crate::transaction::TransactionKind;
use veilgrid_market::Grid;

impl Auditor {
    pub(super) fn count(&mut self, kind: TransactionKind) {
        *self.tally.block().transactions.entry(kind).or_insert(0) += 1;
    }

    /// Counts what a block did, the last one of a state; of transactions about rounds that are not recomputed the kind
    /// alone is known.
    pub(super) fn effects<'a>(
        &mut self,
        state: &State,
        kinds: &[(TransactionKind, Option<u64>)],
        at_start: &[Effect],
        effects: impl Iterator<Item = Option<&'a Effect>>,
    ) -> Result<(), Violation> {
        let (height, grid) = (state.height(), state.community().params().grid);
        at_start.iter().for_each(|effect| self.tally.block().count(effect));
        for (index, (effect, (kind, round))) in effects.zip(kinds.iter().copied()).enumerate() {
            self.count(kind);
            let term = matches!(kind, TransactionKind::OpenRound | TransactionKind::CloseRound);
            if let Some(round_id) = round.filter(|_| term && !matches!(effect, Some(Effect::Refused(_)))) {
                self.receipts.observe_term(round_id, state);
            }
            let Some(effect) = effect else { continue };
            if let Effect::Refused(refusal) = effect {
                let reason = refusal.to_string();
                self.tally.block().refuse(RefusedTransaction { height, index, kind, reason });
            }
            self.receipts.observe(effect);
            let place = |rule| Violation { height: Some(height), transaction: Some(index), round, rule };
            self.effect(&grid, effect).map_err(place)?;
        }
        Ok(())
    }

    fn effect(&mut self, grid: &Grid, effect: &Effect) -> Result<(), ViolationRule> {
        self.tally.block().count(effect);
        if let Some(totals) = &mut self.totals {
            totals.take(effect);
        }
        match effect {
            Effect::ValueOpened { round_id, request, value_wh, .. } => {
                let sum = OpenedSum { request: *request, value_wh: *value_wh };
                self.opened.entry(*round_id).or_default().push(sum);
            }
            Effect::Cleared { round_id, outcome } => {
                let opened = self.opened.remove(round_id).unwrap_or_default();
                match conservation::check(grid, outcome, &opened) {
                    Ok(()) => self.tally.block().conservation_checks += 1,
                    // The outcome itself was recomputed; this second look at it needs sums that were not opened.
                    Err(ConservationError::Undetermined) => self.tally.block().conservation_undetermined += 1,
                    Err(error) => return Err(ViolationRule::Conservation(Box::new(error))),
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditRequest;
    use veilgrid_market::{Rule, clear_plain};

    /// The state machine refuses such an outcome before; this is what the second look is there for.
    #[test]
    fn an_outcome_that_creates_energy_is_a_violation() {
        let grid = Grid::new(1_000, 10, 4).expect("grid");
        let book = clear_plain(&grid, Rule::Uniform, true, &[3, 0, 4, 2, 0, 4, 0, 0]).expect("book");
        let check = |rest_more: u64| {
            let mut auditor = Auditor::new(AuditRequest::default());
            for (opening_index, &(request, value_wh)) in (0..).zip(&book.opened) {
                let opened = Effect::ValueOpened { round_id: 1, opening_index, request, value_wh };
                auditor.effect(&grid, &opened).expect("counted");
            }
            let mut outcome = book.outcome;
            outcome.trade.as_mut().expect("trade").rest_q16 += rest_more;
            auditor.effect(&grid, &Effect::Cleared { round_id: 1, outcome })
        };
        assert_eq!(check(0), Ok(()));
        assert!(matches!(check(1), Err(ViolationRule::Conservation(_))));
    }
}
