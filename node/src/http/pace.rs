//! How a connection goes on: each step of a request and of its answer gives it time.

use super::connections::Connections;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Notes that a connection goes on.
#[derive(Clone)]
pub(super) struct Pace {
    pub(super) connections: Arc<Connections>,
    pub(super) id: u64,
}

impl Pace {
    /// A request is there and is being worked on.
    pub(super) fn works(&self) {
        let allowance = self.connections.allowance();
        self.allow(allowance.work.saturating_add(allowance.quiet));
    }

    /// So many bytes were handed to the connection, or none of an answer whose parts are still to come.
    pub(super) fn answers(&self, bytes: u64) {
        let allowance = self.connections.allowance();
        let reading_ms = bytes.saturating_mul(1000) / allowance.least_rate.max(1);
        self.allow(allowance.quiet.saturating_add(Duration::from_millis(reading_ms)));
    }

    fn allow(&self, time: Duration) {
        self.connections.allow(self.id, time);
    }

    /// Watches an answer: of one in parts each part is handed over when the peer has taken the one before.
    pub(super) fn watch(self, body: BoxBody) -> BoxBody {
        match body.size() {
            BodySize::None => {
                self.answers(0);
                body
            }
            BodySize::Sized(bytes) => {
                self.answers(bytes);
                body
            }
            BodySize::Stream => {
                self.answers(0);
                BoxBody::new(InParts { body, pace: self })
            }
        }
    }
}

struct InParts {
    body: BoxBody,
    pace: Pace,
}

impl MessageBody for InParts {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let part = Pin::new(&mut this.body).poll_next(context);
        if let Poll::Ready(Some(Ok(part))) = &part {
            this.pace.answers(part.len() as u64);
        }
        part
    }
}
