//! What only the owner of an account can do: sign any bytes as its bid. The transcript is written out here once more,
//! so that a change of it shows.

use merlin::Transcript;
use rand_core::OsRng;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid};
use veilgrid_crypto::labels;
use veilgrid_crypto::schnorr::SigningKey;

/// Draws a challenge; its value is the verifier's matter.
fn challenge(t: &mut Transcript, label: &'static [u8]) {
    t.challenge_bytes(label, &mut [0u8; 64]);
}

pub fn sign(params: &BidParams, round: &RoundContext, bid: &mut SealedBid, key: &SigningKey) {
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
    let item = |place: usize| &bid.proof[32 * place..32 * (place + 1)];
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
    bid.signature = key.sign(&mut t, &mut OsRng);
}
