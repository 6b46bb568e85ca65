//! The command line of veilgrid: it reads files, starts the roles and prints results. No protocol rule is in here.
//!
//! Results go to standard output, as tables or with `--json` for programs; progress, logs and errors go to standard
//! error.
#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
pub mod failure;
pub mod input;
pub mod last_words;
pub mod logs;
pub mod output;
pub mod page;
pub mod receipts;
