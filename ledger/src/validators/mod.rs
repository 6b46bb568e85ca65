//! The validators: their keys, how others take their place, and the certificates that they make.

pub mod finality;
pub(crate) mod history;
pub mod roster;
mod rules;
