use super::*;
use crate::finality::ConsensusKey;
use veilgrid_crypto::secret::Secret;

const BALLOT: Ballot = Ballot { ledger_id: [7; 32], epoch: 3, view: 5, parent_view: 4, block_hash: [9; 32] };

fn key(seed: u8) -> ConsensusKey {
    ConsensusKey::from_seed(&Secret::new([seed; 32]))
}

fn keys_of(seeds: &[u8]) -> Vec<ConsensusKeyBytes> {
    seeds.iter().map(|seed| key(*seed).public()).collect()
}

fn keys() -> Vec<ConsensusKeyBytes> {
    keys_of(&[1, 2, 3, 4])
}

/// The votes of these seeds among the four, enough or not.
fn votes(ballot: Ballot, seeds: &[u8]) -> Votes {
    let mut votes = Votes::new(ballot, &keys()).expect("a set");
    assert!(seeds.iter().all(|seed| votes.add(&key(*seed).vote(&ballot))));
    votes
}

fn certificate(seeds: &[u8]) -> Vec<u8> {
    votes(BALLOT, seeds).certificate().expect("enough")
}

fn verified(bytes: &[u8]) -> Result<(), CertificateFault> {
    verify(&BALLOT.ledger_id, BALLOT.epoch, &keys(), &BALLOT.block_hash, bytes)
}

#[test]
fn true_certificates_hold_for_the_validators_in_any_order() {
    for seeds in [&[1, 2, 3][..], &[2, 3, 4], &[4, 3, 2, 1]] {
        let bytes = certificate(seeds);
        assert_eq!(verified(&bytes), Ok(()));
        let reversed: Vec<_> = keys().into_iter().rev().collect();
        let again = verify(&BALLOT.ledger_id, BALLOT.epoch, &reversed, &BALLOT.block_hash, &bytes);
        assert_eq!(again, Ok(()));
    }
}

#[test]
fn votes_of_strangers_and_for_other_ballots_are_not_taken() {
    let mut votes = votes(BALLOT, &[1, 2]);
    let others = [
        Ballot { ledger_id: [8; 32], ..BALLOT },
        Ballot { epoch: 4, ..BALLOT },
        Ballot { view: 6, ..BALLOT },
        Ballot { parent_view: 3, ..BALLOT },
        Ballot { block_hash: [8; 32], ..BALLOT },
    ];
    assert!(!others.iter().any(|other| votes.add(&key(3).vote(other))));
    assert!(!votes.add(&key(5).vote(&BALLOT)));
    let of_another = Vote { validator: key(3).public(), ..key(4).vote(&BALLOT) };
    assert!(!votes.add(&of_another));
    assert!(votes.add(&key(1).vote(&BALLOT)), "a vote may come twice");
    assert_eq!(votes.certificate(), None, "and counts once");
    assert!(votes.add(&key(3).vote(&BALLOT)));
    assert!(votes.certificate().is_some());
}

#[test]
fn whoever_signed_a_certificate_finds_its_own_vote() {
    let bytes = certificate(&[1, 2, 4]);
    let reversed: Vec<_> = keys().into_iter().rev().collect();
    for validators in [keys(), reversed] {
        for (seed, signed) in [(1, true), (2, true), (3, false), (4, true), (5, false)] {
            let expected = signed.then_some((3, 5));
            assert_eq!(own_vote(&validators, &key(seed).public(), &bytes), expected, "{seed}");
        }
    }
    assert_eq!(own_vote(&keys(), &key(1).public(), &bytes[1..]), None);
    assert_eq!(own_vote(&keys_of(&[5, 6, 7, 8, 9]), &key(1).public(), &bytes), None);
}

#[test]
fn certificates_hold_for_nothing_else() {
    let bytes = certificate(&[1, 2, 3]);
    let verdict = |ledger: u8, epoch, seeds: &[u8], block: u8| {
        verify(&[ledger; 32], epoch, &keys_of(seeds), &[block; 32], &bytes)
    };
    let all = &[1, 2, 3, 4];
    assert_eq!(verdict(7, 3, all, 9), Ok(()));
    assert_eq!(verdict(7, 3, all, 8), Err(CertificateFault::Block));
    assert_eq!(verdict(7, 4, all, 9), Err(CertificateFault::Epoch { expected: 4, found: 3 }));
    assert_eq!(verdict(8, 3, all, 9), Err(CertificateFault::Signature));
    assert_eq!(verdict(7, 3, &[1, 2, 5, 4], 9), Err(CertificateFault::Signature));
    assert_eq!(verdict(7, 3, &[1, 2, 3, 4, 5, 6, 7], 9), Err(CertificateFault::Malformed));
    let no_set = |fault| Err(CertificateFault::Validators(fault));
    assert_eq!(verdict(7, 3, &[], 9), no_set(ValidatorSetFault::Count { count: 0 }));
    assert_eq!(verdict(7, 3, &[1, 2, 3, 3], 9), no_set(ValidatorSetFault::Repeated));
}

#[test]
fn too_few_signers_and_signatures_of_others_are_refused() {
    let of = |ballot: Ballot, seeds: &[u8]| {
        let votes = votes(ballot, seeds);
        Certificate { ballot, signatures: votes.signatures.clone() }
    };
    let few = of(BALLOT, &[1, 2]);
    let fault = CertificateFault::TooFewSigners { found: 2, needed: 3 };
    assert_eq!(verified(&few.encode(4)), Err(fault));
    let mut swapped = of(BALLOT, &[1, 2, 3, 4]);
    let last = swapped.signatures[&3];
    swapped.signatures.insert(0, last);
    assert_eq!(verified(&swapped.encode(4)), Err(CertificateFault::Signature));
}

#[test]
fn no_flipped_bit_and_no_cut_is_accepted() {
    let bytes = certificate(&[1, 2, 3]);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(verified(&bytes[..length]), Err(CertificateFault::Malformed));
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(verified(&longer), Err(CertificateFault::Malformed));
    assert_eq!(verified(&[0; 600]), Err(CertificateFault::TooLong { bytes: 600, bound: 520 }));
}

#[test]
fn numbers_have_one_encoding() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        assert_eq!(Input(&bytes).varint(), Some(value));
        let last = bytes.len() - 1;
        bytes[last] |= 0x80;
        bytes.push(0);
        assert_eq!(Input(&bytes).varint(), None, "{value} written longer");
    }
    assert_eq!(Input(&[0xff; 12]).varint(), None);
    let beyond = [[0xff; 9].as_slice(), &[2]].concat();
    assert_eq!(Input(&beyond).varint(), None, "65 bits");
}

#[test]
fn quorums_are_more_than_two_thirds() {
    for validators in 1..=128 {
        let tolerated = (validators - 1) / 3;
        assert_eq!(quorum(validators), validators - tolerated);
        assert!(3 * quorum(validators) > 2 * validators);
    }
}

/// A batch holds exactly when each of its certificates does.
#[test]
fn a_batch_holds_when_each_certificate_does() {
    let ballots: Vec<Ballot> = (0..6).map(|block| Ballot { block_hash: [block; 32], ..BALLOT }).collect();
    let of = |ballot: &Ballot, seeds: &[u8]| votes(*ballot, seeds).certificate().expect("enough");
    let sound: Vec<(Hash, Vec<u8>)> = ballots
        .iter()
        .zip([&[1, 2, 3][..], &[2, 3, 4], &[1, 2, 3, 4], &[1, 3, 4], &[1, 2, 4], &[1, 2, 3]])
        .map(|(ballot, seeds)| (ballot.block_hash, of(ballot, seeds)))
        .collect();
    let (id, epoch, keys) = (BALLOT.ledger_id, BALLOT.epoch, keys());
    let both = |certificates: &[(Hash, Vec<u8>)], epoch: u64| {
        let list: Vec<(Hash, &[u8])> =
            certificates.iter().map(|(block, bytes)| (*block, bytes.as_slice())).collect();
        let each = list.iter().all(|(block, bytes)| verify(&id, epoch, &keys, block, bytes).is_ok());
        assert_eq!(verify_all(&id, epoch, &keys, &list), each);
        each
    };
    assert!(both(&sound, epoch) && both(&[], epoch) && !both(&sound, epoch + 1));
    for (place, (_, bytes)) in sound.iter().enumerate() {
        // Every byte once, in one of the certificates.
        for byte in (place..bytes.len()).step_by(sound.len()) {
            let mut changed = sound.clone();
            changed[place].1[byte] ^= 1;
            assert!(!both(&changed, epoch), "certificate {place}, byte {byte}");
        }
        let mut of_another_block = sound.clone();
        of_another_block[place].0[0] ^= 0x80;
        assert!(!both(&of_another_block, epoch));
    }
    // Signatures of one key that are changed for each other.
    let (mut swapped, at) = (sound.clone(), sound[0].1.len() - 64);
    let (left, right) = swapped.split_at_mut(1);
    left[0].1[at..].swap_with_slice(&mut right[4].1[at..]);
    assert!(!both(&swapped, epoch));
}
