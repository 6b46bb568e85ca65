//! A candidate's own key events on their way to the validators: no gossip reaches it.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_client::Client;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::Transaction;

/// What is not on the ledger this long after it was sent is sent again.
const AGAIN: Duration = Duration::from_millis(1_500);
/// Validators that get a transaction at once. One that is honest and takes it is enough: it gossips.
const AT_ONCE: usize = 8;

/// Sends until the ledger has it.
pub(super) struct HandIn {
    validators: Vec<Client>,
    /// Whose turn it is.
    next: usize,
    sent: BTreeMap<Hash, Stopwatch>,
    /// Sending tasks; they end by themselves, by the client's bounds.
    sending: JoinSet<()>,
}

impl HandIn {
    pub(super) fn new(validators: Vec<Client>) -> Self {
        Self { validators, next: 0, sent: BTreeMap::new(), sending: JoinSet::new() }
    }

    /// Sends what of this the ledger should have by now and does not. Returns at once.
    pub(super) fn send(&mut self, pending: Vec<Transaction>) {
        while self.sending.try_join_next().is_some() {}
        // Shares of openings are no business of a candidate's.
        let events = pending.into_iter().filter(|one| matches!(one, Transaction::KeyEvent { .. }));
        let events: BTreeMap<Hash, Transaction> = events.map(|event| (event.digest(), event)).collect();
        self.sent.retain(|digest, _| events.contains_key(digest));
        for (digest, event) in events {
            if self.sent.get(&digest).is_some_and(|since| since.elapsed() < AGAIN) {
                continue;
            }
            self.sent.insert(digest, Stopwatch::start());
            self.post(&event);
        }
    }

    fn post(&mut self, event: &Transaction) {
        let bytes = event.to_bytes();
        let turn = self.validators.iter().cycle().skip(self.next).take(self.validators.len().min(AT_ONCE));
        for validator in turn.cloned().collect::<Vec<_>>() {
            let bytes = bytes.clone();
            self.sending.spawn(async move {
                let name = validator.name().to_owned();
                match validator.submit_transaction(bytes).await {
                    Ok(()) => tracing::debug!(validator = name, "a key event was handed in"),
                    Err(error) => tracing::debug!(validator = name, %error, "a key event was not taken"),
                }
            });
        }
        self.next = self.next.saturating_add(AT_ONCE).checked_rem(self.validators.len()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_client::ClientOptions;

    /// How many requests an offer begins.
    fn begun(hand_in: &mut HandIn, pending: &[Transaction]) -> usize {
        hand_in.sending.abort_all();
        hand_in.sending.detach_all();
        hand_in.send(pending.to_vec());
        hand_in.sending.len()
    }

    #[test]
    fn key_events_are_sent_to_several_until_the_ledger_has_them() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            // Nobody listens there: what counts is what is tried.
            let client = |_| Client::new("http://127.0.0.1:1", &ClientOptions::default()).expect("client");
            let mut hand_in = HandIn::new((0..3).map(client).collect());
            let event = |session| Transaction::KeyEvent { session, event: vec![1] };
            let other = Transaction::CloseRound { round_id: 1 };
            assert_eq!(
                begun(&mut hand_in, &[event(1), other]),
                3,
                "to all three, and nothing but key events"
            );
            assert_eq!(begun(&mut hand_in, &[event(1)]), 0, "it is on its way");
            assert_eq!(begun(&mut hand_in, &[event(1), event(2)]), 3, "the new one");
            tokio::time::sleep(AGAIN).await;
            assert_eq!(begun(&mut hand_in, &[event(1), event(2)]), 6, "both are not on the ledger yet");
            assert_eq!(begun(&mut hand_in, &[]), 0);
            assert_eq!(hand_in.sent.len(), 0, "what is on the ledger is forgotten");
            let mut many = HandIn::new((0..20).map(client).collect());
            assert_eq!(begun(&mut many, &[event(1)]), AT_ONCE);
            assert_eq!((many.next, begun(&mut many, &[event(2)]), many.next), (8, AT_ONCE, 16), "in turns");
            assert_eq!(begun(&mut HandIn::new(Vec::new()), &[event(1)]), 0);
        });
    }
}
