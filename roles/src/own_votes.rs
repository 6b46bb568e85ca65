//! Whether the votes in certificates are this process's own: a key that runs twice, or an engine's store that was set
//! back, shows as a signature of this validator that this process does not know.
//!
//! A validator that catches up finds its own earlier votes in certificates, and must not be stopped for them. So it keeps
//! a mark beside its engine's store: no vote of it is above the mark, because the mark is on disk before. What is at or
//! below the mark of the start may be from earlier; what is above must have been signed by this process. An engine whose
//! store is new (it was lost, or moved away as the handbook says) has forgotten its votes in an orderly way: votes
//! under blocks up to that time are forgiven.
//!
//! Pure: time is passed in, and a [`Mark`] that comes back is to be made durable before anything else.

use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;

/// Views that are reserved at once, so that the disk is not waited for at each vote.
const RESERVED_VIEWS: u64 = 64;
/// Reserved views below which more are reserved.
const LEAST_RESERVED: u64 = 32;
/// Own votes that are remembered, the latest ones; a day of them. What is before the oldest counts as known.
const REMEMBERED: usize = 65_536;
/// Certificates that are waited for at once.
const MAX_UNKNOWN: usize = 256;
/// A vote may be noted here a little later than a certificate with it comes back.
const PATIENCE_MS: u64 = 10_000;
/// So many unknown signatures stop the validator. An engine reports every vote but those of views that are long over, so
/// that one alone may be a vote that came too late to be reported.
const CONVICTING: usize = 3;

/// Place of a vote: the engine's epoch, and the view in it.
pub type View = (u64, u64);

/// What is on disk about own votes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// No vote of this validator is above this place, but those that are forgiven.
    pub up_to: View,
    /// Votes under blocks up to this time are forgiven, milliseconds since 1970 UTC.
    pub forgiven_until_unix_ms: u64,
    /// The validator has found votes that are not its own, and does not go on with this store of its engine.
    pub stopped: bool,
}

impl Mark {
    /// Version, epoch, view, time, flag.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u64(self.up_to.0).u64(self.up_to.1);
        w.u64(self.forgiven_until_unix_ms).u8(u8::from(self.stopped));
        w.finish()
    }

    /// Reads a stored mark.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no encoding of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        if r.u8("version")? != VERSION {
            return Err(WireError::Invalid { field: "version", why: "this program reads version 1" });
        }
        let up_to = (r.u64("epoch")?, r.u64("view")?);
        let forgiven_until_unix_ms = r.u64("forgiven until")?;
        let stopped = match r.u8("stopped")? {
            0 => false,
            1 => true,
            _ => return Err(WireError::Invalid { field: "stopped", why: "it is 0 or 1" }),
        };
        r.finish()?;
        Ok(Self { up_to, forgiven_until_unix_ms, stopped })
    }
}

/// A signature of this validator in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Where it voted.
    pub view: View,
    /// Height of the block.
    pub height: u64,
    /// The block's time, milliseconds since 1970 UTC.
    pub block_unix_ms: u64,
}

/// The own votes of one process.
#[derive(Debug)]
pub struct OwnVotes {
    /// What the mark was at the start.
    start: View,
    mark: Mark,
    /// Of this process.
    signed: BTreeSet<View>,
    /// Votes up to this one were forgotten.
    forgotten: Option<View>,
    /// In certificates and not signed here, with the time of the certificate, milliseconds since 1970 UTC.
    unknown: BTreeMap<View, (Signed, u64)>,
    last_vote_unix_ms: Option<u64>,
}

impl OwnVotes {
    /// From the stored mark; none was stored by older programs, and in a new folder. `engine_is_new`: the engine has no
    /// votes in its store. Block times may be `skew_ms` ahead of `now_unix_ms`. The mark that it begins with has to be
    /// made durable.
    pub fn new(stored: Option<Mark>, engine_is_new: bool, now_unix_ms: u64, skew_ms: u64) -> (Self, Mark) {
        let mut mark = stored.unwrap_or_default();
        if engine_is_new || stored.is_none() {
            let until = now_unix_ms.saturating_add(skew_ms);
            mark.forgiven_until_unix_ms = mark.forgiven_until_unix_ms.max(until);
            mark.stopped = false;
        }
        let (signed, unknown) = (BTreeSet::new(), BTreeMap::new());
        let start = mark.up_to;
        (Self { start, mark, signed, forgotten: None, unknown, last_vote_unix_ms: None }, mark)
    }

    /// The consensus of an epoch is about to begin.
    pub fn begins(&mut self, epoch: u64) -> Option<Mark> {
        self.reserve((epoch, 0))
    }

    /// This process has signed that a block is final.
    pub fn voted(&mut self, view: View, now_unix_ms: u64) -> Option<Mark> {
        self.last_vote_unix_ms = Some(now_unix_ms);
        self.signed.insert(view);
        self.unknown.remove(&view);
        if self.signed.len() > REMEMBERED {
            self.forgotten = self.forgotten.max(self.signed.pop_first());
        }
        self.reserve(view)
    }

    fn reserve(&mut self, (epoch, view): View) -> Option<Mark> {
        if self.mark.up_to >= (epoch, view.saturating_add(LEAST_RESERVED)) {
            return None;
        }
        self.mark.up_to = (epoch, view.saturating_add(RESERVED_VIEWS));
        Some(self.mark)
    }

    /// A certificate of a final block has a signature of this validator.
    pub fn found(&mut self, found: Signed, now_unix_ms: u64) {
        let view = found.view;
        let earlier = view <= self.start || self.forgotten.is_some_and(|until| view <= until);
        let forgiven = found.block_unix_ms <= self.mark.forgiven_until_unix_ms;
        if !earlier && !forgiven && !self.signed.contains(&view) && self.unknown.len() < MAX_UNKNOWN {
            self.unknown.entry(view).or_insert((found, now_unix_ms));
        }
    }

    /// Votes that are this validator's and were not given here, long enough for this process to have known.
    pub fn unknown(&self, now_unix_ms: u64) -> usize {
        let ripe = |(_, since): &&(Signed, u64)| now_unix_ms.saturating_sub(*since) >= PATIENCE_MS;
        self.unknown.values().filter(ripe).count()
    }

    /// The first of them when they are enough to stop, with the mark to be made durable.
    pub fn foreign(&mut self, now_unix_ms: u64) -> Option<(Signed, Mark)> {
        if self.unknown(now_unix_ms) < CONVICTING {
            return None;
        }
        self.mark.stopped = true;
        self.unknown.values().next().map(|(first, _)| (*first, self.mark))
    }

    /// Whether an earlier process has stopped for such votes, and the engine's store is still the same.
    pub fn is_stopped(&self) -> bool {
        self.mark.stopped
    }

    /// When this process last voted, milliseconds since 1970 UTC.
    pub fn last_vote_unix_ms(&self) -> Option<u64> {
        self.last_vote_unix_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn signed(epoch: u64, view: u64, block_unix_ms: u64) -> Signed {
        Signed { view: (epoch, view), height: view, block_unix_ms }
    }

    /// A process that voted in the views 1 to 200 of epoch 3, and its mark.
    fn voter() -> (OwnVotes, Mark) {
        let (mut votes, mut mark) = OwnVotes::new(None, true, NOW, 2_000);
        mark = votes.begins(3).unwrap_or(mark);
        for view in 1..=200 {
            mark = votes.voted((3, view), NOW).unwrap_or(mark);
            assert!(mark.up_to >= (3, view + 1), "on disk before the next vote");
        }
        (votes, mark)
    }

    fn after_certificates(votes: &mut OwnVotes, views: std::ops::RangeInclusive<u64>) -> bool {
        views.for_each(|view| votes.found(signed(3, view, NOW + 10_000), NOW));
        assert!(votes.foreign(NOW + PATIENCE_MS - 1).is_none(), "a vote may be noted late");
        votes.foreign(NOW + PATIENCE_MS).is_some()
    }

    #[test]
    fn own_votes_are_known_in_the_process_and_after_a_restart() {
        let (mut votes, mark) = voter();
        assert!(!after_certificates(&mut votes, 1..=200));
        let (mut again, _) = OwnVotes::new(Some(mark), false, NOW + 5_000, 2_000);
        assert!(!after_certificates(&mut again, 1..=200));
        // Not one view more than is reserved.
        assert!(after_certificates(&mut again, 300..=302));
    }

    /// Threat: a validator is started with the data of a backup.
    #[test]
    fn a_store_that_was_set_back_is_found_out_and_stays_so() {
        let (mut votes, _) = OwnVotes::new(None, true, NOW, 2_000);
        let backup = votes.begins(3).expect("a mark");
        let (mut restored, _) = OwnVotes::new(Some(backup), false, NOW + 60_000, 2_000);
        (100..=101).for_each(|view| restored.found(signed(3, view, NOW + 30_000), NOW));
        assert!(restored.foreign(NOW + PATIENCE_MS).is_none(), "two may be late reports");
        assert_eq!(restored.unknown(NOW + PATIENCE_MS), 2);
        restored.found(signed(3, 102, NOW + 30_000), NOW);
        let (first, mark) = restored.foreign(NOW + PATIENCE_MS).expect("found out");
        assert_eq!((first.view, mark.stopped), ((3, 100), true));
        let (again, _) = OwnVotes::new(Some(mark), false, NOW + 90_000, 2_000);
        assert!(again.is_stopped());
        // With the engine's store moved away it begins anew, and its earlier votes are forgiven.
        let (mut anew, _) = OwnVotes::new(Some(mark), true, NOW + 90_000, 2_000);
        assert!(!anew.is_stopped());
        assert!(!after_certificates(&mut anew, 100..=300));
    }

    /// Threat: another process signs with the same key.
    #[test]
    fn a_key_that_runs_twice_is_found_out_even_after_a_new_beginning() {
        let (mut votes, _) = OwnVotes::new(None, true, NOW, 2_000);
        votes.begins(3);
        // The other one signs in every view, this one in every second.
        for view in 1..=10 {
            let at = NOW + 3_000 + view * 1_000;
            if view % 2 == 0 {
                votes.voted((3, view), at);
            }
            votes.found(signed(3, view, at), at);
        }
        assert_eq!(votes.unknown(NOW + 60_000), 5);
        assert!(votes.foreign(NOW + 60_000).is_some());
    }

    /// The handbook's way with a lost engine's store, killed again while it catches up.
    #[test]
    fn honest_catching_up_is_not_stopped() {
        let (_, mark) = voter();
        let forgotten = Mark { up_to: (0, 0), ..mark };
        for stored in [None, Some(forgotten)] {
            let (mut votes, begun) = OwnVotes::new(stored, true, NOW + 60_000, 2_000);
            assert!(!after_certificates(&mut votes, 1..=200));
            let (mut again, _) = OwnVotes::new(Some(begun), false, NOW + 61_000, 2_000);
            assert!(!after_certificates(&mut again, 1..=200));
        }
        // Reported a moment after the certificate.
        let (mut votes, _) = OwnVotes::new(Some(mark), false, NOW, 2_000);
        (400..=410).for_each(|view| votes.found(signed(3, view, NOW + 5_000), NOW));
        (400..=410).for_each(|view| {
            votes.voted((3, view), NOW);
        });
        assert!(votes.foreign(NOW + 60_000).is_none());
    }

    #[test]
    fn marks_have_one_encoding() {
        let mark = Mark { up_to: (3, 64), forgiven_until_unix_ms: NOW, stopped: true };
        let bytes = mark.to_bytes();
        assert_eq!(Mark::from_bytes(&bytes), Ok(mark));
        (0..bytes.len()).for_each(|length| assert!(Mark::from_bytes(&bytes[..length]).is_err()));
        for (at, value) in [(0, 2), (bytes.len() - 1, 2)] {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert!(Mark::from_bytes(&wrong).is_err());
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (mut votes, _) = OwnVotes::new(None, false, NOW, 2_000);
        let most = REMEMBERED as u64 + 10;
        (1..=most).for_each(|view| {
            votes.voted((3, view), NOW);
        });
        assert_eq!(votes.signed.len(), REMEMBERED);
        assert!(!after_certificates(&mut votes, 1..=20), "what is forgotten is not held against it");
    }
}
