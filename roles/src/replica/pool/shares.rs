//! Opening shares by sharing, round, opening and validator. Each is verified once, when its opening is asked for.
//!
//! The *sharing* is the number of the key session whose shares a share was made with. It changes in the middle of an
//! opening when the shares of the keys are renewed; the same sum is then asked for again. A share of the old sharing is
//! late and not false, so that whoever sent it must not be named: the sharing comes with the share.
//!
//! A validator's *number* changes with the validators as well, and a share may come before the change that it is for.
//! So each is kept with its sender's consensus key, and counts for a state in which that key has the share's number: a
//! validator that leaves can neither take the place of the one that gets its number nor have it blamed.

use crate::replica::error::{OfferRefusal, Offered};
use crate::replica::item::{OpeningId, Owner};
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::keygen::ThresholdKeys;
use veilgrid_crypto::opening::{OpeningShare, ShareFault, verify_share};
use veilgrid_ledger::money::forced::FORCED_CLAIMS;
use veilgrid_ledger::roster::Roster;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};

/// Openings after the awaited one whose shares are kept: another validator may be some blocks ahead.
const OPENINGS_AHEAD: u32 = 4;

/// Sessions after the one in force whose shares are kept, for the same reason.
const SHARINGS_AHEAD: u64 = 2;

/// The shares of one opening. Verdicts hold for one question: on another branch of blocks the same opening may ask for
/// another sum.
#[derive(Default)]
struct OpeningShares {
    question: Option<ShareRequest>,
    shares: BTreeMap<Owner, OpeningShare>,
    valid: BTreeSet<Owner>,
    culprits: BTreeSet<Owner>,
}

/// The consensus key of validator `validator` (from 1) at a state.
pub(in crate::replica) fn key_of(state: &State, validator: u16) -> Option<[u8; 32]> {
    key_in(state.roster(), validator)
}

/// The same in one roster.
pub(in crate::replica) fn key_in(roster: &Roster, validator: u16) -> Option<[u8; 32]> {
    let at = usize::from(validator).checked_sub(1)?;
    roster.validators.get(at).map(|entry| entry.consensus_key)
}

/// Whether the sender has the share's number at a state.
fn is_owner(state: &State, (validator, sender): &Owner) -> bool {
    key_of(state, *validator) == Some(*sender)
}

/// The shares.
#[derive(Default)]
pub(in crate::replica) struct SharePool {
    openings: BTreeMap<OpeningId, OpeningShares>,
}

impl SharePool {
    /// Number of shares that are not known to be false.
    pub(in crate::replica) fn len(&self) -> usize {
        let of = |opening: &OpeningShares| {
            opening.shares.keys().filter(|owner| !opening.culprits.contains(owner)).count()
        };
        self.openings.values().map(of).sum()
    }

    pub(in crate::replica) fn get(&self, id: &OpeningId, owner: &Owner) -> Option<&OpeningShare> {
        self.openings.get(id)?.shares.get(owner)
    }

    /// Takes a share of the validator with this consensus key. When the final state asks for it, it is verified at once.
    ///
    /// # Errors
    /// Not awaited, not a validator's, false, or of a validator that was false in this opening before.
    pub(in crate::replica) fn offer(
        &mut self,
        state: &State,
        id: OpeningId,
        sender: &[u8; 32],
        share: OpeningShare,
    ) -> Result<Offered, OfferRefusal> {
        let (OpeningId { round_id, opening_index, .. }, validator) = (id, share.validator);
        // Numbers of a later sharing may be those of more validators.
        let is_current = id.sharing == state.sharing().unwrap_or(0);
        if validator == 0 || is_current && validator > state.community().validators() {
            return Err(OfferRefusal::UnknownValidator { round_id, opening_index, validator });
        }
        if !is_near(state, &id) {
            return Err(OfferRefusal::ShareNotAwaited { round_id, opening_index });
        }
        let (opening, owner) = (self.openings.entry(id).or_default(), (validator, *sender));
        if opening.culprits.contains(&owner) {
            return Err(OfferRefusal::Culprit { round_id, opening_index, validator });
        }
        if opening.shares.contains_key(&owner) {
            return Ok(Offered::Known);
        }
        opening.shares.insert(owner, share);
        if let Some(request) = state.share_request(round_id)
            && OpeningId::of(state, &request) == id
            && let Some(keys) = state.community().keys()
            && let Some(fault) =
                opening.verify(state, &request, keys).into_iter().find(|f| f.validator == validator)
        {
            return Err(OfferRefusal::ShareFalse { round_id, opening_index, fault });
        }
        Ok(Offered::New)
    }

    /// The shares that are still missing for what a state asks for, once enough valid ones are here; none before.
    pub(in crate::replica) fn for_request(
        &mut self,
        state: &State,
        request: &ShareRequest,
    ) -> Vec<OpeningShare> {
        let Some(opening) = self.openings.get_mut(&OpeningId::of(state, request)) else { return Vec::new() };
        let Some(keys) = state.community().keys() else { return Vec::new() };
        opening.verify(state, request, keys);
        let fresh = opening.shares.iter().filter(|(owner, _)| {
            opening.valid.contains(owner) && is_owner(state, owner) && !request.have.contains(&owner.0)
        });
        let missing = usize::from(request.missing);
        let chosen: Vec<OpeningShare> = fresh.map(|(_, share)| *share).take(missing).collect();
        if chosen.len() == missing { chosen } else { Vec::new() }
    }

    /// Drops the shares of openings that are over.
    pub(super) fn follow(&mut self, state: &State) {
        self.openings.retain(|id, _| is_near(state, id));
        for (id, opening) in &mut self.openings {
            if let Some(request) = state.share_request(id.round_id)
                && OpeningId::of(state, &request) == *id
            {
                opening.shares.retain(|owner, _| !request.have.contains(&owner.0) && is_owner(state, owner));
            }
        }
    }
}

/// Whether an opening is awaited or soon will be. Of a round that still takes bids the first openings are.
fn is_near(state: &State, id: &OpeningId) -> bool {
    let sharing = state.sharing().unwrap_or(0);
    if !(sharing..=sharing.saturating_add(SHARINGS_AHEAD)).contains(&id.sharing) {
        return false;
    }
    if let Some(number) = id.opening_index.checked_sub(FORCED_CLAIMS) {
        let unclaimed = state.accounts().and_then(|accounts| accounts.unclaimed_of(id.round_id));
        let near = 1usize.saturating_add(OPENINGS_AHEAD as usize);
        // Claims are asked for one after another, the lowest account number first.
        return unclaimed
            .is_some_and(|unclaimed| unclaimed.open().keys().take(near).any(|open| *open == number));
    }
    let awaited = match state.expected(id.round_id) {
        Ok(Expected::Shares(request)) => request.context.opening_index,
        Ok(Expected::Value { opening_index, .. }) => opening_index.saturating_add(1),
        Ok(Expected::Bids { .. }) => 0,
        _ => return false,
    };
    (awaited..=awaited.saturating_add(OPENINGS_AHEAD)).contains(&id.opening_index)
}

impl OpeningShares {
    /// Verifies what was not verified for this question before, of those whose number it is at this state, and names
    /// the validators whose shares are false. Their shares stay until the opening is over: on another branch of blocks
    /// they may be true.
    fn verify(&mut self, state: &State, request: &ShareRequest, keys: &ThresholdKeys) -> Vec<ShareFault> {
        let ShareRequest { context, weights, r_total, .. } = request;
        let same = |other: &ShareRequest| {
            other.context == *context && other.weights == *weights && other.r_total == *r_total
        };
        if !self.question.as_ref().is_some_and(same) {
            self.question = Some(request.clone());
            self.valid.clear();
            self.culprits.clear();
        }
        let mut faults = Vec::new();
        let is_new = |owner: &Owner| {
            !self.valid.contains(owner) && !self.culprits.contains(owner) && is_owner(state, owner)
        };
        let new = self.shares.iter().filter(|(owner, _)| is_new(owner));
        let verdicts: Vec<_> = new
            .map(|(owner, share)| (*owner, verify_share(context, weights, keys, r_total, share)))
            .collect();
        for (owner, verdict) in verdicts {
            match verdict {
                Ok(_) => {
                    self.valid.insert(owner);
                }
                Err(fault) => {
                    let (round_id, opening_index, validator) =
                        (context.round_id, context.opening_index, owner.0);
                    tracing::warn!(round_id, opening_index, validator, %fault, "a validator sent a false share");
                    self.culprits.insert(owner);
                    faults.push(fault);
                }
            }
        }
        faults
    }
}
