//! A certified ledger of a network in which much happens, for audits.
#![allow(dead_code, reason = "each test file uses a part")]

use super::common::{certificate, request};
use super::world::{EPOCH_BLOCKS, World, receipt_key};
use std::convert::Infallible;
use std::sync::LazyLock;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditError, AuditReport, AuditRequest, Record, Violation, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

pub struct Story {
    pub blocks: Vec<Block>,
    /// The state after each block.
    pub states: Vec<State>,
    pub certificates: Vec<Vec<u8>>,
    /// The height at which round 6 takes bids and every other round is finished.
    pub pause: usize,
    pub receipt_key: veilgrid_crypto::schnorr::SigningKey,
}

/// Round 1 settles, 2 is given up, four validators become seven, 5 and 6 settle.
pub static STORY: LazyLock<Story> = LazyLock::new(|| {
    let mut world = World::keyed(4);
    assert!(matches!(world.round(1), Effect::Settled(_)));
    world.force(vec![Transaction::CloseRound { round_id: 1 }]);
    world.opening(2);
    world.at(world.state.time_unix_ms() + 600, vec![]);
    world.due_at(world.ms(RoundTiming::deadline_ms, 2));
    assert_eq!(world.state.expected(2), Ok(Expected::Done));
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    world.push(vec![change]);
    world.steps_until("the change", |world| world.state.epoch() == 1);
    world.until_sharing(3);
    assert!(matches!(world.round(5), Effect::Settled(_)));
    world.bidding(6);
    let pause = world.blocks.len() - 1;
    world.due_at(world.ms(RoundTiming::close_ms, 6));
    while world.state.round(6).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    assert!(matches!(world.finish(6), Effect::Settled(_)));
    // Into a third epoch of the same seven.
    world.steps_until("another epoch", |world| world.state.height() > 2 * EPOCH_BLOCKS + 1);
    let mut states = vec![State::from_genesis_block(&world.blocks[0]).expect("genesis")];
    let mut certificates = vec![vec![]];
    for block in &world.blocks[1..] {
        let mut state = states.last().expect("a state").clone();
        state.apply_block(block, &mut VerifyAll).expect("applied");
        let (id, epoch) = (state.community().ledger_id(), state.epoch());
        let validators = state.consensus_keys(epoch).expect("validators");
        certificates.push(certificate(&id, epoch, &validators, &block.hash()));
        states.push(state);
    }
    Story { blocks: world.blocks, states, certificates, pause, receipt_key: receipt_key() }
});

impl Story {
    pub fn request(&self) -> AuditRequest {
        AuditRequest { trusted_genesis: Some(self.blocks[0].hash()), ..request() }
    }

    pub fn tip(&self) -> usize {
        self.blocks.len() - 1
    }

    /// All whole blocks, those that are chosen with a certificate.
    pub fn records(&self, certified: impl Fn(usize) -> bool) -> Vec<Record> {
        let with =
            |height: usize| (height > 0 && certified(height)).then(|| self.certificates[height].clone());
        let blocks = self.blocks.iter().enumerate();
        blocks.map(|(height, block)| Record::Block(Box::new(block.clone()), with(height))).collect()
    }

    /// The same with the bids of blocks 1 to `to` pruned where `prunes` allows.
    pub fn pruned(&self, to: usize, prunes: impl Fn(&Block) -> bool) -> Vec<Record> {
        let mut records = self.records(|_| true);
        for record in &mut records[1..=to] {
            if let Record::Block(block, certificate) = &*record
                && prunes(block)
            {
                let pruned = PrunedBlock::of((**block).clone());
                *record = Record::Pruned(Box::new(pruned), certificate.clone());
            }
        }
        records
    }

    /// Pruned up to the pause, with a checkpoint there.
    pub fn checkpointed(&self) -> (Vec<Record>, Checkpoint) {
        let state = &self.states[self.pause];
        let checkpoint = state.checkpoint();
        (self.pruned(self.pause, |block| state.may_prune(block)), checkpoint)
    }

    /// The aggregator's receipts for all bids of a round, the first validator's key is its key here.
    pub fn receipts(&self, round: u64) -> Vec<Receipt> {
        let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(round);
        let id = self.states[0].community().ledger_id();
        let bids = self.blocks.iter().flat_map(|block| &block.transactions).filter_map(|transaction| {
            match transaction {
                Transaction::Bids { round_id, bids } if *round_id == round => Some(bids),
                _ => None,
            }
        });
        let bids = bids.flatten();
        bids.map(|bid| Receipt::issue(&self.receipt_key, id, round, bid.account, bid.digest(), 1, &mut rng))
            .collect()
    }

    pub fn audit(&self, records: Vec<Record>) -> Result<AuditReport, Violation> {
        run(records, self.request())
    }
}

pub fn run(records: Vec<Record>, request: AuditRequest) -> Result<AuditReport, Violation> {
    audit(records.into_iter().map(Ok::<_, Infallible>), request, |_| {}).map_err(|error| match error {
        AuditError::Violation(violation) => violation,
        AuditError::Read { source, .. } => match source {},
    })
}

pub fn with_checkpoint(mut records: Vec<Record>, checkpoint: Checkpoint) -> Vec<Record> {
    records.insert(1, Record::Checkpoint(Box::new(checkpoint)));
    records
}
