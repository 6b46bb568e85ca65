//! The process: it starts the member's actor and hands it blocks and the time.

use super::MemberDesk;
use super::archive::Archive;
use super::orders::MemberOrders;
use super::post::HttpPost;
use super::results::Results;
use super::shown::Shown;
use super::status::{Status, StatusFile};
use crate::checks::wall_clock_unix_ms;
use crate::config::ParticipantConfig;
use crate::disk_space::DiskWatch;
use crate::error::NodeError;
use crate::http::HealthDoor;
use crate::keyfile::{self, ParticipantKeys};
use crate::open_files::{self, Need};
use crate::passphrase;
use crate::share_roll::ShareRoll;
use crate::start;
use crate::survey::keep_watch;
use crate::vitals::Vitals;
use actix::{Actor, Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{spawn, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::member::{Around, MemberActor, Observe, Turn, Watch};
use veilgrid_actors::pool::ProofPool;
use veilgrid_api::blocks::{BLOCKS_PER_REQUEST, LONG_POLL};
use veilgrid_client::follower::{Accepted, Follower, FollowerOptions, Keeper, QuorumCertificates};
use veilgrid_client::genesis::read_genesis;
use veilgrid_client::ledger::Restart;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_client::saver::Saver;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_store::SavedKey;

/// How often the clocks of deliveries are turned.
const TICK: Duration = Duration::from_millis(100);
/// Blocks that may wait for the member.
const WAITING: usize = 64;
/// A bid that was not answered for this long is sent again.
const INTAKE: Duration = Duration::from_secs(8);
/// How often the validators are asked what they say of themselves; seldom, because there may be many participants.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// Runs a participant until `shutdown` is raised.
///
/// # Errors
/// [`NodeError`]: configuration, keys, checks at the start; a fork of the ledger or a failing disk later.
pub fn run(config: ParticipantConfig, shutdown: Shutdown) -> Result<(), NodeError> {
    let health = match config.health_listen {
        // A participant has no other listener.
        None => None,
        listen => start::open_health(listen)?,
    };
    open_files::secure(Need { connections: 0, engine: None })?;
    start::check_machine(&config.data_dir, &config.checks)?;
    let disk = DiskWatch::start(&config.data_dir, config.checks.min_free_mib, &shutdown)
        .map_err(|error| NodeError::start("the watch of the disk", error))?;
    let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)?;
    let (_, keys) = keyfile::open::<ParticipantKeys>(&config.key_file, &passphrase)?;
    drop(passphrase);
    let keyring = Arc::new(Keyring::from_seed(&keys.seed));
    let restart =
        Restart { key: SavedKey::derive(&keys.seed.to_bytes()), verify_all: config.checks.verify_all };
    drop(keys);
    actix_rt::System::new().block_on(participate(config, keyring, restart, health, disk, shutdown))
}

async fn participate(
    config: ParticipantConfig,
    keyring: Arc<Keyring>,
    restart: Restart,
    health: Option<HealthDoor>,
    disk: DiskWatch,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let refuse = |error: &dyn std::fmt::Display| NodeError::start("the participant", error);
    let genesis = read_genesis(&config.genesis, Some(&config.genesis_hash.0))?;
    let state = State::from_genesis_block(&genesis).map_err(|error| refuse(&error))?;
    let data = &config.data_dir;
    let archive = Archive::open(data).map_err(|error| refuse(&error))?;
    let results = Results::open(&data.join("results.csv")).map_err(|error| refuse(&error))?;
    let orders = Arc::new(MemberOrders::new(config.orders.clone(), state.community().params().clone()));
    // What is wrong with them is said at the start, not when a round opens; they may still be put right until then.
    if let Err(error) = orders.read() {
        tracing::error!(error, "the orders can't be read yet");
    }
    let options = ClientOptions { intake: INTAKE, ..ClientOptions::default() };
    let options = options.trusting(config.ca_file.as_deref());
    let client = |url: &String| Client::new(url, &options).map_err(|error| refuse(&error));
    let validators = config.validator_urls.iter().map(client).collect::<Result<Vec<_>, _>>()?;
    start::check_clock(&validators, genesis.header.time_unix_ms, &state, &config.checks).await?;
    let post = HttpPost::new(client(&config.aggregator_url)?, validators.clone());
    let mut desk = MemberDesk::new(keyring, state, archive, results);
    let keeper =
        Keeper::open_verified(&data.join("ledger"), genesis, &restart).map_err(|error| refuse(&error))?;
    let store = keeper.store();
    let view = LedgerView::new(desk.state().clone(), keeper.store());
    let options = FollowerOptions {
        keeper,
        evidence: desk.archive().evidence_folder().to_owned(),
        sources: validators.iter().cloned().map(|client| Arc::new(client) as _).collect(),
        first_source: usize::from(desk.account().first().copied().unwrap_or(0)),
        long_poll: LONG_POLL,
        batch: BLOCKS_PER_REQUEST,
        certificates: QuorumCertificates,
        verdicts: Box::new(VerifyAll),
    };
    // Nothing else runs yet, so the stored blocks are executed on this thread.
    let (mut observed, mut roll) = (Ok(()), ShareRoll::default());
    let follower = Follower::open(options, |block| {
        observed = desk.observe(&block.state, &block.block.transactions, block.effects.all());
        view.publish(block.state.clone(), &block.effects);
        block.effects.all().for_each(|effect| roll.note(effect));
        observed.is_ok() && !shutdown.is_triggered()
    });
    let follower = follower.map_err(|error| NodeError::start("the follower", error))?;
    observed.map_err(|error| refuse(&error))?;
    let Some(follower) = follower else { return Ok(()) };
    let follower_state = follower.state().clone();
    let (blocks, applied) = mpsc::channel(WAITING);
    let following = spawn(follower.run(blocks, shutdown.clone()));
    let shown = Shown::new(Vitals::new(data, disk, roll, desk.state()), view, &desk);
    let _health = start::start_health(health, shown.services(&shutdown), None)?;
    spawn(keep_watch(shown.vitals.clone(), validators, ASK_EVERY, || None, shutdown.clone()));
    let pool = ProofPool::new("seal", None, CancelFlag::new()).map_err(|error| refuse(&error))?;
    let face = Face { orders: Arc::clone(&orders), status: StatusFile::new(data), shown: shown.clone() };
    let around = Around { orders, post, pool, clock: Arc::new(wall_clock_unix_ms), watch: Box::new(face) };
    let member = MemberActor::new(desk, around).start();
    let mut saver = Saver::of_verdicts(store, &restart, follower_state);
    let worked = attend(&member, &shown, applied, &mut saver, shutdown.clone()).await;
    save(&mut saver).await;
    // Whatever ends one of the two ends the other.
    shutdown.trigger();
    let followed = following.await;
    worked?;
    let followed =
        followed.map_err(|_| NodeError::stopped("the follower", "it ended in a panic: please report it"))?;
    followed.map_err(|error| NodeError::stopped("the follower", error))
}

/// Saves that the blocks so far were verified.
async fn save(saver: &mut Saver) {
    let Some(job) = saver.job(Vec::new) else { return };
    if let Err(error) = spawn_blocking(move || job.run()).await {
        tracing::warn!(%error, "what was verified is not saved");
    }
}

/// What is seen of the member from outside: counts and states, nothing of what it trades.
struct Face {
    orders: Arc<MemberOrders>,
    status: StatusFile,
    shown: Shown,
}

impl Watch<Archive, Results> for Face {
    fn look(&mut self, desk: &MemberDesk) {
        self.shown.count(desk);
        self.status.show(Status::of(desk, self.orders.note()));
    }
}

/// Hands the member blocks and the time until one of them ends.
async fn attend(
    member: &Addr<MemberActor<Archive, Results>>,
    shown: &Shown,
    mut applied: mpsc::Receiver<Accepted>,
    saver: &mut Saver,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = tokio::select! {
            () = shutdown.wait() => return Ok(()),
            block = applied.recv() => match block {
                Some(block) => {
                    let Accepted { block: one, state, effects, .. } = block.clone();
                    let told = member.send(Observe { block: one, state, effects }).await;
                    shown.take(&block);
                    saver.follow(&block.state);
                    if saver.is_due() {
                        save(saver).await;
                    }
                    told
                }
                // The follower says why.
                None => return Ok(()),
            },
            _ = ticks.tick() => member.send(Turn).await,
        };
        told.map_err(|_| NodeError::stopped("the participant", "it ended in a panic: please report it"))?
            .map_err(|error| NodeError::stopped("the participant", error))?;
    }
}
