//! The gossip of validators as somebody sees it who reads and changes it.

use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

const VERSION: u8 = 1;
const BIDS: u8 = 0;
const TRANSACTION: u8 = 1;
const SHARE: u8 = 2;
/// Version, kind, number of the sharing.
const SHARE_HEAD_BYTES: usize = 1 + 1 + 8;
/// Version, kind, round, number of bids.
const BIDS_HEAD_BYTES: usize = 1 + 1 + 8 + 4;

/// A gossip message that is no message of bids.
pub(crate) enum Message {
    Transaction(Transaction),
    /// The sharing and the opening share.
    Share(u64, Transaction),
}

pub(crate) fn decode(message: &[u8], context: &DecodeContext) -> Option<Message> {
    match *message.get(..2)? {
        [VERSION, TRANSACTION] => {
            Transaction::from_bytes(&message[2..], context).ok().map(Message::Transaction)
        }
        [VERSION, SHARE] => {
            let (head, body) = message.split_at_checked(SHARE_HEAD_BYTES)?;
            let sharing = u64::from_le_bytes(head[2..].try_into().ok()?);
            Some(Message::Share(sharing, Transaction::from_bytes(body, context).ok()?))
        }
        _ => None,
    }
}

pub(crate) fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Transaction(transaction) => [vec![VERSION, TRANSACTION], transaction.to_bytes()].concat(),
        Message::Share(sharing, share) => {
            [vec![VERSION, SHARE], sharing.to_le_bytes().to_vec(), share.to_bytes()].concat()
        }
    }
}

/// A message of bids of one round.
pub(crate) fn encode_bids(round_id: u64, bids: &[SealedBid]) -> Vec<u8> {
    let mut message = vec![VERSION, BIDS];
    message.extend(round_id.to_le_bytes());
    message.extend((bids.len() as u32).to_le_bytes());
    bids.iter().for_each(|bid| message.extend(bid.to_bytes()));
    message
}

/// The bids of a message of them, and their round.
pub(crate) fn decode_bids(message: &[u8], context: &DecodeContext) -> Option<(u64, Vec<SealedBid>)> {
    let DecodeContext::Rounds { shape, .. } = context else { return None };
    let (head, body) = message.split_at_checked(BIDS_HEAD_BYTES)?;
    if head[..2] != [VERSION, BIDS] {
        return None;
    }
    let round_id = u64::from_le_bytes(head[2..10].try_into().ok()?);
    let bids = body.chunks(shape.bid_bytes()).map(|bytes| SealedBid::from_bytes(bytes, *shape).ok());
    Some((round_id, bids.collect::<Option<_>>()?))
}
