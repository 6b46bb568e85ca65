//! Ledgers with receipts (10.3).

use super::case::{Case, Expected};
use super::network::{self, Ledger, SHORT};
use crate::common::BOOK;
use crate::world::{World, receipt_key};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;

fn receipt(
    key: &SigningKey,
    id: [u8; 32],
    round_id: u64,
    account: [u8; 32],
    digest: [u8; 32],
    number: u64,
) -> Receipt {
    let mut rng = ChaCha20Rng::seed_from_u64(number);
    Receipt::issue(key, id, round_id, account, digest, number, &mut rng)
}

/// Of the short honest ledger, by the aggregator.
fn of_the_aggregator() -> Vec<Case> {
    let bids = SHORT.blocks.iter().flat_map(|block| &block.transactions).find_map(|found| match found {
        Transaction::Bids { bids, .. } => Some(bids),
        _ => None,
    });
    let (bid, key) = (&bids.expect("bids")[0], &receipt_key());
    let id = SHORT.states[0].community().ledger_id();
    let with = |name: &str, about: &str, receipts, expected| {
        let case = network::case(name, about, SHORT.file(), expected);
        Case { receipts: Some(receipts), ..case.of_file("network/honest") }
    };
    let kept = receipt(key, id, 1, bid.account, bid.digest(), 1);
    let unknown = receipt(key, id, 9, bid.account, [2; 32], 2);
    let foreign = receipt(key, [5; 32], 1, [1; 32], [2; 32], 3);
    let nobody = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(4));
    let stranger = receipt(&nobody, id, 1, [1; 32], [2; 32], 4);
    let left_out = receipt(key, id, 1, [1; 32], [2; 32], 5);
    let other = receipt(key, id, 1, bid.account, [2; 32], 6);
    vec![
        with(
            "receipts-kept",
            "a bid that is there, a round that is not, another ledger, another signer",
            vec![kept.clone(), unknown, foreign, stranger],
            Expected::Passes,
        ),
        with("receipts-missing", "a bid that was left out", vec![kept, left_out], Expected::BrokenPromise),
        with("receipts-other-bid", "another bid of the account", vec![other], Expected::BrokenPromise),
    ]
}

/// Round 1 of a network closes without the last member's bid.
fn left_out() -> (Ledger, World, SealedBid) {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let Transaction::Bids { round_id, mut bids } = world.bids(1, &BOOK) else { panic!("bids") };
    let bid = bids.pop().expect("a bid");
    world.push(vec![Transaction::Bids { round_id, bids }]);
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    (Ledger::of(&world), world, bid)
}

pub fn cases() -> Vec<Case> {
    let (ledger, world, bid) = left_out();
    let id = world.state.community().ledger_id();
    let of = |who: usize, account, digest| {
        let key = if who == 0 { receipt_key() } else { world.validators[who].key.clone() };
        receipt(&key, id, 1, account, digest, who as u64 + 1)
    };
    let promised =
        |who: &[usize]| who.iter().map(|who| of(*who, bid.account, bid.digest())).collect::<Vec<_>>();
    let there =
        ledger.blocks.iter().flat_map(|block| &block.transactions).find_map(
            |transaction| match transaction {
                Transaction::Bids { bids, .. } => Some(bids[0].account),
                _ => None,
            },
        );
    let second = vec![of(1, there.expect("bids"), [2; 32]), of(2, there.expect("bids"), [2; 32])];
    let with = |name: &str, about: &str, receipts, expected| {
        let case = network::case(name, about, ledger.file(), expected);
        Case { receipts: Some(receipts), ..case.of_file("network/left-out") }
    };
    let of_validators = vec![
        with(
            "receipts-few",
            "one validator of four has promised a bid that was left out",
            promised(&[1]),
            Expected::Passes,
        ),
        with("receipts-enough", "two validators of four have", promised(&[1, 2]), Expected::BrokenPromise),
        with("receipts-aggregator", "the aggregator alone has", promised(&[0]), Expected::BrokenPromise),
        with("receipts-stranger", "one who is no validator has", promised(&[5]), Expected::Passes),
        with(
            "receipts-second-bid",
            "validators have promised a second bid of an account",
            second,
            Expected::Passes,
        ),
    ];
    [of_the_aggregator(), of_validators].concat()
}
