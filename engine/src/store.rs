//! The engine's store of final blocks and certificates, in sections that can be deleted.

use crate::block::{BlockCodec, EngineBlock};
use crate::certificate;
use crate::delivery::finalise;
use crate::fault::EngineFault;
use crate::keys::{Digest, Finalization, MAX_VALIDATORS};
use crate::limits::SECTION_BLOCKS;
use crate::runtime::Runtime;
use crate::shared::Shared;
use commonware_codec::CodecShared;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::archive::{Archive as _, Identifier, prunable};
use commonware_storage::translator::EightCap;
use commonware_utils::NZUsize;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Bytes that are read at once when a journal is replayed.
pub(crate) const REPLAY_BYTES: NonZeroUsize = NZUsize!(4 << 20);

/// Bytes that are gathered before they are written.
pub(crate) const WRITE_BYTES: NonZeroUsize = NZUsize!(1 << 20);

type Archive<E, V> = prunable::Archive<EightCap, E, Digest, V>;

/// What was final when the engine was last running.
pub(crate) struct Store<E: Runtime> {
    pub blocks: Archive<E, Arc<EngineBlock>>,
    pub certificates: Archive<E, Finalization>,
}

impl<E: Runtime> Store<E> {
    pub async fn open(
        runtime: &E,
        prefix: &str,
        codec: &BlockCodec,
        cache: &CacheRef,
    ) -> Result<Self, String> {
        let signers = MAX_VALIDATORS as usize;
        Ok(Self {
            blocks: open(runtime.child("blocks"), prefix, "blocks", *codec, cache).await?,
            certificates: open(runtime.child("certificates"), prefix, "certificates", signers, cache).await?,
        })
    }

    /// Applies what the engine has and the application has not: its store was rebuilt, or written less often.
    pub async fn replay(&self, runtime: &E, shared: &Shared, applied: u64) -> Result<(), EngineFault> {
        let mut height = applied.saturating_add(1);
        while let Some(block) = read(&self.blocks, height).await? {
            let certificate = read(&self.certificates, height).await?;
            let certificate = certificate.map(|c| certificate::encode(&c));
            finalise(runtime, shared, EngineBlock::clone(&block), certificate).await?;
            height = height.saturating_add(1);
        }
        Ok(())
    }

    /// Whether no block is stored.
    pub fn is_empty(&self) -> bool {
        self.blocks.last_index().is_none()
    }
}

async fn open<E: Runtime, V: CodecShared>(
    runtime: E,
    prefix: &str,
    name: &str,
    codec_config: V::Cfg,
    cache: &CacheRef,
) -> Result<Archive<E, V>, String> {
    let partition = |part| format!("{prefix}-{name}-{part}");
    let config = prunable::Config {
        translator: EightCap,
        metadata_partition: partition("metadata"),
        key_partition: partition("keys"),
        key_page_cache: cache.clone(),
        value_partition: partition("values"),
        compression: None,
        codec_config,
        items_per_section: SECTION_BLOCKS,
        key_write_buffer: WRITE_BYTES,
        value_write_buffer: WRITE_BYTES,
        replay_buffer: REPLAY_BYTES,
    };
    let opened = prunable::Archive::init(runtime, config).await;
    opened.map_err(|error| format!("the engine's store of {name} cannot be opened: {error}"))
}

async fn read<E: Runtime, V: CodecShared>(archive: &Archive<E, V>, height: u64) -> Result<Option<V>, String> {
    let found = archive.get(Identifier::Index(height)).await;
    found.map_err(|error| format!("the engine's store cannot be read at height {height}: {error}"))
}
