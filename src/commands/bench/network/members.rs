//! The keys of all members, and what they send.

use super::false_bid;
use crate::failure::Failure;
use indicatif::ProgressBar;
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use rayon::prelude::*;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid, seal_bid};
use veilgrid_crypto::envelope::{EnvelopePublicKey, seal_envelope};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::{Outcome, clear_plain};

/// Epoch of the account keys of a network for trials.
const KEY_EPOCH: u64 = 1;
/// Most steps on which a member wants something.
const MAX_STEPS: usize = 8;

/// All members. Only the honest ones send bids that count.
pub struct Members {
    honest: Vec<Keyring>,
    /// Enrolled too; each sends a few false proofs, as many as its quota lets through.
    false_ones: Vec<Keyring>,
}

/// The honest bids of a round.
pub struct Sealed {
    pub round_id: u64,
    pub context: RoundContext,
    pub bids: Vec<SealedBid>,
    pub envelopes: Vec<Vec<u8>>,
    /// How the same quantities clear in plaintext.
    pub expected: Outcome,
}

/// What is wrong with a submission of the flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Garbage,
    UnknownAccount,
    ForgedSignature,
    FalseProof,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Garbage, Self::UnknownAccount, Self::ForgedSignature, Self::FalseProof];

    pub fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage in an envelope's length",
            Self::UnknownAccount => "bid of an unknown account",
            Self::ForgedSignature => "bid of a member, forged signature",
            Self::FalseProof => "bid of a member, signed, false proof",
        }
    }
}

impl Members {
    /// Fresh keys.
    pub fn generate(honest: usize, false_ones: usize) -> Self {
        let keyrings = |count: usize| -> Vec<Keyring> {
            (0..count).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect()
        };
        Self { honest: keyrings(honest), false_ones: keyrings(false_ones) }
    }

    /// Their accounts, as the founding enrols them.
    pub fn accounts(&self) -> Vec<PointBytes> {
        let keyrings = self.honest.iter().chain(&self.false_ones);
        keyrings.map(|keyring| keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()).collect()
    }

    /// The keys of the accounts that send false proofs.
    pub fn false_keys(&self) -> Vec<SigningKey> {
        self.false_ones.iter().map(|keyring| keyring.account_key(KEY_EPOCH)).collect()
    }

    /// Seals the honest members' bids for a round that may be yet to open.
    ///
    /// # Errors
    /// A ledger without keys or a round beyond the calendar.
    pub fn seal(&self, state: &State, round_id: u64, bar: &ProgressBar) -> Result<Sealed, Failure> {
        let community = state.community();
        let (params, context) = (bid_params(community)?, context_of(community, round_id)?);
        let steps = params.steps();
        let sealed = self.honest.par_iter().enumerate().map(|(number, keyring)| {
            let quantities_wh = quantities(steps, params.bits(), round_id, number as u64);
            let bid = seal_bid(params, &context, keyring, &quantities_wh, &mut OsRng);
            bar.inc(1);
            bid.map(|bid| (quantities_wh, bid)).map_err(Failure::input)
        });
        let sealed: Vec<(Vec<u64>, SealedBid)> = sealed.collect::<Result<_, _>>()?;
        let mut totals_wh = vec![0u64; steps];
        for (quantities_wh, _) in &sealed {
            totals_wh.iter_mut().zip(quantities_wh).for_each(|(total, wh)| *total += wh);
        }
        let market = community.params();
        let plain = clear_plain(&market.grid, market.rule, market.open_volume, &totals_wh);
        let bids: Vec<SealedBid> = sealed.into_iter().map(|(_, bid)| bid).collect();
        let envelopes = envelopes(community, round_id, bids.iter().map(SealedBid::to_bytes).collect())?;
        Ok(Sealed { round_id, context, bids, envelopes, expected: plain.map_err(Failure::input)?.outcome })
    }

    /// `count` invalid submissions for the round of these bids, the faults in turn.
    ///
    /// # Errors
    /// As [`Members::seal`]; false bids that are none.
    pub fn flood(
        &self,
        state: &State,
        sealed: &Sealed,
        count: usize,
    ) -> Result<Vec<(Fault, Vec<u8>)>, Failure> {
        let community = state.community();
        let (params, context) = (bid_params(community)?, &sealed.context);
        let template = sealed.bids.first().ok_or_else(|| Failure::Input("no bid to falsify".to_owned()))?;
        let false_keys = self.false_keys();
        let made: Vec<(Fault, Vec<u8>)> = (0..count)
            .into_par_iter()
            .map(|number| {
                let fault = Fault::ALL[number % Fault::ALL.len()];
                let place = number / Fault::ALL.len();
                let mut bid = template.clone();
                match fault {
                    Fault::Garbage => {}
                    Fault::UnknownAccount => {
                        let key = SigningKey::generate(&mut OsRng);
                        bid = false_bid::falsify(params, context, template, &key, &mut OsRng);
                    }
                    Fault::ForgedSignature => {
                        // Each is another bid, of a member whose bid arrives at the same time.
                        OsRng.fill_bytes(&mut bid.salt);
                        bid.account = sealed.bids[place % sealed.bids.len()].account;
                    }
                    Fault::FalseProof => {
                        let key = &false_keys[place % false_keys.len().max(1)];
                        bid = false_bid::falsify(params, context, template, key, &mut OsRng);
                        if place == 0 {
                            false_bid::check(params, context, &bid)?;
                        }
                    }
                }
                Ok((fault, bid.to_bytes()))
            })
            .collect::<Result<_, Failure>>()?;
        let (faults, bids): (Vec<Fault>, Vec<Vec<u8>>) = made.into_iter().unzip();
        let mut envelopes = envelopes(community, sealed.round_id, bids)?;
        for (fault, envelope) in faults.iter().zip(&mut envelopes) {
            if *fault == Fault::Garbage {
                OsRng.fill_bytes(envelope);
            }
        }
        Ok(faults.into_iter().zip(envelopes).collect())
    }
}

pub(super) fn bid_params(community: &Community) -> Result<&BidParams, Failure> {
    community.bid_params().ok_or_else(|| Failure::Input("the ledger has no keys yet".to_owned()))
}

fn context_of(community: &Community, round_id: u64) -> Result<RoundContext, Failure> {
    let params = community.params();
    let start = params.timing.slot_start_unix_s(round_id, params.slot_seconds);
    let start_unix_s = start.ok_or_else(|| Failure::Input(format!("round {round_id} has no slot")))?;
    Ok(community.round_context(round_id, Slot { start_unix_s, seconds: params.slot_seconds }))
}

fn envelopes(community: &Community, round_id: u64, bids: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
    let aggregator = EnvelopePublicKey::from_bytes(&community.envelope_key()).map_err(Failure::input)?;
    let ledger_id = community.ledger_id();
    let seal = |bid: Vec<u8>| seal_envelope(&aggregator, &ledger_id, round_id, &bid, &mut OsRng);
    Ok(bids.into_par_iter().map(seal).collect())
}

/// What a member wants: buyers and sellers in turn, up to eight steps each. They are the same in every run; keys and
/// randomness are not.
fn quantities(steps: usize, bits: u32, round_id: u64, member: u64) -> Vec<u64> {
    let mut rng = ChaCha20Rng::seed_from_u64(round_id << 32 ^ member);
    let mut quantities_wh = vec![0; steps];
    let (side, largest_wh) = (usize::from(member % 2 == 1), u64::MAX >> (64 - bits.clamp(1, 64)));
    for _ in 0..MAX_STEPS {
        let step = (rng.next_u64() as usize % (steps / 2).max(1)) * 2 + side;
        if let Some(quantity_wh) = quantities_wh.get_mut(step) {
            *quantity_wh = rng.next_u64() & largest_wh;
        }
    }
    quantities_wh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_want_something_that_fits_on_one_side() {
        for member in 0..20 {
            let quantities_wh = quantities(128, 16, 3, member);
            let wanted: Vec<usize> = (0..128).filter(|step| quantities_wh[*step] > 0).collect();
            assert!(!wanted.is_empty() && wanted.len() <= MAX_STEPS);
            assert!(wanted.iter().all(|step| step % 2 == (member % 2) as usize));
            assert!(quantities_wh.iter().all(|wh| *wh <= 65_535));
        }
        assert_ne!(quantities(128, 16, 3, 0), quantities(128, 16, 4, 0), "other rounds, other wishes");
    }
}
