//! What a node's log says about the market: rounds, keys and validators as the final ledger has them. Nothing of it is
//! secret: everybody reads the same in the blocks.

use veilgrid_ledger::state::effects::{BlockEffects, Effect, PassedRounds};
use veilgrid_ledger::transaction::VoidReason;

/// Logs what a final block did, once, in the order of the blocks.
pub(crate) fn log_block(effects: &BlockEffects) {
    let height = effects.height;
    effects.all().for_each(|effect| log(height, effect));
}

fn log(height: u64, effect: &Effect) {
    match effect {
        Effect::RoundOpened { round_id, slot } => {
            tracing::info!(height, round_id, slot_start_unix_s = slot.start_unix_s, "a round takes bids");
        }
        Effect::RoundClosed { round_id, bids, .. } => {
            tracing::info!(height, round_id, bids, "a round is closed");
        }
        Effect::Settled(settled) => {
            let trade = settled.outcome.trade.as_ref();
            tracing::info!(
                height,
                round_id = settled.round_id,
                bids = settled.bids.len(),
                buy_price_mct_per_kwh = trade.map(|trade| trade.buy_price_mct_per_kwh),
                sell_price_mct_per_kwh = trade.map(|trade| trade.sell_price_mct_per_kwh),
                volume_wh = settled.outcome.volume_wh,
                "a round is settled"
            );
        }
        // A quiet market, and one that has just begun, are nobody's fault.
        Effect::Voided { round_id, reason: reason @ VoidReason::TooFewBids, bids } => {
            tracing::info!(height, round_id, bids, %reason, "a round is void");
        }
        Effect::Voided { round_id, reason, bids } => {
            tracing::warn!(height, round_id, bids, %reason, "a round is void");
        }
        Effect::PassedOver(PassedRounds { first_round_id, last_round_id, reason }) => match reason {
            VoidReason::NoKeys => {
                tracing::info!(height, first_round_id, last_round_id, %reason, "rounds are void")
            }
            _ => tracing::warn!(height, first_round_id, last_round_id, %reason, "rounds are void"),
        },
        Effect::Refused(refusal) => tracing::warn!(height, %refusal, "a transaction was refused"),
        Effect::KeysAgreed { session, task, excluded, lacking, .. } => {
            tracing::info!(height, session, ?task, ?excluded, ?lacking, "a key session ends in keys");
        }
        Effect::KeysAborted { session, task, reason } => {
            tracing::warn!(height, session, ?task, reason, "a key session ends without keys");
        }
        Effect::ValidatorsProposed { validators, .. } => {
            tracing::info!(height, validators, "other validators are asked for");
        }
        Effect::ValidatorsChanged { epoch, validators } => {
            tracing::info!(height, epoch, validators, "other validators are in force");
        }
        // Steps on the way, many of them in a round.
        _ => tracing::debug!(height, ?effect, "a step"),
    }
}
