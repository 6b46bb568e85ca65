//! The round sealed end to end: keys, bids, proofs, a ledger.

use super::ClearArgs;
use super::{Cleared, LEAST_MEMBERS, Round};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use rayon::prelude::*;
use veilgrid_crypto::bid::{SealedBid, seal_bid, seal_bid_with_money};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_ledger::capacity::{CapacityClasses, CapacityError};
use veilgrid_ledger::money::market::{MoneyRules, UNITS_PER_CT, cost_weights};
use veilgrid_ledger::money::treasury::{Deposit, MAX_ENTRIES_PER_ORDER, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Order, Side, fill_q16, fill_weights, step_quantities};
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::{LocalCommunity, RoundEnd};
use veilgrid_roles::wallet::Opening;
use veilgrid_store::{Existing, write_ledger};

/// Validators of a sealed round from a file.
const VALIDATORS: u16 = 4;
const KEY_EPOCH: u64 = 1;
const ROUND: u64 = 1;
const SLOT_SECONDS: u32 = 900;
/// When the round opens, in milliseconds of the ledger's time. A book of orders has no date.
const OPENS_MS: u64 = 60_000;
/// From one round to the next; there is one.
pub(super) const INTERVAL_MS: u64 = SLOT_SECONDS as u64 * 1000;
/// What the rounding rest of any book can cost.
const COMMUNITY_DEPOSIT_CT: u64 = 1_000_000;

/// The sealed round: four validators generate keys, every order is sealed under keys of its own, and each owner finds
/// its fill in the ledger's settlement points.
pub(super) fn sealed(round: &Round, args: &ClearArgs) -> Result<Cleared, Failure> {
    // One member an order, those of orders that were left out among them: they seal zero bids. A ledger refuses rounds
    // of one bid, so a single order gets company by a member with a zero bid too.
    let members = (round.kept.len() + round.dropped.len()).max(LEAST_MEMBERS);
    let keyrings: Vec<Keyring> =
        (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect();
    let members = keyrings.iter().map(account).collect();
    let timing = one_process_timing(OPENS_MS, 0, SLOT_SECONDS);
    let treasury = SigningKey::generate(&mut OsRng);
    let count = u32::try_from(keyrings.len()).map_err(Failure::input)?;
    let founding = Founding {
        params: market(round, count, timing, &treasury)?,
        validators: VALIDATORS,
        members,
        key_epoch: KEY_EPOCH,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    let mut community = LocalCommunity::found(&founding, &mut OsRng).map_err(Failure::input)?;
    if round.by_capacity {
        deposit(round, &keyrings, &mut community, &treasury)?;
    }
    community.open_round().map_err(Failure::input)?;
    let bids = seal_all(round, &keyrings, &community, args.json)?;
    community.submit(ROUND, &bids, &mut OsRng).map_err(Failure::input)?;
    let end = community.finish_round(ROUND).map_err(Failure::input)?;
    let RoundEnd::Settled(settled) = end else {
        return Err(Failure::Input("the round was void although there is no minimum of bidders".to_owned()));
    };
    check_fills(round, &keyrings, &bids, &community, &settled)?;
    if let Some(path) = &args.ledger {
        let root = community.state().root();
        write_ledger(path, community.ledger(), root, Existing::Keep).map_err(Failure::input)?;
    }
    let opened = settled.opened.iter().map(|sum| (sum.request, sum.value_wh)).collect();
    Ok(Cleared { outcome: settled.outcome, utility: None, opened })
}

/// The rules of money of a market that has it for its capacities' sake.
pub(super) fn money_rules(treasury: &SigningKey, community_deposit_ct: u64) -> MoneyRules {
    let treasury_key = treasury.verifying_key().to_bytes();
    MoneyRules { treasury_key, community_deposit_ct, claim_ms: INTERVAL_MS }
}

/// One class, as large as the largest order.
pub(super) fn capacities(largest_wh: u64) -> Result<CapacityClasses, CapacityError> {
    CapacityClasses::new(vec![largest_wh])
}

/// Every member gets what its order can cost, so that it can prove that it has it.
fn deposit(
    round: &Round,
    keyrings: &[Keyring],
    community: &mut LocalCommunity,
    treasury: &SigningKey,
) -> Result<(), Failure> {
    let state = community.state();
    let ledger_id = state.community().ledger_id();
    let mut deposits = Vec::new();
    for (row, keyring) in round.kept.iter().zip(keyrings) {
        let number = state.members().number_of(&account(keyring)).unwrap_or_default();
        let amount_ct = deposit_ct(round, &row.order)?;
        deposits.extend((amount_ct > 0).then_some(Deposit { number, amount_ct, reference: [0; 32] }));
    }
    for (sequence, part) in (0u64..).zip(deposits.chunks(MAX_ENTRIES_PER_ORDER)) {
        let action = TreasuryAction::Deposit(part.to_vec());
        let order = TreasuryOrder::sign(&ledger_id, sequence, action, treasury, &mut OsRng);
        let order = Transaction::Treasury(Box::new(order));
        community.offer(&order).map_err(Failure::input)?;
    }
    Ok(())
}

/// What an order can cost, rounded up to a cent.
fn deposit_ct(round: &Round, order: &Order) -> Result<u64, Failure> {
    let quantities_wh =
        step_quantities(&round.grid, &[*order], u32::from(round.bits)).map_err(Failure::input)?;
    let costs = cost_weights(&round.grid);
    let cost =
        costs.weights().iter().zip(&quantities_wh).map(|(cost, wh)| u128::from(*cost) * u128::from(*wh));
    u64::try_from(cost.sum::<u128>().div_ceil(UNITS_PER_CT.unsigned_abs())).map_err(Failure::input)
}

fn market(
    round: &Round,
    members: u32,
    timing: RoundTiming,
    treasury: &SigningKey,
) -> Result<MarketParams, Failure> {
    let largest_wh = round.kept.iter().map(|row| row.order.energy_wh).max().unwrap_or(0);
    let (capacity_classes, money) = if round.by_capacity {
        let money = money_rules(treasury, COMMUNITY_DEPOSIT_CT);
        (capacities(largest_wh).map_err(Failure::input)?, Some(money))
    } else {
        (CapacityClasses::of_connections(SLOT_SECONDS), None)
    };
    Ok(MarketParams {
        grid: round.grid,
        bits: round.bits,
        rule: round.rule,
        open_volume: true,
        min_bidders: LEAST_MEMBERS as u32,
        max_members: members,
        slot_seconds: SLOT_SECONDS,
        threshold: threshold_for(VALIDATORS),
        timing,
        capacity_classes,
        money,
    })
}

fn seal_all(
    round: &Round,
    keyrings: &[Keyring],
    community: &LocalCommunity,
    json: bool,
) -> Result<Vec<SealedBid>, Failure> {
    let state = community.state();
    let (params, context) = state
        .community()
        .bid_params()
        .zip(state.round_context(ROUND))
        .ok_or_else(|| Failure::Input("the round is not open".to_owned()))?;
    let bar = output::progress(keyrings.len() as u64, "sealing bids", json);
    let bids = keyrings
        .par_iter()
        .enumerate()
        .map(|(position, keyring)| {
            let orders: Vec<Order> = round.kept.get(position).map(|row| row.order).into_iter().collect();
            let quantities_wh =
                step_quantities(&round.grid, &orders, u32::from(round.bits)).map_err(Failure::input)?;
            let bid = match state.account_terms(ROUND, &account(keyring)) {
                None => seal_bid(params, &context, keyring, &quantities_wh, &mut OsRng),
                Some(terms) => {
                    let deposit_ct = match orders.first() {
                        Some(order) => deposit_ct(round, order)?,
                        None => 0,
                    };
                    // Its deposit is all that is on the account, and public.
                    let available = Opening::public(i128::from(deposit_ct) * UNITS_PER_CT).available();
                    seal_bid_with_money(
                        params,
                        &context,
                        keyring,
                        &quantities_wh,
                        &terms,
                        &available,
                        &mut OsRng,
                    )
                }
            };
            let bid = bid.map_err(Failure::input)?;
            bar.inc(1);
            Ok(bid)
        })
        .collect();
    bar.finish_and_clear();
    bids
}

/// The pseudonym of an order.
fn account(keyring: &Keyring) -> [u8; 32] {
    keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()
}

/// Each owner checks that the ledger's settlement point holds exactly its fill.
fn check_fills(
    round: &Round,
    keyrings: &[Keyring],
    bids: &[SealedBid],
    community: &LocalCommunity,
    settled: &SettledRound,
) -> Result<(), Failure> {
    let community = community.state().community();
    let weights = fill_weights(&round.grid, &settled.outcome);
    for ((row, keyring), bid) in round.kept.iter().zip(keyrings).zip(bids) {
        let fill =
            i64::try_from(fill_q16(&round.grid, &settled.outcome, &row.order)).map_err(Failure::input)?;
        let net = if row.order.side == Side::Buy { fill } else { -fill };
        let r = keyring.round_view_key(KEY_EPOCH, ROUND).randomness(&bid.salt);
        let own = settled.bids.iter().find(|settled| settled.account == bid.account);
        let holds = own.is_some_and(|own| {
            let params = community.bid_params();
            params.is_some_and(|params| {
                settlement_point_holds(params, &r, &weights, net, &own.settlement_point)
            })
        });
        if !holds {
            return Err(Failure::Audit(format!(
                "the ledger's settlement of order {} is not its fill",
                row.id
            )));
        }
    }
    Ok(())
}
