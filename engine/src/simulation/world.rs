//! The simulated network and the validators on it.

use super::outcome::{Applied, Outcome};
use super::recorder::{Log, Recorder};
use super::settings::{Fault, LEDGER_ID, Link, Simulation, consensus_key, consensus_secret};
use super::time::Time;
use crate::application::Application;
use crate::block::BlockCodec;
use crate::fault::EngineFault;
use crate::foundation::NodeConfig;
use crate::inbox::Inbox as GossipInbox;
use crate::keys::{self, private_key};
use crate::network::{BLOCKED_FOR, Channels, Peers, max_message_bytes, quotas};
use crate::node::{self, Control};
use commonware_consensus::simplex::mocks::conflicter::{self, Conflicter};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Sha256, Signer as _};
use commonware_p2p::simulated::{self, Network, Oracle};
use commonware_p2p::utils::mux::Muxer;
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::{NZUsize, Probability};
use futures::channel::{mpsc, oneshot};
use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Context = deterministic::Context;

/// Gives the application of a validator.
pub(super) type Make<'a> = Box<dyn FnMut(usize, Time) -> Box<dyn Application> + 'a>;

/// Every validator is connected to from the start.
struct Everybody;

impl Peers for Everybody {
    fn track(&mut self, _: u64, _: &[[u8; 32]]) {}
}

type SimulatedChannels = Channels<
    simulated::Sender<PublicKey, Context>,
    simulated::Receiver<PublicKey>,
    simulated::Control<PublicKey, Context>,
    simulated::Manager<PublicKey, Context>,
    Everybody,
>;

/// A validator that runs.
struct Life {
    task: Handle<()>,
    // Dropping it stops the engine.
    _stop: oneshot::Sender<()>,
}

/// A validator, dead or alive.
struct Node {
    key: PublicKey,
    log: Log,
    life: Option<Life>,
    /// Starts so far; part of the names of its tasks.
    lives: usize,
    /// Part of the names of its engine's store.
    store: usize,
}

/// The network and the validators.
pub(super) struct World<'a> {
    context: Context,
    settings: &'a Simulation,
    make: Make<'a>,
    oracle: Oracle<PublicKey, Context>,
    nodes: Vec<Node>,
    link: Link,
    /// What is linked, from the first index to the second.
    links: BTreeMap<(usize, usize), Link>,
    /// The validators on one side of the partition; empty: there is none.
    island: Vec<usize>,
    /// Who blocks whom, and for how long it has been seen.
    blocked: BTreeMap<(PublicKey, PublicKey), Duration>,
    stopped: Arc<Mutex<Vec<(usize, EngineFault)>>>,
}

impl<'a> World<'a> {
    pub async fn new(context: Context, settings: &'a Simulation, make: Make<'a>) -> Self {
        let nodes: Vec<Node> = (0..settings.validators).map(node_of).collect();
        let count = NonZeroUsize::new(nodes.len()).expect("a simulation has validators");
        let config = simulated::Config {
            max_size: max_message_bytes(&codec(settings)),
            max_peers_per_set: count,
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let keys: Vec<_> = nodes.iter().map(|node| node.key.clone()).collect();
        let (network, oracle) = Network::new_with_peers(context.child("network"), config, keys).await;
        network.start();
        let (link, stopped) = (settings.link, Arc::default());
        let (links, island, blocked) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut world =
            Self { context, settings, make, oracle, nodes, link, links, island, blocked, stopped };
        world.connect().await;
        for index in 0..world.nodes.len() {
            world.start(index).await;
        }
        world
    }

    pub async fn pass(&mut self, time: Duration) {
        self.context.sleep(time).await;
        self.forgive(time).await;
    }

    /// Ends blocks after the time that the real network has for them; the simulated one knows no end.
    async fn forgive(&mut self, passed: Duration) {
        let blocked = self.oracle.blocked().await.expect("the network runs");
        for (from, to) in blocked {
            let since = self.blocked.entry((from.clone(), to.clone())).or_default();
            *since += passed;
            if *since >= BLOCKED_FOR {
                self.blocked.remove(&(from.clone(), to.clone()));
                self.oracle.unblock(from, to).await.expect("the network runs");
            }
        }
    }

    pub fn applied(&self) -> Vec<Vec<Applied>> {
        self.nodes.iter().map(|node| node.log.copy()).collect()
    }

    pub fn outcome(&self, reached: bool, elapsed_ms: u64) -> Outcome {
        let stopped = self.stopped.lock().expect("no thread panics while it holds this").clone();
        let trace = self.context.auditor().state();
        Outcome { applied: self.applied(), reached, elapsed_ms, trace, stopped }
    }

    pub async fn suffer(&mut self, fault: &Fault) {
        match fault {
            Fault::Links(link) => self.link = *link,
            Fault::Partition(island) => self.island.clone_from(island),
            Fault::Heal => self.island.clear(),
            Fault::Crash(index) => return self.crash(*index),
            Fault::Restart(index) => return self.start(*index).await,
            Fault::RestartEmpty(index) => {
                self.nodes[*index].store += 1;
                return self.start(*index).await;
            }
        }
        self.connect().await;
    }

    /// Sets the links to the quality and the partition of now. A link that stays as it is is left alone, and one
    /// that changes is never gone for a moment: a fault loses only what it says that it loses.
    async fn connect(&mut self) {
        for (i, from) in self.nodes.iter().enumerate() {
            for (j, to) in self.nodes.iter().enumerate() {
                let joined = i != j && self.island.contains(&i) == self.island.contains(&j);
                let wanted = joined.then_some(self.link);
                let present = self.links.get(&(i, j)).copied();
                if present == wanted {
                    continue;
                }
                let (from, to) = (from.key.clone(), to.key.clone());
                let remove = async {
                    if present.is_some() {
                        self.oracle.remove_link(from.clone(), to.clone()).await.expect("it is linked");
                    }
                };
                let add = async {
                    if let Some(link) = wanted {
                        let link = simulated_link(link);
                        self.oracle.add_link(from.clone(), to.clone(), link).await.expect("it is not linked");
                    }
                };
                // Both stand in the network's queue before it handles either.
                futures::join!(remove, add);
                match wanted {
                    Some(link) => self.links.insert((i, j), link),
                    None => self.links.remove(&(i, j)),
                };
            }
        }
    }

    fn crash(&mut self, index: usize) {
        if let Some(life) = self.nodes[index].life.take() {
            life.task.abort();
        }
    }

    async fn start(&mut self, index: usize) {
        self.crash(index);
        let node = &mut self.nodes[index];
        node.lives += 1;
        let context = self.context.child("node").with_attribute("index", index);
        let context = context.with_attribute("life", node.lives);
        let channels = channels(&self.oracle, &node.key).await;
        let (stop, stopped) = oneshot::channel();
        let task = if self.settings.double_voter == Some(index) {
            vote_twice(context, self.settings, index, channels)
        } else {
            let config = config(self.settings, index, node.store);
            let application = (self.make)(index, Time::new(self.context.child("time")));
            let recorder = Recorder { application, log: node.log.clone() };
            let faults = self.stopped.clone();
            context.spawn(move |context| async move {
                let (_prune, prune) = mpsc::unbounded();
                let (ready, _ready) = oneshot::channel();
                let control = Control { stop: stopped, prune, ready };
                let application = Arc::new(Mutex::new(recorder));
                let ended = node::run(context.child("validator"), config, channels, application, control);
                if let Err(fault) = ended.await {
                    faults.lock().expect("no thread panics while it holds this").push((index, fault));
                }
            })
        };
        node.life = Some(Life { task, _stop: stop });
    }
}

fn node_of(index: usize) -> Node {
    let key = private_key(&consensus_secret(index)).public_key();
    Node { key, log: Log::default(), life: None, lives: 0, store: 0 }
}

fn simulated_link(link: Link) -> simulated::Link {
    simulated::Link {
        latency: Duration::from_millis(link.latency_ms),
        jitter: Duration::from_millis(link.jitter_ms),
        success_rate: Probability::new(100 - u64::from(link.loss_percent), 100)
            .expect("a share of a hundred"),
    }
}

fn codec(settings: &Simulation) -> BlockCodec {
    BlockCodec { max_bytes: settings.max_block_bytes, context: settings.decode }
}

fn config(settings: &Simulation, index: usize, store: usize) -> NodeConfig {
    NodeConfig {
        ledger_id: LEDGER_ID,
        secret: private_key(&consensus_secret(index)),
        codec: codec(settings),
        epoch_blocks: NonZeroU64::new(settings.epoch_blocks).expect("epochs have blocks"),
        blocks_kept: crate::blocks_kept(settings.epoch_blocks),
        timing: settings.timing,
        prefix: format!("node-{index}-{store}"),
        cache_pages: NZUsize!(64),
        start: None,
        witness: None,
        letters: if settings.shares_queue_bounds {
            GossipInbox::with_shared_bounds()
        } else {
            GossipInbox::default()
        },
    }
}

async fn channels(oracle: &Oracle<PublicKey, Context>, key: &PublicKey) -> SimulatedChannels {
    let control = oracle.control(key.clone());
    let mut registered = Vec::new();
    for (number, quota) in (0..).zip(quotas()) {
        registered.push(control.register(number, quota).await.expect("the network runs"));
    }
    let mut registered = registered.into_iter();
    let mut next = || registered.next().expect("there are six");
    Channels {
        votes: next(),
        certificates: next(),
        requests: next(),
        blocks: next(),
        backfill: next(),
        gossip: next(),
        blocker: control,
        provider: oracle.manager(),
        peers: Everybody,
    }
}

/// A validator that signs two votes for each that it hears.
fn vote_twice(
    context: Context,
    settings: &Simulation,
    index: usize,
    channels: SimulatedChannels,
) -> Handle<()> {
    let validators: Vec<_> = (0..settings.validators).map(consensus_key).collect();
    let scheme = keys::scheme(&LEDGER_ID, &validators, &private_key(&consensus_secret(index)));
    let scheme = scheme.expect("the keys of the simulation are a validator set");
    context.spawn(move |context| async move {
        let (sender, receiver) = channels.votes;
        let (mux, mut handle) = Muxer::new(context.child("votes"), sender, receiver);
        mux.start();
        let votes = handle.register(0).await.expect("the first of its number");
        let config = conflicter::Config { scheme };
        let _ = Conflicter::<_, _, Sha256>::new(context.child("conflicter"), config).start(votes).await;
    })
}
