//! Ledgers of a network, certified: four validators generate keys and settle a round; in a longer story they become
//! seven. What is altered is certified anew by three of four, as validators would who follow no rule.

use super::case::{Case, Expected};
use super::changes::{self, Bodies};
use super::file::{Record, file};
use super::{certified, covered, key_events};
use crate::signed::Electorate;
use crate::world::{EPOCH_BLOCKS, World};
use curve25519_dalek::Scalar;
use std::sync::LazyLock;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

/// Blocks with the state after each.
#[derive(Clone)]
pub struct Ledger {
    pub blocks: Vec<Block>,
    pub states: Vec<State>,
}

impl Ledger {
    pub fn of(world: &World) -> Self {
        Self::replayed(world.blocks.clone())
    }

    fn replayed(blocks: Vec<Block>) -> Self {
        let mut states = vec![State::from_genesis_block(&blocks[0]).expect("genesis")];
        for block in &blocks[1..] {
            let mut state = states[states.len() - 1].clone();
            state.apply_block(block, &mut VerifyAll).expect("a sound block");
            states.push(state);
        }
        Self { blocks, states }
    }

    /// The same blocks with other transactions, every hash and root made anew.
    pub fn altered(&self, edit: impl FnOnce(&mut Bodies)) -> Self {
        let mut bodies: Bodies = self.blocks.iter().map(|block| block.transactions.clone()).collect();
        edit(&mut bodies);
        let mut altered = Self { blocks: vec![self.blocks[0].clone()], states: vec![self.states[0].clone()] };
        for (body, original) in bodies.into_iter().zip(&self.blocks).skip(1) {
            let mut state = altered.states[altered.states.len() - 1].clone();
            let (height, time) = (original.header.height, original.header.time_unix_ms);
            let block = Block::new(height, state.block_hash(), time, state.root(), body);
            state.apply_block(&block, &mut VerifyAll).expect("a sound header");
            altered.blocks.push(block);
            altered.states.push(state);
        }
        altered
    }

    pub fn cut(mut self, blocks: usize) -> Self {
        self.blocks.truncate(blocks);
        self.states.truncate(blocks);
        self
    }

    pub fn voters(&self, height: usize) -> Electorate {
        let state = &self.states[height];
        let epoch = state.epoch();
        let rosters = self.states[..=height].iter().rev().find(|state| state.epoch() == epoch);
        let roster = rosters.map(State::roster).expect("a state of the epoch");
        let scalars = roster.validators.iter().map(|entry| Scalar::from_bytes_mod_order(entry.signing_key));
        Electorate { ledger_id: state.community().ledger_id(), epoch, scalars: scalars.collect() }
    }

    /// The certificate of a block by just enough validators.
    pub fn certificate(&self, height: usize) -> Vec<u8> {
        let voters = self.voters(height);
        let n = voters.scalars.len();
        voters.certificate(&self.blocks[height].hash(), &(0..n - (n - 1) / 3).collect::<Vec<_>>())
    }

    /// All blocks; `certificate` gives that of a height.
    pub fn records(&self, certificate: impl Fn(usize) -> Option<Vec<u8>>) -> Vec<Record> {
        let records = |(height, block): (usize, &Block)| {
            let certificate = if height > 0 { certificate(height) } else { None };
            std::iter::once(Record::Block(block.to_bytes())).chain(certificate.map(Record::Certificate))
        };
        self.blocks.iter().enumerate().flat_map(records).collect()
    }

    pub fn root(&self) -> [u8; 32] {
        self.states[self.states.len() - 1].root()
    }

    pub fn tip(&self) -> usize {
        self.blocks.len() - 1
    }

    /// Every fourth block has a certificate, and so do the last one and the last one of an epoch: it covers those before.
    pub fn usual(&self, height: usize) -> Option<Vec<u8>> {
        let last_of_epoch = (height as u64 + 1).is_multiple_of(EPOCH_BLOCKS);
        (height.is_multiple_of(4) || height == self.tip() || last_of_epoch).then(|| self.certificate(height))
    }

    pub fn file(&self) -> Vec<u8> {
        file(&self.records(|height| self.usual(height)), self.root())
    }
}

/// Keys are generated, round 1 is settled.
pub static SHORT: LazyLock<Ledger> = LazyLock::new(|| {
    let mut world = World::keyed(4);
    world.round(1);
    Ledger::of(&world)
});

/// The height at which round 6 of the long story takes bids.
pub static LONG: LazyLock<(Ledger, usize)> = LazyLock::new(|| {
    let mut world = World::keyed(4);
    world.round(1);
    world.force(vec![Transaction::CloseRound { round_id: 1 }]);
    world.opening(2);
    world.at(world.state.time_unix_ms() + 600, vec![]);
    world.due_at(world.ms(RoundTiming::deadline_ms, 2));
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    world.push(vec![change]);
    world.steps_until("the change", |world| world.state.epoch() == 1);
    world.until_sharing(3);
    world.round(5);
    world.bidding(6);
    let pause = world.blocks.len() - 1;
    world.due_at(world.ms(RoundTiming::close_ms, 6));
    while world.state.round(6).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    world.finish(6);
    (Ledger::of(&world), pause)
});

pub fn case(name: &str, about: &str, bytes: Vec<u8>, expected: Expected) -> Case {
    Case::new(&format!("network/{name}"), about, bytes, SHORT.blocks[0].hash(), expected)
}

pub fn cases() -> Vec<Case> {
    let (short, (long, _)) = (&*SHORT, &*LONG);
    let refused =
        |name, about, ledger: Ledger, rule| case(name, about, ledger.file(), Expected::Refuses(rule));
    let mut cases = vec![
        case(
            "honest",
            "keys are generated over the ledger, a round is settled",
            short.file(),
            Expected::Passes,
        ),
        case(
            "story",
            "a settled round, a refused transaction, a round void at its deadline, two that nobody opened, four validators \
             who become seven, two settled rounds",
            long.file(),
            Expected::Refuses("RoundNotActive"),
        ),
    ];
    for change in changes::all() {
        cases.push(refused(
            change.name,
            change.about,
            short.altered(|bodies| (change.edit)(bodies)),
            change.rule,
        ));
    }
    let others = [key_events::key_events(), key_events::validators()].concat();
    cases.extend(others.into_iter().map(|(name, about, ledger, rule)| refused(name, about, ledger, rule)));
    cases.extend(certified::cases());
    cases.extend(covered::cases());
    cases
}
