//! Processes of a network: validator, aggregator, participant.

pub mod aggregator;
pub mod checks;
pub mod config;
pub mod disk_space;
pub mod error;
pub mod founding;
pub mod http;
pub mod keyfile;
pub mod money_watch;
mod notes;
pub mod open_files;
pub mod participant;
pub mod passphrase;
pub mod roster;
mod round_log;
mod share_roll;
pub mod start;
mod survey;
pub mod validator;
mod vitals;
mod way;
