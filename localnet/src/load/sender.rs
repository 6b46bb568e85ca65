//! Hands envelopes in, from several addresses of this machine at once.

use super::{LoadError, runtime};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::{OCTETS, Problem, paths};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_node::checks::wall_clock_unix_ms;

/// For an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Before a refused or failed envelope is sent again, when the answer names no time.
const PAUSE: Duration = Duration::from_millis(250);

/// Envelopes that come from one address.
pub struct Batch {
    /// The address that they are sent from.
    pub address: IpAddr,
    /// The envelopes.
    pub envelopes: Vec<Vec<u8>>,
    /// Requests under way at once.
    pub at_once: usize,
    /// Sends again what may be taken later, as a member does; otherwise the first answer counts.
    pub insists: bool,
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// From the first attempt to the last answer.
    pub after: Duration,
    /// Attempts.
    pub attempts: u32,
    /// The last answer.
    pub outcome: Outcome,
}

/// An answer to an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A receipt, as it came.
    Receipt(Vec<u8>),
    /// A refusal, by the kind of its problem (`invalid-proof`) or its HTTP status.
    Refused(String),
    /// No answer.
    Failed(String),
    /// Not sent: time was up, or somebody asked for the end.
    NotSent,
}

/// Sends all batches at once to `POST /v1/bids` at `url` and returns the answers in the order of the envelopes. Nothing
/// is sent after `until_unix_ms` or once `shutdown` is raised.
///
/// # Errors
/// [`LoadError::Start`], [`LoadError::Address`]. What single requests meet is in their answers.
pub fn send(
    url: &str,
    batches: Vec<Batch>,
    until_unix_ms: u64,
    shutdown: &Shutdown,
) -> Result<Vec<Vec<Answer>>, LoadError> {
    let url = format!("{url}{}", paths::BIDS);
    runtime()?.block_on(async {
        let mut answers: Vec<Vec<Answer>> = Vec::with_capacity(batches.len());
        let mut workers = JoinSet::new();
        for (place, batch) in batches.into_iter().enumerate() {
            answers.push(vec![not_sent(); batch.envelopes.len()]);
            let (at_once, line) = (batch.at_once.max(1), Arc::new(Line::new(&url, batch, until_unix_ms)?));
            for _ in 0..at_once {
                let (line, shutdown) = (Arc::clone(&line), shutdown.clone());
                workers.spawn(async move { (place, line.work(&shutdown).await) });
            }
        }
        while let Some(done) = workers.join_next().await {
            let (place, done) = done.map_err(|error| LoadError::Start(error.to_string()))?;
            for (index, answer) in done {
                if let Some(slot) = answers.get_mut(place).and_then(|batch| batch.get_mut(index)) {
                    *slot = answer;
                }
            }
        }
        Ok(answers)
    })
}

fn not_sent() -> Answer {
    Answer { after: Duration::ZERO, attempts: 0, outcome: Outcome::NotSent }
}

/// A batch that several workers take from.
struct Line {
    http: reqwest::Client,
    url: String,
    batch: Batch,
    next: AtomicUsize,
    until_unix_ms: u64,
}

impl Line {
    fn new(url: &str, batch: Batch, until_unix_ms: u64) -> Result<Self, LoadError> {
        let address = batch.address;
        // Whether the address can be bound is only seen at the first connection, as one failure among many.
        std::net::TcpListener::bind((address, 0))
            .map_err(|error| LoadError::Address { address, reason: error.to_string() })?;
        let http = reqwest::Client::builder().local_address(address).timeout(TIMEOUT).no_proxy().build();
        let http = http.map_err(|error| LoadError::Start(error.to_string()))?;
        Ok(Self { http, url: url.to_owned(), batch, next: AtomicUsize::new(0), until_unix_ms })
    }

    async fn work(&self, shutdown: &Shutdown) -> Vec<(usize, Answer)> {
        let mut done = vec![];
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(envelope) = self.batch.envelopes.get(index) else { return done };
            done.push((index, self.deliver(envelope, shutdown).await));
        }
    }

    async fn deliver(&self, envelope: &[u8], shutdown: &Shutdown) -> Answer {
        let began = Stopwatch::start();
        let mut answer = not_sent();
        while wall_clock_unix_ms() < self.until_unix_ms && !shutdown.is_triggered() {
            let (outcome, again_after) = self.attempt(envelope).await;
            answer = Answer { after: began.elapsed(), attempts: answer.attempts.saturating_add(1), outcome };
            match again_after.filter(|_| self.batch.insists) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        answer
    }

    /// One request; with a pause when the same envelope may be taken later.
    async fn attempt(&self, envelope: &[u8]) -> (Outcome, Option<Duration>) {
        let request = self.http.post(&self.url).header(CONTENT_TYPE, OCTETS);
        let response = match request.body(envelope.to_vec()).send().await {
            Ok(response) => response,
            Err(error) => return (Outcome::Failed(error.to_string()), Some(PAUSE)),
        };
        let status = response.status();
        let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return (Outcome::Failed(error.to_string()), Some(PAUSE)),
        };
        if status.is_success() {
            return (Outcome::Receipt(body.to_vec()), None);
        }
        let problem = Problem::read(&body);
        let kind = problem.slug().map_or_else(|| status.as_u16().to_string(), str::to_owned);
        let later = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504);
        (Outcome::Refused(kind), later.then(|| wait.map_or(PAUSE, Duration::from_secs)))
    }
}
