//! Certificates, altered, and blocks that certificates have to cover.

use super::case::{Case, Expected};
use super::certificates::{Odd, odd_signature};
use super::file::{Record, file, with_raw_transaction};
use super::network::{LONG, SHORT, case};
use crate::signed::Electorate;
use crate::world::EPOCH_BLOCKS;
use veilgrid_ledger::block::Block;

pub fn cases() -> Vec<Case> {
    [certificates(), others()].concat()
}

/// One certificate of the settled round's last block, altered.
fn certificates() -> Vec<Case> {
    let ledger = &*SHORT;
    let (tip, epoch) = (ledger.tip(), ledger.states[ledger.tip()].epoch());
    let (hash, before) = (ledger.blocks[tip].hash(), ledger.blocks[tip - 1].hash());
    let voters = ledger.voters(tip);
    let with = |last: Vec<u8>| {
        let certificate = |height| if height == tip { Some(last.clone()) } else { ledger.usual(height) };
        file(&ledger.records(certificate), ledger.root())
    };
    let odd = |odd| {
        let signatures = [0, 1].map(|signer| (signer, voters.signature(&hash, signer)));
        let signatures = [&signatures[..], &[(2, odd_signature(&voters, &hash, 2, odd))]].concat();
        with(voters.assembled(&hash, &signatures))
    };
    let sound = ledger.certificate(tip);
    let mut flipped = sound.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let later = Electorate { epoch: epoch + 1, ..ledger.voters(tip) };
    let foreign = Electorate { ledger_id: [5; 32], ..ledger.voters(tip) };
    let broken = |name, about, bytes, rule| case(name, about, bytes, Expected::Violates(rule));
    let long = [&[0x80, 0], &sound[1..]].concat();
    let without = |from: usize| {
        let certificate = |height| if height < from { ledger.usual(height) } else { None };
        file(&ledger.records(certificate), ledger.root())
    };
    vec![
        case(
            "certificate-small-order-part",
            "a signature with a part of order 8 in R, which ZIP 215 takes",
            odd(Odd::SmallOrderPart),
            Expected::Passes,
        ),
        case(
            "certificate-not-canonical",
            "a signature with R = 0 written as p + 1, which ZIP 215 takes",
            odd(Odd::NotCanonical),
            Expected::Passes,
        ),
        broken(
            "certificate-long-response",
            "a signature with s + l in place of s",
            odd(Odd::LongResponse),
            "Certificate.Signature",
        ),
        broken(
            "certificate-signature",
            "a bit of a signature is changed",
            with(flipped),
            "Certificate.Signature",
        ),
        broken(
            "certificate-ledger",
            "votes on another ledger",
            with(foreign.certificate(&hash, &[0, 1, 2])),
            "Certificate.Signature",
        ),
        broken(
            "certificate-few",
            "two of four",
            with(voters.certificate(&hash, &[0, 1])),
            "Certificate.TooFewSigners",
        ),
        broken(
            "certificate-block",
            "over the block before",
            with(voters.certificate(&before, &[0, 1, 2])),
            "Certificate.Block",
        ),
        broken(
            "certificate-epoch",
            "of the next epoch",
            with(later.certificate(&hash, &[0, 1, 2])),
            "Certificate.Epoch",
        ),
        broken(
            "certificate-varint",
            "a number that is longer than it has to be",
            with(long),
            "Certificate.Malformed",
        ),
        broken(
            "certificate-longer",
            "a byte more",
            with([&sound[..], &[0]].concat()),
            "Certificate.Malformed",
        ),
        case(
            "certificate-tail",
            "the last 16 blocks are in no certificate",
            without(ledger.tip() - 15),
            Expected::Passes,
        ),
        broken(
            "certificate-none",
            "the last 17 blocks are in no certificate",
            without(ledger.tip() - 16),
            "NotFinal",
        ),
    ]
}

/// Blocks as such, and the end of an epoch.
fn others() -> Vec<Case> {
    let (short, (long, _)) = (&*SHORT, &*LONG);
    let last_of_four = EPOCH_BLOCKS as usize - 1;
    // From a block that is the first certified one behind the end of the epoch.
    let uncertified = long.records(|height| {
        let around = (last_of_four - 3..=last_of_four).contains(&height);
        if around { None } else { long.usual(height) }
    });
    let mut raw = short.records(|height| short.usual(height));
    let behind =
        Block::new(short.tip() as u64 + 1, short.blocks[short.tip()].hash(), u64::MAX, short.root(), vec![]);
    raw.push(Record::Block(with_raw_transaction(&behind, &[0, 1])));
    let mut earlier = short.blocks[short.tip()].clone();
    earlier.header.time_unix_ms -= 1_000_000;
    let mut timed = short.clone().cut(short.tip()).records(|height| short.usual(height));
    timed.push(Record::Block(earlier.to_bytes()));
    vec![
        case(
            "epoch-not-certified",
            "the last block of the four is not certified by them",
            file(&uncertified, long.root()),
            Expected::Violates("EpochNotCertified"),
        ),
        case(
            "undecodable",
            "a transaction that does not decode is not recorded as refused",
            file(&raw, [7; 32]),
            Expected::Unreadable("Block"),
        ),
        case(
            "header-time",
            "a time before the parent's",
            file(&timed, [7; 32]),
            Expected::Violates("Block.Time"),
        ),
    ]
}
