//! Cleared prices from several validators. What one of them says is a claim: a round counts as over when f + 1 of those that are
//! configured say the same of it, so that one that errs or lies moves no order.

use std::collections::{BTreeMap, BTreeSet};
use veilgrid_api::{RoundStatus, Stage};
use veilgrid_client::{Client, ClientError};
use veilgrid_household::{Outlook, SlotPrice, Window};

/// Rounds that are asked for when the gateway starts, and that may be open at once: two days of quarter-hours.
const MAX_ROUNDS: u64 = 192;
/// Rounds that are asked for in one look, so that a look is short.
const ROUNDS_A_LOOK: usize = 64;

/// What several validators say of the market.
pub struct Market {
    clients: Vec<Client>,
    /// How many have to say the same: f + 1.
    agreeing: usize,
    outlook: Outlook,
    /// Rounds that are over and known.
    over: BTreeSet<u64>,
    /// A round and its slot, from which all others follow.
    anchor: Option<(u64, i64, u32)>,
    last_round_id: Option<u64>,
}

impl Market {
    /// A market that is asked of these.
    pub fn new(clients: Vec<Client>) -> Self {
        let agreeing = clients.len().saturating_sub(1) / 3 + 1;
        Self {
            clients,
            agreeing,
            outlook: Outlook::default(),
            over: BTreeSet::new(),
            anchor: None,
            last_round_id: None,
        }
    }

    /// Prices as they are known.
    pub fn outlook(&self) -> &Outlook {
        &self.outlook
    }

    /// One day of slots from the last round that was opened; none before it is known.
    pub fn window(&self) -> Option<Window> {
        let (round_id, start_unix_s, slot_seconds) = self.anchor?;
        let rounds =
            i64::try_from(i128::from(self.last_round_id?).checked_sub(i128::from(round_id))?).ok()?;
        let first_unix_s = start_unix_s.checked_add(rounds.checked_mul(i64::from(slot_seconds))?)?;
        Some(Window { first_unix_s, slot_seconds })
    }

    /// Asks once for what is new.
    ///
    /// # Errors
    /// Why fewer than f + 1 answer.
    pub async fn look(&mut self) -> Result<(), String> {
        let (mut answering, mut last_rounds, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for client in &self.clients {
            match client.status().await {
                Ok(status) => {
                    answering.push(client.clone());
                    last_rounds.extend(status.last_round_id);
                }
                Err(error) => silent.push(error.to_string()),
            }
        }
        if answering.len() < self.agreeing {
            return Err(silent.join("; "));
        }
        // The f + 1st highest: at least one that does not lie has got as far.
        last_rounds.sort_unstable_by(|a, b| b.cmp(a));
        let Some(last) = last_rounds.get(self.agreeing.saturating_sub(1)).copied() else { return Ok(()) };
        self.last_round_id = Some(last);
        let from = last.saturating_sub(MAX_ROUNDS.saturating_sub(1)).max(1);
        // The newest first: what is due next matters most.
        let open: Vec<u64> =
            (from..=last).rev().filter(|round| !self.over.contains(round)).take(ROUNDS_A_LOOK).collect();
        for round_id in open {
            self.ask(&mut answering, round_id).await;
        }
        self.over.retain(|round_id| *round_id >= from);
        Ok(())
    }

    async fn ask(&mut self, answering: &mut Vec<Client>, round_id: u64) {
        let mut answers = Vec::new();
        let mut silent = BTreeSet::new();
        for client in answering.iter() {
            match client.round(round_id).await {
                Ok(round) if round.round_id == round_id => answers.push(round),
                // A round that this one has not seen yet.
                Ok(_) | Err(ClientError::Refused { .. }) => {}
                Err(_) => {
                    silent.insert(client.name().to_owned());
                }
            }
        }
        // Whoever is silent is waited for once in a look, not once a round.
        answering.retain(|client| !silent.contains(client.name()));
        if let Some(slot) = agreed(&answers, self.agreeing, |round| round.slot) {
            self.anchor = Some((round_id, slot.start_unix_s, slot.seconds));
        }
        let end = |round: &RoundStatus| match round.stage {
            Stage::Settled => round.outcome.map(|outcome| (true, outcome.trade)),
            Stage::Void => Some((false, None)),
            _ => None,
        };
        let Some((_, trade)) = agreed(&answers, self.agreeing, end) else {
            // A node that was restarted says that a round is over, and not how: then nobody may know.
            let forgotten = answers.iter().filter(|round| round.stage == Stage::Finished).count();
            if forgotten > 0 && forgotten == answers.len() && forgotten >= self.agreeing {
                self.over.insert(round_id);
            }
            return;
        };
        let Some(start_unix_s) = self.slot_start(round_id) else { return };
        let seconds = self.anchor.map_or(0, |(_, _, seconds)| seconds);
        let prices = trade.map(|trade| (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh));
        self.outlook.insert(SlotPrice { start_unix_s, seconds, prices });
        self.over.insert(round_id);
    }

    fn slot_start(&self, round_id: u64) -> Option<i64> {
        let (known, start_unix_s, seconds) = self.anchor?;
        let rounds = i64::try_from(i128::from(round_id).checked_sub(i128::from(known))?).ok()?;
        start_unix_s.checked_add(rounds.checked_mul(i64::from(seconds))?)
    }
}

/// What at least `agreeing` answers say alike; what is left out is not said.
fn agreed<T: PartialEq>(
    answers: &[RoundStatus],
    agreeing: usize,
    of: impl Fn(&RoundStatus) -> Option<T>,
) -> Option<T> {
    let said: Vec<T> = answers.iter().filter_map(of).collect();
    let count = |value: &T| said.iter().filter(|other| *other == value).count();
    let counts: BTreeMap<usize, usize> =
        said.iter().enumerate().map(|(index, value)| (index, count(value))).collect();
    let index = counts.into_iter().find(|(_, count)| *count >= agreeing)?.0;
    said.into_iter().nth(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stage: Stage) -> RoundStatus {
        RoundStatus::at(7, stage)
    }

    #[test]
    fn one_that_says_something_else_is_not_believed() {
        let stage = |round: &RoundStatus| Some(round.stage);
        let answers = [at(Stage::Void), at(Stage::Settled), at(Stage::Settled)];
        assert_eq!(agreed(&answers, 2, stage), Some(Stage::Settled));
        assert_eq!(agreed(&answers[..2], 2, stage), None);
        assert_eq!(agreed(&answers, 2, |round| round.outcome), None);
    }

    #[test]
    fn the_window_begins_with_the_slot_of_the_last_round() {
        let mut market = Market::new(Vec::new());
        assert_eq!(market.window(), None);
        market.anchor = Some((10, 90_000, 900));
        market.last_round_id = Some(12);
        assert_eq!(market.window(), Some(Window { first_unix_s: 91_800, slot_seconds: 900 }));
        assert_eq!(market.slot_start(8), Some(88_200));
    }
}
