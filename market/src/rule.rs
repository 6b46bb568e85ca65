//! The clearing rules, by name.

use serde::{Deserialize, Serialize};

/// How a round is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// One price for everybody, the largest volume, the marginal orders pro rata.
    Uniform,
    /// The marginal tick of each side does not trade and sets the price: misstating a price gains nothing.
    TradeReduction,
}
