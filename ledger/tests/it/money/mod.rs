//! One refusal per rule about money, and every attempt to spend what is not there. Not reached by any ledger, and so without
//! a test here: claims before there are keys, as nothing was filled then.

mod claims;
mod spending;
mod treasury;

use crate::purses::*;
use crate::world::World;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::Rule;

/// The third buys 50 Wh at up to 12 ct/kWh: 0.6 ct.
const BUYER: usize = 2;

fn money(refusal: MoneyRefusal) -> Refusal {
    Refusal::Money(refusal)
}

fn bids(round_id: u64, bid: SealedBid) -> Transaction {
    Transaction::Bids { round_id, bids: vec![bid] }
}

/// With one cent for the buyer, and round 1 open.
fn one_cent() -> Market {
    let mut market = Market::of(money_params(Rule::Uniform));
    market.deposit(&[(3, 1)]);
    market.world.open_round(1);
    market.follow();
    market
}

fn certificate_of(world: &World, number: u32) -> Certificate {
    world.state.members().member(number).expect("a member").certificate.clone()
}
