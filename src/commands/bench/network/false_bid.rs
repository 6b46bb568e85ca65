//! What only the owner of an account can do: sign a bid whose proof is false. For the flood, so that what it costs to
//! find such bids out is measured too.
//!
//! The transcript is written out here once more (specification section 4), because nothing in the library signs
//! anything but a bid with its proof. If it ever differs, [`check`] says so before anything is measured.

use crate::failure::Failure;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, check_signature, verify_bids};
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::SigningKey;

/// `template` as a bid of another account with another salt, signed by that account. The proof is the template's and
/// so belongs to another transcript.
pub fn falsify(
    params: &BidParams,
    round: &RoundContext,
    template: &SealedBid,
    key: &SigningKey,
    rng: &mut impl CryptoRngCore,
) -> SealedBid {
    let mut bid = template.clone();
    bid.account = key.verifying_key().to_bytes();
    rng.fill_bytes(&mut bid.salt);
    let mut transcript = transcript(params, round, &bid);
    bid.signature = key.sign(&mut transcript, rng);
    bid
}

/// Whether such a bid has a true signature and a false proof.
///
/// # Errors
/// A transcript that is not the protocol's.
pub fn check(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Result<(), Failure> {
    let wrong = |what: &str| Failure::Input(format!("the flood's false bids {what}: report this"));
    check_signature(params, round, bid).map_err(|fault| wrong(&format!("are not signed ({fault})")))?;
    match verify_bids(params, round, std::slice::from_ref(bid)).pop() {
        Some(Err(BidFault::Values | BidFault::Components | BidFault::Randomness | BidFault::Range)) => Ok(()),
        _ => Err(wrong("do not have a false proof")),
    }
}

/// Draws a challenge; its value is the verifier's matter.
fn challenge(t: &mut Transcript, label: &'static [u8]) {
    t.challenge_bytes(label, &mut [0u8; 64]);
}

/// The bid's transcript up to its signature.
fn transcript(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Transcript {
    let mut t = Transcript::new(labels::BID);
    t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
    t.append_message(b"ledger", &round.ledger_id);
    t.append_message(b"params", &params.digest());
    t.append_u64(b"epoch", round.key_epoch);
    t.append_u64(b"round", round.round_id);
    t.append_message(b"slot-start", &round.slot_start_unix_s.to_le_bytes());
    t.append_message(b"slot-seconds", &round.slot_seconds.to_le_bytes());
    t.append_message(b"account", &bid.account);
    t.append_message(b"balance-snapshot", &[0]);
    t.append_message(b"debit-sequence", &[0]);
    t.append_message(b"salt", &bid.salt);
    t.append_message(b"R", &bid.r);
    t.append_message(b"C", bid.c.as_flattened());
    challenge(&mut t, b"rho");
    t.append_u64(b"bits", u64::from(params.bits()));
    t.append_u64(b"steps", params.steps() as u64);
    let item = |place: usize| bid.proof.chunks_exact(32).nth(place).unwrap_or_default();
    // On the wire: A, S, T1, T2, N1, N2, N3, t̂, μ, three responses, the rounds, a, b.
    t.append_message(b"A", item(0));
    t.append_message(b"S", item(1));
    challenge(&mut t, b"y");
    challenge(&mut t, b"z");
    t.append_message(b"T1", item(2));
    t.append_message(b"T2", item(3));
    challenge(&mut t, b"x");
    t.append_message(b"t_hat", item(7));
    t.append_message(b"mu", item(8));
    t.append_message(b"N1", item(4));
    t.append_message(b"N2", item(5));
    t.append_message(b"N3", item(6));
    challenge(&mut t, b"e");
    t.append_message(b"s_r", item(9));
    t.append_message(b"s_tau", item(10));
    t.append_message(b"s_x", item(11));
    challenge(&mut t, b"w");
    let rounds = params.shape().pairs();
    for round in 0..rounds {
        t.append_message(b"L", item(12 + 2 * round));
        t.append_message(b"R", item(13 + 2 * round));
        challenge(&mut t, b"u");
    }
    t.append_message(b"a", item(12 + 2 * rounds));
    t.append_message(b"b", item(13 + 2 * rounds));
    t.append_message(b"note", &bid.note);
    t
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::world::World;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn false_bids_are_signed_by_their_account_and_false() {
        let world = World::new(&super::super::size_of(2)).expect("world");
        let template = world.prove(1, true).expect("proved").remove(0).bid;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        let mut bid = falsify(&world.params, &world.round, &template, &key, &mut rng);
        assert!(check(&world.params, &world.round, &bid).is_ok());
        bid.signature[40] ^= 1;
        assert!(check(&world.params, &world.round, &bid).is_err(), "not signed");
        assert!(check(&world.params, &world.round, &template).is_err(), "not false");
    }
}
