//! Reading ahead decides about time alone: whatever the window and the number of threads, an audit ends as the one that verifies
//! every bid when its block asks, down to the byte.

use crate::common::*;
use crate::story::STORY;
use crate::world::World;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, VerifiedBid};
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Record, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::foresight::{Ended, Execution, Foreseen, Foresight, Window, in_windows};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerifyAll};

const ONE_BY_ONE: Window = Window::Bids(0);

/// Windows that end within rounds, between them and never, and numbers of threads.
const AHEAD: [(Window, usize); 5] =
    [(Window::Full, 1), (Window::Full, 2), (Window::Full, 5), (Window::Bids(1), 2), (Window::Bids(3), 2)];

/// The report as it is printed for programs, or why there is none.
fn outcome(result: Result<AuditReport, String>) -> String {
    result.map_or_else(|error| error, |report| serde_json::to_string(&report).expect("a report"))
}

/// Audits in every way, and says how all of them ended.
fn the_same_in_every_way(name: &str, audit: impl Fn(Window) -> Result<AuditReport, String> + Sync) -> String {
    let expected = outcome(audit(ONE_BY_ONE));
    for (window, threads) in AHEAD {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let found = outcome(pool.install(|| audit(window)));
        assert_eq!(found, expected, "{name}: {window:?}, {threads} threads");
    }
    expected
}

fn audit_records(records: &[Record], request: &AuditRequest, window: Window) -> Result<AuditReport, String> {
    let records = records.iter().cloned().map(Ok::<_, Infallible>);
    audit(records, AuditRequest { window, ..request.clone() }, |_| {}).map_err(|error| error.to_string())
}

fn ledgers(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the kit");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    let (directories, files): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| path.is_dir());
    let mut ledgers: Vec<PathBuf> = directories.iter().flat_map(|directory| ledgers(directory)).collect();
    ledgers.extend(files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "vgl")));
    ledgers
}

#[test]
fn every_ledger_of_the_conformance_kit_ends_as_one_by_one() {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/conformance");
    let mut passed = 0;
    let files = ledgers(&kit);
    for path in &files {
        let bytes = std::fs::read(path).expect("a file");
        let ended = the_same_in_every_way(&path.display().to_string(), |window| {
            audit_file(&bytes, AuditRequest { window, ..AuditRequest::default() })
        });
        passed += usize::from(ended.starts_with('{'));
    }
    assert!(files.len() > 100 && passed > 20 && passed < files.len(), "{passed} of {}", files.len());
}

/// Changes a bid somewhere in the ledger, so that its proof, its signature or its encoding is false.
fn spoil(bodies: &mut [Vec<Transaction>], rng: &mut ChaCha20Rng) {
    let mut bids: Vec<&mut SealedBid> = bodies
        .iter_mut()
        .flatten()
        .filter_map(|transaction| match transaction {
            Transaction::Bids { bids, .. } => Some(bids),
            _ => None,
        })
        .flatten()
        .collect();
    let place = rng.next_u64() as usize % bids.len();
    let bid = &mut bids[place];
    let bit = 1 << (rng.next_u64() % 8);
    match rng.next_u64() % 6 {
        0 => bid.signature[5] ^= bit,
        1 => bid.c.swap(0, 1),
        2 => bid.c[0][3] ^= bit,
        3 => bid.r[0] ^= bit,
        _ => {
            let at = rng.next_u64() as usize % bid.proof.len();
            bid.proof[at] ^= bit;
        }
    }
}

/// Dishonest validators have certified a ledger with false bids: these are refused at their own places.
#[test]
fn false_bids_are_refused_at_their_own_places() {
    let (world, mut rng) = (World::finished(), ChaCha20Rng::seed_from_u64(1));
    for count in [0, 1, 1, 1, 2, 3] {
        let forged = forge(&world.blocks, |bodies| (0..count).for_each(|_| spoil(bodies, &mut rng)));
        let record = |block: &Block| Record::Block(Box::new(block.clone()), certified(&forged[0], block));
        let records: Vec<Record> = forged.iter().map(record).collect();
        let ended = the_same_in_every_way("forged", |window| audit_records(&records, &request(), window));
        assert_eq!(ended.contains("\"refused\":0"), count == 0, "{ended}");
    }
}

/// A false bid under the state roots of the true one: the header after it names another state, whatever comes later.
#[test]
fn a_false_bid_is_found_before_any_later_violation() {
    let (world, mut rng) = (World::finished(), ChaCha20Rng::seed_from_u64(2));
    for _ in 0..12 {
        let mut blocks = world.blocks.clone();
        let mut bodies: Vec<_> = blocks.iter().map(|block| block.transactions.clone()).collect();
        spoil(&mut bodies, &mut rng);
        // All hashes are computed anew, state roots are not.
        for height in 1..blocks.len() {
            let (parent, header) = (blocks[height - 1].hash(), blocks[height].header);
            let (time, root) = (header.time_unix_ms, header.prior_state_root);
            blocks[height] = Block::new(header.height, parent, time, root, bodies[height].clone());
        }
        // Something else is wrong later on.
        let last = blocks.len() - 1;
        blocks[last].header.body_hash[0] ^= 1;
        let record = |block: &Block| Record::Block(Box::new(block.clone()), None);
        let records: Vec<Record> = blocks.iter().map(record).collect();
        let ended = the_same_in_every_way("chained", |window| audit_records(&records, &request(), window));
        assert!(ended.contains("state root"), "{ended}");
    }
}

#[test]
fn files_with_damage_anywhere_end_as_one_by_one() {
    let (world, mut rng) = (World::finished(), ChaCha20Rng::seed_from_u64(3));
    let bytes = export(&world.blocks, world.state.root());
    let sound =
        the_same_in_every_way("sound", |window| audit_file(&bytes, AuditRequest { window, ..request() }));
    assert!(sound.starts_with('{'), "{sound}");
    for _ in 0..24 {
        let mut damaged = bytes.clone();
        let at = rng.next_u64() as usize % damaged.len();
        match rng.next_u64() % 3 {
            0 => damaged.truncate(at),
            _ => damaged[at] ^= 1 << (rng.next_u64() % 8),
        }
        let ended = the_same_in_every_way("damaged", |window| {
            audit_file(&damaged, AuditRequest { window, ..request() })
        });
        assert!(!ended.starts_with('{'), "{ended}");
    }
}

#[test]
fn pruned_ledgers_end_as_one_by_one() {
    let (mut records, checkpoint) = STORY.checkpointed();
    let without = records.clone();
    records.insert(1, Record::Checkpoint(Box::new(checkpoint)));
    for records in [records, without] {
        let ended =
            the_same_in_every_way("pruned", |window| audit_records(&records, &STORY.request(), window));
        assert!(ended.starts_with('{'), "{ended}");
    }
}

/// Verifies, and counts how many bids it was asked about.
struct Counted(usize);

impl BidVerdicts for Counted {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        self.0 += asked.bids.len();
        VerifyAll.verify(params, asked)
    }
}

struct Plain(Option<State>);

impl Execution for Plain {
    type Item = Block;
    type End = ();

    fn state(&self) -> Option<&State> {
        self.0.as_ref()
    }

    fn execute(&mut self, block: Block, verdicts: &mut Foreseen<'_>) -> Result<(), ()> {
        match &mut self.0 {
            None => self.0 = Some(State::from_genesis_block(&block).map_err(drop)?),
            Some(state) => drop(state.apply_block(&block, verdicts).map_err(drop)?),
        }
        Ok(())
    }
}

/// Every bid is foreseen, over a change of the validators and the renewal of their shares too; otherwise reading ahead would be
/// of no use.
#[test]
fn nothing_is_left_to_be_verified_when_its_block_asks() {
    let bids = |block: &Block| {
        let of = |transaction: &Transaction| match transaction {
            Transaction::Bids { bids, .. } => bids.len(),
            _ => 0,
        };
        block.transactions.iter().map(of).sum::<usize>()
    };
    let all: usize = STORY.blocks.iter().map(bids).sum();
    assert!(all > 10, "{all}");
    for (window, left) in [(Window::Full, 0), (Window::Bids(3), 0), (ONE_BY_ONE, all)] {
        let (mut plain, mut counted) = (Plain(None), Counted(0));
        let blocks = STORY.blocks.iter().cloned().map(Ok::<_, Infallible>);
        in_windows(blocks, &mut plain, window, &mut counted).expect("executed");
        assert_eq!(plain.0.expect("a state").root(), STORY.states[STORY.tip()].root());
        assert_eq!(counted.0, left, "{window:?}");
    }
}

/// What can't be read ends the replay after all that was read.
#[test]
fn all_blocks_before_one_that_cannot_be_read_are_executed() {
    for window in [Window::Full, Window::Bids(2), ONE_BY_ONE] {
        for end in [0, 1, 5, STORY.tip()] {
            let blocks = STORY.blocks[..end].iter().cloned().map(Ok).chain([Err("unreadable")]);
            let mut plain = Plain(None);
            let ended = in_windows(blocks, &mut plain, window, &mut VerifyAll);
            assert!(matches!(ended, Err(Ended::Source("unreadable"))), "{ended:?}");
            assert_eq!(plain.0.map(|state| state.height() as usize + 1), (end > 0).then_some(end));
        }
    }
}

/// A verdict counts for exactly the parameters, the round and the bytes that it was found for.
#[test]
fn verdicts_of_another_state_are_not_found() {
    let keyed = STORY.states.iter().find(|state| state.community().bid_params().is_some()).expect("keys");
    let foresight = Foresight::of(keyed, &STORY.blocks);
    let (context, bid) = STORY
        .states
        .iter()
        .zip(&STORY.blocks[1..])
        .flat_map(|(state, block)| block.transactions.iter().map(move |transaction| (state, transaction)))
        .find_map(|(state, transaction)| match transaction {
            Transaction::Bids { round_id, bids } => Some((state.round_context(*round_id)?, bids[0].clone())),
            _ => None,
        })
        .expect("a bid in a block after the round's first");
    let params = keyed.community().bid_params().expect("keys");
    let asked = |params: &BidParams, context: &RoundContext, bid: &SealedBid| {
        let mut counted = Counted(0);
        let verdict = foresight
            .before(&mut counted)
            .verify(params, BidsAsked::without_money(context, std::slice::from_ref(bid)));
        (verdict[0].is_ok(), counted.0)
    };
    assert_eq!(asked(params, &context, &bid), (true, 0));
    let other_slot = RoundContext { slot_start_unix_s: context.slot_start_unix_s + 1, ..context };
    assert_eq!(asked(params, &other_slot, &bid), (false, 1));
    let other_market = BidParams::new(params.bits(), params.step_keys().to_vec(), [9; 32]).expect("sound");
    assert_eq!(asked(&other_market, &context, &bid), (false, 1));
    let mut other_bid = bid.clone();
    other_bid.note[0] ^= 1;
    assert_eq!(asked(params, &context, &other_bid), (false, 1));
}
