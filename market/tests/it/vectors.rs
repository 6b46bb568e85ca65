//! Golden vectors of the clearing (`protocol-spec/vectors/clearing.json`).
//!
//! A change of the file is a change of the rules and needs a new protocol version. `VEILGRID_BLESS=1 cargo test` writes
//! it anew; otherwise the code is compared with it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::OnceLock;
use veilgrid_market::{
    Grid, Next, Order, Outcome, Rule, Side, SumKind, SumRequest, clear_plain, fill_weights, next_step,
    step_totals,
};

/// A book, its totals a step, and what each rule makes of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    price_min_mct_per_kwh: i64,
    tick_mct_per_kwh: u64,
    ticks: u32,
    /// Side, limit in mct/kWh, Wh.
    orders: Vec<(Side, i64, u64)>,
    totals_wh: Vec<u64>,
    results: Vec<Cleared>,
}

/// One rule's result.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cleared {
    rule: Rule,
    open_volume: bool,
    /// The sums in the order in which they are opened.
    path: Vec<Opened>,
    outcome: Outcome,
    outcome_bytes: String,
    fill_weights_q16: Vec<i64>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Opened {
    #[serde(flatten)]
    request: SumRequest,
    value_wh: i64,
}

/// The rules with their ways to publish the volume; the trade reduction has one.
const RULES: [(Rule, bool); 3] =
    [(Rule::Uniform, true), (Rule::Uniform, false), (Rule::TradeReduction, true)];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/clearing.json")
}

impl Vector {
    fn grid(&self) -> Grid {
        Grid::new(self.price_min_mct_per_kwh, self.tick_mct_per_kwh, self.ticks).expect("a grid")
    }

    /// The vector with everything that follows from grid and orders computed anew.
    fn computed(self) -> Self {
        let grid = self.grid();
        let order = |&(side, limit_mct_per_kwh, energy_wh)| Order { side, limit_mct_per_kwh, energy_wh };
        let orders: Vec<Order> = self.orders.iter().map(order).collect();
        let totals_wh = step_totals(&grid, &orders).expect("orders on the grid");
        let results = RULES.map(|(rule, open_volume)| cleared(&grid, rule, open_volume, &totals_wh)).into();
        Self { totals_wh, results, ..self }
    }
}

fn cleared(grid: &Grid, rule: Rule, open_volume: bool, totals_wh: &[u64]) -> Cleared {
    let book = clear_plain(grid, rule, open_volume, totals_wh).expect("cleared");
    Cleared {
        rule,
        open_volume,
        path: book.opened.into_iter().map(|(request, value_wh)| Opened { request, value_wh }).collect(),
        outcome: book.outcome,
        outcome_bytes: hex::encode(book.outcome.to_bytes()),
        fill_weights_q16: fill_weights(grid, &book.outcome),
    }
}

const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;

/// The inputs of one vector on four prices of 10 to 13 ct; everything else is empty until it is computed.
fn four(name: &str, orders: &[(Side, i64, u64)]) -> Vector {
    on_grid(name, 10_000, 1_000, 4, orders)
}

fn on_grid(name: &str, min: i64, tick: u64, ticks: u32, orders: &[(Side, i64, u64)]) -> Vector {
    Vector {
        name: name.into(),
        price_min_mct_per_kwh: min,
        tick_mct_per_kwh: tick,
        ticks,
        orders: orders.to_vec(),
        totals_wh: Vec::new(),
        results: Vec::new(),
    }
}

fn all_inputs() -> Vec<Vector> {
    vec![
        four("no order", &[]),
        four("only buys", &[(BUY, 13_000, 5), (BUY, 10_000, 7)]),
        four("only sells", &[(SELL, 10_000, 5), (SELL, 13_000, 7)]),
        four("sides that do not meet", &[(BUY, 11_000, 9), (SELL, 12_000, 9)]),
        four("orders of zero", &[(BUY, 13_000, 0), (SELL, 10_000, 0)]),
        four("one watt-hour each at one price", &[(BUY, 12_000, 1), (SELL, 12_000, 1)]),
        four("balanced over a price interval", &[(BUY, 13_000, 40), (SELL, 10_000, 40)]),
        four("limits between two prices", &[(BUY, 12_999, 30), (SELL, 10_001, 20), (BUY, 11_500, 7)]),
        four("demand long at the lowest price", &[(BUY, 10_000, 90), (SELL, 10_000, 7)]),
        four("supply long at the lowest price", &[(BUY, 13_000, 7), (SELL, 10_000, 90)]),
        four("demand long at the highest price", &[(BUY, 13_000, 90), (SELL, 10_000, 7)]),
        four("supply long at the highest price", &[(BUY, 13_000, 7), (SELL, 13_000, 90)]),
        four(
            "demand long inside, a fraction with a rest",
            &[(SELL, 10_000, 40), (SELL, 11_000, 30), (BUY, 12_000, 50), (BUY, 11_000, 27), (BUY, 10_000, 9)],
        ),
        four(
            "supply long inside, a fraction with a rest",
            &[
                (SELL, 10_000, 13),
                (SELL, 11_000, 60),
                (BUY, 13_000, 20),
                (BUY, 12_000, 11),
                (SELL, 12_000, 5),
            ],
        ),
        four(
            "balanced inside, with more beyond on both sides",
            &[(SELL, 10_000, 25), (BUY, 13_000, 25), (BUY, 11_000, 4), (SELL, 12_000, 6)],
        ),
        four(
            "equally much on both sides of the excluded prices",
            &[(SELL, 10_000, 20), (SELL, 11_000, 5), (BUY, 13_000, 20), (BUY, 12_000, 5)],
        ),
        four(
            "more supply than demand beside the excluded prices",
            &[(SELL, 10_000, 31), (SELL, 11_000, 5), (BUY, 13_000, 20), (BUY, 12_000, 16)],
        ),
        on_grid("the smallest grid, from zero", 0, 2, 2, &[(SELL, 0, 8), (BUY, 2, 5), (BUY, 0, 1)]),
        sixteen(),
        // W_2 = W_3 = Z_2 = -4 and D_2 = 1: demand can't fall between, so that D_4 = 1 is implied, and opened all the same.
        on_grid(
            "a value that only monotony implies",
            10_000,
            1_000,
            8,
            &[(SELL, 12_000, 5), (BUY, 14_000, 1)],
        ),
        on_grid("the largest sums", 0, 2, 2, &[(SELL, 0, 1 << 40), (BUY, 2, (1 << 40) - 1), (BUY, 0, 1)]),
        on_grid(
            "balanced over an interval across zero",
            -2_000,
            1_000,
            4,
            &[(SELL, -2_000, 40), (BUY, 1_000, 40)],
        ),
        on_grid(
            "supply long below zero, a fraction with a rest",
            -3_000,
            1_000,
            4,
            &[(SELL, -3_000, 13), (SELL, -2_000, 60), (BUY, 0, 20), (BUY, -1_000, 11), (SELL, -1_000, 5)],
        ),
        on_grid(
            "limits between prices below zero",
            -4_000,
            1_000,
            8,
            &[(BUY, -1_001, 30), (SELL, -2_999, 20), (BUY, -1, 7), (SELL, -5_000, 3)],
        ),
        on_grid(
            "buys pay and sells pay under trade reduction",
            -3_000,
            2_000,
            4,
            &[(SELL, -3_000, 20), (SELL, -1_000, 5), (BUY, 3_000, 20), (BUY, 1_000, 5)],
        ),
    ]
}

/// Curves with steps at many prices, so that both searches take several openings.
fn sixteen() -> Vector {
    let price = |tick: u64| 5_000 + 500 * tick.cast_signed();
    let sells = (0..16u64).map(|tick| (SELL, price(tick), 3 + 7 * tick % 11));
    let buys = (0..16u64).map(|tick| (BUY, price(tick), 2 + 5 * tick % 13));
    on_grid("sixteen prices", 5_000, 500, 16, &sells.chain(buys).collect::<Vec<_>>())
}

/// The file's vectors, after it was written anew if that is asked for: once, as the tests run side by side.
fn stored() -> Vec<Vector> {
    static TEXT: OnceLock<String> = OnceLock::new();
    serde_json::from_str(TEXT.get_or_init(bless_and_read)).expect("the file has the vectors' form")
}

fn bless_and_read() -> String {
    if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
        let computed: Vec<Vector> = all_inputs().into_iter().map(Vector::computed).collect();
        let text = serde_json::to_string_pretty(&computed).expect("plain data");
        std::fs::write(path(), text + "\n").expect("the specification's folder is writable");
    }
    std::fs::read_to_string(path()).expect("protocol-spec/vectors/clearing.json is there")
}

#[test]
fn clearing_gives_the_stored_results() {
    let (stored, inputs) = (stored(), all_inputs());
    assert_eq!(stored.len(), inputs.len());
    for (stored, computed) in stored.iter().zip(inputs.into_iter().map(Vector::computed)) {
        assert_eq!(*stored, computed, "{}: the rules have changed", computed.name);
    }
}

/// From the file alone, as an implementation in another language would use it: opening after opening.
#[test]
fn stored_paths_lead_to_the_stored_outcomes() {
    for vector in stored() {
        let grid = vector.grid();
        for result in &vector.results {
            let mut opened_wh = Vec::new();
            for opened in &result.path {
                let next = next_step(&grid, result.rule, result.open_volume, &opened_wh);
                assert_eq!(next, Ok(Next::Open(opened.request)), "{}", vector.name);
                let weights = opened.request.weights(&grid);
                let terms =
                    weights.iter().zip(&vector.totals_wh).map(|(w, wh)| i128::from(*w) * i128::from(*wh));
                assert_eq!(terms.sum::<i128>(), i128::from(opened.value_wh), "{}", vector.name);
                opened_wh.push(opened.value_wh);
            }
            let next = next_step(&grid, result.rule, result.open_volume, &opened_wh);
            assert_eq!(next, Ok(Next::Done(result.outcome)), "{}", vector.name);
            let bytes = hex::decode(&result.outcome_bytes).expect("hexadecimal");
            assert_eq!(Outcome::from_bytes(&bytes), Ok(result.outcome), "{}", vector.name);
            assert_eq!(fill_weights(&grid, &result.outcome), result.fill_weights_q16, "{}", vector.name);
        }
    }
}

/// Two readings of "a value that follows is not opened": by equations alone, as it is, and by monotony too.
#[test]
fn a_value_that_only_monotony_implies_is_opened() {
    let vectors = stored();
    let vector =
        vectors.iter().find(|vector| vector.name == "a value that only monotony implies").expect("there");
    let reduction = vector.results.iter().find(|result| result.rule == Rule::TradeReduction).expect("there");
    let path: Vec<_> = reduction.path.iter().map(|o| (o.request.kind, o.request.tick, o.value_wh)).collect();
    assert_eq!(
        path[..4],
        [(SumKind::W, 3, -4), (SumKind::W, 1, 1), (SumKind::W, 2, -4), (SumKind::Z, 2, -4)]
    );
    assert!(path.contains(&(SumKind::D, 2, 1)) && path.contains(&(SumKind::D, 4, 1)), "{path:?}");
}

/// The books are worth storing: they reach every form of an outcome under both rules.
#[test]
fn the_stored_books_reach_every_form_of_outcome() {
    let forms: std::collections::BTreeSet<_> = stored()
        .iter()
        .flat_map(|vector| &vector.results)
        .map(|result| (result.rule, result.outcome.trade.map(|trade| trade.rationed)))
        .collect();
    assert_eq!(forms.len(), 2 * 4, "{forms:?}");
}
