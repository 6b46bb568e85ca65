//! The gossip of validators as somebody sees it who reads and changes it.

use veilgrid_ledger::transaction::{DecodeContext, Transaction};

const VERSION: u8 = 1;
const TRANSACTION: u8 = 1;
const SHARE: u8 = 2;
/// Version, kind, number of the sharing.
const SHARE_HEAD_BYTES: usize = 1 + 1 + 8;

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
