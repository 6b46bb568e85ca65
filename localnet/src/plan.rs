//! What a network on one machine is: how many processes, which market and times, which ports.

use crate::LocalnetError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use veilgrid_crypto::keygen::MAX_VALIDATORS;
use veilgrid_ledger::roster::MIN_VALIDATORS;
use veilgrid_node::founding::{FoundingPlan, MarketPlan, TimingPlan};

/// Members that may join after the founding.
const ROOM_FOR_NEWCOMERS: u32 = 4;

/// Price of energy from the grid and for energy into it, mct/kWh: between them lies the price grid.
pub(crate) const RETAIL_MCT_PER_KWH: i64 = 32_000;
pub(crate) const FEED_IN_MCT_PER_KWH: i64 = 8_000;
/// Slots of a network for trials are traded faster than they pass: a quarter of an hour each.
const SLOT_SECONDS: u32 = 900;
const SECONDS_PER_DAY: i64 = 86_400;
/// Round 1 trades the slot from 08:00 UTC of the next day: the sun shines then, so there are sellers.
const FIRST_SLOT_OF_DAY_S: i64 = 8 * 3600;
/// Most members: each is a process.
pub(crate) const MAX_PARTICIPANTS: u32 = 500;

/// A network on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Validators, at least four.
    pub validators: u16,
    /// Participants.
    pub members: u32,
    /// The market and its times.
    pub founding: FoundingPlan,
    /// Ports: the aggregator has this one, validator i the i-th after it, and n further on for consensus. Behind them, in
    /// the same order, are those for health and metrics.
    pub base_port: u16,
    /// Decides what members want; keys never come from it.
    pub seed: u64,
    /// Validators drop the bids of a round when so many rounds after it are finished; none: never.
    pub prune_after_rounds: Option<u64>,
}

/// Where the processes of a local network listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub base: u16,
    /// Validators.
    pub validators: u16,
}

impl Ports {
    /// Address of the aggregator's API.
    pub fn aggregator(&self) -> SocketAddr {
        self.at(0)
    }

    /// Address of a validator's API; validators count from 1.
    pub fn validator(&self, index: u16) -> SocketAddr {
        self.at(index)
    }

    /// Address of a validator for consensus.
    pub fn consensus(&self, index: u16) -> SocketAddr {
        self.at(self.validators.saturating_add(index))
    }

    /// The first address at which something listens already, or which can't be had for another reason.
    pub fn first_taken(&self) -> Option<(SocketAddr, std::io::Error)> {
        let last = self.validators.saturating_mul(3).saturating_add(1);
        (0..=last).map(|offset| self.at(offset)).find_map(|address| {
            // It is closed again at once; what takes it between now and then is told by the process that wants it.
            TcpListener::bind(address).err().map(|reason| (address, reason))
        })
    }

    /// Address for health and metrics of a validator, 0: of the aggregator.
    pub fn health(&self, index: u16) -> SocketAddr {
        self.at(self.validators.saturating_mul(2).saturating_add(1).saturating_add(index))
    }

    fn at(&self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base.saturating_add(offset)).into()
    }

    fn check(&self) -> Result<(), LocalnetError> {
        let further = 3 * u32::from(self.validators) + 1;
        let last = u32::from(self.base) + further;
        if self.base < 1024 || last > u32::from(u16::MAX) {
            let reason = format!(
                "base port {}: a network of {} validators uses it and the {further} ports after it; choose one from 1024 \
                 on with that many below 65536",
                self.base, self.validators
            );
            return Err(LocalnetError::Local { reason });
        }
        Ok(())
    }
}

impl NetworkPlan {
    /// A plan for trials: rounds every `interval_ms` from `first_open_unix_ms` on, `ticks` prices between feed-in and
    /// retail tariff.
    pub fn for_trials(
        validators: u16,
        members: u32,
        ticks: u32,
        interval_ms: u64,
        first_open_unix_ms: u64,
        base_port: u16,
        seed: u64,
    ) -> Self {
        let gaps = u64::from(ticks.max(2) - 1);
        let tick = RETAIL_MCT_PER_KWH.abs_diff(FEED_IN_MCT_PER_KWH).div_ceil(gaps).max(2).next_multiple_of(2);
        let market = MarketPlan {
            price_min_mct_per_kwh: FEED_IN_MCT_PER_KWH,
            tick_mct_per_kwh: tick,
            ticks,
            bits: 16,
            rule: Default::default(),
            open_volume: true,
            min_bidders: members.clamp(2, 3),
            max_members: members.max(2).saturating_add(ROOM_FOR_NEWCOMERS),
            slot_seconds: SLOT_SECONDS,
            capacity_classes_wh: None,
            money: None,
        };
        let day = i64::try_from(first_open_unix_ms / 1000).unwrap_or(0).div_euclid(SECONDS_PER_DAY) + 1;
        let mut timing = TimingPlan {
            first_open_unix_ms,
            interval_ms,
            bidding_ms: (interval_ms / 2).max(1),
            first_slot_start_unix_s: day * SECONDS_PER_DAY + FIRST_SLOT_OF_DAY_S,
            grace_blocks: 3,
            opening_deadline_ms: interval_ms.saturating_mul(2).max(1),
            suspend_after_ms: interval_ms,
            epoch_blocks: 120,
            keygen_phase_blocks: 12,
            max_clock_skew_ms: 2_000,
        };
        fit_skew(&mut timing);
        let founding = FoundingPlan { key_epoch: 1, market, timing };
        Self { validators, members, founding, base_port, seed, prune_after_rounds: None }
    }

    /// The ports.
    pub fn ports(&self) -> Ports {
        Ports { base: self.base_port, validators: self.validators }
    }

    /// Whether the numbers of processes and their ports are possible.
    pub(crate) fn check(&self) -> Result<(), LocalnetError> {
        self.check_operators()?;
        if !(2..=MAX_PARTICIPANTS).contains(&self.members) {
            let reason =
                format!("{} participants: choose 2 to {MAX_PARTICIPANTS}, each is a process", self.members);
            return Err(LocalnetError::Local { reason });
        }
        Ok(())
    }

    pub(crate) fn check_operators(&self) -> Result<(), LocalnetError> {
        let bounds = MIN_VALIDATORS..=usize::from(MAX_VALIDATORS);
        if !bounds.contains(&usize::from(self.validators)) {
            let reason =
                format!("{} validators: a network has {MIN_VALIDATORS} to {MAX_VALIDATORS}", self.validators);
            return Err(LocalnetError::Local { reason });
        }
        self.ports().check()
    }
}

/// Lowers the allowed skew of clocks to what short rounds bear: a leader that shifts its block's time must not skip the
/// opening, and promises, which end two skews before the close, are given for half of the bidding at least. The clocks of a
/// network on one machine are one.
pub(crate) fn fit_skew(timing: &mut TimingPlan) {
    let most_ms = (timing.bidding_ms / 4).min(timing.opening_deadline_ms.saturating_sub(1) / 2);
    timing.max_clock_skew_ms = timing.max_clock_skew_ms.min(most_ms).max(1);
}
