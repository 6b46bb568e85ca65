//! Where a follower's blocks come from.

use crate::{Client, ClientError};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use veilgrid_api::CertifiedBlock;

/// The answer of a source.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<CertifiedBlock>, ClientError>> + Send + 'a>>;

/// Where blocks come from. A trait, so that a follower can be tested against sources that lie in every way.
pub trait Fetch: Send + Sync + 'static {
    /// The name, for logs.
    fn name(&self) -> &str;

    /// At most `most` blocks from `from` on; waits up to `wait` for the first one.
    fn fetch(&self, from: u64, most: usize, wait: Duration) -> Fetched<'_>;
}

impl Fetch for Client {
    fn name(&self) -> &str {
        Client::name(self)
    }

    fn fetch(&self, from: u64, most: usize, wait: Duration) -> Fetched<'_> {
        Box::pin(self.blocks(from, most, wait))
    }
}
