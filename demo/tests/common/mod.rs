//! Small days of a community that is made by hand.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_demo::{
    DayConfig, DayError, DayEvent, DayMoney, DayReport, MarketSlot, RoundResult, Surroundings, run_day_in,
};
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Record, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rationed, Rule, clear_plain};
use veilgrid_roles::committee::one_process_timing;
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_scenario::community::{Participant, Role, SlotEnergy};
use veilgrid_store::Store;

pub const SLOT_SECONDS: u32 = 900;
pub const START: i64 = 1_700_000_100;
pub const MEMBERS: usize = 7;

pub fn params() -> MarketParams {
    MarketParams {
        grid: Grid::new(8_000, 3_000, 8).expect("grid"),
        bits: 16,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 3,
        max_members: 16,
        slot_seconds: SLOT_SECONDS,
        threshold: 3,
        timing: one_process_timing(0, 0, SLOT_SECONDS),
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
    }
}

fn participant(id: &str, role: Role, energy: impl Fn(u64) -> [u64; 3]) -> Participant {
    let slot = |slot| {
        let [load_wh, generation_wh, ev_wh] = energy(slot);
        SlotEnergy { load_wh, generation_wh, ev_wh }
    };
    Participant { id: id.into(), role, energy: (0..4).map(slot).collect() }
}

/// Three prosumers with sun, three consumers, a charging station; the slots 1 and 2 of four are traded.
pub fn config(dir: &Path) -> DayConfig {
    let participants = vec![
        participant("home-1", Role::Consumer, |slot| [900 + 10 * slot, 0, 0]),
        participant("home-2", Role::Consumer, |slot| [400 + 20 * slot, 0, 0]),
        participant("home-3", Role::Consumer, |slot| [250, 0, 10 * slot]),
        participant("roof-1", Role::Prosumer, |slot| [150, 900 + 30 * slot, 0]),
        participant("roof-2", Role::Prosumer, |slot| [200, 700, slot]),
        participant("roof-3", Role::Prosumer, |_| [300, 310, 0]),
        participant("station", Role::ChargingStation, |slot| [20, 0, 600 * slot]),
    ];
    assert_eq!(participants.len(), MEMBERS);
    let slot = |index: usize| {
        let offset = i64::from(SLOT_SECONDS) * i64::try_from(index).expect("small");
        MarketSlot { index, start_unix_s: START + offset }
    };
    DayConfig {
        participants,
        slots: vec![slot(1), slot(2)],
        params: params(),
        money: Some(DayMoney::for_members(MEMBERS)),
        tariffs: Tariffs::new(30_000, 8_000).expect("tariffs"),
        validators: 4,
        key_epoch: 1,
        seed: 7,
        dir: dir.to_owned(),
        proof_threads: None,
        absent: BTreeMap::new(),
    }
}

/// What a day told.
pub type Events = Arc<Mutex<Vec<DayEvent>>>;

/// Runs a day; `on_event` may cancel it.
pub fn run(
    config: DayConfig,
    surroundings: Surroundings,
    on_event: impl Fn(&DayEvent, &CancelFlag) + Send + Sync + 'static,
) -> (Result<DayReport, DayError>, Vec<DayEvent>) {
    let (events, cancel) = (Events::default(), CancelFlag::new());
    let (heard, flag) = (Arc::clone(&events), cancel.clone());
    let observer = move |event: DayEvent| {
        on_event(&event, &flag);
        heard.lock().expect("events").push(event);
    };
    let report = run_day_in(config, surroundings, observer, cancel);
    let events = events.lock().expect("events").clone();
    (report, events)
}

/// A day without disturbance.
pub fn run_quietly(config: DayConfig) -> (DayReport, Vec<DayEvent>) {
    let surroundings = Surroundings::local(&config.dir);
    let (report, events) = run(config, surroundings, |_, _| {});
    (report.expect("a day without disturbance"), events)
}

/// The blocks of a store.
pub fn blocks(dir: &Path) -> Vec<Block> {
    let store = Store::open(dir).expect("closed after the day");
    store.blocks().collect::<Result<_, _>>().expect("whole")
}

/// The blocks of a store with their certificates.
pub fn records(dir: &Path) -> Vec<Record> {
    let store = Store::open(dir).expect("closed after the day");
    let blocks: Vec<Block> = store.blocks().collect::<Result<_, _>>().expect("whole");
    let with = |block: Block| {
        let certificate = store.certificate(block.header.height).expect("readable");
        Record::Block(Box::new(block), certificate)
    };
    blocks.into_iter().map(with).collect()
}

/// The state after these blocks.
pub fn replayed(blocks: &[Block]) -> State {
    let mut state = State::from_genesis_block(&blocks[0]).expect("genesis");
    for block in &blocks[1..] {
        state.apply_block(block, &mut VerifyAll).expect("a block of the ledger");
    }
    state
}

/// Audits a stored ledger with the receipts of the day, trusting the report's genesis.
pub fn audited(records: Vec<Record>, report: &DayReport) -> AuditReport {
    let request = AuditRequest { receipts: report.receipts.clone(), ..request(report) };
    audit(records.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("no violation")
}

pub fn request(report: &DayReport) -> AuditRequest {
    AuditRequest { trusted_genesis: Some(report.genesis_hash), ..AuditRequest::default() }
}

/// The opened sums and the outcome are those of the members' orders in the clear.
pub fn check_against_plain_clearing(report: &DayReport) {
    let params = params();
    for round in &report.rounds {
        let RoundResult::Settled(outcome) = &round.result else { continue };
        let totals = &round.market.step_totals_wh;
        let plain = clear_plain(&params.grid, params.rule, params.open_volume, totals).expect("a book");
        let opened: Vec<_> = round.opened.iter().map(|sum| (sum.request, sum.value_wh)).collect();
        assert_eq!(opened, plain.opened, "round {}", round.round_id);
        assert_eq!(*outcome, plain.outcome);
        let rest = outcome.trade.map_or((Rationed::None, 0), |trade| (trade.rationed, trade.rest_q16.into()));
        let (bought, sold) = (round.market.bought_wh_q16, round.market.sold_wh_q16);
        match rest {
            (Rationed::Demand, rest) => assert_eq!(bought + rest, sold),
            (Rationed::Supply, rest) => assert_eq!(bought, sold + rest),
            (Rationed::None, _) => assert_eq!(bought, sold),
        }
    }
}
