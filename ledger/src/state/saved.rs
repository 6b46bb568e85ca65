//! A state in bytes, for the process that has made it: it starts from there instead of from block 1.
//!
//! Not what a [`checkpoint`](super::checkpoint) is, which others can check. A saved state is complete, and nothing in it was proved
//! by somebody else: whoever restores one has written it, knows that by a tag of its own, and compares the root with the one that
//! the next block names (specification section 9.5). What the root covers only by a running digest, the members' certificates
//! above all, rests on the tag.
//!
//! What is in blocks is not written again: genesis, bids of active rounds, and the events of the latest key session are read from
//! them by their heights, and have to have the digests that the root covers. Each domain's part is beside the domain.

use super::{FinishedRounds, MAX_ACTIVE_ROUNDS, State};
use crate::block::Block;
use crate::genesis::FORMAT_VERSION;
use crate::hash::Hash;
use crate::members::saved as members;
use crate::params::{read_flag, read_option, write_option};
use crate::refusal::BlockError;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::keygen::KeyGenError;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Format of the bytes. It rises with every change of what is written, or of what a field means.
const FORMAT: u16 = 1;

/// Gives a stored block with its bids; none when it is not there.
pub type Blocks<'a> = dyn FnMut(u64) -> Option<Block> + 'a;

/// Why a saved state is not restored. The blocks are executed again instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SavedFault {
    /// Another program has written it.
    #[error(
        "it has format {found} of ledger format {ledger}, this program writes {FORMAT} of {FORMAT_VERSION}"
    )]
    Format {
        /// Its format.
        found: u16,
        /// Its ledger's.
        ledger: u16,
    },
    /// It is not the encoding of a state.
    #[error("it can't be read: {0}")]
    Encoding(#[from] WireError),
    /// Block 0 breaks a rule.
    #[error("the genesis is refused: {0}")]
    Genesis(#[from] BlockError),
    /// It is of another ledger.
    #[error("it is of another ledger")]
    OtherLedger,
    /// A block that it needs is not there with its bids.
    #[error("block {height} is needed whole for it")]
    Block {
        /// The height.
        height: u64,
    },
    /// A round's bids are not those that it names.
    #[error("the stored bids of round {round} are others")]
    Bids {
        /// The round.
        round: u64,
    },
    /// A share, or the sums that were opened, don't fit.
    #[error("what was opened in round {round} does not fit")]
    Opened {
        /// The round.
        round: u64,
    },
    /// The latest key session does not begin as it says.
    #[error("the key session does not begin: {0}")]
    Session(#[from] KeyGenError),
    /// Keys or members are not those of this ledger.
    #[error("its {what} do not fit the ledger")]
    Misfit {
        /// Which.
        what: &'static str,
    },
    /// The state that it leads to is another than the ledger's.
    #[error("its root is not the one that block {next} names")]
    Root {
        /// The block after it.
        next: u64,
    },
}

impl State {
    /// All of the state, but what is in blocks.
    pub fn save(&self) -> Vec<u8> {
        let Self {
            community,
            height,
            block_hash,
            time_unix_ms,
            last_round_id,
            cleared_until_unix_s,
            finished,
            rounds,
            network,
            members,
            accounts,
        } = self;
        let mut w = Writer::new();
        w.u16(FORMAT).u16(FORMAT_VERSION).bytes(&community.ledger_id());
        w.u64(*height).bytes(block_hash).u64(*time_unix_ms);
        write_option(&mut w, last_round_id.map(u64::to_le_bytes));
        write_option(&mut w, cleared_until_unix_s.map(i64::to_le_bytes));
        let FinishedRounds { settled, voided, digest } = finished;
        w.u64(*settled).u64(*voided).bytes(digest);
        community.offices().save(&mut w);
        network.save(&mut w);
        members.save(&mut w);
        w.u8(u8::from(accounts.is_some()));
        if let Some(accounts) = accounts {
            accounts.save(&mut w);
        }
        w.length(rounds.len());
        let mut before = None;
        for round in rounds.values() {
            round.save(before.replace(round), &mut w);
        }
        w.finish()
    }

    /// The height of a saved state; none when this is not the beginning of one.
    pub fn saved_height(bytes: &[u8]) -> Option<u64> {
        let mut r = Reader::new(bytes);
        r.bytes("formats and ledger", 2 + 2 + 32).ok()?;
        r.u64("height").ok()
    }

    /// The state that [`State::save`] has written, of the ledger with this block 0. `root` is the state root that the block after
    /// it names: no other state comes back.
    ///
    /// # Errors
    /// [`SavedFault`]: bytes of another program or ledger, damage, blocks that are not there.
    pub fn restore(
        genesis: &Block,
        bytes: &[u8],
        root: &Hash,
        blocks: &mut Blocks<'_>,
    ) -> Result<Self, SavedFault> {
        let mut r = Reader::new(bytes);
        let (found, ledger) = (r.u16("format")?, r.u16("ledger format")?);
        if (found, ledger) != (FORMAT, FORMAT_VERSION) {
            return Err(SavedFault::Format { found, ledger });
        }
        let mut state = Self::from_genesis_block(genesis)?;
        if r.array("ledger")? != state.community.ledger_id() {
            return Err(SavedFault::OtherLedger);
        }
        state.height = r.u64("height")?;
        (state.block_hash, state.time_unix_ms) = (r.array("block hash")?, r.u64("time")?);
        state.last_round_id = read_option(&mut r, "last round")?.map(u64::from_le_bytes);
        state.cleared_until_unix_s = read_option(&mut r, "cleared slots")?.map(i64::from_le_bytes);
        state.finished = FinishedRounds {
            settled: r.u64("settled rounds")?,
            voided: r.u64("void rounds")?,
            digest: r.array("digest of finished rounds")?,
        };
        let community = members::restore_offices(&state.community, &mut r)?;
        state.community = Arc::new(community);
        state.restore_keys(&mut r, blocks)?;
        state.members = Arc::new(members::restore_register(&state.community, &mut r)?);
        if read_flag(&mut r, "accounts")? != state.accounts.is_some() {
            return Err(SavedFault::Misfit { what: "accounts" });
        }
        if state.accounts.is_some() {
            state.restore_accounts(&mut r)?;
        }
        let count = r.length("rounds", MAX_ACTIVE_ROUNDS, 1)?;
        let mut rounds = BTreeMap::new();
        for _ in 0..count {
            let before = rounds.last_key_value().map(|(_, round)| round);
            let round = state.restored_round(before, &mut r, blocks)?;
            rounds.insert(round.round_id(), Arc::new(round));
        }
        state.rounds = rounds;
        r.finish()?;
        match state.root() == *root {
            true => Ok(state),
            false => Err(SavedFault::Root { next: state.height.saturating_add(1) }),
        }
    }
}
