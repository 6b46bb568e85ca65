//! One validator: the parts of the engine put together, on any runtime and any network.

use crate::application::Application;
use crate::automaton::Automaton;
use crate::block::EngineBlock;
use crate::delivery::{Delivered, Delivery, Inbox, Marshal};
use crate::epochs::{EpochChannels, Epochs, PeerSets, Start, catch_up, epoch_of};
use crate::fault::EngineFault;
use crate::foundation::{Foundation, NodeConfig};
use crate::inbox::Lane;
use crate::network::{Channels, Peers};
use crate::order::BlockChannels;
use crate::runtime::{Runtime, guard};
use crate::schemes::Schemes;
use crate::shared::{Faults, Shared};
use crate::store::Store;
use commonware_consensus::types::{FixedEpocher, Height};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::utils::mux::{Builder as _, Muxer};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use futures::channel::{mpsc, oneshot};
use futures::{FutureExt as _, StreamExt as _, select_biased};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

/// How the owner of a node talks to it.
pub(crate) struct Control {
    pub stop: oneshot::Receiver<()>,
    pub prune: mpsc::UnboundedReceiver<u64>,
    /// Sent when all parts run.
    pub ready: oneshot::Sender<()>,
}

/// Runs a validator until it is stopped, or until it cannot go on.
pub(crate) async fn run<E, S, R, B, D, P>(
    runtime: E,
    config: NodeConfig,
    channels: Channels<S, R, B, D, P>,
    application: Arc<Mutex<dyn Application>>,
    control: Control,
) -> Result<(), EngineFault>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    D: Provider<PublicKey = PublicKey>,
    P: Peers,
{
    let (faults, mut fault) = Faults::new();
    let foundation = Foundation::new(runtime, config, application, faults);
    let started = foundation.build(channels).await;
    // A report says more than the error that it caused.
    let marshal = started.map_err(|error| fault.try_recv().unwrap_or(error))?;
    let Control { stop, mut prune, ready } = control;
    let _ = ready.send(());
    let mut stop = stop.fuse();
    loop {
        select_biased! {
            // Also when the owner is gone.
            _ = stop => return Ok(()),
            fault = fault.next() => return Err(fault.unwrap_or_else(|| "all parts ended".into())),
            height = prune.next() => if let Some(height) = height {
                marshal.prune(Height::new(height));
            },
        }
    }
}

impl<E: Runtime> Foundation<E> {
    fn new(runtime: E, config: NodeConfig, application: Arc<Mutex<dyn Application>>, faults: Faults) -> Self {
        Self {
            shared: Shared::new(application, faults.clone()),
            schemes: Schemes::new(config.ledger_id, config.secret.clone()),
            epocher: FixedEpocher::new(config.epoch_blocks),
            cache: CacheRef::new(page_size(4_096), config.cache_pages),
            runtime,
            config,
            faults,
        }
    }

    /// Starts everything.
    async fn build<S, R, B, D, P>(self, channels: Channels<S, R, B, D, P>) -> Result<Marshal, EngineFault>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
        D: Provider<PublicKey = PublicKey>,
        P: Peers,
    {
        let store = Store::open(&self.runtime, &self.config.prefix, &self.config.codec, &self.cache).await?;
        let ask = |a: &mut dyn Application| (EngineBlock::new(a.genesis()), a.height());
        let (genesis, applied) = self.ask(ask).await?;
        store.replay(&self.runtime, &self.shared, applied).await?;
        self.learn_epochs().await?;
        let blocks = BlockChannels {
            broadcast: channels.blocks,
            backfill: channels.backfill,
            blocker: channels.blocker.clone(),
            provider: channels.provider,
        };
        let (inbox, updates) = Inbox::new();
        let (marshal, start) = self.order(store, genesis, blocks, inbox).await?;
        let (delivered, deliveries) = mpsc::unbounded();
        let delivery = Delivery {
            runtime: self.runtime.child("delivery"),
            shared: self.shared.clone(),
            marshal: marshal.clone(),
            delivered,
            uncertified: BTreeSet::new(),
            blocks_kept: self.config.blocks_kept,
        };
        self.runtime.child("delivery").spawn(move |_| delivery.run(updates));
        let is_urgent = self.ask(|a| a.is_urgent()).await?;
        self.gossip(channels.gossip, is_urgent);
        let consensus = [channels.votes, channels.certificates, channels.requests];
        let peers = PeerSets::new(channels.peers);
        self.consensus(marshal.clone(), consensus, (channels.blocker, peers), start, deliveries);
        Ok(marshal)
    }

    fn gossip<S, R>(&self, (sender, receiver): (S, R), is_urgent: fn(&[u8]) -> bool)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let letters = self.config.letters.clone();
        for (name, lane) in [("gossip_urgent", Lane::Urgent), ("gossip_heavy", Lane::Heavy)] {
            let (shared, letters) = (self.shared.clone(), letters.clone());
            let lane = move |runtime| crate::gossip::handle(runtime, shared, letters, lane);
            self.runtime.child(name).spawn(lane);
        }
        let inward = self.runtime.child("gossip_in");
        inward.spawn(move |_| crate::gossip::receive(letters, is_urgent, receiver));
        let shared = self.shared.clone();
        let outward = self.runtime.child("gossip_out");
        outward.spawn(move |runtime| crate::gossip::send(runtime, shared, sender));
    }

    /// Starts the consensus over its three channels.
    fn consensus<S, R, B, P>(
        self,
        marshal: Marshal,
        [votes, certificates, requests]: [(S, R); 3],
        (blocker, peers): (B, PeerSets<P>),
        start: Start,
        deliveries: mpsc::UnboundedReceiver<Delivered>,
    ) where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
        P: Peers,
    {
        let context = self.runtime.child("votes");
        let (mux, votes, strangers) = Muxer::builder(context, votes.0, votes.1).with_backup().build();
        guard(&self.runtime, "channel of votes", mux.start(), &self.faults);
        let context = self.runtime.child("certificates_channel");
        let (mux, certificates) = Muxer::new(context, certificates.0, certificates.1);
        guard(&self.runtime, "channel of certificates", mux.start(), &self.faults);
        let (mux, requests) = Muxer::new(self.runtime.child("requests"), requests.0, requests.1);
        guard(&self.runtime, "channel of requests", mux.start(), &self.faults);

        let current = Arc::new(AtomicU64::new(start.epoch));
        let catching = catch_up(marshal.clone(), self.epocher.clone(), current.clone(), strangers);
        self.runtime.child("catch_up").spawn(move |_| catching);
        let epochs = Epochs {
            runtime: self.runtime.child("epochs"),
            automaton: Automaton::new(self.shared.clone(), self.config.codec.max_bytes),
            shared: self.shared,
            faults: self.faults,
            schemes: self.schemes,
            epocher: self.epocher,
            marshal,
            channels: EpochChannels { votes, certificates, requests },
            blocker,
            peers,
            timing: self.config.timing,
            witness: self.config.witness,
            prefix: self.config.prefix,
            cache: self.cache,
            current,
        };
        self.runtime.child("epochs").spawn(move |_| epochs.run(start, deliveries));
    }

    /// Learns the validators of all epochs up to the next one: a peer may be asked for certificates of any of them.
    async fn learn_epochs(&self) -> Result<(), String> {
        let height = self.ask(|a| a.height()).await?;
        let next = epoch_of(&self.epocher, height.saturating_add(1))?.saturating_add(1);
        for epoch in 0..=next {
            if let Some(validators) = self.ask(move |a| a.consensus_keys(epoch)).await? {
                let learnt = self.schemes.learn(epoch, &validators);
                learnt.map_err(|fault| format!("the validators of epoch {epoch}: {fault}"))?;
            }
        }
        Ok(())
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Application) -> T + Send + 'static,
    ) -> Result<T, String> {
        let answer = self.shared.call(&self.runtime, question).await;
        answer.map_err(|_| "the application does not answer".to_owned())
    }
}
