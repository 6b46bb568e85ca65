//! A founded network is one that the ledger, the configurations and the key files accept.

use super::*;
use crate::config::orders::{OrdersFile, OrdersMarket};
use crate::config::{AggregatorConfig, Hex32, ParticipantConfig, ValidatorConfig, load_from};
use crate::keyfile::{AggregatorKeys, ParticipantKeys, ValidatorKeys, open};
use crate::passphrase::Passphrase;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_client::follower::genesis_from;
use veilgrid_client::genesis::{GenesisFile, GenesisFileError, read_genesis};
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::state::State;

const NOW: u64 = 1_800_000_000_000;

fn plan() -> NetworkPlan {
    NetworkPlan::for_trials(4, 6, 16, 30_000, NOW + 20_000, 17_000, 1)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn parts(validators: usize, aggregators: usize, members: usize) -> Vec<PublicPart> {
    let mut rng = rng();
    let mut parts = vec![];
    parts.extend((0..validators).map(|_| PublicPart::from(&ValidatorKeys::generate(&mut rng))));
    parts.extend((0..aggregators).map(|_| PublicPart::from(&AggregatorKeys::generate(&mut rng))));
    parts.extend((0..members).map(|_| PublicPart::of_participant(&ParticipantKeys::generate(&mut rng), 1)));
    parts
}

/// The first state of a network of four validators.
pub(crate) fn state_of_four() -> State {
    let genesis = assemble(&plan().founding, &parts(4, 1, 6), NOW, &mut rng()).expect("founded");
    State::from_genesis_block(&genesis.block).expect("sound")
}

#[test]
fn a_founded_network_is_accepted_by_ledger_configuration_and_key_files() {
    let dir = tempfile::tempdir().expect("dir");
    let passphrase = Passphrase::new("test", b"a passphrase for trials".to_vec()).expect("usable");
    veilgrid_store::files::write_new_private(&dir.path().join("passphrase"), passphrase.expose())
        .expect("written");
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
        let network = genesis.draft.network.as_ref().expect("a network");
        assert_eq!(genesis.draft.validators[index], keys.signing.verifying_key().to_bytes());
        assert_eq!(network[index].consensus_key, keys.consensus_key());
        assert_eq!(network[index].envelope_key, keys.envelope.public().to_bytes());
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
    assert_eq!(genesis.draft.aggregator_receipt_key, keys.receipt.verifying_key().to_bytes());

    let params = community.params();
    let market = OrdersMarket { grid: &params.grid, bits: params.bits, slot_seconds: params.slot_seconds };
    for path in &founded.participants {
        let config: ParticipantConfig = load_from(path, [], &vec![]).expect("loads");
        let (_, keys) = open::<ParticipantKeys>(&config.key_file, &passphrase).expect("opens");
        let PublicPart::Participant { account_key, .. } = PublicPart::of_participant(&keys, 1) else {
            panic!("a participant's part")
        };
        assert!(community.is_member(&account_key.0));
        let orders = OrdersFile::read(&config.orders, market).expect("orders");
        assert!(orders.faults.is_empty() && orders.moved.is_empty(), "{:?}", orders.faults);
    }
}

#[test]
fn orders_differ_by_seed_and_hold_both_sides() {
    let plan = plan();
    let params = plan.founding.params(4).expect("params");
    let tariffs = veilgrid_scenario::behaviour::Tariffs::new(32_000, 8_000).expect("tariffs");
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
fn a_genesis_needs_its_people() {
    let plan = plan().founding;
    let assemble = |parts: &[PublicPart]| assemble(&plan, parts, NOW, &mut rng());
    assert!(assemble(&parts(4, 1, 6)).is_ok());
    assert!(matches!(assemble(&parts(4, 0, 6)), Err(FoundingError::Aggregators { found: 0 })));
    assert!(matches!(assemble(&parts(4, 2, 6)), Err(FoundingError::Aggregators { found: 2 })));
    assert!(matches!(assemble(&parts(3, 1, 6)), Err(FoundingError::Genesis(_))));
    assert!(matches!(assemble(&parts(4, 1, 1)), Err(FoundingError::Genesis(_))));
    let mut twice = parts(4, 1, 6);
    twice.push(twice[6].clone());
    assert!(matches!(assemble(&twice), Err(FoundingError::Repeated { .. })));
    let mut other_epoch = parts(4, 1, 6);
    if let Some(PublicPart::Participant { key_epoch, .. }) = other_epoch.last_mut() {
        *key_epoch = 2;
    }
    assert!(matches!(assemble(&other_epoch), Err(FoundingError::KeyEpoch { found: 2, expected: 1, .. })));
}

#[test]
fn a_genesis_file_is_the_trusted_one_and_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("genesis.bin");
    let file = assemble(&plan().founding, &parts(4, 1, 6), NOW, &mut rng()).expect("assembled");
    file.write(&path).expect("written");
    assert!(matches!(file.write(&path), Err(FileError::Unwritable { .. })), "never overwritten");
    assert_eq!(GenesisFile::read(&path, Some(file.hash)).expect("read").hash, file.hash);
    assert!(matches!(GenesisFile::read(&path, Some([7; 32])), Err(GenesisFileError::WrongHash { .. })));
    let bytes = std::fs::read(&path).expect("read");
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, &flipped).expect("written");
        assert!(GenesisFile::read(&path, Some(file.hash)).is_err(), "byte {at}");
    }
}

#[test]
fn everybody_reads_a_genesis_in_one_place_and_says_the_same_about_it() {
    let dir = tempfile::tempdir().expect("dir");
    let [path, missing, alone] = ["genesis.bin", "none.bin", "alone.bin"].map(|name| dir.path().join(name));
    let file = assemble(&plan().founding, &parts(4, 1, 6), NOW, &mut rng()).expect("assembled");
    file.write(&path).expect("written");
    assert_eq!(read_genesis(&path, Some(&file.hash)).expect("read"), file.block);
    assert_eq!(genesis_from(&path).expect("read"), file.block);
    // One process's ledger has neither an engine nor certificates.
    let mut draft = file.genesis().expect("a genesis").draft.clone();
    (draft.network, draft.params.timing) = (None, None);
    let genesis = Genesis::new(draft, vec![]).expect("a genesis of one process");
    std::fs::write(&alone, genesis_block(genesis, NOW).to_bytes()).expect("written");
    assert!(matches!(read_genesis(&alone, None), Err(GenesisFileError::NoNetwork { .. })));
    for wrong in [&missing, &alone] {
        let said = read_genesis(wrong, None).expect_err("refused").to_string();
        assert!(said.contains(&wrong.display().to_string()), "{said}");
        assert_eq!(GenesisFile::read(wrong, None).expect_err("refused").to_string(), said);
        assert_eq!(genesis_from(wrong).expect_err("refused").to_string(), said);
    }
}

#[test]
fn public_parts_are_json_and_plans_are_toml() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("file");
    for part in parts(1, 1, 1) {
        std::fs::write(&path, serde_json::to_string(&part).expect("json")).expect("written");
        assert_eq!(PublicPart::read(&path).expect("read"), part);
    }
    std::fs::write(&path, r#"{"kind":"validator","signing_key":"00"}"#).expect("written");
    assert!(matches!(PublicPart::read(&path), Err(FoundingError::Public { .. })));
    let plan = plan().founding;
    std::fs::write(&path, toml::to_string(&plan).expect("toml")).expect("written");
    assert_eq!(FoundingPlan::read(&path).expect("read"), plan);
    std::fs::write(&path, "key_epoch = 1\nmarkt = 2\n").expect("written");
    let error = FoundingPlan::read(&path).expect_err("refused").to_string();
    assert!(error.contains("markt") && error.contains("file"), "{error}");
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
        timing.fit_skew();
        (of_interval, timing.max_clock_skew_ms)
    };
    assert_eq!([30_000, 3_000, 1].map(skew_ms), [(2_000, 500), (375, 375), (1, 1)]);
}
