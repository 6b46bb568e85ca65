//! A session over the ledger as a state machine: the same ordered events give everybody the same keys or the same
//! abort (specification section 2.7).
//!
//! ```text
//! Announcing --> Dealing --> Judging --> Answering --> Ended
//! ```
//!
//! A phase ends when everybody has done its part, or else after the last height of its deadline. Whoever has done
//! nothing by then is named and left out; a dealer that is left out still receives shares.
//!
//! # Security
//!
//! - A complaint cannot be checked by itself; the dealer's answer can: it publishes exactly the shares of the receiver
//!   that complained, and everybody compares them with the commitments. An honest dealer thereby reveals shares of a
//!   false receiver alone, which the adversary has anyway, and an honest receiver complains about false dealers alone.
//! - More than f complaints against one dealer, or by one receiver, convict that party without any answer. So of one
//!   dealer at most f shares are revealed, and f false receivers and f revealed shares stay below the threshold of
//!   2f + 1. How many dealers have revealed some does not matter: each shares by a polynomial of its own.
//! - At least t' receivers must have answered for their shares before a session ends in keys, so that a refresh or
//!   a resharing never leaves less holders than open.

mod deadlines;
mod error;
mod phase;
mod receive;
mod rules;

pub use super::party::Party;
pub use error::{Abort, AbortReason, Agreement, DealerFault, Effect, ReceiverFault, Refusal};
pub use phase::Phase;
pub use receive::Opened;

use super::KeyGenError;
use super::context::{SessionContext, Task};
use super::deal::DealtShares;
use super::delivery::Delivery;
use super::messages::Event;
use super::public::{Points, ThresholdKeys};
use crate::envelope::EnvelopePublicKey;
use crate::group::PointBytes;
use crate::labels;
use crate::schnorr::VerifyingKey;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The last block height at which events of each phase are taken; rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Of announcements.
    pub announce_until: u64,
    /// Of packages and deliveries.
    pub deal_until: u64,
    /// Of verdicts.
    pub judge_until: u64,
    /// Of answers.
    pub answer_until: u64,
}

/// The validators' signature keys, each at its number − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// Of the dealers.
    pub dealers: Vec<VerifyingKey>,
    /// Of the receivers; the dealers' except in a resharing.
    pub receivers: Vec<VerifyingKey>,
}

/// What a session knows of one dealer.
#[derive(Debug, Clone, Default)]
struct DealerState {
    package: Option<Published>,
    delivery: Option<Delivery>,
    fault: Option<DealerFault>,
}

/// A package that holds.
#[derive(Debug, Clone)]
struct Published {
    digest: [u8; 32],
    points: Points,
}

/// One session, from its announcements to its keys or its abort.
#[derive(Debug, Clone)]
pub struct Session {
    ctx: SessionContext,
    schedule: Schedule,
    parties: Parties,
    previous: Option<ThresholdKeys>,
    phase: Phase,
    height: u64,
    announced: Vec<Option<EnvelopePublicKey>>,
    dealers: Vec<DealerState>,
    /// Constant terms of all packages so far; generated keys use each one once.
    constants: BTreeMap<PointBytes, (u16, u32)>,
    verdicts: Vec<Option<Vec<u16>>>,
    receiver_faults: BTreeMap<u16, ReceiverFault>,
    /// Open complaints: dealer and receiver.
    complaints: BTreeSet<(u16, u16)>,
    /// True answers: dealer and receiver.
    answers: BTreeMap<(u16, u16), DealtShares>,
    /// Weight of each dealer in a resharing.
    weights: Vec<Scalar>,
    outcome: Option<Result<Agreement, Abort>>,
    digest: [u8; 32],
}

impl Session {
    /// A session that starts at `height`. `previous` are the keys whose shares are renewed.
    ///
    /// # Errors
    /// [`KeyGenError::Context`] for a context, schedule, parties or previous keys that do not fit together,
    /// [`KeyGenError::DealerKeys`] for too few or too many signature keys.
    pub fn new(
        ctx: SessionContext,
        schedule: Schedule,
        parties: Parties,
        previous: Option<ThresholdKeys>,
        height: u64,
    ) -> Result<Self, KeyGenError> {
        ctx.check()?;
        check_setup(&ctx, &schedule, &parties, previous.as_ref(), height)?;
        let receivers = usize::from(ctx.receivers.validators);
        let mut session = Self {
            phase: Phase::Announcing,
            height,
            announced: vec![None; receivers],
            dealers: vec![DealerState::default(); ctx.dealers.validators.into()],
            constants: BTreeMap::new(),
            verdicts: vec![None; receivers],
            receiver_faults: BTreeMap::new(),
            complaints: BTreeSet::new(),
            answers: BTreeMap::new(),
            weights: Vec::new(),
            outcome: None,
            digest: [0; 32],
            ctx,
            schedule,
            parties,
            previous,
        };
        session.absorb(&[&session.setup_bytes()]);
        Ok(session)
    }

    /// The context.
    pub fn context(&self) -> &SessionContext {
        &self.ctx
    }

    /// The deadlines.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The validators' signature keys.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// The keys whose shares are renewed; none when keys are generated.
    pub fn previous(&self) -> Option<&ThresholdKeys> {
        self.previous.as_ref()
    }

    /// The last height that it has seen.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The phase after the last event and height.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The result, once there is one.
    pub fn outcome(&self) -> Option<&Result<Agreement, Abort>> {
        self.outcome.as_ref()
    }

    /// A digest of everything that has had an effect so far; equal for all who have seen the same events.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The receivers that have announced a key, in rising order: those that a dealer seals shares for.
    pub fn announced(&self) -> Vec<(u16, EnvelopePublicKey)> {
        (1..).zip(&self.announced).filter_map(|(receiver, key)| Some((receiver, (*key)?))).collect()
    }

    /// Whether dealer `dealer` has published its package.
    pub fn has_package(&self, dealer: u16) -> bool {
        self.dealer(dealer).is_some_and(|d| d.package.is_some())
    }

    /// Whether dealer `dealer` has delivered and is not excluded.
    pub fn has_delivered(&self, dealer: u16) -> bool {
        self.dealer(dealer).is_some_and(DealerState::takes_part)
    }

    /// What receiver `receiver` has said: the dealers that it complained about.
    pub fn verdict_of(&self, receiver: u16) -> Option<&[u16]> {
        let at = usize::from(receiver).checked_sub(1)?;
        self.verdicts.get(at)?.as_deref()
    }

    /// The receivers whose complaints dealer `dealer` has to answer now; empty but in [`Phase::Answering`].
    pub fn complaints_against(&self, dealer: u16) -> Vec<u16> {
        self.complaints.iter().filter(|(d, _)| *d == dealer).map(|(_, receiver)| *receiver).collect()
    }

    /// The excluded dealers so far, in rising order.
    pub fn dealer_faults(&self) -> Vec<(u16, DealerFault)> {
        (1..).zip(&self.dealers).filter_map(|(dealer, d)| Some((dealer, d.fault.clone()?))).collect()
    }

    /// The receivers that do not count so far, in rising order.
    pub fn receiver_faults(&self) -> Vec<(u16, ReceiverFault)> {
        self.receiver_faults.iter().map(|(receiver, fault)| (*receiver, *fault)).collect()
    }

    fn dealer(&self, dealer: u16) -> Option<&DealerState> {
        self.dealers.get(usize::from(dealer).checked_sub(1)?)
    }

    /// The dealers that have delivered and are not excluded, in rising order.
    fn participants(&self) -> Vec<u16> {
        (1..).zip(&self.dealers).filter(|(_, d)| d.takes_part()).map(|(dealer, _)| dealer).collect()
    }

    fn exclude(&mut self, dealer: u16, fault: DealerFault) {
        self.complaints.retain(|(d, _)| *d != dealer);
        self.dealers[usize::from(dealer) - 1].fault.get_or_insert(fault);
    }

    fn setup_bytes(&self) -> Vec<u8> {
        let mut bytes = self.ctx.to_bytes();
        let Schedule { announce_until, deal_until, judge_until, answer_until } = self.schedule;
        for height in [self.height, announce_until, deal_until, judge_until, answer_until] {
            bytes.extend_from_slice(&height.to_le_bytes());
        }
        let keys = self.parties.dealers.iter().chain(&self.parties.receivers);
        keys.for_each(|key| bytes.extend_from_slice(&key.to_bytes()));
        bytes
    }

    /// Carries the digest on: label, digest before, phase, what happened. A phase that ends is absorbed without a
    /// height, so that it does not matter at which later height its deadline is noticed.
    fn absorb(&mut self, what: &[&[u8]]) {
        let mut digest = Sha256::new().chain_update(labels::KEYGEN_SESSION).chain_update(self.digest);
        digest.update([self.phase as u8]);
        what.iter().for_each(|part| digest.update(part));
        self.digest = digest.finalize().into();
    }

    /// Takes the next event, which stands in the block of `height`, and what follows from it.
    ///
    /// # Errors
    /// [`Refusal`]; the event then has no effect. Deadlines before `height` have passed all the same.
    pub fn apply(&mut self, height: u64, event: &Event) -> Result<Effect, Refusal> {
        self.advance(height)?;
        self.check_signature(event)?;
        let effect = match event {
            Event::Announcement(announcement) => self.announce(announcement),
            Event::Package(package) => self.publish(package),
            Event::Delivery(delivery) => self.deliver(delivery),
            Event::Verdict(verdict) => self.judge(verdict),
            Event::Answer(answer) => self.answer(answer),
        }?;
        self.absorb(&[&height.to_le_bytes(), &event.to_bytes()]);
        self.close_phases();
        Ok(effect)
    }
}

impl DealerState {
    fn takes_part(&self) -> bool {
        self.delivery.is_some() && self.fault.is_none()
    }
}

fn check_setup(
    ctx: &SessionContext,
    schedule: &Schedule,
    parties: &Parties,
    previous: Option<&ThresholdKeys>,
    height: u64,
) -> Result<(), KeyGenError> {
    let Parties { dealers, receivers } = parties;
    for (keys, group) in [(dealers, ctx.dealers), (receivers, ctx.receivers)] {
        if keys.len() != usize::from(group.validators) {
            return Err(KeyGenError::DealerKeys { found: keys.len(), expected: group.validators });
        }
    }
    let Schedule { announce_until, deal_until, judge_until, answer_until } = *schedule;
    let renews = |keys: &ThresholdKeys| {
        keys.group() == ctx.dealers && keys.keys().len() == ctx.key_count() && keys.digest() == ctx.previous
    };
    let why = if ![height, announce_until, deal_until, judge_until, answer_until].is_sorted_by(|a, b| a < b) {
        "the deadlines are not in rising order after the start"
    } else if ctx.task != Task::Reshare && dealers != receivers {
        "only a resharing has other receivers than dealers"
    } else if (ctx.task == Task::Generate) != previous.is_none() || !previous.is_none_or(renews) {
        "the previous keys are not those that the session renews"
    } else {
        return Ok(());
    };
    Err(KeyGenError::Context { why })
}
