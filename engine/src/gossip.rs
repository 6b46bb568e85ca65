//! Messages among validators outside of the consensus: best effort, bounded in size and rate.

use crate::application::{Application, MAX_GOSSIP_BYTES};
use crate::keys::key_bytes;
use crate::runtime::Runtime;
use crate::shared::Shared;
use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Quota;
use commonware_utils::NZU32;
use std::collections::VecDeque;
use std::time::Duration;

/// How often the application is asked for messages.
const TICK: Duration = Duration::from_millis(10);

/// Messages of one tick. With the tick it stays below the quota, at which the network would drop silently.
const MESSAGES_A_TICK: usize = 2;

/// Most messages a second to and from one peer.
pub(crate) fn quota() -> Quota {
    Quota::per_second(NZU32!(256))
}

/// Hands messages of peers to the application.
pub(crate) async fn receive<E, R>(runtime: E, shared: Shared, mut receiver: R)
where
    E: Runtime,
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((peer, message)) = receiver.recv().await {
        if message.len() > MAX_GOSSIP_BYTES {
            tracing::warn!(%peer, bytes = message.len(), "a peer's message is above the bound");
            continue;
        }
        let from = key_bytes(&peer);
        let take = move |a: &mut dyn Application| a.receive(&from, message.as_ref());
        if shared.call(&runtime, take).await.is_err() {
            return;
        }
    }
}

/// Sends the application's messages to all validators that are connected.
pub(crate) async fn send<E, S>(runtime: E, shared: Shared, mut sender: S)
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
{
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Ok(messages) = shared.call(&runtime, |a| a.take_gossip()).await else { return };
            waiting.extend(messages);
        }
        let count = MESSAGES_A_TICK.min(waiting.len());
        for message in waiting.drain(..count) {
            // A longer message would make the network panic.
            if message.len() > MAX_GOSSIP_BYTES {
                tracing::error!(bytes = message.len(), "the application's message is above the bound");
                continue;
            }
            let _ = sender.send(Recipients::All, Bytes::from(message), false);
        }
        runtime.sleep(TICK).await;
    }
}
