//! Verdicts on bids of blocks that are executed later.
//!
//! What all bids of a market share costs a batch once. A block has the bids of a few members only, so that whoever executes many
//! blocks one after another (an audit, a replay of a store) would pay for it with every block. [`in_windows`] reads
//! ahead: the proofs of many blocks and rounds are verified in one batch on all cores, while the blocks before them are
//! executed and the ones behind them read.
//!
//! What a bid is checked against follows from its round and from the keys in force, so it can be told before the block
//! is executed. A verdict is kept under exactly what it was found for; where the prediction was wrong, nothing is found
//! and the bid is verified when its block asks. So the reading ahead decides about time alone, never about a verdict:
//! effects and faults are those of the execution one by one, at the same places and in the same order.

use crate::audit::CertificateCheck;
use crate::block::{Block, BlockHeader};
use crate::hash::Hash;
use crate::rounds::verdicts::{BidVerdicts, BidsAsked, VerdictKey};
use crate::state::State;
use crate::state::round::Slot;
use crate::transaction::Transaction;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use veilgrid_crypto::bid::{
    AccountTerms, BidFault, BidParams, RoundContext, SealedBid, Statement, VerifiedBid, verify_statements,
};

/// Points of the bids of a window, 40 MB of them at most: with 128 steps the bids' own points are then 40 times those
/// that they share.
const WINDOW_POINTS: usize = 1 << 18;
/// Points of a bid besides its steps, about.
const OTHER_POINTS: usize = 32;
/// Most bytes of a window's blocks, but for its last one.
const WINDOW_BYTES: usize = 64 << 20;
/// Most items of a window, for ledgers without bids.
const WINDOW_ITEMS: usize = 4096;

/// Verdicts that were found ahead of time.
#[derive(Debug, Default)]
pub struct Foresight {
    verdicts: BTreeMap<VerdictKey, Result<Arc<VerifiedBid>, BidFault>>,
    certified: BTreeSet<Certified>,
}

/// Everything that a certificate was checked against: ledger, epoch, validators, block, and its bytes.
type Certified = (Hash, u64, Arc<Vec<[u8; 32]>>, Hash, Vec<u8>);

impl Foresight {
    /// Verifies the bids of these blocks in one batch, against the keys that are in force in `state`.
    pub fn of<'a>(state: &State, blocks: impl IntoIterator<Item = &'a Block>) -> Self {
        let Some(params) = state.community().bid_params() else { return Self::default() };
        let mut found: Vec<(RoundContext, &SealedBid, Option<AccountTerms>)> = Vec::new();
        for transaction in blocks.into_iter().flat_map(|block| &block.transactions) {
            let Transaction::Bids { round_id, bids } = transaction else { continue };
            let Some(context) = predicted_context(state, *round_id) else { continue };
            let of = |bid| Some((context, bid, predicted_terms(state, *round_id, bid)?));
            found.extend(bids.iter().filter_map(of));
        }
        fn statement<'a>(
            (round, bid, terms): &'a (RoundContext, &SealedBid, Option<AccountTerms>),
        ) -> Statement<'a> {
            Statement { round, bid, terms: terms.as_ref() }
        }
        let keys: Vec<VerdictKey> =
            found.par_iter().map(|one| VerdictKey::of(params, &statement(one))).collect();
        // A bid that stands there twice is verified once.
        let bids: BTreeMap<VerdictKey, _> = keys.into_iter().zip(found).collect();
        let statements: Vec<Statement<'_>> = bids.values().map(statement).collect();
        let verdicts = verify_statements(params, &statements).into_iter();
        let verdicts = verdicts.map(|verdict| verdict.map(Arc::new));
        Self { verdicts: bids.keys().copied().zip(verdicts).collect(), certified: BTreeSet::new() }
    }

    /// Verifies the certificates of these blocks, those of an epoch in one batch, as far as its validators are known in
    /// `state`. Where one is false, each is left to be checked at its own place.
    fn certificates<'a>(
        &mut self,
        state: &State,
        check: &dyn CertificateCheck,
        blocks: impl Iterator<Item = (&'a BlockHeader, &'a [u8])>,
    ) {
        let ledger_id = state.community().ledger_id();
        let mut epochs: BTreeMap<u64, Vec<(Hash, &[u8])>> = BTreeMap::new();
        for (header, certificate) in blocks {
            let epoch = state.timing().epoch_of(header.height);
            epochs.entry(epoch).or_default().push((header.hash(), certificate));
        }
        for (epoch, certificates) in epochs {
            let Some(validators) = state.consensus_keys(epoch) else { continue };
            if check.all_hold(&ledger_id, epoch, &validators, &certificates) {
                let validators = Arc::new(validators);
                let known = certificates
                    .into_iter()
                    .map(|(block, bytes)| (ledger_id, epoch, Arc::clone(&validators), block, bytes.to_vec()));
                self.certified.extend(known);
            }
        }
    }

    /// Number of verdicts.
    pub fn len(&self) -> usize {
        self.verdicts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// What was found, and the verdicts of `otherwise` for all other bids.
    pub fn before<'a>(&'a self, otherwise: &'a mut dyn BidVerdicts) -> Foreseen<'a> {
        Foreseen { foresight: self, otherwise }
    }
}

/// "A round is opened for its slot": the slot, and with it what bids are bound to, follows from the round's number.
fn predicted_context(state: &State, round_id: u64) -> Option<RoundContext> {
    let seconds = state.community().params().slot_seconds;
    let start_unix_s = state.timing().slot_start_unix_s(round_id, seconds)?;
    Some(state.community().round_context(round_id, Slot { start_unix_s, seconds }))
}

/// The terms that a bid of this account has to keep to, as far as they are known: of a round that is open in `state`, while
/// nothing else moves the account. `Some(None)` without money; none where they are not known yet, and the bid is left to be
/// verified at its own place.
fn predicted_terms(state: &State, round_id: u64, bid: &SealedBid) -> Option<Option<AccountTerms>> {
    match state.accounts() {
        None => Some(None),
        Some(_) => state.account_terms(round_id, &bid.account).map(Some),
    }
}

/// See [`Foresight::before`].
pub struct Foreseen<'a> {
    foresight: &'a Foresight,
    otherwise: &'a mut dyn BidVerdicts,
}

impl Foreseen<'_> {
    /// Whether this very certificate was found to hold, for this block by these validators.
    pub(crate) fn certified(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> bool {
        if self.foresight.certified.is_empty() {
            return false;
        }
        let validators = Arc::new(validators.to_vec());
        let key = (*ledger_id, epoch, validators, *block_hash, certificate.to_vec());
        self.foresight.certified.contains(&key)
    }
}

impl BidVerdicts for Foreseen<'_> {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let known = |statement| self.foresight.verdicts.get(&VerdictKey::of(params, &statement));
        let known: Option<Vec<_>> = asked.statements().map(|statement| known(statement).cloned()).collect();
        // All of a transaction's bids are foreseen, or none.
        known.unwrap_or_else(|| self.otherwise.verify(params, asked))
    }
}

/// Something that is replayed one after another.
pub trait Replayable: Sync {
    /// Its block, when it has bids that may be verified ahead.
    fn whole_block(&self) -> Option<&Block>;

    /// Its block's header and certificate, when that is to be checked.
    fn certified(&self) -> Option<(&BlockHeader, &[u8])> {
        None
    }
}

impl Replayable for Block {
    fn whole_block(&self) -> Option<&Block> {
        Some(self)
    }
}

/// What executes blocks one after another.
pub trait Execution {
    /// What it takes.
    type Item: Replayable;
    /// Why it ends early.
    type End;

    /// The state by which the bids of later blocks are foreseen; none while there is no state.
    fn state(&self) -> Option<&State>;

    /// What certificates are checked with, when they are.
    fn certificates(&self) -> Option<&Arc<dyn CertificateCheck>> {
        None
    }

    /// Executes the next one, with what was found before.
    ///
    /// # Errors
    /// Why it ends here.
    fn execute(&mut self, item: Self::Item, ahead: &mut Foreseen<'_>) -> Result<(), Self::End>;
}

/// How [`in_windows`] ended before its source did.
#[derive(Debug)]
pub enum Ended<E, S> {
    /// An item could not be read; all before it were executed.
    Source(E),
    /// The execution has ended.
    Execution(S),
}

/// How far is read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// As far as the memory for it stays within some tens of megabytes.
    Full,
    /// So many bids; 0: nothing is read ahead. For tests, which compare.
    Bids(usize),
}

impl Window {
    /// Bids of a window of this ledger; 0 while nothing can be foreseen, because there are no keys yet.
    fn bids(self, state: Option<&State>) -> usize {
        match (self, state.and_then(|state| state.community().bid_params())) {
            (_, None) => 0,
            (Self::Bids(bids), _) => bids,
            (Self::Full, Some(params)) => (WINDOW_POINTS / (params.steps() + OTHER_POINTS)).max(16),
        }
    }
}

/// Executes all that `source` gives, with verdicts on bids found ahead in windows; for others `otherwise` is asked.
///
/// Three windows are in memory: one is executed, the proofs of the next are verified, and the one behind is read. The
/// number of threads, and where windows begin, show in nothing but the time.
///
/// # Errors
/// [`Ended`].
pub fn in_windows<E, X: Execution>(
    source: impl IntoIterator<Item = Result<X::Item, E>>,
    execution: &mut X,
    window: Window,
    otherwise: &mut dyn BidVerdicts,
) -> Result<(), Ended<E, X::End>> {
    let mut reading = Reading { source: source.into_iter(), failed: None, ended: false };
    let mut read: Vec<X::Item> = Vec::new();
    let mut foreseen = (Vec::new(), Foresight::default());
    loop {
        if read.is_empty() {
            read = reading.window(window.bids(execution.state()));
        }
        if read.is_empty() && foreseen.0.is_empty() {
            return reading.failed.map_or(Ok(()), |error| Err(Ended::Source(error)));
        }
        let (now, verdicts) = core::mem::take(&mut foreseen);
        let ahead = window.bids(execution.state()) > 0;
        let state = execution.state().filter(|_| ahead).cloned();
        let check = execution.certificates().cloned();
        let mut next = Foresight::default();
        let (behind, executed) = rayon::in_place_scope(|scope| {
            if let Some(state) = &state {
                let (next, read, check) = (&mut next, &read, &check);
                scope.spawn(move |_| {
                    *next = Foresight::of(state, read.iter().filter_map(Replayable::whole_block));
                    if let Some(check) = check {
                        next.certificates(
                            state,
                            check.as_ref(),
                            read.iter().filter_map(Replayable::certified),
                        );
                    }
                });
            }
            let mut verdicts = verdicts.before(otherwise);
            let executed = now.into_iter().try_for_each(|item| execution.execute(item, &mut verdicts));
            // Without keys yet nothing behind is read before what was read is executed.
            let bids = if executed.is_ok() { window.bids(execution.state()) } else { 0 };
            (if bids > 0 { reading.window(bids) } else { Vec::new() }, executed)
        });
        executed.map_err(Ended::Execution)?;
        foreseen = (core::mem::replace(&mut read, behind), next);
    }
}

/// Items that are read ahead, up to the first that can't be read.
struct Reading<S, E> {
    source: S,
    failed: Option<E>,
    ended: bool,
}

impl<I: Replayable, E, S: Iterator<Item = Result<I, E>>> Reading<S, E> {
    /// The next items with at least so many bids, or one.
    fn window(&mut self, bids: usize) -> Vec<I> {
        let (mut items, mut found, mut bytes) = (Vec::new(), 0, 0);
        while !self.ended {
            match self.source.next() {
                None => self.ended = true,
                Some(Err(error)) => (self.failed, self.ended) = (Some(error), true),
                Some(Ok(item)) => {
                    let (more, their_bytes) = item.whole_block().map_or((0, 0), size);
                    (found, bytes) = (found + more, bytes + their_bytes);
                    items.push(item);
                    if found >= bids || bytes >= WINDOW_BYTES || items.len() >= WINDOW_ITEMS {
                        break;
                    }
                }
            }
        }
        items
    }
}

/// Number of a block's bids, and about how many bytes its transactions have. Of those that are no bids a hostile file may hold
/// many and large ones, and three windows are in memory.
fn size(block: &Block) -> (usize, usize) {
    block.transactions.iter().fold((0, 0), |(count, bytes), transaction| match transaction {
        Transaction::Bids { bids, .. } => {
            let of = |bid: &SealedBid| 32 * bid.c.len() + bid.proof.len() + bid.note.len();
            (count + bids.len(), bytes + bids.iter().map(of).sum::<usize>())
        }
        other => (count, bytes + other.to_bytes().len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a window are bounded by all that its blocks hold, not by their bids alone.
    #[test]
    fn a_window_of_large_blocks_without_bids_is_short() {
        let event = Transaction::KeyEvent { session: 1, event: vec![0; WINDOW_BYTES / 4] };
        let blocks =
            (1..9).map(|height| Ok::<_, ()>(Block::new(height, [0; 32], 0, [0; 32], vec![event.clone()])));
        let mut reading = Reading { source: blocks, failed: None, ended: false };
        assert_eq!(reading.window(16).len(), 4);
    }
}
