//! The rules of bills over random communities: sums to the last unit, corrections exactly once.

mod random;

use proptest::prelude::*;
use random::Random;
use veilgrid_billing::bill::{Bill, Parts, exact};
use veilgrid_billing::correction::{Note, difference};
use veilgrid_billing::money::{Amount, UNITS_PER_CT};
use veilgrid_billing::payment::Payment;
use veilgrid_billing::readings::{Grade, complete};
use veilgrid_billing::settle::{Kind, Lines, settle, total};
use veilgrid_market::sharing::share_plain;

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    Amount::sum(amounts).expect("in bounds")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What all accounts owe is what the payees get, and what rounding leaves out is less than a cent an account.
    #[test]
    fn all_accounts_and_rounding_balance_to_the_last_unit(random in Random::any()) {
        let settled = settle(&complete(&random.known(), &Grade::ALL).expect("complete"), &random.terms()).expect("settled");
        let owed: Vec<Amount> = settled.accounts.iter().map(|account| total(&account.lines).expect("in bounds")).collect();
        let paid = sum(settled.payees.fees.values().copied().chain([settled.payees.community]));
        prop_assert_eq!(sum(owed.iter().copied()), paid);
        let billed = sum(owed.iter().map(|amount| Amount::from_ct(amount.floor_ct().expect("in bounds"))));
        let rounding = sum([paid, billed.negated()]).units();
        prop_assert!((0..UNITS_PER_CT * owed.len() as i128).contains(&rounding));
    }

    /// The energy of the lines is what `veilgrid share` gives, and each line is energy times price.
    #[test]
    fn lines_are_what_was_shared(random in Random::any()) {
        let (known, terms) = (random.known(), random.terms());
        let complete = complete(&known, &Grade::ALL).expect("complete");
        let settled = settle(&complete, &terms).expect("settled");
        let shared = share_plain(complete.readings(), &terms.key).expect("shared");
        let mut expected = vec![(0i128, 0i128); known.accounts.len()];
        for (slot, shares) in complete.readings().slots.iter().zip(&shared) {
            for (reading, q16) in slot.consumption.iter().zip(&shares.consumers_q16) {
                expected[reading.account].0 += i128::from(*q16);
            }
            for (reading, q16) in slot.generation.iter().zip(&shares.producers_q16) {
                expected[reading.account].1 += i128::from(*q16);
            }
        }
        for (account, (bought, sold)) in settled.accounts.iter().zip(expected) {
            let energy = |kind| account.lines.iter().filter(|(key, _)| key.kind == kind).map(|(_, energy)| energy).sum::<i128>();
            prop_assert_eq!((energy(Kind::Bought), energy(Kind::Sold)), (bought, sold));
            prop_assert_eq!(i128::from(account.consumption.shared_q16), bought);
            prop_assert!(i128::from(account.consumption.metered_wh) << 16 >= bought);
            for (key, energy) in &account.lines {
                let sign = if key.kind == Kind::Sold { -1 } else { 1 };
                prop_assert_eq!(key.amount(*energy).expect("in bounds").units(), sign * energy * i128::from(key.price_mct_per_kwh));
            }
        }
    }

    /// However often readings change, all bills together are what the last readings come to: nothing is billed twice or lost.
    #[test]
    fn corrections_are_billed_exactly_once(random in Random::any(), changes in proptest::collection::vec(any::<u64>(), 1..4)) {
        let terms = random.terms();
        let settle_now = |random: &Random| settle(&complete(&random.known(), &Grade::ALL).expect("complete"), &terms).expect("settled");
        let mut random = random;
        let mut billed: Vec<Vec<Lines>> = settle_now(&random).accounts.into_iter().map(|account| vec![account.lines]).collect();
        for change in changes {
            random.correct(change);
            let now = settle_now(&random);
            let mut all = Vec::new();
            for (account, billed) in now.accounts.iter().zip(&mut billed) {
                let note = difference(&account.lines, billed.iter());
                all.push(total(&note).expect("in bounds"));
                billed.push(note);
                prop_assert!(difference(&account.lines, billed.iter()).is_empty(), "a second time there is nothing to correct");
            }
            for (account, billed) in now.accounts.iter().zip(&billed) {
                let all = sum(billed.iter().map(|lines| total(lines).expect("in bounds")));
                prop_assert_eq!(all, total(&account.lines).expect("in bounds"));
            }
        }
    }

    /// A bill is its lines and notes, rounded down once; its JSON says the same.
    #[test]
    fn a_bill_is_rounded_once(random in Random::any(), change in any::<u64>()) {
        let terms = random.terms();
        let before = settle(&complete(&random.known(), &Grade::ALL).expect("complete"), &terms).expect("settled");
        let mut corrected = random.clone();
        corrected.correct(change);
        let after = settle(&complete(&corrected.known(), &Grade::ALL).expect("complete"), &terms).expect("settled");
        let community = random::community();
        for (account, now) in before.accounts.iter().zip(&after.accounts) {
            let (period, earlier) = ("2026-03".parse().expect("a month"), "2026-02".parse().expect("a month"));
            let lines = difference(&now.lines, [&account.lines]);
            let notes = [Note { period: earlier, bill: Some("1".into()), lines: lines.clone(), days: Vec::new() }];
            let parts = Parts {
                settings: &community.settings, account: &community.accounts[0], period, date: "2026-04-02".parse().expect("a date"),
                number: Some("2".into()), month: account, notes: &notes,
            };
            let bill = Bill::new(&parts, |_| Payment::Nothing).expect("a bill");
            let sum_of_lines = sum(bill.lines.iter().chain(&bill.corrections[0].lines).map(|line| line.amount));
            prop_assert_eq!((bill.exact, sum_of_lines), (exact(account, &notes).expect("exact"), bill.exact));
            prop_assert!((0..UNITS_PER_CT).contains(&bill.rounding.units()));
            prop_assert_eq!(sum([Amount::from_ct(bill.total_ct), bill.rounding]), bill.exact);
            prop_assert_eq!((bill.billed(period), bill.billed(earlier)), (account.lines.clone(), lines));
            let json = bill.to_json().expect("JSON");
            prop_assert_eq!(&serde_json::from_slice::<Bill>(&json).expect("a bill"), &bill);
            prop_assert_eq!(bill.to_csv().lines().count(), 3 + bill.lines.len() + bill.corrections[0].lines.len());
        }
    }
}
