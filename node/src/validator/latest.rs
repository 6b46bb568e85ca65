//! The latest state on its way to an actor that may be behind.
//!
//! # Overflow
//! An actor of this kind goes by the newest state alone. When its mailbox is full, what it was to hear waits here, and a
//! newer state takes its place: nothing is queued past the mailbox's bound, nobody waits for the actor, and it hears of
//! the newest state as soon as it has room.

use actix::Message;
use actix::dev::ToEnvelope;
use actix::prelude::{Actor, Addr, Handler, SendError};

/// What one actor is to hear of next.
pub(super) struct Latest<A: Actor, S> {
    actor: Addr<A>,
    name: &'static str,
    waiting: Option<S>,
    gone: bool,
}

impl<A: Actor, S: Clone> Latest<A, S> {
    /// Nothing to hear of yet. The name is for the log.
    pub(super) fn new(actor: Addr<A>, name: &'static str) -> Self {
        Self { actor, name, waiting: None, gone: false }
    }

    /// The actor is to hear of this state, now or by a later [`Self::deliver`].
    pub(super) fn tell<M>(&mut self, state: &S, message: impl FnOnce(S) -> M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.waiting = Some(state.clone());
        self.deliver(message);
    }

    /// Tries again what did not fit into the mailbox, if there is anything.
    pub(super) fn deliver<M>(&mut self, message: impl FnOnce(S) -> M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let Some(state) = self.waiting.take() else { return };
        match self.actor.try_send(message(state.clone())) {
            Ok(()) => {}
            Err(SendError::Full(_)) => {
                tracing::debug!(
                    actor = self.name,
                    "its mailbox is full: it hears of the newest state when it has room"
                );
                self.waiting = Some(state);
            }
            Err(SendError::Closed(_)) => {
                if !std::mem::replace(&mut self.gone, true) {
                    let actor = self.name;
                    tracing::error!(actor, "an actor is gone: this is a bug, please report it");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Arbiter, Context};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    const MAILBOX: usize = 2;
    const PATIENCE: Duration = Duration::from_secs(20);

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Height(u64);

    /// Says that it has a message, and waits until it may go on.
    struct Slow {
        heard: Sender<u64>,
        go_on: Receiver<()>,
    }

    impl Actor for Slow {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.set_mailbox_capacity(MAILBOX);
        }
    }

    impl Handler<Height> for Slow {
        type Result = ();

        fn handle(&mut self, message: Height, _: &mut Self::Context) {
            self.heard.send(message.0).expect("somebody listens");
            let _ = self.go_on.recv();
        }
    }

    #[test]
    fn a_busy_actor_is_told_of_the_newest_state_and_no_more_than_its_mailbox_holds() {
        actix::System::new().block_on(async {
            let ((heard, hears), (goes_on, go_on)) = (channel(), channel());
            let slow = Slow { heard, go_on };
            let mut latest = Latest::new(Slow::start_in_arbiter(&Arbiter::new().handle(), |_| slow), "slow");
            latest.tell(&1, Height);
            assert_eq!(hears.recv_timeout(PATIENCE), Ok(1));
            // It is busy with the first one from here on.
            for height in 2..=1_000 {
                latest.tell(&height, Height);
            }
            assert_eq!(latest.waiting, Some(1_000));
            drop(goes_on);
            // What was in the mailbox comes first; then there is room.
            let mut told = Vec::new();
            while told.last() != Some(&1_000) {
                latest.deliver(Height);
                told.extend(hears.recv_timeout(PATIENCE));
            }
            assert!(told.len() <= MAILBOX + 2, "{told:?}");
            assert_eq!(latest.waiting, None);
            assert!(!latest.gone);
        });
    }

    #[test]
    fn an_actor_that_is_gone_is_told_nothing() {
        actix::System::new().block_on(async {
            let ((heard, _hears), (_goes_on, go_on)) = (channel(), channel());
            let arbiter = Arbiter::new();
            let actor = Slow::start_in_arbiter(&arbiter.handle(), |_| Slow { heard, go_on });
            arbiter.stop();
            arbiter.join().expect("it ends");
            let mut latest = Latest::new(actor, "slow");
            latest.tell(&1, Height);
            assert_eq!((latest.waiting, latest.gone), (None, true));
        });
    }
}
