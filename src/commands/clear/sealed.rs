//! The round sealed end to end: keys, bids, proofs, a ledger.

use super::{Cleared, LEAST_MEMBERS, Round};
use crate::cli::ClearArgs;
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use rayon::prelude::*;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_market::{Order, Side, fill_q16, fill_weights, step_quantities};
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::{LocalCommunity, RoundEnd};
use veilgrid_store::{Existing, write_ledger};

/// Validators of a sealed round from a file.
const VALIDATORS: u16 = 4;
const KEY_EPOCH: u64 = 1;
const ROUND: u64 = 1;
const SLOT_SECONDS: u32 = 900;
/// When the round opens, in milliseconds of the ledger's time. A book of orders has no date.
const OPENS_MS: u64 = 60_000;

/// The sealed round: four validators generate keys, every order is sealed under keys of its own, and each owner finds
/// its fill in the ledger's settlement points.
pub(super) fn sealed(round: &Round, args: &ClearArgs) -> Result<Cleared, Failure> {
    // One member an order, those of orders that were left out among them: they seal zero bids. A ledger refuses rounds
    // of one bid, so a single order gets company by a member with a zero bid too.
    let members = (round.kept.len() + round.dropped.len()).max(LEAST_MEMBERS);
    let keyrings: Vec<Keyring> =
        (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect();
    let members =
        keyrings.iter().map(|keyring| keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()).collect();
    let timing = one_process_timing(OPENS_MS, 0, SLOT_SECONDS);
    let founding = Founding {
        params: market(round, u32::try_from(keyrings.len()).map_err(Failure::input)?, timing),
        validators: VALIDATORS,
        members,
        key_epoch: KEY_EPOCH,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    let mut community = LocalCommunity::found(&founding, &mut OsRng).map_err(Failure::input)?;
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

fn market(round: &Round, members: u32, timing: RoundTiming) -> MarketParams {
    MarketParams {
        grid: round.grid,
        bits: round.bits,
        rule: round.rule,
        open_volume: true,
        min_bidders: LEAST_MEMBERS as u32,
        max_members: members,
        slot_seconds: SLOT_SECONDS,
        threshold: threshold_for(VALIDATORS),
        timing,
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
    }
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
            let bid =
                seal_bid(params, &context, keyring, &quantities_wh, &mut OsRng).map_err(Failure::input)?;
            bar.inc(1);
            Ok(bid)
        })
        .collect();
    bar.finish_and_clear();
    bids
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
