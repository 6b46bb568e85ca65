//! Proposals and votes: what the consensus asks, put to the application.

use crate::application::{Application, Proposal};
use crate::block::EngineBlock;
use crate::keys::{self, Digest, Scheme};
use crate::runtime::Runtime;
use crate::shared::{Shared, Stopping};
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::types::Context;
use commonware_cryptography::{Digested, ed25519::PublicKey};
use commonware_utils::SystemTimeExt as _;
use futures::StreamExt as _;
use std::time::Duration;
use veilgrid_ledger::hash::Hash;

/// Longest time between two questions for a block.
const MAX_WAIT_MS: u64 = 20;

/// Blocks that are executed on the way to a proposal. Only blocks that are not final yet are on that way, so more
/// means that final blocks are still being applied: then the walk starts again a little later.
const MAX_UNKNOWN_ANCESTORS: usize = 256;

/// Until the walk starts again.
const RETRY_MS: u64 = 50;

/// Why there is no answer for a proposal.
enum Unready {
    /// No answer now, and the question will be withdrawn.
    Abstain,
    /// The proposal builds on a block that the application refuses.
    Refused,
}

impl From<Stopping> for Unready {
    fn from(_: Stopping) -> Self {
        Self::Abstain
    }
}

/// The application as the consensus sees it.
pub(crate) struct Automaton {
    shared: Shared,
    max_block_bytes: usize,
}

impl Clone for Automaton {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), max_block_bytes: self.max_block_bytes }
    }
}

impl Automaton {
    pub fn new(shared: Shared, max_block_bytes: usize) -> Self {
        Self { shared, max_block_bytes }
    }

    /// Makes sure that the application has executed the first block of the ancestry, and returns it.
    async fn prepare<E: Runtime>(
        &self,
        runtime: &E,
        ancestry: impl Ancestry<EngineBlock>,
    ) -> Result<Digested<EngineBlock>, Unready> {
        loop {
            let mut walk = ancestry.clone();
            let first = walk.next().await.ok_or(Unready::Abstain)?;
            let mut unknown = Vec::new();
            let mut next = first.clone();
            while !self.is_known(runtime, &next).await? && unknown.len() < MAX_UNKNOWN_ANCESTORS {
                unknown.push(next);
                next = walk.next().await.ok_or(Unready::Abstain)?;
            }
            if unknown.len() < MAX_UNKNOWN_ANCESTORS {
                self.learn(runtime, unknown).await?;
                return Ok(first);
            }
            runtime.sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    async fn is_known<E: Runtime>(
        &self,
        runtime: &E,
        block: &Digested<EngineBlock>,
    ) -> Result<bool, Unready> {
        let (hash, number) = (block.inner().hash(), block.inner().number());
        let ask = move |a: &mut dyn Application| (a.knows(&hash), a.height());
        let (known, height) = self.shared.call(runtime, ask).await?;
        // A block at a final height that was never executed is not on the final chain, or that chain has gone on
        // and the question is out of date.
        if known || number > height { Ok(known) } else { Err(Unready::Abstain) }
    }

    /// Executes ancestors, given from the newest to the oldest.
    async fn learn<E: Runtime>(
        &self,
        runtime: &E,
        unknown: Vec<Digested<EngineBlock>>,
    ) -> Result<(), Unready> {
        for block in unknown.into_iter().rev() {
            let number = block.inner().number();
            let learn = move |a: &mut dyn Application| {
                // It can have become known since the walk.
                let block = block.inner();
                if a.knows(&block.hash()) { Ok(()) } else { a.learn(block.block()) }
            };
            if let Err(error) = self.shared.call(runtime, learn).await? {
                tracing::warn!(
                    height = number,
                    why = error.to_string(),
                    "an ancestor of a proposal is refused"
                );
                return Err(Unready::Refused);
            }
        }
        Ok(())
    }

    async fn build<E: Runtime>(
        &self,
        runtime: &E,
        ancestry: impl Ancestry<EngineBlock>,
    ) -> Result<EngineBlock, Unready> {
        let parent = self.prepare(runtime, ancestry).await?;
        let (hash, height) = (parent.inner().hash(), parent.inner().number());
        loop {
            let now_unix_ms = runtime.current().epoch_millis();
            let ask = move |a: &mut dyn Application| match a.propose(&hash, now_unix_ms) {
                Proposal::Block(block) => Ok(EngineBlock::new(*block)),
                Proposal::Wait { ms } => Err(ms),
            };
            match self.shared.call(runtime, ask).await? {
                Ok(block) => return self.bounded(block, &hash, height),
                Err(ms) => runtime.sleep(Duration::from_millis(ms.clamp(1, MAX_WAIT_MS))).await,
            }
        }
    }

    /// A block that is not a child of its parent would get no vote, and one above the bound would stop the node: the
    /// network refuses to send it by a panic.
    fn bounded(&self, block: EngineBlock, parent: &Hash, height: u64) -> Result<EngineBlock, Unready> {
        let (bytes, bound) = (block.length(), self.max_block_bytes);
        if bytes > bound {
            tracing::error!(bytes, bound, "the application built a block above the bound");
            return Err(Unready::Refused);
        }
        if &block.block().header.parent_hash != parent || height.checked_add(1) != Some(block.number()) {
            tracing::error!(height = block.number(), "the application built a block on another parent");
            return Err(Unready::Refused);
        }
        Ok(block)
    }

    async fn vote<E: Runtime>(
        &self,
        runtime: &E,
        proposer: [u8; 32],
        mut ancestry: impl Ancestry<EngineBlock>,
    ) -> Result<bool, Unready> {
        let block = ancestry.next().await.ok_or(Unready::Abstain)?;
        self.prepare(runtime, ancestry).await?;
        let number = block.inner().number();
        let now_unix_ms = runtime.current().epoch_millis();
        let check = move |a: &mut dyn Application| {
            let block = block.inner().block();
            a.proposed(&proposer, block.header.time_unix_ms, now_unix_ms);
            a.check(block, now_unix_ms)
        };
        let verdict = self.shared.call(runtime, check).await?;
        if let Err(error) = &verdict {
            tracing::warn!(height = number, why = error.to_string(), "no vote for a proposal");
        }
        Ok(verdict.is_ok())
    }
}

impl<E: Runtime> commonware_consensus::Application<E> for Automaton {
    type SigningScheme = Scheme;
    type Context = Context<Digest, PublicKey>;
    type Block = EngineBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, _): (E, Self::Context),
        ancestry: impl Ancestry<EngineBlock>,
        (): (),
    ) -> Option<Digested<EngineBlock>> {
        let block = self.build(&runtime, ancestry).await.ok()?;
        let digest = keys::digest(&block.hash());
        Some(Digested::precomputed(block, digest))
    }

    async fn verify(
        &mut self,
        (runtime, context): (E, Self::Context),
        ancestry: impl Ancestry<EngineBlock>,
    ) -> bool {
        match self.vote(&runtime, keys::key_bytes(&context.leader), ancestry).await {
            Ok(verdict) => verdict,
            Err(Unready::Refused) => false,
            // To abstain is not to answer; the consensus drops this future when the view is over.
            Err(Unready::Abstain) => std::future::pending().await,
        }
    }
}
