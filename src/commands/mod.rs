//! One module a command.

pub mod audit;
pub mod bench;
pub mod clear;
pub mod demo;
pub mod export;
pub mod show;
