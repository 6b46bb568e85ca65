//! A network's ledger with certificates, and validators that serve it in every way.
#![allow(dead_code, reason = "each test file uses a part")]

use crate::world::World;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use veilgrid_api::{CertifiedBlock, Problem};
use veilgrid_client::ClientError;
use veilgrid_client::follower::{CertificateCheck, Chain, Fetch, Fetched};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;

/// Certificates of the tests: everything that a true one is bound to, without signatures.
#[derive(Debug, Clone, Copy)]
pub struct Stamps;

pub fn stamp(ledger_id: &Hash, epoch: u64, validators: &[[u8; 32]], block_hash: &Hash) -> Vec<u8> {
    let keys = validators.concat();
    [ledger_id.as_slice(), &epoch.to_le_bytes(), block_hash, &keys].concat()
}

impl CertificateCheck for Stamps {
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> Result<(), String> {
        let right = stamp(ledger_id, epoch, validators, block_hash) == certificate;
        if right { Ok(()) } else { Err("not the stamp".into()) }
    }
}

/// A block with the certificate that the validators of `world` make for it.
pub fn certified(world: &World, height: usize) -> CertifiedBlock {
    let block = &world.blocks[height];
    let epoch = world.timing().epoch_of(block.header.height);
    let validators = world.state.consensus_keys(epoch).expect("known");
    let ledger_id = world.state.community().ledger_id();
    CertifiedBlock {
        block: block.to_bytes(),
        certificate: Some(stamp(&ledger_id, epoch, &validators, &block.hash())),
    }
}

pub fn bare(world: &World, height: usize) -> CertifiedBlock {
    CertifiedBlock { certificate: None, ..certified(world, height) }
}

/// All certified blocks of a ledger, the genesis in front.
pub fn ledger(world: &World) -> Vec<CertifiedBlock> {
    (0..world.blocks.len())
        .map(|height| if height == 0 { bare(world, 0) } else { certified(world, height) })
        .collect()
}

pub fn genesis(world: &World) -> Block {
    world.blocks[0].clone()
}

/// A chain that knows the genesis only.
pub fn chain(world: &World) -> Chain<Stamps> {
    let genesis = genesis(world);
    let state = State::from_genesis_block(&genesis).expect("genesis");
    Chain::new(state, Arc::new(genesis), None, Stamps)
}

type Answer = dyn Fn(u64, usize) -> Result<Vec<CertifiedBlock>, ClientError> + Send + Sync;

/// The refusal of a node that does not have a block.
fn absent() -> ClientError {
    let kind = "urn:veilgrid:problem:not-found".to_owned();
    ClientError::Refused {
        node: "n".into(),
        status: 404,
        problem: Box::new(Problem { kind, ..Problem::default() }),
    }
}

/// Warnings of the thread on which it is the subscriber, each with its fields.
#[derive(Clone, Default)]
pub struct Warnings(pub Arc<Mutex<Vec<String>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        event.record(&mut Text(&mut text));
        self.0.lock().expect("warnings").push(text);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A validator that answers as a function says, and counts.
pub struct Scripted {
    name: String,
    answer: Box<Answer>,
    pub asked: Arc<Mutex<u64>>,
}

impl Scripted {
    pub fn new(
        name: &str,
        answer: impl Fn(u64, usize) -> Result<Vec<CertifiedBlock>, ClientError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name: name.into(), answer: Box::new(answer), asked: Arc::default() })
    }

    /// Serves these blocks, wrong or right.
    pub fn serving(name: &str, blocks: Vec<CertifiedBlock>) -> Arc<Self> {
        Self::new(name, move |from, most| {
            let from = usize::try_from(from).expect("small").min(blocks.len());
            Ok(blocks[from..].iter().take(most).cloned().collect())
        })
    }

    /// Serves these blocks as somebody who has pruned those below `first`.
    pub fn pruned(name: &str, blocks: Vec<CertifiedBlock>, first: u64) -> Arc<Self> {
        let whole = Self::serving(name, blocks);
        Self::new(
            name,
            move |from, most| if from < first { Err(absent()) } else { (whole.answer)(from, most) },
        )
    }

    pub fn silent(name: &str) -> Arc<Self> {
        Self::new(name, |_, _| Err(ClientError::Silent { node: "silent".into(), waited_ms: 1 }))
    }
}

impl Fetch for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn fetch(&self, from: u64, most: usize, _: Duration) -> Fetched<'_> {
        *self.asked.lock().expect("count") += 1;
        Box::pin(async move {
            let run = (self.answer)(from, most)?;
            if run.is_empty() {
                // A long poll without news.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(run)
        })
    }
}
