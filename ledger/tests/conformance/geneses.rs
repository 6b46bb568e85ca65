//! Ledgers of a genesis block and nothing else.

use super::case::{Case, Expected};
use super::file::plain;
use crate::common::START_MS;
use crate::world::World;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::members::certificate::Rights;
use veilgrid_ledger::roster::ValidatorEntry;
use veilgrid_ledger::state::State;

type Row = (&'static str, &'static str, &'static str, fn(&mut Genesis));

fn case(name: &str, about: &str, genesis: Genesis, expected: Expected) -> Case {
    let block = genesis_block(genesis, START_MS);
    let root = State::from_genesis_block(&block).map_or([7; 32], |state| state.root());
    let hash = block.hash();
    Case::new(&format!("genesis/{name}"), about, plain(&[block], root), hash, expected)
}

fn altered(sound: &Genesis, rows: &[Row]) -> Vec<Case> {
    let row = |(name, about, rule, edit): &Row| {
        let mut genesis = sound.clone();
        edit(&mut genesis);
        let rule = format!("Block.Genesis.{rule}").leak();
        case(name, about, genesis, Expected::Violates(rule))
    };
    rows.iter().map(row).collect()
}

pub fn cases() -> Vec<Case> {
    let (four, five) = (World::new(4), World::new(5));
    let (sound, five) = (four.genesis(), five.genesis());
    let mut cases = vec![case("honest", "four validators, four members", sound.clone(), Expected::Passes)];
    let mut alone = sound.clone();
    alone.members.clear();
    cases.push(case("members-none", "no members yet: they are enrolled later", alone, Expected::Passes));
    for (name, version) in
        [("format-earlier", 1), ("format-members", 2), ("format-money", 3), ("format-later", 5)]
    {
        let mut other = sound.clone();
        other.format_version = version;
        cases.push(case(name, "a format that is not this one", other, Expected::Unreadable("LedgerFormat")));
    }
    let majority: Row = ("majority", "t = 3 of n = 5", "Params.Threshold", |g| g.params.threshold = 3);
    cases.extend(altered(five, &[majority]));
    cases.extend(altered(sound, &KEYS));
    cases.extend(altered(sound, &RULES));
    cases
}

fn keys(genesis: &mut Genesis) -> &mut Vec<ValidatorEntry> {
    &mut genesis.roster.validators
}

const RULES: [Row; 11] = [
    ("bits", "n = 7", "Params.Bits", |g| g.params.bits = 7),
    ("threshold", "t = 4 of n = 4", "Params.Threshold", |g| g.params.threshold = 4),
    ("three", "three validators", "Roster.Size", |g| {
        keys(g).pop();
    }),
    ("members-order", "members are not in order", "MemberOrder", |g| g.members.swap(0, 1)),
    ("members-many", "more members than the market takes", "Member", |g| g.params.max_members = 3),
    ("point-twice", "two accounts at one connection point", "Member", |g| {
        g.members[3].point = g.members[0].point;
    }),
    ("class", "a capacity class that the market does not have", "Member", |g| {
        g.members[1].export_class = 200;
    }),
    ("no-rights", "a member that may neither buy nor sell", "Member", |g| {
        g.members[2].rights = Rights { buy: false, sell: false };
    }),
    ("credit-line", "a credit line before accounts hold money", "Member", |g| {
        g.members[2].credit_line = Some([5; 32]);
    }),
    ("epoch", "an epoch shorter than a key session", "Params.Timing.Epoch", |g| {
        g.params.timing.epoch_blocks = 20;
    }),
    ("bidding", "a bidding time that clocks can skip", "Params.Timing.Skippable", |g| {
        g.params.timing.bidding_ms = 400;
    }),
];

const KEYS: [Row; 17] = [
    ("validator-twice", "a validator's signing key stands there twice", "Roster.Key", |g| {
        keys(g)[3].signing_key = keys(g)[0].signing_key
    }),
    ("validator-identity", "a validator's signing key is the identity", "Roster.Key", |g| {
        keys(g)[1].signing_key = [0; 32]
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
    ("receipt-key", "the receipt key is no point", "ReceiptKey", |g| g.aggregator_receipt_key = [0xff; 32]),
    ("envelope-key", "the envelope key is of small order", "EnvelopeKey", |g| {
        g.aggregator_envelope_key = [0; 32]
    }),
    ("receipt-key-shared", "the receipt key is a validator's too", "SharedKey", |g| {
        g.aggregator_receipt_key = keys(g)[3].signing_key;
    }),
    ("receipt-key-member", "the receipt key is a member's account too", "SharedKey", |g| {
        g.aggregator_receipt_key = g.members[0].account;
    }),
    ("validator-member", "a validator's key is a member's account too", "SharedKey", |g| {
        keys(g)[0].signing_key = g.members[2].account;
    }),
    ("registrar-key", "the registrar's key is no point", "RegistrarKey", |g| g.registrar_key = [0xff; 32]),
    ("registrar-shared", "the registrar's key is the aggregator's too", "SharedKey", |g| {
        g.registrar_key = g.aggregator_receipt_key;
    }),
    ("account-identity", "an account key is the identity", "Member", |g| g.members[0].account = [0; 32]),
    ("envelope-shared", "the aggregator's envelope key is a validator's too", "SharedKey", |g| {
        g.aggregator_envelope_key = keys(g)[1].envelope_key;
    }),
    ("bytes-shared", "the same bytes are a signing key and an envelope key", "SharedKey", |g| {
        keys(g)[3].envelope_key = keys(g)[0].signing_key;
    }),
    ("consensus-shared", "the same bytes are a consensus key and an envelope key", "SharedKey", |g| {
        keys(g)[3].envelope_key = keys(g)[0].consensus_key;
    }),
];
