//! What no decoder of outside bytes may do, whatever they are. One binary: five take longer to link.

#[path = "../../../ledger/tests/common/signed.rs"]
mod signed;

mod crypto;
mod importers;
mod ledger;
mod network;
mod node;
mod tables;
