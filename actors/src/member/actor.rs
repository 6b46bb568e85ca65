//! The member's actor.

use super::messages::{PlaceBid, PlacingError, RoundSettled, RoundVoided};
use crate::aggregator::SubmitEnvelope;
use crate::pool::ProofPool;
use actix::{Actor, ActorTryFutureExt, Context, Handler, Recipient, ResponseActFuture, WrapFuture};
use rand_core::OsRng;
use std::sync::Arc;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::member::{Fill, Member, MemberError, Owner, envelope_for};

/// Messages that may wait: a round sends a member three.
const MAILBOX: usize = 16;

/// What a member knows of its market.
#[derive(Clone)]
pub struct Market {
    /// Any state of the ledger: the community's rules and keys are in it.
    pub state: State,
    /// Where bids go.
    pub aggregator: Recipient<SubmitEnvelope>,
    /// The key that they are enveloped to.
    pub envelope_key: EnvelopePublicKey,
    /// Where proofs are made.
    pub pool: ProofPool,
}

/// A member whose orders come from an owner of type `O`.
pub struct MemberActor<O> {
    member: Member<O>,
    market: Arc<Market>,
    /// The bid of the current round as it was sent: asked to place it again, the member sends the same bytes.
    sent: Option<Arc<SealedBid>>,
}

impl<O: Owner> MemberActor<O> {
    /// A member in a market.
    pub fn new(member: Member<O>, market: Arc<Market>) -> Self {
        Self { member, market, sent: None }
    }
}

impl<O: Owner + Unpin + 'static> Actor for MemberActor<O> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

type PlacedFuture<O> = ResponseActFuture<MemberActor<O>, Result<Receipt, PlacingError>>;

impl<O: Owner + Unpin + 'static> MemberActor<O> {
    /// Forms, seals, sends.
    fn place(&mut self, message: PlaceBid) -> PlacedFuture<O> {
        let PlaceBid { slot, round_id, on_sealed } = message;
        let params = self.market.state.community().params();
        let formed = self.member.form(slot, round_id, &params.grid, u32::from(params.bits));
        let market = Arc::clone(&self.market);
        let sealed = async move {
            let job = formed?;
            let state = market.state.clone();
            let sealed = market.pool.run(move || {
                let community = state.community();
                let context = community.round_context(round_id, slot);
                community.bid_params().map(|params| job.seal(params, &context, &mut OsRng))
            });
            Ok(Arc::new(sealed.await?.ok_or(PlacingError::NoKeys)??))
        };
        let placed = sealed.into_actor(self).and_then(move |bid: Arc<SealedBid>, actor, _| {
            actor.member.sealed(&bid);
            actor.sent = Some(Arc::clone(&bid));
            on_sealed();
            actor.send(bid)
        });
        Box::pin(placed)
    }

    fn send(&self, bid: Arc<SealedBid>) -> PlacedFuture<O> {
        let market = Arc::clone(&self.market);
        let sent = async move { send(&market, &bid).await };
        Box::pin(sent.into_actor(self))
    }
}

impl<O: Owner + Unpin + 'static> Handler<PlaceBid> for MemberActor<O> {
    type Result = PlacedFuture<O>;

    fn handle(&mut self, message: PlaceBid, _: &mut Self::Context) -> Self::Result {
        match &self.sent {
            Some(bid) if bid.round_id == message.round_id => self.send(Arc::clone(bid)),
            _ => self.place(message),
        }
    }
}

/// Sends a bid and checks the receipt.
async fn send(market: &Market, bid: &SealedBid) -> Result<Receipt, PlacingError> {
    let community = market.state.community();
    let envelope = envelope_for(&market.envelope_key, &community.ledger_id(), bid, &mut OsRng);
    let answer = market.aggregator.send(SubmitEnvelope(envelope)).await;
    let receipt = answer.map_err(|_| PlacingError::Gone)??;
    receipt.verify(community.receipt_key())?;
    let named = (receipt.ledger_id, receipt.round_id, receipt.account, receipt.bid_digest);
    if named != (community.ledger_id(), bid.round_id, bid.account, bid.digest()) {
        return Err(PlacingError::WrongReceipt);
    }
    Ok(receipt)
}

impl<O: Owner + Unpin + 'static> Handler<RoundSettled> for MemberActor<O> {
    type Result = Result<Fill, MemberError>;

    fn handle(&mut self, message: RoundSettled, _: &mut Self::Context) -> Self::Result {
        self.sent = None;
        self.member.settle(self.market.state.community(), &message.0)
    }
}

impl<O: Owner + Unpin + 'static> Handler<RoundVoided> for MemberActor<O> {
    type Result = Result<(), MemberError>;

    fn handle(&mut self, message: RoundVoided, _: &mut Self::Context) -> Self::Result {
        self.sent = None;
        self.member.voided(message.round_id)
    }
}
