//! What a process of a network reads: blocks in their frames, problems, configurations, orders, plans, keys.

use bolero::check;
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::path::Path;
use tempfile::TempDir;
use veilgrid_api::{CertifiedBlock, Problem, read_frames, write_frame};
use veilgrid_crypto::keyring::KeyringSeed;
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::network::network;
use veilgrid_fuzz::property::{CASES, Decoder, bounded};
use veilgrid_market::Grid;
use veilgrid_node::config::orders::{OrdersFile, OrdersMarket, format_orders};
use veilgrid_node::config::{
    AggregatorConfig, Flags, NodeConfig, ParticipantConfig, ValidatorConfig, load_from,
};
use veilgrid_node::founding::{FoundingPlan, PublicPart};
use veilgrid_node::keyfile::{self, Cost, ParticipantKeys};
use veilgrid_node::passphrase::Passphrase;

/// Buffers of readers of text and files.
const TEXT_BYTES: u64 = 256 << 10;

const KEY_BYTES: [u8; 32] = [1; 32];
const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

#[test]
fn frames_of_blocks() {
    let mut frames = Vec::new();
    for (block, height) in network().blocks.iter().zip(0..6) {
        write_frame(&mut frames, block, (height % 2 == 0).then_some(&[7; 300][..]));
    }
    let encode = |blocks: &Vec<CertifiedBlock>| {
        let mut frames = Vec::new();
        blocks.iter().for_each(|b| write_frame(&mut frames, &b.block, b.certificate.as_deref()));
        frames
    };
    let samples = [frames];
    let target = Decoder::new(&samples, 0, |bytes| read_frames(bytes, 8), encode);
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| target.case(case));
}

/// What a node says about a refusal is printed, whatever it says.
#[test]
fn problem() {
    let samples = [
        br#"{"type":"urn:veilgrid:problem:conflict","title":"Conflict","status":409,"detail":"another bid","instance":"urn:x"}"#.to_vec(),
        b"<html>502 Bad Gateway</html>\x1b[2J".to_vec(),
    ];
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| {
        let problem = bounded(&case.bytes(&samples), TEXT_BYTES, Problem::read);
        for text in [&problem.kind, &problem.title, &problem.detail] {
            assert!(text.chars().count() <= 300 && !text.chars().any(char::is_control), "{text:?}");
        }
    });
}

const ORDERS: &str = "slot,side,price_ct_per_kwh,quantity_kwh\n*,buy,20,0.5\n# mine\n08:15,sell,9.5,1.25\n \
                      08:15 , buy , 8.0005 , 0.001\n23:45,sell,23,0\n";

#[test]
fn orders() {
    let samples = [ORDERS.as_bytes().to_vec()];
    let grid = Grid::new(8_000, 1_000, 16).expect("a grid");
    // Slots of a minute: what is written out below is a slot for each.
    let market = OrdersMarket { grid: &grid, bits: 16, slot_seconds: 60 };
    let parse =
        |bytes: &[u8]| OrdersFile::parse(Path::new("o.csv"), bytes, Some(market))?.whole(Path::new("o.csv"));
    assert!(parse(&samples[0]).is_ok());
    let minutes = || (0..24 * 60u32).map(|minute| (minute, i64::from(minute) * 60));
    check!().with_iterations(CASES / 5).with_type::<Case>().for_each(|case| {
        if let Ok(orders) = bounded(&case.bytes(&samples), TEXT_BYTES, parse) {
            // Those of every slot are written out for each slot that has none of its own.
            let text = format_orders(minutes().map(|(minute, start)| (minute, orders.for_slot(start))));
            let again = parse(text.as_bytes()).expect("orders that were read");
            assert!(minutes().all(|(_, start)| again.for_slot(start) == orders.for_slot(start)));
        }
    });
}

/// A file that is read by its path: what was read is written in one form and has to be read as the same again.
fn text_file<T: PartialEq + Debug, E: Debug>(
    name: &str,
    dir: &TempDir,
    sample: &str,
    read: impl Fn(&Path) -> Result<T, E> + std::panic::RefUnwindSafe,
    write: fn(&T) -> String,
) {
    let path = dir.path().join(name);
    let read_bytes = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        bounded(bytes, TEXT_BYTES, |_| read(&path))
    };
    let samples = [sample.as_bytes().to_vec()];
    read_bytes(&samples[0]).expect("a sample that is read");
    // Files are written.
    check!().with_iterations(CASES / 20).with_type::<Case>().for_each(|case| {
        if let Ok(found) = read_bytes(&case.bytes(&samples)) {
            assert_eq!(read_bytes(write(&found).as_bytes()).expect("what was read"), found);
        }
    });
}

/// A folder with the files that configurations name.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for file in ["genesis.bin", "keys", "orders.csv", "cert.pem", "key.pem"] {
        std::fs::write(dir.path().join(file), b"").expect("written");
    }
    dir
}

fn configuration<C: NodeConfig + PartialEq + Debug>(sample: &str) {
    let common = "data_dir = \"data\"\ngenesis = \"genesis.bin\"\nkey_file = \"keys\"\nlog = \"info\"\n\
                  validator_urls = [\"http://127.0.0.1:8102\", \"https://v3.example:8101\"]\n";
    let text = format!("{common}genesis_hash = \"{KEY}\"\n{sample}[checks]\nmin_free_mib = 1\n");
    let read = |path: &Path| load_from::<C>(path, [], &Flags::new());
    text_file("node.toml", &folder(), &text, read, |config| config.print().expect("TOML"));
}

#[test]
fn configuration_of_a_validator() {
    configuration::<ValidatorConfig>(&format!(
        "[http]\nlisten = \"127.0.0.1:8101\"\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n\
         [p2p]\nlisten = \"127.0.0.1:7101\"\n\
         [[p2p.peers]]\nconsensus_key = \"{KEY}\"\naddress = \"v2.example:7102\"\n\
         [retention]\nprune_after_rounds = 30\n[limits]\nconnections = 10\n"
    ));
}

#[test]
fn configuration_of_an_aggregator() {
    configuration::<AggregatorConfig>("[http]\nlisten = \"127.0.0.1:8100\"\n[limits]\nconnections = 10\n");
}

#[test]
fn configuration_of_a_participant() {
    configuration::<ParticipantConfig>(
        "aggregator_url = \"http://127.0.0.1:8100\"\norders = \"orders.csv\"\n",
    );
}

const PLAN: &str = "key_epoch = 1\n[market]\nprice_min_mct_per_kwh = 8000\ntick_mct_per_kwh = 400\nticks = 64\nbits = 16\n\
    rule = \"uniform\"\nopen_volume = true\nmin_bidders = 5\nmax_members = 200\nslot_seconds = 900\n[timing]\n\
    first_open_unix_ms = 1800000000000\ninterval_ms = 900000\nbidding_ms = 600000\n\
    first_slot_start_unix_s = 1800086400\nopening_deadline_ms = 1800000\nepoch_blocks = 20000\n";

#[test]
fn plan() {
    let read = |path: &Path| {
        let plan = FoundingPlan::read(path)?;
        // Numbers that make no market are refused and nothing else.
        let _ = plan.params(4, plan.market.money.map(|_| KEY_BYTES)).map(|params| params.check(4));
        Ok::<_, veilgrid_node::founding::FoundingError>(plan)
    };
    text_file("plan.toml", &folder(), PLAN, read, |plan| toml::to_string(plan).expect("TOML"));
    let money = format!("{PLAN}[market.money]\ncommunity_deposit_ct = 5000\nclaim_s = 3600\n");
    text_file("plan.toml", &folder(), &money, read, |plan| toml::to_string(plan).expect("TOML"));
}

#[test]
fn public_parts() {
    let samples = [
        format!(
            r#"{{"kind":"validator","signing_key":"{KEY}","consensus_key":"{KEY}","envelope_key":"{KEY}"}}"#
        ),
        format!(r#"{{"kind":"aggregator","receipt_key":"{KEY}","envelope_key":"{KEY}"}}"#),
        format!(r#"{{"kind":"treasury","treasury_key":"{KEY}"}}"#),
        format!(r#"{{"kind":"asker","asker_key":"{KEY}"}}"#),
        format!(r#"{{"kind":"participant","account_key":"{KEY}","key_epoch":3}}"#),
    ];
    for sample in samples {
        let write = |part: &PublicPart| serde_json::to_string(part).expect("JSON");
        text_file("public.json", &folder(), &sample, PublicPart::read, write);
    }
}

/// A key file opens as it was written or not at all, also for somebody who makes its checksum right again. What it
/// says about the work of a derivation is bounded before any of it is done.
#[test]
fn key_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("me.keys");
    let passphrase = Passphrase::new("the test", b"correct horse battery".to_vec()).expect("long enough");
    let keys = ParticipantKeys { seed: KeyringSeed::from_bytes([3; 32]) };
    keyfile::create(&path, &keys, &passphrase, Cost::LEAST, &mut rand_core::OsRng).expect("written");
    let samples = [std::fs::read(&path).expect("a file")];
    check!().with_iterations(CASES / 100).with_type::<Case>().for_each(|case| {
        let mut bytes = case.bytes(&samples);
        if let Some(body) = bytes.len().checked_sub(32) {
            let sum = Sha256::digest(&bytes[..body]);
            bytes[body..].copy_from_slice(&sum);
        }
        // A cost within its bounds is paid: what it may be is tested where it is read.
        let cost = bytes.get(9..21) == samples[0].get(9..21);
        std::fs::write(&path, &bytes).expect("written");
        if cost {
            let opened = keyfile::open::<ParticipantKeys>(&path, &passphrase);
            assert_eq!(opened.is_ok(), bytes == samples[0]);
        } else {
            let _ = bounded(&bytes, TEXT_BYTES, |_| keyfile::peek_kind(&path));
        }
    });
}
