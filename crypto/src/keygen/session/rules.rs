//! What each kind of event must satisfy. The signature is checked first, in [`Session::apply`], so that every later fault
//! is the signer's.

use super::{DealerFault, Effect, Party, Phase, Published, Refusal, Session};
use crate::envelope::EnvelopePublicKey;
use crate::keygen::KeyGenError;
use crate::keygen::context::Signed;
use crate::keygen::delivery::{Delivery, KeyAnnouncement, sealed_bytes};
use crate::keygen::held::first_false;
use crate::keygen::messages::{Answer, Event, Package, Verdict};
use crate::schnorr::VerifyingKey;
use std::collections::btree_map::Entry;

impl Session {
    fn key_of(&self, party: Party) -> Result<&VerifyingKey, Refusal> {
        let (number, keys) = match party {
            Party::Dealer(number) => (number, &self.parties.dealers),
            Party::Receiver(number) => (number, &self.parties.receivers),
        };
        let at = usize::from(number).checked_sub(1);
        at.and_then(|at| keys.get(at)).ok_or(Refusal::UnknownParty { party })
    }

    /// "An event is signed by the party that it names, for this session." Cheap next to everything else about an event,
    /// and all that anybody can get wrong in another's name: to be asked before a session is copied for a trial.
    ///
    /// # Errors
    /// [`Refusal::UnknownParty`], [`Refusal::Signature`].
    pub fn check_signature(&self, event: &Event) -> Result<(), Refusal> {
        let party = event.party();
        let (ctx, key) = (&self.ctx, self.key_of(party)?);
        let signed = match event {
            Event::Announcement(announcement) => announcement.check_signature(ctx, key),
            Event::Package(package) => package.check_signature(ctx, key),
            Event::Delivery(delivery) => delivery.check_signature(ctx, key),
            Event::Verdict(verdict) => verdict.check_signature(ctx, key),
            Event::Answer(answer) => answer.check_signature(ctx, key),
        };
        signed.map_err(|_| Refusal::Signature { party })
    }

    fn check_phase(&self, party: Party, due: Phase) -> Result<(), Refusal> {
        let phase = self.phase;
        match phase.cmp(&due) {
            core::cmp::Ordering::Less => Err(Refusal::Early { party, due, phase }),
            core::cmp::Ordering::Equal => Ok(()),
            core::cmp::Ordering::Greater => Err(Refusal::Late { party, due, phase }),
        }
    }

    /// "One usable key a receiver."
    pub(super) fn announce(&mut self, announcement: &KeyAnnouncement) -> Result<Effect, Refusal> {
        let receiver = announcement.receiver;
        let party = Party::Receiver(receiver);
        self.check_phase(party, Phase::Announcing)?;
        let slot = &mut self.announced[usize::from(receiver) - 1];
        if slot.is_some() {
            return Err(Refusal::Repeated { party });
        }
        let key = EnvelopePublicKey::from_bytes(&announcement.key);
        *slot = Some(key.map_err(|source| Refusal::OneTimeKey { receiver, source })?);
        Ok(Effect::Accepted)
    }

    /// "One package per dealer; a false one excludes it", so that nobody has to check a second.
    pub(super) fn publish(&mut self, package: &Package) -> Result<Effect, Refusal> {
        let dealer = package.dealer();
        let party = Party::Dealer(dealer);
        self.check_phase(party, Phase::Dealing)?;
        let state = &self.dealers[usize::from(dealer) - 1];
        if state.fault.is_some() {
            return Err(Refusal::Excluded { dealer });
        }
        if state.package.is_some() {
            return Err(Refusal::Repeated { party });
        }
        let checked = package.check(&self.ctx, self.previous.as_ref());
        match checked.and_then(|points| self.check_constants(package).map(|()| points)) {
            Ok(points) => {
                let digest = package.digest(&self.ctx);
                self.dealers[usize::from(dealer) - 1].package = Some(Published { digest, points });
                Ok(Effect::Accepted)
            }
            Err(fault) => {
                self.exclude(dealer, DealerFault::Package(fault));
                Ok(Effect::Excluded { dealer })
            }
        }
    }

    /// "No constant term of a generation occurs twice": the proofs show that the second dealer knows the first one's.
    fn check_constants(&mut self, package: &Package) -> Result<(), KeyGenError> {
        let Package::Generation(package) = package else { return Ok(()) };
        let dealer = package.dealer;
        for (key, commitments) in (0u32..).zip(&package.commitments) {
            let constant = commitments.first().copied().unwrap_or_default();
            match self.constants.entry(constant) {
                Entry::Vacant(entry) => entry.insert((dealer, key)),
                Entry::Occupied(entry) => {
                    let (first_dealer, first_key) = *entry.get();
                    return Err(KeyGenError::RepeatedConstant { dealer, key, first_dealer, first_key });
                }
            };
        }
        Ok(())
    }

    /// "A dealer delivers once, of its package, to exactly the receivers that announced a key."
    pub(super) fn deliver(&mut self, delivery: &Delivery) -> Result<Effect, Refusal> {
        let dealer = delivery.dealer;
        let party = Party::Dealer(dealer);
        self.check_phase(party, Phase::Dealing)?;
        let state = &self.dealers[usize::from(dealer) - 1];
        if state.fault.is_some() {
            return Err(Refusal::Excluded { dealer });
        }
        let package = state.package.as_ref().ok_or(Refusal::NoPackage { dealer })?.digest;
        if state.delivery.is_some() {
            return Err(Refusal::Repeated { party });
        }
        let expected = self.announced().into_iter().map(|(receiver, _)| receiver);
        let size = sealed_bytes(self.ctx.keys);
        let fault = if delivery.package != package {
            DealerFault::OtherPackage
        } else if !delivery.sealed.iter().map(|(receiver, _)| *receiver).eq(expected)
            || delivery.sealed.iter().any(|(_, sealed)| sealed.len() != size)
        {
            DealerFault::Receivers
        } else {
            self.dealers[usize::from(dealer) - 1].delivery = Some(delivery.clone());
            return Ok(Effect::Accepted);
        };
        self.exclude(dealer, fault);
        Ok(Effect::Excluded { dealer })
    }

    /// "One verdict a receiver, about dealers that take part."
    pub(super) fn judge(&mut self, verdict: &Verdict) -> Result<Effect, Refusal> {
        let receiver = verdict.receiver;
        let party = Party::Receiver(receiver);
        self.check_phase(party, Phase::Judging)?;
        let at = usize::from(receiver) - 1;
        if self.announced[at].is_none() {
            return Err(Refusal::NothingSealed { receiver });
        }
        if self.verdicts[at].is_some() {
            return Err(Refusal::Repeated { party });
        }
        let mut last = 0;
        for &dealer in &verdict.complaints {
            if dealer <= last || !self.has_delivered(dealer) {
                return Err(Refusal::Complaint { receiver, dealer });
            }
            last = dealer;
        }
        self.verdicts[at] = Some(verdict.complaints.clone());
        Ok(Effect::Accepted)
    }

    /// "An answer is to an open complaint, and a false one excludes its dealer."
    pub(super) fn answer(&mut self, answer: &Answer) -> Result<Effect, Refusal> {
        let shares = &answer.shares;
        let (dealer, receiver) = (shares.dealer, shares.receiver);
        let party = Party::Dealer(dealer);
        self.check_phase(party, Phase::Answering)?;
        if self.answers.contains_key(&(dealer, receiver)) {
            return Err(Refusal::Repeated { party });
        }
        if !self.complaints.contains(&(dealer, receiver)) {
            return Err(Refusal::NoComplaint { dealer, receiver });
        }
        let package = self.dealers[usize::from(dealer) - 1].package.as_ref();
        let Published { digest, points } = package.ok_or(Refusal::NoPackage { dealer })?;
        match first_false(&self.ctx, digest, points, shares) {
            None => {
                self.complaints.remove(&(dealer, receiver));
                self.answers.insert((dealer, receiver), shares.clone());
                Ok(Effect::Accepted)
            }
            Some(key) => {
                self.exclude(dealer, DealerFault::FalseAnswer { receiver, key });
                Ok(Effect::Excluded { dealer })
            }
        }
    }
}
