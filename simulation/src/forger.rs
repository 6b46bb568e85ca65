//! Bids with a false proof under a true signature, as a member can make them that changes its program: the bid's transcript
//! (`protocol-spec/03-sealed-bid.md`), without the prover.

use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid};
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::labels;

/// Bytes of a point and of a scalar.
const ITEM_BYTES: usize = 32;

/// Changes the proof's last scalar but one, and signs that.
pub(crate) fn with_false_proof(
    mut bid: SealedBid,
    params: &BidParams,
    round: &RoundContext,
    keyring: &Keyring,
    rng: &mut ChaCha20Rng,
) -> SealedBid {
    let at = bid.proof.len() - 2 * ITEM_BYTES;
    bid.proof[at] ^= 1;
    let mut t = transcript(&bid, params, round);
    bid.signature = keyring.account_key(round.key_epoch).sign(&mut t, rng);
    bid
}

/// What the signature of a bid covers.
fn transcript(bid: &SealedBid, params: &BidParams, round: &RoundContext) -> Transcript {
    let mut t = Transcript::new(labels::BID);
    t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
    t.append_message(b"ledger", &round.ledger_id);
    t.append_message(b"params", &params.digest());
    t.append_message(b"epoch", &round.key_epoch.to_le_bytes());
    t.append_message(b"round", &round.round_id.to_le_bytes());
    t.append_message(b"slot-start", &round.slot_start_unix_s.to_le_bytes());
    t.append_message(b"slot-seconds", &round.slot_seconds.to_le_bytes());
    t.append_message(b"account", &bid.account);
    t.append_message(b"balance-snapshot", &[0]);
    t.append_message(b"debit-sequence", &[0]);
    t.append_message(b"salt", &bid.salt);
    t.append_message(b"R", &bid.r);
    t.append_message(b"C", bid.c.as_flattened());
    draw(&mut t, b"rho");
    t.append_message(b"bits", &u64::from(params.bits()).to_le_bytes());
    t.append_message(b"steps", &(params.steps() as u64).to_le_bytes());
    let items: Vec<&[u8]> = bid.proof.chunks_exact(ITEM_BYTES).collect();
    let (range, rest) = items.split_at(4);
    absorb(&mut t, &[b"A", b"S"], &range[..2]);
    draw(&mut t, b"y");
    draw(&mut t, b"z");
    absorb(&mut t, &[b"T1", b"T2"], &range[2..]);
    draw(&mut t, b"x");
    let (link, rest) = rest.split_at(8);
    absorb(&mut t, &[b"t_hat", b"mu"], &link[3..5]);
    absorb(&mut t, &[b"N1", b"N2", b"N3"], &link[..3]);
    draw(&mut t, b"e");
    absorb(&mut t, &[b"s_r", b"s_tau", b"s_x"], &link[5..]);
    draw(&mut t, b"w");
    let (rounds, last) = rest.split_at(rest.len() - 2);
    for round in rounds.chunks_exact(2) {
        absorb(&mut t, &[b"L", b"R"], round);
        draw(&mut t, b"u");
    }
    absorb(&mut t, &[b"a", b"b"], last);
    t.append_message(b"note", &bid.note);
    t
}

fn absorb(t: &mut Transcript, labels: &[&'static [u8]], items: &[&[u8]]) {
    labels.iter().zip(items).for_each(|(label, item)| t.append_message(label, item));
}

fn draw(t: &mut Transcript, label: &'static [u8]) {
    t.challenge_bytes(label, &mut [0; 2 * ITEM_BYTES]);
}
