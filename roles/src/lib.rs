//! What each role of a market does, as pure code: values in, values out, random source and time passed in.
//!
//! The actors are a thin shell around this crate and the deterministic simulation runs the same code without them.
//! A role never talks to another one here; it takes what it received and returns what it would send.
//!
//! - [`member`]: a participant's keys, bids and fills.
//! - [`committee`]: validators that agree in one process, with the votes and certificates of a network.
//! - [`core`]: one validator as the consensus engine sees it: replica, key holder and journal.
//! - [`intake`]: the aggregator.
//! - [`keyholder`]: a validator's secrets: key sessions over the ledger, opening shares.
//! - [`proposer`]: the transactions that can follow.
//! - [`replica`]: a validator of a network between consensus engine and ledger: proposals, votes, pool, gossip.
//! - [`own_votes`], [`clocks`]: whether votes under its key are its own, and whose clock is wrong.
//! - [`local`]: all of it in one thread, for one round from a file, for tests and for benches.
//!
//! A community of one thread, from its founding to the price of a slot:
//!
//! ```
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use veilgrid_crypto::bid::seal_bid;
//! use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
//! use veilgrid_ledger::capacity::CapacityClasses;
//! use veilgrid_ledger::params::MarketParams;
//! use veilgrid_market::{Grid, Rule};
//! use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
//! use veilgrid_roles::local::{LocalCommunity, RoundEnd};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = ChaCha20Rng::from_seed([7; 32]); // the operating system's in a program
//! let keyrings: Vec<Keyring> =
//!     (0..2).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
//!
//! // Four validators, of whom one may lie; they generate the keys over the ledger.
//! let timing = one_process_timing(1_700_000_000_000, 1_700_000_100, 900);
//! let founding = Founding {
//!     params: MarketParams {
//!         grid: Grid::new(10_000, 1_000, 2)?, // 10 and 11 ct/kWh
//!         bits: 8,
//!         rule: Rule::Uniform,
//!         open_volume: true,
//!         min_bidders: 2,
//!         max_members: 2,
//!         slot_seconds: 900,
//!         threshold: threshold_for(4),
//!         timing,
//!         capacity_classes: CapacityClasses::of_connections(900),
//!         money: None,
//!     },
//!     validators: 4,
//!     members: keyrings.iter().map(|keyring| keyring.account_key(0).verifying_key().to_bytes()).collect(),
//!     key_epoch: 0,
//!     time_unix_ms: Founding::genesis_time_ms(&timing),
//! };
//! let mut community = LocalCommunity::found(&founding, &mut rng)?;
//!
//! // One sells 40 Wh at 10 ct (step 0), one buys 30 Wh at 11 ct (step 3). Nobody sees either.
//! let round_id = community.open_round()?;
//! let state = community.state();
//! let (params, round) = (state.community().bid_params().expect("keys"), state.round_context(round_id).expect("open"));
//! let bids = [
//!     seal_bid(params, &round, &keyrings[0], &[40, 0, 0, 0], &mut rng)?,
//!     seal_bid(params, &round, &keyrings[1], &[0, 0, 0, 30], &mut rng)?,
//! ];
//! let receipts = community.submit(round_id, &bids, &mut rng)?;
//! assert_eq!(receipts.len(), 2);
//!
//! // What the clearing asks for is opened, and nothing else.
//! let RoundEnd::Settled(settled) = community.finish_round(round_id)? else { panic!("they trade") };
//! assert_eq!(settled.outcome.volume_wh, Some(30));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod bidder;
pub mod clocks;
pub mod committee;
pub mod core;
pub mod intake;
pub mod keyholder;
pub mod local;
pub mod member;
pub mod own_votes;
pub mod proposer;
pub mod registrar;
pub mod replica;
pub mod treasury;
pub mod wallet;
