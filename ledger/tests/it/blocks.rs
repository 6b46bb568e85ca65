//! Blocks and genesis blocks that are refused as such, the checks that need no state, and the builder.

use crate::common::*;
use crate::world::World;
use std::sync::Arc;
use veilgrid_crypto::bid::{BidFault, BidParams, SealedBid, VerifiedBid};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::{genesis_block, propose};
use veilgrid_ledger::checks::check_without_state;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis, GenesisError};
use veilgrid_ledger::members::certificate::CertificateFault;
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::refusal::{Account, BlockError, BlockFault, Refusal};
use veilgrid_ledger::roster::RosterError;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerifyAll};

fn open() -> World {
    let mut world = World::keyed(4);
    world.open_round(1);
    world
}

#[test]
fn block_headers_that_do_not_fit() {
    let world = open();
    let close = vec![Transaction::CloseRound { round_id: 1 }];
    let (state, parent, next) = (&world.state, world.state.block_hash(), world.state.height() + 1);
    let good = Block::new(next, parent, state.time_unix_ms(), state.root(), close);
    let fault = |change: &dyn Fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        let mut state = state.clone();
        let BlockError { transaction: None, fault, .. } =
            state.apply_block(&block, &mut VerifyAll).expect_err("refused")
        else {
            panic!("the block itself is at fault")
        };
        assert_eq!(state.root(), world.state.root());
        fault
    };
    let height = |found| BlockFault::Height { found, expected: next };
    assert_eq!(fault(&|b| b.header.height = next + 1), height(next + 1));
    assert_eq!(fault(&|b| b.header.height = next - 1), height(next - 1), "replayed block");
    assert!(matches!(fault(&|b| b.header.parent_hash[0] ^= 1), BlockFault::Parent { .. }));
    assert!(matches!(fault(&|b| b.header.time_unix_ms -= 1), BlockFault::Time { .. }));
    assert!(matches!(fault(&|b| b.header.prior_state_root[9] ^= 1), BlockFault::PriorStateRoot { .. }));
    assert_eq!(fault(&|b| b.transactions.clear()), BlockFault::Body);
    assert!(state.clone().apply_block(&good, &mut VerifyAll).is_ok());
}

#[test]
fn a_refused_transaction_is_recorded_and_a_builder_takes_all_or_nothing() {
    let mut world = open();
    let bid = world.bid(1, 0, &BOOK[0]);
    let close = || Transaction::CloseRound { round_id: 1 };
    let body = vec![Transaction::Bids { round_id: 1, bids: vec![bid] }, close(), close()];
    let time_ms = world.state.time_unix_ms() + 9;
    let refusal = Refusal::Rounds(RoundRefusal::NotDue { round: 1, what: "its close", time_ms });
    let error = propose(&world.state, body.clone(), time_ms, &mut VerifyAll).err().expect("refused");
    let height = world.state.height() + 1;
    assert_eq!(error, BlockError { height, transaction: Some(1), fault: refusal.clone().into() });
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("block {height}, transaction 1: round 1: its close is not due")),
        "{text}"
    );
    let effects = world.force_at(time_ms, body).effects;
    assert!(matches!(effects[0], Effect::BidsAccepted { .. }));
    let refused = Effect::Refused(Box::new(refusal));
    assert_eq!(effects[1..], [refused.clone(), refused]);
    assert_eq!((world.state.refused(), world.state.round(1).expect("active").tally().count()), (2, 1));
}

#[test]
fn block_0_that_is_no_genesis() {
    let good = World::new(4).blocks[0].clone();
    let fault = |change: fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        State::from_genesis_block(&block).err().expect("refused").fault
    };
    assert_eq!(fault(|b| b.transactions.clear()), BlockFault::NotAGenesis);
    assert_eq!(fault(|b| b.transactions[0] = open_round(1)), BlockFault::NotAGenesis);
    assert_eq!(fault(|b| b.transactions.push(open_round(1))), BlockFault::NotAGenesis);
    assert!(matches!(fault(|b| b.header.height = 1), BlockFault::Height { .. }));
    assert!(matches!(fault(|b| b.header.parent_hash[0] = 1), BlockFault::Parent { .. }));
    assert!(matches!(fault(|b| b.header.prior_state_root[0] = 1), BlockFault::PriorStateRoot { .. }));
    assert_eq!(fault(|b| b.header.body_hash[0] ^= 1), BlockFault::Body);
}

#[test]
fn a_genesis_that_is_not_sound() {
    let world = World::new(4);
    let error = |change: fn(&mut Genesis)| {
        let mut genesis = world.genesis().clone();
        change(&mut genesis);
        match State::from_genesis_block(&genesis_block(genesis, START_MS)).err().expect("refused").fault {
            BlockFault::Genesis(error) => error,
            other => panic!("{other}"),
        }
    };
    use GenesisError as E;
    for found in [1, FORMAT_VERSION + 1] {
        let mut genesis = world.genesis().clone();
        genesis.format_version = found;
        assert_eq!(genesis.check(), Err(E::FormatVersion { found }));
    }
    assert!(matches!(error(|g| g.params.bits = 7), E::Params(_)));
    let signing = |validator| E::Roster(RosterError::Key { validator, key: "signing" });
    let repeated = error(|g| g.roster.validators[3].signing_key = g.roster.validators[0].signing_key);
    assert_eq!(repeated, signing(4));
    assert_eq!(error(|g| g.roster.validators[1].signing_key = [0; 32]), signing(2));
    assert_eq!(error(|g| g.aggregator_receipt_key = [0xff; 32]), E::ReceiptKey);
    assert_eq!(error(|g| g.registrar_key = [0xff; 32]), E::RegistrarKey);
    assert_eq!(error(|g| g.members.swap(0, 1)), E::MemberOrder { position: 1 });
    assert_eq!(error(|g| g.members[1] = g.members[0].clone()), E::MemberOrder { position: 1 });
    let fault = |at: usize, fault| {
        let account =
            Account(if fault == CertificateFault::AccountKey { [0; 32] } else { world.account(at) });
        E::Member { position: at, refusal: Box::new(MembersRefusal::Certificate { account, fault }) }
    };
    assert_eq!(error(|g| g.members[0].account = [0; 32]), fault(0, CertificateFault::AccountKey));
    assert_eq!(error(|g| g.members[2].credit_line = Some([1; 32])), fault(2, CertificateFault::NoMoney));
    let twice = error(|g| g.members[3].point = g.members[1].point);
    let refusal = Box::new(MembersRefusal::PointTwice { account: Account(world.account(3)), number: 2 });
    assert_eq!(twice, E::Member { position: 3, refusal });
    let many = error(|g| g.params.max_members = 3);
    assert_eq!(
        many,
        E::Member { position: 3, refusal: Box::new(MembersRefusal::TooManyMembers { max_members: 3 }) }
    );
}

/// Who is not in the genesis can join later, so that a ledger may begin with fewer members than may trade.
#[test]
fn a_genesis_needs_no_members() {
    let mut genesis = World::new(4).genesis().clone();
    genesis.members.clear();
    let state = State::from_genesis_block(&genesis_block(genesis, START_MS)).expect("sound");
    assert!(state.members().is_empty());
}

/// A ledger of the first format has another genesis, and nothing of it is read.
#[test]
fn a_ledger_of_an_earlier_format_is_refused_with_what_to_do() {
    let mut bytes = World::new(4).blocks[0].transactions[0].to_bytes();
    assert_eq!(bytes[1..3], FORMAT_VERSION.to_le_bytes());
    let earlier = "read it with the program that wrote it";
    for (version, advice) in [(1, earlier), (2, earlier), (3, earlier), (5, "use a newer program")] {
        bytes[1] = version;
        let error = Transaction::from_bytes(&bytes, &DecodeContext::Genesis).expect_err("another format");
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn checks_without_state_find_structure_and_proofs() {
    let mut world = open();
    let mut bid = world.bid(1, 0, &BOOK[0]);
    let check = |transactions| {
        let block = Block::new(9, [7; 32], 0, [8; 32], transactions);
        let slot_of = |round_id| world.state.round(round_id).map(|round| round.slot());
        check_without_state(world.state.community(), &block, &slot_of, &|_, _| None, &mut VerifyAll)
    };
    assert_eq!(check(vec![Transaction::Bids { round_id: 1, bids: vec![bid.clone()] }]), Ok(()));
    bid.c.swap(0, 1);
    assert!(check(vec![Transaction::Bids { round_id: 1, bids: vec![bid] }]).is_err());
    assert!(check(vec![Transaction::Bids { round_id: 1, bids: vec![] }]).is_err());
}

/// Counts the bids that it is asked about.
#[derive(Default)]
struct Counting {
    one_by_one: usize,
    all_at_once: usize,
}

impl BidVerdicts for Counting {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        self.one_by_one += asked.bids.len();
        VerifyAll.verify(params, asked)
    }

    fn all_hold(&mut self, params: &BidParams, asked: BidsAsked<'_>) -> bool {
        self.all_at_once += asked.bids.len();
        VerifyAll.all_hold(params, asked)
    }
}

/// Threat: a leader makes voters search a block for all of its false bids.
#[test]
fn before_a_vote_false_bids_cost_one_question() {
    let mut world = open();
    let mut bids: Vec<_> = (0..4).map(|m| world.bid(1, m, &BOOK[m])).collect();
    for bid in &mut bids {
        bid.c.swap(0, 1);
    }
    let halves = bids.chunks(2).map(|half| Transaction::Bids { round_id: 1, bids: half.to_vec() });
    let block = Block::new(9, [7; 32], 0, [8; 32], halves.collect());
    let slot_of = |round_id| world.state.round(round_id).map(|round| round.slot());
    let mut verdicts = Counting::default();
    let error = check_without_state(world.state.community(), &block, &slot_of, &|_, _| None, &mut verdicts);
    let error = error.expect_err("false bids");
    assert_eq!(
        (error.transaction, &error.fault),
        (Some(0), &Refusal::Rounds(RoundRefusal::BidsInvalid { round: 1, count: 2 }).into())
    );
    // Those of the first transaction, all at once, and nothing after it.
    assert_eq!((verdicts.one_by_one, verdicts.all_at_once), (0, 2));
}

#[test]
fn who_may_bid_is_known_before_any_proof() {
    let mut world = open();
    let mut bid = |member: usize| world.bid(1, member, &BOOK[member]);
    let (first, again, other) = (bid(0), bid(0), bid(1));
    let mut same_r = bid(2);
    same_r.r = other.r;
    let bids = |bids: &[&SealedBid]| Transaction::Bids {
        round_id: 1,
        bids: bids.iter().map(|bid| (*bid).clone()).collect(),
    };
    let mut stranger = first.clone();
    stranger.account[0] ^= 1;
    let account = |bid: &SealedBid| Account(bid.account);
    let second = Refusal::Rounds(RoundRefusal::SecondBid { round: 1, account: account(&again) });
    let repeated = Refusal::Rounds(RoundRefusal::HandleRepeated {
        round: 1,
        account: account(&same_r),
        first: account(&other),
    });
    let none = Refusal::Rounds(RoundRefusal::NotAMember { round: 1, account: account(&stranger) });
    let check = |state: &State, transactions: &[Transaction]| state.check_bidders(transactions);
    // In one transaction and over several of a block.
    assert_eq!(check(&world.state, &[bids(&[&first, &other])]), Ok(()));
    assert_eq!(check(&world.state, &[bids(&[&first, &again])]), Err((0, second.clone())));
    assert_eq!(
        check(&world.state, &[bids(&[&first]), bids(&[&other]), bids(&[&again])]),
        Err((2, second.clone()))
    );
    assert_eq!(check(&world.state, &[bids(&[&other]), bids(&[&same_r])]), Err((1, repeated.clone())));
    assert_eq!(check(&world.state, &[bids(&[&stranger])]), Err((0, none)));
    // A round that the block opens, and one that nobody has opened.
    let mut later = first.clone();
    later.round_id = 2;
    let of_two = Transaction::Bids { round_id: 2, bids: vec![later] };
    assert_eq!(check(&world.state, &[open_round(2), of_two.clone()]), Ok(()));
    let not_active = Refusal::Rounds(RoundRefusal::RoundNotActive { round: 2 });
    assert_eq!(check(&world.state, &[of_two, open_round(2)]), Err((0, not_active)));
    // By what the ledger has.
    world.push(vec![bids(&[&first, &other])]);
    assert_eq!(check(&world.state, &[bids(&[&again])]), Err((0, second)));
    assert_eq!(check(&world.state, &[bids(&[&same_r])]), Err((0, repeated)));
    world.close(1);
    let late = check(&world.state, &[bids(&[&same_r])]);
    assert!(matches!(late, Err((0, Refusal::Rounds(RoundRefusal::OutOfOrder { round: 1, .. })))), "{late:?}");
}
