//! A relayed batch: every byte of it is the aggregator's, and it is for one ledger.

use crate::support::Market;
use veilgrid_crypto::relay::{MAX_RELAYED_BIDS, RelayError, RelayedBids};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wire::WireError;

const LEDGER: [u8; 32] = [1; 32];

#[test]
fn every_byte_of_a_batch_is_signed() {
    let mut market = Market::new(8, 4);
    let bids = market.bids::<2>();
    let key = SigningKey::generate(&mut market.rng);
    let shape = market.params.shape();
    let bytes = RelayedBids::sign(&key, LEDGER, 7, bids.to_vec(), &mut market.rng).to_bytes();
    let open = |bytes: &[u8]| RelayedBids::open(bytes, shape, &LEDGER, &key.verifying_key());
    assert_eq!(open(&bytes), Ok(bids.to_vec()));
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(open(&changed).is_err(), "byte {place}");
        assert!(open(&bytes[..place]).is_err(), "cut at {place}");
    }
}

#[test]
fn another_signer_ledger_or_round_is_told_apart() {
    let mut market = Market::new(8, 4);
    let bids = market.bids::<1>().to_vec();
    let (key, other) = (SigningKey::generate(&mut market.rng), SigningKey::generate(&mut market.rng));
    let shape = market.params.shape();
    let mut sign = |key: &SigningKey, round_id| {
        RelayedBids::sign(key, LEDGER, round_id, bids.clone(), &mut market.rng).to_bytes()
    };
    let open = |bytes: &[u8], ledger| RelayedBids::open(bytes, shape, ledger, &key.verifying_key());
    assert_eq!(open(&sign(&other, 7), &LEDGER), Err(RelayError::Signature));
    assert_eq!(open(&sign(&key, 7), &[2; 32]), Err(RelayError::OtherLedger));
    assert_eq!(open(&sign(&key, 8), &LEDGER), Err(RelayError::Round { bid: 7, batch: 8 }));
}

#[test]
fn a_batch_is_bounded_before_it_is_decoded() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    let key = SigningKey::generate(&mut market.rng);
    let shape = market.params.shape();
    let open = |bytes: &[u8]| RelayedBids::open(bytes, shape, &LEDGER, &key.verifying_key());
    let full = vec![bid.clone(); MAX_RELAYED_BIDS];
    let full = RelayedBids::sign(&key, LEDGER, 7, full, &mut market.rng).to_bytes();
    assert_eq!(full.len(), RelayedBids::max_bytes(shape));
    assert_eq!(open(&full).map(|bids| bids.len()), Ok(MAX_RELAYED_BIDS));
    let more = vec![bid; MAX_RELAYED_BIDS + 1];
    let more = RelayedBids::sign(&key, LEDGER, 7, more, &mut market.rng).to_bytes();
    assert!(matches!(open(&more), Err(RelayError::Malformed(WireError::TooLong { .. }))));
}
