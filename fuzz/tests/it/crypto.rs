//! Decoders of bids, envelopes, receipts, keys and shares.

use bolero::check;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::envelope::{EnvelopeKey, EnvelopePublicKey, open_envelope, seal_envelope};
use veilgrid_crypto::keygen::{DealerPackage, DealtShares, KeyShares};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::WireError;
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::property::{CASES, Decoder, bounded};
use veilgrid_fuzz::samples::samples;

const SHAPE: BidShape = BidShape { steps: 8, bits: 8, money: false };

#[test]
fn sealed_bid() {
    let target =
        Decoder::new(&samples().bids, 0, |bytes| SealedBid::from_bytes(bytes, SHAPE), SealedBid::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn receipt() {
    let target = Decoder::new(&samples().receipts, 0, Receipt::from_bytes, Receipt::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn dealer_package() {
    let decode = |bytes: &[u8]| DealerPackage::from_bytes(bytes, &samples().keygen);
    let target = Decoder::new(&samples().packages, 0, decode, DealerPackage::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn dealt_shares() {
    let decode = |bytes: &[u8]| DealtShares::from_bytes(bytes, &samples().keygen);
    let target = Decoder::new(&samples().dealt, 0, decode, |dealt| dealt.to_bytes().expose().clone());
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn key_shares() {
    let encode = |shares: &KeyShares| shares.to_bytes().expose().clone();
    let target = Decoder::new(&samples().key_shares, 0, KeyShares::from_bytes, encode);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn opening_share() {
    let target = Decoder::new(&samples().opening_shares, 0, OpeningShare::from_bytes, OpeningShare::to_bytes);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

/// A point of the group, and through it every signing, account and share key.
#[test]
fn verifying_key() {
    let accounts: Vec<Vec<u8>> = samples().bids.iter().map(|bid| bid[8..40].to_vec()).collect();
    let target = Decoder::new(
        &accounts,
        0,
        |bytes| VerifyingKey::from_bytes(&array(bytes)?),
        |key| key.to_bytes().into(),
    );
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

#[test]
fn envelope_key() {
    let keys: Vec<Vec<u8>> =
        (1..4).map(|seed| EnvelopeKey::from_bytes(&[seed; 32]).public().to_bytes().into()).collect();
    let decode = |bytes: &[u8]| EnvelopePublicKey::from_bytes(&array(bytes)?);
    let target = Decoder::new(&keys, 0, decode, |key| key.to_bytes().into());
    // A multiplication a case.
    check!().with_iterations(CASES / 20).with_type::<Case>().for_each(|case| target.case(case));
}

fn array(bytes: &[u8]) -> Result<[u8; 32], WireError> {
    bytes.try_into().map_err(|_| WireError::Trailing { left: bytes.len() })
}

/// An envelope opens as it was sealed or not at all.
#[test]
fn envelope() {
    const LEDGER: [u8; 32] = [2; 32];
    let key = EnvelopeKey::from_bytes(&[1; 32]);
    let bid = &samples().bids[0];
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let envelopes = [seal_envelope(&key.public(), &LEDGER, 7, bid, &mut rng)];
    assert_eq!(open_envelope(&key, &LEDGER, &envelopes[0], bid.len()), Ok((7, bid.clone())));
    check!().with_iterations(CASES / 20).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(&envelopes);
        let opened = bounded(&bytes, 1 << 12, |bytes| open_envelope(&key, &LEDGER, bytes, bid.len()));
        assert_eq!(opened.is_ok(), bytes == envelopes[0]);
    });
}
