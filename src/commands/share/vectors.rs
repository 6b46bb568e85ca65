//! The vectors of a day: sealed by the source, checked in a batch, frozen; and what each owner finds in its own.

use super::days::{Day, Row};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use rayon::prelude::*;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::reading::{
    DayContext, DayHeader, DayParams, DaySource, DayStatement, DayTally, Direction as Way, Grade, ReadingKey,
    SealedDay, VerifiedDay, open_day, seal_day, verify_days,
};
use veilgrid_crypto::secret::Secret;
use veilgrid_market::sharing::Direction;

/// Key epoch of a community from a file.
pub(super) const KEY_EPOCH: u64 = 1;

/// What all days of a run share.
pub(super) struct Setting {
    pub ledger_id: [u8; 32],
    pub params: DayParams,
    pub source: DaySource,
    /// The source's public key.
    pub authority: [u8; 32],
    /// One an account.
    pub keyrings: Vec<Keyring>,
    /// Finds single readings.
    pub log: SmallLog,
    pub json: bool,
}

/// A vector of the frozen set, with whose it is.
pub(super) struct Vector {
    pub row: Row,
    pub sealed: SealedDay,
    pub verified: VerifiedDay,
}

/// A day's frozen set.
pub(super) struct FrozenDay {
    pub context: DayContext,
    pub vectors: Vec<Vector>,
    /// Of consumption, of generation.
    pub tallies: [DayTally; 2],
}

/// What the owner of a vector knows of it.
pub(super) struct Own {
    pub r: Secret<curve25519_dalek::Scalar>,
    pub readings_wh: Secret<Vec<u64>>,
}

impl Setting {
    /// Keyrings of so many accounts.
    pub fn keyrings(accounts: usize) -> Vec<Keyring> {
        (0..accounts).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect()
    }

    /// Seals all rows of a day, checks them in one batch and freezes the set.
    ///
    /// # Errors
    /// A vector that can't be sealed or does not verify, which readings within the bits exclude.
    pub fn freeze(&self, day: &Day, rows: Vec<Row>) -> Result<FrozenDay, Failure> {
        let context = DayContext {
            ledger_id: self.ledger_id,
            key_epoch: KEY_EPOCH,
            // A file of readings has no market.
            market: [0; 32],
            authority: self.authority,
            day_start_unix_s: day.start_unix_s,
            slots: day.slots,
            slot_seconds: day.slot_seconds,
        };
        let bar = output::progress(rows.len() as u64, "sealing readings", self.json);
        let sealed: Vec<SealedDay> = rows
            .par_iter()
            .map(|row| self.seal(&context, row).inspect(|_| bar.inc(1)))
            .collect::<Result<_, Failure>>()?;
        bar.finish_and_clear();
        let statements: Vec<DayStatement<'_>> =
            sealed.iter().map(|day| DayStatement { context: &context, day }).collect();
        let verified = verify_days(&self.params, &statements);
        let mut tallies = [DayTally::new(), DayTally::new()];
        let mut vectors = Vec::with_capacity(rows.len());
        for ((row, sealed), verified) in rows.into_iter().zip(sealed).zip(verified) {
            let verified = verified.map_err(|fault| Failure::Audit(fault.to_string()))?;
            tallies[usize::from(row.direction == Direction::Generation)].add(&verified);
            vectors.push(Vector { row, sealed, verified });
        }
        Ok(FrozenDay { context, vectors, tallies })
    }

    fn seal(&self, context: &DayContext, row: &Row) -> Result<SealedDay, Failure> {
        let keyring = &self.keyrings[row.account];
        let account = keyring.account_key(KEY_EPOCH).verifying_key().to_bytes();
        let mut grades = vec![Grade::Missing; usize::from(context.slots)];
        row.readings.iter().for_each(|(slot, _)| grades[*slot] = Grade::Measured);
        let direction = match row.direction {
            Direction::Consumption => Way::Consumption,
            Direction::Generation => Way::Generation,
        };
        let header = DayHeader::first(account, direction, grades);
        let wallet = ReadingKey::of(keyring, KEY_EPOCH).public();
        let readings: Vec<u64> = row.readings.iter().map(|(_, energy_wh)| *energy_wh).collect();
        seal_day(&self.params, context, header, &self.source, &wallet, &readings, &mut OsRng)
            .map_err(Failure::input)
    }

    /// What each owner finds in its own vector, in order.
    ///
    /// # Errors
    /// A vector that its owner can't read.
    pub fn read_own(&self, day: &FrozenDay) -> Result<Vec<Own>, Failure> {
        let bar = output::progress(day.vectors.len() as u64, "owners read their own", self.json);
        let own = day.vectors.par_iter().map(|vector| {
            let key = ReadingKey::of(&self.keyrings[vector.row.account], KEY_EPOCH);
            let (r, readings_wh) = open_day(&self.params, &day.context, &key, &vector.sealed, &self.log)
                .map_err(|error| Failure::Audit(error.to_string()))?;
            bar.inc(1);
            Ok(Own { r, readings_wh })
        });
        let own = own.collect();
        bar.finish_and_clear();
        own
    }
}
