//! Accounts, the treasury and withdrawals over HTTP, on a ledger with money and on one without.

use crate::http_support::{EPOCH, MEMBERS, World, options, params, refusal, run};
use rand_core::OsRng;
use std::sync::Arc;
use veilgrid_api::{AccountsQuery, WithdrawalsQuery};
use veilgrid_client::{Client, ClientOptions};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::money::market::MoneyRules;
use veilgrid_ledger::money::treasury::{Deposit, Payment, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::wallet::Wallet;

struct Money {
    world: World,
    treasury: SigningKey,
    client: Client,
}

impl Money {
    fn new() -> Self {
        let treasury = SigningKey::generate(&mut OsRng);
        let treasury_key = treasury.verifying_key().to_bytes();
        let rules = MoneyRules { treasury_key, community_deposit_ct: 100, claim_ms: 60_000 };
        let world = World::of_market(options(), MarketParams { money: Some(rules), ..params() });
        let client = Client::new(&world.url(""), &ClientOptions::default()).expect("client");
        Self { world, treasury, client }
    }

    fn order(&mut self, sequence: u64, action: TreasuryAction) {
        let ledger_id = self.world.state.community().ledger_id();
        let order = TreasuryOrder::sign(&ledger_id, sequence, action, &self.treasury, &mut OsRng);
        self.world.push(vec![Transaction::Treasury(Box::new(order))]);
    }
}

#[test]
fn accounts_are_shown_with_what_is_public_and_their_place_in_the_tree() {
    run(async || {
        let mut w = Money::new();
        let deposit = |number, amount_ct| Deposit { number, amount_ct, reference: [7; 32] };
        w.order(0, TreasuryAction::Deposit(vec![deposit(1, 500), deposit(0, 50)]));
        let page = w.client.accounts(&AccountsQuery::default()).await.expect("a page");
        let accounts = w.world.state.accounts().expect("money").clone();
        assert_eq!((page.count, page.next, page.accounts.len()), (MEMBERS as u64, None, MEMBERS));
        assert_eq!((page.treasury_sequence, page.deposited_ct, page.unpaid), (1, 650, 0));
        assert_eq!((page.community_ct.as_str(), page.height), ("150", w.world.state.height()));
        assert_eq!(page.accounts_root, Hex32(accounts.root()));
        let some = w.client.accounts(&AccountsQuery { from: 2, max: 2 }).await.expect("a page");
        assert_eq!(some.accounts.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(some.next, Some(4));
        for (number, account) in accounts.iter() {
            let shown = w.client.account(number).await.expect("shown");
            assert!(shown.is_included());
            assert_eq!(shown.balance.map(|point| point.0), account.balance());
            assert_eq!(shown.state_root, Hex32(w.world.state.root()));
        }
        assert_eq!(refusal(w.world.get("/v1/accounts/99").await, 404).await, "not-found");
        assert_eq!(refusal(w.world.get("/v1/accounts/x").await, 400).await, "bad-request");
        assert_eq!(refusal(w.world.get("/v1/accounts?from=x").await, 400).await, "bad-request");
        assert_eq!(refusal(w.world.get("/v1/withdrawals?max=-1").await, 400).await, "bad-request");
    });
}

#[test]
fn withdrawals_are_shown_until_they_are_paid() {
    run(async || {
        let mut w = Money::new();
        let account = |keyring: &Keyring| keyring.account_key(EPOCH).verifying_key().to_bytes();
        let number = |w: &Money, place: usize| {
            w.world.state.members().number_of(&account(&w.world.keyrings[place])).expect("a member")
        };
        let (first, second) = (number(&w, 0), number(&w, 1));
        let deposit = |number| Deposit { number, amount_ct: 500, reference: [7; 32] };
        w.order(0, TreasuryAction::Deposit(vec![deposit(first), deposit(second)]));
        let unused = || Keyring::from_seed(&KeyringSeed::generate(&mut OsRng));
        let keyrings: Vec<Arc<Keyring>> = w
            .world
            .keyrings
            .iter_mut()
            .map(|keyring| Arc::new(std::mem::replace(keyring, unused())))
            .collect();
        for (place, amount_ct) in [(0, 100), (0, 7), (1, 30)] {
            let mut wallet = Wallet::new(Arc::clone(&keyrings[place]), EPOCH);
            for effects in &w.world.effects {
                effects.all().for_each(|effect| wallet.observe(&w.world.state, effect));
            }
            let terms = wallet.withdraw(&w.world.state, amount_ct, [1; 32], &mut OsRng).expect("made");
            w.world.push(vec![Transaction::Withdraw(Box::new(terms))]);
        }
        let page = w.client.withdrawals(&WithdrawalsQuery::default()).await.expect("a page");
        let mut expected = vec![(first, 0, 100), (first, 1, 7), (second, 0, 30)];
        expected.sort_unstable();
        let shown = |page: &veilgrid_api::WithdrawalsPage| -> Vec<(u32, u64, u64)> {
            page.withdrawals.iter().map(|one| (one.number, one.debit_sequence, one.amount_ct)).collect()
        };
        assert_eq!((shown(&page), page.count, page.next), (expected.clone(), 3, None));
        // In pages of one.
        let (mut query, mut all) = (WithdrawalsQuery { max: 1, ..WithdrawalsQuery::default() }, vec![]);
        loop {
            let page = w.client.withdrawals(&query).await.expect("a page");
            all.extend(shown(&page));
            let Some(next) = page.next else { break };
            query = WithdrawalsQuery { from: next.from, from_debit: next.from_debit, max: 1 };
        }
        assert_eq!(all, expected);
        let accounts = w.client.accounts(&AccountsQuery::default()).await.expect("a page");
        assert_eq!((accounts.unpaid, accounts.unpaid_ct, accounts.withdrawn_ct), (3, 137, 137));
        w.order(1, TreasuryAction::Paid(vec![Payment { number: first, debit_sequence: 0 }]));
        let page = w.client.withdrawals(&WithdrawalsQuery::default()).await.expect("a page");
        assert_eq!((page.count, page.treasury_sequence), (2, 2));
    });
}

#[test]
fn a_ledger_without_money_says_so() {
    run(async || {
        let w = World::new(options());
        for path in ["/v1/accounts", "/v1/accounts/1", "/v1/withdrawals"] {
            let response = w.get(path).await;
            assert_eq!(response.status(), 404);
            let text = response.text().await.expect("text");
            assert!(text.contains("this ledger has no money"), "{text}");
        }
    });
}
