//! The sealed round gives what the plain one gives: every public book of up to 100 orders, and random books.
//!
//! The long run (books of 1,000 orders, more random ones):
//! `cargo test --release --test it sealed_equals_plain -- --ignored`

use crate::cli::{clear, root, write_book};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::fmt::Write;
use std::path::Path;

fn compare(book: &Path, grid: &[&str]) {
    let sealed = clear(book, grid);
    let plain = clear(book, &[grid, &["--plain"]].concat());
    assert_eq!(sealed, plain, "{}", book.display());
}

fn public_books(largest: usize) -> Vec<std::path::PathBuf> {
    let folder = root().join("data/order_books");
    let mut books: Vec<_> = std::fs::read_dir(folder)
        .expect("the books")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .filter(|path| std::fs::read_to_string(path).expect("a book").lines().count() <= largest + 1)
        .collect();
    books.sort();
    books
}

/// The default grid, or one from -16 ct on for the books with prices below zero.
fn grid_for(book: &Path) -> Vec<&'static str> {
    let below_zero =
        book.file_name().is_some_and(|name| name.to_str().is_some_and(|name| name.starts_with("n_")));
    let lowest = if below_zero { "--price-min=-16000" } else { "--price-min=0" };
    vec!["--off-grid", "drop", lowest]
}

/// A book of `orders` orders over a grid of `ticks` prices of 1 ct, some of it off the grid on the side that trades.
fn random_book(rng: &mut ChaCha20Rng, orders: u64, ticks: u64) -> String {
    let mut text = "id,side,price_ct_per_kwh,quantity_kwh\n".to_owned();
    for number in 0..orders {
        let buy = rng.next_u64().is_multiple_of(2);
        let tenths = rng.next_u64() % (ticks * 10);
        // Ends of the grid: a buy above the top and a sell below the bottom are better than the grid's ends.
        let tenths = if buy { tenths } else { tenths.min((ticks - 1) * 10) };
        // Few different quantities, so that balanced books occur.
        let wh = [0, 1, 250, 250, 500, 1000, 1000, 65_535][(rng.next_u64() % 8) as usize];
        let side = if buy { "buy" } else { "sell" };
        writeln!(text, "o{number},{side},{}.{},{}.{:03}", tenths / 10, tenths % 10, wh / 1000, wh % 1000)
            .expect("a string");
    }
    text
}

fn random_books(seed: u64, count: usize, most_orders: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().expect("a folder");
    for number in 0..count {
        let ticks = [2u64, 4, 8, 16][(rng.next_u64() % 4) as usize];
        let orders = 1 + rng.next_u64() % most_orders;
        let book = write_book(dir.path(), &format!("{number}.csv"), &random_book(&mut rng, orders, ticks));
        let rule = if number % 4 == 3 { "trade-reduction" } else { "uniform" };
        compare(&book, &["--ticks", &ticks.to_string(), "--rule", rule]);
    }
}

#[test]
fn on_public_books_of_up_to_100_orders() {
    let books = public_books(100);
    assert_eq!(books.len(), 18 + 8, "{books:?}");
    for book in books {
        compare(&book, &grid_for(&book));
    }
}

#[test]
fn on_100_random_books() {
    random_books(1, 100, 16);
}

#[test]
#[ignore = "long: books of 1,000 orders"]
fn on_public_books_of_up_to_1000_orders() {
    for book in public_books(1000) {
        compare(&book, &grid_for(&book));
    }
}

#[test]
#[ignore = "long: 300 random books of up to 100 orders"]
fn on_many_random_books() {
    random_books(2, 300, 100);
}
