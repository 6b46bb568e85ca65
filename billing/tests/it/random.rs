//! Random communities.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use veilgrid_billing::community::{Community, Settings, parse_accounts, parse_meters};
use veilgrid_billing::readings::{Grade, Known, Series, Value};
use veilgrid_billing::settle::Terms;
use veilgrid_billing::tariffs::{Fees, Prices, Step, Tariff};
use veilgrid_market::sharing::{Direction, SharingKey, parse_static_keys};
use veilgrid_market::tariffs::{Fee, ZoneFees};

/// A community's month of a few slots.
#[derive(Debug, Clone)]
pub struct Random {
    series: Vec<Series>,
    accounts: usize,
    slots: usize,
    seed: u64,
    is_static: bool,
}

impl Random {
    pub fn any() -> impl Strategy<Value = Self> {
        (1usize..8, 1usize..40, any::<u64>(), any::<bool>()).prop_map(|(accounts, slots, seed, is_static)| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let mut series = Vec::new();
            for account in 0..accounts {
                for direction in [Direction::Consumption, Direction::Generation] {
                    if rng.next_u32() % 4 == 0 {
                        continue;
                    }
                    // Some come later, some have the largest values.
                    let first_slot = if rng.next_u32() % 5 == 0 { slots / 2 } else { 0 };
                    let most = [1, 3_000, 1_000_000_000][rng.next_u32() as usize % 3];
                    let values = (first_slot..slots)
                        .map(|_| {
                            Some(Value {
                                wh: rng.next_u32() % (most + 1),
                                grade: Grade::ALL[rng.next_u32() as usize % 3],
                            })
                        })
                        .collect();
                    series.push(Series {
                        account,
                        meter: format!("m{account}"),
                        direction,
                        first_slot,
                        values,
                    });
                }
            }
            Self { series, accounts, slots, seed, is_static }
        })
    }

    /// Changes some readings.
    pub fn correct(&mut self, seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for value in self.series.iter_mut().flat_map(|series| &mut series.values).flatten() {
            if rng.next_u32() % 7 == 0 {
                value.wh = rng.next_u32() % 5_000;
            }
        }
    }

    pub fn known(&self) -> Known {
        Known {
            start_unix_s: 1_000_000_800,
            slot_seconds: 900,
            slots: self.slots,
            accounts: (0..self.accounts).map(|account| format!("a{account}")).collect(),
            series: self.series.clone(),
        }
    }

    pub fn terms(&self) -> Terms {
        let mut rng = ChaCha20Rng::seed_from_u64(!self.seed);
        let tariffs: Vec<Tariff> = (0..1 + rng.next_u32() % 3)
            .map(|at| {
                // Distinct prices; some below zero.
                let buy = i64::from(rng.next_u32() % 60_000) - 20_000 + i64::from(at) * 100_000;
                Tariff {
                    name: format!("t{at}"),
                    buy_mct_per_kwh: buy,
                    sell_mct_per_kwh: buy - i64::from(rng.next_u32() % 5_000),
                }
            })
            .collect();
        let start = 1_000_000_800;
        let steps: Vec<Step> = (0..10)
            .map(|at| Step {
                from_unix_s: start + at * 4 * 900,
                tariff: rng.next_u32() as usize % tariffs.len(),
            })
            .collect();
        let fees = |from_unix_s, rng: &mut ChaCha20Rng| {
            let by_zone: BTreeMap<u16, Fee> = (0..3)
                .map(|zone| {
                    (
                        zone,
                        Fee {
                            in_mct_per_kwh: u64::from(rng.next_u32() % 4_000),
                            out_mct_per_kwh: u64::from(rng.next_u32() % 300),
                        },
                    )
                })
                .collect();
            Fees { from_unix_s, by_zone: ZoneFees::new(by_zone).expect("fees"), names: BTreeMap::new() }
        };
        let fees = match rng.next_u32() % 3 {
            0 => Vec::new(),
            1 => vec![fees(start, &mut rng)],
            _ => vec![fees(0, &mut rng), fees(start + 5 * 900, &mut rng)],
        };
        Terms {
            key: if self.is_static { self.shares(&mut rng) } else { SharingKey::ProRata },
            prices: Prices::new(tariffs, &steps, 900).expect("prices"),
            fees,
            zones: (0..self.accounts).map(|_| (rng.next_u32() % 3) as u16).collect(),
        }
    }

    fn shares(&self, rng: &mut ChaCha20Rng) -> SharingKey {
        let mut text = "account,share_ppm\n".to_owned();
        for account in 0..self.accounts {
            text += &format!("a{account},{}\n", rng.next_u32() % (1_000_000 / self.accounts as u32));
        }
        parse_static_keys(text.as_bytes()).expect("keys")
    }
}

/// A community whose accounts bills can name.
pub fn community() -> Community {
    let settings = Settings::parse(include_str!("../../../data/billing/community.toml")).expect("settings");
    let accounts = parse_accounts(
        "account,name,street,town,country,zone\na0,\"Ana, Bert\",Weg 1,8010 Graz,AT,7\n".as_bytes(),
    );
    let meters = parse_meters("meter,account,direction\nAT1,a0,consumption\n".as_bytes());
    Community::new(settings, accounts.expect("accounts"), meters.expect("meters"), SharingKey::ProRata)
        .expect("fits")
}
