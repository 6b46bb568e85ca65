//! One module per command.

pub mod audit;
pub mod bench;
pub mod bill;
pub mod clear;
pub mod compare;
pub mod demo;
pub mod export;
#[cfg(feature = "network")]
pub mod network;
pub mod readings;
pub mod share;
pub mod show;
