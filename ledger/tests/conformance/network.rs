//! Ledgers of a network, certified: four validators generate keys and settle a round; in a longer story they become
//! seven. What is altered is certified anew by three of four, as validators would who follow no rule.

use super::case::{Case, Expected};
use super::certificates::{Odd, odd_signature};
use super::changes::{self, Bodies, first, place};
use super::file::{Record, file, with_raw_transaction};
use crate::signed::Electorate;
use crate::world::{EPOCH_BLOCKS, World, receipt_key};
use curve25519_dalek::Scalar;
use std::sync::LazyLock;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::roster::RosterChange;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
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
        let roster = rosters.and_then(State::roster).expect("a network");
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
            change.network,
        ));
    }
    cases.extend(
        key_events().into_iter().map(|(name, about, ledger, rule)| refused(name, about, ledger, rule)),
    );
    cases.extend(
        validators().into_iter().map(|(name, about, ledger, rule)| refused(name, about, ledger, rule)),
    );
    cases.extend(certificates());
    cases.extend(others());
    cases
}

type Refused = (&'static str, &'static str, Ledger, &'static str);

/// The announcements and packages of the first blocks, altered.
fn key_events() -> Vec<Refused> {
    let start = SHORT.clone().cut(6);
    let with = |edit: fn(&mut u64, &mut Vec<u8>)| {
        start.altered(|bodies| match first(bodies, TransactionKind::KeyEvent) {
            Transaction::KeyEvent { session, event } => edit(session, event),
            other => panic!("{other:?}"),
        })
    };
    let signature = |_: &mut u64, event: &mut Vec<u8>| {
        let last = event.len() - 1;
        event[last - 40] ^= 1;
    };
    let twice = start.altered(|bodies| {
        let (block, index) = place(bodies, TransactionKind::KeyEvent);
        let event = bodies[block][index].clone();
        bodies[block].insert(index, event);
    });
    vec![
        ("key-event-session", "an event of another session", with(|session, _| *session = 9), "NoSession"),
        (
            "key-event-cut",
            "an event that ends early",
            with(|_, event| event.truncate(20)),
            "KeyEventMalformed",
        ),
        (
            "key-event-signature",
            "an announcement that its receiver has not signed",
            with(signature),
            "KeyEvent",
        ),
        ("key-event-twice", "an announcement stands there twice", twice, "KeyEvent"),
    ]
}

/// Changes of the validators behind the settled round.
fn validators() -> Vec<Refused> {
    let mut world = World::keyed(4);
    let mut with = |edit: fn(&mut World), signers: &[u16], after: fn(&mut RosterChange)| {
        let rightful = world.validators[4].entry;
        edit(&mut world);
        let mut change = world.change(&[0, 1, 2, 4], signers);
        world.validators[4].entry = rightful;
        after(&mut change);
        let change = Transaction::ChangeValidators(Box::new(change));
        Ledger::of(&world).altered(|bodies| bodies.last_mut().expect("a block").push(change))
    };
    let three = [1, 2, 4];
    vec![
        (
            "change-validators-few",
            "two of four have signed it",
            with(|_| (), &[1, 2], |_| ()),
            "Roster.Signatures",
        ),
        (
            "change-validators-order",
            "signatures do not rise",
            with(|_| (), &[2, 1, 4], |_| ()),
            "Roster.Signatures",
        ),
        (
            "change-validators-signature",
            "one of three signatures does not hold",
            with(|_| (), &three, |change| change.endorsements[0].signature[3] ^= 1),
            "Roster.Signatures",
        ),
        (
            "change-validators-consensus-key",
            "a consensus key that is no point",
            with(|world| world.validators[4].entry.consensus_key = [2; 32], &three, |_| ()),
            "Roster.Key",
        ),
        (
            "change-validators-receipt-key",
            "the signing key of a new validator is the aggregator's receipt key",
            with(
                |world| world.validators[4].entry.signing_key = receipt_key().verifying_key().to_bytes(),
                &three,
                |_| (),
            ),
            "Roster.SharedKey",
        ),
    ]
}

/// One certificate of the settled round's last block, altered.
fn certificates() -> Vec<Case> {
    let ledger = &*SHORT;
    let (tip, epoch) = (ledger.tip(), ledger.states[ledger.tip()].epoch());
    let (hash, before) = (ledger.blocks[tip].hash(), ledger.blocks[tip - 1].hash());
    let voters = ledger.voters(tip);
    let with = |last: Vec<u8>| {
        let certificate = |height| if height == tip { Some(last.clone()) } else { ledger.usual(height) };
        file(&ledger.records(certificate), ledger.root())
    };
    let odd = |odd| {
        let signatures = [0, 1].map(|signer| (signer, voters.signature(&hash, signer)));
        let signatures = [&signatures[..], &[(2, odd_signature(&voters, &hash, 2, odd))]].concat();
        with(voters.assembled(&hash, &signatures))
    };
    let sound = ledger.certificate(tip);
    let mut flipped = sound.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let later = Electorate { epoch: epoch + 1, ..ledger.voters(tip) };
    let foreign = Electorate { ledger_id: [5; 32], ..ledger.voters(tip) };
    let broken = |name, about, bytes, rule| case(name, about, bytes, Expected::Violates(rule));
    let long = [&[0x80, 0], &sound[1..]].concat();
    let without = |from: usize| {
        let certificate = |height| if height < from { ledger.usual(height) } else { None };
        file(&ledger.records(certificate), ledger.root())
    };
    vec![
        case(
            "certificate-small-order-part",
            "a signature with a part of order 8 in R, which ZIP 215 takes",
            odd(Odd::SmallOrderPart),
            Expected::Passes,
        ),
        case(
            "certificate-not-canonical",
            "a signature with R = 0 written as p + 1, which ZIP 215 takes",
            odd(Odd::NotCanonical),
            Expected::Passes,
        ),
        broken(
            "certificate-long-response",
            "a signature with s + l in place of s",
            odd(Odd::LongResponse),
            "Certificate.Signature",
        ),
        broken(
            "certificate-signature",
            "a bit of a signature is changed",
            with(flipped),
            "Certificate.Signature",
        ),
        broken(
            "certificate-ledger",
            "votes on another ledger",
            with(foreign.certificate(&hash, &[0, 1, 2])),
            "Certificate.Signature",
        ),
        broken(
            "certificate-few",
            "two of four",
            with(voters.certificate(&hash, &[0, 1])),
            "Certificate.TooFewSigners",
        ),
        broken(
            "certificate-block",
            "over the block before",
            with(voters.certificate(&before, &[0, 1, 2])),
            "Certificate.Block",
        ),
        broken(
            "certificate-epoch",
            "of the next epoch",
            with(later.certificate(&hash, &[0, 1, 2])),
            "Certificate.Epoch",
        ),
        broken(
            "certificate-varint",
            "a number that is longer than it has to be",
            with(long),
            "Certificate.Malformed",
        ),
        broken(
            "certificate-longer",
            "a byte more",
            with([&sound[..], &[0]].concat()),
            "Certificate.Malformed",
        ),
        case(
            "certificate-tail",
            "the last 16 blocks are in no certificate",
            without(ledger.tip() - 15),
            Expected::Passes,
        ),
        broken(
            "certificate-none",
            "the last 17 blocks are in no certificate",
            without(ledger.tip() - 16),
            "NotFinal",
        ),
    ]
}

/// Blocks as such, and the end of an epoch.
fn others() -> Vec<Case> {
    let (short, (long, _)) = (&*SHORT, &*LONG);
    let last_of_four = EPOCH_BLOCKS as usize - 1;
    // From a block that is the first certified one behind the end of the epoch.
    let uncertified = long.records(|height| {
        let around = (last_of_four - 3..=last_of_four).contains(&height);
        if around { None } else { long.usual(height) }
    });
    let mut raw = short.records(|height| short.usual(height));
    let behind =
        Block::new(short.tip() as u64 + 1, short.blocks[short.tip()].hash(), u64::MAX, short.root(), vec![]);
    raw.push(Record::Block(with_raw_transaction(&behind, &[0, 1])));
    let mut earlier = short.blocks[short.tip()].clone();
    earlier.header.time_unix_ms -= 1_000_000;
    let mut timed = short.clone().cut(short.tip()).records(|height| short.usual(height));
    timed.push(Record::Block(earlier.to_bytes()));
    vec![
        case(
            "epoch-not-certified",
            "the last block of the four is not certified by them",
            file(&uncertified, long.root()),
            Expected::Violates("EpochNotCertified"),
        ),
        case(
            "undecodable",
            "a transaction that does not decode is not recorded as refused",
            file(&raw, [7; 32]),
            Expected::Unreadable("Block"),
        ),
        case(
            "header-time",
            "a time before the parent's",
            file(&timed, [7; 32]),
            Expected::Violates("Block.Time"),
        ),
    ]
}
