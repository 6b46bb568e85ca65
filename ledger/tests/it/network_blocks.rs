//! Blocks of a network's ledger: replayed from bytes, pruned; and which genesis begins one.

use crate::world::{World, genesis, params, timing};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::community::Community as Verified;
use veilgrid_ledger::genesis::{Genesis, GenesisError};
use veilgrid_ledger::key_roles::{KeyRole, SharedKey};
use veilgrid_ledger::params::ParamsError;
use veilgrid_ledger::pruned::{PrunedBlock, PrunedTransaction};
use veilgrid_ledger::refusal::BlockFault;
use veilgrid_ledger::roster::{Roster, RosterError, ValidatorEntry};
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::TimingError;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::Grid;

#[test]
fn a_replay_from_bytes_has_the_same_root_at_every_height() {
    let mut world = World::keyed(4);
    world.round(1);
    world.force(vec![Transaction::CloseRound { round_id: 9 }]);
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    world.push(vec![change]);
    world.steps_until("the change", |world| world.state.epoch() == 1);
    world.until_sharing(3);
    world.round(2);
    let bytes: Vec<_> = world.blocks.iter().map(Block::to_bytes).collect();
    let genesis = Block::from_bytes(&bytes[0], &DecodeContext::Genesis).expect("genesis");
    let mut state = State::from_genesis_block(&genesis).expect("genesis");
    for (bytes, effects) in bytes[1..].iter().zip(&world.effects) {
        let block = Block::from_bytes(bytes, &state.community().decode_context()).expect("a block");
        assert_eq!(block.to_bytes(), *bytes);
        assert_eq!(block.header.prior_state_root, state.root());
        assert_eq!(&state.apply_block(&block, &mut VerifyAll).expect("applied"), effects);
        assert_eq!(state.root(), effects.state_root);
    }
    assert_eq!((state.root(), state.refused()), (world.state.root(), 1));
}

/// The whole chain of a ledger with bids, and how its blocks are decoded.
fn chain() -> (Vec<Block>, DecodeContext) {
    let mut world = World::keyed(4);
    world.round(1);
    let context = world.state.community().decode_context();
    (world.blocks, context)
}

fn has_bids(block: &Block) -> bool {
    block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. }))
}

#[test]
fn a_pruned_block_is_named_by_the_same_header() {
    let (blocks, context) = chain();
    for block in &blocks[1..] {
        let pruned = PrunedBlock::of(block.clone());
        assert_eq!((pruned.hash(), pruned.header), (block.hash(), block.header));
        assert_eq!(pruned.check_body(), Ok(()));
        let bytes = pruned.to_bytes();
        let decoded = PrunedBlock::from_bytes(&bytes, &context);
        // A block without bids has one form: the whole one.
        assert_eq!(decoded.ok(), has_bids(block).then(|| pruned.clone()));
        for (before, after) in block.transactions.iter().zip(&pruned.transactions) {
            assert_eq!(before.digest(), after.digest());
            assert_eq!(
                matches!(before, Transaction::Bids { .. }),
                matches!(after, PrunedTransaction::Bids { .. })
            );
        }
        if has_bids(block) {
            assert!(bytes.len() * 10 < block.to_bytes().len(), "the bids are gone");
        }
    }
    assert!(blocks.iter().any(has_bids));
}

/// What is done to the round and the digests of pruned bids.
type Change = fn(&mut u64, &mut Vec<[u8; 32]>);

#[test]
fn a_changed_pruned_block_is_found() {
    let (blocks, context) = chain();
    let block = blocks.iter().find(|block| has_bids(block)).expect("bids");
    let pruned = PrunedBlock::of(block.clone());
    let at =
        pruned.transactions.iter().position(|t| matches!(t, PrunedTransaction::Bids { .. })).expect("bids");
    let changes: [Change; 5] = [
        |round_id, _| *round_id += 1,
        |_, digests| digests[0][0] ^= 1,
        |_, digests| digests.swap(0, 1),
        |_, digests| digests.truncate(1),
        |_, digests| digests.push([0; 32]),
    ];
    for change in changes {
        let mut changed = pruned.clone();
        let PrunedTransaction::Bids { round_id, bid_digests } = &mut changed.transactions[at] else {
            panic!()
        };
        change(round_id, bid_digests);
        assert_eq!(changed.check_body(), Err(BlockFault::Body));
    }
    let mut longer = pruned.clone();
    longer.transactions.push(PrunedTransaction::Full(Transaction::CloseRound { round_id: 1 }));
    assert_eq!(longer.check_body(), Err(BlockFault::Body));
    longer.transactions.clear();
    assert_eq!(longer.check_body(), Err(BlockFault::Body));
    // One encoding: bids are digests, tags are known, nothing follows.
    let mut whole = pruned.clone();
    whole.transactions[at] = PrunedTransaction::Full(block.transactions[at].clone());
    assert!(PrunedBlock::from_bytes(&whole.to_bytes(), &context).is_err());
    let bytes = pruned.to_bytes();
    for (position, byte) in bytes.iter().enumerate() {
        let mut flipped = bytes.clone();
        flipped[position] = byte ^ 1;
        if let Ok(decoded) = PrunedBlock::from_bytes(&flipped, &context) {
            assert_eq!(decoded.to_bytes(), flipped);
            assert!(decoded.hash() != pruned.hash() || decoded.check_body().is_err(), "byte {position}");
        }
        assert!(PrunedBlock::from_bytes(&bytes[..position], &context).is_err());
    }
    let mut trailing = bytes;
    trailing.push(0);
    assert!(PrunedBlock::from_bytes(&trailing, &context).is_err());
}

/// The refusal of a genesis of n validators that was changed.
fn refusal(n: usize, change: impl FnOnce(&mut Genesis)) -> Option<GenesisError> {
    refusal_of(World::new(4), n, change)
}

fn refusal_of(world: World, n: usize, change: impl FnOnce(&mut Genesis)) -> Option<GenesisError> {
    let entries: Vec<_> = world.validators[..n].iter().map(|v| v.entry).collect();
    let threshold = Roster { validators: entries.clone() }.group().threshold;
    let mut genesis = genesis(params(timing(), threshold), &entries, &world.keyrings);
    change(&mut genesis);
    let made = genesis.check().err();
    let read = Verified::verify(genesis).err();
    assert_eq!(made, read, "whoever makes a genesis and whoever reads it have the same rules");
    read
}

fn keys(genesis: &mut Genesis) -> &mut Vec<ValidatorEntry> {
    &mut genesis.roster.validators
}

const NO_CONSENSUS_KEYS: [&str; 7] = [
    "0200000000000000000000000000000000000000000000000000000000000000",
    "0202020202020202020202020202020202020202020202020202020202020202",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn a_genesis_of_a_network_has_its_rules() {
    for n in [4, 5, 7] {
        assert_eq!(refusal(n, |_| ()), None);
    }
    let first = |d: &mut Genesis| keys(d)[0];
    let twice = |key| Some(GenesisError::Roster(RosterError::Key { validator: 4, key }));
    assert_eq!(refusal(4, |d| keys(d)[3].consensus_key = first(d).consensus_key), twice("consensus"));
    assert_eq!(refusal(4, |d| keys(d)[3].envelope_key = first(d).envelope_key), twice("envelope"));
    // Not keys that the engine can use: no point of the curve, one of small order (of order 1, 2, 4 and 8), and a second
    // encoding of a point (y = 3 as p + 3).
    for consensus_key in NO_CONSENSUS_KEYS {
        let key = hex::decode(consensus_key).expect("hex").try_into().expect("32 bytes");
        assert_eq!(refusal(4, |d| keys(d)[3].consensus_key = key), twice("consensus"), "{consensus_key}");
    }
    // A point of small order, to which nobody can envelope anything.
    assert_eq!(refusal(4, |d| keys(d)[3].envelope_key = [0; 32]), twice("envelope"));
    assert_eq!(refusal(4, |d| keys(d)[3].signing_key = first(d).signing_key), twice("signing"));
    assert_eq!(refusal(3, |_| ()), Some(GenesisError::Roster(RosterError::Size { validators: 3 })));
    let majority = ParamsError::Threshold { found: 3, validators: 5, expected: 4 };
    assert_eq!(refusal(5, |d| d.params.threshold = 3), Some(majority.into()));
    let untimed = refusal(4, |d| d.params.timing.epoch_blocks = 1);
    assert!(matches!(untimed, Some(GenesisError::Params(ParamsError::Timing(_)))));
    // More keys than so many validators could ever deal to each other.
    let wide = |d: &mut Genesis| d.params.grid = Grid::new(10_000, 2, 4_096).expect("the largest grid");
    assert_eq!(refusal(7, wide), None);
    let many = refusal_of(World::of_market(4, params(timing(), 3), 16), 16, wide);
    assert!(
        matches!(many, Some(GenesisError::Roster(RosterError::Room { validators: 16, keys: 8_192, .. }))),
        "{many:?}"
    );
    // Phases of f + 4 blocks: those of seven validators do not fit into an epoch that four could have.
    let short = |d: &mut Genesis| {
        let timing = &mut d.params.timing;
        (timing.keygen_phase_blocks, timing.epoch_blocks) = (5, 28);
    };
    assert_eq!(refusal(4, short), None);
    let epoch = TimingError::Epoch { epoch_blocks: 28, session_blocks: 32 };
    assert_eq!(refusal(7, short), Some(GenesisError::Params(ParamsError::Timing(epoch))));
}

/// Threat: a receipt names no role. Were the receipt key a validator's too, that validator's word alone would be the
/// aggregator's promise.
#[test]
fn each_key_of_a_genesis_has_one_role() {
    let shared = |change: fn(&mut Genesis)| match refusal(4, change) {
        Some(GenesisError::SharedKey(SharedKey { first, second, .. })) => Some((first, second)),
        Some(other) => panic!("{other}"),
        None => None,
    };
    use KeyRole::{Account, AggregatorEnvelopes, Consensus, Envelopes, Receipts, Registrar, Signing};
    assert_eq!(shared(|_| ()), None);
    assert_eq!(shared(|d| d.aggregator_receipt_key = keys(d)[2].signing_key), Some((Receipts, Signing)));
    assert_eq!(shared(|d| d.aggregator_receipt_key = d.members[1].account), Some((Account, Receipts)));
    assert_eq!(shared(|d| keys(d)[2].signing_key = d.members[1].account), Some((Account, Signing)));
    let envelopes = shared(|d| d.aggregator_envelope_key = keys(d)[1].envelope_key);
    assert_eq!(envelopes, Some((AggregatorEnvelopes, Envelopes)));
    assert_eq!(shared(|d| d.registrar_key = d.aggregator_receipt_key), Some((Registrar, Receipts)));
    assert_eq!(shared(|d| d.registrar_key = d.members[0].account), Some((Account, Registrar)));
    assert_eq!(shared(|d| d.registrar_key = keys(d)[0].signing_key), Some((Registrar, Signing)));
    // The same bytes in two groups.
    assert_eq!(shared(|d| keys(d)[3].envelope_key = keys(d)[0].signing_key), Some((Signing, Envelopes)));
    assert_eq!(shared(|d| keys(d)[3].envelope_key = keys(d)[0].consensus_key), Some((Consensus, Envelopes)));
}

#[test]
fn every_key_of_a_network_is_in_the_ledgers_identity() {
    let world = World::new(4);
    let Transaction::Genesis(genesis) = &world.blocks[0].transactions[0] else { panic!() };
    let identity = genesis.ledger_id();
    let changes: [fn(&mut Genesis); 3] = [
        |d| keys(d)[2].consensus_key[0] ^= 1,
        |d| keys(d)[2].envelope_key[0] ^= 1,
        |d| d.params.timing.grace_blocks += 1,
    ];
    for change in changes {
        let mut draft = (**genesis).clone();
        change(&mut draft);
        assert_ne!(draft.ledger_id(), identity);
    }
}
