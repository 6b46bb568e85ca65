//! Messages among validators outside of the consensus: best effort, bounded in size and rate.

use crate::application::{Application, MAX_GOSSIP_BYTES};
use crate::inbox::{Inbox, Lane};
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

/// Puts messages of peers into the inbox. It waits for nobody, so that the network's own queue, which all peers share
/// and which drops what it has no room for, stays empty.
pub(crate) async fn receive<R>(inbox: Inbox, is_urgent: fn(&[u8]) -> bool, mut receiver: R)
where
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((peer, message)) = receiver.recv().await {
        if message.len() > MAX_GOSSIP_BYTES {
            tracing::warn!(%peer, bytes = message.len(), "a peer's message is above the bound");
            continue;
        }
        let message = message.as_ref();
        let lane = if is_urgent(message) { Lane::Urgent } else { Lane::Heavy };
        if !inbox.push(lane, key_bytes(&peer), message.to_vec()) {
            tracing::debug!(%peer, "a peer's messages are not handled as fast as they come; one is dropped");
        }
    }
    inbox.close();
}

/// Hands the messages of a lane to the application, one at a time. What the application leaves to be done is done
/// outside of its mutex.
pub(crate) async fn handle<E: Runtime>(runtime: E, shared: Shared, inbox: Inbox, lane: Lane) {
    while let Some((from, message)) = inbox.next(lane).await {
        let take = move |a: &mut dyn Application| a.receive(&from, &message);
        let Ok(work) = shared.call(&runtime, take).await else { return };
        let Some(work) = work else { continue };
        let done = runtime.child("proofs").shared(true).spawn(move |_| work);
        if done.await.is_err() || shared.call(&runtime, |a| a.settle()).await.is_err() {
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
