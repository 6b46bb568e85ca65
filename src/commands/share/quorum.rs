//! Four validators in one process: they generate the slots' keys by a real session, and three of them open a sum.

use crate::failure::Failure;
use rand_core::CryptoRngCore;
use std::collections::BTreeMap;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::keygen::{
    Delivery, Event, Group, KeyShares, OneTimeKey, Opened, Package, Parties, Schedule, Session,
    SessionContext, ThresholdKeys, deal,
};
use veilgrid_crypto::opening::{OpeningContext, combine, release_share, verify_share};
use veilgrid_crypto::reading::SlotSum;
use veilgrid_crypto::schnorr::SigningKey;

/// Validators; three of them open.
const VALIDATORS: u16 = 4;
/// Heights are counted by nobody here: each phase ends when all have spoken.
const SCHEDULE: Schedule = Schedule { announce_until: 1, deal_until: 2, judge_until: 3, answer_until: 4 };

/// The validators with their shares of the slots' keys.
pub(super) struct Quorum {
    ledger_id: [u8; 32],
    public: ThresholdKeys,
    validators: Vec<Validator>,
}

/// A validator: its shares, and which set it has given a share of each sum of.
struct Validator {
    shares: KeyShares,
    released: BTreeMap<(u64, u32), [u8; 32]>,
}

/// Which sum is opened: the day's start, the number of the sum in it, the frozen set.
#[derive(Clone, Copy)]
pub(super) struct SumName {
    pub day_start_unix_s: i64,
    pub number: u32,
    pub set: [u8; 32],
}

impl Quorum {
    /// Generates so many keys.
    ///
    /// # Errors
    /// A session that ends without keys, which honest validators exclude.
    pub fn generate(
        ledger_id: [u8; 32],
        key_epoch: u64,
        keys: u32,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, Failure> {
        let ctx = SessionContext::generate(ledger_id, 1, key_epoch, Group::of(VALIDATORS), keys);
        let signers: Vec<SigningKey> = (0..VALIDATORS).map(|_| SigningKey::generate(rng)).collect();
        let one_time: Vec<OneTimeKey> = signers.iter().map(|_| OneTimeKey::generate(rng)).collect();
        let verifying: Vec<_> = signers.iter().map(SigningKey::verifying_key).collect();
        let parties = Parties { dealers: verifying.clone(), receivers: verifying };
        let mut session = Session::new(ctx, SCHEDULE, parties, None, 0).map_err(Failure::input)?;
        let apply =
            |session: &mut Session, height, event| session.apply(height, &event).map_err(Failure::input);
        for ((number, signer), key) in (1u16..).zip(&signers).zip(&one_time) {
            apply(&mut session, 1, Event::Announcement(key.announce(&ctx, number, signer, rng)))?;
        }
        for (number, signer) in (1u16..).zip(&signers) {
            let (package, dealt) = deal(&ctx.generation(), signer, number, rng).map_err(Failure::input)?;
            let package = Package::Generation(package);
            let digest = package.digest(&ctx);
            apply(&mut session, 2, Event::Package(package))?;
            let delivery = Delivery::seal(&ctx, number, digest, &dealt, &session.announced(), signer, rng);
            apply(&mut session, 2, Event::Delivery(delivery))?;
        }
        let mut opened: Vec<Opened> = Vec::new();
        for ((number, signer), key) in (1u16..).zip(&signers).zip(one_time) {
            let own = session.open(number, key).map_err(|_| incomplete())?;
            let verdict = session.verdict(&own, signer, rng);
            apply(&mut session, 3, Event::Verdict(verdict))?;
            opened.push(own);
        }
        let public = match session.outcome() {
            Some(Ok(agreement)) => agreement.public.clone(),
            _ => return Err(incomplete()),
        };
        let validator = |own| {
            let shares = session.key_shares(own).map_err(Failure::input)?;
            Ok(Validator { shares, released: BTreeMap::new() })
        };
        let validators = opened.into_iter().map(validator).collect::<Result<_, Failure>>()?;
        Ok(Self { ledger_id, public, validators })
    }

    /// The slots' keys.
    pub fn keys(&self) -> &ThresholdKeys {
        &self.public
    }

    /// Opens the sum of one slot of a frozen set: each validator gives its share once, the first t that verify are combined, and
    /// the value is found by `log`.
    ///
    /// # Errors
    /// A sum that was opened for another set before, shares that don't verify, a value beyond `log`.
    pub fn open(
        &mut self,
        name: SumName,
        slot: usize,
        sum: &SlotSum,
        log: &SmallLog,
        rng: &mut impl CryptoRngCore,
    ) -> Result<u64, Failure> {
        let round_id = name.day_start_unix_s as u64;
        let ctx = OpeningContext {
            ledger_id: self.ledger_id,
            round_id,
            opening_index: name.number,
            bid_set: name.set,
        };
        let mut weights = vec![0i64; self.public.keys().len()];
        weights[slot] = 1;
        let mut verified = Vec::new();
        for validator in &mut self.validators {
            let before = *validator.released.entry((round_id, name.number)).or_insert(name.set);
            if before != name.set {
                return Err(Failure::Audit("a sum was to be opened for a second set".to_owned()));
            }
            let share = release_share(&ctx, &weights, &validator.shares, &self.public, &sum.r_total, rng);
            let share = share.map_err(Failure::input)?;
            verified.push(
                verify_share(&ctx, &weights, &self.public, &sum.r_total, &share)
                    .map_err(|fault| Failure::Audit(fault.to_string()))?,
            );
        }
        let point = combine(&self.public, &verified, &sum.c_total).map_err(Failure::input)?;
        let value = log.solve(&point).and_then(|value| u64::try_from(value).ok());
        value.ok_or_else(|| Failure::Audit("an opened sum is larger than its readings allow".to_owned()))
    }
}

fn incomplete() -> Failure {
    Failure::Audit("the session of the slots' keys did not end with keys".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::OsRng;

    #[test]
    fn a_sum_is_opened_for_one_set_only() {
        let mut quorum = Quorum::generate([1; 32], 1, 2, &mut OsRng).expect("keys");
        let sum = SlotSum { r_total: quorum.keys().keys()[1], c_total: quorum.keys().keys()[1], accounts: 2 };
        let log = SmallLog::new(10);
        let name = SumName { day_start_unix_s: 7, number: 3, set: [4; 32] };
        // Not a sum of readings: its shares are fine, its value is none.
        let first = quorum.open(name, 1, &sum, &log, &mut OsRng).expect_err("no value");
        assert!(first.to_string().contains("larger than its readings"), "{first}");
        let other = SumName { set: [5; 32], ..name };
        let second = quorum.open(other, 1, &sum, &log, &mut OsRng).expect_err("refused");
        assert!(second.to_string().contains("second set"), "{second}");
    }
}
