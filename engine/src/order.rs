//! The order of final blocks: what is stored, what is missing, and from where the consensus goes on.

use crate::block::EngineBlock;
use crate::certificate;
use crate::delivery::{Delivered, Inbox, Marshal, behind};
use crate::epochs::{Start, epoch_of};
use crate::fault::EngineFault;
use crate::foundation::Foundation;
use crate::keys::{Digest, Finalization, MAX_VALIDATORS, Scheme, digest};
use crate::limits::{self, CACHE_SECTION};
use crate::runtime::{Runtime, guard};
use crate::store::{REPLAY_BYTES, Store, WRITE_BYTES};
use commonware_broadcast::buffered;
use commonware_consensus::Epochable as _;
use commonware_consensus::marshal::core::Actor;
use commonware_consensus::marshal::{self, resolver};
use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, Height, ViewDelta};
use commonware_cryptography::{Digested, Signer as _, ed25519::PublicKey};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_utils::{NZUsize, NonZeroDuration};
use std::sync::Arc;
use std::time::Duration;

/// Heights below the last applied block that are looked at for a certificate to start from.
const CERTIFICATES_SEARCHED: usize = 1_024;

/// Final blocks that may wait for the application at once.
const MAX_UNACKNOWLEDGED: usize = 8;

/// The network of blocks.
pub(crate) struct BlockChannels<S, R, B, D> {
    /// Blocks that proposers send to everybody.
    pub broadcast: (S, R),
    /// Blocks and certificates that a node asks for.
    pub backfill: (S, R),
    pub blocker: B,
    pub provider: D,
}

impl<E: Runtime> Foundation<E> {
    /// Starts the parts that put final blocks in order, and says where the consensus goes on. Nothing is delivered
    /// before the inbox is read.
    pub async fn order<S, R, B, D>(
        &self,
        store: Store<E>,
        genesis: EngineBlock,
        channels: BlockChannels<S, R, B, D>,
        inbox: Inbox,
    ) -> Result<(Marshal, Start), EngineFault>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
        D: Provider<PublicKey = PublicKey>,
    {
        let first = Delivered { height: 0, hash: genesis.hash() };
        let floor = self.starting_point(&store)?;
        let anchor = match &floor {
            Some((_, certificate)) => marshal::Start::Floor(certificate.clone()),
            None => marshal::Start::Genesis(Digested::precomputed(genesis, digest(&first.hash))),
        };
        let (actor, mailbox, _) = Actor::init(
            self.runtime.child("marshal"),
            store.certificates,
            store.blocks,
            self.marshal_config(anchor),
        )
        .await;
        let (buffer, buffered) = buffered::Engine::new(
            self.runtime.child("buffer"),
            self.buffer_config(channels.provider.clone()),
        );
        let resolver = resolver::p2p::init(
            self.runtime.child("backfill"),
            self.resolver_config(channels.provider, channels.blocker),
            channels.backfill,
        );
        guard(&self.runtime, "block broadcast", buffer.start(channels.broadcast), &self.faults);
        guard(&self.runtime, "block order", actor.start(inbox, buffered, resolver), &self.faults);
        let start = match floor {
            Some((height, certificate)) => {
                let hash = certificate::block_hash(&certificate.proposal);
                Start::after(&self.epocher, Delivered { height, hash }, Some(certificate))?
            }
            None => resume(&mailbox, &self.epocher, first).await?,
        };
        Ok((mailbox, start))
    }

    /// The block from which a node with an empty store starts.
    fn starting_point(&self, store: &Store<E>) -> Result<Option<(u64, Finalization)>, String> {
        let start = self.config.start.as_ref();
        let Some(start) = start.filter(|start| start.height > 0 && store.is_empty()) else {
            return Ok(None);
        };
        let certificate = certificate::decode(&start.certificate, MAX_VALIDATORS as usize);
        let certificate = certificate.map_err(|fault| format!("the block to start from: {fault}"))?;
        // The engine would panic on a certificate that does not hold.
        let epoch = epoch_of(&self.epocher, start.height)?;
        let scheme = self.schemes.get(epoch).filter(|_| certificate.epoch().get() == epoch);
        let holds = |s: Arc<Scheme>| certificate.verify(&mut commonware_utils::sys_rng(), &*s, &Sequential);
        if !scheme.is_some_and(holds) {
            return Err(format!("the certificate of block {}, to start from, does not hold", start.height));
        }
        Ok(Some((start.height, certificate)))
    }

    fn marshal_config(
        &self,
        start: marshal::Start<Scheme, Digest, Digested<EngineBlock>>,
    ) -> marshal::Config<crate::schemes::Schemes, FixedEpocher, Sequential, EngineBlock, Digested<EngineBlock>>
    {
        marshal::Config {
            provider: self.schemes.clone(),
            epocher: self.epocher.clone(),
            start,
            partition_prefix: format!("{}-marshal", self.config.prefix),
            mailbox_size: NZUsize!(1_024),
            view_retention: ViewDelta::new(limits::views_kept(self.config.epoch_blocks.get())),
            prunable_items_per_section: CACHE_SECTION,
            page_cache: self.cache.clone(),
            replay_buffer: REPLAY_BYTES,
            key_write_buffer: WRITE_BYTES,
            value_write_buffer: WRITE_BYTES,
            block_codec_config: self.config.codec,
            max_repair: NZUsize!(8),
            max_pending_acks: NZUsize!(MAX_UNACKNOWLEDGED),
            strategy: Sequential,
        }
    }

    fn buffer_config<D: Provider<PublicKey = PublicKey>>(
        &self,
        provider: D,
    ) -> buffered::Config<PublicKey, crate::block::BlockCodec, D, Sequential> {
        buffered::Config {
            public_key: self.config.secret.public_key(),
            mailbox_size: NZUsize!(1_024),
            deque_size: 8,
            priority: false,
            codec_config: self.config.codec,
            peer_provider: provider,
            strategy: Sequential,
        }
    }

    fn resolver_config<B, D>(&self, provider: D, blocker: B) -> resolver::p2p::Config<PublicKey, D, B>
    where
        B: Blocker<PublicKey = PublicKey>,
        D: Provider<PublicKey = PublicKey>,
    {
        let timing = self.config.timing;
        let timeout = Duration::from_millis(timing.fetch_timeout_ms);
        resolver::p2p::Config {
            public_key: self.config.secret.public_key(),
            peer_provider: provider,
            blocker,
            mailbox_size: NZUsize!(1_024),
            fetch_timeout: NonZeroDuration::new_panic(timeout),
            fetch_retry_delay: Duration::from_millis(timing.fetch_retry_ms),
            priority_requests: false,
            priority_responses: false,
        }
    }
}

/// Where the consensus goes on after the blocks of the store.
async fn resume(marshal: &Marshal, epocher: &FixedEpocher, genesis: Delivered) -> Result<Start, EngineFault> {
    let processed = marshal.get_processed().await.map_or(0, |processed| processed.height().get());
    let epoch = epoch_of(epocher, processed.saturating_add(1))?;
    let first = epocher.first(Epoch::new(epoch)).map_or(0, |height| height.get());
    let Some(before) = first.checked_sub(1) else {
        return Start::after(epocher, genesis, None);
    };
    // The block before the epoch is what its consensus starts from, unless it was deleted meanwhile or never fetched.
    if let Some(block) = marshal.get_block(Height::new(before)).await {
        let hash = block.inner().hash();
        return Start::after(epocher, Delivered { height: before, hash }, None);
    }
    for height in (first..=processed).rev().take(CERTIFICATES_SEARCHED) {
        if let Some(certificate) = marshal.get_finalization(Height::new(height)).await {
            let hash = certificate::block_hash(&certificate.proposal);
            return Start::after(epocher, Delivered { height, hash }, Some(certificate));
        }
    }
    Err(behind(before))
}
