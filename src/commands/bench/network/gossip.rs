//! What a faulty validator sends to the others: everything that may cost them something.
//!
//! The messages are written out here once more (specification section 13.5), because nothing in the library sends
//! anything false.

use super::false_bid;
use super::members::{Members, Sealed, bid_params};
use crate::failure::Failure;
use rand_core::{OsRng, RngCore};
use rayon::prelude::*;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_roles::replica::MAX_GOSSIP_BYTES;

/// Accounts whose owners work with the faulty validator: they sign its bids.
pub const ACCOUNTS: usize = 64;
/// Messages of false bids; each has others. As many of each other kind come with them.
const BID_MESSAGES: usize = 8;
const VERSION: u8 = 1;
const BIDS: u8 = 0;
const TRANSACTION: u8 = 1;
const SHARE: u8 = 2;

impl Members {
    /// False gossip of validator `number` about the round of these bids: signed bids with false proofs, false shares of
    /// its own, key events and other messages that are none.
    ///
    /// # Errors
    /// A ledger without keys; false bids that are none.
    pub fn false_gossip(&self, state: &State, sealed: &Sealed, number: u16) -> Result<Vec<Vec<u8>>, Failure> {
        // What is looked at first and what waits, in turn.
        let others = |bids| {
            let share = false_share(state, sealed.round_id, number);
            let key_event = noise(&[VERSION, TRANSACTION, TransactionKind::KeyEvent as u8]);
            [bids, share, noise(&[VERSION, BIDS]), key_event]
        };
        Ok(self.false_bids(state, sealed)?.into_iter().flat_map(others).collect())
    }

    fn false_bids(&self, state: &State, sealed: &Sealed) -> Result<Vec<Vec<u8>>, Failure> {
        let community = state.community();
        let (params, context, keys) = (bid_params(community)?, &sealed.context, self.false_keys());
        let template = sealed.bids.first().ok_or_else(|| Failure::Input("no bid to falsify".to_owned()))?;
        let room = MAX_GOSSIP_BYTES.saturating_sub(14) / community.bid_shape().bid_bytes().max(1);
        let some: Vec<_> = keys.iter().take(room.clamp(1, ACCOUNTS)).collect();
        let message = |number: usize| {
            let mut message = vec![VERSION, BIDS];
            message.extend(sealed.round_id.to_le_bytes());
            message.extend((some.len() as u32).to_le_bytes());
            for (place, key) in some.iter().enumerate() {
                let bid = false_bid::falsify(params, context, template, key, &mut OsRng);
                if number == 0 && place == 0 {
                    false_bid::check(params, context, &bid)?;
                }
                message.extend(bid.to_bytes());
            }
            Ok(message)
        };
        (0..BID_MESSAGES).into_par_iter().map(message).collect()
    }
}

/// A share that can be read and is false.
fn false_share(state: &State, round_id: u64, validator: u16) -> Vec<u8> {
    let share = OpeningShare { validator, point: [0; 32], challenge: [1; 32], response: [1; 32] };
    let mut message = vec![VERSION, SHARE];
    message.extend(state.sharing().unwrap_or(0).to_le_bytes());
    message.extend(Transaction::OpeningShare { round_id, opening_index: 0, share }.to_bytes());
    message
}

/// The longest message that begins so.
fn noise(begins: &[u8]) -> Vec<u8> {
    let mut message = vec![0; MAX_GOSSIP_BYTES];
    OsRng.fill_bytes(&mut message);
    begins.iter().zip(&mut message).for_each(|(begin, byte)| *byte = *begin);
    message
}
