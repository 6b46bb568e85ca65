//! Epochs: each has its own consensus among its own validators, which ends with the epoch's last block.
//!
//! A node that is no validator of an epoch runs the same consensus without a vote: it follows by the certificates.
//! A node that is an epoch behind hears its peers speak of a later one and asks them for the end of its own.

use crate::application::{Application, VoteWitness};
use crate::automaton::Automaton;
use crate::block::EngineBlock;
use crate::config::Timing;
use crate::delivery::{Delivered, Marshal};
use crate::fault::EngineFault;
use crate::keys::{self, Digest, Finalization, Scheme};
use crate::limits::VOTED_VIEWS_KEPT;
use crate::network::Peers;
use crate::runtime::Runtime;
use crate::schemes::Schemes;
use crate::shared::{Faults, Shared};
use crate::store::{REPLAY_BYTES, WRITE_BYTES};
use crate::witness::Witnessing;
use commonware_consensus::marshal::standard::Inline;
use commonware_consensus::simplex::{self, Floor, elector::RoundRobin};
use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, Height, ViewDelta};
use commonware_cryptography::{Sha256, ed25519::PublicKey};
use commonware_p2p::utils::mux::MuxHandle;
use commonware_p2p::{Blocker, Message, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_utils::channel::mpsc as channel;
use commonware_utils::{NZUsize, NonZeroDuration, vec::NonEmptyVec};
use futures::StreamExt as _;
use futures::channel::mpsc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where the consensus starts: an epoch and the block or certificate that it builds on.
pub(crate) struct Start {
    pub epoch: u64,
    pub floor: Floor<Scheme, Digest>,
}

impl Start {
    /// After a final block, given with the certificate that proves it if there is one.
    pub fn after(
        epocher: &FixedEpocher,
        last: Delivered,
        certificate: Option<Finalization>,
    ) -> Result<Self, EngineFault> {
        let epoch = epoch_of(epocher, last.height.saturating_add(1))?;
        let is_first = epocher.first(Epoch::new(epoch)) == Some(Height::new(last.height + 1));
        let floor = match certificate {
            // The last block of an epoch is what the next epoch begins with.
            _ if is_first || last.height == 0 => Floor::Genesis(keys::digest(&last.hash)),
            Some(certificate) => Floor::Finalized(certificate),
            None => return Err(crate::delivery::behind(last.height)),
        };
        Ok(Self { epoch, floor })
    }
}

/// The epoch of a height.
pub(crate) fn epoch_of(epocher: &FixedEpocher, height: u64) -> Result<u64, String> {
    let info = epocher.containing(Height::new(height));
    info.map(|info| info.epoch().get()).ok_or_else(|| format!("height {height} has no epoch"))
}

/// The sub-channels of the three channels of the consensus, one of each per epoch.
pub(crate) struct EpochChannels<S: Sender<PublicKey = PublicKey>> {
    pub votes: MuxHandle<S>,
    pub certificates: MuxHandle<S>,
    pub requests: MuxHandle<S>,
}

/// Runs the consensus of one epoch after the other.
pub(crate) struct Epochs<E, S, B, P>
where
    S: Sender<PublicKey = PublicKey>,
{
    pub runtime: E,
    pub shared: Shared,
    pub faults: Faults,
    pub schemes: Schemes,
    pub epocher: FixedEpocher,
    pub marshal: Marshal,
    pub automaton: Automaton,
    pub channels: EpochChannels<S>,
    pub blocker: B,
    pub peers: PeerSets<P>,
    pub timing: Timing,
    /// Is told of this validator's own votes.
    pub witness: Option<Arc<dyn VoteWitness>>,
    pub prefix: String,
    pub cache: CacheRef,
    /// The epoch that runs.
    pub current: Arc<AtomicU64>,
}

impl<E, S, B, P> Epochs<E, S, B, P>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Peers,
{
    /// Runs until the engine stops.
    pub async fn run(mut self, start: Start, delivered: mpsc::UnboundedReceiver<Delivered>) {
        if let Err(fault) = self.follow(start, delivered).await {
            self.shared.fail(fault);
        }
    }

    async fn follow(
        &mut self,
        start: Start,
        mut delivered: mpsc::UnboundedReceiver<Delivered>,
    ) -> Result<(), EngineFault> {
        let mut epoch = start.epoch;
        let mut consensus = self.begin(start).await?;
        while let Some(block) = delivered.next().await {
            let next = epoch_of(&self.epocher, block.height.saturating_add(1))?;
            self.meet(next).await?;
            // Blocks that come again after a restart are of epochs that are over.
            if next > epoch {
                consensus.abort();
                // Not of the one that has just ended: its tasks may still be writing.
                if let Some(past) = epoch.checked_sub(1) {
                    self.forget(past).await;
                }
                epoch = next;
                consensus = self.begin(Start::after(&self.epocher, block, None)?).await?;
            }
        }
        Ok(())
    }

    /// Learns the validators of an epoch and of the next, if they are known, and connects to them.
    async fn meet(&mut self, epoch: u64) -> Result<(), String> {
        let ask = move |a: &mut dyn Application| {
            (a.consensus_keys(epoch), a.consensus_keys(epoch.saturating_add(1)))
        };
        let Ok((now, next)) = self.shared.call(&self.runtime, ask).await else { return Ok(()) };
        let now = now.ok_or_else(|| format!("the validators of epoch {epoch} are not known"))?;
        let mut union = now.clone();
        self.learn(epoch, &now)?;
        if let Some(next) = next {
            self.learn(epoch.saturating_add(1), &next)?;
            union.extend(next);
        }
        self.peers.track(union);
        Ok(())
    }

    fn learn(&self, epoch: u64, validators: &[[u8; 32]]) -> Result<(), String> {
        let learnt = self.schemes.learn(epoch, validators);
        learnt.map_err(|fault| format!("the validators of epoch {epoch}: {fault}"))
    }

    /// Starts the consensus of an epoch.
    async fn begin(&mut self, start: Start) -> Result<Handle<()>, EngineFault> {
        let epoch = start.epoch;
        self.meet(epoch).await?;
        let scheme = self.schemes.get(epoch).ok_or("the engine is stopping")?;
        self.current.store(epoch, Ordering::Relaxed);
        tracing::info!(epoch, votes = keys::signs(&scheme), "consensus of an epoch starts");
        if let Some(witness) = &self.witness {
            witness.begins(epoch).map_err(EngineFault::witness)?;
        }
        let votes = self.channels.votes.register(epoch).await.map_err(closed)?;
        let certificates = self.channels.certificates.register(epoch).await.map_err(closed)?;
        let requests = self.channels.requests.register(epoch).await.map_err(closed)?;
        let config = self.config(start, Scheme::clone(&scheme));
        // The task owns what it starts: to abort it ends the whole consensus of the epoch without a report.
        let runtime = self.runtime.child("epoch").with_attribute("epoch", epoch);
        let faults = self.faults.clone();
        Ok(runtime.spawn(move |runtime| async move {
            let engine = simplex::Engine::new(runtime.child("consensus"), config);
            let _ = engine.start(votes, certificates, requests).await;
            faults.report(format!("the consensus of epoch {epoch} ended"));
        }))
    }

    fn config(&self, start: Start, scheme: Scheme) -> Settings<B, Wrapped<E>, Witnessing<Wrapped<E>>> {
        let runtime = self.runtime.child("automaton").with_attribute("epoch", start.epoch);
        let wrapped =
            Inline::new(runtime, self.automaton.clone(), self.marshal.clone(), self.epocher.clone());
        let (timing, ms) = (self.timing, Duration::from_millis);
        let reporter = Witnessing {
            inner: wrapped.clone(),
            witness: self.witness.clone(),
            me: keys::place(&scheme),
            faults: self.faults.clone(),
        };
        simplex::Config {
            scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.blocker.clone(),
            automaton: wrapped.clone(),
            relay: wrapped,
            reporter,
            track_historical_votes: false,
            strategy: Sequential,
            partition: partition(&self.prefix, start.epoch),
            mailbox_size: NZUsize!(1_024),
            epoch: Epoch::new(start.epoch),
            floor: start.floor,
            replay_buffer: REPLAY_BYTES,
            write_buffer: WRITE_BYTES,
            page_cache: self.cache.clone(),
            leader_timeout: ms(timing.leader_timeout_ms),
            certification_timeout: ms(timing.certification_timeout_ms),
            timeout_retry: ms(timing.retry_ms),
            view_retention: ViewDelta::new(VOTED_VIEWS_KEPT),
            skip: simplex::SkipPolicy::Enabled {
                timeout: ms(timing.skip_after_ms),
                budget: simplex::SkipBudget::Participants,
            },
            fetch_timeout: NonZeroDuration::new_panic(ms(timing.fetch_timeout_ms)),
            fetch_retry_delay: ms(timing.fetch_retry_ms),
            forward: simplex::ForwardPolicy::Disabled,
        }
    }

    /// Deletes the votes of an epoch that is over.
    async fn forget(&mut self, epoch: u64) {
        if let Err(error) = self.runtime.remove(&partition(&self.prefix, epoch), None).await {
            tracing::debug!(epoch, %error, "the votes of a past epoch stay on disk");
        }
    }
}

type Settings<B, W, R> = simplex::Config<Scheme, RoundRobin<Sha256>, B, Digest, W, W, R, Sequential>;

type Wrapped<E> = Inline<E, Scheme, Automaton, EngineBlock, FixedEpocher>;

fn partition(prefix: &str, epoch: u64) -> String {
    format!("{prefix}-consensus-{epoch}")
}

fn closed(error: commonware_p2p::utils::mux::Error) -> String {
    format!("a channel of the consensus is closed: {error}")
}

/// The peers that the network keeps connections to.
pub(crate) struct PeerSets<P> {
    network: P,
    tracked: Vec<[u8; 32]>,
    next_id: u64,
}

impl<P: Peers> PeerSets<P> {
    pub fn new(network: P) -> Self {
        Self { network, tracked: Vec::new(), next_id: 0 }
    }

    /// Connects to these keys, if they differ from those before.
    pub fn track(&mut self, mut keys: Vec<[u8; 32]>) {
        keys.sort_unstable();
        keys.dedup();
        if keys != self.tracked {
            self.network.track(self.next_id, &keys);
            self.next_id += 1;
            self.tracked = keys;
        }
    }
}

/// Asks peers that speak of a later epoch for the last block of this one.
pub(crate) async fn catch_up(
    marshal: Marshal,
    epocher: FixedEpocher,
    current: Arc<AtomicU64>,
    mut strangers: channel::Receiver<(u64, Message<PublicKey>)>,
) {
    while let Some((epoch, (peer, _))) = strangers.recv().await {
        let current = current.load(Ordering::Relaxed);
        if epoch <= current {
            continue;
        }
        if let Some(last) = epocher.last(Epoch::new(current)) {
            marshal.hint_finalized(last, NonEmptyVec::new(peer));
        }
    }
}
