//! Sending a bid: a fresh envelope for each recipient and each try, the same bid inside.

use super::delivery::{Answer, Target};
use rand_core::OsRng;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_api::{NodeStatus, StatusReport};
use veilgrid_client::{Client, ClientError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopePublicKey;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::member::envelope_for;

/// The answer to an envelope.
pub type Posted<'a> = Pin<Box<dyn Future<Output = Result<Receipt, PostError>> + Send + 'a>>;

/// How envelopes get to nodes. A trait, so that a participant can be tested without a network.
pub trait Post: Send + Sync + 'static {
    /// Hands an envelope to a node and returns its receipt, unchecked.
    fn post(&self, to: Target, envelope: Vec<u8>) -> Posted<'_>;
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nobody knows where that validator is.
    #[error("no configured address is that of validator {number}")]
    NoAddress {
        /// The validator.
        number: u16,
    },
    /// The ledger has no usable envelope key for the recipient.
    #[error("the ledger has no envelope key for this recipient")]
    NoKey,
}

impl PostError {
    /// What it means for the delivery. Only a refusal of the envelope itself lasts: all others may be about the
    /// moment, because a node can be behind or busy.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Client(ClientError::Refused { status: 400 | 403 | 413 | 422, .. }) | Self::NoKey => {
                Answer::Refused
            }
            Self::Client(ClientError::Refused { status: 425, .. }) => Answer::Early,
            Self::Client(error) if error.is_misbehaviour() => Answer::Refused,
            Self::Client(_) | Self::NoAddress { .. } => Answer::Failed,
        }
    }
}

/// Seals a bid to a recipient's key as the ledger names it.
///
/// # Errors
/// [`PostError::NoKey`].
pub fn envelope(state: &State, to: Target, bid: &SealedBid) -> Result<Vec<u8>, PostError> {
    let community = state.community();
    let key = match to {
        Target::Aggregator => Some(community.genesis().aggregator_envelope_key),
        Target::Validator(number) => number
            .checked_sub(1)
            .and_then(|index| state.roster().validators.get(usize::from(index)))
            .map(|entry| entry.envelope_key),
    };
    let key = key.and_then(|bytes| EnvelopePublicKey::from_bytes(&bytes).ok()).ok_or(PostError::NoKey)?;
    Ok(envelope_for(&key, &community.ledger_id(), bid, &mut OsRng))
}

/// The nodes' addresses.
pub struct HttpPost {
    aggregator: Client,
    validators: Vec<Client>,
    /// Number of a validator → its client, as the nodes say. A node that lies about its number gets envelopes that it
    /// can't open.
    numbers: Mutex<BTreeMap<u16, Client>>,
}

impl HttpPost {
    /// The aggregator, and validators in any order.
    pub fn new(aggregator: Client, validators: Vec<Client>) -> Arc<Self> {
        Arc::new(Self { aggregator, validators, numbers: Mutex::default() })
    }

    /// Asks the validators for their numbers.
    pub async fn learn_numbers(&self) {
        for client in &self.validators {
            match client.status().await {
                Ok(NodeStatus { node: StatusReport { index: Some(number), .. }, .. }) => {
                    self.numbers().insert(number, client.clone());
                }
                Ok(_) => {
                    tracing::debug!(node = client.name(), "the node does not say that it is a validator")
                }
                Err(error) => tracing::debug!(%error, "a validator does not say its number"),
            }
        }
    }

    fn numbers(&self) -> std::sync::MutexGuard<'_, BTreeMap<u16, Client>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn client_of(&self, to: Target) -> Result<Client, PostError> {
        let Target::Validator(number) = to else { return Ok(self.aggregator.clone()) };
        let known = self.numbers().get(&number).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        self.learn_numbers().await;
        self.numbers().get(&number).cloned().ok_or(PostError::NoAddress { number })
    }
}

impl Post for HttpPost {
    fn post(&self, to: Target, envelope: Vec<u8>) -> Posted<'_> {
        Box::pin(async move {
            let posted = self.client_of(to).await?.submit_bid(envelope).await;
            if let (Target::Validator(number), Err(_)) = (to, &posted) {
                // The validators may have changed: next time everybody is asked again.
                self.numbers().remove(&number);
            }
            Ok(posted?)
        })
    }
}
