//! Final blocks on their way to the application: in order, durable before they are acknowledged.

use crate::application::Application;
use crate::block::EngineBlock;
use crate::certificate;
use crate::fault::EngineFault;
use crate::keys::Scheme;
use crate::limits;
use crate::runtime::Runtime;
use crate::shared::Shared;
use commonware_actor::Feedback;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::{Update, standard::Standard};
use commonware_consensus::{Reporter, types::Height};
use commonware_utils::Acknowledgement as _;
use futures::StreamExt as _;
use futures::channel::mpsc;
use std::collections::BTreeSet;
use veilgrid_ledger::hash::Hash;

/// Heights without a certificate of their own that are asked for again after later blocks.
const MAX_UNCERTIFIED: usize = 16;

/// The part of the engine that keeps final blocks in order.
pub(crate) type Marshal = Mailbox<Scheme, Standard<EngineBlock>>;

/// A block that the application has applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivered {
    pub height: u64,
    pub hash: Hash,
}

/// Where the marshal puts final blocks. It bounds by itself how many wait for their acknowledgement.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::UnboundedSender<Update<EngineBlock>>);

impl Inbox {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Update<EngineBlock>>) {
        let (sender, receiver) = mpsc::unbounded();
        (Self(sender), receiver)
    }
}

impl Reporter for Inbox {
    type Activity = Update<EngineBlock>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match self.0.unbounded_send(update) {
            Ok(()) => Feedback::Ok,
            Err(_) => Feedback::Closed,
        }
    }
}

/// Delivers final blocks to the application.
pub(crate) struct Delivery<E> {
    pub runtime: E,
    pub shared: Shared,
    pub marshal: Marshal,
    pub delivered: mpsc::UnboundedSender<Delivered>,
    /// Heights whose certificate was not there when they were applied.
    pub uncertified: BTreeSet<u64>,
    /// Final blocks that the engine's store keeps.
    pub blocks_kept: u64,
}

impl<E: Runtime> Delivery<E> {
    /// Runs until the engine stops. A fault leaves its block unacknowledged, so that it comes again after a restart.
    pub async fn run(mut self, mut updates: mpsc::UnboundedReceiver<Update<EngineBlock>>) {
        while let Some(update) = updates.next().await {
            let Update::Block(block, acknowledgement) = update else { continue };
            let (height, hash) = (block.inner().number(), block.inner().hash());
            if let Err(fault) = self.take(block.inner().clone()).await {
                tracing::error!(height, fault = fault.to_string(), "a final block could not be applied");
                self.shared.fail(match fault {
                    EngineFault::Engine(why) => format!("block {height} could not be applied: {why}").into(),
                    of_the_application => of_the_application,
                });
                return;
            }
            acknowledgement.acknowledge();
            let _ = self.delivered.unbounded_send(Delivered { height, hash });
            self.certify_late(height).await;
            if let Some(below) = limits::prune_below(height, self.blocks_kept) {
                self.marshal.prune(Height::new(below));
            }
        }
    }

    async fn take(&mut self, block: EngineBlock) -> Result<(), EngineFault> {
        // Block 0 is what every application begins with.
        if block.number() == 0 {
            return Ok(());
        }
        let height = self.height().await?;
        for missing in height.saturating_add(1)..block.number() {
            let missing_block = self.marshal.get_block(Height::new(missing)).await;
            let missing_block = missing_block.ok_or_else(|| behind(missing))?;
            self.apply(missing_block.inner().clone()).await?;
        }
        self.apply(block).await
    }

    async fn apply(&mut self, block: EngineBlock) -> Result<(), EngineFault> {
        let height = block.number();
        let certificate = self.certificate(height).await;
        if certificate.is_none() {
            self.uncertified.insert(height);
            if self.uncertified.len() > MAX_UNCERTIFIED {
                self.uncertified.pop_first();
            }
        }
        finalise(&self.runtime, &self.shared, block, certificate).await
    }

    async fn certificate(&self, height: u64) -> Option<Vec<u8>> {
        let certificate = self.marshal.get_finalization(Height::new(height)).await?;
        Some(certificate::encode(&certificate))
    }

    /// Asks again for certificates of earlier blocks.
    async fn certify_late(&mut self, applied: u64) {
        let waiting: Vec<u64> = self.uncertified.range(..applied).copied().collect();
        for height in waiting {
            let Some(certificate) = self.certificate(height).await else { continue };
            self.uncertified.remove(&height);
            let certify = move |a: &mut dyn Application| a.certified(height, &certificate);
            let _ = self.shared.call(&self.runtime, certify).await;
        }
    }

    async fn height(&self) -> Result<u64, EngineFault> {
        self.shared.call(&self.runtime, |a| a.height()).await.map_err(|_| stopping())
    }
}

/// Applies one final block.
pub(crate) async fn finalise<E: Runtime>(
    runtime: &E,
    shared: &Shared,
    block: EngineBlock,
    certificate: Option<Vec<u8>>,
) -> Result<(), EngineFault> {
    let height = block.number();
    let apply = move |a: &mut dyn Application| a.finalise(block.block(), certificate.as_deref());
    let applied = shared.call(runtime, apply).await.map_err(|_| stopping())?;
    applied.map_err(|error| EngineFault::application(height, error))
}

/// What to do when the application's store is older than the engine's.
pub(crate) fn behind(height: u64) -> EngineFault {
    EngineFault::Engine(format!(
        "block {height} is in neither store: fetch the ledger from a peer before the engine starts"
    ))
}

fn stopping() -> EngineFault {
    "the engine is stopping".into()
}
