//! How much the engine keeps, and how many files it has open for that.
//!
//! Every section of a store and every epoch's store of views keeps its files open. Both are bounded here, whatever the
//! length of an epoch and of the ledger is.

use commonware_utils::NZU64;
use std::num::NonZeroU64;

/// Blocks that are deleted together. Each section keeps its files open.
pub(crate) const SECTION_BLOCKS: NonZeroU64 = NZU64!(2_048);

/// Views behind the last final one that are kept for peers.
pub(crate) const VOTED_VIEWS_KEPT: u64 = 64;

/// Most views whose blocks are kept although they did not become final.
const VIEWS_KEPT: u64 = 256;

/// Views, or blocks, of a section of an epoch's stores.
pub(crate) const CACHE_SECTION: NonZeroU64 = NZU64!(64);

/// Fewest sections of final blocks that are kept.
const LEAST_SECTIONS: u64 = 16;

/// Stores of final blocks and of their certificates, each with a file of keys and a file of values for every section.
const FILES_A_SECTION: u64 = 4;
/// The same of the stores of an epoch.
const FILES_A_CACHE_SECTION: u64 = 2;
/// Epochs whose stores can be open: that of now and the one before.
const OPEN_EPOCHS: u64 = 2;
/// Stores of an epoch by view: verified, notarized, their certificates, final ones.
const VIEW_STORES: u64 = 4;
/// Views of an epoch whose votes are kept: a file each. Those behind the last final one, and some before it.
const VOTE_VIEWS: u64 = VOTED_VIEWS_KEPT + 32;
/// Sockets to another validator, while both sides connect at once.
const FILES_A_PEER: u64 = 4;
/// Everything else: files of settings, the runtime.
const OTHER_FILES: u64 = 96;

/// Views kept with epochs of this many blocks. Views begin anew with each epoch, and as long as an epoch has had fewer than
/// are kept, the engine keeps whole epochs for the rest: one for each view, with some twenty open files each. By the middle
/// of an epoch all that came before it has to go, so that a later one finds nothing but its predecessor.
pub(crate) fn views_kept(epoch_blocks: u64) -> u64 {
    (epoch_blocks / 2).clamp(1, VIEWS_KEPT)
}

/// How many final blocks the engine's store keeps for validators that are behind: two epochs, because whoever is further
/// behind than the epoch before gets blocks over HTTP, and 32,768 at least.
pub fn blocks_kept(epoch_blocks: u64) -> u64 {
    epoch_blocks.saturating_mul(2).max(LEAST_SECTIONS.saturating_mul(SECTION_BLOCKS.get()))
}

/// Below which height final blocks go once this one is delivered; none most of the time, since sections go as a whole.
pub(crate) fn prune_below(height: u64, blocks_kept: u64) -> Option<u64> {
    let due = height.is_multiple_of(SECTION_BLOCKS.get());
    height.checked_sub(blocks_kept).filter(|below| due && *below > 0)
}

/// Most files that an engine with this many peers has open at once. Only views that come one after the other without any
/// final block can make it more: their votes are kept until one is final.
pub fn open_files(epoch_blocks: u64, blocks_kept: u64, peers: u64) -> u64 {
    // One section is begun and one is kept in part.
    let sections = |items: u64, of: NonZeroU64| items.div_ceil(of.get()).saturating_add(2);
    let blocks = sections(blocks_kept, SECTION_BLOCKS).saturating_mul(FILES_A_SECTION);
    let views = sections(views_kept(epoch_blocks), CACHE_SECTION).saturating_mul(VIEW_STORES);
    // Blocks that were asked for before they were final lie by their height, up to the end of their epoch.
    let cached = views.saturating_add(sections(epoch_blocks, CACHE_SECTION));
    let epochs = cached.saturating_mul(FILES_A_CACHE_SECTION).saturating_mul(OPEN_EPOCHS);
    let votes = VOTE_VIEWS.saturating_mul(OPEN_EPOCHS);
    let others = peers.saturating_mul(FILES_A_PEER).saturating_add(OTHER_FILES);
    blocks.saturating_add(epochs).saturating_add(votes).saturating_add(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_at_most_half_an_epoch_are_kept() {
        let kept = [2, 3, 48, 60, 511, 512, 20_000, u64::MAX].map(views_kept);
        assert_eq!(kept, [1, 1, 24, 30, 255, 256, 256, 256]);
    }

    #[test]
    fn final_blocks_go_by_sections_when_two_epochs_and_more_are_left() {
        assert_eq!([1, 60, 16_384, 20_000].map(blocks_kept), [32_768, 32_768, 32_768, 40_000]);
        let below = |height| prune_below(height, 32_768);
        assert_eq!([0, 2_048, 32_768, 34_815, 34_817].map(below), [None; 5]);
        assert_eq!([34_816, 40_960].map(below), [Some(2_048), Some(8_192)]);
        assert_eq!(prune_below(u64::MAX, u64::MAX), None);
    }

    #[test]
    fn open_files_have_a_bound_that_short_epochs_do_not_reach_far() {
        let files = |epoch_blocks| open_files(epoch_blocks, blocks_kept(epoch_blocks), 4);
        assert_eq!([28, 120, 20_000].map(files), [436, 440, 1_748]);
        assert!(files(1 << 20) > 65_536, "such an epoch asks for more than processes ask the system for");
    }
}
