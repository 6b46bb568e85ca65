//! The program as people call it: everything but whole networks of processes (`network`). One binary: many take longer to link.

#[path = "../common/mod.rs"]
mod cli;
#[path = "../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../ledger/tests/common/signed.rs"]
mod signed;
#[path = "../../ledger/tests/common/network.rs"]
mod world;

mod bill;
mod censorship;
mod certified;
mod clear_output;
mod cli_errors;
mod compare;
#[cfg(feature = "network")]
mod first_contact;
mod interruption;
#[cfg(feature = "network")]
mod network_cli;
#[cfg(feature = "network")]
mod network_ledgers;
mod pages;
mod prices_below_zero;
mod public_books;
mod readings;
mod sealed_equals_plain;
mod sharing;
mod utility;
#[cfg(feature = "network")]
mod wallet;
