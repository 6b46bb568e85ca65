//! Why there is no change.

use super::proposal::{MAX_PROPOSAL_BYTES, Standing};
use crate::config::Hex32;
use std::path::PathBuf;
use thiserror::Error;
use veilgrid_ledger::roster::RosterError;

/// Why a change is not proposed, not signed or not sent. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum ProposalError {
    /// "The file can be read."
    #[error("{}: {reason}; name the file that `veilgrid validators propose` wrote", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    /// "The file can be written, and a new one is not there yet."
    #[error("{}: can't be written: {reason}; name a new file in a folder of yours", path.display())]
    Unwritable { path: PathBuf, reason: std::io::Error },
    /// "It has a bounded size."
    #[error("{}: more than {MAX_PROPOSAL_BYTES} bytes; is this the right file?", path.display())]
    TooLarge { path: PathBuf },
    /// "It is the JSON of a proposal."
    #[error("{}: {reason}; name the file that `veilgrid validators propose` wrote", path.display())]
    Malformed { path: PathBuf, reason: String },
    /// "Both sets are numbered from 1 on, and endorsements are in rising order."
    #[error("{}: {what} are not numbered one after another; get the file again", path.display())]
    Order { path: PathBuf, what: &'static str },
    /// "Who goes is there."
    #[error("there is no validator {number} to remove: they are numbered 1 to {validators}")]
    NoSuchNumber { number: u16, validators: usize },
    /// "Nobody goes twice."
    #[error("validator {number} is to be removed twice; name it once")]
    RemovedTwice { number: u16 },
    /// "Who comes is new."
    #[error(
        "the validator with the signing key {signing_key} is number {number} already; leave its file out, or make a \
         fresh key file with `veilgrid keys new`"
    )]
    AlreadyThere { signing_key: Hex32, number: u16 },
    /// "The new set is one that the ledger takes."
    #[error("the proposed validators: {0}")]
    Roster(RosterError),
    /// "One change after another."
    #[error(
        "another change of the validators is under way (`veilgrid validators show` names it): wait until it is in force \
         or its session has ended without a result"
    )]
    UnderWay,
    /// "The proposal is for this ledger."
    #[error("the proposal is for the ledger {proposed}, this node has {found}; ask the right network's node")]
    OtherLedger { proposed: Hex32, found: Hex32 },
    /// "The proposal is for the validators who are in force."
    #[error(
        "the proposal was made for the validators since epoch {proposed}, those in force are others, since epoch {found}: \
         make a new one with `veilgrid validators propose`"
    )]
    OtherValidators { proposed: u64, found: u64 },
    /// "Who signs is a present validator."
    #[error(
        "the signing key {signing_key} is none of the present validators': name the key file of one (a newcomer signs \
         nothing)"
    )]
    NotAValidator { signing_key: Hex32 },
    /// "Copies are of one proposal."
    #[error("{}: this is another proposal; name copies of one and the same", path.display())]
    OtherProposal { path: PathBuf },
    /// "Enough have signed."
    #[error(
        "{} valid signatures, {} are needed: validators {} have not signed yet; each runs `veilgrid validators endorse` on \
         this file or on a copy",
        standing.valid.len(), standing.needed, list(&standing.missing)
    )]
    TooFew { standing: Standing },
    /// "Signatures hold."
    #[error("the signatures of validators {} are false; let them sign again", list(validators))]
    FalseSignatures { validators: Vec<u16> },
}

/// Numbers for people.
fn list(numbers: &[u16]) -> String {
    let texts: Vec<String> = numbers.iter().map(u16::to_string).collect();
    texts.join(", ")
}
