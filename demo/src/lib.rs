//! A day of a community in one process: founded, bid for, cleared, settled and audited, by the actors of a network with
//! an orderer in place of the engine.
//!
//! [`run_day`] is the way in. It founds a community with fresh keys (`founding`), runs one round per market slot
//! (`conductor`) and returns what the ledger says beside what the simulation knows (`report`). The conductor is the
//! simulation, not a role: nothing that it knows beyond the ledger reaches another role. Members' owners are models of
//! `veilgrid-scenario` ([`SimulatedOwner`]).
//!
//! Along one bid: [`member`](veilgrid_actors::member) forms it, the [pool](veilgrid_actors::pool) seals it off the actors'
//! threads, [`aggregator`](veilgrid_actors::aggregator) takes it in, verifies it in a batch and has it ordered, every
//! [`validator`](veilgrid_actors::validator) checks, signs and flushes the block, [`orderer`] carries blocks and votes between
//! them, [`auditor`](veilgrid_actors::auditor) checks everything again with no secret.
//!
//! # Randomness and time
//! What members want is drawn from the run's seed; keys, blindings and proofs never are. Block time is simulated: it goes on
//! as far as the next thing that waits for it.
#![forbid(unsafe_code)]

mod clock;
mod conductor;
mod config;
mod error;
mod event;
mod founding;
mod members;
mod money;
pub mod orderer;
mod owner;
mod report;
mod simulation;
mod surroundings;
mod threads;

pub use config::{ConfigError, DayConfig, MIN_VALIDATORS, MarketSlot};
pub use error::DayError;
pub use event::{DayEvent, Observer};
pub use money::{DayMoney, MoneyReport};
pub use owner::SimulatedOwner;
pub use report::{DayReport, MarketRow, RoleEnergy, RoundResult, RoundRow, RoundTimings};
pub use surroundings::Surroundings;

use actix::System;
use std::sync::Arc;
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;

/// Runs a day and blocks until it has ended. It has a thread and an actor system of its own, so it may be called
/// from anywhere; all actors' threads have ended and all stores are closed when it returns.
///
/// After `cancel` is set the day ends with the block that is under way; what was appended so far stays auditable and
/// the report says `cancelled`.
///
/// # Errors
/// [`DayError`]: who stopped the day and why. What was appended so far is whole and stays auditable.
pub fn run_day(
    config: DayConfig,
    observer: impl Fn(DayEvent) + Send + Sync + 'static,
    cancel: CancelFlag,
) -> Result<DayReport, DayError> {
    let surroundings = Surroundings::local(&config.dir);
    run_day_in(config, surroundings, observer, cancel)
}

/// As [`run_day`], with other stores or another network between orderer and validators.
///
/// # Errors
/// As [`run_day`].
pub fn run_day_in(
    config: DayConfig,
    surroundings: Surroundings,
    observer: impl Fn(DayEvent) + Send + Sync + 'static,
    cancel: CancelFlag,
) -> Result<DayReport, DayError> {
    config.check()?;
    let observer: Observer = Arc::new(observer);
    let day = std::thread::Builder::new()
        .name("veilgrid-day".into())
        .spawn(move || System::new().block_on(whole_day(config, surroundings, observer, cancel)))
        .map_err(|source| DayError::Threads { source: Box::new(source) })?;
    day.join().unwrap_or(Err(DayError::Panicked))
}

async fn whole_day(
    config: DayConfig,
    surroundings: Surroundings,
    observer: Observer,
    cancel: CancelFlag,
) -> Result<DayReport, DayError> {
    let pool = |name| {
        ProofPool::new(name, config.proof_threads, cancel.clone())
            .map_err(|source| DayError::Threads { source: Box::new(source) })
    };
    let pools = founding::Pools { proofs: pool("veilgrid-prove")?, verdicts: pool("veilgrid-verify")? };
    let mut threads = threads::Threads::default();
    let day = async {
        let cast = founding::found(&config, surroundings, &mut threads, pools, &observer).await?;
        conductor::Conductor::new(&config, cast, &observer, &cancel).run().await
    };
    let report = day.await;
    threads.join();
    report
}
