//! Days of readings, seen from outside.

mod batch;
mod recovery;
mod shares;
mod sums;
mod tamper;
mod vectors;

use crate::support::{choose_arithmetic, step_keys};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::reading::{
    DayContext, DayFault, DayHeader, DayParams, DaySource, DayStatement, Direction, Grade, ReadingKey,
    SealedDay, check_day, seal_day, verify_days,
};

/// A market's readings: seeded parameters, a day, a source.
pub struct World {
    pub params: DayParams,
    pub context: DayContext,
    pub source: DaySource,
    pub rng: ChaCha20Rng,
}

impl World {
    /// Slot keys for days of up to `keys` slots; this one has `slots`.
    pub fn new(bits: u32, keys: usize, slots: u16) -> Self {
        choose_arithmetic();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(bits) * 10_000 + keys as u64);
        let params = DayParams::new(bits, step_keys(keys, &mut rng)).expect("valid parameters");
        let context = DayContext {
            ledger_id: [1; 32],
            key_epoch: 2,
            market: [3; 32],
            authority: [4; 32],
            day_start_unix_s: 1_793_142_000,
            slots,
            slot_seconds: 900,
        };
        Self { params, context, source: DaySource::from_bytes([5; 32]), rng }
    }

    pub fn keyring(&mut self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::generate(&mut self.rng))
    }

    /// Measured where `missing` does not say otherwise.
    pub fn grades(&self, missing: &[usize]) -> Vec<Grade> {
        let grade = |slot| if missing.contains(&slot) { Grade::Missing } else { Grade::Measured };
        (0..usize::from(self.context.slots)).map(grade).collect()
    }

    pub fn readings(&mut self, count: usize) -> Vec<u64> {
        let mask = u64::MAX >> (64 - self.params.bits());
        (0..count).map(|_| self.rng.next_u64() & mask).collect()
    }

    /// A valid day of a new account, without readings of some slots.
    pub fn day(&mut self, missing: &[usize]) -> SealedDay {
        let keyring = self.keyring();
        let readings = self.readings(usize::from(self.context.slots) - missing.len());
        self.day_of(&keyring, missing, &readings)
    }

    pub fn day_of(&mut self, keyring: &Keyring, missing: &[usize], readings: &[u64]) -> SealedDay {
        let account = keyring.account_key(2).verifying_key().to_bytes();
        let header = DayHeader::first(account, Direction::Consumption, self.grades(missing));
        let wallet = ReadingKey::of(keyring, 2).public();
        let Self { params, context, source, rng } = self;
        seal_day(params, context, header, source, &wallet, readings, rng).expect("sealable")
    }

    /// The verdicts' faults, none for a valid day; each as the clear verifier has it.
    pub fn faults(&self, days: &[SealedDay]) -> Vec<Option<DayFault>> {
        let statements: Vec<DayStatement<'_>> =
            days.iter().map(|day| DayStatement { context: &self.context, day }).collect();
        verify_days(&self.params, &statements).into_iter().map(Result::err).collect()
    }

    /// The fault of a day, after asking for it alone, beside an honest one, and the clear verifier.
    pub fn fault(&self, day: &SealedDay, honest: &SealedDay) -> Option<DayFault> {
        let alone = self.faults(std::slice::from_ref(day)).pop().expect("one verdict");
        assert_eq!(self.faults(&[honest.clone(), day.clone()]), [None, alone.clone()]);
        let clear = check_day(&self.params, &DayStatement { context: &self.context, day });
        assert_eq!(clear.err(), alone, "batch and clear verifier");
        alone
    }
}
