//! Headers that do not follow, blocks that nobody can read, and files that are damaged: of the short honest ledger.

use super::case::{Case, Expected};
use super::file::{Record, file, with_raw_transaction};
use super::network::SHORT;
use veilgrid_ledger::block::{Block, BlockHeader};

pub fn cases() -> Vec<Case> {
    let (blocks, genesis) = (&SHORT.blocks, SHORT.blocks[0].hash());
    let honest = SHORT.file();
    let case = |name: &str, about: &str, bytes, expected| {
        Case::new(&format!("file/{name}"), about, bytes, genesis, expected)
    };
    let mut cases: Vec<Case> = headers(blocks)
        .into_iter()
        .map(|(name, about, bytes, rule)| case(name, about, bytes, Expected::Violates(rule)))
        .collect();
    let unreadable = undecodable(blocks);
    cases.extend(
        unreadable
            .into_iter()
            .map(|(name, about, bytes)| case(name, about, bytes, Expected::Unreadable("Block"))),
    );
    cases.extend(files(&honest).into_iter().map(|(name, about, bytes, rule)| case(name, about, bytes, rule)));
    cases.push(case(
        "not-a-ledger",
        "a file of another kind",
        b"id,side,price_ct_per_kwh,quantity_kwh\n1,buy,12,3\n".to_vec(),
        Expected::Unreadable("NotALedger"),
    ));
    let about = "another genesis than the trusted one";
    let other = case("untrusted", about, honest, Expected::Violates("UntrustedGenesis"));
    cases.push(Case { genesis: [1; 32], ..other.of_file("network/honest") });
    cases
}

/// Records of whole blocks without certificates, which the rule that is broken comes before.
fn records(blocks: &[Block]) -> Vec<Record> {
    blocks.iter().map(|block| Record::Block(block.to_bytes())).collect()
}

type Altered = (&'static str, &'static str, Vec<u8>);

/// Headers of block 3 that do not follow; the body stays.
fn headers(blocks: &[Block]) -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let with = |edit: fn(&mut BlockHeader)| {
        let mut blocks = blocks[..4].to_vec();
        edit(&mut blocks[3].header);
        file(&records(&blocks), [7; 32])
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
        let mut records = records(&blocks[..3]);
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

fn files(honest: &[u8]) -> Vec<(&'static str, &'static str, Vec<u8>, Expected)> {
    let mut of_genesis = SHORT.records(|height| SHORT.usual(height));
    of_genesis.insert(1, Record::Certificate(vec![1; 64]));
    let trailer = file(&SHORT.records(|height| SHORT.usual(height)), [7; 32]);
    let mut version = honest.to_vec();
    version[8] = 3;
    let stray = file(&of_genesis, SHORT.root());
    let violates = |rule| Expected::Violates(rule);
    vec![
        ("trailer-root", "another state root in the trailer", trailer, violates("TrailerStateRoot")),
        ("certificate-stray", "a certificate of the genesis block", stray, violates("StrayCertificate")),
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
