//! Fills, wishes and the file of orders of each account.
#![allow(clippy::disallowed_types, reason = "asks when files were changed; nothing is settled by it")]

use crate::config::AccountConfig;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use veilgrid_household::{Fills, Outlook, Row, Window, Wish, orders};

/// Most bytes of a file of results: a line a round for decades.
const MAX_RESULTS_BYTES: u64 = 256 << 20;
/// Most bytes of the owner's own rows.
const MAX_ORDERS_BYTES: u64 = 16 << 20;

/// What the devices of an account want at present, by who wants it, and what was asked for them. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Wishes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    wishes: BTreeMap<String, Wish>,
    /// Of a device, Wh by start of the slot.
    asked_wh: BTreeMap<String, BTreeMap<i64, u64>>,
}

/// Most slots of a device that are remembered: a week of quarter-hours and what was asked ahead.
const MAX_ASKED: usize = 1_000;

impl Wishes {
    /// Replaces what one device wants.
    pub fn set(&self, device: &str, wish: Option<Wish>) {
        let mut inner = self.lock();
        match wish {
            Some(wish) => drop(inner.wishes.insert(device.to_owned(), wish)),
            None => drop(inner.wishes.remove(device)),
        }
    }

    /// Forgets what was asked for a device in slots that have begun before this instant.
    pub fn forget(&self, device: &str, before_unix_s: i64) {
        if let Some(asked) = self.lock().asked_wh.get_mut(device) {
            asked.retain(|start, _| *start >= before_unix_s);
        }
    }

    /// What was asked for a device, Wh by start of the slot as text.
    pub fn asked(&self, device: &str) -> BTreeMap<String, u64> {
        let inner = self.lock();
        let asked = inner.asked_wh.get(device).into_iter().flatten();
        asked.map(|(start, energy_wh)| (start.to_string(), *energy_wh)).collect()
    }

    /// Takes back what [`Self::asked`] gave.
    pub fn remember(&self, device: &str, asked_wh: &BTreeMap<String, u64>) {
        let asked = asked_wh.iter().filter_map(|(start, energy_wh)| Some((start.parse().ok()?, *energy_wh)));
        self.lock().asked_wh.insert(device.to_owned(), asked.collect());
    }

    /// The rows of all devices. What is asked for in the slot that is traded now is noted; of a device that wants energy by a
    /// departure, what was bought in the slots before counts as had.
    fn rows(&self, window: Window, outlook: &Outlook, fills: Option<&Fills>) -> Vec<Row> {
        let mut inner = self.lock();
        let mut all = Vec::new();
        for (device, wish) in inner.wishes.clone() {
            let asked = inner.asked_wh.entry(device).or_default();
            let before = asked.range(..window.first_unix_s);
            let bought = before.map(|(start, energy_wh)| had_wh(*start, *energy_wh, outlook, fills));
            let rows = wish.less(bought.fold(0, u64::saturating_add)).rows(window, i64::MIN);
            let now = rows.iter().find(|row| row.start_unix_s == window.first_unix_s && row.buys);
            match now {
                Some(row) => drop(asked.insert(row.start_unix_s, row.energy_wh)),
                None => drop(asked.remove(&window.first_unix_s)),
            }
            while asked.len() > MAX_ASKED {
                asked.pop_first();
            }
            all.extend(rows);
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of an order was bought, as far as one can tell: at most what the account bought in the slot. Of a slot whose round is not over
/// all counts, so that nothing is bought twice.
fn had_wh(start_unix_s: i64, asked_wh: u64, outlook: &Outlook, fills: Option<&Fills>) -> u64 {
    let Some(fills) = fills else { return asked_wh };
    if fills.at(start_unix_s).is_some() {
        return fills.bought_wh(start_unix_s, start_unix_s.saturating_add(1)).min(asked_wh);
    }
    if outlook.at(start_unix_s).is_some() { 0 } else { asked_wh }
}

/// One account as the gateway keeps it.
pub struct Account {
    pub config: AccountConfig,
    pub wishes: Wishes,
    /// What it traded; none when that is not known.
    pub fills: Option<Arc<Fills>>,
    read: Option<(SystemTime, u64)>,
    /// The last complaint, said once.
    said: Option<String>,
}

impl Account {
    /// An account of which nothing is known yet.
    pub fn new(config: AccountConfig) -> Self {
        Self { config, wishes: Wishes::default(), fills: None, read: None, said: None }
    }

    /// Reads the results when they have changed, and writes the orders when they differ.
    pub fn look(&mut self, window: Option<Window>, outlook: &Outlook) {
        let results = self.read_results();
        let written = match window {
            Some(window) => self.write_orders(Some((window, outlook))),
            None => Ok(()),
        };
        let faults: Vec<String> = [results, written].into_iter().filter_map(Result::err).collect();
        let said = (!faults.is_empty()).then(|| faults.join("; "));
        if said != self.said {
            match &said {
                Some(faults) => tracing::error!(account = self.config.name, "{faults}"),
                None => tracing::info!(account = self.config.name, "results and orders are in order again"),
            }
            self.said = said;
        }
    }

    /// Leaves the owner's own rows alone behind: a row has no date, so what devices wanted today must not count tomorrow.
    pub fn leave(&mut self) {
        if let Err(error) = self.write_orders(None) {
            tracing::error!(account = self.config.name, "the orders keep what devices wanted: {error}");
        }
    }

    fn read_results(&mut self) -> Result<(), String> {
        let path = &self.config.results;
        let fault = |why: String| format!("results {}: {why}", path.display());
        let metadata = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?;
        let seen = metadata.modified().ok().map(|modified| (modified, metadata.len()));
        if seen.is_some() && seen == self.read {
            return Ok(());
        }
        let text = read_text(path, MAX_RESULTS_BYTES).map_err(fault)?;
        let fills = Fills::parse(&text);
        self.read = seen;
        match fills {
            Ok(fills) => self.fills = Some(Arc::new(fills)),
            Err(error) => {
                // What can't be read is not known: no sensor shows an old sum for a new one.
                (self.fills, self.read) = (None, None);
                return Err(fault(error.to_string()));
            }
        }
        Ok(())
    }

    fn write_orders(&self, traded: Option<(Window, &Outlook)>) -> Result<(), String> {
        let Some(path) = &self.config.orders else { return Ok(()) };
        let own = match &self.config.own_orders {
            Some(own) => read_text(own, MAX_ORDERS_BYTES).map_err(|error| {
                format!("own orders {}: {error}; the orders stay as they are", own.display())
            })?,
            None => String::new(),
        };
        let wishes = match traded {
            Some((window, outlook)) => self.wishes.rows(window, outlook, self.fills.as_deref()),
            None => Vec::new(),
        };
        // No slot of it has a wish when there is no window.
        let window = traded.map_or(Window { first_unix_s: 0, slot_seconds: 900 }, |(window, _)| window);
        let text = orders::merge(&own, &wishes, window).map_err(|error| format!("own orders: {error}"))?;
        if read_text(path, MAX_ORDERS_BYTES).is_ok_and(|there| there == text) {
            return Ok(());
        }
        veilgrid_store::files::write_durably(path, text.as_bytes()).map_err(|error| {
            format!("orders {}: {error}; give this user the right to write there", path.display())
        })
    }
}

fn read_text(path: &Path, bound: u64) -> Result<String, String> {
    let file = veilgrid_store::files::open(path).map_err(|error| error.to_string())?;
    let bytes = veilgrid_store::files::read_at_most(path, file, bound).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { first_unix_s: 1_800_000_000, slot_seconds: 900 };

    #[test]
    fn wishes_are_written_beside_own_rows_and_gone_when_the_gateway_leaves() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("own.csv"), "slot,side,price_ct_per_kwh,quantity_kwh\n*,buy,20,0.5\n")
            .expect("written");
        let mut account = Account::new(AccountConfig {
            name: "Home".to_owned(),
            account_key: "00".repeat(32),
            results: path("results.csv"),
            own_orders: Some(path("own.csv")),
            orders: Some(path("orders.csv")),
            evcc_loadpoints: Vec::new(),
        });
        let wish = Wish::Standing { buys: true, power_w: 1_000, limit_mct_per_kwh: 9_000 };
        account.wishes.set("battery", Some(wish));
        account.look(Some(WINDOW), &Outlook::default());
        let orders = || std::fs::read_to_string(path("orders.csv")).expect("written");
        assert!(orders().contains("\n08:00,buy,20,0.5\n08:00,buy,9,0.250\n"), "{}", orders());
        assert!(account.said.as_deref().is_some_and(|said| said.contains("results.csv")), "missing is said");
        account.leave();
        assert_eq!(orders(), "slot,side,price_ct_per_kwh,quantity_kwh\n*,buy,20,0.5\n");
        // Own rows that can't be read leave what stands there.
        std::fs::write(path("own.csv"), "nonsense\n").expect("written");
        account.look(Some(WINDOW), &Outlook::default());
        assert!(orders().contains("*,buy,20,0.5"));
    }

    #[test]
    fn a_car_is_not_bought_for_twice() {
        let (wishes, mut outlook) = (Wishes::default(), Outlook::default());
        let energy = |energy_wh| {
            let ready_unix_s = WINDOW.first_unix_s + 4 * 900;
            Wish::Departure { energy_wh, power_w: 22_000, ready_unix_s, limit_mct_per_kwh: 1 }
        };
        wishes.set("car", Some(energy(4_000)));
        let window = |n: i64| Window { first_unix_s: WINDOW.first_unix_s + n * 900, slot_seconds: 900 };
        let asked = |window, outlook: &Outlook, fills: Option<&Fills>| -> Vec<u64> {
            wishes.rows(window, outlook, fills).iter().map(|row| row.energy_wh).collect()
        };
        assert_eq!(asked(window(0), &outlook, None), [1_000; 4]);
        // The first slot's round is not over: all of it counts.
        assert_eq!(asked(window(1), &outlook, None), [1_000; 3]);
        // It is over, and 400 Wh of it were filled; then a slot in which nothing was.
        let head = "round,slot_start,slot_seconds,status,bought_kwh,sold_kwh,buy_price_ct_per_kwh,sell_price_ct_per_kwh,cost_ct";
        let fills = Fills::parse(&format!("{head}\n1,2027-01-15T08:00:00Z,900,settled,0.4,0,1,1,1\n"))
            .expect("fills");
        assert_eq!(asked(window(1), &outlook, Some(&fills)), [1_200; 3]);
        outlook.insert(veilgrid_household::SlotPrice {
            start_unix_s: window(1).first_unix_s,
            seconds: 900,
            prices: None,
        });
        assert_eq!(asked(window(2), &outlook, Some(&fills)), [1_800; 2]);
        // Kept and taken back, as over a restart; and forgotten when the car's need is set anew.
        let again = Wishes::default();
        again.remember("car", &wishes.asked("car"));
        again.set("car", Some(energy(4_000)));
        assert_eq!(
            again.rows(window(2), &outlook, Some(&fills)),
            wishes.rows(window(2), &outlook, Some(&fills))
        );
        wishes.forget("car", window(2).first_unix_s);
        assert_eq!(asked(window(2), &outlook, Some(&fills)), [2_000; 2]);
    }
}
