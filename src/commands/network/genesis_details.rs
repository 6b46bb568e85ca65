//! Everything of a genesis that whoever joins agrees to for the ledger's life: all parameters, and all members.

use crate::output;
use serde::Serialize;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::money::market::MoneyRules;
use veilgrid_ledger::timing::RoundTiming;

/// The whole content of a genesis beside what its summary names.
#[derive(Debug, Serialize)]
pub(super) struct Details {
    format_version: u16,
    key_epoch: u64,
    first_key_session: u64,
    aggregator_envelope_key: Hex32,
    registrar_key: Hex32,
    /// The validators' keys for envelopes, in their order.
    validator_envelope_keys: Vec<Hex32>,
    /// In the order of the genesis, which is that of the keys.
    member_accounts: Vec<Hex32>,
    parameters: Parameters,
    timing: Timing,
    /// Absent on ledgers without money.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<Money>,
}

#[derive(Debug, Serialize)]
struct Money {
    treasury_key: Hex32,
    community_deposit_ct: u64,
    claim_ms: u64,
}

#[derive(Debug, Serialize)]
struct Parameters {
    price_min_mct_per_kwh: i64,
    price_max_mct_per_kwh: i64,
    tick_mct_per_kwh: u64,
    ticks: u32,
    bits: u8,
    rule: String,
    open_volume: bool,
    min_bidders: u32,
    max_members: u32,
    slot_seconds: u32,
    threshold: u16,
}

#[derive(Debug, Serialize)]
struct Timing {
    first_open_unix_ms: u64,
    interval_ms: u64,
    bidding_ms: u64,
    grace_blocks: u32,
    opening_deadline_ms: u64,
    suspend_after_ms: u64,
    first_slot_start_unix_s: i64,
    epoch_blocks: u64,
    keygen_phase_blocks: u32,
    max_clock_skew_ms: u64,
}

impl Details {
    pub(super) fn of(genesis: &Genesis) -> Self {
        let params = &genesis.params;
        let rule = serde_json::to_value(params.rule).ok();
        let rule = rule.and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default();
        Self {
            format_version: genesis.format_version,
            key_epoch: genesis.key_epoch,
            first_key_session: genesis.first_session,
            aggregator_envelope_key: Hex32(genesis.aggregator_envelope_key),
            registrar_key: Hex32(genesis.registrar_key),
            validator_envelope_keys: genesis
                .roster
                .validators
                .iter()
                .map(|entry| Hex32(entry.envelope_key))
                .collect(),
            member_accounts: genesis.members.iter().map(|certificate| Hex32(certificate.account)).collect(),
            parameters: Parameters {
                price_min_mct_per_kwh: params.grid.price_min_mct_per_kwh(),
                price_max_mct_per_kwh: params.grid.price_max_mct_per_kwh(),
                tick_mct_per_kwh: params.grid.tick_mct_per_kwh(),
                ticks: params.grid.ticks(),
                bits: params.bits,
                rule,
                open_volume: params.open_volume,
                min_bidders: params.min_bidders,
                max_members: params.max_members,
                slot_seconds: params.slot_seconds,
                threshold: params.threshold,
            },
            timing: Timing::of(&params.timing),
            money: params.money.as_ref().map(Money::of),
        }
    }

    /// For people: the names are those of the plan.
    pub(super) fn print(&self, aggregator_receipt_key: Hex32) {
        let mut table = output::table(&["parameter", "value"]);
        for (name, value) in self.rows() {
            table.add_row([name, value]);
        }
        output::line(table);
        output::line(format!("aggregator     receipt key {aggregator_receipt_key}"));
        output::line(format!("               envelope key {}", self.aggregator_envelope_key));
        output::line(format!("registrar      key {}", self.registrar_key));
        match &self.money {
            Some(money) => output::line(format!("treasury       key {}", money.treasury_key)),
            None => output::line("treasury       none: this market has no money"),
        }
        for (place, key) in self.validator_envelope_keys.iter().enumerate() {
            output::line(format!("validator {:<4} envelope key {key}", place + 1));
        }
        for (place, account) in self.member_accounts.iter().enumerate() {
            output::line(format!("member {:<7} {account}", place + 1));
        }
    }

    /// Name and value of all numbers and words.
    fn rows(&self) -> Vec<(String, String)> {
        let general = [
            ("format_version", self.format_version.to_string()),
            ("key_epoch", self.key_epoch.to_string()),
            ("first_key_session", self.first_key_session.to_string()),
        ];
        let general = general.into_iter().map(|(name, value)| (name.to_owned(), value));
        let money = self.money.iter().flat_map(Money::rows);
        general.chain(fields(&self.parameters)).chain(fields(&self.timing)).chain(money).collect()
    }
}

impl Money {
    fn of(rules: &MoneyRules) -> Self {
        // Every field has to be named: what is added to the format is shown.
        let MoneyRules { treasury_key, community_deposit_ct, claim_ms } = *rules;
        Self { treasury_key: Hex32(treasury_key), community_deposit_ct, claim_ms }
    }

    fn rows(&self) -> impl Iterator<Item = (String, String)> {
        let (deposit, claim) = (self.community_deposit_ct.to_string(), self.claim_ms.to_string());
        [("community_deposit_ct".to_owned(), deposit), ("claim_ms".to_owned(), claim)].into_iter()
    }
}

/// The fields of a flat structure.
fn fields(of: &impl Serialize) -> Vec<(String, String)> {
    let value = serde_json::to_value(of).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.map(|(name, value)| (name.clone(), text(value))).collect()
}

impl Timing {
    fn of(timing: &RoundTiming) -> Self {
        // Every field has to be named: what is added to the format is shown.
        let RoundTiming {
            first_open_unix_ms,
            interval_ms,
            bidding_ms,
            grace_blocks,
            opening_deadline_ms,
            suspend_after_ms,
            first_slot_start_unix_s,
            epoch_blocks,
            keygen_phase_blocks,
            max_clock_skew_ms,
        } = *timing;
        Self {
            first_open_unix_ms,
            interval_ms,
            bidding_ms,
            grace_blocks,
            opening_deadline_ms,
            suspend_after_ms,
            first_slot_start_unix_s,
            epoch_blocks,
            keygen_phase_blocks,
            max_clock_skew_ms,
        }
    }
}
