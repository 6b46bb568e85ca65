//! Members that join and leave, and new keys of registrar and aggregator, before a ledger has keys: honest, and altered.

use super::case::{Case, Expected};
use super::network::{Ledger, case};
use crate::world::World;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::offices::{AggregatorKeys, KeyReplacement, NewKeys};
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

type OnOrder = fn(&mut RegistrarOrder);
type OnReplacement = fn(&mut KeyReplacement);

/// Two join, one of them and a founder are changed and suspended, one leaves; then both offices have other keys.
pub fn story() -> World {
    let mut world = World::new(4);
    let (first, second) = (world.newcomer(200).1, world.newcomer(201).1);
    let moved = Certificate { zone: 3, import_class: 4, to_unix_s: Some(1_800_000_000), ..second.clone() };
    for action in [
        Action::Enrol(vec![first, second]),
        Action::Update(vec![(6, moved)]),
        Action::Suspend(vec![2, 6]),
        Action::Leave(vec![5]),
    ] {
        let order = world.ordered(action);
        world.push(vec![order]);
    }
    let public = |byte: usize| crate::world::entry(&world.validators[byte].key).signing_key;
    let (registrar, receipt) = (public(5), public(6));
    for keys in
        [NewKeys::Registrar(registrar), NewKeys::Aggregator(AggregatorKeys { receipt, envelope: [8; 32] })]
    {
        let replacement = world.replacement(keys, &[1, 2, 3]);
        world.push(vec![Transaction::ReplaceKeys(Box::new(replacement))]);
    }
    world.push(vec![]);
    world
}

pub fn cases() -> Vec<Case> {
    let ledger = Ledger::of(&story());
    let honest =
        case("members", "members join, change, are suspended and leave", ledger.file(), Expected::Passes);
    std::iter::once(honest).chain(orders(&ledger)).chain(replacements(&ledger)).collect()
}

fn first(bodies: &mut [Vec<Transaction>], kind: TransactionKind) -> &mut Transaction {
    bodies.iter_mut().flatten().find(|transaction| transaction.kind() == kind).expect("there")
}

fn orders(ledger: &Ledger) -> Vec<Case> {
    use TransactionKind::{Enrol, Leave, Suspend, Update};
    let rows: [(&str, &str, &str, TransactionKind, OnOrder); 6] = [
        ("enrol-class", "a class that the registrar has not signed", "Signature", Enrol, |order| {
            if let Action::Enrol(certificates) = &mut order.action {
                certificates[0].import_class = 0;
            }
        }),
        ("enrol-number", "an order whose number is not next", "Sequence", Enrol, |order| order.sequence = 7),
        ("enrol-none", "an order about nobody", "Signature", Enrol, |order| {
            order.action = Action::Enrol(vec![])
        }),
        ("update-other", "another account is updated than was signed", "Signature", Update, |order| {
            if let Action::Update(updates) = &mut order.action {
                updates[0].0 = 5;
            }
        }),
        ("suspend-more", "one more is suspended than was signed", "Signature", Suspend, |order| {
            if let Action::Suspend(numbers) = &mut order.action {
                numbers.push(1);
            }
        }),
        ("leave-signature", "a bit of a signature is changed", "Signature", Leave, |order| {
            order.signature[40] ^= 1;
        }),
    ];
    let altered = |(name, about, rule, kind, edit): (&str, &str, &'static str, TransactionKind, OnOrder)| {
        let altered = ledger.altered(|bodies| match first(bodies, kind) {
            Transaction::Registrar(order) => edit(order),
            other => panic!("{other:?}"),
        });
        case(name, about, altered.file(), Expected::Refuses(rule))
    };
    let again = ledger.altered(|bodies| {
        let order = first(bodies, Enrol).clone();
        bodies.last_mut().expect("blocks").push(order);
    });
    let again = case("enrol-again", "an order counts twice", again.file(), Expected::Refuses("Sequence"));
    rows.into_iter().map(altered).chain([again]).collect()
}

fn replacements(ledger: &Ledger) -> Vec<Case> {
    use TransactionKind::{ReplaceAggregator, ReplaceRegistrar};
    let rows: [(&str, &str, &str, TransactionKind, OnReplacement); 4] = [
        (
            "replace-registrar-few",
            "the new registrar's key is signed by two of four",
            "Endorsements",
            ReplaceRegistrar,
            |replacement| {
                replacement.endorsements.pop();
            },
        ),
        (
            "replace-registrar-twice",
            "a validator's signature stands there twice",
            "Endorsements",
            ReplaceRegistrar,
            |replacement| replacement.endorsements[2] = replacement.endorsements[1],
        ),
        (
            "replace-aggregator-other",
            "another envelope key than was signed",
            "Endorsements",
            ReplaceAggregator,
            |replacement| {
                if let NewKeys::Aggregator(keys) = &mut replacement.keys {
                    keys.envelope[0] ^= 1;
                }
            },
        ),
        (
            "replace-aggregator-small-order",
            "the new envelope key is of small order",
            "OfficeKey",
            ReplaceAggregator,
            |replacement| {
                if let NewKeys::Aggregator(keys) = &mut replacement.keys {
                    keys.envelope = [0; 32];
                }
            },
        ),
    ];
    let altered =
        |(name, about, rule, kind, edit): (&str, &str, &'static str, TransactionKind, OnReplacement)| {
            let altered = ledger.altered(|bodies| match first(bodies, kind) {
                Transaction::ReplaceKeys(replacement) => edit(replacement),
                other => panic!("{other:?}"),
            });
            case(name, about, altered.file(), Expected::Refuses(rule))
        };
    rows.into_iter().map(altered).collect()
}
