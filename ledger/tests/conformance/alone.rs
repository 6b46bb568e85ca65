//! Ledgers of one process: round 1 settles, round 2 is void.

use super::case::{Case, Expected};
use super::changes::{self, Bodies};
use super::file::{Record, file, plain, with_raw_transaction};
use super::promises;
use crate::common::{BOOK, Chain, Community, forge, open_round};
use std::collections::BTreeSet;
use veilgrid_ledger::block::{Block, BlockHeader};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

/// The honest ledger.
pub fn chain() -> (Community, Chain) {
    let mut community = Community::new();
    let mut chain = Chain::new(&community);
    chain.whole_round(&mut community, 1, &BOOK);
    chain.whole_round(&mut community, 2, &BOOK[..1]);
    (community, chain)
}

/// A rule that refuses a transaction of block 1 and later.
fn refused(rule: &'static str) -> Expected {
    Expected::Violates(format!("Block.Refused.{rule}").leak())
}

/// What follows is nothing that an audit looks at.
fn up_to_the_violation(mut blocks: Vec<Block>) -> Vec<Block> {
    let mut state = State::from_genesis_block(&blocks[0]).expect("genesis");
    let sound =
        blocks[1..].iter().take_while(|block| state.apply_block(block, &mut VerifyAll).is_ok()).count();
    blocks.truncate(sound + 2);
    blocks
}

fn last(bodies: &mut Bodies) -> &mut Vec<Transaction> {
    bodies.last_mut().expect("a block")
}

pub fn cases() -> Vec<Case> {
    let (_, chain) = chain();
    let (blocks, root, genesis) = (&chain.blocks, chain.state.root(), chain.blocks[0].hash());
    let case = |name: &str, about: &str, bytes, expected| {
        Case::new(&format!("alone/{name}"), about, bytes, genesis, expected)
    };
    let honest = plain(blocks, root);
    let mut cases =
        vec![case("honest", "one round is settled, one has too few bids", honest.clone(), Expected::Passes)];
    for change in changes::all() {
        let forged = up_to_the_violation(forge(blocks, |bodies| (change.edit)(bodies)));
        cases.push(case(change.name, change.about, plain(&forged, [7; 32]), refused(change.alone)));
    }
    let again = forge(blocks, |bodies| last(bodies).push(open_round(2)));
    cases.push(case(
        "open-round-again",
        "round ids do not rise",
        plain(&again, [7; 32]),
        refused("RoundIdNotRising"),
    ));
    let Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } = open_round(1) else {
        unreachable!()
    };
    let taken = Transaction::OpenRound { round_id: 3, slot_start_unix_s, slot_seconds };
    let taken = forge(blocks, |bodies| last(bodies).push(taken));
    cases.push(case(
        "open-round-taken",
        "a slot is traded twice",
        plain(&taken, [7; 32]),
        refused("SlotTaken"),
    ));
    cases.extend(
        headers(blocks)
            .into_iter()
            .map(|(name, about, bytes, rule)| case(name, about, bytes, Expected::Violates(rule))),
    );
    cases.extend(
        undecodable(blocks)
            .into_iter()
            .map(|(name, about, bytes)| case(name, about, bytes, Expected::Unreadable("Block"))),
    );
    cases.extend(
        files(blocks, root, &honest)
            .into_iter()
            .map(|(name, about, bytes, expected)| case(name, about, bytes, expected)),
    );
    cases.push(case(
        "not-a-ledger",
        "a file of another kind",
        b"id,side,price_ct_per_kwh,quantity_kwh\n1,buy,12,3\n".to_vec(),
        Expected::Unreadable("NotALedger"),
    ));
    let other = case(
        "untrusted",
        "another genesis than the trusted one",
        honest,
        Expected::Violates("UntrustedGenesis"),
    );
    let other = Case { genesis: [1; 32], ..other.of_file("alone/honest") };
    cases.push(other);
    cases.extend(promises::alone());
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.clone()).collect();
    assert_eq!(names.len(), cases.len(), "a name twice");
    cases
}

type Altered = (&'static str, &'static str, Vec<u8>);

/// Headers of block 3 that do not follow; the body stays.
fn headers(blocks: &[Block]) -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let with = |edit: fn(&mut BlockHeader)| {
        let mut blocks = blocks[..4].to_vec();
        edit(&mut blocks[3].header);
        plain(&blocks, [7; 32])
    };
    vec![
        ("header-height", "a height is left out", with(|h| h.height += 1), "Block.Height"),
        ("header-parent", "another parent", with(|h| h.parent_hash[0] ^= 1), "Block.Parent"),
        ("header-time", "a time before the parent's", with(|h| h.time_unix_ms -= 5_000), "Block.Time"),
        (
            "header-root",
            "another state root after the parent",
            with(|h| h.prior_state_root[0] ^= 1),
            "Block.PriorStateRoot",
        ),
        ("header-body", "another body hash", with(|h| h.body_hash[0] ^= 1), "Block.Body"),
    ]
}

/// Blocks that nobody can read, whatever their header says: rules of the decoder (8.4).
fn undecodable(blocks: &[Block]) -> Vec<Altered> {
    let with = |raw: &[u8]| {
        let mut records: Vec<_> = blocks[..3].iter().map(|block| Record::Block(block.to_bytes())).collect();
        records.push(Record::Block(with_raw_transaction(&blocks[3], raw)));
        file(&records, [7; 32])
    };
    let round = 1u64.to_le_bytes();
    let genesis = blocks[0].transactions[0].to_bytes();
    let (clear, void) = ([&[6], &round[..]].concat(), [&[8], &round[..]].concat());
    let outcome = |bytes: &[u8]| [&clear[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat();
    let seventeen = [&[7], &round[..], &17u32.to_le_bytes(), [9; 17 * 32].as_slice()].concat();
    vec![
        ("undecodable-genesis", "a second genesis", with(&genesis)),
        ("undecodable-kind", "a kind that there is not", with(&[11])),
        ("undecodable-rest", "a byte after a transaction's end", with(&[&[3], &round[..], &[0]].concat())),
        ("undecodable-cut", "a transaction that ends early", with(&[3, 1])),
        (
            "undecodable-reason",
            "a void round with reason 2, which no transaction says",
            with(&[&void[..], &[2]].concat()),
        ),
        ("undecodable-outcome", "no trade with a volume", with(&outcome(&[0, 1, 5, 0, 0, 0, 0, 0, 0, 0]))),
        ("undecodable-flags", "an outcome with a flag that there is not", with(&outcome(&[0, 4]))),
        ("undecodable-points", "more settlement points than a round can have bids", with(&seventeen)),
    ]
}

fn files(
    blocks: &[Block],
    root: [u8; 32],
    honest: &[u8],
) -> Vec<(&'static str, &'static str, Vec<u8>, Expected)> {
    let records = |last: Option<Record>| {
        let blocks = blocks.iter().map(|block| Record::Block(block.to_bytes()));
        blocks.chain(last).collect::<Vec<_>>()
    };
    let certified = file(&records(Some(Record::Certificate(vec![1; 64]))), root);
    let mut flipped = honest.to_vec();
    flipped[honest.len() / 2] ^= 1;
    let mut version = honest.to_vec();
    version[8] = 3;
    vec![
        (
            "trailer-root",
            "another state root in the trailer",
            plain(blocks, [7; 32]),
            Expected::Violates("TrailerStateRoot"),
        ),
        (
            "certificate-stray",
            "a certificate, and nobody who could give one",
            certified,
            Expected::Violates("StrayCertificate"),
        ),
        (
            "file-cut",
            "the last byte is missing",
            honest[..honest.len() - 1].to_vec(),
            Expected::Unreadable("Truncated"),
        ),
        ("file-longer", "a byte more", [honest, &[0]].concat(), Expected::Unreadable("Trailing")),
        ("file-version", "a version that there is not", version, Expected::Unreadable("Version")),
    ]
}
