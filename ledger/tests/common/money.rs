//! A ledger with money, and for each member a purse: what the owner of an account knows of it.
#![allow(dead_code, reason = "each test file uses a part")]

use super::common::{BOOK, EPOCH, account, params, timing};
use super::world::World;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::{
    AccountTerms, AvailableOpening, SealError, SealedBid, cost_opening, seal_bid_with_money,
};
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::order::{AccountNumber, Action};
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::market::{MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::treasury::{Deposit, Payment, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::money::unclaimed::worth_of_a_wh;
use veilgrid_ledger::money::withdrawal::{Withdrawal, WithdrawalTerms};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Rule, fill_weights};

/// What a bank would know a payment by.
pub const REFERENCE: [u8; 32] = [7; 32];
/// What the community's account begins with, in ct.
pub const COMMUNITY_CT: u64 = 100;

/// After this long validators claim.
pub const CLAIM_MS: u64 = 20_000;

/// The treasury's key, which is nobody else's.
pub fn treasury_key() -> SigningKey {
    SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(79))
}

pub fn money_rules() -> MoneyRules {
    MoneyRules {
        treasury_key: treasury_key().verifying_key().to_bytes(),
        community_deposit_ct: COMMUNITY_CT,
        claim_ms: CLAIM_MS,
    }
}

/// The market of four prices and four validators, with money.
pub fn money_params(rule: Rule) -> MarketParams {
    MarketParams { money: Some(money_rules()), ..params(rule, true) }
}

/// An amount in units of balances, with its blinding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening {
    pub units: i128,
    pub blinding: Scalar,
}

impl Opening {
    pub const ZERO: Self = Self { units: 0, blinding: Scalar::ZERO };

    pub fn public(units: i128) -> Self {
        Self { units, blinding: Scalar::ZERO }
    }
    pub fn ct(ct: u64) -> Self {
        Self::public(i128::from(ct) * UNITS_PER_CT)
    }
    pub fn plus(self, other: Self) -> Self {
        Self { units: self.units + other.units, blinding: self.blinding + other.blinding }
    }
    pub fn minus(self, other: Self) -> Self {
        Self { units: self.units - other.units, blinding: self.blinding - other.blinding }
    }
    pub fn secret(self) -> AvailableOpening {
        AvailableOpening { amount: Secret::new(self.units), blinding: Secret::new(self.blinding) }
    }
}

/// A bid of its owner's that is on the ledger.
#[derive(Debug, Clone)]
pub struct Placed {
    pub quantities_wh: Vec<u64>,
    pub salt: [u8; 32],
    pub cost: Opening,
    /// What it bought and sold, Wh/2^16, and what that is worth, once it is settled with a trade.
    pub filled: Option<([u64; 2], i128)>,
}

/// The owner's side of one account.
#[derive(Debug, Clone)]
pub struct Purse {
    pub number: AccountNumber,
    pub balance: Opening,
    pub debits: Opening,
    pub credit: Opening,
    pub bids: BTreeMap<u64, Placed>,
    pub snapshots: BTreeMap<u64, Opening>,
    /// Digest of a sealed bid → what is in it.
    sealed: BTreeMap<[u8; 32], (Vec<u64>, [u8; 32])>,
}

impl Purse {
    fn new(number: AccountNumber) -> Self {
        let (balance, debits, credit) = (Opening::ZERO, Opening::ZERO, Opening::ZERO);
        let (bids, snapshots, sealed) = Default::default();
        Self { number, balance, debits, credit, bids, snapshots, sealed }
    }

    pub fn free(&self) -> Opening {
        self.bids.values().fold(self.balance, |free, bid| free.minus(bid.cost))
    }

    /// What a bid in an open round may cost.
    pub fn available(&self, round_id: u64) -> Opening {
        self.snapshots[&round_id].minus(self.debits)
    }
}

pub struct Market {
    pub world: World,
    pub purses: Vec<Purse>,
    followed: usize,
}

impl Market {
    /// Four members with ten cents each, keys in force.
    pub fn funded() -> Self {
        let mut market = Self::of(money_params(Rule::Uniform));
        market.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
        market
    }

    /// Keys in force, and nothing on any account.
    pub fn of(params: MarketParams) -> Self {
        Self::followed(World::of_market(4, params, 7).with_keys())
    }

    pub fn followed(world: World) -> Self {
        let purses = (1..).take(world.keyrings.len()).map(Purse::new).collect();
        let mut market = Self { world, purses, followed: 0 };
        market.follow();
        market
    }

    /// The same market with epochs that no key session of which gets in the way of many rounds.
    pub fn of_one_epoch(params: MarketParams) -> Self {
        let timing = veilgrid_ledger::timing::RoundTiming { epoch_blocks: 100_000, ..timing() };
        Self::of(MarketParams { timing, ..params })
    }

    /// Every purse takes what happened since the last time, and compares itself with the ledger.
    pub fn follow(&mut self) {
        let new = self.world.effects[self.followed..].to_vec();
        self.followed = self.world.effects.len();
        new.iter().flat_map(|block| block.all()).for_each(|effect| self.take(effect));
        self.compare();
    }

    /// The ledger's points are those of the purses.
    pub fn compare(&self) {
        let accounts = self.world.state.accounts().expect("money");
        let Some(key) = self.world.state.account_key() else { return };
        for purse in &self.purses {
            let r = &purse.balance.blinding * RISTRETTO_BASEPOINT_TABLE;
            let c = scalar_from_i128(purse.balance.units) * value_base() + purse.balance.blinding * key;
            let account = accounts.account(purse.number).expect("enrolled");
            assert_eq!(account.balance(), [encode_point(&r), encode_point(&c)], "account {}", purse.number);
        }
    }

    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::RoundOpened { round_id, .. } => {
                for purse in &mut self.purses {
                    let open = purse.free().plus(purse.credit).plus(purse.debits);
                    purse.snapshots.insert(*round_id, open);
                }
            }
            Effect::BidsAccepted { round_id, bids } => {
                for bid in bids {
                    self.placed(*round_id, &bid.account, &bid.bid_digest);
                }
            }
            Effect::Settled(settled) => self.settled(settled),
            Effect::Voided { round_id, .. } => {
                self.purses.iter_mut().for_each(|purse| drop(purse.bids.remove(round_id)));
            }
            Effect::Claimed { round_id, accounts } => {
                accounts.iter().for_each(|number| self.claimed(*round_id, *number));
            }
            Effect::ClaimedByValidators { round_id, account } => self.claimed(*round_id, *account),
            Effect::TreasuryActed { action: TreasuryAction::Deposit(deposits), .. } => {
                for deposit in deposits.iter().filter(|deposit| deposit.number > 0) {
                    let purse = self.purse_mut(deposit.number);
                    purse.balance = purse.balance.plus(Opening::ct(deposit.amount_ct));
                }
            }
            Effect::Withdrawn { terms } => {
                let purse = self.purse_mut(terms.number);
                let amount = Opening::ct(terms.amount_ct);
                purse.balance = purse.balance.minus(amount);
                purse.debits = purse.debits.plus(amount);
            }
            _ => {}
        }
    }

    fn claimed(&mut self, round_id: u64, number: AccountNumber) {
        let placed = self.purse_mut(number).bids.remove(&round_id).expect("a bid");
        let (_, units) = placed.filled.expect("filled");
        let blinding = self.randomness(number, round_id, &placed.salt);
        let purse = self.purse_mut(number);
        purse.balance = purse.balance.plus(Opening { units, blinding });
    }

    fn purse_mut(&mut self, number: AccountNumber) -> &mut Purse {
        &mut self.purses[number as usize - 1]
    }

    /// The randomness r of a bid.
    pub fn randomness(&self, number: AccountNumber, round_id: u64, salt: &[u8; 32]) -> Scalar {
        let keyring = &self.world.keyrings[number as usize - 1];
        *keyring.round_view_key(EPOCH, round_id).randomness(salt).expose()
    }

    fn placed(&mut self, round_id: u64, of: &[u8; 32], digest: &[u8; 32]) {
        let member = self.world.keyrings.iter().position(|keyring| account(keyring) == *of);
        let member = member.expect("a member");
        let view = self.world.keyrings[member].round_view_key(EPOCH, round_id);
        let costs = self.world.state.community().costs().expect("money").clone();
        let purse = &mut self.purses[member];
        let (quantities_wh, salt) = purse.sealed[digest].clone();
        let (cost, blinding) = cost_opening(&quantities_wh, &costs, &view, &salt).expect("a cost");
        let cost = Opening { units: *cost.expose(), blinding: *blinding.expose() };
        purse.debits = purse.debits.plus(cost);
        purse.bids.insert(round_id, Placed { quantities_wh, salt, cost, filled: None });
    }

    fn settled(&mut self, settled: &SettledRound) {
        let weights = fill_weights(&self.world.genesis().params.grid, &settled.outcome);
        let [buying, selling] = worth_of_a_wh(&settled.outcome);
        for purse in &mut self.purses {
            if settled.outcome.trade.is_none() {
                purse.bids.remove(&settled.round_id);
            } else if let Some(bid) = purse.bids.get_mut(&settled.round_id) {
                let part = |buy: bool| -> u64 {
                    let pairs = weights.iter().zip(&bid.quantities_wh).filter(|(q, _)| (**q > 0) == buy);
                    pairs.map(|(q, x)| q.unsigned_abs() * x).sum()
                };
                let [bought, sold] = [part(true), part(false)];
                let worth = buying * i128::from(bought) + selling * i128::from(sold);
                bid.filled = Some(([bought, sold], worth));
            }
        }
    }
}

/// Terms of an account that may not bid.
fn made_up_terms(community: &Community) -> AccountTerms {
    let costs = community.costs().expect("money").clone();
    AccountTerms { import_wh: 1_000, export_wh: 1_000, available: [0; 32], debit_sequence: 0, costs }
}

/// What the treasury and members send.
impl Market {
    /// The treasury's next order.
    pub fn order(&mut self, action: TreasuryAction) -> TreasuryOrder {
        let sequence = self.world.state.accounts().expect("money").treasury_sequence();
        let id = self.world.state.community().ledger_id();
        TreasuryOrder::sign(&id, sequence, action, &treasury_key(), &mut self.world.rng)
    }

    pub fn ordered(&mut self, action: TreasuryAction) -> Transaction {
        Transaction::Treasury(Box::new(self.order(action)))
    }

    pub fn deposits(&mut self, deposits: &[(AccountNumber, u64)]) -> Transaction {
        let of = |(number, amount_ct): &(AccountNumber, u64)| Deposit {
            number: *number,
            amount_ct: *amount_ct,
            reference: REFERENCE,
        };
        self.ordered(TreasuryAction::Deposit(deposits.iter().map(of).collect()))
    }

    pub fn paid(&mut self, number: AccountNumber, debit_sequence: u64) -> Transaction {
        self.ordered(TreasuryAction::Paid(vec![Payment { number, debit_sequence }]))
    }

    pub fn deposit(&mut self, deposits: &[(AccountNumber, u64)]) {
        let order = self.deposits(deposits);
        self.push(vec![order]);
    }

    /// The registrar gives a member (from 0) a credit line.
    pub fn give_credit(&mut self, member: usize, credit: Opening) {
        let number = self.purses[member].number;
        let key = *self.world.state.account_key().expect("keys");
        let point = scalar_from_i128(credit.units) * value_base() + credit.blinding * key;
        let plain = self.world.state.members().member(number).expect("a member").certificate.clone();
        let on_credit = Certificate { credit_line: Some(encode_point(&point)), ..plain };
        let order = self.world.ordered(Action::Update(vec![(number, on_credit)]));
        self.push(vec![order]);
        self.purses[member].credit = credit;
    }

    pub fn push(&mut self, transactions: Vec<Transaction>) {
        self.world.push(transactions);
        self.follow();
    }

    /// A withdrawal by a member (from 0) that says that the account has this much left.
    pub fn withdrawal(&mut self, member: usize, amount_ct: u64, rest: Opening) -> Withdrawal {
        let number = self.purses[member].number;
        let sequence = self.world.state.accounts().expect("money").account(number).expect("enrolled");
        let terms = WithdrawalTerms {
            number,
            debit_sequence: sequence.debit_sequence(),
            amount_ct,
            reference: REFERENCE,
        };
        let key = self.world.keyrings[member].account_key(EPOCH);
        let id = self.world.state.community().ledger_id();
        let account_key = *self.world.state.account_key().expect("keys");
        Withdrawal::make(&id, terms, &account_key, &rest.secret(), &key, &mut self.world.rng).expect("a rest")
    }

    /// A withdrawal of what the account has.
    pub fn withdraws(&mut self, member: usize, amount_ct: u64) -> Transaction {
        let rest = self.purses[member].free().minus(Opening::ct(amount_ct));
        Transaction::Withdraw(Box::new(self.withdrawal(member, amount_ct, rest)))
    }

    /// A bid within what the account has available.
    pub fn seal(
        &mut self,
        round_id: u64,
        member: usize,
        quantities_wh: &[u64],
    ) -> Result<SealedBid, SealError> {
        let available = self.purses[member].available(round_id);
        self.seal_with(round_id, member, quantities_wh, available, |_| {})
    }

    /// A bid that states and proves other terms than the ledger's.
    pub fn seal_with(
        &mut self,
        round_id: u64,
        member: usize,
        quantities_wh: &[u64],
        available: Opening,
        edit: impl FnOnce(&mut AccountTerms),
    ) -> Result<SealedBid, SealError> {
        let state = &self.world.state;
        let (context, params) =
            (state.round_context(round_id).expect("open"), state.community().bid_params().expect("keys"));
        let terms = state.account_terms(round_id, &self.world.account(member));
        let mut terms = terms.unwrap_or_else(|| made_up_terms(state.community()));
        let key = state.account_key().expect("keys");
        let point = scalar_from_i128(available.units) * value_base() + available.blinding * key;
        terms.available = encode_point(&point);
        edit(&mut terms);
        let keyring = &self.world.keyrings[member];
        let (available, rng) = (available.secret(), &mut self.world.rng);
        let bid = seal_bid_with_money(params, &context, keyring, quantities_wh, &terms, &available, rng)?;
        self.purses[member].sealed.insert(bid.digest(), (quantities_wh.to_vec(), bid.salt));
        Ok(bid)
    }

    pub fn bids(&mut self, round_id: u64, book: &[[u64; 8]]) -> Vec<SealedBid> {
        (0..book.len()).map(|at| self.seal(round_id, at, &book[at]).expect("funded")).collect()
    }

    /// Opens a round and takes the whole book.
    pub fn bidding_of(&mut self, round_id: u64, book: &[[u64; 8]]) {
        self.world.open_round(round_id);
        self.follow();
        let bids = self.bids(round_id, book);
        self.push(vec![Transaction::Bids { round_id, bids }]);
    }

    /// A whole round; returns how it ended.
    pub fn round_of(&mut self, round_id: u64, book: &[[u64; 8]]) -> Effect {
        self.bidding_of(round_id, book);
        self.end(round_id)
    }

    pub fn end(&mut self, round_id: u64) -> Effect {
        self.world.close(round_id);
        let end = self.world.finish(round_id);
        self.follow();
        end
    }

    pub fn round(&mut self, round_id: u64) -> Effect {
        self.round_of(round_id, &BOOK)
    }

    /// A member's claim of its fill.
    pub fn claim(&mut self, round_id: u64, member: usize) -> Claims {
        let filled = self.purses[member].bids[&round_id].filled.expect("filled").0;
        self.claim_of(round_id, member, filled)
    }

    /// A claim that says that it has filled so much.
    pub fn claim_of(&mut self, round_id: u64, member: usize, filled: [u64; 2]) -> Claims {
        let number = self.purses[member].number;
        let (rules, fill) = self.world.state.claimable(round_id, number).expect("something to claim");
        let salt = self.purses[member].bids[&round_id].salt;
        let r = Secret::new(self.randomness(number, round_id, &salt));
        let claim = rules.claim(&fill, &r, &Secret::new(filled), &mut self.world.rng);
        Claims { round_id, claims: vec![(number, claim)] }
    }

    /// Everybody claims, in one transaction.
    pub fn claims(&mut self, round_id: u64) -> Claims {
        let members = 0..self.purses.len();
        let members: Vec<usize> =
            members.filter(|at| self.purses[*at].bids.contains_key(&round_id)).collect();
        let claims = members.into_iter().flat_map(|member| self.claim(round_id, member).claims).collect();
        Claims { round_id, claims }
    }

    pub fn claim_all(&mut self, round_id: u64) {
        let claims = self.claims(round_id);
        self.push(vec![Transaction::Claims(claims)]);
    }

    /// The shares of validators for the first overdue claim of a round, just enough of them.
    pub fn claim_shares(&mut self, round_id: u64) -> Vec<Transaction> {
        let request = self.world.state.claim_request(round_id).expect("an overdue claim");
        self.world.shares(round_id, &request)
    }

    /// A block after the time for claims.
    pub fn let_claims_pass(&mut self) {
        self.world.at(self.world.state.time_unix_ms() + CLAIM_MS, vec![]);
        self.follow();
    }

    /// What is on all accounts and the community's, in units.
    pub fn total(&self) -> i128 {
        let members: i128 = self.purses.iter().map(|purse| purse.balance.units).sum();
        members + self.world.state.accounts().expect("money").community_units()
    }

    /// What fills that are not claimed are worth, in units.
    pub fn unclaimed(&self) -> i128 {
        let bids = self.purses.iter().flat_map(|purse| purse.bids.values());
        bids.filter_map(|bid| bid.filled.map(|(_, worth)| worth)).sum()
    }
}
