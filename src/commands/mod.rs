//! One module a command.

pub mod aggregator;
pub mod audit;
pub mod bench;
pub mod clear;
pub mod demo;
pub mod export;
pub mod found;
mod genesis_details;
pub mod keys;
pub mod localnet;
pub mod orders;
pub mod participant;
pub mod process;
pub mod show;
pub mod validator;
pub mod validators;
