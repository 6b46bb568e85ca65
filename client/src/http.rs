//! The calls.

use super::address::{parse_base, parse_http_date};
use super::error::ClientError;
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::{Certificate, Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use veilgrid_api::blocks::{self, BlocksQuery};
use veilgrid_api::{
    AccountState, AccountsPage, AccountsQuery, CertifiedBlock, MAX_JSON_BYTES, MAX_PROBLEM_BYTES,
    MembersPage, MembersQuery, NodeStatus, OCTETS, Problem, RelayAnswer, RoundStatus, ValidatorSet,
    WithdrawalsPage, WithdrawalsQuery, paths, read_frames,
};
use veilgrid_crypto::receipt::{RECEIPT_BYTES, Receipt};
use veilgrid_ledger::block::MAX_BLOCK_BYTES;

/// Bytes a second of an answer that has begun, so that a peer that drips is given up.
const LEAST_RATE: u64 = 64 << 10;
/// Longest time for a whole answer once it has begun.
const LONGEST_BODY: Duration = Duration::from_secs(30);

/// Bounds in time and the trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// For a connection.
    pub connect: Duration,
    /// For an answer to begin, and for each further part of it; what it may be behind the least rate. A long poll gets its
    /// own waiting time on top.
    pub answer: Duration,
    /// For the answer to a bid or a batch, whose proofs are verified before.
    pub intake: Duration,
    /// Certificates of authorities that are trusted for TLS beside the public ones, PEM.
    pub ca_file: Option<PathBuf>,
}

impl ClientOptions {
    /// The same with this file's authorities, if there is one.
    pub fn trusting(self, ca_file: Option<&Path>) -> Self {
        Self { ca_file: ca_file.map(Path::to_path_buf), ..self }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(2),
            intake: Duration::from_secs(15),
            ca_file: None,
        }
    }
}

/// The API of one node. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    name: String,
    options: ClientOptions,
}

impl Client {
    /// A client of the node at `base_url` (`https://host:port`, a path in front of `/v1` is allowed).
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::CaFile`], [`ClientError::SetUp`].
    pub fn new(base_url: &str, options: &ClientOptions) -> Result<Self, ClientError> {
        let base = parse_base(base_url)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect)
            // A node is addressed directly: it never sends elsewhere, and no proxy learns who bids.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(path) = &options.ca_file {
            for certificate in read_certificates(path)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let http = builder.build().map_err(|error| match &options.ca_file {
            // The only part of the set-up that somebody has written.
            Some(path) => ClientError::CaFile { path: path.clone(), why: chain(&error) },
            None => ClientError::SetUp(chain(&error)),
        })?;
        let name = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, name, options: options.clone() })
    }

    /// The address, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the node says about itself.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.json(paths::STATUS).await
    }

    /// The node's clock as its answers show it, in whole seconds, Unix; none when it does not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn clock_unix_s(&self) -> Result<Option<u64>, ClientError> {
        let request = self.request(Method::GET, paths::STATUS)?;
        let begun = timeout(self.options.answer, request.send()).await;
        let response = begun
            .map_err(|_| self.silent(self.options.answer))?
            .map_err(|error| self.failed(&error, self.options.answer))?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(parse_http_date))
    }

    /// Block 0 as the node has it, encoded. The caller compares its hash with the one that it trusts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn genesis(&self) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::GET, paths::GENESIS)?;
        self.call(request, self.options.answer, MAX_BLOCK_BYTES).await
    }

    /// At most `most` blocks from `from` on; waits up to `wait` for the first one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blocks(
        &self,
        from: u64,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<CertifiedBlock>, ClientError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let query = BlocksQuery { from, max: most as u64, wait_ms };
        let request = self.request(Method::GET, paths::BLOCKS)?.query(&query);
        let bytes = self.call(request, wait + self.options.answer, blocks::MAX_ANSWER_BYTES).await?;
        read_frames(&bytes, most).map_err(|error| ClientError::malformed(&self.name, error))
    }

    /// Hands in an enveloped bid. The receipt's signature and content are the caller's to check.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_bid(&self, envelope: Vec<u8>) -> Result<Receipt, ClientError> {
        let bytes = self.post(paths::BIDS, envelope, RECEIPT_BYTES).await?;
        Receipt::from_bytes(&bytes).map_err(|error| ClientError::malformed(&self.name, error))
    }

    /// Hands a signed batch of bids to a validator. The receipts' signatures and contents are the caller's to check.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn relay(&self, batch: Vec<u8>) -> Result<RelayAnswer, ClientError> {
        let bytes = self.post(paths::RELAY, batch, MAX_JSON_BYTES).await?;
        self.read(&bytes)
    }

    /// Hands in an encoded transaction: an event of a key session, a change of validators, an order of the registrar or the
    /// treasury, new keys, a withdrawal or claims.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_transaction(&self, transaction: Vec<u8>) -> Result<(), ClientError> {
        self.post(paths::TRANSACTIONS, transaction, MAX_JSON_BYTES).await.map(|_| ())
    }

    /// The validators as the node has them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn validators(&self) -> Result<ValidatorSet, ClientError> {
        self.json(paths::VALIDATORS).await
    }

    /// Some of the members as the node has them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn members(&self, query: &MembersQuery) -> Result<MembersPage, ClientError> {
        let request = self.request(Method::GET, paths::MEMBERS)?.query(query);
        let bytes = self.call(request, self.options.answer, MAX_JSON_BYTES).await?;
        self.read(&bytes)
    }

    /// Some of the accounts, and the treasury, as the node has them.
    ///
    /// # Errors
    /// [`ClientError`]; a ledger without money has none.
    pub async fn accounts(&self, query: &AccountsQuery) -> Result<AccountsPage, ClientError> {
        let request = self.request(Method::GET, paths::ACCOUNTS)?.query(query);
        let bytes = self.call(request, self.options.answer, MAX_JSON_BYTES).await?;
        self.read(&bytes)
    }

    /// One account as the node has it.
    ///
    /// # Errors
    /// [`ClientError`]; an answer that is about another account, or whose own hashes do not fit, is malformed.
    pub async fn account(&self, number: u32) -> Result<AccountState, ClientError> {
        let account: AccountState = self.json(&paths::account(number)).await?;
        if account.number != number || !account.is_included() {
            return Err(ClientError::malformed(&self.name, "an account that is not part of its own root"));
        }
        Ok(account)
    }

    /// Some of the withdrawals that are not paid, as the node has them.
    ///
    /// # Errors
    /// [`ClientError`]; a ledger without money has none.
    pub async fn withdrawals(&self, query: &WithdrawalsQuery) -> Result<WithdrawalsPage, ClientError> {
        let request = self.request(Method::GET, paths::WITHDRAWALS)?.query(query);
        let bytes = self.call(request, self.options.answer, MAX_JSON_BYTES).await?;
        self.read(&bytes)
    }

    /// What the node says about a round.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn round(&self, round_id: u64) -> Result<RoundStatus, ClientError> {
        self.json(&paths::round(round_id)).await
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let bytes = self.call(self.request(Method::GET, path)?, self.options.answer, MAX_JSON_BYTES).await?;
        self.read(&bytes)
    }

    fn read<T: DeserializeOwned>(&self, json: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(json).map_err(|error| ClientError::malformed(&self.name, error))
    }

    async fn post(&self, path: &str, body: Vec<u8>, bound: usize) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::POST, path)?.header(CONTENT_TYPE, OCTETS).body(body);
        self.call(request, self.options.intake, bound).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ClientError> {
        // Relative to the base, which may have a path of its own.
        let url = self.base.join(path.trim_start_matches('/')).map_err(|error| ClientError::Address {
            url: format!("{}{path}", self.name),
            why: error.to_string(),
        })?;
        Ok(self.http.request(method, url))
    }

    /// Sends and reads an answer of at most `bound` bytes that begins within `begin`.
    async fn call(
        &self,
        request: RequestBuilder,
        begin: Duration,
        bound: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let begun = timeout(begin, request.send()).await;
        let response = begun.map_err(|_| self.silent(begin))?.map_err(|error| self.failed(&error, begin))?;
        let status = response.status();
        if status.is_success() {
            return self.body(response, bound).await;
        }
        let body = self.body(response, MAX_PROBLEM_BYTES).await.unwrap_or_default();
        let (node, status) = (self.name.clone(), status.as_u16());
        Err(ClientError::Refused { node, status, problem: Box::new(Problem::read(&body)) })
    }

    async fn body(&self, mut response: Response, bound: usize) -> Result<Vec<u8>, ClientError> {
        let (begun, mut body) = (Instant::now(), Vec::new());
        loop {
            let stalled = |waited: Duration| self.stalled(body.len(), waited);
            let left = due(self.options.answer, body.len()).checked_sub(begun.elapsed());
            let left = left.ok_or_else(|| stalled(begun.elapsed()))?.min(self.options.answer);
            let part = timeout(left, response.chunk()).await.map_err(|_| stalled(begun.elapsed()))?;
            let Some(part) = part.map_err(|error| self.failed(&error, left))? else { return Ok(body) };
            if body.len().saturating_add(part.len()) > bound {
                return Err(ClientError::TooLong { node: self.name.clone(), bound });
            }
            body.extend_from_slice(&part);
        }
    }

    fn stalled(&self, received: usize, waited: Duration) -> ClientError {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        ClientError::Stalled { node: self.name.clone(), received, waited_ms }
    }

    fn silent(&self, waited: Duration) -> ClientError {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        ClientError::Silent { node: self.name.clone(), waited_ms }
    }

    fn failed(&self, error: &reqwest::Error, waited: Duration) -> ClientError {
        if error.is_timeout() {
            return self.silent(if error.is_connect() { self.options.connect } else { waited });
        }
        ClientError::Unreachable { node: self.name.clone(), why: chain(error) }
    }
}

/// How long after its beginning an answer may have so many bytes and no more.
fn due(grace: Duration, received: usize) -> Duration {
    let at_rate = Duration::from_millis((received as u64).saturating_mul(1000) / LEAST_RATE);
    grace.saturating_add(at_rate).min(LONGEST_BODY)
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let refuse = |why: String| ClientError::CaFile { path: path.to_path_buf(), why };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(chain(&error)))?;
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate".into()));
    }
    Ok(certificates)
}

/// An error with its causes, without the address, which the message names already.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_that_is_none_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("ca.pem");
        let refused = || {
            let options = ClientOptions::default().trusting(Some(&path));
            let error = Client::new("https://127.0.0.1:1", &options).expect_err("no certificates");
            assert!(matches!(&error, ClientError::CaFile { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("ca.pem") && text.contains("PEM certificates"), "{text}");
        };
        refused();
        let certificate =
            |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned();
        for text in [String::new(), "no PEM".to_owned(), key, certificate("!"), certificate("AAAA")] {
            std::fs::write(&path, text).expect("written");
            refused();
        }
    }

    #[test]
    fn an_answer_keeps_its_rate_and_ends() {
        let grace = Duration::from_secs(2);
        assert_eq!(due(grace, 0), grace);
        assert_eq!(due(grace, 100), grace + Duration::from_millis(1), "drops buy nothing");
        assert_eq!(due(grace, 64 << 10), grace + Duration::from_secs(1));
        assert_eq!(due(grace, blocks::MAX_ANSWER_BYTES), LONGEST_BODY);
    }
}
