//! Sending envelopes with bids over HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_actors::member::{NoReceipt, Post, Posted, Submitted};
use veilgrid_api::{NodeStatus, StatusReport};
use veilgrid_client::{Client, ClientError};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::member::{Answer, Target};

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
}

impl PostError {
    /// What it means for the delivery. Only a refusal of the envelope itself lasts: all others may be about the
    /// moment, because a node can be behind or busy.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Client(ClientError::Refused { status: 400 | 403 | 413 | 422, .. }) => Answer::Refused,
            Self::Client(ClientError::Refused { status: 425, .. }) => Answer::Early,
            Self::Client(error) if error.is_misbehaviour() => Answer::Refused,
            Self::Client(_) | Self::NoAddress { .. } => Answer::Failed,
        }
    }
}

impl From<PostError> for NoReceipt {
    fn from(error: PostError) -> Self {
        Self { answer: error.answer(), why: error.to_string() }
    }
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
            let posted = self.client_of(to).await?.submit_bid(envelope).await.map_err(PostError::from);
            if let (Target::Validator(number), Err(_)) = (to, &posted) {
                // The validators may have changed: next time everybody is asked again.
                self.numbers().remove(&number);
            }
            Ok(posted?)
        })
    }

    /// Validators hand it on to each other, so that one that takes it is enough.
    fn submit(&self, transaction: Transaction) -> Submitted<'_> {
        Box::pin(async move {
            let bytes = transaction.to_bytes();
            let mut refusals = Vec::new();
            for client in &self.validators {
                match client.submit_transaction(bytes.clone()).await {
                    Ok(()) => return Ok(()),
                    Err(error) => refusals.push(error.to_string()),
                }
            }
            Err(refusals.join("; "))
        })
    }
}
