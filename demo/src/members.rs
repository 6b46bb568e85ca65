//! The day's members: the actor of a network's participant around an archive in memory, an owner that is a model, and
//! mailboxes instead of HTTP.

use crate::money::{ShownPurse, show};
use crate::orderer::Submit;
use crate::owner::SimulatedOwner;
use actix::{Actor, Recipient};
use actix_rt::ArbiterHandle;
use std::sync::Arc;
use tokio::sync::mpsc;
use veilgrid_actors::aggregator::{BidRefusal, SubmitEnvelope};
use veilgrid_actors::clock::Clock;
use veilgrid_actors::member::{
    Around, MemberActor, News, NoReceipt, Observe, Post, Posted, Submitted, Turn, Watch,
};
use veilgrid_actors::pool::ProofPool;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::member::{Answer, BidArchive, Desk, MemoryArchive, ResultBook, SealFailure, Target};
use veilgrid_scenario::community::Role;

/// The way to a member.
#[derive(Clone)]
pub(crate) struct MemberLink {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) owner: SimulatedOwner,
    pub(crate) observe: Recipient<Observe>,
    pub(crate) turn: Recipient<Turn>,
    /// What its wallet says.
    pub(crate) purse: ShownPurse,
}

/// What happened to a member's bid of a round.
pub(crate) struct MemberNews {
    /// The member's place among all.
    pub(crate) member: usize,
    pub(crate) round_id: u64,
    pub(crate) what: BidNews,
}

/// The same without whose and when.
pub(crate) enum BidNews {
    Sealed,
    Promised(Receipt),
    Failed(String),
}

/// What all members of a day share.
pub(crate) struct Market {
    /// With the keys in force.
    pub(crate) state: State,
    pub(crate) aggregator: Recipient<SubmitEnvelope>,
    pub(crate) orderer: Recipient<Submit>,
    pub(crate) pool: ProofPool,
    pub(crate) clock: Clock,
    /// Unbounded, because the conductor has to hear everything; a member says at most a few things a round.
    pub(crate) news: mpsc::UnboundedSender<MemberNews>,
}

/// Starts the member at a place among all.
pub(crate) fn start_member(
    member: usize,
    (id, role): (String, Role),
    keyring: Keyring,
    owner: SimulatedOwner,
    market: &Market,
    thread: &ArbiterHandle,
) -> MemberLink {
    let desk = Desk::new(Arc::new(keyring), market.state.clone(), MemoryArchive::new(), owner.clone());
    let purse = ShownPurse::default();
    let around = Around {
        orders: Arc::new(owner.clone()),
        post: Arc::new(ToNodes { aggregator: market.aggregator.clone(), orderer: market.orderer.clone() }),
        pool: market.pool.clone(),
        clock: Arc::clone(&market.clock),
        watch: Box::new(ToConductor { member, news: market.news.clone(), purse: Arc::clone(&purse) }),
    };
    let address = MemberActor::start_in_arbiter(thread, move |_| MemberActor::new(desk, around));
    MemberLink { id, role, owner, observe: address.clone().recipient(), turn: address.recipient(), purse }
}

/// Envelopes for the aggregator, claims for the validators. No bid goes to validators in the demo: the day ends with the first
/// that is refused.
struct ToNodes {
    aggregator: Recipient<SubmitEnvelope>,
    orderer: Recipient<Submit>,
}

impl Post for ToNodes {
    fn post(&self, to: Target, envelope: Vec<u8>) -> Posted<'_> {
        Box::pin(async move {
            if to != Target::Aggregator {
                let why = "validators take no bids from members here".into();
                return Err(NoReceipt { answer: Answer::Failed, why });
            }
            let gone = |_| NoReceipt { answer: Answer::Failed, why: "the aggregator is gone".into() };
            self.aggregator.send(SubmitEnvelope(envelope)).await.map_err(gone)?.map_err(no_receipt)
        })
    }

    fn submit(&self, transaction: Transaction) -> Submitted<'_> {
        Box::pin(async move {
            let sent = self.orderer.send(Submit(transaction)).await.map_err(|error| error.to_string())?;
            sent.map_err(|error| error.to_string())
        })
    }
}

/// What the intake finds in an envelope it finds again next time; everything else is about the moment.
fn no_receipt(refusal: BidRefusal) -> NoReceipt {
    let answer = match refusal {
        BidRefusal::Intake(_) => Answer::Refused,
        _ => Answer::Failed,
    };
    NoReceipt { answer, why: refusal.to_string() }
}

/// Tells the conductor what happens to a member's bids.
struct ToConductor {
    member: usize,
    news: mpsc::UnboundedSender<MemberNews>,
    purse: ShownPurse,
}

impl<A: BidArchive, R: ResultBook> Watch<A, R> for ToConductor {
    fn look(&mut self, desk: &Desk<A, R>) {
        show(&self.purse, desk);
    }

    fn hear(&mut self, round_id: u64, news: News<'_>) {
        let what = match news {
            News::Sealed => BidNews::Sealed,
            News::Promised(_, receipt) => BidNews::Promised(receipt.clone()),
            News::NotSealed(failure) => BidNews::Failed(match failure {
                SealFailure::Mapping(why) => why.to_string(),
                failure => failure.to_string(),
            }),
            News::NotPromised(_, why) => BidNews::Failed(why.to_owned()),
        };
        // Nobody listens any more when the day has ended.
        let _ = self.news.send(MemberNews { member: self.member, round_id, what });
    }
}
