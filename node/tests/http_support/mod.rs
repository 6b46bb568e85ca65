//! A small ledger whose keys are generated, a round that takes bids, and a server in front of an intake.

mod false_bid;
pub mod held;

use self::held::Speaks;
use actix::{Actor, Context, Handler};
use rand_core::OsRng;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veilgrid_actors::aggregator::{AggregatorActor, Confirm, Keep, KeepError, Keeper};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_api::StatusReport;
use veilgrid_client::ledger_view::{BlockSource, LedgerView};
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::builder::{genesis_block, propose};
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};
use veilgrid_node::http::{HttpOptions, HttpServer, Services, SubmitError, SubmitTransaction};
use veilgrid_roles::committee::{Founding, Keys, found_genesis, one_process_timing};
use veilgrid_roles::intake::{Admitted, Intake};
use veilgrid_roles::keyholder::KeyHolder;
use veilgrid_roles::member::envelope_for;

pub const EPOCH: u64 = 1;
pub const MEMBERS: usize = 6;
/// What the intake's clock says, Unix milliseconds.
pub const NOW_MS: u64 = OPENS_MS + 1_000;
/// When round 1 opens.
const OPENS_MS: u64 = 60_000;

/// Keeps what it is given.
#[derive(Clone, Default)]
pub struct Journal(pub Arc<Mutex<Vec<Admitted>>>);

impl Actor for Journal {
    type Context = Context<Self>;
}

impl Handler<Keep> for Journal {
    type Result = Result<(), KeepError>;

    fn handle(&mut self, message: Keep, _: &mut Self::Context) -> Self::Result {
        self.0.lock().expect("journal").extend(message.0);
        Ok(())
    }
}

impl Handler<Confirm> for Journal {
    type Result = Result<(), KeepError>;

    fn handle(&mut self, Confirm(receipt): Confirm, _: &mut Self::Context) -> Self::Result {
        let kept = self.0.lock().expect("journal");
        assert!(kept.iter().any(|one| one.receipt == receipt), "asked for before it was kept");
        Ok(())
    }
}

/// Takes every transaction.
#[derive(Clone, Default)]
pub struct Pool(pub Arc<Mutex<Vec<Transaction>>>);

impl Actor for Pool {
    type Context = Context<Self>;
}

impl Handler<SubmitTransaction> for Pool {
    type Result = Result<(), SubmitError>;

    fn handle(&mut self, message: SubmitTransaction, _: &mut Self::Context) -> Self::Result {
        self.0.lock().expect("pool").push(message.0);
        Ok(())
    }
}

/// Encoded blocks; those at odd heights have a certificate.
#[derive(Clone, Default)]
pub struct Blocks(pub Arc<Mutex<Vec<Vec<u8>>>>);

impl BlockSource for Blocks {
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let block = self.0.lock().expect("blocks").get(usize::try_from(height).ok()?)?.clone();
        Some((block, (height % 2 == 1).then(|| b"certificate".to_vec())))
    }
}

pub struct World {
    pub keyrings: Vec<Keyring>,
    pub state: State,
    pub receipt_key: SigningKey,
    pub envelope_key: EnvelopeKey,
    pub journal: Journal,
    pub pool: Pool,
    pub blocks: Blocks,
    pub ledger: LedgerView,
    /// What each block did.
    pub effects: Vec<BlockEffects>,
    pub server: HttpServer,
    pub client: reqwest::Client,
    scheme: &'static str,
}

pub fn params() -> MarketParams {
    MarketParams {
        grid: Grid::new(10_000, 1_000, 4).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: 900,
        threshold: 3,
        timing: one_process_timing(OPENS_MS, 900, 900),
        capacity_classes: CapacityClasses::of_connections(900),
        money: None,
    }
}

/// The usual limits without a rate: tests share one address.
pub fn options() -> HttpOptions {
    HttpOptions { rate: None, ..HttpOptions::new(SocketAddr::from(([127, 0, 0, 1], 0))) }
}

/// The certificate and the key of the tests.
pub fn tls_files() -> (PathBuf, PathBuf) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    (data.join("test-only-certificate.pem"), data.join("test-only-key.pem"))
}

/// The same limits for a listener that speaks TLS.
pub fn tls_options() -> HttpOptions {
    HttpOptions { tls: Some(tls_files()), ..options() }
}

/// The limits of a listener that speaks so.
pub fn options_of(speaks: Speaks) -> HttpOptions {
    HttpOptions { tls: speaks.tls_files(), ..options() }
}

/// A client that trusts the certificate of the tests.
pub fn trusting() -> reqwest::ClientBuilder {
    let certificate = std::fs::read(tls_files().0).expect("read");
    let trusted = reqwest::Certificate::from_pem(&certificate).expect("PEM");
    reqwest::Client::builder().no_proxy().add_root_certificate(trusted)
}

impl World {
    /// Round 1 is open. Called inside of an actix system.
    pub fn new(options: HttpOptions) -> Self {
        Self::of_market(options, params())
    }

    /// The same of another market.
    pub fn of_market(options: HttpOptions, params: MarketParams) -> Self {
        let keyrings: Vec<Keyring> =
            (0..MEMBERS).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect();
        let registrar_key = SigningKey::generate(&mut OsRng);
        let (receipt_key, envelope_key) =
            (SigningKey::generate(&mut OsRng), EnvelopeKey::generate(&mut OsRng));
        let founding = Founding {
            params,
            validators: 4,
            members: keyrings.iter().map(account).collect(),
            key_epoch: EPOCH,
            time_unix_ms: 0,
        };
        let validators: Vec<Keys> = (1..=4).map(|_| Keys::generate(&mut OsRng)).collect();
        let roster: Vec<_> = validators.iter().map(Keys::entry).collect();
        let genesis = found_genesis(
            &founding,
            &roster,
            &registrar_key,
            &receipt_key,
            &envelope_key.public(),
            &mut OsRng,
        );
        let genesis = genesis_block(genesis.checked().expect("genesis"), 0);
        let first = State::from_genesis_block(&genesis).expect("genesis");
        let (journal, pool, blocks) = (Journal::default(), Pool::default(), Blocks::default());
        blocks.0.lock().expect("blocks").push(genesis.to_bytes());
        let ledger = LedgerView::new(first.clone(), blocks.clone());
        let mut world = Self {
            client: trusting().build().expect("client"),
            scheme: if options.tls.is_some() { "https" } else { "http" },
            server: HttpServer::start(options.clone(), Self::services(&ledger, None, None)).expect("server"),
            keyrings,
            state: first,
            receipt_key,
            envelope_key,
            journal,
            pool,
            blocks,
            ledger,
            effects: Vec::new(),
        };
        world.generate_keys(validators);
        world.due_at(OPENS_MS);
        world.server = world.serve(options);
        world
    }

    /// A block at the time of the last one with what everybody owes, until there are keys.
    fn generate_keys(&mut self, validators: Vec<Keys>) {
        let mut holders: Vec<_> = validators.into_iter().map(|keys| KeyHolder::new(keys.signing)).collect();
        while self.state.community().keys().is_none() {
            let act = |holder: &mut KeyHolder| holder.act(&self.state, &mut OsRng).owed;
            let events = holders.iter_mut().flat_map(act).map(Transaction::from).collect();
            self.push(events);
        }
    }

    fn services(
        ledger: &LedgerView,
        intake: Option<actix::Addr<AggregatorActor>>,
        pool: Option<&Pool>,
    ) -> Services {
        Services {
            intake: intake.clone().map(actix::Addr::recipient),
            relay: intake.map(actix::Addr::recipient),
            submit: pool.map(|pool| pool.clone().start().recipient()),
            ledger: ledger.clone(),
            status: Arc::new(|| StatusReport {
                role: "validator".into(),
                pool_bids: 7,
                ..StatusReport::default()
            }),
        }
    }

    /// A node that shows the ledger and takes nothing.
    pub fn services_without_intake(&self) -> Services {
        Self::services(&self.ledger, None, None)
    }

    /// A server of the same ledger as another view shows it.
    pub fn show(&self, ledger: &LedgerView) -> HttpServer {
        HttpServer::start(options(), Self::services(ledger, None, None)).expect("server")
    }

    /// Another server of the same node, with an intake that has forgotten nothing.
    pub fn serve(&self, options: HttpOptions) -> HttpServer {
        let key = EnvelopeKey::from_bytes(self.envelope_key.to_bytes().expose());
        let journaled: Vec<_> = self
            .journal
            .0
            .lock()
            .expect("journal")
            .iter()
            .map(|one| (one.bid.clone(), one.receipt.clone()))
            .collect();
        let (intake, _) = Intake::restore(key, self.receipt_key.clone(), self.state.clone(), 0, journaled)
            .expect("own journal");
        let pool = ProofPool::new("test", None, CancelFlag::new()).expect("threads");
        let journal = self.journal.clone().start();
        let journal = Keeper::journal(journal.clone().recipient(), journal.recipient());
        let clock = Arc::new(|| NOW_MS);
        let actor = AggregatorActor::new(intake, pool, SharedVerdicts::new(100), journal, clock).start();
        HttpServer::start(options, Self::services(&self.ledger, Some(actor), Some(&self.pool)))
            .expect("server")
    }

    /// Adds a block at the time of the last one.
    pub fn push(&mut self, transactions: Vec<Transaction>) {
        self.push_at(self.state.time_unix_ms(), transactions);
    }

    /// Adds a block with what its time makes due.
    fn due_at(&mut self, time_unix_ms: u64) {
        self.push_at(time_unix_ms, self.state.due(time_unix_ms));
    }

    fn push_at(&mut self, time_unix_ms: u64, transactions: Vec<Transaction>) {
        let (block, state, effects) =
            propose(&self.state, transactions, time_unix_ms, &mut VerifyAll).expect("accepted");
        self.blocks.0.lock().expect("blocks").push(block.to_bytes());
        self.state = state.clone();
        self.ledger.publish(state, &effects);
        self.effects.push(effects);
    }

    /// Ends round 1 without a result.
    pub fn end_round(&mut self) {
        while self.state.rounds().count() > 0 {
            self.due_at(self.state.timing().close_ms(1).expect("in the calendar"));
        }
    }

    pub fn bid(&self, member: usize, quantity_wh: u64) -> SealedBid {
        let params = self.state.community().bid_params().expect("keys");
        let round = self.state.round_context(1).expect("open");
        let mut quantities_wh = vec![0; params.steps()];
        quantities_wh[0] = quantity_wh;
        seal_bid(params, &round, &self.keyrings[member], &quantities_wh, &mut OsRng).expect("sealed")
    }

    /// A bid whose proof is false, signed by its owner all the same.
    pub fn false_bid(&self, member: usize, salt: u8) -> SealedBid {
        let mut bid = self.bid(member, 1);
        bid.salt[0] ^= 1;
        bid.salt[1] = salt;
        let params = self.state.community().bid_params().expect("keys");
        let round = self.state.round_context(1).expect("open");
        false_bid::sign(params, &round, &mut bid, &self.keyrings[member].account_key(EPOCH));
        bid
    }

    pub fn envelope(&self, bid: &SealedBid) -> Vec<u8> {
        let ledger_id = self.state.community().ledger_id();
        envelope_for(&self.envelope_key.public(), &ledger_id, bid, &mut OsRng)
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address())
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> reqwest::Response {
        let request = self.client.post(self.url(path)).header("content-type", "application/octet-stream");
        request.body(body).send().await.expect("an answer")
    }

    pub async fn submit(&self, bid: &SealedBid) -> reqwest::Response {
        self.post("/v1/bids", self.envelope(bid)).await
    }

    pub async fn receipt(&self, bid: &SealedBid) -> Receipt {
        let response = self.submit(bid).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.expect("text"));
        assert_eq!(response.headers()["content-type"], "application/octet-stream");
        let receipt = Receipt::from_bytes(&response.bytes().await.expect("body")).expect("a receipt");
        assert_eq!(receipt.verify(&self.receipt_key.verifying_key()), Ok(()));
        assert_eq!((receipt.bid_digest, receipt.account), (bid.digest(), bid.account));
        receipt
    }
}

pub fn account(keyring: &Keyring) -> [u8; 32] {
    keyring.account_key(EPOCH).verifying_key().to_bytes()
}

/// The refusal's name; its form is checked.
pub async fn refusal(response: reqwest::Response, status: u16) -> String {
    let found = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|value| value.to_str().expect("text").to_owned());
    let text = response.text().await.expect("text");
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let text_of = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned();
    assert_eq!(body["status"], status);
    assert!(!text_of("title").is_empty() && !text_of("detail").is_empty());
    assert!(text_of("instance").starts_with("urn:veilgrid:occurrence:"));
    text_of("type").strip_prefix("urn:veilgrid:problem:").expect("a URN of ours").to_owned()
}

/// Runs a test with a plain listener, and again over TLS.
pub fn run_both(test: impl AsyncFn(Speaks)) {
    run(async || {
        for speaks in Speaks::ALL {
            test(speaks).await;
        }
    });
}

/// Runs a test inside of an actix system.
pub fn run(test: impl AsyncFnOnce()) {
    actix::System::new().block_on(async {
        tokio::time::timeout(Duration::from_secs(120), test()).await.expect("the test ends");
    });
}
