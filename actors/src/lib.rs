//! The roles as actors: a thin shell that gives the pure code of `veilgrid-roles` threads, mailboxes, randomness and
//! a disk. No rule of the protocol lives here; what an actor does with a message is one call of a pure core.
//!
//! [`member`], [`aggregator`], [`validator`] and [`auditor`] are one actor per role; [`pool`] makes and verifies proofs off
//! the actors' threads. The processes of a network and the demo start the same actors around different surroundings.
//!
//! # Mailboxes
//! Every mailbox is bounded (`MAILBOX` of each actor). Messages are sent with `send().await` only: a sender whose
//! receiver is full waits, so pressure goes back to where the work comes from and no message is lost or queued
//! without a bound. What is more than a mailbox, the aggregator's waiting bids, has a bound and an error of its own.
//!
//! # Randomness and time
//! Keys, blindings and proofs draw from the system's random source. What time it is an actor is told by whoever starts it;
//! the system's clock ([`clock`]) is read for that, for timings and for linger only.
#![forbid(unsafe_code)]

pub mod aggregator;
pub mod auditor;
pub mod cancel;
pub mod clock;
pub mod follow;
pub mod member;
pub mod pool;
pub mod stopwatch;
pub mod validator;
pub mod verdicts;
