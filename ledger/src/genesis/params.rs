//! The rules of one community's market. They are part of the ledger's identity and never change on one ledger.

use crate::capacity::{CapacityClasses, CapacityError};
use crate::hash::{Hash, hash};
use crate::money::market::{MoneyRules, MoneyRulesError};
use crate::timing::{RoundTiming, TimingError};
use thiserror::Error;
use veilgrid_crypto::bid::BidShape;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_market::{BoundsError, Grid, Rule, check_bounds};

/// Slot lengths that a market may have, in seconds: 5, 15, 30 and 60 minutes.
pub const SLOT_SECONDS: [u32; 4] = [300, 900, 1800, 3600];

/// Most members of a community. The settlement of a round has to fit into a block: 2 MiB of settlement points. Bounds
/// lists on the wire; the market's own bound is usually lower.
pub const MAX_MEMBERS: u32 = 1 << 16;

/// The parameters of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketParams {
    /// The price grid; 2L steps.
    pub grid: Grid,
    /// Bits of a quantity at one step: 8, 16 or 32 (Wh).
    pub bits: u8,
    /// The clearing rule.
    pub rule: Rule,
    /// True when the traded volume is opened too.
    pub open_volume: bool,
    /// Fewer bids than this void a round.
    pub min_bidders: u32,
    /// Most members, which bounds every sum that can be opened.
    pub max_members: u32,
    /// Length of a slot in seconds.
    pub slot_seconds: u32,
    /// Validators t whose shares open a sum.
    pub threshold: u16,
    /// When rounds open, close and end.
    pub timing: RoundTiming,
    /// Sizes of connections, which certificates name by their number.
    pub capacity_classes: CapacityClasses,
    /// The rules of money; none for a market that clears and does not bill.
    pub money: Option<MoneyRules>,
}

/// Parameters that no ledger may start with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// "A quantity has 8, 16 or 32 bits."
    #[error("quantities of {bits} bits: choose 8, 16 or 32")]
    Bits {
        /// The refused width.
        bits: u8,
    },
    /// "A slot lasts 5, 15, 30 or 60 minutes."
    #[error("slots of {seconds} s: choose 300, 900, 1800 or 3600")]
    Slot {
        /// The refused length.
        seconds: u32,
    },
    /// "At least two bids are in every sum that is opened." One bid alone would be opened by name.
    #[error("min_bidders is {min_bidders}: it has to be at least 2 and at most max_members ({max_members})")]
    MinBidders {
        /// The refused minimum.
        min_bidders: u32,
        /// The most members.
        max_members: u32,
    },
    /// "A community has a bounded number of members."
    #[error("max_members is {max_members}: the most is {MAX_MEMBERS}")]
    MaxMembers {
        /// The refused number.
        max_members: u32,
    },
    /// "Of n validators t = n − ⌊(n − 1)/3⌋ open a sum."
    #[error("threshold {found}: of {validators} validators {expected} open a sum")]
    Threshold {
        /// Stated threshold.
        found: u16,
        /// Number of validators n.
        validators: u16,
        /// What it has to be.
        expected: u16,
    },
    /// "The times of the rounds fit together."
    #[error("timing: {0}")]
    Timing(#[from] TimingError),
    /// "The capacity classes are sound."
    #[error("capacity classes: {0}")]
    Capacities(#[from] CapacityError),
    /// "The rules of money are sound."
    #[error("money: {0}")]
    Money(#[from] MoneyRulesError),
    /// "Every sum that can be opened stays in the table, every amount in 63 bits."
    #[error("grid, bits and max_members together: {0}")]
    Bounds(#[from] BoundsError),
}

impl MarketParams {
    /// Number of steps M = 2L of a bid.
    pub fn steps(&self) -> usize {
        self.grid.steps()
    }

    /// Keys that the validators generate together: one per step and, with money, the one that balances are under.
    pub fn key_count(&self) -> usize {
        self.steps().saturating_add(usize::from(self.money.is_some()))
    }

    /// The lengths of a bid.
    pub fn bid_shape(&self) -> BidShape {
        BidShape { steps: self.steps(), bits: u32::from(self.bits), money: self.money.is_some() }
    }

    /// Checks the rules above for a ledger with `validators` validators.
    pub fn check(&self, validators: u16) -> Result<(), ParamsError> {
        if !matches!(self.bits, 8 | 16 | 32) {
            return Err(ParamsError::Bits { bits: self.bits });
        }
        if !SLOT_SECONDS.contains(&self.slot_seconds) {
            return Err(ParamsError::Slot { seconds: self.slot_seconds });
        }
        let (min_bidders, max_members) = (self.min_bidders, self.max_members);
        if max_members > MAX_MEMBERS {
            return Err(ParamsError::MaxMembers { max_members });
        }
        if min_bidders < 2 || min_bidders > max_members {
            return Err(ParamsError::MinBidders { min_bidders, max_members });
        }
        let (found, expected) = (self.threshold, Group::of(validators).threshold);
        if found != expected {
            return Err(ParamsError::Threshold { found, validators, expected });
        }
        self.timing.check(self.slot_seconds)?;
        self.capacity_classes.check()?;
        // With money capacities bind every bid, and the members' capacities fit a sum that can be opened.
        match &self.money {
            Some(money) => money.check(&self.grid, &self.capacity_classes, self.timing.interval_ms)?,
            None => check_bounds(&self.grid, u32::from(self.bits), u64::from(max_members))?,
        }
        Ok(())
    }

    /// Digest of the parameters, which every bid's context absorbs.
    pub fn digest(&self) -> Hash {
        let mut w = Writer::new();
        self.write(&mut w);
        hash(labels::LEDGER_MARKET, &[&w.finish()])
    }

    /// Appends the canonical encoding.
    pub fn write(&self, w: &mut Writer) {
        w.i64(self.grid.price_min_mct_per_kwh()).u64(self.grid.tick_mct_per_kwh()).u32(self.grid.ticks());
        w.u8(self.bits).u8(rule_code(self.rule)).u8(u8::from(self.open_volume));
        w.u32(self.min_bidders).u32(self.max_members).u32(self.slot_seconds).u16(self.threshold);
        self.timing.write(w);
        self.capacity_classes.write(w);
        w.u8(u8::from(self.money.is_some()));
        if let Some(money) = &self.money {
            money.write(w);
        }
    }

    /// Reads the canonical encoding. The rules of [`MarketParams::check`] are not checked yet.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let grid = Grid::new(r.i64("lowest price")?, r.u64("tick")?, r.u32("ticks")?)
            .map_err(|_| WireError::Invalid { field: "price grid", why: "no grid of this market" })?;
        Ok(Self {
            grid,
            bits: r.u8("quantity bits")?,
            rule: read_rule(r)?,
            open_volume: read_flag(r, "open volume")?,
            min_bidders: r.u32("minimum of bidders")?,
            max_members: r.u32("most members")?,
            slot_seconds: r.u32("slot length")?,
            threshold: r.u16("threshold")?,
            timing: RoundTiming::read(r)?,
            capacity_classes: CapacityClasses::read(r)?,
            money: read_flag(r, "money")?.then(|| MoneyRules::read(r)).transpose()?,
        })
    }
}

fn rule_code(rule: Rule) -> u8 {
    match rule {
        Rule::Uniform => 0,
        Rule::TradeReduction => 1,
    }
}

fn read_rule(r: &mut Reader<'_>) -> Result<Rule, WireError> {
    match r.u8("clearing rule")? {
        0 => Ok(Rule::Uniform),
        1 => Ok(Rule::TradeReduction),
        _ => Err(WireError::Invalid { field: "clearing rule", why: "no rule has this number" }),
    }
}

/// Appends an optional 8-byte number, tagged.
pub(crate) fn write_option(w: &mut Writer, value: Option<[u8; 8]>) {
    match value {
        None => w.u8(0),
        Some(bytes) => w.u8(1).bytes(&bytes),
    };
}

/// Reads a flag; only 0 and 1 are canonical.
pub(crate) fn read_flag(r: &mut Reader<'_>, field: &'static str) -> Result<bool, WireError> {
    match r.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(WireError::Invalid { field, why: "a flag is 0 or 1" }),
    }
}

/// Reads what [`write_option`] has written.
pub(crate) fn read_option(r: &mut Reader<'_>, field: &'static str) -> Result<Option<[u8; 8]>, WireError> {
    read_flag(r, field)?.then(|| r.array(field)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> MarketParams {
        MarketParams {
            grid: Grid::new(10_000, 1_000, 4).expect("grid"),
            bits: 8,
            rule: Rule::Uniform,
            open_volume: true,
            min_bidders: 2,
            max_members: 10,
            slot_seconds: 900,
            threshold: 3,
            timing: crate::timing::tests::timing(),
            capacity_classes: CapacityClasses::of_connections(900),
            money: None,
        }
    }

    fn with(change: impl FnOnce(&mut MarketParams)) -> MarketParams {
        let mut p = params();
        change(&mut p);
        p
    }

    #[test]
    fn sound_parameters_pass_and_round_trip() {
        assert_eq!(params().check(4), Ok(()));
        let mut w = Writer::new();
        params().write(&mut w);
        let bytes = w.finish();
        let mut r = Reader::new(&bytes);
        assert_eq!(MarketParams::read(&mut r), Ok(params()));
        assert_eq!(r.finish(), Ok(()));
    }

    /// A lowest price below zero is two's complement; the digest of a grid above zero is what it was.
    #[test]
    fn prices_below_zero_round_trip() {
        let below = with(|p| p.grid = Grid::new(-16_000, 1_000, 64).expect("grid"));
        assert_eq!(below.check(4), Ok(()));
        let mut w = Writer::new();
        below.write(&mut w);
        let mut bytes = w.finish();
        assert_eq!(bytes[..8], (-16_000i64).to_le_bytes());
        let mut r = Reader::new(&bytes);
        assert_eq!(MarketParams::read(&mut r), Ok(below));
        bytes[..8].copy_from_slice(&i64::MIN.to_le_bytes());
        assert!(MarketParams::read(&mut Reader::new(&bytes)).is_err());
    }

    #[test]
    fn each_rule_refuses() {
        assert!(matches!(with(|p| p.bits = 9).check(4), Err(ParamsError::Bits { bits: 9 })));
        assert!(matches!(with(|p| p.slot_seconds = 600).check(4), Err(ParamsError::Slot { seconds: 600 })));
        assert!(matches!(with(|p| p.min_bidders = 1).check(4), Err(ParamsError::MinBidders { .. })));
        assert!(matches!(with(|p| p.min_bidders = 11).check(4), Err(ParamsError::MinBidders { .. })));
        let many = with(|p| p.max_members = MAX_MEMBERS + 1);
        assert!(matches!(many.check(4), Err(ParamsError::MaxMembers { .. })));
        let wide = with(|p| {
            p.bits = 32;
            p.max_members = MAX_MEMBERS;
        });
        assert!(matches!(wide.check(4), Err(ParamsError::Bounds(_))));
    }

    /// Capacities bind every bid of a market with money, so that they bound its sums and not what a step can hold.
    #[test]
    fn with_money_a_thousand_members_of_100_kwh_and_32_bits_are_a_market() {
        let key = veilgrid_crypto::schnorr::SigningKey::generate(&mut rand_core::OsRng);
        let treasury_key = key.verifying_key().to_bytes();
        let wide = with(|p| {
            p.grid = Grid::new(-16_000, 1_000, 64).expect("grid");
            p.bits = 32;
            p.max_members = 1_000;
            p.capacity_classes = CapacityClasses::new(vec![0, 2_750, 100_000]).expect("rising");
        });
        assert!(matches!(wide.check(4), Err(ParamsError::Bounds(_))));
        let money = MoneyRules { treasury_key, community_deposit_ct: 100, claim_ms: 1 };
        let with_money = MarketParams { money: Some(money), ..wide };
        assert_eq!(with_money.check(4), Ok(()));
        assert_eq!(with_money.key_count(), 129);
    }

    #[test]
    fn the_threshold_is_all_but_the_faulty_ones() {
        let ok = |t, n| with(|p| p.threshold = t).check(n).is_ok();
        for (t, n) in [(3, 4), (4, 5), (5, 6), (5, 7), (11, 16), (86, 128)] {
            assert!(ok(t, n), "{t} of {n}");
        }
        for (t, n) in [(2, 4), (4, 4), (3, 5), (5, 5), (4, 6), (4, 7), (6, 7), (0, 4)] {
            assert!(!ok(t, n), "{t} of {n}");
        }
    }

    #[test]
    fn digest_depends_on_each_field() {
        let rules = MoneyRules { treasury_key: [1; 32], community_deposit_ct: 2, claim_ms: 3 };
        let all = [
            params(),
            with(|p| p.grid = Grid::new(10_002, 1_000, 4).expect("grid")),
            with(|p| p.grid = Grid::new(10_000, 1_002, 4).expect("grid")),
            with(|p| p.grid = Grid::new(10_000, 1_000, 8).expect("grid")),
            with(|p| p.bits = 16),
            with(|p| p.rule = Rule::TradeReduction),
            with(|p| p.open_volume = false),
            with(|p| p.min_bidders = 3),
            with(|p| p.max_members = 11),
            with(|p| p.slot_seconds = 300),
            with(|p| p.threshold = 4),
            with(|p| p.timing.grace_blocks += 1),
            with(|p| p.capacity_classes = CapacityClasses::of_connections(300)),
            with(|p| p.money = Some(rules)),
            with(|p| p.money = Some(MoneyRules { treasury_key: [2; 32], ..rules })),
            with(|p| p.money = Some(MoneyRules { community_deposit_ct: 3, ..rules })),
            with(|p| p.money = Some(MoneyRules { claim_ms: 4, ..rules })),
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(MarketParams::digest).collect();
        assert_eq!(digests.len(), all.len());
    }
}
