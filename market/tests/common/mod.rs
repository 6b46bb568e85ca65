//! Books, a clearing by definition (no search, no openings) and small helpers for the tests of this crate.
#![allow(dead_code)] // Each test binary uses a part.

use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use veilgrid_market::{
    BookOrder, Grid, Order, Purpose, Rule, Side, SumRequest, parse_book, step_of, step_totals,
};

/// 1 as a fraction or a Wh.
pub const ONE: u128 = 1 << 16;

/// A file of the public order books.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/order_books").join(name)
}

pub fn json(name: &str) -> Vec<Value> {
    serde_json::from_reader(File::open(data(name)).expect("file")).expect("JSON list")
}

pub fn public_book(name: &str) -> Vec<BookOrder> {
    parse_book(File::open(data(&format!("{name}.csv"))).expect("file")).expect("book")
}

/// The grid of an expected result, whose prices are in 0.01 ct.
pub fn grid_of(expected: &Value) -> Grid {
    let number = |key: &str| expected[key].as_u64().expect(key);
    let p_min = expected["p_min"].as_i64().expect("p_min");
    Grid::new(p_min * 10, number("tick") * 10, number("L") as u32).expect("grid")
}

/// The orders that can trade.
pub fn on_grid(grid: &Grid, orders: &[Order]) -> Vec<Order> {
    orders.iter().filter(|order| step_of(grid, order).is_ok()).copied().collect()
}

pub fn totals_of(grid: &Grid, orders: &[Order]) -> Vec<u64> {
    step_totals(grid, &on_grid(grid, orders)).expect("totals")
}

pub fn order(side: Side, limit_mct_per_kwh: i64, energy_wh: u64) -> Order {
    Order { side, limit_mct_per_kwh, energy_wh }
}

/// The openings of the path as the reference writes them; a volume's own opening must come last.
pub fn path(opened: &[(SumRequest, i64)]) -> Vec<Value> {
    let volumes = opened.iter().filter(|(request, _)| request.purpose == Purpose::Volume).count();
    assert!(volumes <= 1);
    assert!(opened.iter().take(opened.len() - volumes).all(|(request, _)| request.purpose == Purpose::Path));
    opened[..opened.len() - volumes]
        .iter()
        .map(|(request, value)| serde_json::json!([format!("{:?}", request.kind), request.tick, value]))
        .collect()
}

/// The curves of a book, straight from their definitions.
pub struct Curves {
    bids: Vec<u64>,
    asks: Vec<u64>,
}

impl Curves {
    pub fn new(totals: &[u64]) -> Self {
        Self {
            bids: totals.iter().skip(1).step_by(2).copied().collect(),
            asks: totals.iter().step_by(2).copied().collect(),
        }
    }
    pub fn ticks(&self) -> usize {
        self.bids.len()
    }
    /// Demand at tick k and above; zero above the grid.
    pub fn demand(&self, k: usize) -> u64 {
        self.bids.iter().skip(k).sum()
    }
    /// Supply below tick k, S_{k-1}.
    pub fn supply_below(&self, k: usize) -> u64 {
        self.asks.iter().take(k).sum()
    }
    /// S_k.
    pub fn supply(&self, k: usize) -> u64 {
        self.supply_below(k + 1)
    }
    pub fn max_volume(&self) -> u64 {
        (0..self.ticks()).map(|k| self.demand(k).min(self.supply(k))).max().unwrap_or(0)
    }
    /// First and last tick that is an equilibrium: W_{k-1} >= 0 >= W_k.
    pub fn equilibrium(&self) -> (usize, usize) {
        let fits =
            |k: &usize| self.demand(*k) >= self.supply_below(*k) && self.demand(k + 1) <= self.supply(*k);
        let ticks: Vec<usize> = (0..self.ticks()).filter(fits).collect();
        (ticks[0], ticks[ticks.len() - 1])
    }
    /// (kb, ks, Q) of the trade reduction, or none without trade.
    pub fn reduced(&self) -> Option<(u32, u32, u64)> {
        let volume = self.max_volume();
        let buy_edge = (0..self.ticks()).rev().find(|k| self.demand(*k) >= volume)?;
        let sell_edge = (0..self.ticks()).find(|k| self.supply(*k) >= volume)?;
        let traded = self.demand(buy_edge + 1).min(self.supply_below(sell_edge));
        (volume > 0 && traded > 0).then_some((buy_edge as u32, sell_edge as u32, traded))
    }
}

/// Both rules.
pub const RULES: [Rule; 2] = [Rule::Uniform, Rule::TradeReduction];
