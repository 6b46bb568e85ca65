//! The paths of the API. All are below `/v1`; another version of the API is another prefix.

/// An enveloped bid for a receipt.
pub const BIDS: &str = "/v1/bids";
/// The aggregator's signed batch of bids, to a validator.
pub const RELAY: &str = "/v1/relay";
/// A key event or a change of validators, to a validator.
pub const TRANSACTIONS: &str = "/v1/transactions";
/// What the node says about itself and its ledger.
pub const STATUS: &str = "/v1/status";
/// Block 0.
pub const GENESIS: &str = "/v1/genesis";
/// The validators in force and those to follow.
pub const VALIDATORS: &str = "/v1/validators";
/// Blocks from a height on.
pub const BLOCKS: &str = "/v1/blocks";
/// A round, as a router reads it; [`round`] makes the path of one.
pub const ROUND: &str = "/v1/rounds/{id}";
/// Whether the node does its work.
pub const HEALTHZ: &str = "/v1/healthz";
/// Counters for Prometheus.
pub const METRICS: &str = "/v1/metrics";

/// The path of a round.
pub fn round(round_id: u64) -> String {
    ROUND.replace("{id}", &round_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_path_is_of_this_version_and_no_two_are_one() {
        let all = [BIDS, RELAY, TRANSACTIONS, STATUS, GENESIS, VALIDATORS, BLOCKS, ROUND, HEALTHZ, METRICS];
        assert!(all.iter().all(|path| path.starts_with("/v1/")));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(round(u64::MAX), "/v1/rounds/18446744073709551615");
    }
}
