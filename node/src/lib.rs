//! Processes of a network: validator, aggregator, participant, and a whole network on one machine.

pub mod aggregator;
pub mod checks;
pub mod client;
pub mod config;
pub mod disk_space;
pub mod error;
pub mod files;
pub mod follower;
pub mod founding;
pub mod http;
pub mod keyfile;
pub mod ledger_view;
pub mod load;
pub mod localnet;
pub mod open_files;
pub mod participant;
pub mod passphrase;
pub mod roster;
mod round_log;
mod share_roll;
pub mod shutdown;
pub mod start;
mod survey;
pub mod validator;
mod vitals;
mod way;
