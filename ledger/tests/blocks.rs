//! Blocks and genesis blocks that are refused as such, the checks that need no state, and the builder.

mod common;

use common::*;
use std::sync::Arc;
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, VerifiedBid};
use veilgrid_crypto::keygen::KeyGenError;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::{BlockBuilder, genesis_block};
use veilgrid_ledger::checks::check_without_state;
use veilgrid_ledger::genesis::{Genesis, GenesisError};
use veilgrid_ledger::refusal::{Account, BlockError, BlockFault, Refusal, Waits};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_ledger::verdicts::{BidVerdicts, VerifyAll};

fn open() -> (Community, Chain) {
    let community = Community::new();
    let mut chain = Chain::new(&community);
    chain.push(vec![open_round(1)]);
    (community, chain)
}

fn out_of_order(waits: Waits, found: TransactionKind) -> Refusal {
    Refusal::OutOfOrder { round: 1, waits, found }
}

#[test]
fn block_headers_that_do_not_fit() {
    let (_, chain) = open();
    let close = vec![Transaction::CloseRound { round_id: 1 }];
    let (state, parent) = (&chain.state, chain.state.block_hash());
    let good = Block::new(2, parent, state.time_unix_ms(), state.root(), close);
    let fault = |change: fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        let mut state = state.clone();
        let BlockError { transaction: None, fault, .. } =
            state.apply_block(&block, &mut VerifyAll).expect_err("refused")
        else {
            panic!("the block itself is at fault")
        };
        assert_eq!(state.root(), chain.state.root());
        fault
    };
    assert_eq!(fault(|b| b.header.height = 3), BlockFault::Height { found: 3, expected: 2 });
    assert_eq!(
        fault(|b| b.header.height = 1),
        BlockFault::Height { found: 1, expected: 2 },
        "replayed block"
    );
    assert!(matches!(fault(|b| b.header.parent_hash[0] ^= 1), BlockFault::Parent { .. }));
    assert!(matches!(fault(|b| b.header.time_unix_ms -= 1), BlockFault::Time { .. }));
    assert!(matches!(fault(|b| b.header.prior_state_root[9] ^= 1), BlockFault::PriorStateRoot { .. }));
    assert_eq!(fault(|b| b.transactions.clear()), BlockFault::Body);
    assert!(state.clone().apply_block(&good, &mut VerifyAll).is_ok());
}

#[test]
fn a_block_is_all_or_nothing() {
    let (mut community, chain) = open();
    let bid = community.bid(&chain.state, 1, 0, &BOOK[0]);
    let body = vec![
        Transaction::Bids { round_id: 1, bids: vec![bid] },
        Transaction::CloseRound { round_id: 1 },
        Transaction::CloseRound { round_id: 1 },
    ];
    let (state, time) = (&chain.state, START_MS + 9_000);
    let block = Block::new(2, state.block_hash(), time, state.root(), body);
    let mut state = state.clone();
    let error = state.apply_block(&block, &mut VerifyAll).expect_err("refused");
    let refusal = out_of_order(Waits::Void, TransactionKind::CloseRound);
    let expected = BlockError { height: 2, transaction: Some(2), fault: refusal.into() };
    assert_eq!(error, expected);
    assert_eq!(state.root(), chain.state.root());
    assert_eq!(state.round(1).expect("active").tally().count(), 0);
    assert!(error.to_string().starts_with("block 2, transaction 2: round 1 waits for"), "{error}");
}

#[test]
fn block_0_that_is_no_genesis() {
    let community = Community::new();
    let good = genesis_block(community.genesis.clone(), START_MS);
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
    let community = Community::new();
    let error = |change: fn(&mut Genesis)| {
        let mut genesis = community.genesis.clone();
        change(&mut genesis);
        match State::from_genesis_block(&genesis_block(genesis, START_MS)).err().expect("refused").fault {
            BlockFault::Genesis(error) => error,
            other => panic!("{other}"),
        }
    };
    use GenesisError as E;
    assert_eq!(error(|g| g.draft.format_version = 2), E::FormatVersion { found: 2 });
    assert!(matches!(error(|g| g.draft.params.bits = 7), E::Params(_)));
    let repeated = error(|g| g.draft.validators[3] = g.draft.validators[0]);
    assert_eq!(repeated, E::ValidatorKey { validator: 4 });
    assert_eq!(error(|g| g.draft.validators[1] = [0; 32]), E::ValidatorKey { validator: 2 });
    assert_eq!(error(|g| g.draft.aggregator_receipt_key = [0xff; 32]), E::ReceiptKey);
    assert_eq!(error(|g| g.draft.members.swap(0, 1)), E::MemberKey { position: 1 });
    assert_eq!(error(|g| g.draft.members[1] = g.draft.members[0]), E::MemberKey { position: 1 });
    assert_eq!(error(|g| g.draft.members[0] = [0; 32]), E::MemberKey { position: 0 });
    assert!(matches!(error(|g| g.draft.members.truncate(1)), E::MemberCount { members: 1, .. }));
    let many = error(|g| g.draft.params.max_members = 3);
    assert!(matches!(many, E::MemberCount { members: 4, .. }));
    // Whatever the ledger id names, the packages are bound to.
    for change in [|g: &mut Genesis| g.draft.nonce[0] ^= 1, |g: &mut Genesis| g.draft.keygen_session += 1] {
        assert_eq!(error(change), E::KeyGeneration(KeyGenError::Signature { dealer: 1 }));
    }
    assert!(matches!(error(|g| g.packages[1].proofs[0][0] ^= 1), E::KeyGeneration(_)));
    assert!(matches!(error(|g| g.packages.truncate(2)), E::KeyGeneration(KeyGenError::TooFewDealers { .. })));
    assert!(matches!(error(|g| g.packages[1] = g.packages[0].clone()), E::KeyGeneration(_)));
}

#[test]
fn checks_without_state_find_structure_and_proofs() {
    let (mut community, chain) = open();
    let mut bid = community.bid(&chain.state, 1, 0, &BOOK[0]);
    let check = |transactions| {
        let block = Block::new(9, [7; 32], 0, [8; 32], transactions);
        let slot_of = |round_id| chain.state.round(round_id).map(|round| round.slot());
        check_without_state(chain.state.community(), &block, &slot_of, &mut VerifyAll)
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
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        self.one_by_one += bids.len();
        VerifyAll.verify(params, round, bids)
    }

    fn all_hold(&mut self, params: &BidParams, round: &RoundContext, bids: &[SealedBid]) -> bool {
        self.all_at_once += bids.len();
        VerifyAll.all_hold(params, round, bids)
    }
}

/// Threat: a leader makes voters search a block for all of its false bids.
#[test]
fn before_a_vote_false_bids_cost_one_question() {
    let (mut community, chain) = open();
    let mut bids: Vec<_> = (0..4).map(|m| community.bid(&chain.state, 1, m, &BOOK[m])).collect();
    for bid in &mut bids {
        bid.c.swap(0, 1);
    }
    let halves = bids.chunks(2).map(|half| Transaction::Bids { round_id: 1, bids: half.to_vec() });
    let block = Block::new(9, [7; 32], 0, [8; 32], halves.collect());
    let slot_of = |round_id| chain.state.round(round_id).map(|round| round.slot());
    let mut verdicts = Counting::default();
    let error = check_without_state(chain.state.community(), &block, &slot_of, &mut verdicts);
    let error = error.expect_err("false bids");
    assert_eq!(
        (error.transaction, &error.fault),
        (Some(0), &Refusal::BidsInvalid { round: 1, count: 2 }.into())
    );
    // Those of the first transaction, all at once, and nothing after it.
    assert_eq!((verdicts.one_by_one, verdicts.all_at_once), (0, 2));
}

#[test]
fn who_may_bid_is_known_before_any_proof() {
    let (mut community, mut chain) = open();
    let mut bid = |member: usize| community.bid(&chain.state, 1, member, &BOOK[member]);
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
    let second = Refusal::SecondBid { round: 1, account: account(&again) };
    let repeated = Refusal::HandleRepeated { round: 1, account: account(&same_r), first: account(&other) };
    let none = Refusal::NotAMember { round: 1, account: account(&stranger) };
    let check = |state: &State, transactions: &[Transaction]| state.check_bidders(transactions);
    // In one transaction and over several of a block.
    assert_eq!(check(&chain.state, &[bids(&[&first, &other])]), Ok(()));
    assert_eq!(check(&chain.state, &[bids(&[&first, &again])]), Err((0, second.clone())));
    assert_eq!(
        check(&chain.state, &[bids(&[&first]), bids(&[&other]), bids(&[&again])]),
        Err((2, second.clone()))
    );
    assert_eq!(check(&chain.state, &[bids(&[&other]), bids(&[&same_r])]), Err((1, repeated.clone())));
    assert_eq!(check(&chain.state, &[bids(&[&stranger])]), Err((0, none)));
    // A round that the block opens, and one that nobody has opened.
    let mut later = first.clone();
    later.round_id = 2;
    let of_two = Transaction::Bids { round_id: 2, bids: vec![later] };
    assert_eq!(check(&chain.state, &[open_round(2), of_two.clone()]), Ok(()));
    let not_active = Refusal::RoundNotActive { round: 2 };
    assert_eq!(check(&chain.state, &[of_two, open_round(2)]), Err((0, not_active)));
    // By what the ledger has.
    chain.push(vec![bids(&[&first, &other])]);
    assert_eq!(check(&chain.state, &[bids(&[&again])]), Err((0, second)));
    assert_eq!(check(&chain.state, &[bids(&[&same_r])]), Err((0, repeated)));
    chain.push(vec![Transaction::CloseRound { round_id: 1 }]);
    let late = check(&chain.state, &[bids(&[&same_r])]);
    assert!(matches!(late, Err((0, Refusal::OutOfOrder { round: 1, .. }))), "{late:?}");
}

#[test]
fn a_builder_commits_only_what_extends_its_state() {
    let (_, chain) = open();
    let mut builder = BlockBuilder::new(chain.state.clone());
    let close = || vec![Transaction::CloseRound { round_id: 1 }];
    let first = builder.propose(close(), 0, &mut VerifyAll).expect("first");
    let second = builder.propose(close(), 1, &mut VerifyAll).expect("second");
    assert_eq!(first.block.header.time_unix_ms, chain.state.time_unix_ms(), "time never runs backwards");
    let (block, effects) = builder.commit(first).ok().expect("commits");
    assert_eq!((builder.state().block_hash(), builder.state().root()), (block.hash(), effects.state_root));
    assert!(builder.commit(second).is_err());
}
