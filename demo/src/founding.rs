//! Founding a community: keys, genesis, and every actor at its place.

use crate::clock::SimulatedClock;
use crate::members::{Market, MemberLink, MemberNews, start_member};
use crate::money::deposit;
use crate::orderer::{Attend, Follow, NextBlock, OrdererActor, OrdererCore, Pace, ValidatorLink};
use crate::owner::SimulatedOwner;
use crate::surroundings::{Surroundings, store_dir};
use crate::threads::Threads;
use crate::{DayConfig, DayError, DayEvent, Observer};
use actix::{Actor, Addr, Recipient, Supervisor};
use actix_rt::ArbiterHandle;
use rand_core::OsRng;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use veilgrid_actors::aggregator::{AggregatorActor, Keeper};
use veilgrid_actors::auditor::AuditorActor;
use veilgrid_actors::follow::FollowBlock;
use veilgrid_actors::pool::ProofPool;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_actors::validator::{Identify, Join, ValidatorActor};
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::roster::ValidatorEntry;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_roles::committee::{Founding, found_genesis, simulated_pace};
use veilgrid_roles::intake::Intake;
use veilgrid_scenario::behaviour::bidder_for;
use veilgrid_scenario::community::Participant;

/// Bids whose verdicts the aggregator's process remembers.
const REMEMBERED_BIDS: usize = 20_000;

/// Everybody who takes part in a day.
pub(crate) struct Cast {
    pub(crate) members: Vec<MemberLink>,
    pub(crate) news: mpsc::UnboundedReceiver<MemberNews>,
    pub(crate) validators: Vec<Addr<ValidatorActor>>,
    pub(crate) aggregator: Addr<AggregatorActor>,
    pub(crate) orderer: Addr<OrdererActor>,
    pub(crate) auditor: Addr<AuditorActor>,
    pub(crate) clock: SimulatedClock,
    /// With the keys in force.
    pub(crate) state: State,
    pub(crate) genesis_hash: Hash,
    pub(crate) key_generation: Duration,
    pub(crate) store_dirs: Vec<PathBuf>,
}

/// Threads for proofs.
pub(crate) struct Pools {
    /// Where members seal bids.
    pub(crate) proofs: ProofPool,
    /// Where the aggregator verifies them.
    pub(crate) verdicts: ProofPool,
}

/// A member before the ledger begins.
struct Newcomer {
    participant: Participant,
    keyring: Keyring,
}

/// Founds the community of a day.
pub(crate) async fn found(
    config: &DayConfig,
    surroundings: Surroundings,
    threads: &mut Threads,
    pools: Pools,
    observer: &Observer,
) -> Result<Cast, DayError> {
    let newcomers: Vec<Newcomer> = config.participants.iter().cloned().map(Newcomer::new).collect();
    let validators = start_validators(config, &surroundings, threads)?;
    let entries = identified(&validators).await?;
    let (receipt_key, envelope_key) = (SigningKey::generate(&mut OsRng), EnvelopeKey::generate(&mut OsRng));
    // Whoever joins this day has joined before it.
    let registrar_key = SigningKey::generate(&mut OsRng);
    let treasury = SigningKey::generate(&mut OsRng);
    let mut params = config.market();
    params.money = config.money.map(|money| money.rules(&treasury));
    let offices = (&registrar_key, &receipt_key, &envelope_key);
    let genesis = genesis_of(config, params, &newcomers, &entries, offices)?;
    let genesis = Arc::new(genesis_block(genesis, first_time_ms(config)));
    let first = State::from_genesis_block(&genesis)?;
    join(&validators, &genesis).await?;

    let clock = SimulatedClock::new(genesis.header.time_unix_ms);
    let verdicts = SharedVerdicts::new(REMEMBERED_BIDS);
    let links = (1..).zip(&entries).zip(&validators);
    let links = links.map(|((index, entry), address)| ValidatorLink::to(index, entry.consensus_key, address));
    let links = (surroundings.network)(links.collect());
    let core = OrdererCore::new(first.clone(), links, verdicts.clone(), clock.clone(), Arc::clone(observer));
    let orderer = OrdererActor::start_in_arbiter(&threads.start()?, |_| OrdererActor::new(core));
    let auditor = {
        let genesis = Arc::clone(&genesis);
        AuditorActor::start_in_arbiter(&threads.start()?, move |_| AuditorActor::new(&genesis))
    };
    follow(&orderer, auditor.clone().recipient(), Pace::Behind).await?;
    let began = Stopwatch::start();
    let state = generate_keys(config, &first, &orderer, observer).await?;
    let key_generation = began.elapsed();

    let intake = Intake::new(envelope_key, receipt_key, state.clone(), 0);
    let time = clock.clone();
    let now = Arc::new(move || time.now_unix_ms());
    let keeper = Keeper::ledger(orderer.clone().recipient());
    let shell = AggregatorActor::new(intake, pools.verdicts, verdicts, keeper, now);
    let aggregator = AggregatorActor::start_in_arbiter(&threads.start()?, |_| shell);
    follow(&orderer, aggregator.clone().recipient(), Pace::InStep).await?;
    let (tell, news) = mpsc::unbounded_channel();
    let time = clock.clone();
    let market = Market {
        state: state.clone(),
        aggregator: aggregator.clone().recipient(),
        orderer: orderer.clone().recipient(),
        pool: pools.proofs,
        clock: Arc::new(move || time.now_unix_ms()),
        news: tell,
    };
    let members = start_members(config, newcomers, &market, &threads.start()?)?;
    let attending = members.iter().map(|member| member.observe.clone()).collect();
    orderer.send(Attend(attending)).await.map_err(DayError::lost("the orderer"))?;
    let state = match &config.money {
        Some(money) => deposit(&treasury, money, &state, &orderer).await?,
        None => state,
    };
    let store_dirs = (1..=config.validators).map(|index| store_dir(&config.dir, index)).collect();
    let genesis_hash = genesis.hash();
    Ok(Cast {
        members,
        news,
        validators,
        aggregator,
        orderer,
        auditor,
        clock,
        state,
        genesis_hash,
        key_generation,
        store_dirs,
    })
}

async fn follow(
    orderer: &Addr<OrdererActor>,
    follower: Recipient<FollowBlock>,
    pace: Pace,
) -> Result<(), DayError> {
    orderer.send(Follow { follower, pace }).await.map_err(DayError::lost("the orderer"))
}

impl Newcomer {
    fn new(participant: Participant) -> Self {
        Self { participant, keyring: Keyring::from_seed(&KeyringSeed::generate(&mut OsRng)) }
    }

    fn account(&self, key_epoch: u64) -> PointBytes {
        self.keyring.account_key(key_epoch).verifying_key().to_bytes()
    }
}

/// One thread and one supervisor a validator.
fn start_validators(
    config: &DayConfig,
    surroundings: &Surroundings,
    threads: &mut Threads,
) -> Result<Vec<Addr<ValidatorActor>>, DayError> {
    (1..=config.validators)
        .map(|index| {
            let journal = (surroundings.journals)(index);
            let start = move |_: &mut _| ValidatorActor::candidate(index, journal, simulated_pace());
            Ok(Supervisor::start_in_arbiter(&threads.start()?, start))
        })
        .collect()
}

/// The validators' public keys, in order. Their stores are open and empty then.
async fn identified(validators: &[Addr<ValidatorActor>]) -> Result<Vec<ValidatorEntry>, DayError> {
    let mut entries = Vec::with_capacity(validators.len());
    for (index, validator) in (1u16..).zip(validators) {
        entries.push(validator.send(Identify).await.map_err(lost_validator(index))??);
    }
    Ok(entries)
}

fn genesis_of(
    config: &DayConfig,
    params: MarketParams,
    newcomers: &[Newcomer],
    validators: &[ValidatorEntry],
    (registrar_key, receipt_key, envelope_key): (&SigningKey, &SigningKey, &EnvelopeKey),
) -> Result<Genesis, DayError> {
    let founding = Founding {
        params,
        validators: config.validators,
        members: newcomers.iter().map(|newcomer| newcomer.account(config.key_epoch)).collect(),
        key_epoch: config.key_epoch,
        time_unix_ms: first_time_ms(config),
    };
    let genesis =
        found_genesis(&founding, validators, registrar_key, receipt_key, &envelope_key.public(), &mut OsRng);
    Ok(genesis.checked()?)
}

/// The ledger begins some time before the first bidding does, in which the keys are generated.
fn first_time_ms(config: &DayConfig) -> u64 {
    Founding::genesis_time_ms(&config.market().timing)
}

/// Every validator checks and stores block 0.
async fn join(validators: &[Addr<ValidatorActor>], genesis: &Arc<Block>) -> Result<(), DayError> {
    let joining: Vec<_> =
        validators.iter().map(|validator| validator.send(Join { genesis: Arc::clone(genesis) })).collect();
    for (index, joined) in (1u16..).zip(joining) {
        joined.await.map_err(lost_validator(index))??;
    }
    Ok(())
}

/// The validators generate the keys over the ledger; the state with which they are in force.
async fn generate_keys(
    config: &DayConfig,
    first: &State,
    orderer: &Addr<OrdererActor>,
    observer: &Observer,
) -> Result<State, DayError> {
    let keys = first.community().params().key_count();
    let threshold = config.params.threshold;
    observer(DayEvent::KeyGenerationStarted { validators: config.validators, threshold, keys });
    let mut state = first.clone();
    while state.sharing().is_none() {
        let decided = orderer.send(NextBlock).await.map_err(DayError::lost("the orderer"))??;
        state = decided.state.clone();
        for effect in decided.effects.all() {
            if let Effect::KeysAborted { reason, .. } = effect {
                return Err(DayError::NoKeys { why: reason.clone() });
            }
        }
    }
    let ledger_id = state.community().ledger_id();
    observer(DayEvent::KeyGenerationFinished { ledger_id, genesis_hash: first.block_hash() });
    tracing::info!(validators = config.validators, threshold, keys, "keys generated");
    Ok(state)
}

fn lost_validator(index: u16) -> impl FnOnce(actix::MailboxError) -> DayError {
    DayError::lost(format!("validator {index}"))
}

fn start_members(
    config: &DayConfig,
    newcomers: Vec<Newcomer>,
    market: &Market,
    thread: &ArbiterHandle,
) -> Result<Vec<MemberLink>, DayError> {
    let (terms, day) = (config.terms()?, config.day());
    let start = |(place, newcomer): (usize, Newcomer)| {
        let Newcomer { participant, keyring } = newcomer;
        let bidder = bidder_for(&participant, &terms, &day, config.seed)
            .map_err(|source| DayError::Model { id: participant.id.clone(), source })?;
        let Participant { id, role, energy } = participant;
        let owner = SimulatedOwner::new(bidder, energy, &config.slots);
        Ok(start_member(place, (id, role), keyring, owner, market, thread))
    };
    newcomers.into_iter().enumerate().map(start).collect()
}
