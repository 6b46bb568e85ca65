//! A founded network is one that the ledger, the configurations and the key files accept.

use super::*;
use crate::plan::fit_skew;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::state::State;
use veilgrid_node::config::load_from;
use veilgrid_node::config::orders::{OrdersFile, OrdersMarket};
use veilgrid_node::keyfile::open;

const NOW: u64 = 1_800_000_000_000;

fn plan() -> NetworkPlan {
    NetworkPlan::for_trials(4, 6, 16, 30_000, NOW + 20_000, 17_000, 1)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

#[test]
fn a_founded_network_is_accepted_by_ledger_configuration_and_key_files() {
    let dir = tempfile::tempdir().expect("dir");
    let passphrase = Passphrase::new("test", b"a passphrase for trials".to_vec()).expect("usable");
    write_new_private(&dir.path().join("passphrase"), passphrase.expose()).expect("written");
    let founded = found_network(&plan(), dir.path(), &passphrase, NOW, &mut rng()).expect("founded");
    assert_eq!((founded.validators.len(), founded.participants.len()), (4, 6));

    let file = GenesisFile::read(&dir.path().join("genesis.bin"), Some(founded.genesis_hash)).expect("read");
    let genesis = file.genesis().expect("genesis").clone();
    let community = Community::verify(genesis.clone()).expect("the ledger accepts it");
    assert!(community.keys().is_none(), "keys are generated over the ledger");
    let state = State::from_genesis_block(&file.block).expect("a state");
    assert_eq!(state.height(), 0);

    let mut seen = vec![];
    for (path, index) in founded.validators.iter().zip(0..) {
        let config: ValidatorConfig = load_from(path, [], &vec![]).expect("loads");
        assert_eq!(config.genesis_hash, Some(Hex32(founded.genesis_hash)));
        assert_eq!((config.p2p.peers.len(), config.validator_urls.len()), (3, 3));
        let (_, keys) = open::<ValidatorKeys>(&config.key_file, &passphrase).expect("opens");
        let entry = &genesis.roster.validators[index];
        assert_eq!(entry.signing_key, keys.signing.verifying_key().to_bytes());
        assert_eq!(entry.consensus_key, keys.consensus_key());
        assert_eq!(entry.envelope_key, keys.envelope.public().to_bytes());
        assert!(
            config.p2p.peers.iter().all(|peer| peer.consensus_key.0 != keys.consensus_key()),
            "no peer of itself"
        );
        seen.extend([config.http.listen, config.p2p.listen]);
    }
    let config: AggregatorConfig = load_from(&founded.aggregator, [], &vec![]).expect("loads");
    seen.push(config.http.listen);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "every listener has its own port");
    let (_, keys) = open::<AggregatorKeys>(&config.key_file, &passphrase).expect("opens");
    assert_eq!(genesis.aggregator_receipt_key, keys.receipt.verifying_key().to_bytes());

    let params = community.params();
    let market = OrdersMarket { grid: &params.grid, bits: params.bits, slot_seconds: params.slot_seconds };
    for path in &founded.participants {
        let config: ParticipantConfig = load_from(path, [], &vec![]).expect("loads");
        let (_, keys) = open::<ParticipantKeys>(&config.key_file, &passphrase).expect("opens");
        let PublicPart::Participant { account_key, .. } = PublicPart::of_participant(&keys, 1) else {
            panic!("a participant's part")
        };
        assert!(genesis.members.iter().any(|member| member.account == account_key.0));
        let orders = OrdersFile::read(&config.orders, market).expect("orders");
        assert!(orders.faults.is_empty() && orders.moved.is_empty(), "{:?}", orders.faults);
    }
}

#[test]
fn orders_differ_by_seed_and_hold_both_sides() {
    let plan = plan();
    let params = plan.founding.params(4, None).expect("params");
    let tariffs = Tariffs::new(32_000, 8_000).expect("tariffs");
    let day = |seed| orders::day_of_orders(20, &params.grid, params.bits, tariffs, seed).expect("orders");
    let (first, again, other) = (day(1), day(1), day(2));
    let text =
        |orders: &[orders::MemberOrders]| orders.iter().map(|member| member.csv.clone()).collect::<String>();
    assert_eq!(text(&first), text(&again));
    assert_ne!(text(&first), text(&other));
    assert!(text(&first).contains(",sell,") && text(&first).contains(",buy,"));
    assert_eq!(orders::day_of_orders(250, &params.grid, params.bits, tariffs, 1).expect("orders").len(), 250);
}

#[test]
fn impossible_local_networks_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("dir");
    let passphrase = Passphrase::new("test", b"a passphrase for trials".to_vec()).expect("usable");
    let plan = plan();
    for plan in [
        NetworkPlan { validators: 3, ..plan.clone() },
        NetworkPlan { members: 1, ..plan.clone() },
        NetworkPlan { members: 501, ..plan.clone() },
        NetworkPlan { base_port: 80, ..plan.clone() },
        NetworkPlan { base_port: 65_530, ..plan.clone() },
    ] {
        assert!(found_network(&plan, dir.path(), &passphrase, NOW, &mut rng()).is_err(), "{plan:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 0);
}

/// Rounds of a few seconds are for trials on one machine: the skew that a voter allows must not let a leader skip them.
#[test]
fn short_rounds_allow_less_skew() {
    let skew_ms = |interval_ms| {
        let mut timing =
            NetworkPlan::for_trials(4, 6, 16, interval_ms, NOW + 20_000, 17_000, 1).founding.timing;
        let of_interval = timing.max_clock_skew_ms;
        timing.opening_deadline_ms = 1_001;
        fit_skew(&mut timing);
        (of_interval, timing.max_clock_skew_ms)
    };
    assert_eq!([30_000, 3_000, 1].map(skew_ms), [(2_000, 500), (375, 375), (1, 1)]);
}
