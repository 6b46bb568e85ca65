//! The file with a proposed change of the validators.
//!
//! It names both sets with all keys, so that whoever signs sees who goes and who comes, and anybody can check every
//! signature of it with nothing else at hand.

use super::error::ProposalError;
use crate::config::Hex32;
use crate::keyfile::ValidatorKeys;
use rand_core::CryptoRngCore;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::Read;
use std::path::Path;
use veilgrid_api::validators::{NumberedValidator, ValidatorSet, roster_of};
use veilgrid_crypto::keygen::MAX_VALIDATORS;
use veilgrid_crypto::schnorr::SignatureBytes;
use veilgrid_ledger::room::check_change;
use veilgrid_ledger::roster::{Endorsement, Roster, RosterChange, RosterError, ValidatorEntry};
use veilgrid_store::files::{write_durably, write_once};

/// Most bytes of the file: both sets of 128 and all their signatures are a fifth of it.
pub const MAX_PROPOSAL_BYTES: u64 = 1 << 20;

/// A proposed change of the validators with the signatures that it has so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The ledger.
    pub ledger_id: Hex32,
    /// First epoch of the present validators. The change is good while they are in force, and never again.
    pub since_epoch: u64,
    /// The present validators.
    pub current: Vec<NumberedValidator>,
    /// The new ones.
    pub new: Vec<NumberedValidator>,
    /// Signatures of present validators, in rising order of their numbers.
    pub endorsements: Vec<SignedBy>,
}

/// A present validator's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// Its number among the present validators.
    pub validator: u16,
    /// The signature, hexadecimal.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub signature: SignatureBytes,
}

/// What an endorsement did to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endorsed {
    /// This validator's signature is new.
    Added(u16),
    /// It had signed before.
    Already(u16),
}

/// How far a proposal is. Validators by their present numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// How many signatures are needed.
    pub needed: u16,
    /// Whose signatures hold.
    pub valid: Vec<u16>,
    /// Whose do not.
    pub invalid: Vec<u16>,
    /// Who has not signed.
    pub missing: Vec<u16>,
}

impl Standing {
    /// Whether enough have signed.
    pub fn is_enough(&self) -> bool {
        self.valid.len() >= usize::from(self.needed)
    }
}

impl Proposal {
    /// Proposes to take out the validators with these numbers and to put others at the end. Who stays keeps its place
    /// among those who stay.
    ///
    /// # Errors
    /// [`ProposalError`]: the rule that is broken.
    pub fn new(set: &ValidatorSet, add: &[ValidatorEntry], remove: &[u16]) -> Result<Self, ProposalError> {
        if set.pending.is_some() {
            return Err(ProposalError::UnderWay);
        }
        let validators = set.validators.len();
        for (place, number) in remove.iter().copied().enumerate() {
            if number == 0 || usize::from(number) > validators {
                return Err(ProposalError::NoSuchNumber { number, validators });
            }
            if remove[..place].contains(&number) {
                return Err(ProposalError::RemovedTwice { number });
            }
        }
        let known = |entry: &ValidatorEntry| {
            set.validators.iter().find(|validator| validator.signing_key.0 == entry.signing_key)
        };
        if let Some((entry, there)) = add.iter().find_map(|entry| Some((entry, known(entry)?))) {
            let signing_key = Hex32(entry.signing_key);
            return Err(ProposalError::AlreadyThere { signing_key, number: there.number });
        }
        let stays = set.validators.iter().filter(|validator| !remove.contains(&validator.number));
        let entries = stays.map(NumberedValidator::entry).chain(add.iter().copied()).collect();
        let roster = Roster { validators: entries };
        roster.check().map_err(ProposalError::Roster)?;
        if roster == set.roster() {
            return Err(ProposalError::Roster(RosterError::Unchanged));
        }
        check_room(set, &roster)?;
        Ok(Self {
            ledger_id: set.ledger_id,
            since_epoch: set.since_epoch,
            current: set.validators.clone(),
            new: NumberedValidator::of(&roster),
            endorsements: Vec::new(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ProposalError`]: what is wrong with it. Signatures are not looked at.
    pub fn read(path: &Path) -> Result<Self, ProposalError> {
        let unreadable = |reason| ProposalError::Unreadable { path: path.to_owned(), reason };
        Self::read_from(path, std::fs::File::open(path).map_err(unreadable)?)
    }

    /// The same from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// As [`Proposal::read`].
    pub fn read_from(path: &Path, source: impl Read) -> Result<Self, ProposalError> {
        let unreadable = |reason| ProposalError::Unreadable { path: path.to_owned(), reason };
        let mut bytes = Vec::new();
        source.take(MAX_PROPOSAL_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_PROPOSAL_BYTES {
            return Err(ProposalError::TooLarge { path: path.to_owned() });
        }
        let proposal: Self = serde_json::from_slice(&bytes)
            .map_err(|error| ProposalError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        let order = |what| Err(ProposalError::Order { path: path.to_owned(), what });
        let numbered = |set: &[NumberedValidator]| {
            set.len() <= usize::from(MAX_VALIDATORS) && set.iter().zip(1..).all(|(one, at)| one.number == at)
        };
        if !numbered(&proposal.current) {
            return order("the present validators");
        }
        if !numbered(&proposal.new) {
            return order("the new validators");
        }
        if !proposal.endorsements.is_sorted_by(|a, b| a.validator < b.validator) {
            return order("the endorsements");
        }
        Ok(proposal)
    }

    /// Writes a new file; one that exists stays as it is.
    ///
    /// # Errors
    /// [`ProposalError::Unwritable`].
    pub fn write_new(&self, path: &Path) -> Result<(), ProposalError> {
        let written = self.text().and_then(|text| write_once(path, text.as_bytes()));
        written.map_err(|reason| ProposalError::Unwritable { path: path.to_owned(), reason })
    }

    /// Writes the file instead of the one that is there: whole or not at all.
    ///
    /// # Errors
    /// [`ProposalError::Unwritable`].
    pub fn replace(&self, path: &Path) -> Result<(), ProposalError> {
        let written = self.text().and_then(|text| write_durably(path, text.as_bytes()));
        written.map_err(|reason| ProposalError::Unwritable { path: path.to_owned(), reason })
    }

    fn text(&self) -> std::io::Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        Ok(text + "\n")
    }

    /// Checks that the proposal is for the validators that a node has in force, and that the ledger would take it when
    /// enough have signed.
    ///
    /// # Errors
    /// [`ProposalError`]: the rule that is broken.
    pub fn check_against(&self, set: &ValidatorSet) -> Result<(), ProposalError> {
        if self.ledger_id != set.ledger_id {
            return Err(ProposalError::OtherLedger { proposed: self.ledger_id, found: set.ledger_id });
        }
        if self.since_epoch != set.since_epoch || self.current != set.validators {
            return Err(ProposalError::OtherValidators {
                proposed: self.since_epoch,
                found: set.since_epoch,
            });
        }
        if set.pending.is_some() {
            return Err(ProposalError::UnderWay);
        }
        self.check_new()?;
        check_room(set, &roster_of(&self.new))
    }

    fn check_new(&self) -> Result<(), ProposalError> {
        let roster = roster_of(&self.new);
        roster.check().map_err(ProposalError::Roster)?;
        if self.new == self.current {
            return Err(ProposalError::Roster(RosterError::Unchanged));
        }
        Ok(())
    }

    /// Signs as one of the present validators. A signature of it that does not hold is replaced.
    ///
    /// # Errors
    /// [`ProposalError::NotAValidator`], and a new set that the ledger would not take.
    pub fn endorse(
        &mut self,
        keys: &ValidatorKeys,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Endorsed, ProposalError> {
        self.check_new()?;
        let (current, signing_key) = (roster_of(&self.current), keys.signing.verifying_key().to_bytes());
        let validator = current
            .index_of(&signing_key)
            .ok_or(ProposalError::NotAValidator { signing_key: Hex32(signing_key) })?;
        if self.standing()?.valid.contains(&validator) {
            return Ok(Endorsed::Already(validator));
        }
        let (roster, ledger_id) = (roster_of(&self.new), self.ledger_id.0);
        let Endorsement { validator, signature } = RosterChange::endorse(
            &ledger_id,
            &current,
            self.since_epoch,
            &roster,
            validator,
            &keys.signing,
            rng,
        );
        self.put(SignedBy { validator, signature });
        Ok(Endorsed::Added(validator))
    }

    /// Takes the endorsements of a copy, which was read from `path`. A valid signature is never replaced by a false one.
    ///
    /// # Errors
    /// [`ProposalError::OtherProposal`], and a new set that the ledger would not take.
    pub fn merge(&mut self, copy: &Self, path: &Path) -> Result<(), ProposalError> {
        let bare = |proposal: &Self| Self { endorsements: Vec::new(), ..proposal.clone() };
        if bare(self) != bare(copy) {
            return Err(ProposalError::OtherProposal { path: path.to_owned() });
        }
        let valid = self.standing()?.valid;
        for endorsement in copy.endorsements.iter().filter(|one| !valid.contains(&one.validator)) {
            self.put(*endorsement);
        }
        Ok(())
    }

    fn put(&mut self, endorsement: SignedBy) {
        self.endorsements.retain(|other| other.validator != endorsement.validator);
        self.endorsements.push(endorsement);
        self.endorsements.sort_by_key(|one| one.validator);
    }

    /// Who has signed, and whether it holds.
    ///
    /// # Errors
    /// A set that the ledger would not take.
    pub fn standing(&self) -> Result<Standing, ProposalError> {
        self.check_new()?;
        let (current, roster) = (roster_of(&self.current), roster_of(&self.new));
        let (mut valid, mut invalid) = (vec![], vec![]);
        for one in &self.endorsements {
            let endorsement = Endorsement { validator: one.validator, signature: one.signature };
            let alone = RosterChange { roster: roster.clone(), endorsements: vec![endorsement] };
            // One signature is never enough: the ledger says of it whether it counts.
            let holds = match alone.check(&self.ledger_id.0, &current, self.since_epoch) {
                Ok(()) => true,
                Err(RosterError::Signatures { valid, .. }) => valid > 0,
                Err(error) => return Err(ProposalError::Roster(error)),
            };
            if holds { valid.push(one.validator) } else { invalid.push(one.validator) }
        }
        let all = self.current.iter().map(|validator| validator.number);
        let missing = all.filter(|number| !valid.contains(number)).collect();
        Ok(Standing { needed: current.group().threshold, valid, invalid, missing })
    }

    /// The change that the ledger takes.
    ///
    /// # Errors
    /// [`ProposalError::FalseSignatures`], [`ProposalError::TooFew`].
    pub fn change(&self) -> Result<RosterChange, ProposalError> {
        let standing = self.standing()?;
        if !standing.is_enough() {
            return Err(match standing.invalid.is_empty() {
                true => ProposalError::TooFew { standing },
                false => ProposalError::FalseSignatures { validators: standing.invalid },
            });
        }
        let valid = self.endorsements.iter().filter(|one| standing.valid.contains(&one.validator));
        let endorsement = |one: &SignedBy| Endorsement { validator: one.validator, signature: one.signature };
        Ok(RosterChange { roster: roster_of(&self.new), endorsements: valid.map(endorsement).collect() })
    }

    /// Who goes, by present numbers.
    pub fn goes(&self) -> Vec<NumberedValidator> {
        without(&self.current, &self.new)
    }

    /// Who comes, by new numbers.
    pub fn comes(&self) -> Vec<NumberedValidator> {
        without(&self.new, &self.current)
    }
}

/// Whether the key sessions of a change fit, so that nobody signs one that the ledger refuses.
fn check_room(set: &ValidatorSet, roster: &Roster) -> Result<(), ProposalError> {
    let room = check_change(set.roster().group(), roster.group(), set.keys);
    room.map_err(ProposalError::Roster)
}

/// Those of the first list whose keys are not in the second.
fn without(these: &[NumberedValidator], those: &[NumberedValidator]) -> Vec<NumberedValidator> {
    let there = |one: &&NumberedValidator| those.iter().any(|other| other.entry() == one.entry());
    these.iter().filter(|one| !there(one)).copied().collect()
}

fn to_hex<S: Serializer>(signature: &SignatureBytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(signature))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignatureBytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut signature: SignatureBytes = [0; 64];
    hex::decode_to_slice(&text, &mut signature)
        .map_err(|_| serde::de::Error::custom("a signature is 128 hexadecimal digits"))?;
    Ok(signature)
}
