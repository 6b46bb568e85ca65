//! Proposals: what they say, who may sign them, what is refused.

use super::*;
use crate::config::Hex32;
use crate::keyfile::ValidatorKeys;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::path::PathBuf;
use veilgrid_api::{NumberedValidator, PendingSet, ValidatorSet};
use veilgrid_ledger::roster::{Roster, RosterError, ValidatorEntry};

const LEDGER: [u8; 32] = [7; 32];
const SINCE: u64 = 3;

/// Four validators, two newcomers, a file.
struct World {
    keys: Vec<ValidatorKeys>,
    set: ValidatorSet,
    dir: tempfile::TempDir,
    rng: ChaCha20Rng,
}

fn entry(keys: &ValidatorKeys) -> ValidatorEntry {
    ValidatorEntry {
        signing_key: keys.signing.verifying_key().to_bytes(),
        consensus_key: keys.consensus_key(),
        envelope_key: keys.envelope.public().to_bytes(),
    }
}

impl World {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let keys: Vec<ValidatorKeys> = (0..6).map(|_| ValidatorKeys::generate(&mut rng)).collect();
        let roster = Roster { validators: keys[..4].iter().map(entry).collect() };
        let set = ValidatorSet {
            ledger_id: Hex32(LEDGER),
            height: 400,
            epoch: 4,
            epoch_blocks: 100,
            since_epoch: SINCE,
            threshold: roster.group().threshold,
            keys: 32,
            validators: NumberedValidator::of(&roster),
            pending: None,
            session: None,
        };
        Self { keys, set, dir: tempfile::tempdir().expect("directory"), rng }
    }

    fn add(&self, who: &[usize]) -> Vec<ValidatorEntry> {
        who.iter().map(|index| entry(&self.keys[*index])).collect()
    }

    /// 4 goes; 5 and 6 come.
    fn proposal(&self) -> Proposal {
        Proposal::new(&self.set, &self.add(&[4, 5]), &[4]).expect("sound")
    }

    fn signed(&mut self, by: &[usize]) -> Proposal {
        let mut proposal = self.proposal();
        for index in by {
            assert_eq!(
                proposal.endorse(&self.keys[*index], &mut self.rng).expect("a validator"),
                Endorsed::Added(*index as u16 + 1)
            );
        }
        proposal
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn numbers(validators: &[NumberedValidator]) -> Vec<u16> {
    validators.iter().map(|one| one.number).collect()
}

#[test]
fn survivors_keep_their_order_and_newcomers_come_last() {
    let w = World::new();
    let proposal = Proposal::new(&w.set, &w.add(&[5, 4]), &[2]).expect("sound");
    let expected: Vec<ValidatorEntry> = w.add(&[0, 2, 3, 5, 4]);
    assert_eq!(proposal.new.iter().map(NumberedValidator::entry).collect::<Vec<_>>(), expected);
    assert_eq!(numbers(&proposal.new), [1, 2, 3, 4, 5]);
    assert_eq!((numbers(&proposal.goes()), numbers(&proposal.comes())), (vec![2], vec![4, 5]));
    assert_eq!((proposal.ledger_id, proposal.since_epoch), (Hex32(LEDGER), SINCE));
}

#[test]
fn what_no_ledger_takes_is_not_proposed() {
    let mut w = World::new();
    let propose = |w: &World, add: &[usize], remove: &[u16]| {
        Proposal::new(&w.set, &w.add(add), remove).expect_err("refused")
    };
    assert!(matches!(propose(&w, &[], &[5]), ProposalError::NoSuchNumber { number: 5, validators: 4 }));
    assert!(matches!(propose(&w, &[], &[0]), ProposalError::NoSuchNumber { number: 0, .. }));
    assert!(matches!(propose(&w, &[4], &[2, 2]), ProposalError::RemovedTwice { number: 2 }));
    // Also one that is to go: it would come back under another number for no reason.
    assert!(matches!(propose(&w, &[3], &[4]), ProposalError::AlreadyThere { number: 4, .. }));
    let error = propose(&w, &[], &[4]);
    assert!(matches!(error, ProposalError::Roster(RosterError::Size { validators: 3 })), "{error}");
    let error = propose(&w, &[4, 4], &[]);
    assert!(matches!(error, ProposalError::Roster(RosterError::Key { validator: 6, .. })), "{error}");
    assert!(matches!(propose(&w, &[], &[]), ProposalError::Roster(RosterError::Unchanged)));
    let sound = w.proposal();
    let many: Vec<_> = (0..24).map(|_| entry(&ValidatorKeys::generate(&mut w.rng))).collect();
    let proposed = Proposal::new(&w.set, &many, &[]).expect("room for 28 in a small market");
    w.set.keys = 8_192;
    sound.check_against(&w.set).expect("room for five");
    for error in [Proposal::new(&w.set, &many, &[]).map(drop), proposed.check_against(&w.set)] {
        let error = error.expect_err("no room");
        assert!(matches!(error, ProposalError::Roster(RosterError::Room { validators: 28, .. })), "{error}");
    }
    w.set.pending = Some(PendingSet { from_epoch: None, validators: Vec::new() });
    assert!(matches!(propose(&w, &[4], &[4]), ProposalError::UnderWay));
}

#[test]
fn enough_signatures_make_a_change_that_the_ledger_takes() {
    let mut w = World::new();
    let mut proposal = w.signed(&[2, 0]);
    let standing = proposal.standing().expect("sound");
    assert_eq!(
        (standing.needed, standing.valid.as_slice(), standing.missing.as_slice()),
        (3, &[1, 3][..], &[2, 4][..])
    );
    let error = proposal.change().expect_err("too few").to_string();
    assert!(error.contains("2 valid signatures, 3 are needed: validators 2, 4"), "{error}");

    // The one who goes may sign too.
    assert_eq!(proposal.endorse(&w.keys[3], &mut w.rng).expect("signs"), Endorsed::Added(4));
    let before = proposal.clone();
    assert_eq!(proposal.endorse(&w.keys[3], &mut w.rng).expect("has signed"), Endorsed::Already(4));
    assert_eq!(proposal, before, "nothing is there twice");
    let change = proposal.change().expect("enough");
    assert_eq!(change.endorsements.iter().map(|one| one.validator).collect::<Vec<_>>(), [1, 3, 4]);
    change.check(&LEDGER, &w.set.roster(), SINCE).expect("the ledger's own check");
    change.check(&LEDGER, &w.set.roster(), SINCE + 1).expect_err("another term");

    let error = proposal.endorse(&w.keys[4], &mut w.rng).expect_err("a newcomer");
    assert!(matches!(error, ProposalError::NotAValidator { .. }), "{error}");
}

#[test]
fn files_are_read_as_they_were_written() {
    let mut w = World::new();
    let (path, mut proposal) = (w.path("change.json"), w.signed(&[0]));
    proposal.write_new(&path).expect("written");
    assert_eq!(Proposal::read(&path).expect("read"), proposal);
    let error = w.proposal().write_new(&path).expect_err("it is there");
    assert!(matches!(error, ProposalError::Unwritable { .. }), "{error}");
    proposal.endorse(&w.keys[1], &mut w.rng).expect("signs");
    proposal.replace(&path).expect("replaced");
    assert_eq!(Proposal::read(&path).expect("read"), proposal);
    assert_eq!(std::fs::read_dir(w.dir.path()).expect("list").count(), 1, "no part is left behind");
}

#[test]
fn files_that_are_none_are_refused() {
    let mut w = World::new();
    let (path, proposal) = (w.path("change.json"), w.signed(&[0, 1]));
    let text = serde_json::to_string(&proposal).expect("JSON");
    let read = |text: &str| {
        std::fs::write(&path, text).expect("written");
        Proposal::read(&path).expect_err("refused").to_string()
    };
    assert!(read("{}").contains("ledger_id"));
    assert!(read(&text.replace("\"since_epoch\"", "\"until_epoch\"")).contains("until_epoch"));
    assert!(read(&text.replacen("\"signature\":\"", "\"signature\":\"0", 1)).contains("128 hexadecimal"));
    assert!(read(&text.replacen("\"number\":2", "\"number\":3", 1)).contains("present validators"));
    assert!(read(&text.replace("\"validator\":1", "\"validator\":3")).contains("endorsements"));
    assert!(read(&" ".repeat(1 + MAX_PROPOSAL_BYTES as usize)).contains("more than"));
    assert!(Proposal::read(&w.path("none.json")).is_err());
    std::fs::write(&path, &text).expect("written");
    assert_eq!(Proposal::read(&path).expect("the true one"), proposal);
}

#[test]
fn copies_are_put_together_and_false_signatures_displace_none() {
    let mut w = World::new();
    let (mut mine, theirs) = (w.signed(&[0]), w.signed(&[2]));
    mine.merge(&theirs, &w.path("theirs.json")).expect("the same proposal");
    assert_eq!(mine.standing().expect("sound").valid, [1, 3]);

    let mut false_copy = w.signed(&[1]);
    false_copy.endorsements = vec![
        SignedBy { validator: 1, signature: false_copy.endorsements[0].signature },
        SignedBy { validator: 2, signature: [1; 64] },
    ];
    mine.merge(&false_copy, &w.path("false.json")).expect("the same proposal");
    let standing = mine.standing().expect("sound");
    assert_eq!((standing.valid.as_slice(), standing.invalid.as_slice()), (&[1, 3][..], &[2][..]));
    assert!(matches!(mine.change(), Err(ProposalError::FalseSignatures { validators }) if validators == [2]));
    assert_eq!(mine.endorse(&w.keys[1], &mut w.rng).expect("signs anew"), Endorsed::Added(2));
    assert_eq!(mine.change().expect("enough").endorsements.len(), 3);

    let other = Proposal::new(&w.set, &w.add(&[4]), &[4]).expect("sound");
    let error = mine.merge(&other, &w.path("other.json")).expect_err("another").to_string();
    assert!(error.contains("other.json"), "{error}");
}

#[test]
fn a_proposal_fits_one_ledger_and_one_term() {
    let w = World::new();
    let proposal = w.proposal();
    proposal.check_against(&w.set).expect("it fits");
    let other = ValidatorSet { ledger_id: Hex32([8; 32]), ..w.set.clone() };
    assert!(matches!(proposal.check_against(&other), Err(ProposalError::OtherLedger { .. })));
    let later = ValidatorSet { since_epoch: SINCE + 1, ..w.set.clone() };
    assert!(matches!(proposal.check_against(&later), Err(ProposalError::OtherValidators { .. })));
    let mut others = w.set.clone();
    others.validators[0].consensus_key = Hex32([9; 32]);
    assert!(matches!(proposal.check_against(&others), Err(ProposalError::OtherValidators { .. })));
    let pending = Some(PendingSet { from_epoch: Some(5), validators: Vec::new() });
    let busy = ValidatorSet { pending, ..w.set.clone() };
    assert!(matches!(proposal.check_against(&busy), Err(ProposalError::UnderWay)));
    // Somebody has put nonsense into the file.
    let mut broken = w.proposal();
    broken.new.truncate(3);
    assert!(matches!(broken.check_against(&w.set), Err(ProposalError::Roster(RosterError::Size { .. }))));
    assert!(broken.standing().is_err() && broken.change().is_err());
}
