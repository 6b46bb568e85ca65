//! Key events and changes of the validators from outside, into the pool.

use super::application::NodeApplication;
use crate::http::{SubmitError, SubmitTransaction};
use actix::{Actor, Context, Handler};
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_roles::replica::{OfferRefusal, Offered};

/// Transactions that may wait.
const MAILBOX: usize = 64;

/// Offers transactions to the pool. It waits for the engine's mutex, so it has a thread of its own.
pub(super) struct SubmitActor(pub(super) Arc<Mutex<NodeApplication>>);

impl Actor for SubmitActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<SubmitTransaction> for SubmitActor {
    type Result = Result<(), SubmitError>;

    fn handle(&mut self, message: SubmitTransaction, _: &mut Self::Context) -> Self::Result {
        let mut application = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match application.core.offer_transaction(&message.0) {
            Ok(Offered::New) => Ok(()),
            Ok(Offered::Known) => Err(SubmitError::Known),
            Err(OfferRefusal::PoolFull { .. }) => Err(SubmitError::Full),
            Err(refusal) => Err(SubmitError::Refused(refusal.to_string())),
        }
    }
}
