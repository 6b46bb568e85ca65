//! True encodings of a network's ledger: four validators generate keys, trade a round and are joined by three others.

use crate::common::BOOK;
use crate::world::{EPOCH_BLOCKS, World, receipt_key};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use veilgrid_crypto::keygen::{Answer, Event, SessionContext, Task, Verdict, deal};
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::Writer;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{DecodeContext, Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;

/// Encodings by what they are.
pub struct NetworkSamples {
    /// How later transactions are framed.
    pub later: DecodeContext,
    /// The genesis transaction: with a timing and the validators' keys, without packages.
    pub genesis: Vec<Vec<u8>>,
    /// Every kind of transaction.
    pub transactions: Vec<Vec<u8>>,
    /// All blocks but the first.
    pub blocks: Vec<Vec<u8>>,
    /// Blocks whose bids were pruned.
    pub pruned_blocks: Vec<Vec<u8>>,
    /// Checkpoints.
    pub checkpoints: Vec<Vec<u8>>,
    /// The ledger as a file with a checkpoint, pruned blocks and certificates.
    pub file: Vec<Vec<u8>>,
    /// Key sessions with their messages: one that generates, one that reshares, one that refreshes.
    pub sessions: Vec<(SessionContext, Vec<Vec<u8>>)>,
    /// What validators tell each other: bids, a share, a key event, a change of the validators. Each with the state of
    /// the ledger in which it is news, and the consensus key of its sender.
    pub gossip: Vec<(State, [u8; 32], Vec<u8>)>,
    /// The aggregator's key, and batches that it sends on.
    pub relayed: (VerifyingKey, Vec<Vec<u8>>),
    /// The last state.
    pub state: State,
}

/// The samples, made once.
pub fn network() -> &'static NetworkSamples {
    static SAMPLES: OnceLock<NetworkSamples> = OnceLock::new();
    SAMPLES.get_or_init(make)
}

fn make() -> NetworkSamples {
    let mut world = World::new(4);
    let mut gossip = vec![key_event_gossip(&mut world)];
    world.until_sharing(1);
    gossip.push(bids_gossip(&mut world));
    let relayed = relayed(&mut world);
    gossip.push(share_gossip(&mut world));
    world.finish(1);
    let checkpoints = vec![world.state.checkpoint().to_bytes()];
    let pruned_to = world.blocks.len();
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    gossip.push((world.state.clone(), sender(&world), [&[1u8, 1][..], &change.to_bytes()].concat()));
    world.push(vec![change]);
    world.steps_until("a refresh of the seven", |world| world.state.sharing() == Some(3));
    assert!(world.state.height() > EPOCH_BLOCKS, "the seven have begun");
    let community = world.state.community();
    let whole = || world.blocks[1..].iter();
    let pruned_blocks =
        whole().filter(|block| has_bids(block)).map(|b| PrunedBlock::of(b.clone()).to_bytes());
    NetworkSamples {
        later: community.decode_context(),
        genesis: vec![world.blocks[0].transactions[0].to_bytes()],
        transactions: some_of_each_kind(whole().flat_map(|block| &block.transactions)),
        blocks: whole().map(Block::to_bytes).collect(),
        pruned_blocks: pruned_blocks.collect(),
        file: vec![file(&world, &checkpoints[0], pruned_to)],
        checkpoints,
        sessions: sessions(&world),
        gossip,
        relayed,
        state: world.state.clone(),
    }
}

/// Seldom kinds are changed as often as others. Of key events there are five, of two forms.
fn some_of_each_kind<'a>(transactions: impl Iterator<Item = &'a Transaction>) -> Vec<Vec<u8>> {
    let void = Transaction::Void { round_id: 2, reason: VoidReason::OpeningDeadline };
    let mut by_kind: BTreeMap<TransactionKind, Vec<Vec<u8>>> = BTreeMap::new();
    transactions.map(|t| (t.kind(), t.to_bytes())).chain([(void.kind(), void.to_bytes())]).for_each(
        |(kind, bytes)| {
            by_kind.entry(kind).or_default().push(bytes);
        },
    );
    assert_eq!(by_kind.len(), 10, "all kinds but the genesis");
    by_kind.into_values().flat_map(|all| all.into_iter().step_by(4).take(10)).collect()
}

fn has_bids(block: &Block) -> bool {
    block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. }))
}

/// Another validator than the one that takes the message; who is sent to has no key of its own here.
fn sender(world: &World) -> [u8; 32] {
    world.validators[1].entry.consensus_key
}

fn key_event_gossip(world: &mut World) -> (State, [u8; 32], Vec<u8>) {
    world.step();
    let (state, events) = (world.state.clone(), world.key_events());
    let message = [&[1u8, 1][..], &events[0].to_bytes()].concat();
    world.push(events);
    (state, sender(world), message)
}

/// Opens round 1; its bids are news until they are on the ledger.
fn bids_gossip(world: &mut World) -> (State, [u8; 32], Vec<u8>) {
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let state = world.state.clone();
    let transaction = world.bids(1, &BOOK);
    let Transaction::Bids { round_id, bids } = &transaction else { unreachable!("bids") };
    let mut w = Writer::new();
    w.u8(1).u8(0).u64(*round_id).length(bids.len());
    bids.iter().for_each(|bid| {
        w.bytes(&bid.to_bytes());
    });
    let message = w.finish();
    world.push(vec![transaction]);
    (state, sender(world), message)
}

/// The bids of round 1, sent on by whoever has the receipt key.
fn relayed(world: &mut World) -> (VerifyingKey, Vec<Vec<u8>>) {
    let bids = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|t| match t {
        Transaction::Bids { bids, .. } => Some(bids.clone()),
        _ => None,
    });
    let (bids, ledger_id) = (bids.expect("bids"), world.state.community().ledger_id());
    let key = receipt_key();
    let mut sign =
        |bids: &[_]| RelayedBids::sign(&key, ledger_id, 1, bids.to_vec(), &mut world.rng).to_bytes();
    let batches = vec![sign(&bids), sign(&bids[..1]), sign(&[])];
    (key.verifying_key(), batches)
}

/// Closes round 1 up to its first opening.
fn share_gossip(world: &mut World) -> (State, [u8; 32], Vec<u8>) {
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    let Ok(Expected::Shares(request)) = world.state.expected(1) else { panic!("shares are asked for") };
    let shares = world.shares(1, &request);
    let of_sender = shares
        .iter()
        .find(|share| matches!(share, Transaction::OpeningShare { share, .. } if share.validator == 2));
    let sharing = world.state.sharing().expect("keys");
    let share = of_sender.expect("the second validator's").to_bytes();
    let message = [&[1u8, 2][..], &sharing.to_le_bytes(), &share].concat();
    (world.state.clone(), sender(world), message)
}

/// Everything up to a block is pruned, certificates stand behind all blocks.
fn file(world: &World, checkpoint: &[u8], pruned_to: usize) -> Vec<u8> {
    let mut file = LedgerWriter::new(Vec::new()).expect("memory");
    for (height, block) in world.blocks.iter().enumerate() {
        if has_bids(block) && height < pruned_to {
            file.pruned(&PrunedBlock::of(block.clone())).expect("memory");
        } else {
            file.block(block).expect("memory");
        }
        if height == 0 {
            file.checkpoint(checkpoint).expect("memory");
        } else {
            file.certificate(&[7; 300]).expect("memory");
        }
    }
    file.finish(world.state.root()).expect("memory")
}

/// The messages on the ledger, and complaint and answer, of which an honest network has none.
fn sessions(world: &World) -> Vec<(SessionContext, Vec<Vec<u8>>)> {
    let mut sessions: Vec<(SessionContext, Vec<Vec<u8>>)> = Vec::new();
    let mut state = State::from_genesis_block(&world.blocks[0]).expect("genesis");
    for block in &world.blocks[1..] {
        state.apply_block(block, &mut VerifyAll).expect("applied");
        for transaction in &block.transactions {
            let Transaction::KeyEvent { session, event } = transaction else { continue };
            let context = *state.session().expect("a session").context();
            assert_eq!(context.session, *session);
            match sessions.last_mut().filter(|(last, _)| last.session == *session) {
                Some((_, events)) => events.push(event.clone()),
                None => sessions.push((context, vec![event.clone()])),
            }
        }
    }
    sessions.truncate(3);
    let tasks: Vec<Task> = sessions.iter().map(|(context, _)| context.task).collect();
    assert_eq!(tasks, [Task::Generate, Task::Reshare, Task::Refresh]);
    for (context, events) in &mut sessions {
        events.extend(complaint(context, world));
    }
    sessions
}

fn complaint(context: &SessionContext, world: &World) -> [Vec<u8>; 2] {
    let (key, mut rng) = (&world.validators[0].key, world.rng.clone());
    let verdict = Verdict::sign(context, 3, vec![1, 2], key, &mut rng);
    let generation = SessionContext { task: Task::Generate, ..*context };
    let (_, dealt) = deal(&generation.generation(), key, 1, &mut rng).expect("dealt");
    let shares = dealt.into_iter().next().expect("the first receiver's");
    let answer = Answer::reveal(context, shares, key, &mut rng);
    [Event::Verdict(verdict).to_bytes(), Event::Answer(answer).to_bytes()]
}
