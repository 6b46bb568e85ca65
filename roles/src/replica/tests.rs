//! Parts of a replica that do not show from outside; the whole is tested in `roles/tests/it/replica`.

use super::gossip::{self, Message};
use super::item::{MAX_GOSSIP_BYTES, OpeningId};
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

const SHAPE: BidShape = BidShape { steps: 8, bits: 8, money: false };
const CONTEXT: DecodeContext = DecodeContext::Rounds { shape: SHAPE, max_bids: 5_000 };

fn bid(mark: u16) -> SealedBid {
    let mut salt = [0; 32];
    salt[..2].copy_from_slice(&mark.to_le_bytes());
    SealedBid {
        round_id: 3,
        account: [1; 32],
        salt,
        r: [2; 32],
        c: vec![[3; 32]; SHAPE.steps],
        money: None,
        proof: vec![4; SHAPE.proof_bytes()],
        note: vec![5; SHAPE.note_bytes()],
        signature: [6; 64],
    }
}

#[test]
fn many_bids_are_split_and_come_back_in_order() {
    let bids: Vec<SealedBid> = (0..1_000).map(bid).collect();
    let messages = gossip::encode_bids(3, SHAPE, &bids.iter().collect::<Vec<_>>());
    assert!(messages.len() > 1);
    assert!(messages.iter().all(|message| message.len() <= MAX_GOSSIP_BYTES));
    // No more messages than it takes.
    assert!(messages[..messages.len() - 1].iter().all(|m| m.len() + SHAPE.bid_bytes() > MAX_GOSSIP_BYTES));
    let mut decoded = Vec::new();
    for message in &messages {
        let Ok(Message::Bids { round_id: 3, bids }) = gossip::decode(message, &CONTEXT) else {
            panic!("not the bids")
        };
        decoded.extend(bids);
    }
    assert!(decoded == bids);
    assert!(gossip::encode_bids(3, SHAPE, &[]).is_empty());
}

#[test]
fn shares_and_transactions_come_back() {
    let share = OpeningShare { validator: 2, point: [7; 32], challenge: [8; 32], response: [9; 32] };
    let opening = OpeningId { sharing: 4, round_id: 5, opening_index: 6 };
    let decoded = gossip::decode(&gossip::encode_share(&opening, share), &CONTEXT);
    assert_eq!(decoded, Ok(Message::Share { sharing: 4, round_id: 5, opening_index: 6, share }));
    let event = |bytes| Transaction::KeyEvent { session: 1, event: vec![1; bytes] };
    let message = gossip::encode_transaction(&event(100)).expect("it fits");
    assert_eq!(gossip::decode(&message, &CONTEXT), Ok(Message::Transaction(Box::new(event(100)))));
    // Version, kind, transaction kind, session, length.
    let most = MAX_GOSSIP_BYTES - 2 - 1 - 8 - 4;
    assert_eq!(gossip::encode_transaction(&event(most)).map(|message| message.len()), Some(MAX_GOSSIP_BYTES));
    assert_eq!(gossip::encode_transaction(&event(most + 1)), None);
    // A share does not come as a plain transaction in a share's place, nor the other way round.
    let mut other = message;
    other[1] = 2;
    other.splice(2..2, [0; 8]);
    assert!(gossip::decode(&other, &CONTEXT).is_err());
}
