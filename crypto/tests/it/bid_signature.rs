//! The signature alone: it refuses what nobody but the account's owner could have sent, and accepts what the owner
//! has signed, however false the proof is.

use crate::support::{Layout, Market};
use veilgrid_crypto::bid::{BidFault, RoundContext, SealedBid, check_signature};

fn fault(market: &Market, bid: &SealedBid) -> Option<BidFault> {
    check_signature(&market.params, &market.round, bid).err()
}

#[test]
fn a_signed_bid_passes_in_its_round_and_in_no_other() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    assert_eq!(fault(&market, &bid), None);
    let round = market.round;
    market.round = RoundContext { round_id: 8, ..round };
    assert_eq!(fault(&market, &bid), Some(BidFault::Round { bid: 7, round: 8 }));
    let renamed = SealedBid { round_id: 8, ..bid.clone() };
    assert_eq!(fault(&market, &renamed), Some(BidFault::Signature));
    let others = [
        RoundContext { ledger_id: [9; 32], ..round },
        RoundContext { key_epoch: 3, ..round },
        RoundContext { slot_start_unix_s: round.slot_start_unix_s + 900, ..round },
        RoundContext { slot_seconds: 1800, ..round },
    ];
    for other in others {
        market.round = other;
        assert_eq!(fault(&market, &bid), Some(BidFault::Signature), "{other:?}");
    }
}

/// Every byte is signed: whoever is not the owner can't change one of them and still charge it to the account.
#[test]
fn each_byte_flipped_is_refused() {
    for (bits, steps) in [(8, 4), (16, 8)] {
        let mut market = Market::new(bits, steps);
        let bid = market.bid();
        let bytes = bid.to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << ((5 * place + place / 8) % 8);
            let changed = market.decode(&changed);
            assert!(fault(&market, &changed).is_some(), "{bits} bits, {steps} steps, byte {place}");
        }
    }
}

#[test]
fn the_verdict_on_a_changed_signature_account_or_note_is_the_verifiers() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    let (bytes, layout) = (bid.to_bytes(), Layout::of(&market.params));
    let signature = layout.note.end..bytes.len();
    for place in layout.note.clone().chain(signature) {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let changed = market.decode(&changed);
            let (found, verifiers) = (fault(&market, &changed), market.faults(&[changed])[0].clone());
            // An encoding that is none has the same kind of fault; the text names the point.
            let malformed = |fault: &Option<BidFault>| matches!(fault, Some(BidFault::Malformed(_)));
            let agree = found == verifiers || malformed(&found) && malformed(&verifiers);
            assert!(agree && found.is_some(), "byte {place} bit {bit}: {found:?}, {verifiers:?}");
        }
    }
    // The encodings that the verifier refuses: the identity, a coordinate that is not canonical, a large scalar.
    for (place, filler) in [(8, 0), (8, 0xff), (layout.note.end, 0), (layout.note.end, 0xff)] {
        let mut changed = bytes.clone();
        changed[place..place + 32].fill(filler);
        let changed = market.decode(&changed);
        let found = fault(&market, &changed);
        assert!(matches!(found, Some(BidFault::Malformed(_))), "{place}: {found:?}");
        assert!(market.faults(&[changed])[0].is_some());
    }
    let mut large = bytes;
    large[layout.note.end + 32..].fill(0xff);
    let large = market.decode(&large);
    assert!(matches!(fault(&market, &large), Some(BidFault::Malformed(_))));
}

/// Another member's signature under the same bytes is none of this account's.
#[test]
fn a_bid_under_somebody_elses_account_is_refused() {
    let mut market = Market::new(8, 4);
    let [own, victim] = market.bids::<2>();
    let forged = SealedBid { account: victim.account, ..own.clone() };
    assert_eq!(fault(&market, &forged), Some(BidFault::Signature));
    let borrowed = SealedBid { signature: victim.signature, ..own };
    assert_eq!(fault(&market, &borrowed), Some(BidFault::Signature));
}

#[test]
fn wrong_lengths_are_malformed() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    for change in [0, 1, 32] {
        let mut cut = bid.clone();
        cut.proof.truncate(change);
        assert!(matches!(fault(&market, &cut), Some(BidFault::Malformed(_))));
    }
    let mut more = bid;
    more.c.push(more.c[0]);
    assert!(matches!(fault(&market, &more), Some(BidFault::Malformed(_))));
}
