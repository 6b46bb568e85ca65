//! Ledgers of a genesis block and nothing else.

use super::case::{Case, Expected};
use super::file::plain;
use crate::common::{Community, START_MS};
use crate::world::World;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::{Genesis, NetworkKeys};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;

type Row = (&'static str, &'static str, &'static str, fn(&mut Genesis));

fn case(folder: &str, name: &str, about: &str, genesis: Genesis, expected: Expected) -> Case {
    let block = genesis_block(genesis, START_MS);
    let root = State::from_genesis_block(&block).map_or([7; 32], |state| state.root());
    let hash = block.hash();
    Case::new(&format!("genesis/{folder}-{name}"), about, plain(&[block], root), hash, expected)
}

fn altered(folder: &str, sound: &Genesis, rows: &[Row]) -> Vec<Case> {
    let row = |(name, about, rule, edit): &Row| {
        let mut genesis = sound.clone();
        edit(&mut genesis);
        let rule = format!("Block.Genesis.{rule}").leak();
        case(folder, name, about, genesis, Expected::Violates(rule))
    };
    rows.iter().map(row).collect()
}

pub fn cases() -> Vec<Case> {
    let alone = Community::new().genesis;
    let world = World::new(4);
    let Transaction::Genesis(network) = &world.blocks[0].transactions[0] else { panic!("a genesis") };
    let honest =
        |folder, about, genesis: &Genesis| case(folder, "honest", about, genesis.clone(), Expected::Passes);
    let mut cases = vec![
        honest("alone", "four validators, four members, keys in the genesis", &alone),
        honest("network", "four validators, four members, keys to be generated", network),
    ];
    cases.extend(altered("alone", &alone, &ALONE));
    // The packages are read by t of the parameters: with another one they are no packages.
    let mut few = alone.clone();
    few.draft.params.threshold = 2;
    cases.push(case(
        "alone",
        "threshold",
        "t = 2 of n = 4, and packages for t = 3",
        few,
        Expected::Unreadable("Block"),
    ));
    let mut newer = alone.clone();
    newer.draft.format_version = 2;
    cases.push(case("alone", "format", "a format that there is not", newer, Expected::Unreadable("Block")));
    let five = World::new(5);
    let Transaction::Genesis(five) = &five.blocks[0].transactions[0] else { panic!("a genesis") };
    let majority: Row = ("majority", "t = 3 of n = 5", "NetworkThreshold", |g| g.draft.params.threshold = 3);
    cases.extend(altered("network", five, &[majority]));
    cases.extend(altered("network", network, &NETWORK));
    cases
}

const ALONE: [Row; 15] = [
    ("bits", "n = 7", "Params.Bits", |g| g.draft.params.bits = 7),
    ("validator-twice", "a validator's key stands there twice", "ValidatorKey", |g| {
        g.draft.validators[3] = g.draft.validators[0]
    }),
    ("validator-identity", "a validator's key is the identity", "ValidatorKey", |g| {
        g.draft.validators[1] = [0; 32]
    }),
    ("receipt-key", "the receipt key is no point", "ReceiptKey", |g| {
        g.draft.aggregator_receipt_key = [0xff; 32]
    }),
    ("receipt-key-shared", "the receipt key is a validator's too", "SharedKey", |g| {
        g.draft.aggregator_receipt_key = g.draft.validators[0];
    }),
    ("receipt-key-member", "the receipt key is a member's account too", "SharedKey", |g| {
        g.draft.aggregator_receipt_key = g.draft.members[0];
    }),
    ("validator-member", "a validator's key is a member's account too", "SharedKey", |g| {
        g.draft.validators[0] = g.draft.members[2];
    }),
    ("envelope-key", "the envelope key is of small order", "EnvelopeKey", |g| {
        g.draft.aggregator_envelope_key = [0; 32]
    }),
    ("members-order", "members are not in order", "MemberKey", |g| g.draft.members.swap(0, 1)),
    ("members-few", "fewer members than may trade", "MemberCount", |g| g.draft.members.truncate(1)),
    ("packages-few", "two of four dealers", "KeyGeneration.TooFewDealers", |g| g.packages.truncate(2)),
    ("packages-twice", "a dealer's package stands there twice", "KeyGeneration.RepeatedDealer", |g| {
        g.packages[1] = g.packages[0].clone();
    }),
    ("packages-signature", "a dealer's signature does not hold", "KeyGeneration.Signature", |g| {
        g.packages[2].signature[40] ^= 1
    }),
    ("session", "packages of another session", "KeyGeneration.Signature", |g| g.draft.keygen_session += 1),
    ("nonce", "packages of another ledger", "KeyGeneration.Signature", |g| g.draft.nonce[0] ^= 1),
];

fn keys(genesis: &mut Genesis) -> &mut Vec<NetworkKeys> {
    genesis.draft.network.as_mut().expect("a network's")
}

const NETWORK: [Row; 14] = [
    ("untimed", "keys of a network and no timing", "Network", |g| g.draft.params.timing = None),
    ("keyless", "a timing and no keys of a network", "Network", |g| g.draft.network = None),
    ("three", "three validators", "Roster.Size", |g| {
        (g.draft.params.threshold, _) = (3, g.draft.validators.pop());
        keys(g).pop();
    }),
    ("consensus-twice", "a consensus key stands there twice", "Roster.Key", |g| {
        keys(g)[3].consensus_key = keys(g)[0].consensus_key
    }),
    ("consensus-small-order", "a consensus key of order 8", "Roster.Key", |g| {
        keys(g)[3].consensus_key = curve25519_dalek::constants::EIGHT_TORSION[1].compress().to_bytes();
    }),
    ("consensus-not-canonical", "a consensus key with y = p + 3", "Roster.Key", |g| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (0xf0, 0x7f);
        keys(g)[3].consensus_key = key;
    }),
    ("envelope-small-order", "a validator's envelope key is of small order", "Roster.Key", |g| {
        keys(g)[3].envelope_key = [0; 32]
    }),
    ("threshold", "t = 4 of n = 4", "Params.Threshold", |g| g.draft.params.threshold = 4),
    ("receipt-key-shared", "the receipt key is a validator's too", "SharedKey", |g| {
        g.draft.aggregator_receipt_key = g.draft.validators[3];
    }),
    ("envelope-shared", "the aggregator's envelope key is a validator's too", "SharedKey", |g| {
        g.draft.aggregator_envelope_key = keys(g)[1].envelope_key;
    }),
    ("bytes-shared", "the same bytes are a signing key and an envelope key", "SharedKey", |g| {
        keys(g)[3].envelope_key = g.draft.validators[0];
    }),
    ("epoch", "an epoch shorter than a key session", "Params.Timing.Epoch", |g| {
        g.draft.params.timing.as_mut().expect("timing").epoch_blocks = 20;
    }),
    ("bidding", "a bidding time that clocks can skip", "Params.Timing.Skippable", |g| {
        g.draft.params.timing.as_mut().expect("timing").bidding_ms = 400;
    }),
    ("packages", "packages in a network's genesis", "Packages", |g| {
        g.packages = Community::new().genesis.packages
    }),
];
