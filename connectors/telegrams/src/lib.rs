//! Meter readings from telegrams, as a meter sends them every few seconds: stands of registers, which become intervals where a register was read at
//! begin and end.
//!
//! - [`p1`]: logs of the customer port of Dutch, Belgian, Luxembourgish, Swedish and other meters (DSMR 4 and 5), checked by their checksums.
//! - [`sml`]: logs of the optical port of German meters, a line per telegram with the time at which it came; SML meters have no clock.
//!
//! Which way energy went is decided by the OBIS code, 1.8 out of the grid and 2.8 into it, never by "delivered", which
//! means one in the standard and the other in some libraries.
#![forbid(unsafe_code)]

pub mod p1;
pub mod sml;

use std::collections::BTreeMap;
use veilgrid_readings::{Direction, Fault, Grade, Reading, Register, Registers, Sink};

/// Seconds after a boundary at which a stand still counts for it: DSMR 4 meters send every ten seconds.
pub const LATE_S: u32 = 10;

/// Stands by meter and direction.
#[derive(Default)]
pub(crate) struct Stands(BTreeMap<(String, Direction), Registers>);

impl Stands {
    pub fn add(&mut self, meter: &str, direction: Direction, register: Register) -> Result<(), String> {
        let registers = self.0.entry((meter.to_owned(), direction)).or_default();
        registers.add(register).map_err(|error| error.to_string())
    }

    /// Hands out the intervals of a length.
    pub fn hand_out(&self, seconds: u32, sink: &mut Sink<'_>) -> Result<(), Fault> {
        for ((meter, direction), registers) in &self.0 {
            let fault = |what: String| Fault::at(format!("meter {meter}, {}", direction.name()), what);
            let intervals = registers.intervals(seconds, LATE_S).map_err(|error| fault(error.to_string()))?;
            for (start_unix_s, energy) in intervals {
                let value = energy.map(|energy| (energy, Grade::Measured));
                sink(&Reading { meter, direction: *direction, start_unix_s, seconds, value })
                    .map_err(fault)?;
            }
        }
        Ok(())
    }
}
