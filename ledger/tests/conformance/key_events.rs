//! Key events and changes of the validators, altered: recorded as refused.

use super::changes::{first, place};
use super::network::{Ledger, SHORT};
use crate::world::{World, receipt_key};
use veilgrid_ledger::roster::RosterChange;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

/// Name, what was done, the ledger, the rule.
pub type Refused = (&'static str, &'static str, Ledger, &'static str);

/// The announcements and packages of the first blocks, altered.
pub fn key_events() -> Vec<Refused> {
    let start = SHORT.clone().cut(6);
    let with = |edit: fn(&mut u64, &mut Vec<u8>)| {
        start.altered(|bodies| match first(bodies, TransactionKind::KeyEvent) {
            Transaction::KeyEvent { session, event } => edit(session, event),
            other => panic!("{other:?}"),
        })
    };
    let signature = |_: &mut u64, event: &mut Vec<u8>| {
        let last = event.len() - 1;
        event[last - 40] ^= 1;
    };
    let twice = start.altered(|bodies| {
        let (block, index) = place(bodies, TransactionKind::KeyEvent);
        let event = bodies[block][index].clone();
        bodies[block].insert(index, event);
    });
    vec![
        ("key-event-session", "an event of another session", with(|session, _| *session = 9), "NoSession"),
        (
            "key-event-cut",
            "an event that ends early",
            with(|_, event| event.truncate(20)),
            "KeyEventMalformed",
        ),
        (
            "key-event-signature",
            "an announcement that its receiver has not signed",
            with(signature),
            "KeyEvent",
        ),
        ("key-event-twice", "an announcement stands there twice", twice, "KeyEvent"),
    ]
}

/// Changes of the validators behind the settled round.
pub fn validators() -> Vec<Refused> {
    let mut world = World::keyed(4);
    let mut with = |edit: fn(&mut World), signers: &[u16], after: fn(&mut RosterChange)| {
        let rightful = world.validators[4].entry;
        edit(&mut world);
        let mut change = world.change(&[0, 1, 2, 4], signers);
        world.validators[4].entry = rightful;
        after(&mut change);
        let change = Transaction::ChangeValidators(Box::new(change));
        Ledger::of(&world).altered(|bodies| bodies.last_mut().expect("a block").push(change))
    };
    let three = [1, 2, 4];
    vec![
        (
            "change-validators-few",
            "two of four have signed it",
            with(|_| (), &[1, 2], |_| ()),
            "Roster.Signatures",
        ),
        (
            "change-validators-order",
            "signatures do not rise",
            with(|_| (), &[2, 1, 4], |_| ()),
            "Roster.Signatures",
        ),
        (
            "change-validators-signature",
            "one of three signatures does not hold",
            with(|_| (), &three, |change| change.endorsements[0].signature[3] ^= 1),
            "Roster.Signatures",
        ),
        (
            "change-validators-consensus-key",
            "a consensus key that is no point",
            with(|world| world.validators[4].entry.consensus_key = [2; 32], &three, |_| ()),
            "Roster.Key",
        ),
        (
            "change-validators-receipt-key",
            "the signing key of a new validator is the aggregator's receipt key",
            with(
                |world| world.validators[4].entry.signing_key = receipt_key().verifying_key().to_bytes(),
                &three,
                |_| (),
            ),
            "Roster.SharedKey",
        ),
    ]
}
