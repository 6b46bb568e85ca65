//! The member's actor.

use super::messages::{PlaceBid, Placed, PlacingError, RoundSettled, RoundVoided, TellAccount};
use crate::aggregator::SubmitEnvelope;
use crate::pool::ProofPool;
use actix::{
    Actor, ActorTryFutureExt, Context, Handler, MessageResult, Recipient, ResponseActFuture, WrapFuture,
};
use rand_core::OsRng;
use std::sync::Arc;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::behaviour::{Bidder, Plan};
use veilgrid_roles::community::SlotEnergy;
use veilgrid_roles::member::{Fill, Member, MemberError, envelope_for};

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

/// A member with a model of type `B`.
pub struct MemberActor<B> {
    member: Member<B>,
    /// Its own meter data, one entry a slot of the day.
    energy: Vec<SlotEnergy>,
    market: Arc<Market>,
    /// The bid of the current round as it was sent: asked to place it again, the member sends the same bytes.
    sent: Option<(Plan, Arc<SealedBid>)>,
}

impl<B: Bidder> MemberActor<B> {
    /// A member in a market.
    pub fn new(member: Member<B>, energy: Vec<SlotEnergy>, market: Arc<Market>) -> Self {
        Self { member, energy, market, sent: None }
    }
}

impl<B: Bidder + Unpin + 'static> Actor for MemberActor<B> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

type PlacedFuture<B> = ResponseActFuture<MemberActor<B>, Result<Placed, PlacingError>>;

impl<B: Bidder + Unpin + 'static> MemberActor<B> {
    /// Forms, seals, sends.
    fn place(&mut self, message: PlaceBid) -> PlacedFuture<B> {
        let PlaceBid { slot, delivery, round_id, on_sealed } = message;
        let params = self.market.state.community().params();
        // The conductor checks that every member has data for every market slot.
        let energy = self.energy.get(slot).copied().unwrap_or_default();
        let formed = self.member.form(slot, round_id, energy, &params.grid, u32::from(params.bits));
        let market = Arc::clone(&self.market);
        let sealed = async move {
            let (plan, job) = formed?;
            let state = market.state.clone();
            let sealed = market.pool.run(move || {
                let community = state.community();
                let context = community.round_context(round_id, delivery);
                community.bid_params().map(|params| job.seal(params, &context, &mut OsRng))
            });
            Ok((plan, Arc::new(sealed.await?.ok_or(PlacingError::NoKeys)??)))
        };
        let placed =
            sealed.into_actor(self).and_then(move |(plan, bid): (Plan, Arc<SealedBid>), actor, _| {
                actor.member.sealed(&bid);
                actor.sent = Some((plan.clone(), Arc::clone(&bid)));
                on_sealed();
                actor.send(plan, bid)
            });
        Box::pin(placed)
    }

    fn send(&self, plan: Plan, bid: Arc<SealedBid>) -> PlacedFuture<B> {
        let market = Arc::clone(&self.market);
        let sent = async move { Ok(Placed { receipt: send(&market, &bid).await?, plan }) };
        Box::pin(sent.into_actor(self))
    }
}

impl<B: Bidder + Unpin + 'static> Handler<PlaceBid> for MemberActor<B> {
    type Result = PlacedFuture<B>;

    fn handle(&mut self, message: PlaceBid, _: &mut Self::Context) -> Self::Result {
        match &self.sent {
            Some((plan, bid)) if bid.round_id == message.round_id => self.send(plan.clone(), Arc::clone(bid)),
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

impl<B: Bidder + Unpin + 'static> Handler<RoundSettled> for MemberActor<B> {
    type Result = Result<Fill, MemberError>;

    fn handle(&mut self, message: RoundSettled, _: &mut Self::Context) -> Self::Result {
        self.sent = None;
        self.member.settle(self.market.state.community(), &message.0)
    }
}

impl<B: Bidder + Unpin + 'static> Handler<RoundVoided> for MemberActor<B> {
    type Result = Result<(), MemberError>;

    fn handle(&mut self, message: RoundVoided, _: &mut Self::Context) -> Self::Result {
        self.sent = None;
        self.member.voided(message.round_id)
    }
}

impl<B: Bidder + Unpin + 'static> Handler<TellAccount> for MemberActor<B> {
    type Result = MessageResult<TellAccount>;

    fn handle(&mut self, _: TellAccount, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.member.bidder().account())
    }
}
