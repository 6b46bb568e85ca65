//! The channels among validators, and the real network behind them.

use crate::block::{BlockCodec, EngineBlock};
use crate::config::EngineConfig;
use crate::gossip;
use crate::keys::{self, Digest, MAX_VALIDATORS, Scheme};
use commonware_consensus::marshal::{self, standard::Standard};
use commonware_consensus::simplex;
use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::authenticated::lookup;
use commonware_p2p::utils::mux::prefixed;
use commonware_p2p::{Address, AddressableManager as _, max_message_size};
use commonware_runtime::{Quota, Supervisor as _, tokio};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::{NZU32, NZUsize, TryCollect as _, ordered::Map};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;
use veilgrid_ledger::finality::ConsensusKey;

/// Messages of each consensus channel from one peer in a second.
const CONSENSUS_QUOTA: u32 = 512;

/// Blocks, and requests for blocks, from one peer in a second.
const BLOCK_QUOTA: u32 = 64;

/// A peer that broke a rule is refused for this long. A rule can also be broken by accident, such as a changed disk,
/// and a set of four cannot do without one of its own for hours.
pub(crate) const BLOCKED_FOR: Duration = Duration::from_secs(60);

/// Who the network keeps connections to.
pub(crate) trait Peers: Send + 'static {
    /// From now on these; `id` grows by one with each call.
    fn track(&mut self, id: u64, keys: &[[u8; 32]]);
}

/// What an engine needs of a network.
pub(crate) struct Channels<S, R, B, D, P> {
    pub votes: (S, R),
    pub certificates: (S, R),
    pub requests: (S, R),
    pub blocks: (S, R),
    pub backfill: (S, R),
    pub gossip: (S, R),
    pub blocker: B,
    pub provider: D,
    pub peers: P,
}

/// Quotas of the channels in their order.
pub(crate) fn quotas() -> [Quota; 6] {
    let consensus = Quota::per_second(NZU32!(CONSENSUS_QUOTA));
    let blocks = Quota::per_second(NZU32!(BLOCK_QUOTA));
    [consensus, consensus, consensus, blocks, blocks, gossip::quota()]
}

/// Largest message of any channel.
pub(crate) fn max_message_bytes(codec: &BlockCodec) -> u32 {
    max_message_size(&[
        prefixed(simplex::max_payload_size::<Scheme, Digest>(MAX_VALIDATORS)),
        marshal::max_payload_size::<Standard<EngineBlock>, Scheme>(MAX_VALIDATORS, codec),
        crate::application::MAX_GOSSIP_BYTES,
    ])
}

type Handshake = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;

/// Addresses of peers, for the real network.
pub(crate) struct Addresses {
    oracle: lookup::Oracle<PublicKey>,
    addresses: BTreeMap<[u8; 32], SocketAddr>,
}

impl Peers for Addresses {
    fn track(&mut self, id: u64, keys: &[[u8; 32]]) {
        let mut known = Vec::new();
        for key in keys {
            match (keys::public_key(key), self.addresses.get(key)) {
                (Some(key), Some(address)) => known.push((key, Address::from(*address))),
                (Some(key), None) => {
                    tracing::warn!(%key, "no address is configured for a validator; it is not connected to");
                }
                (None, _) => {}
            }
        }
        let known: Result<Map<PublicKey, Address>, _> = known.into_iter().try_collect();
        match known {
            Ok(known) => drop(self.oracle.track(id, known)),
            Err(error) => tracing::error!(%error, "the validator set cannot be connected to"),
        }
    }
}

/// The channels of the real network.
pub(crate) type RealChannels = Channels<
    lookup::Sender<PublicKey, tokio::Context>,
    lookup::Receiver<PublicKey>,
    lookup::Oracle<PublicKey>,
    lookup::Oracle<PublicKey>,
    Addresses,
>;

/// Opens the real network.
pub(crate) fn open(context: &tokio::Context, config: &EngineConfig, codec: &BlockCodec) -> RealChannels {
    let secret = keys::private_key(&config.consensus_secret);
    let mut addresses: BTreeMap<_, _> = config.peers.iter().copied().collect();
    addresses.insert(ConsensusKey::from_seed(&config.consensus_secret).public(), config.listen);
    let settings = settings(config, secret, NonZeroUsize::MIN.saturating_add(addresses.len()), codec);
    let (mut network, oracle) = lookup::Network::new(context.child("network"), settings);
    let [votes, certificates, requests, blocks, backfill, gossip] = quotas();
    let channels = Channels {
        votes: network.register(0, votes),
        certificates: network.register(1, certificates),
        requests: network.register(2, requests),
        blocks: network.register(3, blocks),
        backfill: network.register(4, backfill),
        gossip: network.register(5, gossip),
        blocker: oracle.clone(),
        provider: oracle.clone(),
        peers: Addresses { oracle, addresses },
    };
    network.start();
    channels
}

fn settings(
    config: &EngineConfig,
    signer: PrivateKey,
    peers: NonZeroUsize,
    codec: &BlockCodec,
) -> lookup::Config<Handshake> {
    let handshake = Cups::new(
        Sake {
            signer,
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let namespace = keys::namespace(&config.ledger_id, "network");
    let bytes = max_message_bytes(codec);
    let mut settings =
        lookup::Config::recommended(handshake, &namespace, config.listen, peers, bytes, NZUsize!(1_024));
    // A network of an energy community often lives behind one router, and a validator there comes from an address
    // that is not the one it is reached at. Keys, not addresses, tell peers apart.
    settings.allow_private_ips = true;
    settings.bypass_ip_check = true;
    settings.allow_dns = false;
    settings.allowed_handshake_rate_per_ip = Quota::per_second(NZU32!(16));
    // A validator that restarts must be back before its next turn to lead.
    settings.peer_connection_cooldown = Duration::from_secs(1);
    settings.dial_timeout = Duration::from_secs(5);
    settings.dial_frequency = Duration::from_millis(250);
    settings.ping_frequency = Duration::from_secs(5);
    settings.block_duration = BLOCKED_FOR;
    settings
}
