//! Money on a whole ledger of one process: deposits, bids within balances, claims, withdrawals, and what is refused.

use crate::common::{BOOK, SLOT_SECONDS, params};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::convert::Infallible;
use std::sync::Arc;
use veilgrid_crypto::bid::{SealError, SealedBid, seal_bid_with_money};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Record, audit};
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::market::{MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::treasury::{Deposit, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::{LocalCommunity, LocalError, RoundEnd};
use veilgrid_roles::replica::OfferRefusal;
use veilgrid_roles::wallet::{LineKind, Wallet, WalletFault};

const EPOCH: u64 = 3;
const FIRST_OPEN_MS: u64 = 1_700_000_000_000;
const FIRST_SLOT_S: i64 = 1_700_000_100;

struct World {
    rng: ChaCha20Rng,
    keyrings: Vec<Arc<Keyring>>,
    wallets: Vec<Wallet>,
    treasury: SigningKey,
    community: LocalCommunity,
    followed: usize,
    state: State,
}

impl World {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let keyring = |rng: &mut ChaCha20Rng| Arc::new(Keyring::from_seed(&KeyringSeed::generate(rng)));
        let keyrings: Vec<_> = BOOK.iter().map(|_| keyring(&mut rng)).collect();
        let timing = one_process_timing(FIRST_OPEN_MS, FIRST_SLOT_S, SLOT_SECONDS);
        let treasury = SigningKey::generate(&mut rng);
        let money = MoneyRules {
            treasury_key: treasury.verifying_key().to_bytes(),
            community_deposit_ct: 100,
            claim_ms: 60_000,
        };
        let founding = Founding {
            params: veilgrid_ledger::params::MarketParams {
                money: Some(money),
                ..params(timing, threshold_for(4))
            },
            validators: 4,
            members: keyrings.iter().map(|w| w.account_key(EPOCH).verifying_key().to_bytes()).collect(),
            key_epoch: EPOCH,
            time_unix_ms: Founding::genesis_time_ms(&timing),
        };
        let community = LocalCommunity::found(&founding, &mut rng).expect("founded");
        let state = State::from_genesis_block(&community.ledger()[0].0).expect("genesis");
        let wallets = keyrings.iter().map(|keyring| Wallet::new(Arc::clone(keyring), EPOCH)).collect();
        Self { rng, keyrings, wallets, treasury, community, followed: 1, state }
    }

    /// Every wallet takes the blocks that it has not seen, and compares itself with the ledger.
    fn follow(&mut self) {
        for (block, _) in &self.community.ledger()[self.followed..] {
            let effects = self
                .state
                .apply_block(block, &mut veilgrid_ledger::verdicts::VerifyAll)
                .expect("a final block");
            for wallet in &mut self.wallets {
                wallet.follow(&self.state, &block.transactions, effects.all()).expect("own bids open");
                wallet.check(&self.state).expect("the ledger's balance");
            }
        }
        self.followed = self.community.ledger().len();
    }

    fn deposit(&mut self, deposits: &[(u32, u64)]) {
        let of = |(number, amount_ct): &(u32, u64)| Deposit {
            number: *number,
            amount_ct: *amount_ct,
            reference: [7; 32],
        };
        let action = TreasuryAction::Deposit(deposits.iter().map(of).collect());
        let order = self.order(action);
        self.offer(&Transaction::Treasury(Box::new(order))).expect("taken");
        self.follow();
    }

    fn offer(&mut self, transaction: &Transaction) -> Result<(), OfferRefusal> {
        match self.community.offer(transaction) {
            Ok(_) => Ok(()),
            Err(LocalError::Offer(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        }
    }

    fn order(&mut self, action: TreasuryAction) -> TreasuryOrder {
        let state = self.community.state();
        let sequence = state.accounts().expect("money").treasury_sequence();
        TreasuryOrder::sign(&state.community().ledger_id(), sequence, action, &self.treasury, &mut self.rng)
    }

    fn seal(&mut self, round_id: u64, member: usize, book: &[u64]) -> Result<SealedBid, SealError> {
        let state = self.community.state();
        let (context, params) =
            (state.round_context(round_id).expect("open"), state.community().bid_params().expect("keys"));
        let terms = state.account_terms(round_id, &self.wallets[member].account()).expect("a member");
        let available = self.wallets[member].available(round_id).expect("followed");
        let keyring = &self.keyrings[member];
        seal_bid_with_money(params, &context, keyring, book, &terms, &available, &mut self.rng)
    }

    fn round(&mut self) -> u64 {
        let round_id = self.community.open_round().expect("open");
        self.follow();
        let bids: Vec<_> = (0..BOOK.len())
            .map(|member| self.seal(round_id, member, &BOOK[member]).expect("funded"))
            .collect();
        self.community.submit(round_id, &bids, &mut self.rng).expect("taken");
        self.follow();
        let end = self.community.finish_round(round_id).expect("an end");
        assert!(matches!(end, RoundEnd::Settled(_)));
        self.follow();
        round_id
    }

    fn claims(&mut self, round_id: u64) -> Vec<Claims> {
        let (state, rng) = (self.community.state(), &mut self.rng);
        self.wallets.iter().map(|wallet| wallet.claim(state, round_id, rng).expect("a fill")).collect()
    }

    fn audit(&self) -> AuditReport {
        let records = self.community.ledger().iter().map(|(block, certificate)| {
            Ok::<_, Infallible>(Record::Block(Box::new(block.clone()), certificate.clone()))
        });
        audit(records, AuditRequest::default(), |_| {}).expect("no violation")
    }
}

#[test]
fn a_round_is_paid_from_balances_that_nobody_knows() {
    let mut w = World::new();
    w.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let round_id = w.round();
    for claims in w.claims(round_id) {
        w.offer(&Transaction::Claims(claims)).expect("taken");
    }
    w.follow();
    let accounts = w.community.state().accounts().expect("money").clone();
    assert_eq!(accounts.unclaimed().len(), 0);
    let balances: Vec<i128> = w.wallets.iter().map(Wallet::balance_units).collect();
    // 40 Wh from the first, all or part of 30 from the second, at 11 ct/kWh; 50 and 7 bought.
    let fills: Vec<_> = w.wallets.iter().map(|wallet| &wallet.lines().last().expect("a line").kind).collect();
    for (fill, balance) in fills.iter().zip(&balances) {
        let LineKind::Fill { bought_wh_q16, sold_wh_q16, trade, .. } = fill else { panic!("a fill") };
        let paid = i128::from(*bought_wh_q16) * i128::from(trade.buy_price_mct_per_kwh);
        let earned = i128::from(*sold_wh_q16) * i128::from(trade.sell_price_mct_per_kwh);
        assert_eq!(*balance, 10 * UNITS_PER_CT - paid + earned);
    }
    let total: i128 = balances.iter().sum::<i128>() + accounts.community_units();
    assert_eq!(total, 140 * UNITS_PER_CT, "what was deposited is there to the last unit");
    assert!(w.wallets.iter().all(|wallet| wallet.reserved_units() == 0));
    w.audit();
}

#[test]
fn a_bid_costs_no_more_than_is_there() {
    let mut w = World::new();
    // The third buys 50 Wh at up to 12 ct/kWh: 0.6 ct.
    let round_id = w.community.open_round().expect("open");
    w.follow();
    assert_eq!(w.seal(round_id, 2, &BOOK[2]).expect_err("nothing on it"), SealError::Balance);
    let zeros = w.seal(round_id, 2, &[0; 8]).expect("zeros cost nothing");
    let sells = w.seal(round_id, 0, &BOOK[0]).expect("a sale costs nothing");
    assert_eq!(zeros.to_bytes().len(), sells.to_bytes().len());
    w.deposit(&[(w.wallets[2].number().expect("enrolled"), 1)]);
    // The deposit counts from the next round on.
    assert_eq!(w.seal(round_id, 2, &BOOK[2]).expect_err("the snapshot"), SealError::Balance);
    w.community.submit(round_id, &[zeros, sells], &mut w.rng).expect("taken");
    w.follow();
    w.community.finish_round(round_id).expect("an end");
    let next = w.community.open_round().expect("open");
    w.follow();
    w.seal(next, 2, &BOOK[2]).expect("one cent is enough");
}

#[test]
fn money_is_not_spent_twice() {
    let mut w = World::new();
    w.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let round_id = w.community.open_round().expect("open");
    w.follow();
    let bids: Vec<_> = (0..4).map(|at| w.seal(round_id, at, &BOOK[at]).expect("funded")).collect();
    // A withdrawal of all after the bid was sealed: the bid is stale.
    let state = w.community.state().clone();
    let all = w.wallets[2].withdraw(&state, 10, [1; 32], &mut w.rng).expect("all of it");
    let too_much = w.wallets[2].withdraw(&state, 11, [1; 32], &mut w.rng);
    assert!(too_much.is_err());
    w.offer(&Transaction::Withdraw(Box::new(all.clone()))).expect("taken");
    w.follow();
    assert_eq!(w.wallets[2].balance_units(), 0);
    let number = w.wallets[2].number().expect("enrolled");
    let refusal = w.community.state().terms_of(round_id, &bids[2..3]).expect_err("stale");
    assert_eq!(refusal, MoneyRefusal::DebitSequence { number, found: 0, expected: 1 }.into());
    assert_eq!(w.seal(round_id, 2, &BOOK[2]).expect_err("gone"), SealError::Balance);
    let again = w.offer(&Transaction::Withdraw(Box::new(all))).expect_err("once");
    assert!(matches!(again, OfferRefusal::Money(MoneyRefusal::DebitSequence { .. })), "{again}");
    // A bid first: what it costs can't be withdrawn.
    w.community.submit(round_id, &bids[3..], &mut w.rng).expect("taken");
    w.follow();
    let state = w.community.state().clone();
    assert!(w.wallets[3].withdraw(&state, 10, [1; 32], &mut w.rng).is_err(), "a part is held back");
    w.wallets[3].withdraw(&state, 9, [1; 32], &mut w.rng).expect("the rest is free");
}

#[test]
fn claims_are_made_once_and_by_their_owner() {
    let mut w = World::new();
    w.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let round_id = w.round();
    let claims = w.claims(round_id);
    let stolen = Claims { round_id, claims: vec![(claims[1].claims[0].0, claims[0].claims[0].1.clone())] };
    let refused = w.offer(&Transaction::Claims(stolen)).expect_err("another's");
    assert!(matches!(refused, OfferRefusal::Money(MoneyRefusal::Claim { .. })), "{refused}");
    w.offer(&Transaction::Claims(claims[0].clone())).expect("taken");
    w.follow();
    let refused = w.offer(&Transaction::Claims(claims[0].clone())).expect_err("once");
    assert!(matches!(refused, OfferRefusal::Money(MoneyRefusal::NothingToClaim { .. })), "{refused}");
    let many = Claims { round_id, claims: vec![claims[1].claims[0].clone(); 17] };
    let refused = w.offer(&Transaction::Claims(many)).expect_err("nobody signs them");
    assert_eq!(refused, OfferRefusal::ManyClaims { found: 17 });
    let other_round = Claims { round_id: round_id + 1, claims: claims[1].claims.clone() };
    assert!(w.offer(&Transaction::Claims(other_round)).is_err());
}

/// Members that never answer: validators put the very same worth on their balances, and learn nothing of it.
#[test]
fn validators_claim_for_those_who_do_not() {
    let mut w = World::new();
    w.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let round_id = w.round();
    let claims = w.claims(round_id);
    w.offer(&Transaction::Claims(claims[2].clone())).expect("taken");
    w.follow();
    assert!(w.community.state().overdue_rounds().is_empty(), "there is time for claims");
    assert!(w.community.state().claim_request(round_id).is_none());
    let settled_ms = w.community.state().time_unix_ms();
    while w.community.state().accounts().expect("money").unclaimed_of(round_id).is_some() {
        w.community.step().expect("a block");
        assert!(
            w.community.now_unix_ms() < settled_ms + 120_000,
            "the claims are made soon after their time"
        );
    }
    assert!(w.community.state().time_unix_ms() >= settled_ms + 59_000, "and not before it");
    w.follow();
    assert!(w.wallets.iter().all(|wallet| wallet.reserved_units() == 0 && wallet.lines().len() == 2));
    let accounts = w.community.state().accounts().expect("money").clone();
    let total: i128 = w.wallets.iter().map(Wallet::balance_units).sum::<i128>() + accounts.community_units();
    assert_eq!(total, 140 * UNITS_PER_CT);
    let refused = w.offer(&Transaction::Claims(claims[0].clone())).expect_err("made already");
    assert!(matches!(refused, OfferRefusal::Money(MoneyRefusal::NothingToClaim { .. })), "{refused}");
    w.audit();
}

#[test]
fn a_wallet_is_rebuilt_from_the_ledger() {
    let mut w = World::new();
    w.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let first = w.round();
    for claims in w.claims(first) {
        w.offer(&Transaction::Claims(claims)).expect("taken");
    }
    w.follow();
    let second = w.round();
    let mut again = Wallet::new(Arc::clone(&w.keyrings[2]), EPOCH);
    let mut state = State::from_genesis_block(&w.community.ledger()[0].0).expect("genesis");
    for (block, _) in &w.community.ledger()[1..] {
        let effects = state.apply_block(block, &mut veilgrid_ledger::verdicts::VerifyAll).expect("final");
        again.follow(&state, &block.transactions, effects.all()).expect("own bids open");
    }
    again.check(&state).expect("the same balance");
    assert_eq!(again.lines(), w.wallets[2].lines());
    assert_eq!(again.unclaimed_rounds().collect::<Vec<_>>(), [second]);
    let claims = again.claim(&state, second, &mut w.rng).expect("a fill");
    w.offer(&Transaction::Claims(claims)).expect("taken");
    w.follow();
    // Somebody else's keys do not open this account's bids.
    let mut other = Wallet::new(Arc::clone(&w.keyrings[0]), EPOCH);
    other.observe(&state, &veilgrid_ledger::state::effects::Effect::KeysInForce { session: 1 });
    assert_eq!(other.check(&state), Err(WalletFault::Balance), "deposits and fills that it has not counted");
}

/// A treasury need not wait for the validators' keys, and a wallet does not take such a deposit for a fault.
#[test]
fn a_deposit_may_come_before_the_keys() {
    let w = World::new();
    let mut state = State::from_genesis_block(&w.community.ledger()[0].0).expect("genesis");
    let mut wallet = Wallet::new(Arc::clone(&w.keyrings[0]), EPOCH);
    let number = state.members().number_of(&wallet.account()).expect("a first member");
    let action = TreasuryAction::Deposit(vec![Deposit { number, amount_ct: 7, reference: [0; 32] }]);
    let (id, mut rng) = (state.community().ledger_id(), ChaCha20Rng::seed_from_u64(9));
    let order = TreasuryOrder::sign(&id, 0, action, &w.treasury, &mut rng);
    let transactions = vec![Transaction::Treasury(Box::new(order))];
    let (time, root) = (state.time_unix_ms(), state.root());
    let block = veilgrid_ledger::block::Block::new(1, state.block_hash(), time, root, transactions);
    let effects = state.apply_block(&block, &mut veilgrid_ledger::verdicts::VerifyAll).expect("sound");
    assert!(state.account_key().is_none(), "no keys yet");
    wallet.follow(&state, &block.transactions, effects.all()).expect("followed");
    assert_eq!((wallet.check(&state), wallet.balance_units()), (Ok(()), 7 * UNITS_PER_CT));
}
