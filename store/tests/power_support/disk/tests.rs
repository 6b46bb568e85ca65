//! What is certain of a disk, and what is not.

use super::super::dice::Dice;
use super::super::trace::Act;
use super::Disk;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn what_is_not_synchronised_may_be_lost_and_what_is_stays() {
    let (from, to) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let path = |name: &str| from.path().join(name);
    let open =
        |fd, name: &str| Act::Open { fd, path: path(name), create: true, truncate: true, append: false };
    let write = |fd, bytes: &[u8]| Act::Write { fd, at: None, bytes: bytes.to_vec() };
    let sync = |call, name: &str| [Act::SyncBegins { call, path: path(name) }, Act::SyncEnds { call }];
    let mut disk = Disk::load(from.path());
    let mut acts = vec![Act::Directory { path: path("d") }, open(3, "d/named"), write(3, b"one")];
    acts.extend(sync(1, "d/named"));
    acts.extend(sync(2, "d"));
    acts.extend([write(3, b"two"), open(4, "d/other"), write(4, b"lost")]);
    acts.extend(sync(3, "d/other"));
    acts.iter().for_each(|act| disk.act(act));
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let at = to.path().join(seed.to_string());
        disk.write_worst(&mut Dice(seed), &at);
        let read = |name: &str| fs::read_to_string(at.join(name)).ok();
        outcomes.insert((read("d/named"), read("d/other")));
    }
    // The folder's own name was never synchronised: without it nothing is there.
    let some = |text: &str| Some(text.to_owned());
    let there = [some("one"), some("onetwo")];
    let mut expected: BTreeSet<_> = there.iter().map(|named| (named.clone(), None)).collect();
    expected.extend(there.iter().map(|named| (named.clone(), some("lost"))));
    expected.insert((None, None));
    assert_eq!(outcomes, expected);
    // With its name there, the content that was synchronised is certain.
    sync(4, "").iter().for_each(|act| disk.act(act));
    for seed in 0..100 {
        let at = to.path().join(format!("named-{seed}"));
        disk.write_worst(&mut Dice(seed), &at);
        assert!(fs::read_to_string(at.join("d/named")).expect("there").starts_with("one"));
    }
    // A sync of everything leaves nothing to chance.
    [Act::AllSyncBegins { call: 5 }, Act::SyncEnds { call: 5 }].iter().for_each(|act| disk.act(act));
    for seed in 0..20 {
        let at = to.path().join(format!("all-{seed}"));
        disk.write_worst(&mut Dice(seed), &at);
        let read = |name: &str| fs::read_to_string(at.join(name)).expect("there");
        assert_eq!((read("d/named"), read("d/other")), ("onetwo".to_owned(), "lost".to_owned()));
    }
}
