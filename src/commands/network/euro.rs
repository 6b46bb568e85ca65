//! Amounts of money in arguments.

use crate::failure::Failure;
use veilgrid_roles::treasury::amount::cents_of_euro;

/// Whole cents from EUR; `what` names the argument in messages.
///
/// # Errors
/// What is no amount of whole cents.
pub(super) fn euro(what: &str, text: &str) -> Result<u64, Failure> {
    cents_of_euro(text).map_err(|error| Failure::Input(format!("{what} {text}: {error}")))
}
