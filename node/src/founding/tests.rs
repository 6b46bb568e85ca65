//! A founded network is one that the ledger, the configurations and the key files accept.

use super::*;
use crate::keyfile::{
    AggregatorKeys, AskerKeys, ParticipantKeys, RegistrarKeys, TreasuryKeys, ValidatorKeys,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::path::Path;
use veilgrid_client::follower::genesis_from;
use veilgrid_client::genesis::{GenesisFile, GenesisFileError, read_genesis};
use veilgrid_ledger::block::HEADER_BYTES;
use veilgrid_ledger::genesis::FORMAT_VERSION;
use veilgrid_ledger::state::State;

const NOW: u64 = 1_800_000_000_000;

/// Quarters of an hour from 08:00 UTC of the next day on, traded in rounds of this length.
pub(crate) fn plan_of(interval_ms: u64, first_open_unix_ms: u64) -> FoundingPlan {
    let day = i64::try_from(first_open_unix_ms / 86_400_000).expect("an instant") + 1;
    let market = MarketPlan {
        price_min_mct_per_kwh: 8_000,
        tick_mct_per_kwh: 1_600,
        ticks: 16,
        bits: 16,
        rule: Default::default(),
        open_volume: true,
        min_bidders: 2,
        max_members: 6,
        slot_seconds: 900,
        capacity_classes_wh: None,
        money: None,
    };
    let timing = TimingPlan {
        first_open_unix_ms,
        interval_ms,
        bidding_ms: interval_ms / 2,
        first_slot_start_unix_s: day * 86_400 + 8 * 3_600,
        grace_blocks: 3,
        opening_deadline_ms: 2 * interval_ms,
        suspend_after_ms: interval_ms,
        epoch_blocks: 120,
        keygen_phase_blocks: 12,
        max_clock_skew_ms: 2_000,
    };
    FoundingPlan { key_epoch: 1, market, timing }
}

fn plan() -> FoundingPlan {
    plan_of(30_000, NOW + 20_000)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn parts(validators: usize, aggregators: usize, members: usize) -> Vec<PublicPart> {
    let mut rng = rng();
    let mut parts = vec![];
    parts.extend((0..validators).map(|_| PublicPart::from(&ValidatorKeys::generate(&mut rng))));
    parts.extend((0..aggregators).map(|_| PublicPart::from(&AggregatorKeys::generate(&mut rng))));
    parts.push(PublicPart::from(&RegistrarKeys::generate(&mut rng)));
    parts.extend((0..members).map(|_| PublicPart::of_participant(&ParticipantKeys::generate(&mut rng), 1)));
    parts
}

/// The first state of a network of four validators.
pub(crate) fn state_of_four() -> State {
    let genesis = assemble(&plan(), &parts(4, 1, 6), NOW, &mut rng()).expect("founded");
    State::from_genesis_block(&genesis.block).expect("sound")
}

#[test]
fn a_plan_with_prices_below_zero_becomes_a_genesis_with_them() {
    let mut below = plan();
    below.market.price_min_mct_per_kwh = -16_000;
    let text = toml::to_string(&below).expect("TOML");
    assert!(text.contains("price_min_mct_per_kwh = -16000"), "{text}");
    let read = FoundingPlan::read_from(Path::new("plan.toml"), text.as_bytes()).expect("read");
    let genesis = assemble(&read, &parts(4, 1, 6), NOW, &mut rng()).expect("founded");
    let state = State::from_genesis_block(&genesis.block).expect("sound");
    let grid = state.community().params().grid;
    assert_eq!((grid.price_min_mct_per_kwh(), grid.price_mct_per_kwh(10)), (-16_000, 0));
    below.market.price_min_mct_per_kwh = i64::MIN;
    let error = assemble(&below, &parts(4, 1, 6), NOW, &mut rng()).expect_err("refused");
    assert!(error.to_string().contains("is below -1099511627776; raise it"), "{error}");
}

#[test]
fn a_genesis_needs_its_people() {
    let plan = plan();
    let assemble = |parts: &[PublicPart]| assemble(&plan, parts, NOW, &mut rng());
    assert!(assemble(&parts(4, 1, 6)).is_ok());
    assert!(matches!(assemble(&parts(4, 0, 6)), Err(FoundingError::Aggregators { found: 0 })));
    assert!(matches!(assemble(&parts(4, 2, 6)), Err(FoundingError::Aggregators { found: 2 })));
    assert!(matches!(assemble(&parts(3, 1, 6)), Err(FoundingError::Genesis(_))));
    // Others may join later.
    assert!(assemble(&parts(4, 1, 0)).is_ok());
    let mut alone = parts(4, 1, 6);
    alone.retain(|part| !matches!(part, PublicPart::Registrar { .. }));
    assert!(matches!(assemble(&alone), Err(FoundingError::Registrars { found: 0 })));
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
fn a_market_with_money_has_one_treasury_and_one_without_has_none() {
    let (without, mut with) = (plan(), plan());
    with.market.money = Some(MoneyPlan::default());
    let treasury = TreasuryKeys::generate(&mut rng());
    let people = |treasuries: usize| {
        let mut parts = parts(4, 1, 6);
        parts.extend((0..treasuries).map(|_| PublicPart::from(&treasury)));
        parts
    };
    let assemble = |plan: &FoundingPlan, parts: &[PublicPart]| assemble(plan, parts, NOW, &mut rng());
    let genesis = assemble(&with, &people(1)).expect("founded");
    let state = State::from_genesis_block(&genesis.block).expect("sound");
    let rules = state.community().params().money.expect("money");
    assert_eq!(rules.treasury_key, treasury.signing.verifying_key().to_bytes());
    assert_eq!((rules.community_deposit_ct, rules.claim_ms), (10_000, 16 * with.timing.interval_ms));
    assert!(assemble(&without, &people(0)).expect("founded").genesis().expect("one").params.money.is_none());
    assert!(matches!(assemble(&with, &people(0)), Err(FoundingError::Treasuries { found: 0 })));
    assert!(matches!(assemble(&with, &people(2)), Err(FoundingError::Treasuries { found: 2 })));
    assert!(matches!(assemble(&without, &people(1)), Err(FoundingError::TreasuryWithoutMoney)));
    let mut asked = people(1);
    asked.push(PublicPart::from(&AskerKeys::generate(&mut rng())));
    assert!(matches!(assemble(&with, &asked), Err(FoundingError::Asker { .. })));
    let text = toml::to_string(&with).expect("TOML");
    assert!(text.contains("[market.money]"), "{text}");
    let short = text.replace("community_deposit_ct = 10000\n", "");
    let read = FoundingPlan::read_from(Path::new("plan.toml"), short.as_bytes()).expect("read");
    assert_eq!(read, with, "what is not said has defaults");
    with.market.money = Some(MoneyPlan { claim_s: Some(u64::MAX), ..MoneyPlan::default() });
    assert!(matches!(assemble(&with, &people(1)), Err(FoundingError::Genesis(_))));
}

#[test]
fn a_genesis_file_is_the_trusted_one_and_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("genesis.bin");
    let file = assemble(&plan(), &parts(4, 1, 6), NOW, &mut rng()).expect("assembled");
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
    let [path, missing, earlier] =
        ["genesis.bin", "none.bin", "earlier.bin"].map(|name| dir.path().join(name));
    let file = assemble(&plan(), &parts(4, 1, 6), NOW, &mut rng()).expect("assembled");
    file.write(&path).expect("written");
    assert_eq!(read_genesis(&path, Some(&file.hash)).expect("read"), file.block);
    assert_eq!(genesis_from(&path).expect("read"), file.block);
    // Behind the header, two lengths and the kind stands the format.
    let (mut bytes, format) = (file.block.to_bytes(), HEADER_BYTES + 4 + 4 + 1);
    assert_eq!(bytes[format..format + 2], FORMAT_VERSION.to_le_bytes());
    bytes[format] = 1;
    std::fs::write(&earlier, bytes).expect("written");
    let said = read_genesis(&earlier, None).expect_err("an earlier format").to_string();
    assert!(said.ends_with("read it with the program that wrote it"), "{said}");
    for wrong in [&missing, &earlier] {
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
    let plan = plan();
    std::fs::write(&path, toml::to_string(&plan).expect("toml")).expect("written");
    assert_eq!(FoundingPlan::read(&path).expect("read"), plan);
    std::fs::write(&path, "key_epoch = 1\nmarkt = 2\n").expect("written");
    let error = FoundingPlan::read(&path).expect_err("refused").to_string();
    assert!(error.contains("markt") && error.contains("file"), "{error}");
}
