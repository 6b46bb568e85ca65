//! Key generation over the ledger, rounds, renewed shares, other validators.

use super::net::{CERTIFICATE, EPOCH_BLOCKS, Net};
use veilgrid_roles::keyholder::Notice;
use veilgrid_roles::replica::{GossipFault, OfferRefusal};

#[test]
fn rounds_clear_before_and_after_the_shares_are_renewed() {
    let mut net = Net::new(4, 0, 1);
    assert!(net.state().community().keys().is_none());
    net.until_sharing(1);
    assert_eq!(net.agreed(), (vec![], vec![]));
    assert_eq!(net.who_holds(), [0, 1, 2, 3]);
    net.round();
    let keys = net.state().community().keys().expect("keys").clone();
    net.until_sharing(2);
    assert_eq!(net.who_holds(), [0, 1, 2, 3]);
    let renewed = net.state().community().keys().expect("keys");
    assert_eq!(renewed.keys(), keys.keys());
    assert_ne!(renewed, &keys);
    net.round();
    for core in &mut net.cores {
        assert_eq!(core.take_faults(), []);
        assert!(core.take_notices().iter().all(|notice| matches!(notice, Notice::InForce { .. })));
        let journal = core.journal();
        assert_eq!(journal.blocks().len() as u64, core.height());
        assert!(journal.blocks().iter().all(|(_, certificate)| certificate.as_deref() == Some(CERTIFICATE)));
    }
}

#[test]
fn a_silent_validator_is_named_and_the_others_go_on() {
    for n in [4usize, 7, 16] {
        let mut net = Net::new(n, 0, n as u64);
        net.mute.insert(n - 1);
        net.until_sharing(1);
        let number = u16::try_from(n).expect("small");
        assert_eq!(net.agreed(), (vec![number], vec![number]));
        assert_eq!(net.who_holds(), (0..n - 1).collect::<Vec<_>>());
        net.round();
    }
}

#[test]
fn a_false_share_is_named_by_everybody_and_skipped() {
    let mut net = Net::new(4, 0, 20);
    net.until_sharing(1);
    for core in &mut net.cores {
        core.take_faults();
    }
    // Messages below the size of a bid are shares here; the response is at the end.
    net.wire = Some(Box::new(|from, mut message| {
        if from == 3 && message.len() < 200 {
            let at = message.len() - 32;
            message[at] ^= 1;
        }
        Some(message)
    }));
    net.round();
    for core in &mut net.cores[..3] {
        let faults = core.take_faults();
        assert!(!faults.is_empty(), "nobody is named");
        for (_, fault) in faults {
            let GossipFault::False { first, .. } = fault else { panic!("{fault:?}") };
            assert!(
                matches!(first, OfferRefusal::ShareFalse { ref fault, .. } if fault.validator == 4),
                "{first:?}"
            );
        }
    }
}

#[test]
fn validators_are_replaced_and_the_keys_stay() {
    let mut net = Net::new(4, 3, 21);
    net.until_sharing(1);
    let keys = net.state().community().keys().expect("keys").keys().to_vec();
    net.change_to(&[0, 1, 2, 3, 4, 5, 6]);
    let validators = |net: &Net| net.state().roster().validators.len();
    net.until(3 * EPOCH_BLOCKS, "seven validators", |net| validators(net) == 7);
    assert_eq!(net.who_holds(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(net.state().community().keys().expect("keys").keys(), keys);
    net.round();
    net.change_to(&[6, 0, 2, 4]);
    net.until(3 * EPOCH_BLOCKS, "four validators", |net| validators(net) == 4);
    assert_eq!(net.who_holds(), [0, 2, 4, 6]);
    assert_eq!(net.state().community().keys().expect("keys").keys(), keys);
    net.round();
}

#[test]
fn lost_messages_are_repeated() {
    let mut net = Net::new(4, 0, 22);
    let mut count = 0u32;
    net.wire = Some(Box::new(move |_, message| {
        count += 1;
        (!count.is_multiple_of(3)).then_some(message)
    }));
    net.until_sharing(1);
    assert_eq!(net.who_holds(), [0, 1, 2, 3]);
    net.round();
}
