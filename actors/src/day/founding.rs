//! Founding a community: keys, genesis, and every actor at its place.

use super::surroundings::{Surroundings, store_dir};
use super::threads::Threads;
use super::{DayConfig, DayError, DayEvent, Observer};
use crate::aggregator::AggregatorActor;
use crate::auditor::AuditorActor;
use crate::clock::SimulatedClock;
use crate::member::{Market, MemberActor, PlaceBid, RoundSettled, RoundVoided, TellAccount};
use crate::pool::ProofPool;
use crate::sequencer::{Follow, Order, Pace, SequencerActor, SequencerCore, ValidatorLink};
use crate::stopwatch::Stopwatch;
use crate::validator::{Deal, Identify, Join, TakeShares, ValidatorActor};
use crate::verdicts::SharedVerdicts;
use actix::{Actor, Addr, Recipient, Supervisor};
use actix_rt::ArbiterHandle;
use rand_core::OsRng;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::DealerPackage;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wallet::{Wallet, WalletSeed};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::genesis::{Genesis, GenesisDraft};
use veilgrid_ledger::state::State;
use veilgrid_roles::behaviour::seed::seeded_rng;
use veilgrid_roles::behaviour::{Bidder, ChargingStation, Consumer, Prosumer};
use veilgrid_roles::community::{Participant, Role};
use veilgrid_roles::intake::Intake;
use veilgrid_roles::local::{Founding, draft_genesis};
use veilgrid_roles::member::{Member, MemberError};

/// Bids whose verdicts the aggregator's process remembers.
const REMEMBERED_BIDS: usize = 20_000;

/// Everybody who takes part in a day.
pub(super) struct Cast {
    pub(super) members: Vec<MemberLink>,
    pub(super) validators: Vec<Addr<ValidatorActor>>,
    pub(super) aggregator: Addr<AggregatorActor>,
    pub(super) sequencer: Addr<SequencerActor>,
    pub(super) auditor: Addr<AuditorActor>,
    pub(super) clock: SimulatedClock,
    pub(super) genesis: State,
    pub(super) key_generation: Duration,
    pub(super) store_dirs: Vec<PathBuf>,
}

/// The way to a member.
pub(super) struct MemberLink {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) place: Recipient<PlaceBid>,
    pub(super) settled: Recipient<RoundSettled>,
    pub(super) voided: Recipient<RoundVoided>,
    pub(super) account: Recipient<TellAccount>,
}

/// Threads for proofs.
pub(super) struct Pools {
    /// Where members seal bids.
    pub(super) proofs: ProofPool,
    /// Where the aggregator verifies them.
    pub(super) verdicts: ProofPool,
}

/// A member before the ledger begins.
struct Newcomer {
    participant: Participant,
    wallet: Wallet,
}

/// Founds the community of a day.
pub(super) async fn found(
    config: &DayConfig,
    surroundings: Surroundings,
    threads: &mut Threads,
    pools: Pools,
    observer: &Observer,
) -> Result<Cast, DayError> {
    let newcomers: Vec<Newcomer> = config.participants.iter().cloned().map(Newcomer::new).collect();
    let validators = start_validators(config, &surroundings, threads)?;
    let (receipt_key, envelope_key) = (SigningKey::generate(&mut OsRng), EnvelopeKey::generate(&mut OsRng));
    let draft = draft(config, &newcomers, &validators, &receipt_key, &envelope_key).await?;
    let began = Stopwatch::start();
    let genesis = generate_keys(config, draft, &validators, observer).await?;
    let key_generation = began.elapsed();
    let state = State::from_genesis_block(&genesis)?;

    let clock = SimulatedClock::new(genesis.header.time_unix_ms);
    let verdicts = SharedVerdicts::new(REMEMBERED_BIDS);
    let links = (1..).zip(&validators).map(|(index, address)| ValidatorLink::to(index, address)).collect();
    let links = (surroundings.network)(links);
    let core =
        SequencerCore::new(state.clone(), links, verdicts.clone(), clock.clone(), Arc::clone(observer));
    let sequencer = SequencerActor::start_in_arbiter(&threads.start()?, |_| SequencerActor::new(core));
    let auditor = {
        let genesis = Arc::clone(&genesis);
        AuditorActor::start_in_arbiter(&threads.start()?, move |_| AuditorActor::new(&genesis))
    };
    let envelope_public = envelope_key.public();
    let intake = Intake::new(envelope_key, receipt_key, state.clone(), 0);
    let orders = sequencer.clone().recipient::<Order>();
    let time = clock.clone();
    let now = Arc::new(move || time.now_unix_ms());
    let shell = AggregatorActor::new(intake, pools.verdicts, verdicts, orders, now);
    let aggregator = AggregatorActor::start_in_arbiter(&threads.start()?, |_| shell);
    let followers =
        [(aggregator.clone().recipient(), Pace::InStep), (auditor.clone().recipient(), Pace::Behind)];
    for (follower, pace) in followers {
        sequencer.send(Follow { follower, pace }).await.map_err(DayError::lost("the sequencer"))?;
    }
    let market = Arc::new(Market {
        state: state.clone(),
        aggregator: aggregator.clone().recipient(),
        envelope_key: envelope_public,
        pool: pools.proofs,
    });
    let members = start_members(config, newcomers, &market, &threads.start()?)?;
    let store_dirs = (1..=config.validators).map(|index| store_dir(&config.dir, index)).collect();
    Ok(Cast {
        members,
        validators,
        aggregator,
        sequencer,
        auditor,
        clock,
        genesis: state,
        key_generation,
        store_dirs,
    })
}

impl Newcomer {
    fn new(participant: Participant) -> Self {
        Self { participant, wallet: Wallet::from_seed(&WalletSeed::generate(&mut OsRng)) }
    }

    fn account(&self, key_epoch: u64) -> PointBytes {
        self.wallet.account_key(key_epoch).verifying_key().to_bytes()
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
            let start = move |_: &mut _| ValidatorActor::candidate(index, journal);
            Ok(Supervisor::start_in_arbiter(&threads.start()?, start))
        })
        .collect()
}

async fn draft(
    config: &DayConfig,
    newcomers: &[Newcomer],
    validators: &[Addr<ValidatorActor>],
    receipt_key: &SigningKey,
    envelope_key: &EnvelopeKey,
) -> Result<GenesisDraft, DayError> {
    let mut roster = Vec::with_capacity(validators.len());
    for (index, validator) in (1u16..).zip(validators) {
        roster.push(validator.send(Identify).await.map_err(lost_validator(index))??);
    }
    let founding = Founding {
        params: config.params.clone(),
        validators: config.validators,
        members: newcomers.iter().map(|newcomer| newcomer.account(config.key_epoch)).collect(),
        key_epoch: config.key_epoch,
        time_unix_ms: first_time_ms(config),
    };
    let draft = draft_genesis(&founding, &roster, receipt_key, &envelope_key.public(), &mut OsRng);
    draft.check()?;
    Ok(draft)
}

/// The ledger begins when the first bidding does.
fn first_time_ms(config: &DayConfig) -> u64 {
    config.slots.first().map_or(0, |slot| config.bidding_ms(*slot).0)
}

/// Everybody deals, block 0 is made of the packages, everybody checks what it was dealt and stores block 0.
async fn generate_keys(
    config: &DayConfig,
    draft: GenesisDraft,
    validators: &[Addr<ValidatorActor>],
    observer: &Observer,
) -> Result<Arc<Block>, DayError> {
    let (threshold, keys) = (draft.params.threshold, draft.params.steps());
    observer(DayEvent::KeyGenerationStarted { validators: config.validators, threshold, keys });
    let peers: Vec<Recipient<TakeShares>> =
        validators.iter().map(|validator| validator.clone().recipient()).collect();
    let context = draft.keygen_context();
    let dealing: Vec<_> =
        validators.iter().map(|dealer| dealer.send(Deal { context, peers: peers.clone() })).collect();
    let mut packages: Vec<DealerPackage> = Vec::with_capacity(validators.len());
    for (index, package) in (1u16..).zip(dealing) {
        packages.push(package.await.map_err(lost_validator(index))??);
    }
    let genesis = Arc::new(genesis_block(Genesis::new(draft, packages)?, first_time_ms(config)));
    let joining: Vec<_> =
        validators.iter().map(|validator| validator.send(Join { genesis: Arc::clone(&genesis) })).collect();
    let mut ledger_id = [0; 32];
    for (index, joined) in (1u16..).zip(joining) {
        joined.await.map_err(lost_validator(index))??;
    }
    if let Some(veilgrid_ledger::transaction::Transaction::Genesis(genesis)) = genesis.transactions.first() {
        ledger_id = genesis.ledger_id();
    }
    observer(DayEvent::KeyGenerationFinished { ledger_id, genesis_hash: genesis.hash() });
    tracing::info!(validators = config.validators, threshold, keys, "keys generated");
    Ok(genesis)
}

fn lost_validator(index: u16) -> impl FnOnce(actix::MailboxError) -> DayError {
    DayError::lost(format!("validator {index}"))
}

fn start_members(
    config: &DayConfig,
    newcomers: Vec<Newcomer>,
    market: &Arc<Market>,
    thread: &ArbiterHandle,
) -> Result<Vec<MemberLink>, DayError> {
    let (terms, day) = (config.terms()?, config.day());
    let start = |newcomer: Newcomer| {
        let Participant { id, role, .. } = &newcomer.participant;
        // The stream of `behaviour::bidder_for`, so that every way to run a day makes the same draws.
        let rng = seeded_rng(config.seed, id, role.name());
        let terms = terms.clone();
        match role {
            Role::Prosumer => Ok(start_member(config, newcomer, Prosumer::new(terms, rng), market, thread)),
            Role::Consumer => Ok(start_member(config, newcomer, Consumer::new(terms, rng), market, thread)),
            Role::ChargingStation => {
                let ev_wh: Vec<u64> = newcomer.participant.energy.iter().map(|energy| energy.ev_wh).collect();
                let station = ChargingStation::new(terms, &ev_wh, &day, rng)
                    .map_err(|source| MemberError::Behaviour { id: id.clone(), source })?;
                Ok(start_member(config, newcomer, station, market, thread))
            }
        }
    };
    newcomers.into_iter().map(start).collect()
}

fn start_member<B: Bidder + Unpin + Send + 'static>(
    config: &DayConfig,
    newcomer: Newcomer,
    bidder: B,
    market: &Arc<Market>,
    thread: &ArbiterHandle,
) -> MemberLink {
    let Newcomer { participant: Participant { id, role, energy }, wallet } = newcomer;
    let (market, key_epoch, name) = (Arc::clone(market), config.key_epoch, id.clone());
    let address = MemberActor::start_in_arbiter(thread, move |_| {
        MemberActor::new(Member::new(name, wallet, key_epoch, bidder), energy, market)
    });
    MemberLink {
        id,
        role,
        place: address.clone().recipient(),
        settled: address.clone().recipient(),
        voided: address.clone().recipient(),
        account: address.recipient(),
    }
}
