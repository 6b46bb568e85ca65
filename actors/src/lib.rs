//! The roles as actors: a thin shell that gives the pure code of `veilgrid-roles` threads, mailboxes, randomness and
//! a disk. No rule of the protocol lives here; what an actor does with a message is one call of a pure core.
//!
//! Along one bid: [`member`] forms it, [`pool`] seals it off the actors' threads, [`aggregator`] takes it in,
//! verifies it in a batch and has it ordered, every [`validator`] checks, signs and flushes the block, [`orderer`] carries
//! blocks and votes between them, [`auditor`] checks everything again with no secret. [`day`] runs a whole
//! day of a community with all of them: [`day::run_day`] is the way in.
//!
//! # Mailboxes
//! Every mailbox is bounded (`MAILBOX` of each actor). Messages are sent with `send().await` only: a sender whose
//! receiver is full waits, so pressure goes back to where the work comes from and no message is lost or queued
//! without a bound. What is more than a mailbox, the aggregator's waiting bids, has a bound and an error of its own.
//!
//! # Randomness and time
//! Keys, blindings and proofs draw from the system's random source; what members want is drawn from the run's seed.
//! Block time is simulated ([`clock`]); the system's clock is read for timings and linger only, which nothing hashed
//! depends on.
#![forbid(unsafe_code)]

pub mod aggregator;
pub mod auditor;
pub mod cancel;
pub mod clock;
pub mod day;
pub mod member;
pub mod orderer;
pub mod pool;
pub mod stopwatch;
pub mod validator;
pub mod verdicts;
