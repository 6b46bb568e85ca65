//! Whether this process is one of the validators, and whether its ledger is too old for the engine.

use tokio::task::JoinSet;
use veilgrid_client::Client;
use veilgrid_ledger::state::State;

/// Whether a consensus key is one of the validators of the epoch of the next block.
pub(super) fn validates_next(state: &State, consensus_key: &[u8; 32]) -> bool {
    let timing = state.timing();
    let epoch = timing.epoch_of(state.height().saturating_add(1));
    state.consensus_keys(epoch).is_some_and(|keys| keys.contains(consensus_key))
}

/// The height to catch up to, when it is of an epoch whose validators this state does not know: the engine connects to
/// those of its own epoch, who may be gone.
pub(super) fn behind(state: &State, heights: Vec<u64>) -> Option<u64> {
    let timing = state.timing();
    let target = credible(heights, usize::from(state.roster().group().faults()))?;
    let known = timing.epoch_of(state.height().saturating_add(1));
    (timing.epoch_of(target) > known).then_some(target)
}

/// The greatest height that more than `faults` have reached by their own word, so that an honest one is among them; with
/// so few answers the least.
fn credible(mut heights: Vec<u64>, faults: usize) -> Option<u64> {
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.get(faults).or_else(|| heights.last()).copied()
}

/// What nodes say of their heights; nothing of those who don't answer.
pub(super) async fn heights(nodes: &[Client]) -> Vec<u64> {
    let mut asked = JoinSet::new();
    for node in nodes {
        let node = node.clone();
        asked.spawn(async move { node.status().await.ok().map(|status| status.height) });
    }
    let mut heights = Vec::new();
    while let Some(answer) = asked.join_next().await {
        heights.extend(answer.ok().flatten());
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::founding::tests::plan_of;
    use crate::founding::{PublicPart, assemble};
    use crate::keyfile::{AggregatorKeys, ParticipantKeys, RegistrarKeys, ValidatorKeys};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn one_liar_sends_nobody_anywhere() {
        assert_eq!(credible(vec![7, 1_000_000, 8], 1), Some(8));
        assert_eq!(credible(vec![0, 7, 8], 1), Some(7));
        assert_eq!(credible(vec![9, 5], 2), Some(5), "fewer answers than there may be liars");
        assert_eq!(credible(vec![9], 1), Some(9));
        assert_eq!(credible(vec![], 1), None);
    }

    #[test]
    fn a_genesis_has_its_validators_and_knows_of_no_later_epoch() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let plan = plan_of(30_000, NOW);
        let keys: Vec<ValidatorKeys> = (0..5).map(|_| ValidatorKeys::generate(&mut rng)).collect();
        let mut parts: Vec<PublicPart> = keys[..4].iter().map(PublicPart::from).collect();
        parts.push(PublicPart::from(&AggregatorKeys::generate(&mut rng)));
        parts.push(PublicPart::from(&RegistrarKeys::generate(&mut rng)));
        parts.extend((0..2).map(|_| PublicPart::of_participant(&ParticipantKeys::generate(&mut rng), 1)));
        let genesis = assemble(&plan, &parts, NOW, &mut rng).expect("founded");
        let state = State::from_genesis_block(&genesis.block).expect("sound");

        let validates: Vec<bool> =
            keys.iter().map(|one| validates_next(&state, &one.consensus_key())).collect();
        assert_eq!(validates, [true, true, true, true, false]);
        let first_of_next = plan.timing.epoch_blocks;
        assert_eq!(behind(&state, vec![first_of_next - 1; 3]), None, "the engine gets there by itself");
        assert_eq!(behind(&state, vec![first_of_next; 3]), Some(first_of_next));
        assert_eq!(behind(&state, vec![u64::MAX, 0, 0]), None);
        assert_eq!(behind(&state, vec![]), None);
    }
}
